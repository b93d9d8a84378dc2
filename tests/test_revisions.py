"""A changed question says so: the content against a git history of its own."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from api.content import read_content
from api.revisions import Compared, check_revisions
from tests.conftest import CONTENT

QUIZ = "docs/quizzes/example.md"
EXECUTED = "executed/00_example.ipynb"
UNDECLARED = "write `revision: cosmetic` if it still asks the same, `revision: meaning` if not"


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def git(self, *command: str) -> str:
        named = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        done = subprocess.run(
            ["git", *named, *command], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")

    def edit(self, *pairs: tuple[str, str], path: str = QUIZ) -> None:
        file = self.folder / path
        text = file.read_text()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new, 1)
        file.write_text(text)

    def check(self) -> Compared:
        return check_revisions(read_content(self.folder / "docs", self.folder / "executed"))

    def said(self) -> list[str]:
        return [problem.message for problem in self.check().problems]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A branch that leaves `main` at the example content."""
    monkeypatch.delenv("GITHUB_BASE_REF", raising=False)
    folder = tmp_path / "checkout"
    shutil.copytree(CONTENT, folder)
    made = Checkout(folder)
    made.git("init", "-q", "-b", "main")
    made.commit()
    made.git("switch", "-q", "-c", "branch")
    return made


FIRST = "type: single\nwhy: Only"


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (("What does an induction head need", "What might an induction head need"), "the question"),
        (("(b) A head that copies", "(b) Some head that copies"), "an option"),
        (("- [x] (a) A head", "- [ ] (a) A head"), "an option"),
    ],
)
def test_an_undeclared_change_is_refused(checkout: Checkout, edit: tuple[str, str], what: str):
    checkout.edit(edit)
    if "[ ] (a)" in edit[1]:
        checkout.edit(("- [ ] (b) A head that copies", "- [x] (b) A head that copies"))
        what = "the key"

    (problem,) = checkout.check().problems

    assert problem.path == QUIZ
    assert problem.line == 13
    assert problem.message.startswith(
        f"{what} changed since {checkout.git('rev-parse', 'main')[:9]};"
    )
    assert problem.message.endswith(UNDECLARED)
    checkout.commit()  # committed or not, it is the same change
    assert len(checkout.said()) == 1


@pytest.mark.parametrize("revision", ["cosmetic", "meaning"])
def test_a_declared_change_passes(checkout: Checkout, revision: str):
    checkout.edit(
        ("an induction head need", "a head need"), (FIRST, f"revision: {revision}\n{FIRST}")
    )
    assert checkout.check() == Compared([], [])


def test_a_declaration_holds_for_one_change(checkout: Checkout):
    checkout.edit(
        ("an induction head need", "a head need"), (FIRST, f"revision: cosmetic\n{FIRST}")
    )
    checkout.commit()
    checkout.git("branch", "-f", "main")
    assert checkout.said() == []

    checkout.edit(("a head need", "some head need"))
    (message,) = checkout.said()
    assert "declared for an earlier change; say in `changed: ...`" in message
    checkout.edit((FIRST, f"changed: A better word.\n{FIRST}"))
    assert checkout.said() == []


def test_explanations_may_change_and_questions_may_move(checkout: Checkout):
    checkout.edit(("Only an earlier layer can have", "Nothing but an earlier layer can have"))
    text = (checkout.folder / QUIZ).read_text()
    start, end = text.index("## Which of these are linear"), text.index("## What share")
    (checkout.folder / QUIZ).write_text(text[:start] + text[end:])
    header = text[: text.index("## What does")]
    (checkout.folder / "docs/quizzes/another.md").write_text(header + text[start:end])

    assert checkout.said() == []


def test_a_new_question_needs_no_declaration(checkout: Checkout):
    text = (checkout.folder / QUIZ).read_text()
    start, end = text.index("## Which of these are linear"), text.index("## What share")
    added = text[start:end].replace("linear-parts", "linear-parts-again")
    (checkout.folder / QUIZ).write_text(text + "\n" + added)

    assert checkout.said() == []


