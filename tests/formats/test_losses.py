"""What a file says that a question of the common model, or the other format, has no place for."""

import base64

import pytest

from api import formats
from api.formats import readout
from api.formats.model import (
    EVERY_NUMBER,
    Accepted,
    Band,
    Bank,
    Blank,
    Choice,
    Item,
    Pair,
)
from tests.formats.test_packages import package

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
GIF = b"GIF89a" + bytes(16)
JPEG = b"\xff\xd8\xff" + bytes(16)


def said(found: formats.Imported | formats.Exported) -> list[str]:
    return [f"{loss.item}: {loss.what} {loss.kind}: {loss.why}" for loss in found.losses]


# Reading ------------------------------------------------------------------------------------------


def test_a_gift_file_that_is_only_remarks_here_and_there():
    imported = formats.read("q.txt", b"// by Ada\n\n::A:: Q {T}\n\n// the end\n")

    assert (imported.format, [item.name for item in imported.items]) == ("gift", ["A"])


def test_gift_reads_an_answer_in_the_format_that_it_names():
    (item,) = formats.read("q.gift", b"[markdown]*Q* {=[html]<b>a</b> ~[plain]*b*}").items
    assert [choice.text for choice in item.choices] == ["**a**", r"\*b\*"]


def test_any_other_number_may_be_worth_something_in_gift():
    (item,) = formats.read("q.gift", b"Q {#=3:1 =%25%*#Close your eyes.}").items
    assert item.bands == (
        Band(2, 4, 3),
        EVERY_NUMBER._replace(fraction=0.25, feedback="Close your eyes."),
    )


def moodle(*questions: str) -> formats.Imported:
    return formats.read("q.xml", f"<quiz>{''.join(questions)}</quiz>".encode(), "moodle")


def picture(name: str, content: bytes) -> str:
    return f'<file name="{name}" encoding="base64">{base64.b64encode(content).decode()}</file>'


def test_moodle_pictures_are_known_by_their_first_bytes():
    files = "".join(
        (
            picture("a.gif", GIF),
            picture("a.jpg", JPEG),
            picture("a.jpg", JPEG + b"another"),
            picture("a.webp", b"RIFF\0\0\0\0WEBP"),
        )
    )
    imported = moodle(
        f'<question type="essay"><questiontext>{files}<text>Q</text></questiontext>'
        "<image_base64>AAAA</image_base64></question>",
        "<answer/>",
    )

    assert list(imported.bank.files) == ["a.gif", "a.jpg", "a.webp"]
    assert imported.bank.files["a.jpg"] == JPEG
    assert said(imported) == [
        "Q: file a.jpg dropped: another file has this name",
        "Q: picture dropped: an <image> of Moodle before 2.0",
        "<answer>: element dropped: not Moodle's",
    ]


def test_moodle_has_several_units_and_gaps_that_stand_twice():
    unit = "<unit><multiplier>1</multiplier><unit_name>{}</unit_name></unit>"
    imported = moodle(
        '<question type="numerical"><questiontext><text>N</text></questiontext>'
        '<answer fraction="100"><text>3</text></answer>'
        f"<units>{unit.format('m')}{unit.format('cm')}</units></question>",
        '<question type="gapselect"><questiontext><text>[[1]] and [[1]]</text></questiontext>'
        "<selectoption><text>a</text><group>1</group></selectoption>"
        "<selectoption><text>b</text><group>1</group></selectoption></question>",
    )

    number, gaps = imported.items
    assert number.unit == "m"
    assert (gaps.stem, gaps.blanks) == (
        "[[1]] and [[1]]",
        (Blank("1", (Accepted("a"),), ("a", "b")),),
    )
    assert said(imported) == [
        "N: units dropped: only 'm' is kept of 2",
        "[[1]] and [[1]]: a gap changed: stands twice and is asked once",
    ]


def test_quizdown_within_a_page_and_beside_other_text():
    page = (
        "# A page\n\n```quizdown\n# Q\n\n1. [x] a\n2. [ ] b\n```\n\n"
        "<div class='quizdown'>\nBefore it.\n\n# R\n\n- [x] a\n- [ ] b\n\n***\n</div>\n"
    )

    imported = formats.read("p.txt", page.encode())

    assert imported.format == "quizdown"
    assert [(item.stem, item.kind, item.line) for item in imported.items] == [
        ("Q", "single", 4),
        ("R", "multiple", 13),
    ]
    assert said(imported) == [
        "text before the first question: text dropped: it belongs to no question",
        "R: hr dropped: quizdown shows it nowhere",
    ]


