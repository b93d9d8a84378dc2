"""What a member missed comes back, further and further apart, until it stays (FSRS).

Nothing is stored for it: the schedule is computed from the answers, from the first that was wrong
on, so a corrected key or an answer on another device changes it by itself. A question that was
never missed never comes.
"""

import datetime as dt
from collections import defaultdict
from typing import Literal

from fastapi import APIRouter
from fsrs import Card, Rating, Scheduler
from pydantic import BaseModel

from api.answers import own_answers
from api.grading import NoKey, find_key, grade
from api.members import MemberDep
from api.questions import Question, Quiz
from api.quizzes import QuestionOut, ask
from api.service import NowDep, Service, ServiceDep
from api.telling import AnswerOut
from api.timetable import phase_of
from api.wire import NotOffered

router = APIRouter(tags=["quizzes"])

# For a group that meets weekly: no steps of minutes, and the same answer the same day for everyone.
SCHEDULER = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)


class DueOut(BaseModel):
    """A question to try again: answer it as ever, at its quiz."""

    quiz: str
    question: QuestionOut
    why: Literal["missed", "sure-and-wrong"]
    due_at: dt.datetime
    answered_at: dt.datetime  # the last time


@router.get("/review")
def read_review(member: MemberDep, service: ServiceDep, now: NowDep) -> list[DueOut]:
    """The questions due now, of those that the member who asks has missed; longest due first."""
    with service.database.read() as session:
        answers = own_answers(session, service, member, now)
    return due(service, answers, now)


def due(service: Service, answers: list[AnswerOut], now: dt.datetime) -> list[DueOut]:
    """What is due of a member's answers, which come oldest first."""
    given: defaultdict[str, list[AnswerOut]] = defaultdict(list)
    for answer in answers:
        given[answer.question].append(answer)
    found = []
    for name, own in given.items():
        asked = service.content.find_question(name)
        if asked is None or not _may_come_back(*asked, now):
            continue
        quiz, question = asked
        missed = _since_the_miss(service, question, own)
        if not missed:
            continue
        card = _replay(missed)
        if card.due <= now:
            sure = any(answer.certainty == 3 and not right for answer, right in missed)
            found.append(
                DueOut(
                    quiz=quiz.slug,
                    question=ask(question),
                    why="sure-and-wrong" if sure else "missed",
                    due_at=card.due,
                    answered_at=missed[-1][0].answered_at,
                )
            )
    return sorted(found, key=lambda item: (item.due_at, item.question.id))


def _may_come_back(quiz: Quiz, question: Question, now: dt.datetime) -> bool:
    """Not while the group still votes on it, nor where a review would use up a try."""
    if phase_of(quiz, now) == "practice" or quiz.meeting is None:
        return True
    return not question.vote and quiz.tries is None


def _since_the_miss(
    service: Service, question: Question, own: list[AnswerOut]
) -> list[tuple[AnswerOut, bool]]:
    """The answers from the first wrong one on, each with whether it is right by today's key."""
    try:
        key = find_key(question, service.content.facts)
    except NoKey:
        return []
    since: list[tuple[AnswerOut, bool]] = []
    for answer in own:
        try:
            right = grade(question, answer.response, key).correct
        except NotOffered:
            continue  # to an older version, which offered other options
        if since or not right:
            since.append((answer, right))
    return since


def _replay(answers: list[tuple[AnswerOut, bool]]) -> Card:
    first = answers[0][0]
    card = Card(card_id=1, due=first.answered_at)
    for answer, right in answers:
        card, _ = SCHEDULER.review_card(card, _rating(answer, right), answer.answered_at)
    return card


def _rating(answer: AnswerOut, right: bool) -> Rating:
    if not right:
        return Rating.Again
    return Rating.Hard if answer.certainty == 1 else Rating.Good
