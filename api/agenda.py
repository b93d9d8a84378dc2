"""What a meeting should talk about: its quizzes' questions in the order of their discussion value.

Between a third and two thirds right, people convince each other (peer instruction); below, reading
again together helps more; above, there is little to discuss unless somebody was sure and wrong.
The same answers give the same agenda, to the letter; only the warning that the quiz is still
running goes with the time.
"""

import datetime as dt
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlmodel import Session

from api.members import OrganizerDep
from api.questions import Question, Quiz
from api.records import Meeting, nearest
from api.results import QuestionResultOut, results
from api.service import Service, ServiceDep
from api.statistics import FOR_DIFFICULTY
from api.timetable import over_at, phase_of
from api.wire import NotThere

router = APIRouter(prefix="/meetings", tags=["meetings"])

Class = Literal["vote-and-discuss", "re-read", "skip", "too-few"]
ORDER: tuple[Class, ...] = ("vote-and-discuss", "re-read", "skip", "too-few")
RE_READ_BELOW, SKIP_ABOVE = 0.35, 0.70  # share right
# Days before the meeting at which a question comes back, and how far off that may be.
WARM_UPS = ((7, 6), (28, 7))


class ItemOut(QuestionResultOut):
    """A question, what the group answered, and what to do with it."""

    quiz: str
    advice: Class
    vote: bool
    anchor: str | None  # the passage that it tests, as its author wrote it


class AgendaOut(BaseModel):
    meeting: dt.date
    title: str
    warm_up: list[ItemOut]
    items: list[ItemOut]
    # What the counts tell is the answer to whoever still votes: not for a public page yet.
    tells_until: dt.datetime | None


@router.get("/{date}/agenda")
def read_agenda(date: str, _: OrganizerDep, service: ServiceDep) -> AgendaOut:
    """The questions to discuss, most valuable first; reasons without names. 404 if no meeting."""
    with service.database.read() as session:
        return agenda(session, service, find_meeting(service, date))


def find_meeting(service: Service, date: str) -> Meeting:
    meetings = service.content.meetings
    if date not in meetings:
        raise NotThere(f"no meeting is named {date!r}; {nearest(date, meetings)}")
    return meetings[date]


def agenda(session: Session, service: Service, meeting: Meeting) -> AgendaOut:
    quizzes = sorted(service.content.quizzes_for(meeting.slug), key=lambda quiz: quiz.slug)
    items = [item for quiz in quizzes for item in _items(session, service, quiz)]
    now = service.clock()
    running = [over_at(quiz) for quiz in quizzes if phase_of(quiz, now) != "practice"]
    return AgendaOut(
        meeting=meeting.date,
        title=meeting.name,
        warm_up=warm_up(session, service, meeting),
        items=sorted(items, key=_rank),  # stable: equals stay in the order of the file
        tells_until=max(running, default=None),
    )


def _items(session: Session, service: Service, quiz: Quiz) -> list[ItemOut]:
    found = results(session, service, quiz).questions
    return [
        _item(quiz, question, result)
        for question, result in zip(quiz.questions, found, strict=True)
    ]


def _item(quiz: Quiz, question: Question, result: QuestionResultOut) -> ItemOut:
    return ItemOut(
        **result.model_dump(),
        quiz=quiz.slug,
        advice=advise(result.n, result.correct, result.confident_and_wrong),
        vote=question.vote,
        anchor=question.anchor,
    )


def advise(n: int, correct: int, confident_and_wrong: int) -> Class:
    if n < FOR_DIFFICULTY:
        return "too-few"
    share = correct / n
    if share < RE_READ_BELOW:
        return "re-read"
    return "skip" if share > SKIP_ABOVE and not confident_and_wrong else "vote-and-discuss"


def _rank(item: ItemOut) -> tuple[int, float]:
    """The class first; within it, how divided the group is and how many were sure and wrong."""
    if item.difficulty is None:
        return ORDER.index(item.advice), 0.0
    divided = 4 * item.difficulty * (1 - item.difficulty)
    return ORDER.index(item.advice), -(divided + item.confident_and_wrong / item.n)


def warm_up(session: Session, service: Service, meeting: Meeting) -> list[ItemOut]:
    """One question from about a week ago and one from about four: what most of the group missed."""
    chosen: list[ItemOut] = []
    for days, off in WARM_UPS:
        earlier = [
            (abs((meeting.date - other.date).days - days), other)
            for other in service.content.meetings.values()
            if abs((meeting.date - other.date).days - days) <= off and other.date < meeting.date
        ]
        for _, other in sorted(earlier, key=lambda pair: (pair[0], pair[1].date)):
            missed = [
                item
                for quiz in service.content.quizzes_for(other.slug)
                for item in _items(session, service, quiz)
                if item.difficulty is not None and item.difficulty < 1
            ]
            if missed:
                chosen.append(min(missed, key=_hardest))
                break
    return chosen


def _hardest(item: ItemOut) -> tuple[float, int, str]:
    assert item.difficulty is not None
    return item.difficulty, -item.confident_and_wrong, item.question
