"""What a member is told of an answer: at once, after the meeting, and after a correction."""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import sqlalchemy as sa
from pydantic import BaseModel, StrictFloat, StrictInt, StringConstraints
from pydantic import Field as Bounded

from api import keys, regrade
from api.grading import Key, NoKey, chosen_options, find_key, grade
from api.grading import Response as Given
from api.questions import Question, Quiz
from api.render import render, render_inline
from api.service import Service
from api.timetable import is_late, phase_of
from api.wire import Input, NotOffered, ShortText, Storable, Word

Number = StrictInt | StrictFloat
OptionId = Annotated[str, StringConstraints(max_length=40), Storable]


class AnswerIn(Input):
    id: uuid.UUID
    question: Annotated[str, StringConstraints(max_length=80), Storable]
    response: (
        Word
        | Annotated[StrictInt, Bounded(ge=-(2**53), le=2**53)]
        | StrictFloat
        | Annotated[list[OptionId], Bounded(max_length=50)]
        | Annotated[dict[OptionId, Word], Bounded(max_length=50)]
    )
    certainty: Annotated[StrictInt, Bounded(ge=1, le=3)] | None = None
    reason: ShortText | None = None


class FeedbackOut(BaseModel):
    option: str
    text_html: str


class CorrectionOut(BaseModel):
    """The question was corrected after the answer: what had been told, and why that changed."""

    correct: bool | None
    score: float | None
    why: str | None
    noted_at: dt.datetime | None  # when an organizer had the answers marked again


class ProvenanceOut(BaseModel):
    """A measured value that the key rests on, and the notebook that measured it."""

    fact: str
    value: Any
    tolerance: float
    notebook: str
    notebook_key: str | None
    model: str | None


class AnswerOut(BaseModel):
    """An answer and what may be told of it: `correct` and all after it are null while held back."""

    id: str
    quiz: str
    question: str
    response: Any
    certainty: int | None
    reason: str | None
    correct: bool | None
    score: float | None
    late: bool
    feedback: list[FeedbackOut]
    key: Any
    why_html: str
    source_html: str
    answered_at: dt.datetime
    tries_left: int | None = None  # null where the quiz does not count them
    correction: CorrectionOut | None = None
    provenance: list[ProvenanceOut] | None = None  # of a key that a notebook measured


# An author's text is rendered once, not once an answer.
_rendered = lru_cache(4_096)(render)
_rendered_inline = lru_cache(4_096)(render_inline)


# What is told with the key, when it is not told yet.
_NOTHING_MORE: dict[str, Any] = {"why_html": "", "source_html": "", "provenance": None}


def told_of(
    quiz: Quiz, question: Question, marking: "Marking", given: AnswerIn, now: dt.datetime
) -> AnswerOut:
    mark = grade(question, given.response, marking.key)
    return AnswerOut(
        id=str(given.id),
        quiz=quiz.slug,
        question=question.id,
        response=given.response,
        certainty=given.certainty,
        reason=given.reason,
        correct=mark.correct,
        score=mark.score,
        late=is_late(quiz, now),
        feedback=feedback(question, given.response),
        key=marking.key.response,
        why_html=_rendered(question.why),
        source_html=_rendered_inline(question.source),
        answered_at=now,
        provenance=marking.provenance,
    )


class Marking(NamedTuple):
    """What marking an answer needs of the question, worked out once."""

    key: Key
    version: str
    provenance: list[ProvenanceOut] | None


def marking_of(service: Service, question: Question) -> Marking:
    """The key as it is today. Raises NoKey."""
    found = service.markings.get(question.id)
    if found is None:
        key = find_key(question, service.content.facts)
        version = keys.version_of(question, key, service.content.facts)
        found = Marking(key, version, _provenance(service, question))
        service.markings[question.id] = found
    assert isinstance(found, Marking)
    return found


def _provenance(service: Service, question: Question) -> list[ProvenanceOut] | None:
    facts = service.content.facts
    return [
        ProvenanceOut(
            fact=name,
            value=facts[name].value,
            tolerance=facts[name].tolerance,
            notebook=facts[name].notebook,
            notebook_key=getattr(facts[name], "key", None),
            model=getattr(facts[name], "model", None),
        )
        for name in keys.names(question)
        if name in facts
    ] or None


def held_back(told: AnswerOut) -> AnswerOut:
    nothing: dict[str, Any] = {"correct": None, "score": None, "feedback": [], "key": None}
    return told.model_copy(update=nothing | _NOTHING_MORE)


def feedback(question: Question, response: Given) -> list[FeedbackOut]:
    return [
        FeedbackOut(option=option.id, text_html=_rendered(option.feedback))
        for option in chosen_options(question, response)
        if option.feedback
    ]


def kept_for_later(told: AnswerOut) -> AnswerOut:
    """Without the key, as long as another try may find it."""
    if told.correct or not told.tries_left:
        return told
    return told.model_copy(update={"key": None, **_NOTHING_MORE})


def view(
    row: sa.Row[Any],
    service: Service,
    now: dt.datetime,
    others: Iterable[sa.Row[Any]],
    corrections: Mapping[tuple[str, str, str], regrade.Correction],
) -> AnswerOut:
    """An answer as its member may see it now.

    What was told stays told. To it comes what was held back for the meeting, once that is over or
    the member has voted again, and today's mark where the question was corrected since.
    `others` are the same member's answers.
    """
    told = AnswerOut.model_validate_json(row.reply)
    found = service.content.find_question(row.question)
    if found is None or not asks_the_same(service, found[1], row.question_version):
        return told  # to a question that is asked no more: it stays as it was told
    quiz, question = found
    try:
        return _as_of_today(row, told, service, quiz, question, now, others, corrections)
    except (NoKey, NotOffered):
        return told  # there is no key today, or another set of options


def _as_of_today(
    row: sa.Row[Any],
    told: AnswerOut,
    service: Service,
    quiz: Quiz,
    question: Question,
    now: dt.datetime,
    others: Iterable[sa.Row[Any]],
    corrections: Mapping[tuple[str, str, str], regrade.Correction],
) -> AnswerOut:
    marking = marking_of(service, question)
    if told.correct is None:
        voted_again = any(
            other.turn == "revote" and other.question == row.question for other in others
        )
        if phase_of(quiz, now) != "practice" and not voted_again:
            return told
        told = marked(told, question, marking)
    elif row.key_version != marking.version:
        noted = corrections.get((question.id, row.key_version, marking.version))
        before = CorrectionOut(
            correct=told.correct,
            score=told.score,
            why=noted.why if noted else question.changed,
            noted_at=noted.noted_at if noted else None,
        )
        told = marked(told, question, marking)
        if (told.correct, told.score) != (before.correct, before.score):
            told = told.model_copy(update={"correction": before})
    return told if phase_of(quiz, now) == "practice" else kept_for_later(told)


def asks_the_same(service: Service, question: Question, version: str) -> bool:
    return version == question.version or version in service.editions.get(question.id, ())


def marked(told: AnswerOut, question: Question, marking: Marking) -> AnswerOut:
    mark = grade(question, told.response, marking.key)
    return told.model_copy(
        update={
            "correct": mark.correct,
            "score": mark.score,
            "feedback": feedback(question, told.response),
            "key": marking.key.response,
            "why_html": _rendered(question.why),
            "source_html": _rendered_inline(question.source),
            "provenance": marking.provenance,
        }
    )