def test_a_rule_in_quizdown_is_no_block_of_options():
    source = "# Q\n\n---\nnot an option\n---\n\n- [x] a\n- [ ] b\n"
    assert formats.read("q.qd", source.encode()).items[0].stem.startswith("Q")


# QTI 1.2


def field(label: str, entry: str) -> str:
    return (
        f"<qtimetadatafield><fieldlabel>{label}</fieldlabel><fieldentry>{entry}</fieldentry>"
        "</qtimetadatafield>"
    )


def material(text: str) -> str:
    return f"<material><mattext>{text}</mattext></material>"


def options(*names: str, ident: str = "r", cardinality: str = "Single", line: str = "") -> str:
    labels = "".join(f'<response_label ident="{n}">{material(n)}</response_label>' for n in names)
    return (
        f'<response_lid ident="{ident}" rcardinality="{cardinality}">{line and material(line)}'
        f"<render_choice>{labels}</render_choice></response_lid>"
    )


def equal(*values: str, ident: str = "r", worth: str = "1", more: str = "") -> str:
    tests = "".join(f'<varequal respident="{ident}">{value}</varequal>' for value in values)
    score = f'<setvar varname="SCORE">{worth}</setvar>' if worth else ""
    return f"<respcondition><conditionvar>{tests}</conditionvar>{score}{more}</respcondition>"


def qti12(
    presentation: str | None, conditions: str = "", more: str = "", **fields: str
) -> formats.Imported:
    fields.setdefault("question_type", "")
    made = "".join(field(*each) for each in fields.items() if each[1])
    shown = "" if presentation is None else f"<presentation>{presentation}</presentation>"
    source = (
        '<questestinterop><assessment title="T"><section ident="root_section">'
        f'<item ident="i" title="I"><itemmetadata><qtimetadata>{made}</qtimetadata></itemmetadata>'
        f"{shown}<resprocessing><outcomes><decvar/></outcomes>{conditions}</resprocessing>{more}"
        "</item></section></assessment></questestinterop>"
    )
    return formats.read("q.xml", source.encode(), "qti12")


@pytest.mark.parametrize(
    ("presentation", "conditions", "kind", "why"),
    [
        (None, "", "", "an item without a presentation"),
        (material("Q"), "", "multiple_choice_question", "a choice without options"),
        (material("Q"), "", "ordering_question", "nothing to order"),
        (options("a", "b"), "", "ordering_question", "an order without its key"),
        (
            options("a", "b"),
            equal("a", "a"),
            "ordering_question",
            "the key does not name each line to order once",
        ),
        (options("a", "b", line="L"), "", "matching_question", "nothing is right beside 'L'"),
        (options("a", "b"), equal("a", worth="x"), "multiple_choice_question", "a score of 'x'"),
        (material("Q"), equal("four"), "numerical_question", "'four' is not a number"),
        (material("Q"), "", "numerical_question", "a number question without a number"),
        (
            material("Q"),
            equal().replace("<conditionvar>", '<conditionvar><vargte respident="r">1</vargte>'),
            "numerical_question",
            "a number without both its limits",
        ),
        (options("a"), "", "multiple_dropdowns_question", "nothing is right in the gap [r]"),
        (
            '<response_str ident="r"><render_fib/></response_str>',
            "",
            "fill_in_multiple_blanks_question",
            "a gap without an answer",
        ),
    ],
)
def test_a_qti_item_without_sense_is_left_out_and_said(presentation, conditions, kind, why):
    imported = qti12(presentation, conditions, question_type=kind)

    assert imported.items == ()
    assert said(imported) == [f"i: question dropped: {why}"]


@pytest.mark.parametrize(
    ("presentation", "conditions", "kind"),
    [
        (options("a", "b", cardinality="Ordered"), equal("b", "a"), "order"),
        (options("True", "False"), equal("True"), "truefalse"),
        (
            '<response_str ident="a"><render_fib/></response_str>'
            '<response_str ident="b"><render_fib/></response_str>',
            equal("x", ident="a") + equal("y", ident="b"),
            "blanks",
        ),
        ('<response_lid ident="r"><render_hotspot/></response_lid>', "", None),
        (options("a", "b") + "<x><calculated/></x>", equal("a"), None),
    ],
)
def test_the_kind_of_a_qti_item_that_does_not_say_it(presentation, conditions, kind):
    imported = qti12(material("Q") + presentation, conditions)
    assert [item.kind for item in imported.items] == ([kind] if kind else [])


