"""Do the tests notice? `make test-the-tests` plants one fault at a time and runs the test it names.

Each row of `FAULTS` is a slip that somebody could make: what to replace where, and the test that
must go red. It is planted in a copy of the checkout, so nothing here is touched. Before that, the
tests must pass without it. `make test-the-tests NAME=normal-sync` plants one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Edit(NamedTuple):
    file: str
    old: str  # stands there exactly once
    new: str


class Fault(NamedTuple):
    name: str
    test: str  # what pytest is asked to run
    edits: tuple[Edit, ...]


def fault(name: str, test: str, file: str, old: str, new: str, *more: Edit) -> Fault:
    return Fault(name, test, (Edit(file, old, new), *more))


DATABASE, ENGINES, MIGRATE, BACKUP = (
    f"api/{name}.py" for name in ("database", "engines", "migrate", "backup")
)
KILL, POWER, DISK, LOCK, ONCE, MIGRATION, COPIES = (
    f"tests/durability/test_{name}.py"
    for name in ("kill", "power", "disk", "lock", "once", "migration", "backup")
)

FAULTS = [
    fault("normal-sync", POWER, ENGINES, "synchronous = FULL", "synchronous = NORMAL"),
    fault("no-sync", POWER, ENGINES, "synchronous = FULL", "synchronous = OFF"),
    fault(
        "told-before-the-commit",
        f"{KILL}::test_a_kill_at_each_call_loses_nothing_acknowledged",
        DATABASE,
        "                outcomes = _handle(session, batch)\n",
        "                outcomes = _handle(session, batch)\n"
        "                _settle(batch, outcomes)\n                time.sleep(0.01)\n",
        Edit(DATABASE, "if future.cancelled():", "if future.done():"),
    ),
    fault(
        "a-failing-disk-is-tried-again",
        f"{DISK}::test_a_failing_disk_ends_the_service_and_nothing_false_is_said",
        DATABASE,
        'FATAL = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")',
        'FATAL = ("SQLITE_NOTADB",)',
    ),
    fault(
        "a-full-disk-is-not-said",
        f"{DISK}::test_a_full_disk_is_said_and_passes",
        "api/app.py",
        'if name == "SQLITE_FULL":',
        'if name == "SQLITE_NOTHING":',
    ),
    fault("no-patience", LOCK, ENGINES, "BUSY_TIMEOUT_MS = 5_000", "BUSY_TIMEOUT_MS = 0"),
    fault(
        "refused-one-after-the-other",
        LOCK,
        DATABASE,
        "if _is_locked(outcomes[0]) and not last:",
        "if last and not last:",
    ),
    fault(
        "deferred-begin",
        f"{ONCE}::test_two_workers_on_one_database_lose_nothing[sqlite]",
        ENGINES,
        '"BEGIN IMMEDIATE" if writes',
        '"BEGIN" if writes',
    ),
    fault(
        "a-retry-is-another-answer",
        f"{ONCE}::test_a_network_that_loses_replies_stores_each_once[sqlite]",
        "api/answers.py",
        "        if key in stored:\n",
        "        if not key:\n",
    ),
    fault(
        "an-id-may-mean-two-things",
        f"{ONCE}::test_an_id_is_one_members_and_means_one_thing",
        "api/answers.py",
        "    if request_hash == item.row",
        "    if request_hash or item.row",
    ),
    fault(
        "any-version-may-be-changed",
        f"{ONCE}::test_no_edit_of_a_note_is_lost[sqlite]",
        "api/notes.py",
        "if note.version != expected:",
        "if expected is None:",
    ),
    fault(
        "a-broken-sqlite-is-used",
        "tests/test_database.py::test_an_sqlite_that_corrupts_files_is_refused",
        ENGINES,
        "driver.sqlite_version_info < OLDEST_SQLITE",
        "driver.sqlite_version_info < (3, 7)",
    ),
    fault(
        "no-foreign-keys",
        "tests/test_database.py::test_a_reference_to_nobody_is_refused",
        ENGINES,
        "foreign_keys = ON",
        "foreign_keys = OFF",
    ),
    fault(
        "foreign-keys-while-migrating",
        f"{MIGRATION}::test_making_a_table_again_deletes_nothing_that_refers_to_it",
        MIGRATE,
        "foreign_keys = OFF",
        "foreign_keys = ON",
    ),
    fault(
        "migration-not-compared",
        f"{MIGRATION}::test_a_migration_that_would_lose_something_changes_nothing",
        MIGRATE,
        "    if changed := list(",
        "    if changed := list() and list(",
    ),
    fault(
        "migration-without-a-copy",
        f"{MIGRATION}::test_nothing_is_lost_on_the_way_to_the_newest_schema",
        MIGRATE,
        "        _copy(database)\n",
        "        pass\n",
    ),
    fault(
        "backup-by-cp",
        f"{COPIES}::test_a_backup_under_load_holds_all_that_was_acknowledged_before",
        BACKUP,
        'connection.execute("VACUUM INTO ?", (str(partial),))',
        "shutil.copyfile(source, partial)",
    ),
    fault(
        "restore-without-checksum",
        f"{COPIES}::test_a_damaged_backup_is_refused",
        BACKUP,
        "    if _hash(file) != manifest.sha256:",
        "    if not manifest.sha256:",
    ),
    fault(
        "restore-beside-a-stray-log",
        f"{COPIES}::test_a_backup_that_a_program_had_open_is_refused",
        BACKUP,
        "        if stray.exists():",
        "        if not stray.name:",
    ),
    fault(
        "restore-under-a-running-service",
        f"{COPIES}::test_a_database_in_use_is_not_replaced",
        BACKUP,
        'connection.execute("PRAGMA journal_mode = DELETE")',
        'connection.execute("PRAGMA journal_mode")',
    ),
    fault(
        "notes-let-html-through",
        "tests/test_render.py::test_a_hostile_text_is_shown_harmless",
        "api/render.py",
        'note = MarkdownIt("js-default", {"linkify"',
        'note = MarkdownIt("js-default", {"html": True, "linkify"',
    ),
    fault(
        "formulas-bring-html",
        "tests/test_render.py::test_a_hostile_text_is_shown_harmless",
        "api/mathml.py",
        'escape(unescape(element.text or ""), quote=False)',
        'unescape(element.text or "")',
    ),
    fault(
        "pictures-from-anywhere",
        "tests/test_render.py::test_a_hostile_text_is_shown_harmless",
        "api/render.py",
        "    if _is_own(source):",
        "    if source:",
    ),
    fault(
        "work-without-end",
        "tests/test_render.py::test_work_without_end_is_ended",
        "api/bounded.py",
        "timeout=LIMIT_S)",
        "timeout=None)",
    ),
    fault(
        "any-version-will-do",
        "tests/test_notes.py::test_only_the_very_version_lets_a_change_pass",
        "api/notes.py",
        "    if note.version != expected:",
        "    if expected is not None and note.version != expected:",
    ),
    fault(
        "private-notes-for-all",
        "tests/test_notes.py::test_a_private_note_is_nobody_elses",
        "api/notes.py",
        'return (col(Note.visibility) != "private") | (col(Note.author_id) == member.id)',
        "return col(Note.id) == col(Note.id)",
    ),
    fault(
        "a-file-wins-over-the-site",
        "tests/test_note_files.py::test_changes_of_both_sides_are_merged",
        "api/note_sync.py",
        "    if seen.here == seen.base:",
        "    if seen.here:",
    ),
    fault(
        "line-ends-are-normalized",
        "tests/test_note_files.py::test_a_text_that_nobody_changed_stays_one",
        "api/note_files.py",
        'f"{note.text}{newline * 2}<!-- end',
        'f"{note.text.replace(chr(13), str())}{newline * 2}<!-- end',
    ),
    fault(
        "draft-dropped-before-saved",
        "tests/browser/test_notes.py::test_a_text_is_let_go_only_when_it_is_saved",
        "docs/assets/elements/note-editor.js",
        "    const outcome = await this.save(sent);",
        "    await outbox.dropDraft(this.place);\n    const outcome = await this.save(sent);",
    ),
]

GUARD, MEMBERS, JOINING, APP = (f"api/{name}.py" for name in ("guard", "members", "joining", "app"))
ROLES, RAW, REPLIES, HOSTILE = (
    f"tests/security/test_{name}.py" for name in ("roles", "raw", "replies", "hostile")
)

# By the threats of docs/security.md: who asks, from where, and what they send.
FAULTS += [
    fault(
        "any-origin-may-be-named",
        f"{REPLIES}::test_an_origin_that_is_none_stops_the_start",
        "api/settings.py",
        "if not ORIGIN.fullmatch(origin):",
        "if not origin:",
    ),
    fault(
        "another-site-changes-something",
        f"{REPLIES}::test_a_page_of_another_site_changes_nothing",
        GUARD,
        "if is_api and not self._may_change(scope):",
        "if not is_api and not self._may_change(scope):",
    ),
    fault(
        "any-host",
        f"{REPLIES}::test_the_service_answers_to_its_own_name",
        GUARD,
        "if not self._is_ours(scope):",
        'if not scope["path"]:',
    ),
    fault(
        "no-limit-of-a-body",
        f"{REPLIES}::test_a_body_over_64_kib_is_refused",
        GUARD,
        "RequestBodyLimitMiddleware(app, LARGEST_BODY)",
        "RequestBodyLimitMiddleware(app, 2 * LARGEST_BODY)",
    ),
    fault(
        "an-error-without-headers",
        f"{REPLIES}::test_every_reply_carries_the_security_headers",
        GUARD,
        "            if not begun:",
        "            if begun:",
    ),
    fault(
        "nul-in-an-address",
        f"{RAW}::test_no_query_is_an_error_of_the_service",
        GUARD,
        'b"%00" in scope["query_string"]',
        'b"%000" in scope["query_string"]',
    ),
    fault(
        "a-cookie-for-scripts",
        f"{REPLIES}::test_the_cookie_over_https_is_for_this_host_alone",
        JOINING,
        "httponly=True",
        "httponly=False",
    ),
    fault(
        "an-invitation-works-twice",
        "tests/test_members.py::test_an_invitation_works_once",
        MEMBERS,
        "            col(Invitation.used_at).is_(None),\n",
        "",
    ),
    fault(
        "an-address-is-believed",
        "tests/test_joining.py::test_a_header_hides_nobody",
        JOINING,
        'request.client.host if request.client else ""',
        'request.headers.get("x-forwarded-for", "")',
    ),
    fault(
        "guesses-are-not-limited",
        "tests/test_joining.py::test_ten_wrong_codes_from_a_network_are_heard_then_no_code_is",
        JOINING,
        "MOST_WRONG = 10 ",
        "MOST_WRONG = 10_000 ",
    ),
    fault(
        "a-session-rests-for-ever",
        "tests/test_devices.py::test_a_session_that_rested_for_90_days_has_ended",
        MEMBERS,
        'col(SignIn.used_at) > sa.bindparam("rested")',
        'col(SignIn.used_at) != sa.bindparam("rested")',
    ),
    fault(
        "a-removed-member-stays",
        "tests/test_membership.py::test_a_removed_member_is_out_at_once_on_every_device_and_worker",
        MEMBERS,
        "        col(Member.removed_at).is_(None),\n",
        "",
        Edit(
            "api/membership.py",
            "    session.add(person)\n    end_sessions(session, person.id)\n",
            "    session.add(person)\n",
        ),
    ),
    fault(
        "every-member-organizes",
        f"{ROLES}::test_each_endpoint_replies_to_each_role_as_documented",
        MEMBERS,
        'if member.role != "organizer":',
        "if not member.role:",
    ),
    fault(
        "unknown-fields-are-let-pass",
        f"{RAW}::test_a_field_that_we_do_not_know_is_refused_by_every_endpoint",
        "api/wire.py",
        'extra="forbid"',
        'extra="ignore"',
    ),
    fault(
        "what-was-sent-is-repeated",
        f"{RAW}::test_no_body_whatever_is_an_error_of_the_service",
        APP,
        'where = "body"  # a name',
        "where = where  # a name",
    ),
    fault(
        "a-page-reads-any-file",
        f"{HOSTILE}::test_the_check_of_a_pull_request_runs_nothing_and_tells_nothing",
        "mkdocs.yml",
        "  - pymdownx.superfences",
        "  - pymdownx.snippets:\n      base_path: [.]\n  - pymdownx.superfences",
    ),
    fault(
        "outputs-are-shown-as-they-come",
        f"{HOSTILE}::test_the_check_of_a_pull_request_runs_nothing_and_tells_nothing",
        "api/site.py",
        "if wrong := outputs.foreign(",
        "if wrong := (lambda _: None)(",
    ),
    fault(
        "an-output-may-act",
        f"{HOSTILE}::test_an_output_that_does_more_than_show_is_refused",
        "api/outputs.py",
        "if not _TAGS.fullmatch(tag):",
        "if not _TAGS:",
    ),
    fault(
        "a-formula-in-a-cell",
        "tests/test_results.py::test_what_would_be_a_formula_is_marked_as_text",
        "api/export.py",
        "if first and dangerous else text",
        "if first and not dangerous else text",
    ),
]


def plant(edits: tuple[Edit, ...], folder: Path) -> dict[Path, str]:
    """Make the edits; returns the files as they were."""
    before: dict[Path, str] = {}
    for edit in edits:
        path = folder / edit.file
        text = path.read_text("utf-8")
        before.setdefault(path, text)
        if text.count(edit.old) != 1:
            sys.exit(f"tests/faults.py: {edit.old!r} stands {text.count(edit.old)} times in {path}")
        path.write_text(text.replace(edit.old, edit.new), "utf-8")
    return before


def run(tests: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder)}  # before what is installed
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def main(names: list[str]) -> None:
    chosen = [one for one in FAULTS if one.name in names] if names else FAULTS
    if unknown := set(names) - {one.name for one in chosen}:
        sys.exit(f"no fault {', '.join(unknown)}; there are {', '.join(f.name for f in FAULTS)}")
    missed = []
    with tempfile.TemporaryDirectory(prefix="readout-faults-") as name:
        folder = Path(name)
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
        for file in filter(None, files.stdout.split("\0")):
            if (ROOT / file).is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, folder / file)
        whole = run(sorted({one.test for one in chosen}), folder)
        if whole.returncode != 0:
            sys.exit(f"the tests fail before anything is planted:\n{whole.stdout[-3000:]}")
        for one in chosen:
            begun = time.perf_counter()
            before = plant(one.edits, folder)
            done = run([one.test], folder)
            for path, text in before.items():
                path.write_text(text, "utf-8")
            caught = done.returncode == 1  # 1: a test failed; anything else: none was run
            missed += [] if caught else [one.name]
            took = time.perf_counter() - begun
            print(f"{'caught' if caught else 'MISSED'}  {one.name} ({took:.0f} s)", flush=True)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} planted faults were caught")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main(sys.argv[1:])
