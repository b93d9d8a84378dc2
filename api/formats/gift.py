"""GIFT, as Moodle reads and writes it (question/format/gift/format.php).

Rules that surprise: one `~` anywhere makes a choice question; without any `=` it allows several
answers; `=a -> b` without a `~` is matching; in a number question `a..b` is centre and margin, and
the first band that holds an answer counts; two remarks of a true-or-false question are those for a
wrong and for a right answer, in this order; a lone backslash is a backslash.
"""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from api.formats.model import (
    EVERY_NUMBER,
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
    number_text,
    percent,
    share,
    tidy,
)
from api.formats.text import (
    PICTURE,
    from_html,
    from_markdown,
    from_plain,
    looks_like_html,
    to_plain,
)
from api.markup import Problem

NAME = "gift"
EXTENSIONS = (".gift", ".txt")

CARRIED = {"id", "name", "category", "tags", "feedback"}

# While the structure is read, an escaped sign is a character that Unicode keeps free of meaning.
_SIGNS = "~=#{}:\n"
_HIDDEN = "\ufdd0\ufdd1\ufdd2\ufdd3\ufdd4\ufdd5\ufdd6"
_HIDE = dict(zip(_SIGNS.replace("\n", "n"), _HIDDEN, strict=True))
_SHOW = {ord(hidden): sign for hidden, sign in zip(_HIDDEN, _SIGNS, strict=True)}
_WEIGHT = re.compile(r"%(-*\d{1,2}\.?\d*)%")
_FORMAT = re.compile(r"\[(moodle|html|plain|markdown)\]")
_ID = re.compile(r"\[id:((?:\\\]|[^\]\[\x00-\x1f])+)\]")
_TAG = re.compile(r"\[tag:((?:\\\]|[^\]<>`\x00-\x1f])+)\]")


def looks_like(path: str, text: str) -> bool:
    if path.lower().endswith(".gift"):
        return True
    if path.lower().endswith((".md", ".markdown")):  # braces of code look much like answers
        return False
    if re.search(r"^[ \t]*(\$CATEGORY:|::.{1,250}?::)", text, re.M):
        return True
    answers = re.search(r"(?<!\\)\{[^{}]*(?<!\\)\}", text, re.S)
    return bool(answers and re.match(r"\{\s*([=~#]|T|F|\})", answers[0]))


def read(path: str, data: bytes) -> Imported:
    """Raises Unreadable with every question that has no sense."""
    text = decode(path, data)
    items: list[Item] = []
    losses: list[Loss] = []
    problems: list[Problem] = []
    category = ""
    for line, lines in _questions(text, path):
        source = _hidden("\n".join(lines)).strip()
        if match := re.match(r"\$CATEGORY:\s*(.*)", source, re.S):
            category = match[1].translate(_SHOW).strip()
            continue
        reader = _Question(path, line, category)
        try:
            item = reader.read(source, [text for text in lines if text.strip().startswith("//")])
        except ValueError as error:
            problems.append(Problem(path, line, str(error)))
            continue
        if item:
            items.append(item)
            losses += [item.loss("changed", "text", r) for r in sorted(reader.remarks)]
            losses += [item.loss("dropped", "picture", p) for p in sorted(reader.pictures)]
    if problems:
        raise Unreadable(*problems)
    return Imported(Bank(items=tuple(items)), tuple(losses), NAME)


