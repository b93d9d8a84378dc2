"""Each part at the edge of what it is asked: the empty, the odd, the broken off."""

import datetime as dt
import json
import logging
import os
import re
import ssl
import sys
import tempfile
from pathlib import Path
from urllib.error import URLError

import pytest
from pydantic import TypeAdapter, ValidationError

from api import (
    analysis,
    carrying,
    engines,
    keys,
    notebook_pages,
    outlinks,
    outputs,
    packet,
    pages,
    preview,
    render,
    results,
    scan,
    statistics,
    tags,
    taking,
    telemetry,
)
from api.addresses import Address, read_address
from api.agenda import AgendaOut, ItemOut
from api.agenda_markdown import as_markdown
from api.content import Content, read_content
from api.drafts import NotWritten, header, write_new
from api.engines import Unusable, sqlite_driver
from api.export import csv_text
from api.fix import fix
from api.grading import Mark, NoKey
from api.importing import split_note
from api.map import _curve
from api.names import Name, read_name
from api.new import new_paper, new_quiz, new_talk
from api.pages import Broken
from api.questions import ComputedKey, FactKey, Question, Quiz
from api.records import Date, Fact, Moment
from api.results import Group, RevoteOut, ShareOut
from api.timetable import phase_of
from tests.conftest import CONTENT
from tests.test_map import entry

NOW = dt.datetime(2026, 3, 10, 18, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def content() -> Content:
    return read_content(CONTENT / "docs", CONTENT / "executed")


def linker(path: str) -> str:
    return f"/{path}"


# Addresses, names, notes --------------------------------------------------------------------------


def test_what_is_no_address_is_an_article_under_its_own_name():
    assert read_address("http://[") == Address("article", page="http://[")


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("Ada, Lovelace, Countess, IV", "Ada, Lovelace, Countess, IV"),
        ("Lovelace,", "Lovelace,"),
        ("Ada Jr.", "Ada Jr."),
    ],
)
def test_a_name_that_cannot_be_taken_apart_stays_whole(text: str, family: str):
    assert read_name(text) == Name(family)


def test_a_field_without_value_or_question_is_left_out_unless_remarked():
    assert header({"odd": None, "even": None}, {"even": "why?"}) == "---\n# even:  # why?\n---\n"


def test_files_are_written_all_or_none(tmp_path: Path):
    (tmp_path / "file").touch()
    files = {tmp_path / "one.md": "1", tmp_path / "file" / "two.md": "2"}

    with pytest.raises(NotWritten, match=r"cannot write .*file"):
        write_new(files)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def imported(source: str) -> str:
    """What became of each part of a note, as `readout import` tells it."""
    empty = read_content(CONTENT / "docs")
    return str(split_note(source, "note.md", empty, "docs", dt.date(2026, 3, 1)))


def test_a_note_of_odd_forms_loses_no_word():
    source = (
        "# 2026-04-02\n\n## Heads\n\n##\n\n### Deeper\n\n## Again\n\n"
        "[blog](https://example.org/a) [One](https://example.org/b)\n\n"
        "[x]: https://example.org/c\nwords between\n[y]: https://example.org/d\n"
    )
    told = imported(source)
    for words in ("Heads", "Deeper", "Again", "words between", "example.org/d"):
        assert words in told, words


# Content ------------------------------------------------------------------------------------------


