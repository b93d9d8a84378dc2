"""Moodle XML, as question/format/xml/format.php reads and writes it.

Rules that surprise: in number and text questions the first answer that fits counts, so bands may
overlap; an answer `*` catches what is left; a sub-question without a text is a partner that
misleads; the share of an ordering item is its place; `<single>` decides between one and several.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from xml.sax.saxutils import escape, quoteattr

from api.formats.gift import (
    answer_text,
    band_around,
    pattern,
    split_source,
    with_source,
)
from api.formats.model import (
    EVERY_NUMBER,
    Accepted,
    Band,
    Bank,
    Blank,
    Choice,
    Exported,
    Imported,
    Item,
    Kind,
    Loss,
    Pair,
    Unreadable,
    number_text,
    percent,
    share,
)
from api.formats.text import from_html, from_markdown, from_plain, looks_like_html, to_plain
from api.formats.xml import Node, read_xml
from api.markup import Problem

NAME = "moodle"
EXTENSIONS = (".xml",)

KINDS: dict[str, Kind] = {
    "truefalse": "truefalse",
    "shortanswer": "text",
    "numerical": "number",
    "matching": "match",
    "match": "match",
    "essay": "essay",
    "description": "description",
    "ordering": "order",
    "ddwtos": "blanks",
    "gapselect": "blanks",
}
# What a question can say that neither changes what it asks nor what counts as right.
SILENT = {
    *("name", "questiontext", "generalfeedback", "defaultgrade", "penalty", "hidden", "idnumber"),
    *("single", "shuffleanswers", "answer", "hint", "tags", "correctfeedback", "subquestion"),
    *("partiallycorrectfeedback", "incorrectfeedback", "usecase", "dragbox", "selectoption"),
    *("units", "image", "image_base64", "shownumcorrect", "answernumbering", "showgrading"),
    *("showstandardinstruction", "coursetags", "numberingstyle"),
}
# Other fields, and the values that Moodle writes when nobody has chosen anything.
USUAL = {
    "responseformat": {"editor"},
    "responserequired": {"1"},
    "responsefieldlines": {"15", "10"},
    "attachments": {"0"},
    "attachmentsrequired": {"0"},
    "maxbytes": {"0"},
    "unitgradingtype": {"0"},
    "unitpenalty": {"0.1", "0.1000000"},
    "showunits": {"3"},
    "unitsleft": {"0"},
    "layouttype": {"VERTICAL"},
    "selecttype": {"ALL"},
    "selectcount": {"0"},
}

CARRIED = {
    *("id", "name", "category", "tags", "hints", "unit", "letter case", "points", "penalty"),
    *("fixed order of the options", "hidden", "feedback"),
    "remarks for right, partly right and wrong",
}


def looks_like(path: str, text: str) -> bool:
    return bool(re.search(r"<quiz[\s>]", text[:4000])) and "<question" in text


def read(path: str, data: bytes) -> Imported:
    """Raises Unreadable where the file is no Moodle XML or holds an impossible value."""
    root = read_xml(path, data)
    if root.tag != "quiz":
        raise Unreadable(Problem(path, root.line, f"<{root.tag}> where Moodle has <quiz>"))
    file = _File(path)
    category, problems = "", []
    for node in root.children:
        if node.tag != "question":
            where = Item(kind="description", stem="", name=f"<{node.tag}>", path=path)
            file.losses.append(where.but(line=node.line).loss("dropped", "element", "not Moodle's"))
        elif node.get("type") == "category":
            category = _plain(node.find("category"))
            file.category(node, category)
        else:
            try:
                file.question(node, category)
            except ValueError as error:
                problems.append(Problem(path, node.line, str(error)))
    if problems:
        raise Unreadable(*problems)
    return Imported(Bank(items=tuple(file.items), files=file.files), tuple(file.losses), NAME)


def _plain(node: Node | None) -> str:
    """What stands in `<text>`, or in the element itself, without markup."""
    if node is None:
        return ""
    text = node.find("text")
    return (text or node).text


def _is_true(node: Node | None) -> bool:
    return _plain(node).lower() in ("1", "true", "yes")


class _File:
    """Gathers the questions, the pictures and what could not be kept."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.items: list[Item] = []
        self.losses: list[Loss] = []
        self.files: dict[str, bytes] = {}
        self.notes: list[tuple[str, str, str]] = []  # of the question at hand

    def category(self, node: Node, category: str) -> None:
        if _plain(node.find("info")):
            item = Item(kind="description", stem="", name=category, path=self.path, line=node.line)
            self.losses.append(item.loss("dropped", "description of a category", "no place for it"))

    def question(self, node: Node, category: str) -> None:
        self.notes = []
        type_ = node.get("type")
        name = " ".join(_plain(node.find("name")).split())
        item = Item(
            kind="description",
            stem="",
            name=name,
            path=self.path,
            line=node.line,
            id=_plain(node.find("idnumber")),
        )
        if type_ not in KINDS and type_ != "multichoice":
            reason = f"a question of type {type_ or '?'!r} has no counterpart"
            self.losses.append(item.loss("dropped", "question", reason))
            return
        self.stem_files: dict[str, str] = {}
        why, source = split_source(self.text(node.find("generalfeedback")))
        item = item.but(
            kind=KINDS.get(type_, "single"),
            stem=self.text(node.find("questiontext")),
            why=why,
            source=source,
            when_right=self.text(node.find("correctfeedback")),
            when_partly=self.text(node.find("partiallycorrectfeedback")),
            when_wrong=self.text(node.find("incorrectfeedback")),
            hints=tuple(hint for each in node.each("hint") if (hint := self.text(each))),
            tags=tuple(_plain(tag) for tags in node.each("tags") for tag in tags.each("tag")),
            category=category,
            points=_number(node, "defaultgrade"),
            penalty=_number(node, "penalty"),
            shuffle=_is_true(node.find("shuffleanswers")) if node.find("shuffleanswers") else None,
            hidden=_is_true(node.find("hidden")),
        )
        item = self.answered(item, node, type_)
        self.other_fields(node)
        self.items.append(item)
        self.losses += [item.loss(kind, what, why) for kind, what, why in self.notes]  # type: ignore[arg-type]

    def other_fields(self, node: Node) -> None:
        for child in node.children:
            value = _plain(child)
            if child.tag in SILENT or not (value or child.children):
                continue
            if value and value not in USUAL.get(child.tag, {"0", "0.0000000"}):
                self.notes.append(("dropped", child.tag, f"{_short(value)!r} has no place"))
        if any(
            hint.find("clearwrong") or hint.find("shownumcorrect") for hint in node.each("hint")
        ):
            self.notes.append(("dropped", "hint options", "a hint is only a text"))
        if node.find("image_base64"):
            self.notes.append(("dropped", "picture", "an <image> of Moodle before 2.0"))

    def text(self, node: Node | None, otherwise: str = "html") -> str:
        if node is None:
            return ""
        for file in node.each("file"):
            self.attach(file)
        return self.markdown(_plain(node), node.get("format") or otherwise)

    def markdown(self, text: str, format_: str) -> str:
        is_plain = format_ == "moodle_auto_format" and not looks_like_html(text)
        if format_ == "markdown":
            markdown, remarks = from_markdown(text)
        elif format_ == "plain_text" or is_plain:
            markdown, remarks = from_plain(text), set()
        else:
            markdown, remarks = from_html(text)
        self.notes += [("changed", "text", remark) for remark in sorted(remarks)]
        return re.sub(r"@@PLUGINFILE@@/+", "", markdown)

    def attach(self, file: Node) -> None:
        name = re.sub(r"[^\w.-]+", "%20", PurePosixPath(file.get("name") or "file").name)
        try:
            content = base64.b64decode(re.sub(r"\s+", "", file.text), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"the file {file.get('name')!r} is no sound base64") from error
        if picture_type(content) is None:
            self.notes.append(("dropped", f"file {name}", "no PNG, JPEG, GIF or WebP picture"))
        elif self.files.get(name, content) != content:
            self.notes.append(("dropped", f"file {name}", "another file has this name"))
        else:
            self.files[name] = content

    def answered(self, item: Item, node: Node, type_: str) -> Item:
        match item.kind:
            case "single":
                several = node.find("single") is not None and not _is_true(node.find("single"))
                choices = tuple(
                    Choice(self.text(a), _fraction(a), self.text(a.find("feedback")))
                    for a in node.each("answer")
                )
                return item.but(kind="multiple" if several else "single", choices=choices)
            case "truefalse":
                return item.but(choices=self.true_or_false(node))
            case "text":
                accepted = tuple(
                    pattern(_plain(a), _fraction(a), self.text(a.find("feedback")))
                    for a in node.each("answer")
                )
                return item.but(accepted=accepted, case_matters=_is_true(node.find("usecase")))
            case "number":
                bands = tuple(self.band(answer) for answer in node.each("answer"))
                return item.but(bands=bands, unit=self.unit(node))
            case "match":
                return item.but(pairs=tuple(self.pairs(node)))
            case "order":
                ordered = sorted(node.each("answer"), key=lambda a: _float(a.get("fraction", "0")))
                return item.but(choices=tuple(Choice(self.text(a)) for a in ordered))
            case "blanks":
                return self.blanks(item, node, type_)
            case _:
                return item

    def true_or_false(self, node: Node) -> tuple[Choice, ...]:
        found = {"true": Choice("True"), "false": Choice("False")}
        for answer in node.each("answer"):
            word = _plain(answer).lower()
            if word not in found:
                raise ValueError(f"{word!r} is neither true nor false")
            remark = self.text(answer.find("feedback"))
            found[word] = found[word]._replace(fraction=_fraction(answer), feedback=remark)
        return found["true"], found["false"]

    def band(self, answer: Node) -> Band:
        remark, fraction = self.text(answer.find("feedback")), _fraction(answer)
        if _plain(answer) == "*":
            return EVERY_NUMBER._replace(fraction=fraction, feedback=remark)
        # Moodle before 1.9 wrote the margin as an attribute of the answer's text.
        band = band_around(_plain(answer).replace(",", "."), _plain(answer.find("tolerance")))
        return band._replace(fraction=fraction, feedback=remark)

    def unit(self, node: Node) -> str:
        units = [u for all_ in node.each("units") for u in all_.each("unit")]
        names = [_plain(unit.find("unit_name")) for unit in units]
        if len(names) > 1:
            self.notes.append(("dropped", "units", f"only {names[0]!r} is kept of {len(names)}"))
        return names[0] if names else ""

    def pairs(self, node: Node) -> Iterable[Pair]:
        for each in node.each("subquestion"):
            answer = each.find("answer")
            right = self.text(answer, "plain_text") if answer else ""
            yield Pair(self.text(each), right)

    def blanks(self, item: Item, node: Node, type_: str) -> Item:
        boxes = [*node.each("dragbox"), *node.each("selectoption")]
        texts = [self.text(box, "html") for box in boxes]
        groups = [_plain(box.find("group")) or "1" for box in boxes]
        blanks: list[Blank] = []
        names: dict[str, str] = {}
        for number in _GAP.findall(item.stem):
            index = int(number) - 1
            if not 0 <= index < len(boxes):
                raise ValueError(f"a gap [[{number}]] for which there is no word")
            if number in names:
                self.notes.append(("changed", "a gap", "stands twice and is asked once"))
                continue
            names[number] = str(len(names) + 1)
            group = [t for t, g in zip(texts, groups, strict=True) if g == groups[index]]
            # The right word first: where it stands among the others says nothing.
            options = tuple(dict.fromkeys([texts[index], *group]))
            blanks.append(Blank(names[number], (Accepted(texts[index]),), options))
        stem = _GAP.sub(lambda match: f"[[{names[match[1]]}]]", item.stem)
        return item.but(stem=stem, blanks=tuple(blanks))