def decode(path: str, data: bytes) -> str:
    """UTF-8 text with one kind of line end. Raises Unreadable."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(Problem(path, line, "not UTF-8; save the file as UTF-8")) from error
    if found := re.search(f"[\0{_HIDDEN}\ue000\ue001]", text):
        line = text.count("\n", 0, found.start()) + 1
        reason = f"an invisible control character (U+{ord(found[0]):04X}); remove it"
        raise Unreadable(Problem(path, line, reason))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _questions(text: str, path: str) -> list[tuple[int, list[str]]]:
    """The lines of each question and the number of its first. A blank line ends one, unless
    its braces are still open."""
    found: list[tuple[int, list[str]]] = []
    lines: list[str] = []
    first, is_open = 0, False
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.strip():
            if is_open and re.match(r"\s*(::|\$CATEGORY:)", line) and not lines[-1].strip():
                raise Unreadable(Problem(path, first, "an opening brace that is never closed"))
            if not lines:
                first = number
            lines.append(line)
            if not line.strip().startswith("//"):
                bare = re.sub(r"\\.", "", line)
                is_open = bare.rfind("{") > bare.rfind("}") if re.search("[{}]", bare) else is_open
        elif is_open:
            lines.append(line)
        elif lines:
            found.append((first, lines))
            lines = []
    if lines and is_open:
        raise Unreadable(Problem(path, first, "an opening brace that is never closed"))
    return found


def _hidden(text: str) -> str:
    kept = [" " if line.strip().startswith("//") else line for line in text.split("\n")]
    text = "\n".join(kept)
    return re.sub(r"\\([~=#{}:n\\])", lambda m: _HIDE.get(m[1], m[1]), text)


class _Question:
    def __init__(self, path: str, line: int, category: str) -> None:
        self.path, self.line, self.category = path, line, category
        self.format = "moodle"
        self.remarks: set[str] = set()
        self.pictures: set[str] = set()

    def read(self, source: str, comments: list[str]) -> Item | None:
        """Raises ValueError with what is wrong."""
        if not source:
            return None
        name = ""
        if source.startswith("::") and "::" in source[2:]:
            name, _, source = source[2:].partition("::")
        stem, answers, behind = self._parts(source.strip())
        if match := _FORMAT.match(stem.lstrip()):
            self.format = match[1]
            stem = stem.lstrip()[match.end() :]
        if answers is not None and behind:
            stem = f"{stem}_____{behind}" if not behind[0].isalnum() else f"{stem}_____ {behind}"
        why = ""
        if answers is not None and "####" in answers:
            answers, _, why = answers.rpartition("####")
        comment = "\n".join(comments)
        found_id = _ID.search(comment)
        explanation, named = split_source(self.text(why))
        item = Item(
            kind="description",
            stem=self.text(stem),
            name=" ".join(name.translate(_SHOW).split()),
            id=found_id[1].replace("\\]", "]").strip() if found_id else "",
            tags=tuple(tag.replace("\\]", "]").strip() for tag in _TAG.findall(comment)),
            category=self.category,
            why=explanation,
            source=named,
            line=self.line,
            path=self.path,
        )
        return item if answers is None else self._answered(item, answers.strip())

    def _parts(self, source: str) -> tuple[str, str | None, str]:
        start, end = source.find("{"), source.find("}")
        if start < 0 and end < 0:
            return source, None, ""
        if start < 0 or end < start:
            raise ValueError("a brace without its partner; write \\{ or \\} for the sign itself")
        return source[:start], source[start + 1 : end], source[end + 1 :].strip()

    def text(self, source: str) -> str:
        """A text in the format that it names, or else in that of the stem."""
        source = source.strip()
        kind = self.format
        if match := _FORMAT.match(source):
            kind, source = match[1], source[match.end() :]
        if kind == "markdown":
            markdown, remarks = from_markdown(source.translate(_SHOW))
        elif kind == "html" or (kind == "moodle" and looks_like_html(source)):
            markdown, remarks = from_html(source.translate(_SHOW))
        else:
            # A written \n is a line of its own; a line end in the file only wraps the text.
            lines = source.replace("\ufdd6", "  \ufdd6").translate(_SHOW)
            markdown, remarks = from_plain(re.sub(r"(?<! )\n[ \t]+", "\n", lines)), set()
        self.remarks |= remarks
        self.pictures |= {
            f"{match['src']} lies in Moodle; a GIFT file holds no pictures"
            for match in PICTURE.finditer(markdown)
            if match["src"].startswith("@@PLUGINFILE@@")
        }
        return PICTURE.sub(
            lambda m: (
                f"({m['alt'] or m['src'].rpartition('/')[2]})"
                if m["src"].startswith("@@PLUGINFILE@@")
                else m[0]
            ),
            markdown,
        )

    def _answered(self, item: Item, answers: str) -> Item:
        if not answers:
            return item.but(kind="essay")
        if answers.startswith("#"):
            return item.but(kind="number", bands=tuple(self._bands(answers[1:])))
        if "~" in answers:
            choices = tuple(self._choices(answers))
            if len(choices) < 2:
                raise ValueError("one answer is no choice; offer two or more")
            return item.but(kind="single" if "=" in answers else "multiple", choices=choices)
        if "=" in answers and "->" in answers:
            pairs = tuple(self._pairs(answers))
            if len(pairs) < 2:
                raise ValueError("one pair is nothing to match; give two or more")
            return item.but(kind="match", pairs=pairs)
        word = answers.partition("#")[0].strip()
        if word in ("T", "TRUE", "F", "FALSE"):
            return item.but(kind="truefalse", choices=self._true_or_false(answers))
        accepted = tuple(self._accepted(answers))
        if not any(answer.text for answer in accepted):
            raise ValueError("no answer between the braces")
        return item.but(kind="text", accepted=accepted)

    def _weighed(self, answer: str, otherwise: float) -> tuple[float, str, str]:
        """The share, the answer as it stands, and the remark on it."""
        weight = otherwise
        if match := _WEIGHT.match(answer):
            weight, answer = share(re.sub("^-+", "-", match[1])), answer[match.end() :]
        said, _, remark = answer.partition("#")
        return weight, said.strip(), self.text(remark)

    def _choices(self, answers: str) -> list[Choice]:
        choices = []
        for answer in _split("~", answers.replace("=", "~=")):
            if answer.startswith("="):
                _, said, remark = self._weighed(" " + answer[1:].strip(), 1.0)
                choices.append(Choice(self.text(said), 1.0, remark))
            else:
                weight, said, remark = self._weighed(answer, 0.0)
                choices.append(Choice(self.text(said), weight, remark))
        return choices

    def _pairs(self, answers: str) -> list[Pair]:
        pairs = []
        for answer in _split("=", answers):
            left, arrow, right = answer.partition("->")
            if not arrow:
                raise ValueError(f"{answer.translate(_SHOW)!r} has no partner; write left -> right")
            pairs.append(Pair(self.text(left), from_plain(right.translate(_SHOW))))
        return pairs

    def _true_or_false(self, answers: str) -> tuple[Choice, ...]:
        word, wrong, right = [*answers.split("#", 2), "", ""][:3]
        wrong, right = self.text(wrong), self.text(right)
        if word.strip().startswith("T"):
            return Choice("True", 1.0, right), Choice("False", 0.0, wrong)
        return Choice("True", 0.0, wrong), Choice("False", 1.0, right)

    def _accepted(self, answers: str) -> list[Accepted]:
        accepted = []
        for answer in _split("=", answers):
            weight, said, remark = self._weighed(answer, 1.0)
            accepted.append(pattern(_bare(said), weight, remark))
        return accepted

    def _bands(self, answers: str) -> list[Band]:
        answers, tilde, rest = answers.partition("~")
        bands = []
        for answer in _split("=", answers):
            weight, said, remark = self._weighed(answer, 1.0)
            bands.append(_band(_bare(said))._replace(fraction=weight, feedback=remark))
        if not bands:
            raise ValueError("no number between the braces")
        if tilde:
            remark = rest.partition("#")[2]
            bands.append(EVERY_NUMBER._replace(feedback=self.text(remark)))
        return bands


def _bare(said: str) -> str:
    """An answer that is compared as it is, so that no Markdown may get into it."""
    match = _FORMAT.match(said)
    return (said[match.end() :] if match else said).translate(_SHOW).strip()


def _split(sign: str, answers: str) -> list[str]:
    parts = [part.strip() for part in answers.split(sign)]
    return parts if parts[0] else parts[1:]


def pattern(text: str, fraction: float, feedback: str) -> Accepted:
    r"""Moodle's short answers: `*` is any text, `\*` the sign itself."""
    if re.search(r"(?<!\\)\*", text):
        return Accepted(text, fraction, feedback, pattern=True)
    return Accepted(text.replace("\\*", "*"), fraction, feedback)