def test_a_key_that_moves_with_its_notebook_is_refused(checkout: Checkout):
    checkout.edit(("0.7310585", "0.735"), path=EXECUTED)
    assert checkout.check() == Compared([], [])  # within the tolerance of the fact

    checkout.edit(("0.735", "0.85"), path=EXECUTED)
    found = checkout.check()
    assert found.moved == ["share-right"]
    assert found.problems[0].message.startswith("its computed key changed since")
    assert "0.85" not in found.problems[0].message


def test_a_measured_key_that_is_gone_has_not_moved(checkout: Checkout):
    checkout.edit(("example-accuracy", "another-accuracy"), path=EXECUTED)

    assert checkout.check() == Compared([], [])  # the check says that the fact is missing


def test_what_is_new_or_was_broken_is_compared_with_nothing(checkout: Checkout):
    def write(slug: str) -> None:
        for path in (QUIZ, EXECUTED):
            text = (checkout.folder / path).read_text().replace("{#", f"{{#{slug}-")
            text = text.replace("example-accuracy", f"{slug}-accuracy")
            where = (checkout.folder / path).parent
            (where / f"{slug}{Path(path).suffix}").write_text(text)

    checkout.git("switch", "-q", "main")
    (checkout.folder / "docs/quizzes/broken.md").write_text("no header")
    (checkout.folder / "executed/broken.ipynb").write_text("{")
    checkout.commit()
    checkout.git("merge", "-q", "--ff-only", "main")
    checkout.git("switch", "-q", "-c", "another")
    write("broken")
    write("new")
    checkout.commit()

    assert set(read_content(checkout.folder / "docs").quizzes) == {"broken", "example", "new"}
    assert checkout.check() == Compared([], [])


def test_without_the_results_of_notebooks_the_questions_are_compared(checkout: Checkout):
    checkout.edit(("an induction head need", "a head need"))

    (problem,) = check_revisions(read_content(checkout.folder / "docs")).problems

    assert problem.message.startswith("the question changed")


def test_a_branch_that_never_left_main_is_not_compared(checkout: Checkout):
    checkout.git("checkout", "-q", "--orphan", "other")
    checkout.edit(("an induction head need", "a head need"))
    checkout.commit()

    found = checkout.check()

    assert found.problems == []
    assert found.note.startswith("no branch origin/main or main: revisions of questions were not")


Clone = Callable[..., Checkout]


def test_a_shallow_clone_says_that_it_cannot_compare(checkout: Checkout, tmp_path: Path):
    checkout.edit(("an induction head need", "a head need"))
    checkout.commit()
    clone = tmp_path / "shallow"
    origin = f"file://{checkout.folder}"
    command = ["git", "clone", "-q", "--depth", "1", "--branch", "branch", origin, clone]
    subprocess.run(command, check=True, capture_output=True)

    found = Checkout(clone).check()

    assert found.problems == []
    assert found.note.startswith("a shallow clone: revisions of questions were not compared;")


def test_without_git_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(CONTENT, tmp_path / "plain")
    plain = Checkout(tmp_path / "plain")
    assert plain.check().note.startswith("not a git checkout")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert plain.check().note.startswith("git is not here")


def test_the_check_tells_what_a_moved_key_does_to_stored_answers(
    checkout: Checkout, invoke: Callable[..., Result], sqlite_url: str
):
    checkout.edit(("0.7310585", "0.85"), path=EXECUTED)
    there = {
        "READOUT_CONTENT_DIR": str(checkout.folder / "docs"),
        "READOUT_EXECUTED_DIR": str(checkout.folder / "executed"),
        "READOUT_DATABASE_URL": sqlite_url,
    }
    stored = "of the answers stored here (readout regrade --dry-run):"

    without = invoke("check", **there)
    assert (without.exit_code, stored in without.stderr) == (1, False)
    assert invoke("migrate", **there).exit_code == 0
    found = invoke("check", **there)

    assert (found.exit_code, stored in found.stderr) == (1, True)
    assert "its computed key changed since" in found.stdout
    assert found.stdout.endswith("every stored answer was marked with the key of today\n")