# The brackets may have been escaped when HTML became Markdown.
_GAP = re.compile(r"\\?\[\\?\[(\d+)\\?\]\\?\]")


def picture_type(content: bytes) -> str | None:
    """The kind of a picture by its first bytes, or None if it is none that a page may show."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def _fraction(node: Node) -> float:
    text = node.get("fraction", "0")
    try:
        return share(text)
    except ValueError as error:
        raise ValueError(f"a fraction of {text!r}; write a percentage, as 50") from error


def _number(node: Node, tag: str) -> float | None:
    text = _plain(node.find(tag))
    return _float(text) if text else None


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{_short(text)!r} is not a number") from error


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


TYPES = {
    "single": "multichoice",
    "multiple": "multichoice",
    "truefalse": "truefalse",
    "number": "numerical",
    "text": "shortanswer",
    "match": "matching",
    "order": "ordering",
    "essay": "essay",
    "description": "description",
    "blanks": "gapselect",
}


def write(bank: Bank, name: str = "quiz") -> Exported:
    losses: list[Loss] = []
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<quiz>"]
    title = f"$course$/{bank.title.replace('/', '//')}" if bank.title else ""
    category = ""
    for item in bank.items:
        wanted = item.category or title
        if wanted != category:
            category = wanted
            lines.append(
                f'  <question type="category"><category>{_text(category)}</category></question>'
            )
        lines += _Question(item, bank, losses).lines()
    lines.append("</quiz>")
    return Exported({f"{name}.xml": ("\n".join(lines) + "\n").encode()}, tuple(losses))


_FORBIDDEN = re.compile("[^\\t\\n\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def _text(text: str) -> str:
    """Signs that XML forbids cannot be carried at all."""
    return f"<text>{escape(_FORBIDDEN.sub('', text))}</text>"


class _Question:
    def __init__(self, item: Item, bank: Bank, losses: list[Loss]) -> None:
        self.item, self.bank, self.losses = item, bank, losses
        self.attached: set[str] = set()

    def markdown(self, tag: str, text: str, more: str = "", attributes: str = "") -> str:
        files = ""
        for name in sorted(self.bank.files):
            if f"]({name})" in text:
                self.attached.add(name)
                text = text.replace(f"]({name})", f"](@@PLUGINFILE@@/{name})")
                content = base64.b64encode(self.bank.files[name]).decode()
                files += f'<file name={quoteattr(name)} path="/" encoding="base64">{content}</file>'
        return f'    <{tag}{attributes} format="markdown">{_text(text)}{files}{more}</{tag}>'

    def answer(self, text: str, fraction: float, feedback: str, more: str = "") -> str:
        remark = f'<feedback format="markdown">{_text(feedback)}</feedback>'
        return (
            f'    <answer fraction="{percent(fraction)}" format="moodle_auto_format">'
            f"{_text(text)}{remark}{more}</answer>"
        )

    def lines(self) -> list[str]:
        answers = self.answers()
        if answers is None:
            return []
        item = self.item
        flag: Callable[[bool], str] = lambda value: "true" if value else "false"  # noqa: E731
        lines = [
            f'  <question type="{TYPES[item.kind]}">',
            f"    <name>{_text(item.name)}</name>",
            self.markdown("questiontext", item.stem),
            self.markdown("generalfeedback", with_source(item)),
        ]
        if item.points is not None:
            lines.append(f"    <defaultgrade>{number_text(item.points)}</defaultgrade>")
        if item.penalty is not None:
            lines.append(f"    <penalty>{number_text(item.penalty)}</penalty>")
        lines.append(f"    <hidden>{int(item.hidden)}</hidden>")
        lines.append(f"    <idnumber>{escape(item.id)}</idnumber>")
        if item.kind in ("single", "multiple"):
            lines.append(f"    <single>{flag(item.kind == 'single')}</single>")
        if item.shuffle is not None:
            lines.append(f"    <shuffleanswers>{flag(item.shuffle)}</shuffleanswers>")
        for tag, remark in (
            ("correctfeedback", item.when_right),
            ("partiallycorrectfeedback", item.when_partly),
            ("incorrectfeedback", item.when_wrong),
        ):
            if remark:
                lines.append(self.markdown(tag, remark))
        lines += answers
        lines += [self.markdown("hint", hint) for hint in item.hints]
        if item.tags:
            tags = "".join(f"<tag>{_text(tag)}</tag>" for tag in item.tags)
            lines.append(f"    <tags>{tags}</tags>")
        carried = CARRIED if item.kind not in ("blanks", "order") else CARRIED - {"feedback"}
        self.losses += item.not_carried(carried, "Moodle")
        return [*lines, "  </question>"]

    def answers(self) -> list[str] | None:
        item = self.item
        match item.kind:
            case "single" | "multiple":
                return [
                    self.markdown(
                        "answer",
                        choice.text,
                        self.markdown("feedback", choice.feedback).strip(),
                        f' fraction="{percent(choice.fraction)}"',
                    )
                    for choice in item.choices
                ]
            case "truefalse":
                return [self.answer(c.text.lower(), c.fraction, c.feedback) for c in item.choices]
            case "text":
                answers = [
                    self.answer(answer_text(a), a.fraction, a.feedback) for a in item.accepted
                ]
                return [f"    <usecase>{int(item.case_matters)}</usecase>", *answers]
            case "number" if item.lacks_key:
                self.losses.append(item.loss("dropped", "question", "its number is not known"))
                return None
            case "number":
                return self.bands()
            case "match":
                return [self.pair(pair) for pair in item.pairs]
            case "order":
                return [
                    self.markdown("answer", choice.text, "", f' fraction="{place}"')
                    for place, choice in enumerate(item.choices, 1)
                ]
            case "blanks":
                return self.blanks()
            case _:
                return []

    def pair(self, pair: Pair) -> str:
        plain = to_plain(pair.right)
        if from_plain(plain) != pair.right:
            why = "a partner is plain text in Moodle"
            self.losses.append(self.item.loss("changed", "formatting", why))
        return self.markdown("subquestion", pair.left, f"<answer>{_text(plain)}</answer>")

    def bands(self) -> list[str]:
        lines = []
        for band in self.item.bands:
            if band.catches_all:
                lines.append(self.answer("*", band.fraction, band.feedback))
                continue
            if not band.is_even:
                why = "Moodle includes both edges, as far from the value on either side"
                self.losses.append(self.item.loss("changed", "edges of a band", why))
            if band.relative is not None or band.digits is not None:
                why = "written as an absolute margin"
                self.losses.append(self.item.loss("changed", "tolerance", why))
            margin = f"<tolerance>{number_text(band.margin)}</tolerance>"
            number = number_text(band.centre)
            lines.append(self.answer(number, band.fraction, band.feedback, margin))
        if self.item.unit:
            unit = f"<multiplier>1</multiplier><unit_name>{escape(self.item.unit)}</unit_name>"
            lines.append(f"    <units><unit>{unit}</unit></units>")
        return lines

    def blanks(self) -> list[str] | None:
        """Words to choose from. What is typed in a gap has a counterpart only in cloze."""
        item = self.item
        if not all(blank.options for blank in item.blanks):
            why = "gaps to type into: Moodle has them only in its cloze questions"
            self.losses.append(item.loss("dropped", "question", why))
            return None
        stem, lines = item.stem, []
        boxes: list[tuple[str, int]] = [
            (blank.accepted[0].text, group) for group, blank in enumerate(item.blanks, 1)
        ]
        for group, blank in enumerate(item.blanks, 1):
            stem = stem.replace(f"[[{blank.name}]]", f"\ue000{group}\ue001")
            boxes += [(o, group) for o in blank.options if o != blank.accepted[0].text]
        self.item = item.but(stem=re.sub("\ue000(\\d+)\ue001", r"[[\1]]", stem))
        for text, group in boxes:
            lines.append(f"    <selectoption>{_text(text)}<group>{group}</group></selectoption>")
        return lines