def test_a_qti_order_comes_with_labels_that_we_have_no_place_for():
    lines = options("a", "b", cardinality="Ordered")
    lines = lines.replace(
        "</response_lid>",
        f"<render_extension>{material('top')}{material('end')}</render_extension>"
        "<render_extension/></response_lid>",
    )
    imported = qti12(lines, equal("b", "a"), question_type="ordering_question")

    assert [choice.text for choice in imported.items[0].choices] == ["b", "a"]
    assert said(imported) == ["i: labels of the order dropped: top  end"]


def test_a_qti_true_or_false_says_so_in_any_order_or_is_a_choice():
    kind = "true_false_question"
    (item,) = qti12(options("false", "TRUE"), equal("false"), question_type=kind).items
    assert item.choices == (Choice("True", 0.0, "", "TRUE"), Choice("False", 1.0, "", "false"))

    (item,) = qti12(options("yes", "no"), equal("no"), question_type=kind).items
    assert (item.kind, [choice.fraction for choice in item.choices]) == ("single", [0.0, 1.0])


def test_a_qti_choice_whose_file_does_not_say_what_is_right():
    imported = qti12(options("a", "b"), question_type="multiple_choice_question")

    assert [choice.fraction for choice in imported.items[0].choices] == [0.0, 0.0]
    assert said(imported) == ["i: key changed: the file does not say what is right"]


def test_a_qti_multiple_choice_by_its_parts():
    several = options("a", "b", "c", cardinality="Multiple")
    kind = "multiple_answers_question"
    worth = equal("a", worth="3") + equal("b", worth="1")
    (item,) = qti12(several, worth, question_type=kind).items
    assert [choice.fraction for choice in item.choices] == [0.75, 0.25, 0.0]

    all_or_nothing = qti12(
        several, equal("a", "b"), question_type=kind, scoring_algorithm="AllOrNothing"
    )
    assert [choice.fraction for choice in all_or_nothing.items[0].choices] == [0.5, 0.5, -0.5]
    assert said(all_or_nothing) == [
        "i: points changed: "
        "all or nothing there; here each right choice counts, a wrong one takes back"
    ]


def test_qti_categories_with_several_members_become_pairs():
    lines = options("a", "b", "c", ident="x", cardinality="Multiple", line="Left")
    lines += options("a", "b", "c", ident="y", cardinality="Multiple", line="Right")
    worth = equal("a", ident="x") + equal("b", ident="x") + equal("c", ident="y")
    for kind in ("matching_question", "multiple_answers_question"):
        (item,) = qti12(lines, worth, question_type=kind).items
        assert item.pairs == (Pair("a", "Left"), Pair("b", "Left"), Pair("Right", "c"))


def test_a_qti_short_answer_in_part_and_without_any_answer():
    box = '<response_str ident="r"><render_fib/></response_str>'
    tests = (
        '<varsubstring respident="r">stre</varsubstring><varequal respident="r">sum</varequal>'
        '<varequal respident="other">no</varequal><not><varequal respident="r">not</varequal></not>'
        '<vargt respident="r">3</vargt>'
    )
    condition = equal().replace("<conditionvar>", f"<conditionvar>{tests}")
    kind = "short_answer_question"
    (item,) = qti12(box, condition + equal("wrong", worth="0"), question_type=kind).items
    assert item.accepted == (Accepted("*stre*", pattern=True), Accepted("sum"))

    imported = qti12(box, question_type=kind)
    assert imported.items[0].kind == "essay"
    assert said(imported) == ["i: kind changed: no answer is named, so a person has to read it"]


def feedback(ident: str, text: str) -> str:
    return f'<itemfeedback ident="{ident}"><flow_mat>{material(text)}</flow_mat></itemfeedback>'


def shows(ident: str) -> str:
    return f'<displayfeedback linkrefid="{ident}"/>'


def test_a_qti_number_by_digits_and_with_what_is_said_of_it():
    number = '<varsubset respident="r">?</varsubset>'
    number += '<varequal respident="r" precisiontype="significantDigits" precision="2">12'
    conditions = (
        equal(more="").replace("<conditionvar>", f"<conditionvar>{number}</varequal>")
        + equal("ten", "12", worth="", more=shows("own"))
        + equal("13", worth="", more=shows("of_13"))
        + "<respcondition><displayfeedback linkrefid='general_fb'/></respcondition>"
        + equal("14", worth="1", more='<setvar varname="OTHER">5</setvar>' + shows("of_14"))
    )
    said_of = (
        feedback("own", "A dozen.") + feedback("of_13", "One more.") + feedback("of_14", "Two.")
    )
    imported = qti12(
        '<response_num ident="r"><render_fib/></response_num>',
        conditions,
        said_of,
        question_type="numerical_question",
    )

    assert imported.items[0].bands == (
        Band(12, 12, 12, digits=2, feedback="A dozen."),
        Band(14, 14, 14, feedback="Two."),
    )
    assert said(imported) == ["i: feedback dropped: of_13: 'One more.'"]


