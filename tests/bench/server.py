"""The service with two more endpoints to compare with. `python -m tests.bench.server PORT`."""

import datetime as dt
import sys

import uvicorn
from fastapi import APIRouter, FastAPI, Response
from sqlmodel import Session, func, select

from api import tally
from api.answers import Answer, prepare
from api.app import API, create_app
from api.grading import check_response
from api.members import MemberDep
from api.quizzes import QuizDep, find_question
from api.service import NowDep, ServiceDep
from api.serving import spare_what_stays
from api.telling import AnswerIn, AnswerOut
from api.wire import Conflict

router = APIRouter(prefix=API)


@router.post("/plain/{slug}/answers", status_code=201)
def plain(
    quiz: QuizDep,
    given: AnswerIn,
    member: MemberDep,
    service: ServiceDep,
    now: NowDep,
    response: Response,
) -> AnswerOut:
    """The same rules, one session and one commit a request."""
    question = find_question(quiz, given.question)
    check_response(question, given.response)
    prepared = prepare(service, quiz, question, given, "", now)
    with Session(service.database.engine) as session:
        stored = session.get(Answer, (member.id, str(given.id)))
        if stored:
            if stored.request_hash != prepared.row["request_hash"]:
                raise Conflict("used")
            response.status_code = 200
            return AnswerOut.model_validate_json(stored.reply)
        before = session.exec(
            select(func.count()).where(
                Answer.member_id == member.id, Answer.question == question.id
            )
        ).one()
        row = {
            "member_id": member.id,
            **prepared.row,
            "attempt": before + 1,
            "turn": "again" if before else "first",
            "reply": prepared.text,
        }
        answer = Answer(**row)
        session.add(answer)
        session.flush()
        tally.add(session, [row])
        session.commit()
        session.refresh(answer)
        return AnswerOut.model_validate_json(answer.reply)


@router.post("/nothing/{slug}/answers", status_code=201)
async def nothing(quiz: QuizDep, given: AnswerIn, member: MemberDep) -> Response:
    """Validation and sign-in, and a reply of about the same size."""
    reply = given.model_dump_json() + " " * 500
    return Response(reply, 201, media_type="application/json")


def main(port: int) -> None:
    # The example quiz is open on this day.
    app: FastAPI = create_app(clock=lambda: dt.datetime(2026, 3, 10, 18, tzinfo=dt.UTC))
    app.include_router(router)
    spare_what_stays()
    uvicorn.run(app, port=port, log_level="warning", server_header=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
