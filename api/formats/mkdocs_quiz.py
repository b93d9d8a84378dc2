"""The Markdown of mkdocs-quiz: `<quiz>` blocks within pages.

Rules that surprise: one `[x]` makes a single choice, two make a multiple one; a quotation right
below an answer is its feedback, anywhere else it is text; what follows the answers is shown to all;
`[[word]]` is a gap to type into, and then `---` begins what is shown to all; a quiz in a fenced
example is an example, unless the fence stands within a quiz.
"""

import re
from bisect import bisect
from collections.abc import Callable

from api.formats.gift import decode, split_source, with_source
from api.formats.model import (
    Accepted,
    Bank,
    Blank,
    Choice,
    Exported,
    Imported,
    Item,
    Loss,
    Unreadable,
    are_even,
    even_shares,
)
from api.formats.text import from_markdown, without_fences
from api.markup import Problem

NAME = "mkdocs-quiz"
EXTENSIONS = (".md", ".markdown")

_QUIZ = re.compile(r"<quiz>(.*?)</quiz>", re.S)
_ANSWER = re.compile(r"^[-*]\s*\[([xX ]?)\]\s*(.*)$")
_QUOTE = re.compile(r"^\s*>\s?(.*)$")
_GAP = re.compile(r"\[\[([^\]]+)\]\]")


def looks_like(path: str, text: str) -> bool:
    return bool(re.search(r"^[ \t]*<quiz>", _without_examples(text), re.M))


def _without_examples(text: str) -> str:
    """The text without the fenced examples that stand outside of quizzes."""
    if text.rfind("<quiz>") > text.rfind("</quiz>"):
        return without_fences(text)  # the last is never closed, and nothing else is looked for
    quizzes = [match.span() for match in _QUIZ.finditer(text)]
    starts = [start for start, _ in quizzes]

    def within(first: int, last: int) -> bool:
        places = (bisect(starts, place) - 1 for place in (first, last))
        return any(
            at >= 0 and quizzes[at][0] < place < quizzes[at][1]
            for at, place in zip(places, (first, last), strict=True)
        )

    return without_fences(text, keep=within)


def read(path: str, data: bytes) -> Imported:
    """Raises Unreadable where mkdocs-quiz would refuse to build."""
    text = decode(path, data)
    items: list[Item] = []
    losses: list[Loss] = []
    problems: list[Problem] = []
    if old := re.search(r"<\?/?quiz\?>", text):
        line = text.count("\n", 0, old.start()) + 1
        problems.append(Problem(path, line, "<?quiz?> is of version 0; write <quiz>"))
    bare = _without_examples(text)
    if bare.rfind("<quiz>") > bare.rfind("</quiz>"):
        line = bare.count("\n", 0, bare.rindex("<quiz>")) + 1
        raise Unreadable(Problem(path, line, "<quiz> without </quiz>"))
    for match in _QUIZ.finditer(bare):
        line = bare.count("\n", 0, match.start()) + 1
        remarks: set[str] = set()
        try:
            item = _read_item(match[1], remarks).but(line=line, path=path)
        except ValueError as error:
            problems.append(Problem(path, line, str(error)))
            continue
        items.append(item)
        losses += [item.loss("changed", "text", remark) for remark in sorted(remarks)]
    if problems:
        raise Unreadable(*problems)
    return Imported(Bank(items=tuple(items)), tuple(losses), NAME)


def _read_item(source: str, remarks: set[str]) -> Item:
    lines = _dedent(source).strip("\n").split("\n")

    def text(part: list[str]) -> str:
        markdown, found = from_markdown("\n".join(part).strip())
        remarks.update(found)
        return markdown

    if _GAP.search("\n".join(lines)):
        return _read_gaps(lines, text)
    first = next((i for i, line in enumerate(lines) if _ANSWER.match(line.strip())), None)
    if first is None:
        raise ValueError("a quiz without answers; write `- [x] ...` or `[[...]]`")
    stem = text(lines[:first])
    if not stem:
        raise ValueError("a quiz without a question before its answers")
    found: list[tuple[bool, str, str]] = []
    at = first
    while at < len(lines):
        match = _ANSWER.match(lines[at].strip())
        if match:
            quoted = []
            while at + 1 < len(lines) and (quote := _QUOTE.match(lines[at + 1])):
                quoted.append(quote[1])
                at += 1
            found.append((match[1].lower() == "x", text([match[2]]), text(quoted)))
        elif lines[at].strip():
            break
        at += 1
    rest = lines[at:]
    if any(_ANSWER.match(line.strip()) for line in rest) and _QUOTE.match(rest[0]):
        raise ValueError("feedback that does not follow its answer at once; remove the blank line")
    rights = [right for right, _, _ in found]
    if not any(rights):
        raise ValueError("no right answer; mark one with [x]")
    single = sum(rights) == 1
    why, named = split_source(text(rest))
    shares = [float(right) for right in rights] if single else even_shares(rights)
    return Item(
        kind="single" if single else "multiple",
        stem=stem,
        why=why,
        source=named,
        choices=tuple(
            Choice(said, share, quoted)
            for (_, said, quoted), share in zip(found, shares, strict=True)
        ),
    )


