"""Files that mean harm: they are refused with a reason, or what they bring does nothing."""

import contextlib
import io
import time
import zipfile

import pytest

from api import formats
from api.formats import readout
from api.formats.model import MAX_FILE_BYTES
from api.formats.text import from_html, from_markdown
from api.render import render

BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE quiz [
<!ENTITY a "ha">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
]>
<quiz><question type="essay"><name><text>&b;</text></name></question></quiz>"""
STEAL = b"""<?xml version="1.0"?>
<!DOCTYPE quiz [<!ENTITY s SYSTEM "file:///etc/passwd">]>
<quiz><question type="essay"><name><text>&s;</text></name></question></quiz>"""


def refused(path: str, data: bytes) -> str:
    with pytest.raises(formats.Unreadable) as error:
        formats.read(path, data)
    return str(error.value)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (BOMB, "x.xml:3: declares the entity 'a'"),
        (STEAL, "x.xml:2: declares the entity 's'"),
        (b"<quiz>" + b"<question>" * 200, "x.xml:1: elements nested more than 100 deep"),
        (b"<quiz>&evil;<question/></quiz>", "x.xml:1: an unknown entity &evil;"),
    ],
)
def test_hostile_xml_is_refused_at_its_line(data, complaint):
    assert refused("x.xml", data).startswith(complaint)


def test_a_doctype_without_entities_is_common_and_harmless():
    data = b'<!DOCTYPE quiz SYSTEM "http://127.0.0.1:9/x.dtd"><quiz><question type="essay">'
    data += b"<questiontext><text>a&nbsp;b</text></questiontext></question></quiz>"
    assert formats.read("x.xml", data).items[0].stem == "a b"


def archive(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files:
            opened.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (archive(("../../evil.xml", b"<questestinterop/>")), "points out of the archive"),
        (archive(("/etc/evil.xml", b"<questestinterop/>")), "points out of the archive"),
        (archive(("a\\..\\b.xml", b"<questestinterop/>")), "points out of the archive"),
        (archive(("a.xml", b" " * 50_000_000)), "unpacks to 200 times its size"),
        (archive(*[(f"{n}.xml", b" " * 9_000_000) for n in range(12)]), "more than 100 MB"),
        (archive(*[(f"{n}", b"") for n in range(5001)]), "5,001 files in one archive"),
        (archive(("a.txt", b"hello")), "an archive without QTI files"),
    ],
)
def test_hostile_archives_are_refused(data, complaint):
    assert complaint in refused("x.zip", data)


def test_a_link_in_an_archive_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        link = zipfile.ZipInfo("a.xml")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
    assert "points out of the archive" in refused("x.zip", buffer.getvalue())


def test_a_file_larger_than_the_limit_is_refused():
    assert "larger than 20 MB" in refused("x.gift", b"a" * (MAX_FILE_BYTES + 1))


EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<svg onload=alert(1)>",
    "<iframe src='https://example.org'></iframe>",
    "<style>*{display:none}</style>",
    "<p style='position:fixed'>x</p>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
]


@pytest.mark.parametrize("evil", EVIL)
def test_html_does_nothing_and_is_reported(evil):
    markdown, remarks = from_html(f"<p>before</p>{evil}<p>after</p>")

    assert remarks
    shown = render(markdown)
    assert "before" in shown
    for sign in (
        "<script",
        "<svg",
        "<iframe",
        "<style",
        "<img",
        "javascript:",
        "onerror",
        "style=",
    ):
        assert sign not in shown
        assert sign not in markdown


@pytest.mark.parametrize("evil", EVIL)
def test_html_in_markdown_becomes_text(evil):
    markdown, remarks = from_markdown(f"before {evil} after `{evil}`")

    assert remarks == {"raw HTML: shown as text"}
    assert "\\<" in markdown
    item = formats.Item(kind="essay", stem="Q", why=markdown)
    assert "<script" not in render(item.why)


def test_a_picture_that_is_none_stays_out():
    xml = (
        '<quiz><question type="essay"><questiontext format="html"><text>a</text>'
        '<file name="x.png" encoding="base64">PHN2Zz48L3N2Zz4=</file></questiontext>'
        "</question></quiz>"
    )
    imported = formats.read("x.xml", xml.encode())

    assert imported.bank.files == {}
    assert [loss.what for loss in imported.losses] == ["file x.png"]


def test_a_name_of_a_picture_cannot_leave_its_folder():
    xml = (
        '<quiz><question type="essay"><questiontext format="html"><text>a</text>'
        '<file name="../../x.png" path="/../" encoding="base64">iVBORw0KGgoAAAANSUhEUgAA</file>'
        "</questiontext></question></quiz>"
    )
    bank = formats.read("x.xml", xml.encode()).bank

    assert list(bank.files) == ["x.png"]
    assert set(readout.write(bank, "q").files) == {"q.md", "x.png"}


TRAPS = ["[" * 60_000, "<" * 60_000, "\\(" * 30_000, "![" * 30_000, "> " * 30_000, "`" * 60_000]
TRAPS += [
    "*a " * 20_000,
    "<div>" * 12_000,
    "src=" + " " * 60_000,
    "\n" * 60_000,
    "<quiz>\n" * 9_000,
]
TRAPS += ["```quizdown\n" * 5_000, "# a\n" * 15_000, "{#" * 30_000, "```yaml\n" * 7_000]


@pytest.mark.parametrize("trap", TRAPS, ids=[trap[:12] for trap in TRAPS])
def test_a_text_made_to_be_slow_is_not(trap):
    """None may take more than seconds, or end in anything but questions or a refusal."""
    begun = time.perf_counter()
    for path, text in (
        ("x.md", trap),
        ("x.gift", f"::a:: {trap.replace('{', '')} {{=a ~b}}"),
        (
            "x.xml",
            f"<quiz><question type='essay'><questiontext><text><![CDATA[{trap}]]></text>"
            "</questiontext></question></quiz>",
        ),
    ):
        with contextlib.suppress(formats.Unreadable):
            readout.to_markdown(formats.read(path, text.encode()).bank)
    assert time.perf_counter() - begun < 15
