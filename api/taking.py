"""Take a quiz in a terminal: the questions one by one, from the service or from the files here."""

import html
import json
import re
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from api.content import Content
from api.grading import Key, check_response, chosen_options, find_key, grade
from api.questions import Quiz
from api.quizzes import QuestionOut, ask
from api.wire import NotOffered

CERTAINTY = "How sure? 1 under 2/3, 2 up to 4/5, 3 over 4/5, Enter to skip: "
Prompt = Callable[[str], str]
Say = Callable[[str], None]


class Away(Exception):
    """The service cannot be used. The message says why."""


class Refused(Exception):
    """The service did not take this answer. The message is its own."""


class Told(NamedTuple):
    """What is said after an answer. `correct` is None while it is held back."""

    correct: bool | None
    score: float | None
    late: bool
    lines: list[str]


class Source(Protocol):
    """Where questions come from and answers go."""

    title: str
    questions: list[QuestionOut]
    keeps: bool  # certainty and reason are asked for where somebody keeps them

    def answer(
        self, question: QuestionOut, response: Any, certainty: int | None, reason: str | None
    ) -> Told: ...


class Here:
    """A self-check, marked by the files; nothing is kept."""

    keeps = False

    def __init__(self, quiz: Quiz, content: Content) -> None:
        self.quiz, self.content, self.title = quiz, content, quiz.title
        self.questions = [ask(question) for question in quiz.questions]

    def answer(
        self, question: QuestionOut, response: Any, certainty: int | None, reason: str | None
    ) -> Told:
        asked = self.quiz.question(question.id)
        assert asked
        key = find_key(asked, self.content.facts)
        try:
            mark = grade(asked, check_response(asked, response), key)
        except NotOffered as error:
            raise Refused(error.detail) from error
        chosen = [o.feedback for o in chosen_options(asked, response) if o.feedback]
        lines = [*chosen, f"The answer: {shown(key, question)}", asked.why, asked.source]
        return Told(mark.correct, mark.score, late=False, lines=lines)


class There:
    """A quiz of the service at an address, answered as the member whose token it is."""

    keeps = True

    def __init__(self, base: str, slug: str, token: str | None) -> None:
        self.base, self.slug, self.token = base, slug, token
        quiz = call(base, token, f"quizzes/{slug}")
        self.title = quiz["title"]
        self.questions = [QuestionOut.model_validate(question) for question in quiz["questions"]]

    def answer(
        self, question: QuestionOut, response: Any, certainty: int | None, reason: str | None
    ) -> Told:
        given = {"id": str(uuid.uuid4()), "question": question.id, "response": response}
        reply = call(
            self.base,
            self.token,
            f"quizzes/{self.slug}/answers",
            {**given, "certainty": certainty, "reason": reason},
        )
        lines = [text(found["text_html"]) for found in reply["feedback"]]
        if reply["key"] is not None:
            lines.append(f"The answer: {shown(Key(reply['key']), question)}")
        lines += [text(reply["why_html"]), text(reply["source_html"])]
        return Told(reply["correct"], reply["score"], reply["late"], lines)


