import re
import string
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.content import Content, read_content
from api.drafts import NotWritten
from api.importing import clean, import_note, split_note
from api.imports import Import
from api.notefile import match_topics

HERE = Path(__file__).parent
SPECIMEN = HERE / "specimens" / "import" / "notes.md"
CONTENT = read_content(HERE / "content" / "docs")
# What may stand between the parts: marks of Markdown and of lists, no words.
MARKUP = re.compile(r"(?:\d{1,9}[.)]|[\s\[\]()<>#=+*_|/·•.,;:\-–—])*")


def split(source: str, content: Content = CONTENT) -> Import:
    return split_note(source, "notes.md", content)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


def assert_nothing_is_lost(source: str, result: Import) -> None:
    """Each word is in one part, in order, and each part's words stand in its file from its line."""
    source, at = clean(source), 0
    for part in result.parts:
        begins = source.index(part.text, at)
        assert MARKUP.fullmatch(source, at, begins), source[at:begins]
        assert source[:begins].count("\n") + 1 == part.line
        at = begins + len(part.text)
        if not part.to:
            assert part.why
            continue
        path, line = part.to.rsplit(":", 1)
        lines = result.files[path].split("\n")[int(line) - 1 :]
        if "---" in lines:  # a field of the header stands on one line, its value first
            assert Counter(words(part.text)) <= Counter(words(lines[0])), (part, lines[0])
        else:
            assert is_within(words(part.text), words("\n".join(lines))), (part, lines)
    assert MARKUP.fullmatch(source, at), source[at:]


def is_within(some: list[str], all_: list[str]) -> bool:
    rest = iter(all_)
    return all(word in rest for word in some)


def test_definitions_may_stand_in_several_places_of_a_note():
    source = (
        "# Notes\n\n## Papers\n\n- [One][1]. Ada Example, 2022.\n- [Two][2]. Bo Example, 2023.\n\n"
        "[1]: https://example.org/one\n\nA word between.\n\n[2]: https://example.org/two\nstray\n"
    )

    result = split(source)

    assert_nothing_is_lost(source, result)
    assert {part.line: part.to for part in result.parts if "example.org" in part.text} == {
        8: "docs/library/one.md:16",
        12: "docs/library/two.md:16",
    }


def test_a_note_becomes_entries_and_a_meeting():
    result = split(SPECIMEN.read_text())

    assert_nothing_is_lost(SPECIMEN.read_text(), result)
    assert {part.line: part.to for part in result.parts if part.text.strip()} == {
        1: "",
        4: "",
        7: "",
        9: "docs/library/example-walk-heads.md:7",
        11: "docs/library/example-walk-heads.md:4",
        12: "docs/library/example-walk-heads.md:6",
        13: "docs/library/example-walk-heads.md:14",
        16: "docs/library/example-walk-heads.md:17",
        18: "docs/library/2022-beispiel-toy.md:15",
        19: "docs/library/2022-beispiel-toy.md:17",
        20: "",
        21: "docs/library/2023-finding-parts.md:15",
        23: "docs/library/2020-second.md:6",
        25: "docs/library/2020-second.md:14",
        29: "",
        31: "",
        33: "docs/library/bare-example.md:6",
        35: "docs/meetings/2024-03-05.md:3",
        37: "docs/meetings/2024-03-05.md:11",
        38: "docs/meetings/2024-03-05.md:13",
        39: "docs/meetings/2024-03-05.md:14",
        41: "docs/meetings/2024-03-05.md:16",
        42: "docs/meetings/2024-03-05.md:20",
        44: "",
        45: "docs/library/somebody.md:14",
        47: "docs/library/first.md:6",
        48: "",
    }
    assert [(part.line, part.why) for part in result.unplaced] == [
        (1, "the header of the note"),
        (4, "a heading that names no topic; there are circuits"),
        (7, "no link above it under 'Reading notes'"),
        (
            20,
            "no link above it under 'Circuits'; perhaps it belongs in docs/topics/circuits.md",
        ),
        (29, "already in the library as 2022-wang-ioi"),
        (31, "a heading that names no topic; entries below it have circuits from above"),
        (44, "a heading that names no topic; there are circuits"),
        (48, "a definition that no link in a file uses"),
    ]