def test_a_score_may_be_the_most_that_there_is():
    (item,) = qti12(options("a", "b"), equal("b", worth="SCORE.max")).items
    assert [choice.fraction for choice in item.choices] == [0.0, 1.0]


def test_qti_gaps_typed_and_by_a_pattern():
    labels = "".join(
        f'<response_label ident="{n}" scoring_algorithm="{how}">{material(n)}</response_label>'
        for n, how in (("clean", "TextRegex"), ("cleaned", ""))
    )
    gap = f'<response_lid ident="response_x"><render_choice>{labels}</render_choice></response_lid>'
    imported = qti12(
        material("Patch [x].") + gap,
        equal("clean", ident="response_x"),
        question_type="fill_in_multiple_blanks_question",
    )

    assert imported.items[0].stem == "Patch [[x]]."
    assert imported.items[0].blanks == (Blank("x", (Accepted("clean"), Accepted("cleaned"))),)
    assert said(imported) == ["i: gap [x] changed: a pattern there, a text here"]


def test_qti_texts_with_elements_media_and_points_that_are_none():
    question = (
        "<material><mattext><b>Which</b>?</mattext><matimage uri='a.png'/><mataudio/></material>"
    )
    imported = qti12(question, "", question_type="essay_question", points_possible="many")

    assert (imported.items[0].stem, imported.items[0].points) == ("**Which**?", None)
    assert said(imported) == [
        "i: matimage dropped: a.png is not carried over",
        "i: mataudio dropped: a file is not carried over",
    ]


def test_qti_pictures_from_elsewhere_and_what_is_no_picture():
    shown = "&lt;img src='https://example.org/a.png' alt='A'&gt;&lt;img src='b.svg' alt='B'&gt;"
    source = (
        "<questestinterop><item ident='i'><presentation><material>"
        f"<mattext texttype='text/html'>{shown}</mattext></material></presentation></item>"
        "</questestinterop>"
    )
    imported = formats.read("q.zip", package({"a.xml": source, "b.svg": "<svg/>"}))

    assert imported.items[0].stem == "![A](https://example.org/a.png)(B)"
    assert said(imported) == ["i: picture dropped: b.svg is no PNG, JPEG, GIF or WebP"]


def test_a_qti_package_with_several_quizzes_names_them_as_categories():
    quiz = (
        "<questestinterop>{}<item ident='{}'><presentation><material><mattext>Q</mattext>"
        "</material></presentation></item>{}</questestinterop>"
    )
    drawn = (
        "<section title='Main'><selection_ordering><selection><selection_number>2"
        "</selection_number></selection></selection_ordering>"
        "<selection_ordering/><bankentry_item item_ref='far'/></section><other/>"
    )
    imported = formats.read(
        "q.zip",
        package(
            {
                "a.xml": quiz.format("<assessment ident='x' title='One'>", "a", "</assessment>"),
                "b.xml": quiz.format("<assessment ident='x' title='One'>", "a", "</assessment>"),
                "c.xml": quiz.format("", "c", drawn),
            }
        ),
    )

    assert [(item.id, item.category) for item in imported.items] == [("a", "One"), ("c", "")]
    assert imported.bank.title == ""
    assert said(imported) == [
        "selection: random questions changed: 2 of the questions were to be drawn; all are kept",
        "far: question dropped: it stands in bank ?; export that too",
    ]


def test_a_field_of_a_qti_item_without_a_name_says_nothing():
    source = (
        "<questestinterop><item ident='i'><itemmetadata><qtimetadata><qtimetadatafield>"
        "<fieldentry>x</fieldentry></qtimetadatafield></qtimetadata></itemmetadata>"
        "<presentation><material><mattext>Q</mattext></material></presentation></item>"
        "</questestinterop>"
    )
    assert said(formats.read("q.xml", source.encode())) == []


# QTI 2.1


def qti21_item(body: str, declared: str = "", more: str = "") -> bytes:
    return (
        '<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="i">'
        f"{declared}{f'<itemBody>{body}</itemBody>' if body else ''}{more}</assessmentItem>"
    ).encode()


