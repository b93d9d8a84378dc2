"""Meetings over the wire. They are content: the service only repeats what is published."""

import datetime as dt

from fastapi import APIRouter
from pydantic import BaseModel

from api.content import Content
from api.quizzes import QuizSummary, summarize
from api.records import Meeting
from api.service import ServiceDep
from api.wire import Day, NotThere

router = APIRouter(prefix="/meetings", tags=["meetings"])


class MeetingOut(BaseModel):
    date: dt.date
    title: str
    topics: list[str]
    readings: list[str]
    quizzes: list[QuizSummary]


def _out(meeting: Meeting, content: Content) -> MeetingOut:
    return MeetingOut(
        date=meeting.date,
        title=meeting.name,
        topics=meeting.topics,
        readings=meeting.readings,
        quizzes=[summarize(quiz) for quiz in content.quizzes_for(meeting.slug)],
    )


@router.get("")
async def list_meetings(service: ServiceDep) -> list[MeetingOut]:
    """All meetings, newest first."""
    found = sorted(service.content.meetings.values(), key=lambda m: m.date, reverse=True)
    return [_out(meeting, service.content) for meeting in found]


@router.get("/{date}")
async def read_meeting(date: Day, service: ServiceDep) -> MeetingOut:
    """One meeting. 404 if none is recorded for that day."""
    meeting = service.content.meetings.get(str(date))
    if meeting is None:
        raise NotThere(f"no meeting is recorded for {date}")
    return _out(meeting, service.content)