def test_an_entry_has_what_the_note_says_and_asks_for_the_rest():
    text = split(SPECIMEN.read_text()).files["docs/library/example-walk-heads.md"]

    begin, _, _ = text.partition("## What it claims")
    assert (
        begin
        == """\
---
title: A Walk through Heads
authors: [Ada Example]
kind: talk  # ![YouTube logo](yt.png)
# year: when did it appear?
url: https://www.youtube.com/watch?v=abcdefghijk&t=120s
topics: [circuits]  # Circuits
---

<!-- What is this, and why does the group have it? One short paragraph. -->

!!! note "The group's notes"

    heads move names;
    tails do not.

    > Heads are all you quote.

"""
    )


def test_a_meeting_keeps_its_words_and_links_its_readings():
    text = split(SPECIMEN.read_text()).files["docs/meetings/2024-03-05.md"]

    assert (
        text
        == """\
---
date: 2024-03-05
title: Meeting on March 5, 2024
readings: [2022-beispiel-toy]
---

## Notes

!!! note "The group's notes"

    What we missed:

    + value or pointer? :(
    + [Toy Parts](https://arxiv.org/pdf/2209.99999) once more

## Patching

!!! note "The group's notes"

    run the model twice
"""
    )


def test_what_the_note_does_not_say_is_named_by_file_and_line():
    result = split("[A Title](https://example.org/2021/a)\n")

    assert [tuple(gap) for gap in result.gaps] == [
        ("docs/library/2021-title.md", 3, "authors"),
        ("docs/library/2021-title.md", 7, "topics"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://arxiv.org/abs/2211.00593v3",
        "http://arxiv.org/pdf/2211.00593.pdf",
        "https://www.arxiv.org/abs/2211.00593?context=cs",
    ],
)
def test_an_entry_is_found_again_under_another_address(url):
    result = split(f"[IOI]({url}) - a note of ours\n")

    assert result.files == {}
    assert [part.why for part in result.unplaced] == ["already in the library as 2022-wang-ioi"]
    assert "a note of ours" in result.unplaced[0].text


def test_an_entry_without_identifiers_is_found_again_by_its_address(tmp_path):
    fields = "title: T\nauthors: [Ada]\nkind: tool\nyear: 2020\ntopics: [ioi]"
    (tmp_path / "docs" / "library").mkdir(parents=True)
    entry = tmp_path / "docs" / "library" / "2020-t.md"
    entry.write_text(f"---\n{fields}\nurl: https://example.org/t\n---\n")

    result = split("[T](https://example.org/t/) - ours\n", read_content(tmp_path / "docs"))

    assert result.files == {}
    assert [part.why for part in result.unplaced] == ["already in the library as 2020-t"]


def test_a_label_that_is_itself_a_link_leads_itself():
    source = "<https://intranet/list>: [One](https://one.example/x) - ours\n"
    result = split(source)

    text = result.files["docs/library/list.md"]
    assert "url: https://intranet/list\n" in text
    assert "[One](https://one.example/x) - ours" in text
    assert not result.unplaced
    assert_nothing_is_lost(source, result)


@pytest.mark.parametrize(
    ("first", "second", "entries"),
    [
        ("[A](https://youtu.be/abc)", "[B](https://www.youtube.com/watch?v=abc&t=9s)", 1),
        ("[A](https://youtu.be/abc?t=1)", "[B](https://youtu.be/abc?t=2)", 2),  # one stream
        ("[A](https://doi.org/10.1000/X)", "[B](https://dl.acm.org/doi/10.1000/x)", 1),
        ("[A](https://x.org/a/)", "[B](http://www.x.org/a#b)", 1),
        ("[A](https://x.org/?id=1)", "[B](https://x.org/?id=2)", 2),
    ],
)
def test_one_thing_named_twice_is_one_entry(first, second, entries):
    source = f"{first} - one\n\n{second} - two\n"
    result = split(source)

    assert len(result.files) == entries
    assert_nothing_is_lost(source, result)
    assert not result.unplaced