def declares(kind: str, *values: str) -> str:
    listed = "".join(f"<value>{value}</value>" for value in values)
    return (
        f'<responseDeclaration identifier="RESPONSE" {kind}><correctResponse>{listed}'
        "</correctResponse></responseDeclaration>"
    )


def interaction(tag: str, inside: str) -> str:
    return f'<{tag} responseIdentifier="RESPONSE">{inside}</{tag}>'


def simple(*names: str, tag: str = "simpleChoice") -> str:
    return "".join(f'<{tag} identifier="{name}">{name}</{tag}>' for name in names)


@pytest.mark.parametrize(
    ("body", "declared", "why"),
    [
        ("", "", "an item without a body"),
        ("<hotspotInteraction/>", "", "<hotspotInteraction> has no counterpart"),
        (
            interaction("choiceInteraction", simple("a")) * 2,
            "",
            "2 interactions in one item",
        ),
        (
            interaction("orderInteraction", simple("a", "b")),
            declares('cardinality="ordered"', "a"),
            "the key does not name each line to order once",
        ),
        (
            interaction("matchInteraction", ""),
            "",
            "matching without its two sets",
        ),
        (
            interaction(
                "matchInteraction",
                f"<simpleMatchSet>{simple('L', tag='simpleAssociableChoice')}</simpleMatchSet>" * 2,
            ),
            declares('cardinality="multiple"', "L R"),
            "the key names 'L R', which is not offered",
        ),
    ],
)
def test_a_qti_21_item_without_sense_is_left_out_and_said(body, declared, why):
    imported = formats.read("q.xml", qti21_item(body, declared))

    assert imported.format == "qti21"
    assert (imported.items, said(imported)) == ((), [f"i: question dropped: {why}"])


def test_a_qti_21_choice_of_several_shares_the_points():
    several = interaction("choiceInteraction", simple("a", "b", "c"))
    declared = declares('cardinality="multiple" baseType="identifier"', "a", "c")
    (item,) = formats.read("q.xml", qti21_item(several, declared)).items
    assert [choice.fraction for choice in item.choices] == [0.5, 0.0, 0.5]

    (item,) = formats.read("q.xml", qti21_item(several)).items
    assert (item.kind, [choice.fraction for choice in item.choices]) == ("single", [0.0] * 3)


def test_qti_21_true_or_false_an_essay_and_a_score_of_its_own():
    either = interaction("choiceInteraction", simple("True", "False"))
    (item,) = formats.read("q.xml", qti21_item(either)).items
    assert item.kind == "truefalse"

    (item,) = formats.read("q.xml", qti21_item(interaction("extendedTextInteraction", ""))).items
    assert item.kind == "essay"

    value = '<variable identifier="RESPONSE"/><baseValue baseType="float">4</baseValue>'
    other = '<setOutcomeValue identifier="TRIES"><baseValue>9</baseValue></setOutcomeValue>'
    assert number([f"<equal>{value}</equal>{other}"]).bands == (Band(4, 4, 4),)


def test_a_qti_21_item_that_asks_nothing_and_one_that_names_no_key():
    (item,) = formats.read("q.xml", qti21_item("<p>Read on.</p>")).items
    assert (item.kind, item.stem) == ("description", "Read on.")

    gap = '<p>Why? <textEntryInteraction responseIdentifier="OTHER"/></p>'
    (item,) = formats.read("q.xml", qti21_item(gap)).items
    assert (item.kind, item.stem, item.accepted) == ("text", "Why?", ())


def number(conditions: str, unit: str = "") -> Item:
    gap = f'<p>How much? <textEntryInteraction responseIdentifier="RESPONSE"/>{unit}</p>'
    parts = "".join(f"<responseIf>{condition}</responseIf>" for condition in conditions)
    processing = (
        f"<responseProcessing><responseCondition>{parts}</responseCondition></responseProcessing>"
    )
    declared = declares('cardinality="single" baseType="float"', "4")
    (item,) = formats.read("q.xml", qti21_item(gap, declared, processing)).items
    return item