def band_around(value: str, margin: str) -> Band:
    """The numbers as near to a value as the margin says. Raises ValueError."""
    centre, allowed = _decimal(value), abs(_decimal(margin or "0"))
    return Band(float(centre - allowed), float(centre + allowed), float(centre))


def _band(said: str) -> Band:
    if said == "*":
        return EVERY_NUMBER
    if ".." in said[1:]:
        low, high = sorted(_decimal(part) for part in said.split("..", 1))
        return Band(float(low), float(high), tidy(float((low + high) / 2)))
    value, _, margin = said.partition(":")
    return band_around(value, margin)


def _decimal(text: str) -> Decimal:
    text = text.strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or abs(number) > Decimal("1e300"):
        raise ValueError(f"{text!r} is not a number")
    return number


def write(bank: Bank, name: str = "quiz") -> Exported:
    losses: list[Loss] = []
    parts: list[str] = []
    category = ""
    if bank.title or bank.intro:
        parts.append("".join(f"// {line}\n" for line in [bank.title, *bank.intro.split("\n")]))
    for item in bank.items:
        if item.category != category:
            category = item.category
            parts.append(f"$CATEGORY: {category}\n")
        written = _item(item, losses)
        if written:
            parts.append(written)
    return Exported({f"{name}.gift": "\n".join(parts).encode()}, tuple(losses))


