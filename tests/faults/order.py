"""What shows when things happen in an order that nobody thought of."""

from tests.faults.planting import fault

MACHINE = "tests/machine/test_machine.py::test_the_service_does_what_the_model_says[sqlite]"

FAULTS = [
    fault(
        "a-star-is-a-version",
        MACHINE,
        "api/notes.py",
        "    if note.version != expected:",
        "    if expected is not None and note.version != expected:",
    ),
    fault(
        "looked-first-and-changed-later",
        MACHINE,
        "api/note_routes.py",
        "    def save(session: Session) -> NoteOut:\n        change_note("
        "session, str(note_id), text, given.visibility, expected, member, now)\n",
        "    with service.database.read() as session:\n"
        "        seen = find_row(session, str(note_id), member)[0].version\n"
        '    __import__("time").sleep(0.02)\n\n'
        "    def save(session: Session) -> NoteOut:\n"
        "        there = find_row(session, str(note_id), member)[0].version\n"
        "        there = there if seen == expected else expected\n"
        "        change_note("
        "session, str(note_id), text, given.visibility, there, member, now)\n",
    ),
    fault(
        "private-notes-are-found",
        MACHINE,
        "api/notes.py",
        "        .where(may_see(member))\n",
        "",
    ),
    fault(
        "who-reads-a-note-is-anybodys-choice",
        MACHINE,
        "api/notes.py",
        "    if visibility not in (None, note.visibility) and note.author_id != member.id:",
        "    if visibility not in (None, note.visibility) and not note.author_id:",
    ),
    fault(
        "a-vote-is-told-before-the-meeting",
        MACHINE,
        "api/answers.py",
        "    if not item.asked.vote or item.phase",
        "    if item.asked.vote or item.phase",
    ),
    fault(
        "a-window-of-guesses-from-the-future",
        "tests/test_joining.py::test_a_clock_that_was_wrong_locks_nobody_out",
        "api/joining.py",
        "sa.and_(WRONG.c.since > now - WINDOW, WRONG.c.since < now + WINDOW)",
        "WRONG.c.since > now - WINDOW",
    ),
]