def test_a_qti_21_number_by_each_way_of_comparing():
    value = '<variable identifier="RESPONSE"/><baseValue baseType="float">123.4</baseValue>'
    item = number(
        [
            f"<equal>{value}</equal>",
            f'<equalRounded roundingMode="significantFigures" figures="2">{value}</equalRounded>',
            f'<equalRounded roundingMode="decimalPlaces" figures="2">{value}</equalRounded>',
            '<equal toleranceMode="absolute"><variable identifier="RESPONSE"/></equal>',
            "<match/>",
        ],
        unit='<span class="unit">m</span>',
    )

    assert item.bands == (Band(123.4, 123.4, 123.4), Band(118.4, 128.4, 123.4, digits=2))
    assert (item.stem, item.unit) == ("How much?", "m")


def test_qti_21_pictures_from_the_package_from_elsewhere_and_from_nowhere():
    shown = '<p><img src="i/a.png" alt="A"/><img src="https://example.org/b.png" alt="B"/>'
    shown += '<img src="c.png" alt="C"/></p>'
    packed = package({"i/item.xml": qti21_item(shown).decode()})
    imported = formats.read("q.zip", packed)
    assert said(imported) == [
        "i: picture dropped: i/a.png is no picture of the package",
        "i: picture dropped: c.png is no picture of the package",
    ]


def test_qti_21_takes_pictures_and_lines_to_order_there_and_back():
    items = (
        Item(kind="order", stem="Sort:![a](a.png)", id="o", choices=(Choice("b"), Choice("a"))),
        Item(kind="description", stem="Read on.", id="d"),
        Item(kind="blanks", stem="Fill [[a b]].", id="b", blanks=(Blank("a b", (Accepted("x"),)),)),
    )
    bank = Bank(items=items, files={"a.png": PNG, "unused.png": PNG})

    imported = formats.read("q.zip", formats.write(bank, "qti21").files["quiz.zip"])

    order, description, blanks = imported.items
    assert [choice.text for choice in order.choices] == ["b", "a"]
    assert order.stem == "Sort:![a](a.png)"
    assert imported.bank.files == {"a.png": PNG}
    assert (description.kind, description.stem) == ("description", "Read on.")
    assert blanks.blanks == (Blank("1", (Accepted("x"),)),)


# Writing ------------------------------------------------------------------------------------------

GAPS = Item(
    kind="blanks",
    id="i",
    stem="[[1]] or [[2]]",
    blanks=(
        Blank("1", (Accepted("a"), Accepted("b", feedback="Also.")), ("a", "b")),
        Blank("2", (Accepted("c"),)),
    ),
)
UNKNOWN = Item(kind="number", id="i", stem="How much?", fact="f")
UNEVEN = Item(
    kind="number",
    id="i",
    stem="How much?",
    bands=(Band(1, 4, 2), Band(-1, -1, -1, fraction=0), Band(10, 20, 15, digits=1)),
)
WORDS = Item(
    kind="text",
    id="i",
    stem="What?",
    accepted=(Accepted("a*", pattern=True), Accepted("b->c"), Accepted("d", 0.5, "->")),
)
FORMATTED = Item(kind="match", id="i", stem="M", pairs=(Pair("a->", "*x*"), Pair("b", "y")))


NONE_RIGHT = Item(kind="multiple", id="i", stem="C", choices=(Choice("a"), Choice("b")))
TWO_RIGHT = NONE_RIGHT.but(
    kind="single", choices=(Choice("a\n\nb", 1.0), Choice("a b", 1.0), Choice("c", 0.5))
)