def _read_gaps(lines: list[str], text: Callable[[list[str]], str]) -> Item:
    cut = next((i for i, line in enumerate(lines) if line.strip() == "---"), len(lines))
    blanks: list[Blank] = []

    def name(match: re.Match[str]) -> str:
        blanks.append(Blank(str(len(blanks) + 1), (Accepted(match[1].strip()),)))
        return f"[[{len(blanks)}]]"

    stem = _GAP.sub(name, text(lines[:cut]))
    if not blanks:
        raise ValueError("a gap after the rule `---`; put it before")
    why, source = split_source(text(lines[cut + 1 :]))
    return Item(kind="blanks", stem=stem, blanks=tuple(blanks), why=why, source=source)


def _dedent(source: str) -> str:
    """Without the indentation that a quiz has in a tab or a list."""
    lines = source.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()), default=0)
    return "\n".join([lines[0].strip(), *(line[margin:] for line in lines[1:])])


def write(bank: Bank, name: str = "quiz") -> Exported:
    losses: list[Loss] = []
    parts = [f"# {bank.title}\n"] if bank.title else []
    parts += [f"{bank.intro}\n"] if bank.intro else []
    for item in bank.items:
        if written := _write_item(item, losses):
            parts.append(f"<quiz>\n{written}\n</quiz>\n")
    return Exported({f"{name}.md": "\n".join(parts).encode()}, tuple(losses))


def _write_item(item: Item, losses: list[Loss]) -> str:
    if item.lacks_key:
        losses.append(item.loss("dropped", "question", "its number is not known"))
        return ""
    why = with_source(item)
    gap = _as_gaps(item, losses)
    if gap is not None:
        body = f"{gap}\n\n---\n{why}" if why else gap
    elif item.kind in ("single", "multiple", "truefalse"):
        body = _write_choices(item, losses)
        body += f"\n\n{why}" if why else ""
        rights = sum(choice.fraction > 0 for choice in item.choices)
        if rights == 0:
            losses.append(item.loss("dropped", "question", "without a right answer"))
            return ""
        if (rights == 1) == (item.kind == "multiple"):
            other = "single" if rights == 1 else "multiple"
            losses.append(item.loss("changed", "kind", f"{rights} right answers make it {other}"))
    else:
        losses.append(item.loss("dropped", "question", f"mkdocs-quiz has no {item.kind} question"))
        return ""
    is_choice = bool(item.choices)
    losses += item.not_carried({"feedback"} if is_choice else set(), "mkdocs-quiz")
    if is_choice and not are_even(item.choices) and any(0 < c.fraction < 1 for c in item.choices):
        losses.append(item.loss("dropped", "partial points", "mkdocs-quiz gives all or nothing"))
    return body


def _as_gaps(item: Item, losses: list[Loss]) -> str | None:
    """The text with its gaps, or None where typing one answer is not what is asked."""
    if item.kind == "blanks":
        stem = item.stem
        for blank in item.blanks:
            if len(blank.accepted) > 1 or blank.options:
                why = "only one typed text is right there"
                losses.append(item.loss("changed", f"gap {blank.name}", why))
            stem = stem.replace(f"[[{blank.name}]]", f"[[{_gap(blank.accepted[0].text)}]]")
        return stem
    if item.kind == "text":
        best = max(item.accepted, key=lambda answer: answer.fraction)
        if len(item.accepted) > 1:
            why = f"only {best.text!r} is right there"
            losses.append(item.loss("dropped", "other accepted texts", why))
        answer = best.text
        if best.pattern:
            losses.append(item.loss("changed", "pattern", "a pattern becomes a text"))
    elif item.kind == "number":
        best_band = max(item.bands, key=lambda band: band.fraction)
        answer = f"{best_band.centre:.12g}"
        losses.append(item.loss("dropped", "tolerance", f"only {answer} is right there"))
    else:
        return None
    return f"{item.stem}\n\n[[{_gap(answer)}]]"


def _gap(text: str) -> str:
    return text.replace("]", ")").replace("[", "(").replace("\n", " ")


def _write_choices(item: Item, losses: list[Loss]) -> str:
    lines = [item.stem.replace("\n- [", "\n* ["), ""]
    for choice in item.choices:
        lines.append(f"- [{'x' if choice.fraction > 0 else ' '}] {' '.join(choice.text.split())}")
        if "\n" in choice.text.replace("  \n", ""):
            losses.append(item.loss("changed", "option", "set on one line"))
        lines += [f"> {line}".rstrip() for line in choice.feedback.split("\n") if choice.feedback]
    return "\n".join(lines)
