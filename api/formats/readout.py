"""Our own quiz Markdown, as api/questions.py reads it.

What a question of ours has no field for is named in the losses. What it needs and the other side
did not have (why, source) is filled with a sentence that says so, and reported for the author.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from typing import Any

import yaml
from markdown_it import MarkdownIt
from pydantic import ValidationError

from api.formats.gift import decode
from api.formats.model import (
    Accepted,
    Band,
    Bank,
    Choice,
    Exported,
    Imported,
    Item,
    Loss,
    Pair,
    Unreadable,
    are_even,
    even_shares,
    number_text,
    plus,
    tidy,
)
from api.formats.text import PICTURE
from api.markup import Document, Malformed, Problem, read_yaml, split_header
from api.questions import FactKey, Question, Quiz, QuizHeader, read_questions
from api.records import SLUG, Fact, explain

NAME = "readout"
EXTENSIONS = (".md",)

CARRIED = {
    *("id", "hints", "unit", "anchor", "fact", "vote", "fixed order of the options", "feedback"),
}
NO_WHY = "The question came without an explanation."
NO_SOURCE = "Imported; the file named no source"
MAX_TEXT = 10_000
MAX_LINE = 500

_MARKDOWN = MarkdownIt("js-default").disable(["inline", "linkify"])


def looks_like(path: str, text: str) -> bool:
    has_fields = re.search(r"^`{3,}yaml\s*\n(?:.*\n){0,40}?type: ", text, re.M)
    return text.startswith("---") and bool(has_fields)


def read(path: str, data: bytes, facts: Mapping[str, Fact] | None = None) -> Imported:
    """Raises Unreadable with every mistake that the checker would name, too."""
    text = decode(path, data)
    try:
        yaml_text, body, body_line = split_header(text)
        header = read_yaml(yaml_text, first_line=2)
        fields = QuizHeader.model_validate(header.values)
    except Malformed as error:
        raise Unreadable(Problem(path, error.line, error.message)) from error
    except ValidationError as error:
        found = explain(error, QuizHeader.model_fields)
        problems = [Problem(path, header.line(at), message) for at, message in found]
        raise Unreadable(*problems) from error
    document = Document(path, header, body, body_line)
    read = read_questions(document)
    if read.problems:
        raise Unreadable(*read.problems)
    bank, losses = from_questions(fields, read.intro, read.sound, path, facts or {})
    return Imported(bank, losses, NAME)


def from_quiz(quiz: Quiz, facts: Mapping[str, Fact]) -> Imported:
    """The questions of a quiz, with the numbers that the facts supply."""
    path = f"docs/quizzes/{quiz.slug}.md"
    bank, losses = from_questions(quiz, quiz.intro, quiz.questions, path, facts)
    return Imported(bank, losses, NAME)


def from_questions(
    header: QuizHeader,
    intro: str,
    questions: Iterable[Question],
    path: str,
    facts: Mapping[str, Fact],
) -> tuple[Bank, tuple[Loss, ...]]:
    losses: list[Loss] = []
    items = tuple(_item(question, path, facts, losses) for question in questions)
    rest = {
        name: getattr(header, name)
        for name in ("kind", "meeting", "opens_at", "closes_at", "topics", "minutes")
        if getattr(header, name)
    }
    return Bank(items=items, title=header.title, intro=intro, header=rest), tuple(losses)


def _item(question: Question, path: str, facts: Mapping[str, Fact], losses: list[Loss]) -> Item:
    item = Item(
        kind=question.type,
        id=question.id,
        name=question.stem.split("\n")[0][:200],
        stem=question.stem,
        why="" if question.why.strip() == NO_WHY else question.why.strip(),
        source="" if question.source == NO_SOURCE else question.source,
        anchor=question.anchor or "",
        hints=(question.hint.strip(),) if question.hint else (),
        unit=question.unit or "",
        vote=question.vote,
        line=question.line,
        path=path,
    )
    options = question.options
    match question.type:
        case "single":
            choices = [Choice(o.text, float(o.right), o.feedback or "", o.id) for o in options]
            two = [choice.text for choice in choices] == ["True", "False"]
            return item.but(choices=tuple(choices), kind="truefalse" if two else "single")
        case "multiple":
            shares = even_shares([option.right for option in options])
            return item.but(
                choices=tuple(
                    Choice(o.text, part, o.feedback or "", o.id)
                    for o, part in zip(options, shares, strict=True)
                )
            )
        case "order":
            return item.but(
                choices=tuple(Choice(o.text, 0.0, o.feedback or "", o.id) for o in options)
            )
        case "match":
            return item.but(pairs=tuple(Pair(o.text, o.match or "") for o in options))
        case "text":
            texts = (str(question.key), *question.accept)
            return item.but(accepted=tuple(Accepted(text) for text in texts))
        case _:
            return _number(item, question, facts, losses)


def _number(item: Item, question: Question, facts: Mapping[str, Fact], losses: list[Loss]) -> Item:
    key = question.number
    if isinstance(question.key, FactKey):
        item = item.but(fact=question.key.fact)
        try:
            key = facts[question.key.fact].number
        except (KeyError, TypeError):
            why = f"no notebook records the number {question.key.fact!r} yet"
            losses.append(item.loss("dropped", "key", why))
            return item
    assert key is not None
    return item.but(bands=(_band(key, question),))


def _band(key: float, question: Question) -> Band:
    tolerance = question.tolerance
    assert tolerance
    if tolerance.digits is not None:
        rounded = float(f"{key:.{tolerance.digits - 1}e}")
        exponent = int(f"{rounded:e}".split("e")[1])
        half = float(f"5e{exponent - tolerance.digits}")
        return Band(plus(rounded, -half), plus(rounded, half), rounded, digits=tolerance.digits)
    if tolerance.relative is not None:
        allowed = tidy(tolerance.relative * abs(key))
        return Band(plus(key, -allowed), plus(key, allowed), key, relative=tolerance.relative)
    allowed = tolerance.absolute or 0.0
    return Band(plus(key, -allowed), plus(key, allowed), key)


def to_markdown(bank: Bank, taken: Collection[str] = ()) -> tuple[str, tuple[Loss, ...]]:
    """A quiz file, and what it could not hold. `taken` are the ids that the project uses."""
    writer = _Writer(set(taken))
    if shuffled := [item for item in bank.items if item.shuffle]:
        why = f"{len(shuffled)} questions shuffle theirs; ours stand in the order of the file"
        writer.lose(shuffled[0], "dropped", "shuffling of the options", why)
    questions = [text for item in bank.items if (text := writer.question(item))]
    header: dict[str, Any] = {"title": bank.title or "Imported questions", "kind": "self-check"}
    header |= bank.header
    intro = _sheltered(bank.intro)
    parts = [f"---\n{_yaml(header)}---", *([intro] if intro else []), *questions]
    return "\n\n".join(parts) + "\n", tuple(writer.losses)


def write(bank: Bank, name: str = "quiz", taken: Collection[str] = ()) -> Exported:
    text, losses = to_markdown(bank, taken)
    files = {f"{name}.md": text.encode()}
    files |= {f"{picture}": content for picture, content in bank.files.items()}
    return Exported(files, losses)


def slugify(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", text.lower())
    slug = ""
    for word in words:
        if len(slug) + len(word) > 50:
            break
        slug = f"{slug}-{word}" if slug else word
    return slug or (words[0][:50] if words else "")


class _Writer:
    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.losses: list[Loss] = []

    def question(self, item: Item) -> str | None:
        if item.kind in ("essay", "description"):
            why = (
                "we ask nothing that a person has to mark" if item.kind == "essay" else "no answer"
            )
            self.losses.append(item.loss("dropped", "question", f"{item.kind}: {why}"))
            return None
        item = _without_blanks(item, self.losses)
        body = self.body(item)
        if body is None:
            return None
        listed, fields = body
        self.not_carried(item)
        head, more = self.stem(item)
        slug = self.id(item)
        text = _yaml(fields | self.common(item))
        longest = max((len(run) for run in re.findall(r"^ *(`+)", text, re.M)), default=2)
        fence = "`" * max(3, longest + 1)
        parts = [f"## {head} {{#{slug}}}", more, listed, f"{fence}yaml\n{text}{fence}"]
        return "\n\n".join(part for part in parts if part)

    def lose(self, item: Item, kind: Any, what: str, why: str) -> None:
        self.losses.append(item.loss(kind, what, why))

    def id(self, item: Item) -> str:
        if re.fullmatch(SLUG, item.id) and len(item.id) <= 80 and item.id not in self.taken:
            slug = item.id
        else:
            base = slugify(item.id) or slugify(item.name) or slugify(item.stem) or "question"
            slug, number = base, 2
            while slug in self.taken:
                slug, number = f"{base}-{number}", number + 1
            if item.id:
                self.lose(item, "changed", "id", f"{item.id!r} becomes {slug!r}")
        self.taken.add(slug)
        return slug

    def stem(self, item: Item) -> tuple[str, str]:
        """The heading, and what stands below it. Only a paragraph can be a heading."""
        stem = self.cut(item, "stem", item.stem)
        tokens = _MARKDOWN.parse(stem)
        if tokens and tokens[0].type in ("paragraph_open", "heading_open") and tokens[0].map:
            lines = stem.split("\n")
            first = tokens[1].content
            head = " ".join(part.strip() for part in first.split("\n"))
            more = "\n".join(lines[tokens[0].map[1] :]).strip()
        else:
            head, more = item.name or "What is asked here?", stem
            self.lose(item, "added", "heading", "the question begins with no sentence")
        head = re.sub(r"\{\s*#[^}]*\}\s*$", "", head).strip() or "Question"
        return head, _sheltered(more)

    def common(self, item: Item) -> dict[str, Any]:
        why, source = item.why, item.source
        if not why:
            self.lose(item, "added", "why", "the question explains nothing; write what it rests on")
        if not source:
            self.lose(item, "added", "source", "the question names no source")
        fields: dict[str, Any] = {
            "why": self.cut(item, "why", why or NO_WHY),
            "source": self.line(item, "source", source or NO_SOURCE),
        }
        if item.anchor:
            fields["anchor"] = item.anchor
        if item.hints:
            fields["hint"] = self.cut(item, "hint", "\n\n".join(item.hints))
            if len(item.hints) > 1:
                self.lose(item, "changed", "hints", f"{len(item.hints)} of them stand in one")
        if item.vote:
            fields["vote"] = True
        return fields

    def cut(self, item: Item, what: str, text: str) -> str:
        if len(text) <= MAX_TEXT - 50:
            return text
        self.lose(item, "changed", what, f"cut after {MAX_TEXT - 50:,} characters")
        return text[: MAX_TEXT - 50]

    def line(self, item: Item, what: str, text: str) -> str:
        text = " ".join(text.split())
        if len(text) > MAX_LINE:
            self.lose(item, "changed", what, f"cut after {MAX_LINE} characters")
        return text[:MAX_LINE]

    def not_carried(self, item: Item) -> None:
        texts = (item.stem, item.why, *item.hints, *item.remarks, *(c.text for c in item.choices))
        carried = CARRIED if item.choices else CARRIED - {"feedback"}
        self.losses += item.not_carried(carried, "a question of ours")
        for match in (m for text in texts for m in PICTURE.finditer(text)):
            self.lose(item, "changed", "picture", f"{match['src']}: pages of quizzes show none")

    def body(self, item: Item) -> tuple[str, dict[str, Any]] | None:
        match item.kind:
            case "single" | "truefalse" | "multiple":
                return self.choices(item)
            case "order":
                return self.order(item)
            case "match":
                return self.match(item)
            case "text":
                return self.text(item)
            case _:
                return self.number(item)

    def choices(self, item: Item) -> tuple[str, dict[str, Any]] | None:
        texts = self.distinct(item, [choice.text for choice in item.choices])
        if len(texts) < 2:
            self.lose(item, "dropped", "question", "one option is no choice")
            return None
        best = max(choice.fraction for choice in item.choices)
        if best <= 0:
            self.lose(item, "dropped", "question", "no option is right")
            return None
        multiple = item.kind == "multiple"
        rights = [c.fraction > 0 if multiple else c.fraction == best for c in item.choices]
        if not multiple and sum(rights) > 1:
            self.lose(item, "changed", "kind", "several options are fully right; now any of them")
            multiple = True
        if multiple and item.kind == "multiple" and not are_even(item.choices):
            self.lose(
                item, "changed", "points", "each right option counts alike, a wrong one takes back"
            )
        if item.kind != "multiple" and any(0 != c.fraction != best for c in item.choices):
            self.lose(item, "dropped", "partial points", "a single choice is right or wrong")
        bullet = "*" if _ends_in_list(item.stem, "-") else "-"
        ids = self.option_ids([choice.id for choice in item.choices])
        lines = []
        for text, choice, right, id_ in zip(texts, item.choices, rights, ids, strict=True):
            lines.append(f"{bullet} [{'x' if right else ' '}] ({id_}) {text}")
            lines += [
                f"    > {line}".rstrip() for line in choice.feedback.split("\n") if choice.feedback
            ]
        return "\n".join(lines), {"type": "multiple" if multiple else "single"}

    def order(self, item: Item) -> tuple[str, dict[str, Any]] | None:
        texts = self.distinct(item, [choice.text for choice in item.choices])
        if len(texts) < 2:
            self.lose(item, "dropped", "question", "one line has no order")
            return None
        ids = [choice.id for choice in item.choices]
        if not _are_usable(ids) or ids == sorted(ids):
            # An id in the right order would be the answer.
            ids = _shuffled(texts)
        mark = ")" if _ends_in_list(item.stem, ".") else "."
        lines = []
        for n, (text, choice, id_) in enumerate(zip(texts, item.choices, ids, strict=True), 1):
            lines.append(f"{n}{mark} ({id_}) {text}")
            lines += [
                f"    > {line}".rstrip() for line in choice.feedback.split("\n") if choice.feedback
            ]
        return "\n".join(lines), {"type": "order"}

    def match(self, item: Item) -> tuple[str, dict[str, Any]] | None:
        for pair in item.pairs:
            if not pair.left:
                self.lose(item, "dropped", "partner", f"{pair.right!r} was there to mislead")
        pairs = [pair for pair in item.pairs if pair.left]
        if len(pairs) < 2:
            self.lose(item, "dropped", "question", "one pair is nothing to match")
            return None
        lefts = self.distinct(item, [pair.left for pair in pairs])
        rights = [self.flat(item, pair.right) for pair in pairs]
        bullet = "*" if _ends_in_list(item.stem, "-") else "-"
        ids = self.option_ids([""] * len(pairs))
        lines = []
        for left, right, id_ in zip(lefts, rights, ids, strict=True):
            lines.append(f"{bullet} ({id_}) {left.replace(' => ', ' ⇒ ')} => {right}")
        return "\n".join(lines), {"type": "match"}

    def text(self, item: Item) -> tuple[str, dict[str, Any]] | None:
        best = max((a.fraction for a in item.accepted if not a.pattern), default=0.0)
        kept = [a.text for a in item.accepted if not a.pattern and a.fraction == best and a.text]
        for answer in item.accepted:
            said = f"{answer.text!r} ({answer.fraction:.0%})"
            if answer.pattern and answer.fraction > 0:
                self.lose(item, "dropped", "pattern", f"{said}: only whole texts are compared")
            elif 0 < answer.fraction < best:
                self.lose(item, "dropped", "partial points", f"{said}: a text is right or wrong")
            elif answer.fraction <= 0 and not answer.feedback:
                self.lose(item, "dropped", "wrong answer", said)
        if best <= 0 or not kept:
            self.lose(item, "dropped", "question", "no text is right as a whole")
            return None
        fields: dict[str, Any] = {"type": "text", "key": kept[0]}
        if len(kept) > 1:
            fields["accept"] = list(dict.fromkeys(kept[1:]))
        return "", fields

    def number(self, item: Item) -> tuple[str, dict[str, Any]] | None:
        best = max((band.fraction for band in item.bands), default=0.0)
        rights = [b for b in item.bands if b.fraction == best and not b.catches_all]
        if not item.fact and (best <= 0 or not rights):
            self.lose(item, "dropped", "question", "no number is right")
            return None
        for band in item.bands:
            said = f"{number_text(band.low)} to {number_text(band.high)} ({band.fraction:.0%})"
            if band not in rights[:1] and band.fraction > 0:
                self.lose(item, "dropped", "band", f"{said}: one band of numbers is right")
            elif band.fraction <= 0 and not band.feedback and not band.catches_all:
                self.lose(item, "dropped", "band", said)
        fields: dict[str, Any] = {"type": "number"}
        if rights:
            band = rights[0]
            fields |= {"key": number_text(band.centre), "tolerance": self.tolerance(item, band)}
        if item.fact:
            fields["key"] = {"fact": item.fact}
            fields.setdefault("tolerance", {"absolute": "0"})
        if item.unit:
            fields["unit"] = self.line(item, "unit", item.unit)
        return "", fields

    def tolerance(self, item: Item, band: Band) -> dict[str, str]:
        if band.digits is not None and 1 <= band.digits <= 15:
            return {"digits": str(band.digits)}
        if band.relative is not None:
            return {"relative": number_text(band.relative)}
        if not band.is_even:
            why = "both edges count, as far from the number on either side"
            self.lose(item, "changed", "edges of the band", why)
        return {"absolute": number_text(band.margin)}

    def flat(self, item: Item, text: str) -> str:
        """An option on one line."""
        flat = (
            text.strip()
            if len(text) > 5_000
            else re.sub(
                r"^(`{3,}|~{3,})[^\n]*\n(.*?)\n\1`*$", _as_code, text.strip(), flags=re.S | re.M
            )
        )
        flat = " ".join(flat.split())
        if flat != text.strip() and "\n" in text.strip().replace("  \n", ""):
            self.lose(item, "changed", "option", f"set on one line: {flat[:60]!r}")
        return flat or "(nothing)"

    def distinct(self, item: Item, texts: list[str]) -> list[str]:
        found: list[str] = []
        for text in (self.flat(item, text) for text in texts):
            new, number = text, 2
            while new in found:
                new, number = f"{text} ({number})", number + 1
            if new != text:
                self.lose(item, "changed", "option", f"{text!r} stands twice")
            found.append(new)
        return found

    def option_ids(self, ids: list[str]) -> list[str]:
        return ids if _are_usable(ids) else _letters(len(ids))


def _without_blanks(item: Item, losses: list[Loss]) -> Item:
    """Several gaps become lines to match, one typed gap a short text."""
    if item.kind != "blanks":
        return item
    stem = item.stem
    if len(item.blanks) == 1:
        blank = item.blanks[0]
        stem = stem.replace(f"[[{blank.name}]]", "_____")
        if not blank.options:
            return item.but(kind="text", stem=stem, accepted=blank.accepted, blanks=())
        rights = {answer.text: answer for answer in blank.accepted}
        choices = tuple(
            Choice(o, rights[o].fraction, rights[o].feedback) if o in rights else Choice(o)
            for o in blank.options
        )
        return item.but(kind="single", stem=stem, choices=choices, blanks=())
    for number, blank in enumerate(item.blanks, 1):
        stem = stem.replace(f"[[{blank.name}]]", f"({number})_____")
    if any(not blank.options for blank in item.blanks):
        losses.append(item.loss("changed", "kind", "what was typed into gaps is now put to them"))
    if any(len(blank.accepted) > 1 for blank in item.blanks):
        losses.append(item.loss("dropped", "other accepted texts", "one stands for each gap"))
    if any(item.remarks):
        losses.append(item.loss("dropped", "feedback", "lines to match have none"))
    pairs = [Pair(f"Gap {n}", b.accepted[0].text) for n, b in enumerate(item.blanks, 1)]
    right = {pair.right for pair in pairs}
    spare = dict.fromkeys(o for blank in item.blanks for o in blank.options if o not in right)
    return item.but(
        kind="match", stem=stem, pairs=(*pairs, *(Pair("", o) for o in spare)), blanks=()
    )


def _as_code(match: re.Match[str]) -> str:
    code = " ".join(match[2].split())
    return f"`{code}`" if "`" not in code else f"`` {code} ``"


def _letters(number: int) -> list[str]:
    return [chr(ord("a") + n) if n < 26 else f"o{n + 1}" for n in range(number)]


def _are_usable(ids: list[str]) -> bool:
    fits = all(re.fullmatch(r"[A-Za-z0-9-]{1,20}", each) for each in ids)
    return fits and len(set(ids)) == len(ids)


def _shuffled(texts: list[str]) -> list[str]:
    """Letters that do not follow the order of the texts."""
    ranks = sorted(range(len(texts)), key=lambda n: sha256(texts[n].encode()).digest())
    if ranks == list(range(len(texts))):
        ranks.reverse()
    letters = _letters(len(texts))
    return [letters[ranks.index(n)] for n in range(len(texts))]


def _ends_in_list(stem: str, mark: str) -> bool:
    top = [token for token in _MARKDOWN.parse(stem) if token.level == 0]
    kinds = {"bullet_list_close", "ordered_list_close"}
    return bool(top and top[-1].type in kinds and top[-1].markup == mark)


def _sheltered(text: str) -> str:
    """Headings of the second level would begin a question, an open fence swallow its fields."""
    lines = text.split("\n")
    tokens = _MARKDOWN.parse(text)
    last = tokens[-1] if tokens else None
    if last and last.type == "fence" and last.map and last.level == 0:
        closing = lines[last.map[1] - 1].strip()
        is_closed = last.map[1] - last.map[0] > 1 and set(closing) == set(last.markup)
        if not is_closed or len(closing) < len(last.markup):
            lines.append(last.markup)
    for index in range(len(tokens) - 1, -1, -1):
        token = tokens[index]
        if token.type == "heading_open" and token.level == 0 and token.tag in ("h1", "h2"):
            assert token.map
            content = " ".join(tokens[index + 1].content.split("\n"))
            lines[token.map[0] : token.map[1]] = [f"### {content}"]
    return "\n".join(lines).strip()


class _Dumper(yaml.SafeDumper):
    pass


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else ">" if len(text) > 90 else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


def _yaml(fields: Mapping[str, Any]) -> str:
    """Every value as text that reads back as the same text."""
    return str(
        yaml.dump(
            {name: _written(value) for name, value in fields.items()},
            Dumper=_Dumper,
            allow_unicode=True,
            sort_keys=False,
            width=98,
        )
    )


def _written(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_written(each) for each in value]
    if isinstance(value, dict):
        return {name: _written(each) for name, each in value.items()}
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value
    iso = getattr(value, "isoformat", None)
    return iso().replace("+00:00", "Z") if iso else value