@pytest.mark.parametrize(
    ("heading", "date"),
    [
        ("# 2024-03-05 meeting", "2024-03-05"),
        ("## Meeting 5 March 2024", "2024-03-05"),
        ("March 5, 2024\n===", "2024-03-05"),
        ("### Tue, 5th of Mar. 2024", "2024-03-05"),
        ("# 5.3.2024 #", "2024-03-05"),
    ],
)
def test_a_dated_heading_opens_a_meeting(heading, date):
    result = split(f"{heading}\n\nWords.\n\n# Later\n\n[Title](https://example.org)\n")

    assert list(result.files) == ["docs/library/title.md", f"docs/meetings/{date}.md"]
    assert_nothing_is_lost(f"{heading}\n\nWords.\n", split(f"{heading}\n\nWords.\n"))


@pytest.mark.parametrize("heading", ["# 2024-02-30", "# 03/05/2024", "# Meeting"])
def test_a_heading_without_a_certain_date_opens_none(heading):
    assert split(f"{heading}\n\nWords.\n").files == {}


@pytest.mark.parametrize(
    ("link", "kind"),
    [
        ("[A](https://openreview.net/forum?id=abcdef)", "paper"),
        ("[A](https://aclanthology.org/2020.acl-main.1/)", "paper"),
        ("[A](https://example.org/a.PDF)", "paper"),
        ("[A](https://vimeo.com/1)", "talk"),
        ("![video](v.png) [A](https://example.org/a)", "talk"),
        ("![cover](c.png) [A](https://example.org/a)", "article"),
        ("[A](https://github.com/a/b)", "tool"),
        ("[A](https://notgithub.com/a)", "article"),
    ],
)
def test_the_host_or_the_logo_says_what_kind_it_is(link, kind):
    (text,) = split(link).files.values()

    assert f"\nkind: {kind}" in text


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("**2024-03-05**", "2024-03-05"),
        ("__Meeting, 5 March 2024__:", "2024-03-05"),
        ("*5 March 2024 - kickoff*", "2024-03-05"),
        ("Tuesday, March 5, 2024", "2024-03-05"),
        ("- 2024-03-05", "2024-03-05"),
    ],
)
def test_a_date_on_a_line_of_its_own_opens_a_meeting_too(line, date):
    source = f"[Title](https://example.org) - ours\n\n{line}\n\n    - What we said\n\n# Later\n"

    result = split(source)

    assert list(result.files) == ["docs/library/title.md", f"docs/meetings/{date}.md"]
    assert "What we said" in result.files[f"docs/meetings/{date}.md"]
    assert_nothing_is_lost(source, result)


@pytest.mark.parametrize(
    "line",
    [
        "We met on 2024-03-05.",
        "**important:** see 2024-03-05",
        "- on 2024-03-05 we read it",
        "**2024-02-30**",
        "> 2024-03-05",
    ],
)
def test_a_date_within_a_sentence_opens_none(line):
    assert split(f"{line}\n\nWords.\n").files == {}


def test_a_header_that_cannot_be_read_is_part_of_the_note():
    note = "author: the group\n---\n- [Toy](https://toy.example/toy) - good\n"
    sound, twice = (f"---\n{more}{note}" for more in ("", "author: nobody\n"))

    found = [split(source) for source in (sound, twice)]

    for source, result in zip((sound, twice), found, strict=True):
        assert_nothing_is_lost(source, result)
    whys = [(part.line, part.why) for result in found for part in result.unplaced]
    assert whys == [
        (1, "the header of the note"),
        (2, "a heading that names no topic; there are circuits"),
    ]


@pytest.mark.parametrize(
    ("heading", "named"),
    [
        ("Circuits", True),
        ("Circuit", True),
        ("More circuitss", True),
        ("Circiuts", True),
        ("Cirkuits", True),
        ("Circus", False),
        ("Citruses", False),
    ],
)
def test_a_heading_names_a_topic_up_to_one_slip(heading, named):
    topics = {"circuits": "Circuits", "ioi": "Indirect objects"}

    assert match_topics(heading, topics) == (["circuits"] if named else [])