def test_exports_that_are_the_same_are_not_written_again(content: Content, tmp_path: Path):
    carrying.write_exports(content, "https://example.org", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert before
    for path in before:
        os.utime(path, ns=(1, 1))

    carrying.write_exports(content, "https://example.org", tmp_path)

    assert {path.stat().st_mtime_ns for path in before} == {1}


def test_a_header_that_is_not_to_be_guessed_at_is_left_alone(tmp_path: Path):
    text = (
        "---\n? [odd, key]\n: x\ntitle: T\nauthors: [Ada]\nkind: tool\nyear: 2020\n"
        'url: https://example.org\ntopics: ["circ\\x75ts"]\n---\n'
    )
    (tmp_path / "docs" / "topics").mkdir(parents=True)
    (tmp_path / "docs" / "library").mkdir()
    (tmp_path / "docs" / "topics" / "circuits.md").write_text("---\ntitle: T\nsummary: S.\n---\n")
    (tmp_path / "docs" / "library" / "one.md").write_text(text)

    assert fix(tmp_path / "docs") == []
    assert (tmp_path / "docs" / "library" / "one.md").read_text() == text


def fact(value: object, **more: object) -> Fact:
    return Fact(value=value, notebook="00_a", **more)


def test_a_fact_is_written_in_a_known_form_or_not_at_all():
    assert fact(0.5).text(".1f") == "0.5"
    with pytest.raises(ValueError, match="no known form"):
        fact(0.5).text("x")


def test_the_key_of_a_question_stands_on_no_page():
    facts = {"open": fact(1), "shut": fact(2, sealed=True)}
    assert ">1</a>" in pages.insert_facts("{fact:open}", facts, "a.md", linker)
    with pytest.raises(Broken, match=r"a\.md: fact 'shut' is the key of a question; leave it out"):
        pages.insert_facts("{fact:shut}", facts, "a.md", linker)


def computed(key: ComputedKey, texts: tuple[str, str] = ("one", "two")) -> Question:
    options = [{"id": i, "text": text} for i, text in zip("ab", texts, strict=True)]
    fields = {"id": "q", "stem": "Q?", "why": "w", "source": "s", "type": "single"}
    return Question.model_validate({**fields, "key": key, "options": options, "line": 1})


def test_a_computed_key_needs_numbers():
    question = computed(ComputedKey(largest={"a": "f", "b": "g"}))
    with pytest.raises(NoKey, match="fact 'f': not a number; name another"):
        keys.rank(question.key, {"f": fact("x"), "g": fact(1.0)})


def test_an_option_that_shows_a_fact_in_an_impossible_form_has_no_key():
    question = computed(ComputedKey(largest={"a": "f", "b": "g"}), ("{fact:f:.1f}", "two"))
    ((field, said),) = keys.complaints(question, {"f": fact("x"), "g": fact(1.0)})
    assert field == "key"
    assert said.startswith("fact 'f' cannot be written so: ")


def test_an_option_that_says_what_was_measured_need_not_be_a_number():
    question = computed(FactKey(fact="f"))
    assert list(keys.complaints(question, {"f": fact("one")})) == []


def test_a_bow_joins_works_of_one_row():
    low = re.fullmatch(r"M10 (\d+)C10 (\d+) 90 \2 90 \1", _curve(10, 50, 90, 50))
    assert low
    assert 50 < int(low[1]) < int(low[2])


def test_html_that_breaks_off_ends_with_the_text():
    opening = re.compile(r"<(code)>")
    assert list(tags.outside("a<code>b<code/>c", opening)) == [(0, 1), (16, 16)]
    cell = '<div class="jp-Cell celltag_predict"><div class="jp-Cell-outputWrapper">out'
    assert notebook_pages._end_of_div(cell, 0) == len(cell)


def test_a_link_of_a_notebook_leads_to_a_page():
    cells = [{"cell_type": "markdown", "source": "[x](../docs/library/a.md)"}]
    notebook_pages.link_to_pages({"cells": cells}, "00_a.py", lambda path: True)
    with pytest.raises(Broken, match=r"demos/00_a\.py: no page library/b\.md"):
        cells = [{"cell_type": "markdown", "source": "[x](../docs/library/b.md)"}]
        notebook_pages.link_to_pages({"cells": cells}, "00_a.py", lambda path: False)


def test_a_preview_shows_a_notebook_without_its_outputs():
    notebook = {"cells": [{"outputs": [1]}, {"source": "x"}]}
    outputs.leave_out(notebook)
    assert notebook == {"cells": [{"outputs": []}, {"source": "x"}]}


def test_an_entry_that_only_lists_has_no_first_paragraph():
    assert packet._first_paragraph("- a\n- b\n\n> c\n") == ""
    assert packet._first_paragraph("- a\n\nfirst\nlines\n\nsecond") == "first\nlines"


def quiz_of(content: Content, **changes: object) -> Quiz:
    return content.quizzes["example"].model_copy(update=changes)


def test_what_a_page_does_not_know_it_does_not_say(content: Content):
    bare = entry("2020-a", 2020)
    assert "minutes" not in pages._library_item(bare, content, linker)
    open_end = pages.quiz_card(quiz_of(content, closes_at=None, minutes=None), linker)
    assert "For the meeting of 2026-03-12<" in open_end
    assert "about" not in open_end
    assert "Answers count until" not in packet._quiz(quiz_of(content, closes_at=None), linker)
    assert "Quiz" not in pages.entry_foot(bare, content, [], linker)
    unread = content.meetings["2026-03-12"].model_copy(update={"readings": []})
    assert "Readings" not in pages.meeting_head(unread, content, linker)
    nothing = Content(root=content.root, folder=content.folder, executed_dir=None)
    assert pages.home_meeting(nothing, NOW.date(), linker) == "<p>No meeting is recorded yet.</p>"


def test_a_picture_of_a_note_is_our_own_or_none():
    for address in ("a\\b.png", "//example.org/a.png", "http://[", "https://example.org/a.png"):
        assert not render._is_own(address), address
    assert render._is_own("../a.png")


def test_a_formula_within_a_link_stays_a_formula():
    html = render.render_note("[see $x$](https://example.org)", {})
    assert "<math" in html
    assert html.count("<a href=") == 1


def test_an_indented_line_at_the_top_is_in_no_block():
    assert not scan._in_a_block("", 0, 4)
    assert scan._in_a_block("- a\n", 4, 4)


def test_a_page_that_was_never_built_is_not_asked_for(tmp_path: Path):
    preview.ask_for(tmp_path / "none.html")
    assert list(tmp_path.iterdir()) == []


# Beginning a file ---------------------------------------------------------------------------------


def test_what_contradicts_itself_is_not_begun(tmp_path: Path):
    two = tmp_path / "two.bib"
    two.write_text("@misc{a, title={A}}\n@misc{b, title={B}}\n")
    odd = tmp_path / "odd.bib"
    odd.write_bytes(b"\xff")
    with pytest.raises(NotWritten, match="give --arxiv or --bibtex, not both"):
        new_paper(CONTENT / "docs", arxiv="2211.00593", bibtex=two)
    with pytest.raises(NotWritten, match=r"two\.bib has 2 entries; only --topic"):
        new_paper(CONTENT / "docs", bibtex=two, title="One")
    with pytest.raises(NotWritten, match=r"odd\.bib is not UTF-8; save it as UTF-8"):
        new_paper(CONTENT / "docs", bibtex=odd)


def test_a_talk_and_a_quiz_of_no_day(tmp_path: Path):
    for folder in ("library", "meetings", "quizzes", "topics"):
        (tmp_path / "docs" / folder).mkdir(parents=True)
    new_talk(tmp_path / "docs", title="A talk", date="2024")
    new_talk(tmp_path / "docs", title="Another", url="https://example.org/t")
    new_quiz(tmp_path / "docs", "heads")
    assert "kind: self-check" in (tmp_path / "docs" / "quizzes" / "heads.md").read_text()
    written = [path.read_text() for path in sorted((tmp_path / "docs" / "library").iterdir())]
    assert sum("year: 2024" in text for text in written) == 1


# Addresses elsewhere ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (outlinks.socket.gaierror(), "no host of that name"),
        (ssl.SSLError(), "the host's certificate or encryption is not valid"),
        (ConnectionResetError(), "no answer (ConnectionResetError)"),
        (TimeoutError(), "no answer within 2 s"),
    ],
)
def test_why_an_address_does_not_answer(error: Exception, reason: str):
    assert outlinks._reason(URLError(error), 2) == reason


