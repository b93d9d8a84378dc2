"""An agenda as Markdown, ready for a pull request. What members wrote stays plain text in it."""

import json
from typing import Any

from fastapi import APIRouter, Response

from api.agenda import AgendaOut, Class, ItemOut, agenda, find_meeting
from api.content import Content
from api.members import OrganizerDep
from api.questions import Question
from api.results import ShareOut
from api.service import ServiceDep

router = APIRouter(prefix="/meetings", tags=["meetings"])

ADVICE: dict[Class, str] = {
    "vote-and-discuss": "vote, discuss in pairs, vote again",
    "re-read": "read the passage again together",
    "skip": "skip",
    "too-few": "too few answers to say",
}
WARNING = (
    "The quiz is still running, and the numbers and reasons below tell its answers: for the "
    "organizers only. Publish this after"
)
SPECIAL = str.maketrans({mark: f"&#{ord(mark)};" for mark in "\\`*_{}[]()<>#|&!~$@:"})


@router.get("/{date}/agenda.md", response_class=Response)
def export_agenda(date: str, _: OrganizerDep, service: ServiceDep) -> Response:
    """The agenda as Markdown, ready for a pull request."""
    with service.database.read() as session:
        made = agenda(session, service, find_meeting(service, date))
    text = as_markdown(made, service.content)
    return Response(text, media_type="text/markdown; charset=utf-8")


def plain(text: str) -> str:
    """Text as text: no mark of Markdown or HTML in it has a meaning, and it is one line."""
    return " ".join(text.split()).translate(SPECIAL)


def as_markdown(made: AgendaOut, content: Content) -> str:
    """The agenda under headings of the third level, to be put under one of its own."""
    lines = [f"## Agenda for {made.meeting}", ""]
    if made.tells_until:
        lines += [f"{WARNING} {made.tells_until:%Y-%m-%d %H:%M} UTC.", ""]
    if made.warm_up:
        lines += ["### To warm up", ""]
        lines += [f"- {_link(item, content)} ({_score(item)})" for item in made.warm_up]
        lines.append("")
    for number, item in enumerate(made.items, start=1):
        lines += [f"### {number}. {_link(item, content)}", "", *_facts(item, content), ""]
    if not made.items:
        lines += ["No quiz belongs to this meeting.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _question(item: ItemOut, content: Content) -> Question:
    found = content.quizzes[item.quiz].question(item.question)
    assert found
    return found


def _link(item: ItemOut, content: Content) -> str:
    first = _question(item, content).stem.split("\n", 1)[0]
    return f"[{plain(first)}](../quizzes/{item.quiz}.md#{item.question})"


def _score(item: ItemOut) -> str:
    if item.interval is None:
        return item.note or "no answers"
    low, high = item.interval
    return f"{item.correct} of {item.n} right, 95 % interval {low:.0%} to {high:.0%}"


def _facts(item: ItemOut, content: Content) -> list[str]:
    lines = [f"**{ADVICE[item.advice].capitalize()}.** {_score(item).capitalize()}."]
    if item.confident_and_wrong:
        lines[0] += f" Sure and wrong: {item.confident_and_wrong}."
    if item.n_late:
        lines[0] += f" Late, and not counted: {item.n_late}."
    if item.revote:
        gain = item.revote.gain
        said = "" if gain is None else f", normalized gain {gain:.2f}"
        lines[0] += f" In the meeting: {item.revote.correct} of {item.revote.n} right{said}."
    if item.anchor:
        lines[0] += f" [The passage]({item.anchor})."
    if item.distribution:
        question = _question(item, content)
        lines += [
            "",
            *(f"- {share.n}: {_response(share, question)}" for share in item.distribution),
        ]
    if item.reasons:
        lines += ["", "Reasons given:", "", *(f"- {plain(reason)}" for reason in item.reasons)]
    if item.reports:
        reports = (f"- {plain(report)}" for report in item.reports)
        lines += ["", "Reported as a problem:", "", *reports]
    return lines


def _response(share: ShareOut, question: Question) -> str:
    """An option by its text, in the words of its author; everything else as members gave it."""
    texts = {option.id: option.text for option in question.offered}
    response: Any = share.response
    if question.type in ("single", "multiple"):
        return f"({response}) {plain(texts[response])}"

    def named(option: str) -> str:
        return plain(texts.get(option, option))

    if isinstance(response, list):
        return " → ".join(named(option) for option in response)
    if isinstance(response, dict):
        pairs = (f"{named(left)} → {plain(right)}" for left, right in response.items())
        return "; ".join(pairs)
    return plain(response if isinstance(response, str) else json.dumps(response))