@pytest.mark.parametrize(
    ("format_", "item", "lines"),
    [
        ("gift", GAPS, ["i: question dropped: GIFT knows no blanks question"]),
        ("gift", UNKNOWN, ["i: question dropped: its number is not known"]),
        (
            "gift",
            UNEVEN,
            [
                "i: edges of a band changed: GIFT includes both",
                "i: tolerance changed: written as an absolute margin",
            ],
        ),
        (
            "gift",
            WORDS,
            [
                "i: answers with -> dropped: GIFT takes them for matching",
                "i: -> changed: GIFT takes it for matching; now an arrow sign",
            ],
        ),
        (
            "gift",
            WORDS.but(accepted=(Accepted("b->c"),)),
            [
                "i: answers with -> dropped: GIFT takes them for matching",
                "i: question dropped: no answer is left",
            ],
        ),
        (
            "gift",
            FORMATTED,
            [
                "i: formatting changed: a partner is plain text in GIFT",
                "i: -> changed: GIFT takes it for matching; now an arrow sign",
            ],
        ),
        (
            "gift",
            Item(kind="description", id="i", stem="D", why="Because."),
            ["i: explanation dropped: a description has none in GIFT"],
        ),
        (
            "moodle",
            GAPS,
            ["i: question dropped: gaps to type into: Moodle has them only in its cloze questions"],
        ),
        ("moodle", UNKNOWN, ["i: question dropped: its number is not known"]),
        (
            "moodle",
            UNEVEN,
            [
                "i: edges of a band changed: "
                "Moodle includes both edges, as far from the value on either side",
                "i: tolerance changed: written as an absolute margin",
            ],
        ),
        ("moodle", FORMATTED, ["i: formatting changed: a partner is plain text in Moodle"]),
        ("qti21", UNKNOWN, ["i: question dropped: its number is not known"]),
        ("qti21", WORDS, ["i: pattern dropped: 'a*': only whole texts are compared"]),
        ("mkdocs-quiz", UNKNOWN, ["i: question dropped: its number is not known"]),
        ("mkdocs-quiz", GAPS, ["i: gap 1 changed: only one typed text is right there"]),
        (
            "mkdocs-quiz",
            WORDS,
            [
                "i: other accepted texts dropped: only 'a*' is right there",
                "i: pattern changed: a pattern becomes a text",
            ],
        ),
        (
            "readout",
            GAPS,
            [
                "i: kind changed: what was typed into gaps is now put to them",
                "i: other accepted texts dropped: one stands for each gap",
                "i: feedback dropped: lines to match have none",
                "i: partner dropped: 'b' was there to mislead",
            ],
        ),
        (
            "readout",
            UNEVEN,
            [
                "i: band dropped: -1 to -1 (0%)",
                "i: band dropped: 10 to 20 (100%): one band of numbers is right",
                "i: edges of the band changed: "
                "both edges count, as far from the number on either side",
            ],
        ),
        ("mkdocs-quiz", NONE_RIGHT, ["i: question dropped: without a right answer"]),
        (
            "mkdocs-quiz",
            TWO_RIGHT,
            [
                "i: kind changed: 3 right answers make it multiple",
                "i: partial points dropped: mkdocs-quiz gives all or nothing",
                "i: option changed: set on one line",
            ],
        ),
        (
            "mkdocs-quiz",
            NONE_RIGHT.but(choices=(Choice("a", 1.0), Choice("b"))),
            ["i: kind changed: 1 right answers make it single"],
        ),
        (
            "qti21",
            UNEVEN.but(bands=(EVERY_NUMBER._replace(feedback="No."),)),
            ["i: feedback dropped: what is said about every other number"],
        ),
        ("qti21", UNKNOWN.but(kind="essay", id="i j"), ["i j: id changed: 'i j' becomes 'i-j'"]),
        ("readout", NONE_RIGHT, ["i: question dropped: no option is right"]),
        (
            "readout",
            TWO_RIGHT,
            [
                "i: option changed: set on one line: 'a b'",
                "i: option changed: 'a b' stands twice",
                "i: kind changed: several options are fully right; now any of them",
            ],
        ),
        (
            "readout",
            UNEVEN.but(bands=(EVERY_NUMBER,)),
            ["i: question dropped: no number is right"],
        ),
        (
            "readout",
            WORDS,
            ["i: pattern dropped: 'a*' (100%): only whole texts are compared"],
        ),
        (
            "readout",
            WORDS.but(accepted=(Accepted("a", 0.0),)),
            [
                "i: wrong answer dropped: 'a' (0%)",
                "i: question dropped: no text is right as a whole",
            ],
        ),
        (
            "readout",
            Item(kind="order", id="i", stem="O", choices=(Choice("a"),)),
            ["i: question dropped: one line has no order"],
        ),
        (
            "readout",
            FORMATTED.but(pairs=(Pair("a", "b"),)),
            ["i: question dropped: one pair is nothing to match"],
        ),
        (
            "readout",
            Item(kind="single", id="i", stem="S", choices=(Choice("a", 1.0),)),
            ["i: question dropped: one option is no choice"],
        ),
        (
            "readout",
            UNEVEN.but(unit="m" * 1_100),
            [f"i: unit changed: cut after {readout.MAX_LINE} characters"],
        ),
    ],
)
def test_what_a_format_cannot_hold_is_said(format_: str, item: Item, lines: list[str]):
    found = said(formats.write(Bank(items=(item,)), format_))
    assert [line for line in lines if line not in found] == []


def test_what_is_said_of_a_quiz_as_a_whole_stands_above_its_questions_in_gift():
    bank = Bank(items=(WORDS,), title="Heads", intro="Read\nfirst.", header={"minutes": 5})
    exported = formats.write(bank, "gift")

    assert exported.files["quiz.gift"].startswith(b"// Heads\n// Read\n// first.\n")
    assert said(exported)[:3] == [
        f"Heads: {what} dropped: gift has no place for it"
        for what in ("title", "introduction", "minutes")
    ]


