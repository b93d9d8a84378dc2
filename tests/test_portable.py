"""The same content builds with ProperDocs, the maintained fork of MkDocs 1.x, page for page."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.test_site import BASE, site  # noqa: F401  the site that MkDocs built


def pages(folder: Path) -> dict[str, str]:
    generator = re.compile(r'<meta name="generator"[^>]*>')
    return {
        path.relative_to(folder).as_posix(): generator.sub("", path.read_text("utf-8"))
        for path in folder.rglob("*.html")
    }


def test_properdocs_builds_the_same_pages(site: Path, tmp_path: Path):  # noqa: F811
    done = subprocess.run(
        [
            Path(sys.executable).with_name("properdocs"),
            *("build", "--strict", "-f", "mkdocs.yml", "-d", tmp_path / "site"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "READOUT_BASE_URL": f"{BASE}/",
            "DISABLE_MKDOCS_2_WARNING": "true",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

    ours, theirs = pages(site), pages(tmp_path / "site")
    assert ours.keys() - theirs.keys() <= {
        name for name in ours if name.endswith("packet/index.html")
    }
    assert [name for name in theirs if theirs[name] != ours.get(name)] == []
