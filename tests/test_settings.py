"""Every setting has one name, a default, and a line in the documentation."""

import pytest

from api.settings import Settings
from tests.conftest import ROOT


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_documented(name: str):
    documented = (ROOT / "docs" / "operating.md").read_text("utf-8")
    assert f"| `READOUT_{name.upper()}` |" in documented
    assert Settings.model_fields[name].description


def test_no_setting_is_documented_that_does_not_exist():
    documented = (ROOT / "docs" / "operating.md").read_text("utf-8")
    rows = [line.split("`")[1] for line in documented.splitlines() if line.startswith("| `READ")]
    assert rows == [f"READOUT_{name.upper()}" for name in Settings.model_fields]


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("READOUT_BASE_URL", "https://group.example.org/")
    assert Settings().base == "https://group.example.org"