def test_an_address_that_is_none_has_no_host():
    assert outlinks._host("http://[") == ""


# Numbers ------------------------------------------------------------------------------------------


def test_what_does_not_vary_has_no_interval_and_no_error():
    assert statistics.discrimination_interval([[1, 0], [1, 1]], 0) is None
    # One of forty differs: more than half of the samples hold it not at all.
    rare = [[1, 1]] + [[0, 0]] * 3
    assert statistics.discrimination_interval(rare[:2], 0) is not None
    assert statistics.discrimination_interval([[1, 1], *[[0, 0]] * 400], 0) is not None
    assert statistics.discriminative_efficiency([], 0) is None
    assert statistics.standard_error([[1]]) is None


def test_a_table_without_rows_is_empty():
    assert csv_text([]) == ""


def first(person: int, question: Question, response: object, right: bool) -> analysis.First:
    return analysis.First(str(person), question.id, None, response, Mark(float(right), right))


def test_an_item_whose_wrong_option_attracts_the_best_is_flagged(content: Content):
    """Twenty people of rising skill; those who know more choose the wrong option."""
    quiz = content.quizzes["example"]
    single, *others = quiz.questions
    answers = []
    for person in range(60):
        answers.append(first(person, single, "ab"[person >= 30], person < 30))
        for place, other in enumerate(others):
            answers.append(first(person, other, "x", person >= 10 * (place + 1)))

    item = analysis.analyse(quiz, answers).items[0]

    assert [(option.option, option.n) for option in item.options] == [("a", 30), ("b", 30)]
    assert "check the key" in item.flags
    assert "those who chose (b) did better elsewhere than those who were right" in item.flags


