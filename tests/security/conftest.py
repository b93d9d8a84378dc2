"""A real service for these tests too, on a database with members in it."""

from tests.durability.conftest import seeded

__all__ = ["seeded"]
