"""`readout check`: one specimen of each mistake, and the whole list of complaints."""

import gc
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import markdown
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown.extensions import toc

from api.check import check, github
from api.content import read_content
from api.markup import Malformed, Problem, read_text
from api.scan import scan, slugify, unique

HERE = Path(__file__).parent
SPECIMENS = HERE / "specimens"


def complaints(root: Path) -> list[str]:
    return [str(problem) for problem in check(read_content(root / "docs", root / "executed"))]


def test_every_mistake_is_told_where_what_and_what_would_be_right():
    expected = (SPECIMENS / "complaints.txt").read_text("utf-8").splitlines()

    assert complaints(SPECIMENS) == expected


def test_sound_content_has_no_complaints():
    root = HERE / "content"

    assert [line for line in complaints(root) if "2022-wang-ioi" in line] == []


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_endings_and_a_byte_order_mark_change_no_complaint(tmp_path, mark):
    shutil.copytree(SPECIMENS, tmp_path / "copy")
    for path in (tmp_path / "copy" / "docs").rglob("*.md"):
        path.write_bytes(mark + path.read_bytes().replace(b"\n", b"\r\n"))

    assert complaints(tmp_path / "copy") == complaints(SPECIMENS)


# Hostile files -----------------------------------------------------------------------------------

HEADER = """---
title: A title
authors: [Ada Example]
kind: tool
year: 2022
url: https://example.org/tool
topics: [ioi]
---
"""


@pytest.fixture
def project(tmp_path):
    """An almost empty project in which everything is right."""
    for folder in ("library", "meetings", "quizzes", "topics"):
        (tmp_path / "docs" / folder).mkdir(parents=True)
    topic = "---\ntitle: Indirect objects\nsummary: Made up.\n---\n"
    (tmp_path / "docs" / "topics" / "ioi.md").write_text(topic)
    assert complaints(tmp_path) == []
    return tmp_path


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"---\ntitle: caf\xe9\n---\n", "2: not UTF-8; save the file as UTF-8"),
        (b"\xff\xfe-\x00", "1: not UTF-8; save the file as UTF-8"),
        (b"", "1: no header; begin the file with `---`, the fields, and `---`"),
        (b"x" * 600_000, "1: larger than 512 KB; split it into several files"),
        (
            b"---\na: " + b"[" * 400_000 + b"\n---\n",
            "2: fields of 400,004 characters; 20,000 is the most",
        ),
        (b"---\na: " + b"[" * 15_000 + b"]" * 100 + b"\n---\n", None),
        (b"---\n" + b"- " * 9_000 + b"\n---\n", None),
        (b"---\n" + b"? " * 9_000 + b"\n---\n", None),
        (b"---\na: &a [*a]\n---\n", "2: an alias (`*name`); write the value out"),
        (b"---\n? [a, b]\n: c\n---\n", "2: a field name that is not a word"),
        (b"---\n<<: {a: b}\n!!python/object:os.system x: y\n---\n", None),
        (b"---\nyear: " + b"9" * 10_000 + b"\n---\n", None),
    ],
)
def test_a_hostile_file_is_refused_with_a_sentence(project, data, complaint):
    (project / "docs" / "library" / "hostile.md").write_bytes(data)

    found = complaints(project)

    assert found
    assert all(re.fullmatch(r"docs/library/hostile\.md:\d+: [^\n]{1,400}", line) for line in found)
    if complaint:
        assert f"docs/library/hostile.md:{complaint}" in found


def test_what_nobody_can_see_is_told(project):
    header = HEADER.replace("A title", '"One\\ntitle \u202edesrever"')
    (project / "docs" / "library" / "hostile.md").write_text(f"{header}\nzero\0\n\ttab\nno\u2066\n")

    assert complaints(project) == [
        "docs/library/hostile.md:2: a line break within the value; write it on one line",
        "docs/library/hostile.md:2: an invisible control character (U+202E); remove it",
        "docs/library/hostile.md:10: an invisible control character (U+0000); remove it",
        "docs/library/hostile.md:12: an invisible control character (U+2066); remove it",
    ]