def test_an_item_that_tells_nothing_is_flagged(content: Content):
    quiz = content.quizzes["example"]
    _, multiple, *others = quiz.questions
    answers = []
    for person in range(60):
        answers.append(first(person, quiz.questions[0], "a", person % 2 == 0))
        answers.append(first(person, multiple, ["a"], person % 2 == 0 if person < 4 else True))
        for place, other in enumerate(others):
            answers.append(first(person, other, "x", person % 4 >= 2 or place == 9))

    flags = [flag for item in analysis.analyse(quiz, answers).items for flag in item.flags]

    assert "hardly tells who does well elsewhere" in flags


def test_votes_again_tell_what_was_gained(content: Content):
    def votes(n: int, right: bool) -> Group:
        return Group("revote", False, '"a"', "a", n, 0, Mark(float(right), right))

    assert results._revote([votes(3, True), votes(1, False)], 0.5) == RevoteOut(
        n=4, correct=3, gain=0.5
    )
    assert results._revote([votes(4, True)], None) == RevoteOut(n=4, correct=4, gain=None)
    assert results._revote([votes(1, True)], 0.5) is None


# The agenda ---------------------------------------------------------------------------------------


def item(question: str, **more: object) -> ItemOut:
    fields = {
        "question": question,
        "type": "single",
        "stem": "Q",
        "n": 4,
        "n_late": 0,
        "correct": 1,
        "score": 0.25,
        "difficulty": 0.25,
        "interval": (0.05, 0.7),
        "distribution": None,
        "confident_and_wrong": 0,
        "reasons": [],
        "revote": None,
        "reports": [],
        "note": None,
        "quiz": "example",
        "advice": "re-read",
        "vote": False,
        "anchor": None,
    }
    return ItemOut.model_validate({**fields, **more})


def test_an_agenda_tells_what_there_is_and_no_more(content: Content):
    pairs = {"a": "A node.", "b": "An edge."}
    made = AgendaOut(
        meeting=dt.date(2026, 3, 12),
        title="T",
        warm_up=[item("why-two-layers")],
        items=[
            item(
                "changes",
                n_late=2,
                revote=RevoteOut(n=4, correct=3, gain=0.5),
                distribution=[ShareOut(response=pairs, n=4, correct=True)],
            ),
            item("the-sum", revote=RevoteOut(n=4, correct=3, gain=None), reports=["It's *wrong*."]),
        ],
        tells_until=None,
    )

    text = as_markdown(made, content)

    assert "### To warm up\n\n- [What does an induction head need" in text
    assert "Late, and not counted: 2." in text
    assert "In the meeting: 3 of 4 right, normalized gain 0.50.\n" in text
    assert "In the meeting: 3 of 4 right.\n" in text
    assert "- 4: Activation patching → A node.; Path patching → An edge." in text
    assert "The passage" not in text
    assert "- It's &#42;wrong&#42;." in text
    nothing = made.model_copy(update={"warm_up": [], "items": []})
    assert as_markdown(nothing, content).endswith("No quiz belongs to this meeting.\n")