def test_a_log_of_dated_bullets_is_a_meeting_each():
    source = "- 2024-01-05\n  - read it\n    - twice\n- 2024-01-12\n  - nothing\n- no date\n"

    result = split(source)

    assert {path: text.split('notes"\n\n')[1] for path, text in result.files.items()} == {
        "docs/meetings/2024-01-05.md": "    - read it\n        - twice\n",
        "docs/meetings/2024-01-12.md": "    - nothing\n",
    }
    assert [part.text for part in result.unplaced] == ["- no date"]
    assert_nothing_is_lost(source, result)


def test_lists_nest_as_our_reader_of_markdown_nests():
    source = (
        "# 2024-03-05\n\n1. one\n   1. two\n      > said\n\n      more\n   2. two\n"
        "2. one  \n   broken\n"
        "- - a\n  - b\n"
    )

    text = split(source).files["docs/meetings/2024-03-05.md"]

    assert text.split('notes"\n\n')[1] == (
        "    1. one\n        1. two\n            > said\n\n            more\n        2. two\n"
        "    2. one  \n        broken\n    - - a\n        - b\n"
    )


def test_html_stays_whole_in_one_file():
    source = (
        "[Title](https://example.org) - ours\n\n<details><summary>More</summary>\n\n"
        "[Inside](https://inside.example)\n\n</details>\n\n<a href=https://bare.example>Bare</a>\n"
    )

    result = split(source)

    assert list(result.files) == [f"docs/library/{name}.md" for name in ("title", "inside", "bare")]
    assert (
        "[Inside](https://inside.example)\n\n    </details>"
        in result.files["docs/library/title.md"]
    )
    assert_nothing_is_lost(source, result)


def test_a_sentence_with_a_link_stays_whole():
    source = "[Toy](https://t.example)\n\nIt builds on [Older\nWork](https://o.example), I think.\n"

    files = split(source).files

    assert (
        "    It builds on [Older\n    Work](https://o.example), I think.\n"
        in files["docs/library/toy.md"]
    )
    assert "title: Older Work\n" in files["docs/library/older-work.md"]


def project(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "topics").mkdir(parents=True)
    (folder / "topics" / "circuits.md").write_text("---\ntitle: Circuits\nsummary: x\n---\n")
    return folder


def test_all_files_are_written_and_read_back(tmp_path):
    folder = project(tmp_path)

    result = import_note(SPECIMEN, folder)

    written = {p.relative_to(tmp_path).as_posix(): p.read_text() for p in folder.glob("[lm]*/*.md")}
    assert written == result.files
    # The only problems are the fields that the note does not give, each with its file.
    problems = {(p.path, p.message) for p in read_content(folder).problems}
    assert problems == {(gap.path, f"no field {gap.name!r}; add it") for gap in result.gaps}


def test_a_dry_run_writes_nothing(tmp_path):
    folder = project(tmp_path)

    result = import_note(SPECIMEN, folder, dry_run=True)

    assert result.files
    assert [path.name for path in folder.iterdir()] == ["topics"]


def test_a_file_that_exists_stops_the_whole_import(tmp_path):
    folder = project(tmp_path)
    (folder / "meetings").mkdir()
    (folder / "meetings" / "2024-03-05.md").write_text("theirs")

    with pytest.raises(NotWritten, match=r"2024-03-05\.md exists already; nothing was written"):
        import_note(SPECIMEN, folder)

    assert not (folder / "library").exists()
    assert (folder / "meetings" / "2024-03-05.md").read_text() == "theirs"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "is not UTF-8"),
        (b"one\ntwo\x00", r"notes\.md:2: a control character \(U\+0000\); remove it"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, content, message):
    path = tmp_path / "notes.md"
    path.write_bytes(content)

    with pytest.raises(NotWritten, match=message):
        import_note(path, project(tmp_path))


def test_words_before_a_link_on_a_line_of_its_own_are_not_the_entrys():
    source = (
        "# Notes\n\n## Papers\n\nSome words first.\n[One](https://example.org/one). Ada, 2022.\n"
    )
    result = split(source)
    assert_nothing_is_lost(source, result)
    said = {part.text: part.to for part in result.parts}
    assert said["Some words first."] == ""
    assert said["[One](https://example.org/one). Ada, 2022."].startswith("docs/library/one.md:")