def again(item: Item, format_: str) -> Item:
    ((path, data),) = formats.write(Bank(items=(item,)), format_).files.items()
    (read,) = formats.read(path, data, format_).items
    return read


def test_digits_that_count_go_there_and_back():
    band = Band(118.4, 128.4, 123.4, digits=2)
    item = Item(kind="number", stem="N", bands=(band,))

    assert again(item, "qti21").bands == (band,)
    assert again(item, "readout").bands == (Band(115, 125, 120, digits=2),)


def test_a_single_gap_becomes_a_short_text_or_a_choice_of_ours():
    typed = Item(kind="blanks", stem="A [[x]].", blanks=(Blank("x", (Accepted("b"),)),))
    offered = typed.but(blanks=(Blank("x", (Accepted("b", feedback="Yes."),), ("a", "b")),))

    assert again(typed, "readout").accepted == (Accepted("b"),)
    single = again(offered, "readout")
    assert (single.kind, single.stem) == ("single", "A _____.")
    assert [(c.text, c.fraction, c.feedback) for c in single.choices] == [
        ("a", 0.0, ""),
        ("b", 1.0, "Yes."),
    ]


def test_a_number_that_a_notebook_will_record_keeps_its_name():
    text, losses = readout.to_markdown(Bank(items=(UNKNOWN,)))

    assert "key:\n  fact: f\n" in text
    assert not [loss for loss in losses if loss.kind == "dropped" and loss.what == "question"]
    imported = formats.read("q.md", text.encode())
    assert imported.items[0].lacks_key
    assert said(imported) == ["i: key dropped: no notebook records the number 'f' yet"]


def test_code_and_headings_of_others_fit_into_a_question_of_ours():
    fences = (Choice("```\na = 1\n```", 1.0), Choice("~~~\n`b`\n~~~"))
    item = Item(kind="single", stem="Look:\n\nOver\n====\n\n# One", choices=fences)

    read = again(item, "readout")

    assert [choice.text for choice in read.choices] == ["`a = 1`", "`` `b` ``"]
    assert read.stem == "Look:\n\n### Over\n\n### One"


def test_the_letters_of_lines_to_order_never_follow_the_order():
    for texts in (["a", "b"], ["b", "a"]):
        item = Item(kind="order", stem="O", choices=tuple(Choice(text) for text in texts))
        ids = [choice.id for choice in again(item, "readout").choices]
        assert ids == ["b", "a"]


def test_the_header_of_a_quiz_is_written_as_it_was_read():
    source = (
        "---\ntitle: T\nkind: meeting\nmeeting: 2026-03-12\n"
        "opens_at: 2026-03-09 18:00:00+00:00\nminutes: 5\n---\n\n"
        "## Q? {#q}\n\n- [x] (a) one\n- [ ] (b) two\n\n"
        "```yaml\ntype: single\nwhy: w\nsource: s\n```\n"
    )
    bank = formats.read("q.md", source.encode(), "readout").bank
    text = formats.write(bank, "readout").files["quiz.md"].decode()

    assert formats.read("q.md", text.encode()).bank.header == bank.header
    assert "opens_at: 2026-03-09T18:00:00Z\n" in text.replace("'", "")


@pytest.mark.parametrize("format_", ["qti21", "readout"])
def test_questions_of_one_name_get_names_of_their_own(format_: str):
    same = [Item(kind="single", stem="S", id="i", choices=(Choice("a", 1.0), Choice(">", 0.0)))] * 3
    exported = formats.write(Bank(items=tuple(same)), format_)

    ((path, data),) = exported.files.items()
    read = formats.read(path, data, format_)
    assert [item.id for item in read.items] == ["i", "i-2", "i-3"]
    assert "i: id changed: 'i' becomes 'i-3'" in said(exported)
    assert {item.choices[1].text for item in read.items} <= {">", "\\>"}


@pytest.mark.parametrize(
    ("format_", "item"),
    [
        ("mkdocs-quiz", Item(kind="text", stem="T", accepted=(Accepted("a"),))),
        ("qti21", Item(kind="number", stem="N", bands=(Band(3, 3, 3), EVERY_NUMBER))),
    ],
)
def test_nothing_is_said_where_nothing_is_lost(format_: str, item: Item):
    assert said(formats.write(Bank(items=(item,)), format_)) == []