def test_a_symbolic_link_is_refused_and_not_followed(project, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere")
    (secret / "secret.md").write_text("---\nsecret: word\n---\n")
    (project / "docs" / "library" / "linked.md").symlink_to(secret / "secret.md")
    (project / "docs" / "library" / "dead.md").symlink_to("nowhere")
    (project / "docs" / "linked-folder").symlink_to(secret)

    assert complaints(project) == [
        "docs/library/dead.md:1: a symbolic link; put the file itself here",
        "docs/library/linked.md:1: a symbolic link; put the file itself here",
        "docs/linked-folder:1: a symbolic link; put the file itself here",
    ]


def test_a_linked_folder_of_content_is_not_read(project, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "2022-a.md").write_text(HEADER)
    (project / "docs" / "library").rmdir()
    (project / "docs" / "library").symlink_to(elsewhere)

    assert complaints(project) == ["docs/library:1: a symbolic link; put the file itself here"]
    assert read_content(project / "docs").library == {}


def test_what_cannot_be_opened_is_refused_with_its_reason(tmp_path):
    with pytest.raises(Malformed, match=r"cannot be read \(Is a directory\); mend its rights"):
        read_text(tmp_path)


def test_without_the_quick_reader_of_yaml_deep_nesting_is_refused_too(project, monkeypatch):
    monkeypatch.setattr("api.markup._LOADER", yaml.SafeLoader)
    (project / "docs/library/hostile.md").write_text(f"---\na:\n  {'- ' * 5000}x\n---\n")

    assert complaints(project) == [
        "docs/library/hostile.md:2: not valid YAML; write `field: value` lines"
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"metadata": 3}', '{"metadata": {"readout": 1}}'])
def test_a_spoilt_notebook_is_refused(project, text):
    (project / "executed").mkdir()
    (project / "executed" / "00_sample.ipynb").write_text(text)

    assert complaints(project) == [
        "executed/00_sample.ipynb:1: not an executed notebook; write it anew with `make demos`"
    ]


def test_a_file_name_of_any_bytes_is_shown_on_one_line(project):
    (project / "docs" / "library" / "a\nb::c.md").write_text(HEADER)
    Path(os.fsdecode(os.fsencode(project / "docs" / "library") + b"/\xff.md")).write_text(
        HEADER.replace("/tool", "/other")
    )

    found = check(read_content(project / "docs"))

    assert len(found) == 2
    assert all(str(problem).isprintable() for problem in found)


def test_an_annotation_keeps_to_its_line():
    problem = Problem("docs/a,b:c.md", 3, "50 % wrong\n::error::no")

    assert github(problem) == ("::error file=docs/a%2Cb%3Ac.md,line=3::50 %25 wrong%0A::error::no")


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ("url: http://example.org/A/", "url: https://www.EXAMPLE.org/A?utm_source=x", "address"),
        ("url: https://example.org:443/A#b", "url: https://example.org/A", "address"),
        ("url: https://example.org/a/index.html", "url: https://example.org/a", "address"),
        ("url: https://example.org/A#b", "url: https://example.org/A#c", None),
        ("url: https://example.org/A", "url: https://example.org/a", None),
        ("url: https://example.org/?p=1", "url: https://example.org/?p=2", None),
        (
            "url: https://arxiv.org/abs/2211.00593",
            "url: https://export.arxiv.org/pdf/2211.00593v2.pdf",
            "arXiv number",
        ),
        ('arxiv: "2211.00593"', "url: https://alphaxiv.org/abs/2211.00593v1", "arXiv number"),
        ('arxiv: "2211.00593"', "doi: 10.48550/arXiv.2211.00593", "arXiv number"),
        ("arxiv: math.GT/0309136", "url: https://arxiv.org/abs/math/0309136", "arXiv number"),
        ("doi: 10.1162/TACL_a", "url: https://dx.doi.org/10.1162/tacl_a", "DOI"),
        (
            "openreview: gEZrGCozdqR",
            "url: https://openreview.net/pdf?id=gEZrGCozdqR",
            "OpenReview id",
        ),
        ("url: https://youtu.be/abc", "url: https://www.youtube.com/watch?v=abc&t=9s", "video"),
        ("url: https://youtu.be/abc?t=1", "url: https://www.youtube.com/watch?v=abc&t=9s", None),
    ],
)
def test_a_work_that_stands_twice_is_found_under_any_address(project, first, second, what):
    for name, field in (("a", first), ("b", second)):
        header = HEADER.replace("/tool", f"/{name}")
        if field.startswith("url:"):
            header = re.sub("url: .*", "", header)
        text = header.replace("\n---\n", f"\n{field}\n---\n")
        (project / "docs" / "library" / f"{name}.md").write_text(text)

    found = complaints(project)

    assert [line.partition(": ")[2] for line in found] == (
        [f"the same {what} as docs/library/a.md:8; keep one entry a work"] if what else []
    )


@pytest.mark.parametrize(
    ("field", "sound", "wrong", "advice"),
    [
        ("arxiv", "2211.00593", "2211.00593v3", "2211.00593"),
        ("arxiv", "1411.5018", "1411.05018", 'its number, as "2211.00593"'),
        ("arxiv", "cs/0112017", "2213.00593", 'its number, as "2211.00593"'),
        ("arxiv", "math.GT/0309136", "2211.0059", 'its number, as "2211.00593"'),
        ("doi", "10.1162/tacl_a_00321", "https://doi.org/10.1162/tacl_a_00321", None),
        ("doi", "10.1000/182", "10.1/x", "10.NNNN/..."),
        ("openreview", "gEZrGCozdqR", "https://openreview.net/forum?id=gEZrGCozdqR", None),
        ("added", "2024-02-29", "2023-02-29", None),
        ("url", "https://exämple.org/ä", "https://example..org/", None),
        ("url", "https://1.2.3.4/x", "https://localhost/x", None),
    ],
)
def test_an_identifier_has_its_form(project, field, sound, wrong, advice):
    def told(value: str) -> list[str]:
        header = re.sub(f"\n{field}: .*", "", HEADER)
        text = header.replace("\n---\n", f"\n{field}: {value}\n---\n")
        (project / "docs" / "library" / "a.md").write_text(text)
        return complaints(project)

    assert told(sound) == []
    [line] = told(wrong)
    assert line.startswith(f"docs/library/a.md:{7 if field == 'url' else 8}: {field}: ")
    assert advice is None or advice in line


