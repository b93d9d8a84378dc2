"""Quizzes and their questions, and the Markdown in which they are written.

A quiz file reads well unrendered: one `##` heading a question with its id, the options as a task
list, and what the reader of the source should not stumble over (key, reason, source) in a YAML
fence that ends the question. `docs/contributing.md` shows the format.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from api.markup import Document, Fields, Malformed, Problem, read_yaml
from api.records import Date, Line, Moment, Page, Record, Slug, explain, nearest

QuestionType = Literal["single", "multiple", "number", "text", "order", "match"]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class FactKey(Record):
    """A key that an executed notebook supplies."""

    fact: str


class Tolerance(Record):
    """How far a number may lie from the key: exactly one of the three."""

    absolute: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    relative: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    digits: int | None = Field(default=None, ge=1, le=15)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("say one of absolute, relative, digits, as {absolute: 0.05}")
        return self


class Option(Record):
    """One choice, or one line to order or to match. `match` is what belongs beside it."""

    id: str
    text: str
    right: bool = False
    match: str | None = None
    feedback: str | None = None


class QuestionFields(Record):
    """The YAML that ends a question."""

    type: QuestionType
    key: FactKey | str | None = None
    accept: list[str] = []
    tolerance: Tolerance | None = None
    unit: Line | None = None
    why: Text
    source: Line
    anchor: Line | None = None
    hint: Text | None = None
    vote: bool = False
    revision: Literal["cosmetic", "meaning"] | None = None


class Question(QuestionFields):
    """A question as its author wrote it. The options stand in the order of the file."""

    id: Slug
    stem: Text
    options: list[Option] = []
    line: int = 1
    # Where each field stands in the file, for complaints.
    lines: dict[str, int] = Field(default={}, exclude=True, repr=False)

    @property
    def number(self) -> float | None:
        """The key as a number, or None where it is no number or a fact supplies it."""
        try:
            number = float(self.key) if isinstance(self.key, str) else math.nan
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    @property
    def version(self) -> str:
        """Changes when what is asked or offered changes."""
        asked = [self.type, self.stem, [[o.id, o.text, o.match] for o in self.offered], self.unit]
        return _digest(asked)

    @property
    def key_version(self) -> str:
        """Changes when what counts as right changes. A fact is named, not measured, here."""
        key = self.key.model_dump() if isinstance(self.key, FactKey) else self.key
        tolerance = self.tolerance.model_dump() if self.tolerance else None
        right = [o.id for o in self.options if o.right]
        order = [o.id for o in self.options] if self.type == "order" else None
        match = {o.id: o.match for o in self.options} if self.type == "match" else None
        return _digest([key, self.accept, tolerance, right, order, match])

    @property
    def offered(self) -> list[Option]:
        """The options in the order that a member sees.

        What is to be ordered or matched is shuffled by its own text: the order in the file
        would be the answer.
        """
        if self.type not in ("order", "match"):
            return self.options
        return sorted(self.options, key=lambda option: _digest([self.id, option.text]))

    @property
    def matches(self) -> list[str]:
        """What can be put beside the lines of a `match` question, in no telling order."""
        texts = {option.match for option in self.options if option.match is not None}
        return sorted(texts, key=lambda text: _digest([self.id, text]))


def _misplaced(field: str, message: str) -> PydanticCustomError:
    """A complaint about the whole header that has to be mended at one of its fields."""
    # A template in which braces have a meaning: the message may hold some.
    return PydanticCustomError("misplaced", "{message}", {"field": field, "message": message})


class QuizHeader(Record):
    title: Line
    kind: Literal["self-check", "meeting"]
    meeting: Date | None = None
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    topics: list[Slug] = []
    minutes: int | None = Field(default=None, ge=1, le=240)

    @model_validator(mode="after")
    def _times_make_sense(self) -> Self:
        if self.kind == "meeting" and self.meeting is None:
            raise _misplaced("kind", "a meeting quiz names its meeting; add `meeting: YYYY-MM-DD`")
        if self.kind == "self-check" and self.meeting is not None:
            raise _misplaced("meeting", "a self-check belongs to no meeting; take `meeting` out")
        for name in ("opens_at", "closes_at"):
            moment = getattr(self, name)
            if moment and moment.tzinfo is None:
                advice = "write Z at its end for UTC, as 2026-03-12T18:00:00Z"
                raise _misplaced(name, f"{name}: a time without its zone; {advice}")
        if self.opens_at and self.closes_at and self.opens_at >= self.closes_at:
            raise _misplaced("closes_at", "closes before it opens; exchange opens_at and closes_at")
        return self


class Quiz(Page, QuizHeader):
    intro: str
    questions: list[Question]

    def question(self, question_id: str) -> Question | None:
        return next((q for q in self.questions if q.id == question_id), None)


def _digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# Blocks only: the text within them is needed as it was written, and rendered elsewhere.
_MARKDOWN = MarkdownIt("js-default").disable(["inline", "linkify", "replacements", "smartquotes"])
_HEADING = re.compile(r"^(?P<stem>.*?)\s*\{\s*#(?P<id>[^}\s]+)\s*\}\s*$", re.DOTALL)
_OPTION = re.compile(
    r"^(\[(?P<box>[ xX])\]\s+)?\((?P<id>[A-Za-z0-9-]{1,20})\)\s+(?P<text>.+)$", re.S
)
_MATCH = re.compile(r"\s+=>\s+")


def read_questions(document: Document) -> tuple[str, list[Question], list[Problem]]:
    """The text before the first question, the sound questions, what is wrong with the others."""
    body = re.sub(r"\r\n?", "\n", document.body)  # else a version would change with its checkout
    lines = body.split("\n")
    tokens = [t for t in _MARKDOWN.parse(body) if t.level == 0 and t.map]
    starts = [t.map[0] for t in tokens if t.type == "heading_open" and t.tag == "h2" and t.map]
    intro = "\n".join(lines[: starts[0] if starts else len(lines)]).strip()
    questions: list[Question] = []
    problems: list[Problem] = []
    for start, end in zip(starts, [*starts, len(lines)][1:], strict=True):
        first_line = document.body_line + start
        try:
            questions.append(_read_question("\n".join(lines[start:end]), first_line))
        except Malformed as error:
            problems.append(Problem(document.path, error.line, error.message))
        except _Refused as error:
            problems += [Problem(document.path, line, text) for line, text in error.complaints]
    if not starts:
        message = "no question; each begins with `## What ...? {#its-id}`"
        problems.append(Problem(document.path, document.body_line, message))
    return intro, questions, problems


class _Refused(Exception):
    """A question that can be read and has mistakes: the line and the message of each."""

    def __init__(self, complaints: list[tuple[int, str]]) -> None:
        super().__init__(complaints)
        self.complaints = complaints


def _read_question(text: str, first_line: int) -> Question:
    """Read the text from one heading to the next. Raises Malformed or _Refused."""
    tokens = _MARKDOWN.parse(text)
    lines = text.split("\n")
    heading = _HEADING.match(tokens[1].content)
    if not heading:
        raise Malformed(first_line, "a question without an id; end the heading with {#its-id}")

    fences = [t for t in tokens if t.type == "fence" and t.level == 0 and t.info.strip() == "yaml"]
    if not fences:
        raise Malformed(first_line, "a question without its fields; end it with a ```yaml block")
    fence = fences[-1]
    assert fence.map
    fields = read_yaml(fence.content, first_line + fence.map[0] + 1)

    type_ = fields.values.get("type")
    options: list[Option] = []
    stem_end = fence.map[0]
    if type_ in ("single", "multiple", "order", "match"):
        index = _last_list(tokens, fence.map[0])
        if index is None:
            raise Malformed(first_line, f"a {type_} question without options; write a list of them")
        list_map = tokens[index].map
        assert list_map
        stem_end = list_map[0]
        options = list(_read_options(tokens, index, lines, type_, first_line))

    more = "\n".join(lines[2 if _underlined(tokens) else 1 : stem_end]).strip()
    stem = f"{heading['stem']}\n\n{more}".strip()
    _refuse_fields_of_the_text(fields)
    where = {str(at[0]): line for at, line in fields.lines.items() if len(at) == 1}
    given = {"id": heading["id"], "stem": stem, "options": options, "line": first_line}
    try:
        question = Question.model_validate({**fields.values, **given, "lines": where})
    except ValidationError as error:
        complaints = explain(error, QuestionFields.model_fields)
        own = {"id", "stem"}
        raise _Refused(
            [(first_line if at[0] in own else fields.line(at), text) for at, text in complaints]
        ) from error
    _judge(question, fields.line)
    return question


def _refuse_fields_of_the_text(fields: Fields) -> None:
    """What the heading and the list say cannot stand in the YAML too."""
    for name in fields.values.keys() & {"id", "stem", "options"}:
        message = f"field {name!r} stands in the text; take it out here"
        raise Malformed(fields.line((name,)), message)
    for name in fields.values.keys() & {"line", "lines"}:  # ours; not for authors
        hint = nearest(name, QuestionFields.model_fields)
        raise Malformed(fields.line((name,)), f"unknown field {name!r}; {hint}")


def _underlined(tokens: list[Token]) -> bool:
    heading_map = tokens[0].map
    return bool(heading_map and heading_map[1] - heading_map[0] > 1)


def _last_list(tokens: list[Token], before: int) -> int | None:
    found = [
        index
        for index, token in enumerate(tokens)
        if token.type in ("bullet_list_open", "ordered_list_open")
        and token.level == 0
        and token.map
        and token.map[0] < before
    ]
    return found[-1] if found else None


def _read_options(
    tokens: list[Token], index: int, lines: list[str], type_: str, first_line: int
) -> Iterator[Option]:
    ids: set[str] = set()
    for item in _items(tokens, index):
        assert item[0].map
        line = first_line + item[0].map[0]
        option = _OPTION.match(_own_text(item))
        if not option:
            box = "[ ] " if type_ in ("single", "multiple") else ""
            raise Malformed(line, f"an option without an id; write `- {box}(a) ...`")
        if option["id"] in ids:
            raise Malformed(line, f"option id {option['id']!r} stands twice; give it another")
        ids.add(option["id"])
        if type_ in ("single", "multiple") and option["box"] is None:
            raise Malformed(line, f"an option without a box; write `- [ ] ({option['id']}) ...`")
        text, match = option["text"].strip(), None
        if type_ == "match":
            parts = _MATCH.split(text, maxsplit=1)
            if len(parts) != 2:
                raise Malformed(line, "a line to match without its partner; write `left => right`")
            text, match = parts
        yield Option(
            id=option["id"],
            text=text,
            right=(option["box"] or "").lower() == "x",
            match=match,
            feedback=_quoted(item, lines),
        )


def _items(tokens: list[Token], index: int) -> Iterator[list[Token]]:
    """The tokens of each item of the list that opens at `index`."""
    item: list[Token] = []
    for token in tokens[index + 1 :]:
        if token.level == 0:
            return
        if token.type == "list_item_open" and token.level == 1:
            item = []
        item.append(token)
        if token.type == "list_item_close" and token.level == 1:
            yield item


def _own_text(item: list[Token]) -> str:
    return next((t.content for t in item if t.type == "inline" and t.level == 3), "")


def _quoted(item: list[Token], lines: list[str]) -> str | None:
    """The source of the blockquote in an item: what whoever chose it is told."""
    for token in item:
        if token.type == "blockquote_open" and token.map:
            quoted = lines[token.map[0] : token.map[1]]
            return "\n".join(re.sub(r"^\s*>\s?", "", line) for line in quoted).strip() or None
    return None


def _judge(question: Question, line: Any) -> None:
    """Refuse what cannot be answered or has no single meaning. Raises Malformed."""
    rights = sum(option.right for option in question.options)
    type_, key = question.type, question.key
    if type_ == "single" and rights != 1:
        raise Malformed(question.line, f"{rights} right options in a single choice; mark one [x]")
    if type_ == "multiple" and rights == 0:
        raise Malformed(question.line, "no right option; mark at least one [x]")
    if type_ in ("single", "multiple", "order", "match") and len(question.options) < 2:
        raise Malformed(question.line, "one option is no choice; offer two or more")
    if type_ in ("single", "multiple", "order", "match") and key is not None:
        raise Malformed(line(("key",)), f"the options say what is right; a {type_} has no key")
    texts = [option.text for option in question.options]
    if len(set(texts)) != len(texts):
        raise Malformed(question.line, "two options with the same text; make them differ")
    if type_ == "number":
        if question.number is None and not isinstance(key, FactKey):
            raise Malformed(line(("key",)), "a number question needs a number or a fact as its key")
        if question.tolerance is None:
            raise Malformed(
                line(()), "no tolerance; write `tolerance: {absolute: 0}` if the number is exact"
            )
    if type_ == "text" and not (isinstance(key, str) and key.strip()):
        raise Malformed(line(("key",)), "a text question needs its answer as `key`")
    if type_ != "text" and question.accept:
        raise Malformed(line(("accept",)), f"a {type_} question accepts no variants; remove it")
