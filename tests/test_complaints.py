"""One mistake in a sound project: the complaint says where, what, and what would be right."""

import json
import os
from pathlib import Path

import pytest

from api.check import check
from api.content import read_content
from api.note_files import DAMAGED, TWICE

ENTRY = """---
title: {title}
authors: [Ada Example]
kind: tool
year: 2020
url: {url}
topics: [ioi]
---

{body}
"""
QUIZ = """---
title: Q
kind: self-check
---

## Why? {{#why}}

{options}

```yaml
{fields}
anchor: ../topics/ioi.md#ioi
why: So.
source: Nowhere
```
"""
TWO = "- [x] (a) one\n- [ ] (b) two"
NONE = "- [ ] (a) one\n- [ ] (b) two"


def entry(body: str = "", title: str = "T", url: str = "https://example.org/x") -> str:
    return ENTRY.format(body=body, title=title, url=url)


def quiz(fields: str, options: str = "") -> str:
    return QUIZ.format(fields=fields, options=options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("library", "meetings", "quizzes", "topics"):
        (tmp_path / "docs" / folder).mkdir(parents=True)
    topic = "---\ntitle: Indirect objects\nsummary: Made up.\n---\n\n## Ioi\n"
    (tmp_path / "docs" / "topics" / "ioi.md").write_text(topic)
    assert complaints(tmp_path) == []
    return tmp_path


def complaints(root: Path) -> list[str]:
    return [str(problem) for problem in check(read_content(root / "docs", root / "executed"))]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (entry("[x](ioi.md)"), "10: no page 'ioi.md'; did you mean ../topics/ioi.md?"),
        (entry("## \n\nx"), "10: a heading without words; write some, or remove the line"),
        (entry(url='"http://["'), "6: url: 'http://[' is not a web address; write https://..."),
        (
            entry(url="https://ada:pw@example.org"),
            "6: url: a name or password in an address; take it out",
        ),
        (
            entry(title="[a]"),
            "2: title: ['a'] is not one text; put it in quotes, without brackets",
        ),
        (entry(title="''"), "2: title: empty; write something"),
        (entry(title="x" * 1_000), "2: title: longer than 500 characters; shorten it"),
        (
            entry(title="*x"),
            "2: not valid YAML: `*` begins an alias; put the value in quotes",
        ),
        (
            "---\ntitle: x\n  year: 2020\n---\n",
            "3: not valid YAML: the field stands where none can; "
            "write `field: value`, not indented",
        ),
        (
            entry(title='"a" b'),
            "2: not valid YAML: text after a closing quotation mark; "
            'write the value as "..." or without quotes',
        ),
        (entry('[x](<../topics/ioi.md>) [y](../topics/ioi.md "t")\n[z](a\n\nb)'), None),
        (entry("[x](../topics/ioi.md#ioi)"), None),
        (entry("    ## four spaces make code"), None),
    ],
)
def test_an_entry(root: Path, text: str, complaint: str | None):
    (root / "docs" / "library" / "one.md").write_text(text)
    assert complaints(root) == ([f"docs/library/one.md:{complaint}"] if complaint else [])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            quiz('type: text\nkey: "!!"\naccept: ["?"]'),
            [
                "12: nothing is left of the key without its punctuation; write a word",
                "13: nothing is left of '?' without its punctuation; remove it",
            ],
        ),
        (quiz("type: number\nkey: 3\ntolerance: {digits: 2}"), []),
        (
            quiz("type: single\nkey: {sign: f}", NONE),
            ["13: key: a sign needs both options, as {sign: FACT, above: a, below: b}"],
        ),
        (
            quiz('type: "single', TWO),
            ["12: not valid YAML: a quotation mark is opened and not closed; close it"],
        ),
        (
            quiz("type: single\nline: 3", TWO),
            [
                "13: unknown field 'line'; choose from accept, anchor, changed, hint, key, "
                "revision, source, tolerance, type, unit, vote, why"
            ],
        ),
        (
            quiz("type: multiple\nkey: {largest: {a: f, b: g}}", NONE),
            [
                "6: no right option; mark at least one [x]",
                "13: a multiple question cannot have a computed key; ask a single choice",
                "13: no notebook records a fact 'f'; run the notebooks with `make demos`",
            ],
        ),
        (
            quiz("type: order\nkey: {sign: f, above: a, below: b}", "1. (a) one\n2. (b) two"),
            [
                "13: a sign is no order; write largest or smallest",
                "13: no notebook records a fact 'f'; run the notebooks with `make demos`",
            ],
        ),
        (quiz("type: text"), ["11: a text question needs its answer as `key`"]),
        (
            quiz("type: single", "- [x] (a) one"),
            ["6: one option is no choice; offer two or more"],
        ),
        (
            quiz("type: single", "- [x] (a) one\n- [ ] (b) one"),
            ["6: two options with the same text; make them differ"],
        ),
        (
            quiz("type: number\nkey: 3\ntolerance: {absolute: wide}"),
            ["13: tolerance.absolute: 'wide' is not a number; write it as 0.5"],
        ),
        (
            quiz("type: single\nvote: [x]", TWO),
            ["13: vote: Input should be a valid boolean; given: ['x']"],
        ),
        (
            quiz("type: single", TWO).replace("kind:", "meeting: 2026-03-12\nkind:"),
            [
                "3: a self-check belongs to no meeting; take `meeting` out",
                "3: no meeting is named '2026-03-12'; there is none yet",
            ],
        ),
    ],
)
def test_a_question(root: Path, text: str, found: list[str]):
    (root / "docs" / "quizzes" / "one.md").write_text(text)
    assert complaints(root) == [f"docs/quizzes/one.md:{complaint}" for complaint in found]