def call(base: str, token: str | None, path: str, given: Mapping[str, Any] | None = None) -> Any:
    """Ask an endpoint, with a body where one is given. Raises Refused of an answer, else Away."""
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if given is not None:
        headers["Content-Type"] = "application/json"
    url = f"{base.rstrip('/')}/api/v1/{path}"
    if not url.startswith(("http://", "https://")):
        raise Away(f"{base} is no web address; write http://127.0.0.1:8000")
    data = None if given is None else json.dumps(given).encode()
    request = urllib.request.Request(url, data, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310
            return json.load(reply)
    except urllib.error.HTTPError as error:
        try:
            detail = str(json.load(error)["detail"])
        except (ValueError, KeyError, TypeError):
            raise Away(f"{url} replied {error.code}; is Readout there?") from error
        raise (Refused if error.code in (409, 422) else Away)(detail) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Away(f"the quiz service at {base} is not reachable: {reason}") from error


def join(base: str, code: str, name: str) -> str:
    """Use a join link's code up; returns the token. Raises Refused or Away."""
    return str(call(base, None, "join", {"invite": code, "name": name})["token"])


def take(source: Source, prompt: Prompt, say: Say) -> None:
    """Ask every question, until the end of the input."""
    say(f"{source.title}: {len(source.questions)} questions. Ctrl+D ends.\n")
    right = marked = answered = 0
    for number, question in enumerate(source.questions, start=1):
        say(f"{number}. {question.stem}\n")
        for line in choices(question):
            say(line)
        try:
            told = _answer(source, question, prompt, say)
        except EOFError:
            say("")
            break
        answered += 1
        right += bool(told.correct)
        marked += told.correct is not None
        say("\n".join(_verdict(told)) + "\n")
    if answered > marked:
        say(f"{answered - marked} saved for the meeting.")
    if marked or not answered:
        say(f"{right} of {marked} right." if answered else "Nothing answered.")


def _answer(source: Source, question: QuestionOut, prompt: Prompt, say: Say) -> Told:
    """Ask until an answer is taken."""
    while True:
        try:
            response = read(question, prompt(f"{HOW[question.type]}: "))
        except ValueError as error:
            say(str(error))
            continue
        certainty, reason = None, None
        if source.keeps:
            sure = prompt(CERTAINTY).strip()
            certainty = int(sure) if sure in ("1", "2", "3") else None
            reason = prompt("Why? Enter to skip: ").strip() or None
        try:
            return source.answer(question, response, certainty, reason)
        except Refused as error:
            say(str(error))


HOW = {
    "single": "One letter",
    "multiple": "All that fit, as: a c",
    "number": "A number",
    "text": "A word or a few",
    "order": "All in order, as: b a c",
    "match": "Pairs, as: a2 b1",
}


def choices(question: QuestionOut) -> list[str]:
    lines = [f"  ({option.id}) {option.text}" for option in question.options]
    lines += [f"  {number}. {match}" for number, match in enumerate(question.matches or (), 1)]
    return lines


def read(question: QuestionOut, typed: str) -> Any:
    """What was typed, as the service takes it. Raises ValueError, saying how to write it."""
    words = re.findall(r"[^\s,;]+", typed)
    if not words:
        raise ValueError("Answer the question, or end with Ctrl+D.")
    match question.type:
        case "single":
            if len(words) > 1:
                raise ValueError("Enter one letter, for example a.")
            return words[0].strip("()")
        case "multiple" | "order":
            return [word.strip("()") for word in words]
        case "number":
            try:
                return float(typed.strip())
            except ValueError:
                raise ValueError("Enter a number, for example 0.5.") from None
        case "match":
            return _pairs(question, words)
    return typed.strip()


def _pairs(question: QuestionOut, words: list[str]) -> dict[str, str]:
    partners = question.matches or []
    ids = sorted((option.id for option in question.options), key=len, reverse=True)
    pairs = {}
    for word in words:
        left = next((name for name in ids if word.startswith(name)), None)
        number = word.removeprefix(left or "").lstrip("-=>:")
        if left is None or not number.isdecimal() or not 1 <= int(number) <= len(partners):
            raise ValueError(f"{word!r} is no pair; write the letter and the number, as a2.")
        pairs[left] = partners[int(number) - 1]
    return pairs


def shown(key: Key, question: QuestionOut) -> str:
    """A key in the words of the question."""
    texts = {option.id: f"({option.id}) {option.text}" for option in question.options}
    match key.response:
        case float() as number:
            return f"{number:.4g}"
        case list() as names:
            return "; ".join(texts.get(str(name), str(name)) for name in names)
        case dict() as pairs:
            return "; ".join(
                f"{texts.get(str(left), left)} → {right}" for left, right in pairs.items()
            )
    return texts.get(str(key.response), str(key.response))


def _verdict(told: Told) -> list[str]:
    if told.correct is None:
        return ["Saved. The group discusses this one in the meeting."]
    partly = told.score is not None and 0 < told.score < 1
    said = "Right" if told.correct else "Partly right" if partly else "Not right"
    lines = [f"{said} (late)." if told.late else f"{said}."]
    return lines + [line.strip() for line in told.lines if line.strip()]


def text(rendered: str) -> str:
    """Our own rendering of Markdown, without its tags."""
    return html.unescape(re.sub(r"<[^<>]*>", "", rendered)).strip()
