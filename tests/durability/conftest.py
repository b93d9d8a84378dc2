"""Databases with members in them, and somewhere to write down what was acknowledged."""

from pathlib import Path

import pytest

from tests.durability.service import Ledger, Seeded


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    return Seeded(tmp_path_factory.mktemp("seeded"))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")
