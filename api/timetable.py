"""When a quiz may be answered: before, open, in the meeting, and as practice afterwards."""

import datetime as dt
from typing import Literal

from api.questions import Quiz

Phase = Literal["before", "open", "meeting", "practice"]


def phase_of(quiz: Quiz, now: dt.datetime) -> Phase:
    """Where a quiz stands. A self-check has no meeting: it is open, or not yet."""
    if quiz.opens_at and now < quiz.opens_at:
        return "before"
    if quiz.meeting is None:
        return "open"
    if now >= over_at(quiz):
        return "practice"
    return "meeting" if now > closes_at(quiz) else "open"


def is_late(quiz: Quiz, now: dt.datetime) -> bool:
    """Whether an answer comes after the closing: it is kept, and stays out of the agenda."""
    return bool(quiz.closes_at and now > quiz.closes_at)


def closes_at(quiz: Quiz) -> dt.datetime:
    """When the votes before the meeting are in; the start of its day if the author says nothing."""
    assert quiz.meeting
    return quiz.closes_at or dt.datetime.combine(quiz.meeting, dt.time(), dt.UTC)


def over_at(quiz: Quiz) -> dt.datetime:
    """When the day of the meeting is over everywhere, and what was held back is told."""
    assert quiz.meeting
    day_after = dt.datetime.combine(quiz.meeting + dt.timedelta(days=1), dt.time(12), dt.UTC)
    return max(day_after, closes_at(quiz))
