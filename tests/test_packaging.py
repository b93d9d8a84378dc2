"""What `pip install` brings is all that the code and a downloaded notebook need."""

import tomllib

from tests.conftest import ROOT

SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]


def test_every_folder_of_modules_is_installed():
    found = {
        path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for top in ("api", "demos")
        for path in (ROOT / top).rglob("*.py")
    }
    assert found == set(SETUPTOOLS["packages"])


def test_every_file_that_the_modules_read_is_installed():
    data = {
        path.relative_to(ROOT / "demos").as_posix()
        for path in (ROOT / "demos" / "data").rglob("*")
        if path.is_file()
    }
    given = {
        path.relative_to(ROOT / "demos").as_posix()
        for pattern in SETUPTOOLS["package-data"]["demos"]
        for path in (ROOT / "demos").glob(pattern)
    }
    assert "data/english.txt" in data
    assert data <= given