BOMBS = {
    "fences": "```a\n" * 60_000,
    "shorter fences": "".join("`" * n + "\n" for n in range(800, 3, -1)),
    "backticks": "` `` " * 80_000,
    "growing backticks": " ".join("`" * n for n in range(900)),
    "brackets": "[" * 400_000,
    "images": "![" * 200_000,
    "links": "](" * 200_000,
    "nested links": "](()" * 100_000,
    "one long link": "](" + "()" * 200_000,
    "mathematics": "\\(" * 200_000,
    "comments": "<!--" * 100_000,
    "tags": "<a href='" * 50_000,
    "braces": "{#" * 200_000,
    "hashes in braces": "{" + " #a" * 130_000,
    "facts": "{fact:" * 60_000,
    "addresses": "a@" * 200_000 + "@a." * 20_000,
    "labels": "a@" + "b." * 200_000,
    "headings": "# a\n" * 100_000,
    "indented headings": "    # a\n" * 60_000,
    "underlined": "a\n=\n\n" * 60_000,
    "hash line": "#" * 400_000,
    "emphasis": "# " + "_a" * 200_000,
    "spaces": " " * 400_000 + "x",
    "definitions": "[a]: b\n" * 50_000,
    "list": "- " * 200_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_text_of_half_a_megabyte_takes_long(project, name):
    (project / "docs" / "library" / "bomb.md").write_text(HEADER + BOMBS[name])

    gc.disable()  # as the command does; what other tests have left would be looked through as well
    try:
        started = time.process_time()
        complaints(project)
        took = time.process_time() - started
    finally:
        gc.enable()

    assert took < 4


# Anchors -----------------------------------------------------------------------------------------


@given(st.text(max_size=40))
def test_a_slug_is_the_one_that_the_site_makes(text):
    assert slugify(text) == toc.slugify(text, "-")


@given(st.lists(st.sampled_from(["a", "a_1", "a_2", "", "b_9"]), max_size=8))
def test_a_second_id_is_the_one_that_the_site_makes(names):
    ours: set[str] = set()
    theirs: set[str] = set()
    for name in names:
        ours.add(unique(name, ours))
        toc.unique(name, theirs)

    assert ours == theirs


PAGE = """
## Plain words

## Plain words

## `code_span` and *emphasis*, _more_ of resid_pre

## A [link](x.md) here, "quoted" & <b>bold</b>

## Named {#by-hand}

### Named with more {: .wide #by-hand-too }

Underlined
----------

# Closed #

## Résumé: 12,288 – 1

!!! note "Inside"

    #### In a note

- item

        ## code in an item

    ## not a heading of code

    code

```md
## in a fence
```

    # in code

<a id="raw"></a> and a paragraph
{: #paragraph }
"""


def test_the_anchors_of_a_page_are_those_of_the_site():
    extensions = ["toc", "attr_list", "admonition", "pymdownx.superfences", "md_in_html"]
    html = markdown.markdown(PAGE, extensions=extensions)

    assert scan(PAGE).anchors == set(re.findall(r'\sid="([^"]+)"', html))


# Speed -------------------------------------------------------------------------------------------


def test_2000_entries_and_300_meetings_are_checked_in_four_seconds(project):
    docs = project / "docs"
    prose = "A [link](2022-0.md#try-it) and `code`, " + "then a sentence of some eight words. " * 12
    names = ("What it claims", "How they know", "What to doubt", "Try it", "To discuss")
    body = "\n".join(f"\n## {name}\n\n{prose}\n\n{prose}\n" for name in names)
    for index in range(2000):
        header = HEADER.replace("/tool", f"/{index}")
        (docs / "library" / f"2022-{index}.md").write_text(f"{header}\nAn entry.\n{body}")
    for index in range(300):
        date = f"{2000 + index // 28}-01-{index % 28 + 1:02}"
        text = f"---\ndate: {date}\nreadings: [2022-{index}]\n---\n\n## Notes\n\nNothing.\n"
        (docs / "meetings" / f"{date}.md").write_text(text)
    program = (
        "from pathlib import Path; from api.check import check; from api.content import "
        "read_content; print(check(read_content(Path('docs'), Path('executed'))))"
    )

    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project,
        env=os.environ | {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""},  # as it is
        capture_output=True,
        text=True,
        check=True,
    )
    after = os.times()

    assert done.stdout == "[]\n"
    # The processor's time: this machine may be busy with something else.
    used = after.children_user + after.children_system
    assert used - before.children_user - before.children_system < 4
