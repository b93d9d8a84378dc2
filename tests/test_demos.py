"""The committed notebooks are those of the present code, and running them gives the same values."""

import os
import subprocess
import sys

import pytest

from demos import notebooks
from tests.conftest import ROOT


def test_every_result_belongs_to_its_notebook():
    scripts = notebooks.discover()
    assert scripts
    assert notebooks.stale(scripts) == []
    assert notebooks.left_over(scripts) == []


@pytest.mark.model
@pytest.mark.timeout(1800)
def test_running_notebooks_again_gives_the_same_values():
    """Two of them, another two after each commit; `make demos ALL=1` compares all."""
    turn = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    again = ["--check", "--rotate", "2", "--turn", turn.stdout.strip() or "0"]
    done = subprocess.run(
        [sys.executable, "-m", "demos.execute", *again],
        cwd=ROOT,
        env={**os.environ, "READOUT_MODEL": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