def test_a_self_check_is_open_at_any_time(content: Content):
    check = quiz_of(content, meeting=None, opens_at=None, closes_at=None)
    assert phase_of(check, NOW) == "open"
    assert phase_of(check.model_copy(update={"opens_at": NOW + dt.timedelta(1)}), NOW) == "before"


@pytest.mark.parametrize("number", [1699315200, 1699315200.0, "1699315200"])
def test_a_number_is_no_date_and_no_time(number: object):
    """Seconds since 1970 would be taken for a day."""
    with pytest.raises(ValidationError, match=r"1699315200.* is not a date; write it as"):
        TypeAdapter(Date).validate_python(number)
    with pytest.raises(ValidationError, match=r"1699315200.* is not a time; write it as"):
        TypeAdapter(Moment).validate_python(number)


# Databases ----------------------------------------------------------------------------------------


def test_without_the_packaged_sqlite_the_one_of_python_is_asked(monkeypatch: pytest.MonkeyPatch):
    class Newer:
        sqlite_version_info = (9, 0, 0)

    def import_module(name: str) -> object:
        if name != "sqlite3":
            raise ImportError(name)
        return Newer

    monkeypatch.setattr(engines.importlib, "import_module", import_module)
    assert sqlite_driver() is Newer


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unusable, match=r"pip install 'psycopg\[binary\]'"):
        engines.postgresql_engine("postgresql://localhost/readout")


def test_a_file_that_cannot_be_made_is_named():
    with pytest.raises(Unusable, match=r"cannot write to /proc/x\.sqlite3: .*; mend that, or name"):
        engines.sqlite_engine("sqlite:////proc/x.sqlite3", writes=True)


def test_a_folder_that_another_user_owns_is_named():
    folder = Path(tempfile.mkdtemp(prefix="readout-of-another-"))
    folder.chmod(0)
    ours = os.geteuid()
    os.seteuid(ours or 65534)  # nothing is closed to root
    try:
        with pytest.raises(Unusable, match=r"Permission denied; give it and its folder to the"):
            engines.sqlite_engine(f"sqlite:///{folder}/readout.sqlite3", writes=True)
    finally:
        os.seteuid(ours)
        folder.rmdir()


def test_a_disk_that_shares_no_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As a disk of the network: there, a write-ahead log cannot be used."""
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///file:x.sqlite3?vfs=unix-none&uri=true"
    engine = engines.sqlite_engine(url, writes=True)
    with pytest.raises(Unusable, match="cannot use a write-ahead log; keep it on a local disk"):
        engine.connect()
    engine.dispose()


# The terminal and the log -------------------------------------------------------------------------


def test_nothing_typed_is_no_answer():
    with pytest.raises(ValueError, match="Answer the question, or end with Ctrl"):
        taking.read(None, " , ")


def test_a_line_of_the_log_holds_the_error():
    record = logging.LogRecord("readout", logging.ERROR, "", 0, "it broke", (), None)
    try:
        raise LookupError("no such thing")
    except LookupError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    line = json.loads(telemetry.JsonLines().format(record))
    assert line["message"] == "it broke"
    assert line["error"].endswith("LookupError: no such thing")


def test_a_sound_key_is_read_in_each_of_its_forms():
    fields = {"id": "q", "stem": "Q?", "why": "w", "source": "s", "type": "number"}
    for key in (FactKey(fact="f"), "3", {"fact": "f"}):
        assert Question.model_validate({**fields, "key": key, "line": 1}).key is not None
    assert computed(ComputedKey(largest={"a": "f", "b": "g"})).key.ranked == {"a": "f", "b": "g"}
