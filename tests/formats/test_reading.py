"""Each system's own semantics, on files in the style that it writes."""

import io
import time
import zipfile
from pathlib import Path

import pytest

from api import formats
from api.formats import gift, qti12, readout
from api.formats.model import EVERY_NUMBER, Accepted, Band, Blank, Choice, Pair

SPECIMENS = Path(__file__).parent / "specimens"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def specimen(name: str) -> formats.Imported:
    return formats.read(name, (SPECIMENS / name).read_bytes())


def by_name(imported: formats.Imported) -> dict[str, formats.Item]:
    return {item.name or item.stem: item for item in imported.items}


def said(imported: formats.Imported) -> list[str]:
    return [str(loss) for loss in imported.losses]


@pytest.mark.parametrize(
    ("name", "format_", "number"),
    [
        ("moodle.gift", "gift", 11),
        ("moodle.xml", "moodle", 9),
        ("canvas.xml", "qti12", 6),
        ("quizdown.md", "quizdown", 3),
        ("mkdocs-quiz.md", "mkdocs-quiz", 3),
    ],
)
def test_a_file_is_recognised_and_goes_there_and_back(name, format_, number):
    imported = specimen(name)

    assert (imported.format, len(imported.items)) == (format_, number)
    written = readout.write(imported.bank, "q")
    text = written.files["q.md"]
    ours = formats.read("q.md", text)
    assert ours.format == "readout"
    assert readout.write(ours.bank, "q").files["q.md"] == text
    if format_ in formats.WRITERS:
        path, data = next(iter(formats.write(imported.bank, format_).files.items()))
        assert formats.read(path, data).items == imported.items


# GIFT


def one(source: str) -> formats.Item:
    (item,) = gift.read("q.gift", source.encode()).items
    return item


@pytest.mark.parametrize(
    ("source", "kind", "fractions"),
    [
        ("Q{~a =b}", "single", [0, 1]),
        ("Q{~%50%a ~%50%b ~%-100%c}", "multiple", [0.5, 0.5, -1]),
        ("Q{~%33.33333%a ~%33.33333%b ~%33.33333%c ~d}", "multiple", [1 / 3] * 3 + [0]),
        ("Q{=a ~%50%half ~none}", "single", [1, 0.5, 0]),
        ("Make coffee?{~order -> drink =powder -> water}", "single", [0, 1]),
        ("Q{T}", "truefalse", [1, 0]),
        ("Q{FALSE#wrong#right}", "truefalse", [0, 1]),
    ],
)
def test_gift_choices(source, kind, fractions):
    item = one(source)

    assert item.kind == kind
    assert [choice.fraction for choice in item.choices] == pytest.approx(fractions, abs=1e-6)


def test_the_first_remark_of_a_true_or_false_is_for_the_wrong_answer():
    yes, no = one("Q{FALSE#said true#said false}").choices
    assert (yes.feedback, no.feedback) == ("said true", "said false")


@pytest.mark.parametrize(
    ("answers", "bands"),
    [
        ("#3", [Band(3, 3, 3)]),
        ("#3:2~#Wrong", [Band(1, 5, 3), EVERY_NUMBER._replace(feedback="Wrong")]),
        ("#3.141..3.142", [Band(3.141, 3.142, 3.1415)]),
        ("#-5..5", [Band(-5, 5, 0)]),
        ("#-3.142..-3.141", [Band(-3.142, -3.141, -3.1415)]),
        (
            "#=1822:0#Right =%50%1822:2#Near",
            [
                Band(1822, 1822, 1822, feedback="Right"),
                Band(1820, 1824, 1822, fraction=0.5, feedback="Near"),
            ],
        ),
    ],
)
def test_gift_numbers(answers, bands):
    assert list(one(f"Q{{{answers}}}").bands) == bands