def _item(item: Item, losses: list[Loss]) -> str | None:
    lines = []
    labels = [f"[id:{_label(item.id)}]"] if item.id else []
    labels += [f"[tag:{_label(tag)}]" for tag in item.tags]
    if labels:
        lines.append("// " + " ".join(labels))
    head = f"::{_escape(item.name)}::" if item.name else ""
    answers = _answers(item, losses)
    if answers is None and item.kind != "description":
        return None
    losses += item.not_carried(CARRIED, "GIFT")
    why = with_source(item)
    general = f"\t####{_formatted(why)}\n" if why else ""
    stem = f"{head}[markdown]{_escape(item.stem)}"
    if answers is None:
        if why:
            losses.append(item.loss("dropped", "explanation", "a description has none in GIFT"))
        return "\n".join([*lines, stem]) + "\n"
    return "\n".join([*lines, f"{stem}{{{answers}{general}}}"]) + "\n"


def with_source(item: Item) -> str:
    """The explanation with the source below it, where a system has no place of its own for it."""
    source = f"Source: {item.source}" if item.source else ""
    return "\n\n".join(part for part in (item.why, source) if part)


def split_source(why: str) -> tuple[str, str]:
    """The explanation and the source, if `with_source` put them together."""
    match = re.search(r"(?:\A|\n\n)Source: ([^\n]+)\Z", why)
    return (why[: match.start()], match[1]) if match else (why, "")


def _formatted(text: str) -> str:
    """A text after a format is named for it only where it looks as if it named one itself."""
    return ("[markdown]" if _FORMAT.match(text) else "") + _escape(text)


def _label(text: str) -> str:
    return text.replace("]", "\\]").replace("[", "(").replace("\n", " ")


def _escape(text: str) -> str:
    for sign in "\\~=#{}:":
        text = text.replace(sign, "\\" + sign)
    # Moodle keeps its own line ends out of a question; a bare blank line would end it.
    return text.replace("\n", "\\n")


