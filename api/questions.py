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
from functools import cached_property
from itertools import takewhile
from typing import Annotated, Any, Literal, NamedTuple, Self

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from api.markup import Document, Fields, Malformed, Problem, read_fields
from api.records import Date, Line, Moment, Page, Record, Slips, Slug, explain, nearest

QuestionType = Literal["single", "multiple", "number", "text", "order", "match"]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class FactKey(Record):
    """A key that an executed notebook supplies."""

    fact: str


class ComputedKey(Record):
    """A key that is a rank, an arg-maximum or a sign of facts: exactly one of the three rules.

    `largest` and `smallest` name, for each option, its fact: in a single choice the first is
    right, in an order all of them count. `sign` names a fact, and the options that are right
    above and below 0.
    """

    largest: dict[str, str] | None = None
    smallest: dict[str, str] | None = None
    sign: str | None = None
    above: str | None = None
    below: str | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if sum(rule is not None for rule in (self.largest, self.smallest, self.sign)) != 1:
            raise ValueError("say one of largest, smallest, sign")
        if (self.sign is None) != (self.above is None) or (self.sign is None) != (
            self.below is None
        ):
            raise ValueError("a sign needs both options, as {sign: FACT, above: a, below: b}")
        return self

    @property
    def ranked(self) -> dict[str, str]:
        return self.largest or self.smallest or {}

    @property
    def facts(self) -> list[str]:
        return [self.sign] if self.sign else list(self.ranked.values())

    @property
    def options(self) -> list[str]:
        return [self.above or "", self.below or ""] if self.sign else list(self.ranked)


def _kind_of_key(value: Any) -> str:
    """Which of the three forms a key has, so that only its own mistakes are told."""
    if isinstance(value, dict):
        rules = value.keys() & {"largest", "smallest", "sign", "above", "below"}
        return "ComputedKey" if rules else "FactKey"
    return type(value).__name__ if isinstance(value, ComputedKey | FactKey) else "str"


AnyKey = Annotated[
    Annotated[FactKey, Tag("FactKey")]
    | Annotated[ComputedKey, Tag("ComputedKey")]
    | Annotated[str, Tag("str")],
    Discriminator(_kind_of_key),
]


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
    written: str | None = None  # the text in the file, where facts were put into it

    @property
    def as_written(self) -> str:
        return self.text if self.written is None else self.written


class QuestionFields(Record):
    """The YAML that ends a question."""

    type: QuestionType
    key: AnyKey | None = None
    accept: list[str] = []
    tolerance: Tolerance | None = None
    unit: Line | None = None
    why: Text
    source: Line
    anchor: Line | None = None
    hint: Text | None = None
    vote: bool = False
    revision: Literal["cosmetic", "meaning"] | None = None
    changed: Line | None = None  # what the revision changed, and why, for those who had answered


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

    @cached_property
    def version(self) -> str:
        """Changes when what is asked or offered changes."""
        asked = [
            self.type,
            self.stem,
            [[o.id, o.as_written, o.match] for o in self.offered],
            self.unit,
        ]
        return digest(asked)

    @cached_property
    def offered(self) -> list[Option]:
        """The options in the order that a member sees.

        What is to be ordered or matched is shuffled by its own text: the order in the file
        would be the answer.
        """
        if self.type not in ("order", "match"):
            return self.options
        return sorted(self.options, key=lambda option: digest([self.id, option.as_written]))

    @cached_property
    def matches(self) -> list[str]:
        """What can be put beside the lines of a `match` question, in no telling order."""
        texts = {option.match for option in self.options if option.match is not None}
        return sorted(texts, key=lambda text: digest([self.id, text]))


class QuizHeader(Record):
    title: Line
    kind: Literal["self-check", "meeting"]
    meeting: Date | None = None
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    topics: list[Slug] = []
    minutes: int | None = Field(default=None, ge=1, le=240)
    # How often a question may be answered before the quiz is practice; the key comes with the last.
    tries: int | None = Field(default=None, ge=1, le=10)

    def slips(self) -> Slips:
        if self.kind == "meeting" and self.meeting is None:
            yield "kind", "a meeting quiz names its meeting; add `meeting: YYYY-MM-DD`"
        if self.kind == "self-check" and self.meeting is not None:
            yield "meeting", "a self-check belongs to no meeting; take `meeting` out"
        if self.opens_at and self.closes_at and self.opens_at >= self.closes_at:
            yield "closes_at", "closes before it opens; exchange opens_at and closes_at"


