"""Slips that somebody could make, each with the test that must notice; `make test-the-tests`."""

from tests.faults import access, content, durability, order, wire

FAULTS = [*durability.FAULTS, *access.FAULTS, *wire.FAULTS, *content.FAULTS, *order.FAULTS]