def test_who_made_it_may_be_said_where_it_is_named_again():
    link = "- [One](https://example.org/one)"
    [file] = split(f"# Notes\n\n## Papers\n\n{link}\n{link} **Ada Example**\n").files.values()
    assert "authors: [Ada Example]" in file


def test_an_underlined_heading_of_several_lines_that_holds_a_link_is_kept():
    source = "[Title](https://example.org) one\ntwo\n===\n"

    assert_nothing_is_lost(source, split(source))


# Any note ----------------------------------------------------------------------------------------

WORD = st.text(string.ascii_letters + "äßéИ字" + string.digits, min_size=1, max_size=7)
URL = st.builds(
    "https://{}/{}".format,
    st.sampled_from(["arxiv.org", "youtu.be", "a.example", "github.com", "openreview.net"]),
    st.sampled_from(["abs/2211.00593", "abs/2301.00001", "x", "2020/y_(z)", "?id=abcdef&amp;b=1"]),
)
LINK = st.one_of(
    st.builds("[{} {}]({})".format, WORD, WORD, URL),
    st.builds('[**{}** `{}`]({} "{}")'.format, WORD, WORD, URL, WORD),
    st.builds("![YouTube {}](yt.png)\n[{}]({})".format, WORD, WORD, URL),
    st.builds("[{}][{}]".format, WORD, st.sampled_from(["one", "TWO", "three"])),
    st.builds("[{}][]".format, st.sampled_from(["one", "two"])),
    st.builds('<a href="{}">{}</a>'.format, URL, WORD),
    st.builds("[![{}](l.png)]({})".format, WORD, URL),
    st.builds("<{}>".format, URL),
    URL,
)
TEXT = st.one_of(
    WORD,
    LINK,
    st.builds("**{} {}**".format, WORD, WORD),
    st.sampled_from(
        [" - ", "\n", ", ", ": ", ". ", " / ", "*", "`", "_", "[", "](", "<b>", "\\", ":("]
    ),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=8),
)
LINE = st.lists(TEXT, min_size=1, max_size=8).map(lambda parts: " ".join(parts))
DAY = st.sampled_from(["2024-03-05 meeting", "Meeting 5 March 2024", "March 6, 2024", "2024-13-01"])
BLOCK = st.one_of(
    LINE,
    st.builds("{} {}".format, st.sampled_from(["#", "##", "###", "######"]), DAY | LINE | WORD),
    st.builds("{}\n{}".format, WORD | DAY | LINE, st.sampled_from(["===", "---"])),
    st.builds("{} circuits {}".format, st.just("##"), WORD),
    st.builds("{}{} {}".format, st.sampled_from(["", "  ", "    "]), st.sampled_from("-+*"), LINE),
    st.builds("  1. {}\n     - {}\n\n     {}".format, LINE, LINE, LINE),
    st.builds("> {}\n{}".format, LINE, LINE),
    st.builds("{}\n{}\n{}".format, st.just("```"), LINE, st.sampled_from(["```", ""])),
    st.builds("[{}]: {} '{}'".format, st.sampled_from(["one", "two", "one"]), URL, WORD),
    st.builds("| {} | b |\n| --- | --- |\n| {} | d |".format, WORD, LINK),
    st.builds("**{}**".format, DAY),
    st.builds("- {}\n  - {}\n    - {}".format, DAY, LINE, LINE),
    st.sampled_from(["---", "", "<div>\n", "</div>\n", "2024-03-07", "---\na: b\n---"]),
)
NOTE = st.builds(
    lambda blocks, between, end: between.join(blocks).replace("\n", end),
    st.lists(BLOCK, max_size=12),
    st.sampled_from(["\n", "\n\n"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)


@settings(max_examples=400, deadline=None)
@given(NOTE)
def test_no_word_of_any_note_is_lost(source):
    result = split(source)

    assert_nothing_is_lost(source, result)
    assert result == split(source)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_is_split_or_refused(source):
    try:
        result = split(source)
    except NotWritten as refusal:
        assert "control character" in str(refusal)
    else:
        assert_nothing_is_lost(source, result)
