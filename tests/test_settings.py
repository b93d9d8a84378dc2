"""Every setting has one name, a default, and a line in the documentation."""

import pytest
from pydantic import ValidationError

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


@pytest.mark.parametrize(
    "address", [" https://group.example.org/ ", "http://[::1]:8000", "http://127.0.0.1/reading"]
)
def test_an_address_of_a_site_is_taken_without_the_space_around_it(address: str):
    assert Settings(base_url=address).base == address.strip().rstrip("/")


@pytest.mark.parametrize(
    "address",
    [
        "group.example.org",
        "http://[",
        "http://[::::]",
        "https://ex ample",
        "http://h:99999",
        "http://h:0",
        "http://h:",
        "https://h/?a=b",
        "https://ada:secret@h",
        "",
    ],
)
def test_an_address_at_which_no_request_arrives_is_refused(address: str):
    with pytest.raises(ValidationError, match="is no address of a site; write https://site"):
        Settings(base_url=address)


@pytest.mark.parametrize(
    "url", ["foo", "mysql://a@b/c", "sqlite://", "sqlite+pysqlite:///x.db", "/x"]
)
def test_an_address_of_no_known_database_is_refused_without_being_told(url: str):
    with pytest.raises(ValidationError, match="write sqlite:") as refused:
        Settings(database_url=url)
    assert url not in refused.value.errors()[0]["msg"].split("; write")[0]  # it may hold a password


@pytest.mark.parametrize(
    "url", ["sqlite:////tmp/x", "postgresql:///x", "postgres://a@b/c", "postgresql+psycopg://b/c"]
)
def test_an_address_of_a_database_is_taken(url: str):
    assert Settings(database_url=url).database_url == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ada@h:notaport/x", "the port is no number; write @ and : in a password as"),
        ("postgresql://ada:se@cr:et@h/x", "the port is no number; write @ and : in a password as"),
        ("postgresql://ada:se@cret@h/x", "the host or the name holds an @; write @ in a password"),
        ("postgresql://ada:se@cr/et@h/x", "the host or the name holds an @; write @ in a password"),
        ("sqlite:///x.sqlite3?mode=ro", "takes the path of a file alone, without file: and"),
        ("sqlite:///file:x.sqlite3", "takes the path of a file alone, without file: and"),
    ],
)
def test_an_address_of_a_database_that_is_misspelt_is_refused_without_being_told(
    url: str, said: str
):
    with pytest.raises(ValidationError, match=said) as refused:
        Settings(database_url=url)
    message = refused.value.errors()[0]["msg"]
    assert not [piece for piece in ("notaport", "cr", "x.sqlite3") if piece in message]
