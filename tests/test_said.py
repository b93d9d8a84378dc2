"""What each command says, of its work and of what is amiss; all of them in this process."""

import gc
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from mkdocs.exceptions import Abort, PluginError
from typer.testing import CliRunner, Result

from api.cli import app
from api.markup import Problem
from api.migrate import newest
from tests.conftest import API, CONTENT

Run = Callable[..., Result]


@pytest.fixture
def database_url(newest_sqlite_url: str) -> str:
    """What is said here is the same on both databases."""
    return newest_sqlite_url


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The example content, for a command to change."""
    return Path(shutil.copytree(CONTENT, tmp_path / "content"))


@pytest.fixture
def run(
    root: Path, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    monkeypatch.setenv("READOUT_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("READOUT_CONTENT_DIR", str(root / "docs"))
    monkeypatch.setenv("READOUT_EXECUTED_DIR", str(root / "executed"))
    monkeypatch.setenv("READOUT_SITE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("READOUT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("READOUT_BASE_URL", raising=False)

    def run(*arguments: object, typed: str | None = None) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], input=typed)

    yield run
    gc.enable()  # a check that ends soon does without


def failed(done: Result) -> str:
    """The one sentence that a command ends with."""
    assert done.exit_code == 1, (done.output, done.exception)
    (sentence,) = done.stderr.splitlines()
    return sentence.removeprefix("readout: ")


# The site -----------------------------------------------------------------------------------------


def test_a_build_says_where_the_site_is_or_why_there_is_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    outcomes = iter([None, PluginError("docs/a.md: no page"), Abort("Aborted with 2 warnings")])

    def build(*_: object) -> None:
        if outcome := next(outcomes):
            raise outcome

    monkeypatch.setattr("api.site.build", build)

    assert run("build").stdout == f"built {tmp_path}/site/\n"
    assert failed(run("build")) == "the site was not built: docs/a.md: no page"
    assert failed(run("build")) == "the site was not built: Aborted with 2 warnings"


def test_a_check_mends_first_when_asked_and_says_what(run: Run, root: Path):
    entry = root / "docs" / "library" / "2022-wang-ioi.md"
    sound = entry.read_text()
    entry.write_text(sound.replace("authors:", "autors:"))

    done = run("check", "--fix")

    assert (done.exit_code, done.stdout) == (0, "")
    assert "docs/library/2022-wang-ioi.md:" in done.stderr
    assert "authors" in done.stderr
    assert entry.read_text() == sound


def test_a_file_that_cannot_be_mended_is_named(run: Run, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "docs/a.md")

    monkeypatch.setattr("api.fix.fix", refuse)
    assert failed(run("check", "--fix")) == "cannot write docs/a.md: Permission denied"


def test_a_check_asks_for_addresses_elsewhere_only_when_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = []

    def check_outlinks(_: object, cache: Path) -> list[Problem]:
        asked.append(cache)
        return [Problem("docs/a.md", 3, "gone")]

    monkeypatch.setattr("api.outlinks.check_outlinks", check_outlinks)

    assert run("check").exit_code == 0
    done = run("check", "--outlinks")
    assert (done.exit_code, done.stdout) == (1, "docs/a.md:3: gone\n")
    assert asked == [tmp_path / "cache" / "outlinks.json"]


def test_facts_are_listed_with_their_notebooks(run: Run):
    lines = run("facts").stdout.splitlines()
    assert any(line.startswith("example-accuracy = 0.73") for line in lines)
    assert all(line.endswith("(00_example)") for line in lines)


def test_a_content_folder_that_is_not_there_is_named(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("READOUT_CONTENT_DIR", "/nowhere")
    assert failed(run("check")).startswith("no folder /nowhere; start in the project, or set")


# New files ----------------------------------------------------------------------------------------


def test_a_note_is_split_and_accounted_for(run: Run, root: Path, tmp_path: Path):
    note = tmp_path / "note.md"
    note.write_text(
        "# 2026-04-02\n\n- [A new paper](https://arxiv.org/abs/2601.00001): its first words, "
        "which go on for longer than a line of a report may be, so that it is cut\n\n"
        "# 2026-03-12\n\nWhat was said.\n"
    )

    dry = run("import", note, "--dry-run")
    as_json = json.loads(run("import", note, "--dry-run", "--json").stdout)

    assert dry.exit_code == 0, dry.output
    assert set(as_json) == {"source", "files", "existing", "placed", "unplaced", "to_fill_in"}
    assert as_json["placed"]
    for placed in as_json["placed"]:
        assert f":{placed['line']} -> {placed['to']}  " in dry.stdout
    for part, heading in (
        ("unplaced", "Not placed; these words are in no file:"),
        ("to_fill_in", "To fill in:"),
        ("existing", "exists already"),
    ):
        assert (heading in dry.stdout) is bool(as_json[part]), part
    assert as_json["existing"] == ["docs/meetings/2026-03-12.md"]
    assert "exists" in failed(run("import", note))
    assert failed(run("import", tmp_path / "no.md")).startswith(f"cannot read {tmp_path}/no.md: No")


@pytest.mark.parametrize(
    ("arguments", "path", "line"),
    [
        (("meeting", "2026-05-01", "--topic", "circuits"), "meetings/2026-05-01.md", "circuits"),
        (("quiz", "heads"), "quizzes/heads.md", "kind: self-check"),
        (
            ("talk", "--url", "https://example.org/t", "--title", "A talk", "--date", "2025"),
            "library/2025-talk.md",
            "year: 2025",
        ),
        (
            ("paper", "--title", "A paper", "--author", "Ada Lovelace", "--year", "2020"),
            "library/2020-lovelace-paper.md",
            "title: A paper",
        ),
    ],
)
def test_a_file_is_begun_and_named(run: Run, root: Path, arguments, path: str, line: str):
    done = run("new", *arguments)

    assert done.exit_code == 0, (done.output, done.exception)
    assert path in done.stdout
    assert line in (root / "docs" / path).read_text()


def test_what_cannot_be_begun_is_said(run: Run):
    assert "2026-13-01" in failed(run("new", "meeting", "2026-13-01"))


# Quizzes ------------------------------------------------------------------------------------------


def test_pictures_come_in_beside_their_quiz(run: Run, root: Path, tmp_path: Path):
    source = tmp_path / "heads.xml"
    source.write_text(
        '<quiz><question type="truefalse"><questiontext format="html"><text>Q</text>'
        '<file name="a.png" encoding="base64">iVBORw0KGgoAAAANSUhEUgAA</file></questiontext>'
        '<answer fraction="100"><text>true</text></answer><answer><text>false</text></answer>'
        "</question></quiz>"
    )

    done = run("quiz", "import", source)

    assert done.exit_code == 0, done.output
    assert f"wrote {root}/docs/quizzes/heads.md" in done.stderr
    assert (root / "docs" / "quizzes" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_or_folder_that_is_shut_is_said(run: Run, tmp_path: Path):
    none = tmp_path / "none.gift"
    assert failed(run("quiz", "import", none)) == f"cannot read {none}: No such file or directory"
    export = ("quiz", "export", "example", "--format", "gift", "--folder", "/proc/none")
    assert failed(run(*export)).startswith("cannot write to /proc/none: ")


def test_a_quiz_that_is_not_there_is_answered_with_the_nearest(run: Run):
    assert failed(run("quiz", "take", "exampel")).startswith("no quiz is named 'exampel'; did you")


def test_who_gives_no_name_takes_no_quiz(run: Run):
    done = run("quiz", "take", "example", "--join", "http://127.0.0.1:9/join#code", typed="")
    assert (done.exit_code, done.stdout) == (0, "Your name, as the group knows you: \n")


def test_a_meeting_quiz_is_asked_of_the_address_that_was_served_last(run: Run, tmp_path: Path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "address").write_text("http://127.0.0.1:9")

    done = run("quiz", "take", "example")

    assert failed(done).startswith("the quiz service at http://127.0.0.1:9 is not reachable: ")


@pytest.mark.parametrize("kept", [b"\xff", b"address", b""])
def test_what_is_no_address_leads_nobody_astray(run: Run, tmp_path: Path, kept: bytes):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "address").write_bytes(kept)
    assert run("invite", "Ada").stdout.startswith("http://127.0.0.1:8000/join#")


# The database -------------------------------------------------------------------------------------


def test_a_migration_says_what_was_there(run: Run):
    assert run("migrate").stdout == f"schema {newest()}, was empty\n"
    assert run("migrate").stdout == f"schema {newest()}\n"


def test_a_restored_backup_says_what_it_replaced(run: Run, tmp_path: Path):
    run("migrate")
    copy = Path(run("backup").stdout.strip())
    newest_copy = copy.with_name("readout-9Z.sqlite3")
    assert "deleted 1 older ones" in run("backup", newest_copy, "--keep", 1).stderr
    (tmp_path / "readout.sqlite3").unlink()

    done = run("restore", newest_copy)
    assert "what was there is in" not in done.stdout

    again = run("restore", newest_copy, "--force")
    assert "what was there is in" in again.stdout


def test_a_database_that_does_not_answer_is_said_without_its_password(
    run: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("READOUT_DATABASE_URL", "postgresql://ada:secret@127.0.0.1:9/readout")
    sentence = failed(run("migrate"))
    assert sentence.startswith("cannot use the database postgresql://ada:***@127.0.0.1:9/readout: ")
    assert "secret" not in sentence


def test_a_setting_that_is_none_is_named(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("READOUT_LOG_FORMAT", "xml")
    assert failed(run("check")).startswith("READOUT_LOG_FORMAT: Input should be ")


# Answers and notes --------------------------------------------------------------------------------


def test_an_agenda_is_an_object_too(run: Run):
    found = json.loads(run("agenda", "2026-03-12", "--json").stdout)
    assert (found["meeting"], len(found["items"])) == ("2026-03-12", 6)


def test_a_regrade_without_a_moved_key_says_so(run: Run):
    done = run("regrade", "--dry-run")
    assert done.stdout == "every stored answer was marked with the key of today\n"


def test_a_moved_key_is_told_with_the_answers_that_are_here(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
):
    """In a pull request there are none."""
    from api.revisions import Compared

    problem = Problem("docs/quizzes/example.md", 39, "its computed key changed")
    monkeypatch.setattr(
        "api.revisions.check_revisions", lambda _: Compared([problem], ["share-right"])
    )

    assert "answers stored here" not in run("check").stderr
    run("migrate")
    done = run("check")
    assert "of the answers stored here (readout regrade --dry-run):" in done.stderr
    assert "every stored answer was marked with the key of today" in done.stdout


def test_a_meeting_file_that_cannot_be_written_is_named(
    run: Run, root: Path, member: TestClient, monkeypatch: pytest.MonkeyPatch
):
    note = {"meeting": "2026-03-12", "body": "Public.", "visibility": "public"}
    assert member.post(f"{API}/notes", json=note).status_code == 201

    file = root / "docs" / "meetings" / "2026-03-12.md"
    before = file.read_bytes()

    def fill_the_disk(self: Path, data: bytes) -> int:
        with self.open("wb") as opened:
            opened.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")  # without a name

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", fill_the_disk)
        sentence = failed(run("notes", "export", "2026-03-12"))
    assert sentence == f"cannot write {file}: No space left on device"
    assert file.read_bytes() == before  # what was added by hand is nowhere else
    assert [path.name for path in file.parent.glob(".*")] == []

    assert "1 public note" in run("notes", "export", "2026-03-12").stderr
    again = run("notes", "import", "2026-03-12")
    assert (again.exit_code, again.stderr) == (0, "")  # unchanged: nothing to say


def test_a_disk_that_is_full_is_said_without_the_note(
    run: Run, root: Path, member: TestClient, sqlite_url: str
):
    note = {"meeting": "2026-03-12", "body": "Public.", "visibility": "public"}
    assert member.post(f"{API}/notes", json=note).status_code == 201
    run("notes", "export", "2026-03-12")
    file = root / "docs" / "meetings" / "2026-03-12.md"
    file.write_bytes(file.read_bytes().replace(b"Public.", b"Changed."))
    full = "CREATE TRIGGER full BEFORE INSERT ON note_revision BEGIN {} END"
    member.app.state.service.database.write(
        lambda session: session.connection().exec_driver_sql(
            full.format("SELECT RAISE(ABORT, 'database or disk is full');")
        )
    )

    assert failed(run("notes", "import", "2026-03-12")) == (
        f"cannot use the database {sqlite_url}: database or disk is full; "
        "readout doctor says what to do"
    )


def test_a_note_with_both_sides_of_a_change_is_left_out_and_named(run: Run, member: TestClient):
    body = "<<<<<<< on the site\na\n=======\nb\n>>>>>>> in the file\n"
    note = {"meeting": "2026-03-12", "body": body, "visibility": "public"}
    made = member.post(f"{API}/notes", json=note).json()

    done = run("notes", "export", "2026-03-12")

    settle = f"note {made['id']}: left out; it holds both sides of a change, settle it"
    assert settle in done.stderr.splitlines()
