"""A quiz as a page asks it: plain forms, which `<readout-quiz>` makes answerable."""

import json
from html import escape
from typing import Any

from api.grading import find_key
from api.questions import Question, Quiz
from api.records import Fact
from api.render import render, render_inline
from api.timetable import over_at


def quiz_form(quiz: Quiz, facts: dict[str, Fact]) -> str:
    """The questions as plain forms, which `<readout-quiz>` makes answerable.

    Of a `meeting` quiz nothing is said that tells an answer. A `self-check` quiz carries its keys.
    """
    moments = {
        "opens-at": quiz.opens_at,
        "closes-at": quiz.closes_at,
        "over-at": over_at(quiz) if quiz.meeting else None,
    }
    attributes = "".join(
        f' data-{name}="{moment.isoformat()}"' for name, moment in moments.items() if moment
    )
    sections = "".join(_section(quiz, question, facts) for question in quiz.questions)
    return (
        f'<readout-quiz data-slug="{quiz.slug}" data-kind="{quiz.kind}"{attributes}>{sections}'
        "</readout-quiz><noscript><p>Answering needs JavaScript. Reading does not.</p></noscript>"
    )


def _section(quiz: Quiz, question: Question, facts: dict[str, Fact]) -> str:
    key = ""
    if quiz.kind == "self-check":
        # A template and not a script: instant navigation would run a script of any type.
        keyed = escape(json.dumps(_self_check_key(question, facts)), quote=False)
        key = f'<template class="key" data-search-exclude>{keyed}</template>'
    hint = ""
    if question.hint and quiz.kind == "self-check":
        hint = (
            "<details class='hint' data-search-exclude><summary>Hint</summary>"
            f"{render(question.hint)}</details>"
        )
    # The method `dialog` goes nowhere: Enter, pressed before the element is there, loses nothing.
    return (
        f'<section class="question" id="{question.id}" data-id="{question.id}"'
        f' data-type="{question.type}"><form method="dialog"><fieldset>'
        f"<legend>{render(question.stem)}</legend>"
        f"{_controls(question)}</fieldset></form>{hint}{key}</section>"
    )


def _controls(question: Question) -> str:
    name = question.id
    match question.type:
        case "single" | "multiple":
            kind = "radio" if question.type == "single" else "checkbox"
            return "".join(
                f'<label class="option"><input type="{kind}" name="{name}" value="{o.id}">'
                f" <span>{render_inline(o.text)}</span></label>"
                for o in question.offered
            )
        case "number":
            unit = f' <span class="unit">{escape(question.unit)}</span>' if question.unit else ""
            return (
                '<label class="field"><span>Your number</span> <input inputmode="decimal"'
                f' name="{name}" autocomplete="off">{unit}</label>'
            )
        case "text":
            return (
                '<label class="field"><span>Your answer</span> <input type="text"'
                f' name="{name}" autocomplete="off" maxlength="500"></label>'
            )
        case "order":
            items = "".join(
                f'<li data-option="{o.id}">{render_inline(o.text)}</li>' for o in question.offered
            )
            return f'<ol class="order">{items}</ol>'
        case _:
            return "".join(_match_row(question, o.id, o.text) for o in question.offered)


def _match_row(question: Question, option: str, text: str) -> str:
    choices = "".join(f'<option value="{escape(m)}">{escape(m)}</option>' for m in question.matches)
    return (
        f'<label class="option match"><span>{render_inline(text)}</span>'
        f' <select name="{question.id}-{option}" data-option="{option}">'
        f'<option value="">choose</option>{choices}</select></label>'
    )


def _self_check_key(question: Question, facts: dict[str, Fact]) -> dict[str, Any]:
    key = find_key(question, facts)
    tolerance = question.tolerance.model_dump(exclude_none=True) if question.tolerance else {}
    return {
        "key": key.response,
        "tolerance": tolerance,
        "accept": question.accept,
        "feedback": {o.id: render(o.feedback) for o in question.options if o.feedback},
        "why_html": render(question.why),
        "source_html": render_inline(question.source),
    }