def test_what_follows_the_answers_leaves_a_blank():
    assert one('What is a number? {#3:2~#No}";').stem == 'What is a number? _____";'
    assert one("Grant is {~buried =entombed} in a tomb.").stem == "Grant is _____ in a tomb."


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        (r"a \: b \~ c \= d \# e \{ f \}{}", "a : b ~ c = d # e { f }"),
        (r"lone \ and double \\\\ ones{}", r"lone \\ and double \\\\ ones"),
        (r"one\ntwo{}", "one  \ntwo"),
        (r"[html]<p>a <b>b</b> $ 1 \\neq 0 $</p>{}", r"a **b** $ 1 \\neq 0 $"),
        ("[markdown]a **b**{}", "a **b**"),
        ("stars * and __init__{}", r"stars \* and \_\_init\_\_"),
        ("[no format] here{}", "[no format] here"),
    ],
)
def test_gift_texts(source, stem):
    assert one(source).stem == stem


def test_gift_comments_name_and_tag():
    item = one("// [id:a\\]b] [tag:one] [tag:two words]\n// nothing\n::A\\:B::Essay?{}")
    assert (item.id, item.tags, item.name) == ("a]b", ("one", "two words"), "A:B")


def test_gift_accepts_texts_in_part_and_by_pattern():
    assert specimen("moodle.gift").items[7].accepted == (
        Accepted("stream", 1.0, "Yes"),
        Accepted("strem", 0.75, "Misspelled."),
        Accepted("str*m", 0.5, "", pattern=True),
        Accepted("a literal * star"),
    )


# Moodle XML


def test_moodle_keeps_what_it_says():
    imported = specimen("moodle.xml")
    found = by_name(imported)

    linear = found["Which steps are linear?"]
    assert linear.kind == "multiple"
    assert linear.id == "linear & more"
    assert linear.stem == r"Which steps are **linear** in \(x_1\)?![a block](block%20one.png)"
    assert linear.choices == (
        Choice("The unembedding", 0.5),
        Choice("W_V", 0.5, "Yes, given the pattern."),
        Choice("Softmax", -0.5),
    )
    assert linear.hints == ("Which one has an exponential?", "Count to two.")
    assert linear.tags == ("linear", "circuits")
    assert linear.points == 2.0
    assert list(imported.bank.files) == ["block%20one.png"]
    assert found["Order"].choices == (Choice("embed"), Choice("attend"), Choice("unembed"))
    assert found["Who reads what"].pairs == (
        Pair("query", "destination"),
        Pair("key", "source"),
        Pair("", "gradient"),
    )
    words = ("random", "corrupted")
    assert found["Gaps"].blanks == (
        Blank("1", (Accepted("clean"),), ("clean", *words)),
        Blank("2", (Accepted("corrupted"),), ("corrupted", "clean", "random")),
    )
    assert said(imported) == [
        f"moodle.xml:{line}"
        for line in (
            "4: $course$/top/Default for Circuits: "
            "description of a category dropped: no place for it",
            "15: linear & more: text changed: <script>: left out with what it holds",
            "15: linear & more: hint options dropped: a hint is only a text",
            "214: Order: gradingtype dropped: 'RELATIVE_NEXT_EXCLUDE_LAST' has no place",
            "258: Essay: graderinfo dropped: 'Look for doubt.' has no place",
            "280: Cloze: question dropped: a question of type 'cloze' has no counterpart",
            "289: Calculated: question dropped: "
            "a question of type 'calculatedmulti' has no counterpart",
        )
    ]


def test_the_first_band_of_moodle_that_fits_becomes_our_key():
    width = by_name(specimen("moodle.xml"))["Width"]
    assert [(band.low, band.high, band.fraction) for band in width.bands[:2]] == [
        (768, 768, 1),
        (735.5, 800.5, 0.25),
    ]
    assert width.unit == "dimensions"

    text, losses = readout.to_markdown(formats.Bank(items=(width,)))

    (ours,) = readout.read("q.md", text.encode()).items
    assert ours.bands == (Band(768, 768, 768),)
    assert "band dropped: 735.5 to 800.5 (25%): one band of numbers is right" in "\n".join(
        map(str, losses)
    )


# QTI 1.2