def _answers(item: Item, losses: list[Loss]) -> str | None:
    match item.kind:
        case "description":
            return None
        case "essay":
            return ""
        case "truefalse":
            return _write_true_or_false(item)
        case "single" | "multiple" if len(item.choices) < 2:
            losses.append(item.loss("dropped", "question", "one answer is no choice in GIFT"))
            return None
        case "single" | "multiple":
            return "\n" + "".join(_write_choices(item))
        case "match":
            return "\n" + "".join(_pair(item, pair, losses) for pair in item.pairs)
        case "text":
            return _write_accepted(item, losses)
        case "number" if item.lacks_key:
            losses.append(item.loss("dropped", "question", "its number is not known"))
            return None
        case "number":
            return _write_bands(item, losses)
        case _:
            losses.append(item.loss("dropped", "question", f"GIFT knows no {item.kind} question"))
            return None


def _write_accepted(item: Item, losses: list[Loss]) -> str | None:
    """An arrow anywhere among the answers would make it a matching question."""
    kept = [answer for answer in item.accepted if "->" not in answer.text]
    if len(kept) < len(item.accepted):
        losses.append(item.loss("dropped", "answers with ->", "GIFT takes them for matching"))
    if not kept:
        losses.append(item.loss("dropped", "question", "no answer is left"))
        return None
    return "\n" + "".join(
        f"\t=%{percent(answer.fraction)}%{_escape(answer_text(answer))}"
        f"{_remark(_without_arrows(item, answer.feedback, losses))}\n"
        for answer in kept
    )


def _without_arrows(item: Item, text: str, losses: list[Loss]) -> str:
    if "->" not in text:
        return text
    losses.append(item.loss("changed", "->", "GIFT takes it for matching; now an arrow sign"))
    return text.replace("->", "→")


def answer_text(answer: Accepted) -> str:
    return answer.text if answer.pattern else answer.text.replace("*", "\\*")


def _remark(text: str) -> str:
    return f"#{_formatted(text)}" if text else ""


def _pair(item: Item, pair: Pair, losses: list[Loss]) -> str:
    plain = to_plain(pair.right)
    if from_plain(plain) != pair.right:
        losses.append(item.loss("changed", "formatting", "a partner is plain text in GIFT"))
    left = _without_arrows(item, pair.left, losses)
    return f"\t={_formatted(left)} -> {_escape(plain)}\n"


def _write_choices(item: Item) -> Iterator[str]:
    """Only the first that is fully right gets `=`: a question of nothing else would be a text."""
    has_right = False
    for choice in item.choices:
        if item.kind == "single" and choice.fraction == 1 and not has_right:
            mark, has_right = "=", True
        elif choice.fraction == 0 and not choice.text.startswith("%"):
            mark = "~"
        else:
            mark = f"~%{percent(choice.fraction)}%"
        yield f"\t{mark}{_formatted(choice.text)}{_remark(choice.feedback)}\n"


def _write_true_or_false(item: Item) -> str:
    yes, no = item.choices
    word, right, wrong = ("TRUE", yes, no) if yes.fraction > 0 else ("FALSE", no, yes)
    remarks = f"#{_formatted(wrong.feedback)}" if wrong.feedback or right.feedback else ""
    return word + remarks + _remark(right.feedback)


def _write_bands(item: Item, losses: list[Loss]) -> str:
    lines = []
    for band in item.bands:
        if band.catches_all and band.fraction == 0:
            lines.append(f"\t~{_remark(band.feedback)}\n")
            continue
        if not band.is_even:
            losses.append(item.loss("changed", "edges of a band", "GIFT includes both"))
        if band.relative is not None or band.digits is not None:
            losses.append(item.loss("changed", "tolerance", "written as an absolute margin"))
        number = f"{number_text(band.centre)}:{number_text(band.margin)}"
        lines.append(f"\t=%{percent(band.fraction)}%{number}{_remark(band.feedback)}\n")
    return "#\n" + "".join(lines)
