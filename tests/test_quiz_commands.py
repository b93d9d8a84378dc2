"""`readout quiz import` and `export`, each in a process of its own."""

import json
import shutil
from pathlib import Path

from tests.conftest import CONTENT
from tests.test_commands import Run

GIFT = """\
::Capital:: What is the capital of Poland? {
  =Warsaw # Right.
  ~Krakow # It was, until 1596.
}

::Essay:: Say why. {}
"""


def test_questions_come_in_and_go_out_again(readout: Run, tmp_path: Path):
    docs = Path(shutil.copytree(CONTENT / "docs", tmp_path / "docs"))
    there = {
        "READOUT_CONTENT_DIR": str(docs),
        "READOUT_EXECUTED_DIR": str(CONTENT / "executed"),
    }
    source = tmp_path / "capitals.gift"
    source.write_text(GIFT, "utf-8")

    done = readout("quiz", "import", str(source), "--report", **there)
    assert done.returncode == 0, done.stderr
    losses = json.loads(done.stdout)
    assert [(loss["item"], loss["kind"]) for loss in losses if loss["item"] == "Essay"] == [
        ("Essay", "dropped")
    ]
    assert "Warsaw" in (docs / "quizzes" / "capitals.md").read_text("utf-8")

    again = readout("quiz", "import", str(source), **there)
    assert (again.returncode, "exists" in again.stderr) == (1, True)

    out = readout(
        "quiz", "export", "capitals", "--format", "gift", "--folder", str(tmp_path), **there
    )
    assert out.returncode == 0, out.stderr
    assert "=Warsaw" in (tmp_path / "capitals.gift").read_text("utf-8")


def test_a_malformed_file_is_named_with_its_line(readout: Run, tmp_path: Path):
    source = tmp_path / "broken.xml"
    source.write_text('<?xml version="1.0"?>\n<quiz>\n<question type="multichoice">\n</quiz>\n')

    done = readout("quiz", "import", str(source), READOUT_CONTENT_DIR=str(CONTENT / "docs"))

    assert done.returncode == 1
    assert done.stderr.startswith("readout: broken.xml:4: ")
    assert not (CONTENT / "docs" / "quizzes" / "broken.md").exists()


def test_an_unknown_quiz_or_format_is_said_in_a_sentence(readout: Run):
    there = {"READOUT_CONTENT_DIR": str(CONTENT / "docs")}
    unknown = readout("quiz", "export", "exampel", "--format", "gift", **there)
    assert unknown.stderr == "readout: no quiz is named 'exampel'; did you mean 'example'?\n"
    odd = readout("quiz", "export", "example", "--format", "aiken", **there)
    assert (odd.returncode, "choose from" in odd.stderr) == (1, True)


def test_a_file_of_essays_becomes_no_empty_quiz(readout: Run, tmp_path: Path):
    docs = Path(shutil.copytree(CONTENT / "docs", tmp_path / "docs"))
    source = tmp_path / "essays.gift"
    source.write_text("Write about heads. {}\n", "utf-8")

    done = readout("quiz", "import", str(source), "--report", READOUT_CONTENT_DIR=str(docs))

    assert done.returncode == 1
    assert "no question of" in done.stderr
    assert [loss["what"] for loss in json.loads(done.stdout)] == ["question"]
    assert not (docs / "quizzes" / "essays.md").exists()