def canvas_zip(*, twice: bool = False) -> bytes:
    xml = (SPECIMENS / "canvas.xml").read_text()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("imsmanifest.xml", "<manifest/>")
        archive.writestr("g0c1f3b/assessment_meta.xml", "<quiz/>")
        archive.writestr("web_resources/Quiz Files/block.png", PNG)
        if twice:  # the common cartridge's poorer copy, without question types
            poor = xml.replace("question_type", "cc_profile").replace(
                "multiple_choice_question", "cc.multiple_choice.v0p1"
            )
            archive.writestr("g0c1f3b/assessment_qti.xml", poor)
            archive.writestr("non_cc_assessments/g0c1f3b.xml.qti", xml)
        else:
            archive.writestr("g0c1f3b/g0c1f3b.xml", xml)
    return buffer.getvalue()


@pytest.mark.parametrize("twice", [False, True])
def test_canvas_package(twice):
    imported = formats.read("quiz.zip", canvas_zip(twice=twice))
    single, several, number, short, match, menus = imported.items

    assert imported.bank.title == "Reading stream"
    assert imported.bank.files == {"block.png": PNG}
    assert single.stem == "What is \\(W_E\\)?\n\n![a block](block.png)"
    assert single.choices == (
        Choice("2 * 3 < 7", 0.0, "No.", "11"),
        Choice("The *embedding*", 1.0, "", "22"),
    )
    assert (single.why, single.when_right, single.points) == ("See section 2.", "Good.", 2.0)
    assert (several.kind, [c.fraction for c in several.choices]) == ("multiple", [0.5, -0.5, 0.5])
    assert number.bands == (
        Band(160, 240, 200, relative=0.2),
        Band(999.995, 1000.005, 1000, low_open=True),
        Band(1, 22, 11.5),
    )
    assert short.accepted == (Accepted("stream"), Accepted("Stream"))
    assert match.pairs == (
        Pair("query", "destination"),
        Pair("key", "source"),
        Pair("", "gradient"),
    )
    assert menus.stem == "Patch [[from]] into [[to]]."
    assert menus.blanks == (
        Blank("from", (Accepted("clean"),), ("clean", "random")),
        Blank("to", (Accepted("corrupted"),), ("clean", "corrupted")),
    )
    assert [loss.why for loss in imported.losses] == [
        "file_upload_question has no counterpart",
        "1 to be drawn from bank bank1",
    ]


@pytest.mark.parametrize("declaration", ['version="1.0"encoding="UTF-8"', "version = '1.0'"])
def test_items_without_metadata_and_a_crooked_declaration(declaration):
    source = (SPECIMENS / "canvas.xml").read_text()
    source = source.replace('version="1.0" encoding="UTF-8"', declaration)
    bare = source.replace("question_type", "unknown_label")

    imported = qti12.read("bare.xml", bare.encode())

    kinds = [item.kind for item in imported.items]
    assert kinds == ["single", "multiple", "number", "text", "match", "blanks", "description"]


# Markdown of others


def test_quizdown_types_come_from_the_list():
    imported = specimen("quizdown.md")
    single, multiple, order = imported.items

    assert (single.kind, multiple.kind, order.kind) == ("single", "multiple", "order")
    assert single.hints == ("Look at the *second* layer.",)
    assert single.stem == "Which head copies?\n\nOnly one of them does."
    assert single.choices[0] == Choice("An induction head", 1.0, "Yes.")
    assert [c.fraction for c in multiple.choices] == [1.0, -1.0]
    assert [c.text for c in order.choices] == ["Embed", "Attend", "Unembed"]
    assert [(loss.line, loss.what) for loss in imported.losses] == [
        (1, "shuffleQuestions"),
        (1, "nQuestions"),
        (24, "shuffleAnswers"),
    ]


def test_a_quizdown_multiple_with_one_right_answer_stays_multiple():
    bank = specimen("quizdown.md").bank
    ours = readout.read("q.md", readout.to_markdown(bank)[0].encode())
    assert [item.kind for item in ours.items] == ["single", "multiple", "order"]


