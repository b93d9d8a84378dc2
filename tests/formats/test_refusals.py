"""What cannot be read is refused with its line and what would be right; nothing is guessed."""

import io
import warnings
import zipfile

import pytest

from api import formats
from tests.formats.test_packages import package

QTI21 = 'xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1"'


def refused(path: str, data: bytes, format_: str | None = None) -> str:
    with pytest.raises(formats.Unreadable) as refusal:
        formats.read(path, data, format_)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("Q {=a", "a.gift:1: an opening brace that is never closed"),
        ("Q {=a}\n\nR\ufdd0 {T}", "a.gift:3: an invisible control character (U+FDD0)"),
        ("Q {~a}", "a.gift:1: one answer is no choice; offer two or more"),
        ("Q {=}", "a.gift:1: no answer between the braces"),
        ("Q {=a -> b =c}", "a.gift:1: 'c' has no partner; write left -> right"),
        ("Q {#}", "a.gift:1: no number between the braces"),
        ("// a remark and no question", "a.gift:1: no question in it, read as gift"),
    ],
)
def test_gift_that_has_no_sense(source: str, complaint: str):
    assert refused("a.gift", source.encode()).startswith(complaint)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("<?quiz?>\nQ\n<?/quiz?>\n<quiz>\nQ\n- [x] a\n</quiz>", "a.md:1: <?quiz?> is of version 0"),
        ("<quiz>\nQ\n</quiz>", "a.md:1: a quiz without answers"),
        ("<quiz>\n- [x] a\n</quiz>", "a.md:1: a quiz without a question before its answers"),
        ("<quiz>\nQ\n- [x] a\n- [ ] b\n\n> late\n- [ ] c\n</quiz>", "a.md:1: feedback that does"),
        ("<quiz>\nQ\n\n---\nIt is [[a]].\n</quiz>", "a.md:1: a gap after the rule `---`"),
    ],
)
def test_an_mkdocs_quiz_that_would_not_build(source: str, complaint: str):
    assert refused("a.md", source.encode(), "mkdocs-quiz").startswith(complaint)


def test_a_quizdown_question_without_answers():
    complaint = "a.md:3: 'And?' has no answers; write a list of them"
    assert refused("a.md", b"# Q\n- [x] a\n# And?\ntext\n", "quizdown") == complaint


def moodle(kind: str, inside: str) -> bytes:
    return f'<quiz>\n<question type="{kind}">{inside}</question></quiz>'.encode()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"<exam/>", "a.xml:1: <exam> where Moodle has <quiz>"),
        (
            moodle("essay", '<questiontext><file name="x.png">?</file></questiontext>'),
            "a.xml:2: the file 'x.png' is no sound base64",
        ),
        (
            moodle("truefalse", "<answer><text>maybe</text></answer>"),
            "a.xml:2: 'maybe' is neither true nor false",
        ),
        (
            moodle("gapselect", "<questiontext><text>a [[2]]</text></questiontext>"),
            "a.xml:2: a gap [[2]] for which there is no word",
        ),
        (moodle("essay", "<defaultgrade>much</defaultgrade>"), "a.xml:2: 'much' is not a number"),
        (
            moodle("numerical", '<answer fraction="nan"><text>1</text></answer>'),
            "a.xml:2: a fraction of 'nan'",
        ),
    ],
)
def test_moodle_xml_with_an_impossible_value(data: bytes, complaint: str):
    assert refused("a.xml", data, "moodle").startswith(complaint)


@pytest.mark.parametrize(
    ("format_", "data", "complaint"),
    [
        ("qti12", b"<exam/>", "a:1: <exam> where QTI 1.2 has <questestinterop>"),
        ("qti12", package({"a.txt": ""}), "a:1: no <questestinterop> in the archive"),
        ("qti21", b"<exam/>", "a:1: <exam> where QTI 2.1 has <assessmentItem>"),
        ("qti21", package({"a.txt": ""}), "a:1: no <assessmentItem> in the archive"),
        ("docx", b"", "a:1: no format 'docx' can be read; known are moodle, qti12"),
    ],
)
def test_a_file_of_another_format_than_was_said(format_: str, data: bytes, complaint: str):
    assert refused("a", data, format_).startswith(complaint)


def test_a_format_that_is_not_written_is_refused():
    with pytest.raises(ValueError, match="no format 'docx' can be written; choose from gift, "):
        formats.write(formats.Bank(items=()), "docx")


def test_more_questions_than_a_group_can_have_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(formats, "MAX_ITEMS", 2)

    assert len(formats.read("a.gift", b"A{T}\n\nB{T}").items) == 2
    assert refused("a.gift", b"A{T}\n\nB{T}\n\nC{T}") == "a.gift:1: 3 questions; 2 is the most"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("---\ntitle: [\n---\n\nAn intro.\n", "a.md:3: "),
        ("---\ntitle: Q\ncolour: red\n---\n\n## Q\n", "a.md:3: "),
        ("---\ntitle: Q\nkind: self-check\n---\n\n## Q?\n\n- (a) one\n- (b) two\n", "a.md:6: "),
    ],
)
def test_a_quiz_of_ours_is_refused_at_the_line_that_the_checker_names(source, complaint):
    assert refused("a.md", source.encode(), "readout").startswith(complaint)


@pytest.mark.parametrize(
    ("declaration", "complaint"),
    [
        ('<?xml version="1.0" encoding="klingon"?>', "not well-formed XML: unknown encoding"),
        ('<?xml version="1.0" encoding="shift_jis"?>', "not well-formed XML: multi-byte encodings"),
    ],
)
def test_xml_in_an_encoding_that_is_not_read(declaration: str, complaint: str):
    assert complaint in refused("a.xml", f"{declaration}\n<quiz/>".encode(), "moodle")


def test_xml_larger_than_any_quiz(monkeypatch: pytest.MonkeyPatch):
    many = b"<quiz>" + b"<question/>" * 9 + b"</quiz>"
    monkeypatch.setattr("api.formats.xml.MAX_ELEMENTS", 9)
    assert "more than 9 elements; split the file" in refused("a.xml", many)

    # In an archive, a file can be larger than the archive itself may be.
    monkeypatch.setattr("api.formats.xml.MAX_FILE_BYTES", 50)
    packed = package({"a.xml": "<questestinterop>" + " " * 50 + "</questestinterop>"})
    assert "larger than 0 MB; split the file" in refused("a.zip", packed)


def test_a_parameter_entity_brings_nothing():
    data = b'<!DOCTYPE quiz [ %other; ]><quiz><question type="essay"/></quiz>'
    assert formats.read("a.xml", data).items[0].stem == ""


def test_an_archive_that_cannot_be_unpacked_is_refused():
    packed = package({"a.xml": "<questestinterop/>"})
    flags = packed.rindex(b"PK\x01\x02") + 8
    locked = packed[:flags] + b"\x01" + packed[flags + 1 :]

    assert "is encrypted" in refused("a.zip", locked)
    assert "save it as a plain zip" in refused("a.zip", locked)


def test_an_archive_that_lies_about_a_size_is_refused():
    packed = package({"a.xml": "<questestinterop>    </questestinterop>"})
    size = packed.rindex(b"PK\x01\x02") + 24
    smaller = packed[:size] + (20).to_bytes(4, "little") + packed[size + 4 :]

    assert "no sound zip archive" in refused("a.zip", smaller)


def test_an_archive_that_holds_a_name_twice_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's own doubt
        archive.writestr("a.xml", "<questestinterop/>")
        archive.writestr("a.xml", "<questestinterop/>")

    assert "holds 'a.xml' twice" in refused("a.zip", buffer.getvalue())