class Quiz(Page, QuizHeader):
    intro: str
    questions: list[Question]

    def question(self, question_id: str) -> Question | None:
        return next((q for q in self.questions if q.id == question_id), None)


def digest(value: Any) -> str:
    """A short name of a value, the same on every machine."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


WITH_OPTIONS = ("single", "multiple", "order", "match")
# Of a question, but not for its YAML: the text has them, or they are ours.
_NOT_FIELDS = ("id", "stem", "options", "line", "lines")

# Blocks only: the text within them is needed as it was written, and rendered elsewhere.
_MARKDOWN = MarkdownIt("js-default").disable(["inline", "linkify", "replacements", "smartquotes"])
_HEADING = re.compile(r"^(?P<stem>.*?)\s*\{\s*#(?P<id>[^}\s]+)\s*\}\s*$", re.DOTALL)
_OPTION = re.compile(
    r"^(\[(?P<box>[ xX])\]\s+)?\((?P<id>[A-Za-z0-9-]{1,20})\)\s+(?P<text>.+)$", re.S
)
_MATCH = re.compile(r"\s+=>\s+")


class Questions(NamedTuple):
    """What a quiz asks: the text before it, the sound questions, the others as far as they go."""

    intro: str
    sound: list[Question]
    unsound: list[Question]
    problems: list[Problem]


def read_questions(document: Document) -> Questions:
    body = re.sub(r"\r\n?", "\n", document.body)  # else a version would change with its checkout
    lines = body.split("\n")
    tokens = [t for t in _MARKDOWN.parse(body) if t.level == 0 and t.map]
    starts = [t.map[0] for t in tokens if t.type == "heading_open" and t.tag == "h2" and t.map]
    intro = "\n".join(lines[: starts[0] if starts else len(lines)]).strip()
    found = Questions(intro, [], [], [])
    for start, end in zip(starts, [*starts, len(lines)][1:], strict=True):
        first_line = document.body_line + start
        question, slips = _read_question("\n".join(lines[start:end]), first_line)
        if question:
            (found.unsound if slips else found.sound).append(question)
        found.problems.extend(Problem(document.path, *slip) for slip in slips)
    if not starts:
        message = "no question; each begins with `## What ...? {#its-id}`"
        found.problems.append(Problem(document.path, document.body_line, message))
    return found


Slip = tuple[int, str]  # a line and a message


def _read_question(text: str, first_line: int) -> tuple[Question | None, list[Slip]]:
    """Read the text from one heading to the next, and all that is wrong with it.

    The question is as much as can be read; None if it has no fields.
    """
    tokens = _MARKDOWN.parse(text)
    lines = text.split("\n")
    slips: list[Slip] = []
    heading = _HEADING.match(tokens[1].content)
    if not heading:
        slips.append((first_line, "a question without an id; end the heading with {#its-id}"))

    fences = [t for t in tokens if t.type == "fence" and t.level == 0 and t.info.strip() == "yaml"]
    if not fences:
        slips.append((first_line, "a question without its fields; end it with a ```yaml block"))
        return None, slips
    fence = fences[-1]
    assert fence.map
    try:
        fields = read_fields(fence.content, first_line + fence.map[0] + 1)
    except Malformed as error:
        return None, [*slips, (error.line, error.message)]
    slips += [(error.line, error.message) for error in fields.problems]

    type_ = fields.values.get("type")
    options: list[Option] | None = []
    stem_end = fence.map[0]
    if type_ in WITH_OPTIONS:
        index = _last_list(tokens, fence.map[0])
        if index is None:
            message = f"a {type_} question without options; write a list of them"
            slips.append((first_line, message))
            options = None
        else:
            list_map = tokens[index].map
            assert list_map
            stem_end = list_map[0]
            options, wrong = _read_options(tokens, index, lines, type_, first_line)
            slips += wrong

    more = "\n".join(lines[2 if _underlined(tokens) else 1 : stem_end]).strip()
    stem = f"{heading['stem'] if heading else tokens[1].content}\n\n{more}".strip()
    slips += _fields_of_the_text(fields)
    where = {str(at[0]): line for at, line in fields.lines.items() if len(at) == 1}
    values = {name: value for name, value in fields.values.items() if name not in _NOT_FIELDS}
    # Without an id the rest of the question is judged under another.
    values |= {"id": heading["id"] if heading else "x", "stem": stem}
    values |= {"options": options or [], "line": first_line, "lines": where}
    try:
        question = Question.model_validate(values)
    except ValidationError as error:
        told = explain(error, QuestionFields.model_fields, fields.unread)
        question = Question.salvage(values)
    else:
        told = []
    known = {*fields.unread, *(at[0] for at, _ in told)}
    told += [((field,), text) for field, text in _judge(question, options) if field not in known]
    own = {"id", "stem", "options"}
    slips += [(first_line if at[0] in own else fields.line(at), text) for at, text in told]
    return question if heading else question.model_copy(update={"id": ""}), slips


def _fields_of_the_text(fields: Fields) -> Iterator[Slip]:
    """What the heading and the list say cannot stand in the YAML too."""
    for name in fields.values:
        line = fields.line((name,))
        if name in ("id", "stem", "options"):
            yield line, f"field {name!r} stands in the text; take it out here"
        elif name in _NOT_FIELDS:
            yield line, f"unknown field {name!r}; {nearest(name, QuestionFields.model_fields)}"


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
) -> tuple[list[Option] | None, list[Slip]]:
    """The options of a list and what is wrong with them; no options if something is."""
    options: list[Option] = []
    slips: list[Slip] = []
    for item in _items(tokens, index):
        assert item[0].map
        line = first_line + item[0].map[0]
        option = _OPTION.match(_own_text(item))
        if not option:
            box = "[ ] " if type_ in ("single", "multiple") else ""
            slips.append((line, f"an option without an id; write `- {box}(a) ...`"))
            continue
        if option["id"] in {other.id for other in options}:
            slips.append((line, f"option id {option['id']!r} stands twice; give it another"))
        if type_ in ("single", "multiple") and option["box"] is None:
            slips.append((line, f"an option without a box; write `- [ ] ({option['id']}) ...`"))
        text, match = option["text"].strip(), None
        if type_ == "match":
            text, *partner = _MATCH.split(text, maxsplit=1)
            match = partner[0] if partner else None
            if match is None:
                slips.append((line, "a line to match without its partner; write `left => right`"))
        options.append(
            Option(
                id=option["id"],
                text=text,
                right=(option["box"] or "").lower() == "x",
                match=match,
                feedback=_quoted(item, lines),
            )
        )
    return None if slips else options, slips


def _items(tokens: list[Token], index: int) -> Iterator[list[Token]]:
    """The tokens of each item of the list that opens at `index`."""
    item: list[Token] = []
    for token in takewhile(lambda token: token.level, tokens[index + 1 :]):
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


def _judge(question: Question, options: list[Option] | None) -> Iterator[tuple[str, str]]:
    """What cannot be answered or has no single meaning: the field and the message.

    `options` are None where they have been complained of; the question may be a salvaged one.
    """
    type_, key = question.type, question.key
    computed = isinstance(key, ComputedKey) or (type_ == "single" and isinstance(key, FactKey))
    unreadable = key is None and "key" in question.lines  # complained of already
    if "{fact:" in question.stem:
        advice = "put the value into an option, or ask without it"
        yield "stem", f"a fact in the text of a question is not filled in; {advice}"
    if type_ in WITH_OPTIONS and options is not None:
        yield from _judge_options(type_, options, computed=computed or unreadable)
    if computed and type_ not in ("single", "order"):
        yield "key", f"a {type_} question cannot have a computed key; ask a single choice"
    elif computed and type_ == "order" and isinstance(key, ComputedKey) and key.sign:
        yield "key", "a sign is no order; write largest or smallest"
    elif type_ in WITH_OPTIONS and key is not None and not computed:
        yield "key", f"the options say what is right; a {type_} has no key"
    if type_ == "number" and question.number is None and not isinstance(key, FactKey):
        yield "key", "a number question needs a number or a fact as its key"
    if type_ == "number" and question.tolerance is None:
        yield "tolerance", "no tolerance; write `tolerance: {absolute: 0}` if the number is exact"
    if type_ == "text" and not (isinstance(key, str) and key.strip()):
        yield "key", "a text question needs its answer as `key`"
    if type_ not in ("text", None) and question.accept:
        yield "accept", f"a {type_} question accepts no variants; remove it"


def _judge_options(
    type_: str, options: list[Option], *, computed: bool
) -> Iterator[tuple[str, str]]:
    rights = sum(option.right for option in options)
    if computed and rights:
        yield "options", "the key is computed; mark no option [x]"
    elif type_ == "single" and rights != 1 and not computed:
        yield "options", f"{rights} right options in a single choice; mark one [x]"
    if type_ == "multiple" and rights == 0:
        yield "options", "no right option; mark at least one [x]"
    if len(options) < 2:
        yield "options", "one option is no choice; offer two or more"
    texts = [option.text for option in options]
    if len(set(texts)) != len(texts):
        yield "options", "two options with the same text; make them differ"