def test_mkdocs_quiz_counts_the_boxes_and_leaves_examples_alone():
    single, multiple, gaps = specimen("mkdocs-quiz.md").items

    assert single.stem == "What does this print?\n```python\nprint(2**3)\n```"
    assert single.choices == (
        Choice("6", 0.0, "That is a product.\nOr nearly."),
        Choice("`8`", 1.0),
        Choice("9"),
    )
    assert single.why == "Two to the *third*."
    assert [choice.fraction for choice in multiple.choices] == [0.5, -0.5, 0.5]
    assert [blank.accepted[0].text for blank in gaps.blanks] == ["destination", "source"]
    assert gaps.why == "As in the framework paper."


# What cannot be read


@pytest.mark.parametrize(
    ("path", "data", "complaint"),
    [
        (
            "a.gift",
            b"ok{T}\n\nno end {=a\n\n::b:: c{T}",
            "a.gift:3: an opening brace that is never",
        ),
        ("a.gift", b"::x:: a } b", "a.gift:1: a brace without its partner"),
        ("a.gift", b"\n::x:: a {#five}", "a.gift:2: 'five' is not a number"),
        ("a.gift", b"::x:: a {=b->c}", "a.gift:1: one pair is nothing to match"),
        ("a.gift", b"::x:: \xff{T}", "a.gift:1: not UTF-8"),
        ("a.xml", b"<quiz>\n<question>\n</quiz>", "a.xml:3: not well-formed XML: mismatched tag"),
        (
            "a.xml",
            b'<quiz>\n<question type="numerical"><answer fraction="x"><text>1</text></answer>'
            b"</question></quiz>",
            "a.xml:2: a fraction of 'x'",
        ),
        ("a.md", b"<quiz>\nQ\n- [ ] a\n</quiz>", "a.md:1: no right answer"),
        ("a.md", b"# x\n\n<quiz>\nQ\n- [x] a\n", "a.md:3: <quiz> without </quiz>"),
        ("a.md", b"# Q\n\n1. [x] a\n1. [x] b\n", "a.md:1: 2 right answers in a single choice"),
        ("a.bin", b"\x00\x01", "a.bin:1: looks like no format that can be read; known are moodle"),
        ("a.zip", b"PK\x03\x04broken", "a.zip:1: no sound zip archive"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(path, data, complaint):
    with pytest.raises(formats.Unreadable) as refused:
        formats.read(path, data)

    assert str(refused.value).startswith(complaint)


def test_several_hundred_questions_take_seconds():
    bank = specimen("moodle.xml").bank
    many = tuple(i.but(id=f"q{n}-{k}") for n in range(60) for k, i in enumerate(bank.items))
    data = formats.write(formats.Bank(items=many, files=bank.files), "moodle").files["quiz.xml"]

    begun = time.perf_counter()
    imported = formats.read("many.xml", data)
    readout.to_markdown(imported.bank)

    assert len(imported.items) == 540
    assert time.perf_counter() - begun < 10


# QTI 2.1


def test_qti_21_carries_bands_gaps_and_weights():
    items = (
        *specimen("canvas.xml").items,
        *(i for i in specimen("moodle.gift").items if i.kind == "multiple"),
    )
    bank = formats.Bank(items=tuple(item.but(category="", tags=()) for item in items))

    exported = formats.write(bank, "qti21")
    imported = formats.read("quiz.zip", exported.files["quiz.zip"])

    assert imported.format == "qti21"
    kept = {item.label: item for item in imported.items}
    assert kept["g-number"].bands == items[2].bands
    assert kept["g-match"].pairs == items[4].pairs
    assert kept["g-menus"].blanks[1] == Blank(
        "to", (Accepted("corrupted"),), ("clean", "corrupted")
    )
    assert [c.fraction for c in imported.items[-1].choices] == [0.3333333] * 3 + [-1]
    assert imported.losses == ()


def test_code_in_an_explanation_does_not_end_the_fields():
    item = formats.Item(kind="text", stem="Q", accepted=(Accepted("a"),), why="See:\n\n```\nx\n```")

    text, _ = readout.to_markdown(formats.Bank(items=(item,)))

    assert readout.read("q.md", text.encode()).items[0].why == item.why
