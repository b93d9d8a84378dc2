"""Packages in the ways of Blackboard and of tools that write a test beside the items."""

import io
import zipfile

import pytest

from api import formats
from api.formats.model import Accepted, Band, Pair


def package(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def words(text: str) -> str:
    return (
        f'<material><mat_extension><mat_formattedtext type="HTML">{text}</mat_formattedtext>'
        "</mat_extension></material>"
    )


def item(kind: str, stem: str, response: str, conditions: str, more: str = "") -> str:
    return f"""<item><itemmetadata><bbmd_questiontype>{kind}</bbmd_questiontype></itemmetadata>
<presentation><flow class="Block">
<flow class="QUESTION_BLOCK"><flow class="FORMATTED_TEXT_BLOCK">{words(stem)}</flow></flow>
<flow class="RESPONSE_BLOCK">{response}</flow>{more}</flow></presentation>
<resprocessing><outcomes><decvar varname="SCORE" maxvalue="1.0"/></outcomes>{conditions}
<respcondition title="incorrect"><conditionvar><other/></conditionvar>
<setvar variablename="SCORE" action="Set">0</setvar>
<displayfeedback linkrefid="incorrect" feedbacktype="Response"/></respcondition>
</resprocessing></item>"""


def right(tests: str) -> str:
    return (
        f"<respcondition><conditionvar>{tests}</conditionvar>"
        '<displayfeedback linkrefid="correct" feedbacktype="Response"/></respcondition>'
    )


def line_to_match(name: str, text: str) -> str:
    labels = "".join(f'<response_label ident="{name}{number}"/>' for number in (1, 2, 3))
    return (
        f'<flow class="Block"><response_lid ident="{name}" rcardinality="Single"><render_choice>'
        f"<flow_label>{labels}</flow_label></render_choice></response_lid>"
        f'<flow class="FORMATTED_TEXT_BLOCK">{words(text)}</flow></flow>'
    )


def test_blackboard_shares_the_points_and_names_the_partners_once():
    partners = "".join(
        f'<flow class="Block"><flow class="FORMATTED_TEXT_BLOCK">{words(each)}</flow></flow>'
        for each in ("reads", "writes", "sleeps")
    )
    pool = "<questestinterop><assessment><section>" + "".join(
        [
            item(
                "Matching",
                "Which part does what?",
                line_to_match("k", "QK circuit") + line_to_match("o", "OV circuit"),
                right('<varequal respident="k">k1</varequal>')
                + right('<varequal respident="o">o2</varequal>'),
                f'<flow class="RIGHT_MATCH_BLOCK">{partners}</flow>',
            ),
            item(
                "Numeric",
                "How wide is the stream?",
                '<response_num ident="response"><render_fib/></response_num>',
                right(
                    '<vargte respident="response">760</vargte>'
                    '<varlte respident="response">776</varlte>'
                    '<varequal respident="response">768</varequal>'
                ),
            ),
            item(
                "Fill in the Blank",
                "What adds up?",
                '<response_str ident="response"><render_fib/></response_str>',
                right('<varequal respident="response" case="No">residual stream</varequal>')
                + right('<varequal respident="response" case="No">stream</varequal>'),
            ),
        ]
    )
    pool += "</section></assessment></questestinterop>"

    imported = formats.read("pool.zip", package({"res00001.dat": pool}))

    match, number, text = imported.items
    assert imported.format == "qti12"
    assert imported.losses == ()
    assert match.stem == "Which part does what?"
    assert match.pairs == (
        Pair("QK circuit", "reads"),
        Pair("OV circuit", "writes"),
        Pair("", "sleeps"),
    )
    assert number.bands == (Band(760.0, 776.0, 768.0),)
    assert text.accepted == (Accepted("residual stream"), Accepted("stream"))


ITEM = """<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="{name}"
title="{name}" adaptive="false" timeDependent="false">
<responseDeclaration identifier="RESPONSE" cardinality="single" baseType="{type}">
{declared}</responseDeclaration>
<itemBody><p>How much? <textEntryInteraction responseIdentifier="RESPONSE"/></p></itemBody>
{processing}</assessmentItem>"""
TEST = """<assessmentTest xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="t">
<testPart><assessmentSection>
<assessmentItemRef identifier="a" href="a.xml"/></assessmentSection></testPart></assessmentTest>"""


def test_a_test_beside_its_items_is_no_item():
    declared = "<correctResponse><value>4</value></correctResponse>"
    one = ITEM.format(name="a", type="float", declared=declared, processing="")

    imported = formats.read("p.zip", package({"items/a.xml": one, "assessment_meta.xml": TEST}))

    assert [each.bands for each in imported.items] == [(Band(4.0, 4.0, 4.0),)]
    with pytest.raises(formats.Unreadable, match="archive without QTI files"):
        formats.read("p.zip", package({"assessment_meta.xml": TEST}))


def test_a_tolerance_around_the_declared_answer_and_a_hundred_points():
    processing = """<responseProcessing><responseCondition><responseIf>
<equal toleranceMode="absolute" tolerance="0.5 0.5"><variable identifier="RESPONSE"/>
<correct identifier="RESPONSE"/></equal><setOutcomeValue identifier="SCORE">
<baseValue baseType="float">100</baseValue></setOutcomeValue></responseIf></responseCondition>
</responseProcessing>"""
    declared = "<correctResponse><value>4</value></correctResponse>"
    number = ITEM.format(name="n", type="float", declared=declared, processing=processing)
    mapping = """<mapping><mapEntry mapKey="four" mappedValue="100"/>
<mapEntry mapKey="quatre" mappedValue="50"/></mapping>"""
    text = ITEM.format(name="t", type="string", declared=mapping, processing="")

    imported = formats.read("p.zip", package({"n.xml": number, "t.xml": text}))

    assert imported.items[0].bands == (Band(3.5, 4.5, 4.0, fraction=1.0),)
    assert imported.items[1].accepted == (Accepted("four", 1.0), Accepted("quatre", 0.5))


def test_a_quizdown_choice_of_nothing_is_reported_and_the_rest_is_kept():
    source = (
        "# Which are heads?\n\n- [ ] the stream\n- [ ] the norm\n\n# And?\n\n- [x] a\n- [ ] b\n"
    )

    imported = formats.read("q.md", source.encode(), "quizdown")

    assert [each.stem for each in imported.items] == ["And?"]
    assert [str(loss) for loss in imported.losses] == [
        "q.md:1: Which are heads?: question dropped: "
        "choosing nothing is right there; ours has at least one right option"
    ]


def test_a_choice_of_one_is_no_question_for_gift():
    imported = formats.read("q.md", b"<quiz>\nQ?\n\n- [x] only\n</quiz>\n")

    written = formats.write(imported.bank, "gift")

    assert written.files["quiz.gift"] == b""
    assert [loss.why for loss in written.losses] == ["one answer is no choice in GIFT"]