def test_a_name_of_a_file_has_its_end(root: Path):
    path = f"docs/library/{'a' * 81}.md"
    (root / path).write_text(entry())
    assert complaints(root) == [f"{path}:1: the file name is longer than 80 characters; shorten it"]


def test_what_is_no_text_is_told_once(root: Path):
    (root / "demos").mkdir()
    for path in ("docs/glossary.md", "demos/00_a.py"):
        (root / path).write_bytes(b"\xff")
    assert complaints(root) == [
        "demos/00_a.py:1: not UTF-8; save the file as UTF-8",
        "docs/glossary.md:1: not UTF-8; save the file as UTF-8",
    ]


def test_a_link_into_a_page_whose_end_is_code_is_not_judged(root: Path):
    (root / "docs" / "library" / "one.md").write_text(entry("[x](two.md#y)"))
    text = entry("```\nopen", title="U", url="https://example.org/y")
    (root / "docs" / "library" / "two.md").write_text(text)
    assert complaints(root) == [
        "docs/library/two.md:10: code is opened and never closed; end it with the same ```"
    ]


def test_the_list_of_the_library_has_a_place_for_each_topic(root: Path):
    (root / "docs" / "library" / "index.md").write_text("---\ntitle: Library\n---\n")
    (root / "docs" / "library" / "one.md").write_text(entry("[x](index.md#ioi) [y](index.md#no)"))
    assert complaints(root) == [
        "docs/library/one.md:10: 'index.md' has no anchor 'no'; choose from ioi"
    ]


def test_what_is_neither_file_nor_folder_is_no_page(root: Path):
    os.mkfifo(root / "docs" / "library" / "pipe.md")
    assert complaints(root) == []


def notebook(root: Path, name: str, cell: dict | None = None) -> None:
    """An executed notebook with one fact."""
    executed = Path(__file__).parent / "content" / "executed" / "00_example.ipynb"
    made = json.loads(executed.read_text())
    made["cells"] += [cell] if cell else []
    text = json.dumps(made)
    (root / "executed").mkdir(exist_ok=True)
    (root / "executed" / f"{name}.ipynb").write_text(text)


def test_a_fact_belongs_to_one_notebook(root: Path):
    notebook(root, "00_first")
    notebook(root, "01_second")
    found = [line for line in complaints(root) if "is recorded by" in line]
    assert found
    assert all(
        line.startswith("executed/01_second.ipynb:1: fact '")
        and line.endswith("is recorded by 00_first too; rename one")
        for line in found
    )


@pytest.mark.parametrize(
    ("html", "what"),
    [
        ("<b title='", "a tag or a comment without its end"),
        ("<?php x ?>", "a declaration"),
        ("<script>x</script>", "<script>"),
    ],
)
def test_an_output_that_does_more_than_show_is_told(root: Path, html: str, what: str):
    cell = {"cell_type": "code", "source": "", "metadata": {}, "execution_count": 1}
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}}
    notebook(root, "00_a", {**cell, "outputs": [output]})
    (complaint,) = complaints(root)
    assert complaint.startswith("executed/00_a.ipynb:1: ")
    assert f"holds {what}; execute the notebook again with `make demos`" in complaint


def test_a_fact_that_is_a_key_stands_in_no_text(root: Path):
    fact = {"value": 1, "sealed": True}
    made = {"cells": [], "metadata": {"readout": {"facts": {"shut": fact}}}}
    (root / "executed").mkdir()
    (root / "executed" / "00_a.ipynb").write_text(json.dumps(made))
    (root / "docs" / "library" / "one.md").write_text(entry("{fact:shut}"))
    assert complaints(root) == [
        "docs/library/one.md:10: fact 'shut' is the key of a question; leave it out"
    ]


def test_the_notes_in_a_meeting(root: Path):
    one, two, three = (f"{n * 8}-0000-4000-8000-000000000000" for n in "123")
    block = f"<!-- note {one} version 1 -->\n\nA note.\n\n<!-- end of note {one} -->\n\n"
    begun = f"<!-- note {two} version 1 -->\nno end\n\n"
    ended = f"<!-- end of note {three} -->\n"
    header = "---\ndate: 2026-03-12\n---\n\n## Published notes\n\n"
    (root / "docs" / "meetings" / "2026-03-12.md").write_text(
        header + block + block + begun + ended
    )
    assert complaints(root) == [
        f"docs/meetings/2026-03-12.md:{line}: note {note}: {text}"
        for line, note, text in [(13, one, TWICE), (19, two, DAMAGED), (22, three, DAMAGED)]
    ]


def test_a_note_stands_under_one_meeting(root: Path):
    one = f"{'1' * 8}-0000-4000-8000-000000000000"
    block = f"<!-- note {one} version 1 -->\n\nA note.\n\n<!-- end of note {one} -->\n"
    for day in ("12", "19"):
        text = f"---\ndate: 2026-03-{day}\n---\n\n## Published notes\n\n{block}"
        (root / "docs" / "meetings" / f"2026-03-{day}.md").write_text(text)
    [complaint] = complaints(root)
    assert complaint == (
        f"docs/meetings/2026-03-19.md:7: note {one}: it stands in docs/meetings/2026-03-12.md too; "
        "keep it under the meeting that it is about"
    )
