"""R15: the same content builds the same site twice, byte for byte.

The second time by ProperDocs, the maintained fork of MkDocs 1.x: one build fewer to wait for.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import BASE, ROOT

GENERATOR = re.compile(rb'<meta name="generator"[^>]*>')
OWN = ".readout-build"  # what `make serve` compares, written by our command and not by a hook


def files(folder: Path) -> dict[str, bytes]:
    """Everything of a site, but for the name of its generator."""
    return {
        path.relative_to(folder).as_posix(): GENERATOR.sub(b"", path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.name != OWN
    }


def test_properdocs_builds_the_same_site(site: Path, tmp_path: Path):
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

    ours, theirs = files(site), files(tmp_path / "site")
    assert ours.keys() ^ theirs.keys() == set()
    assert [name for name in theirs if theirs[name] != ours[name]] == []
