"""QTI 1.2, above all as Canvas exports it: a zip package or bare XML.

Rules that surprise: items without metadata say only by their interaction what they are; a text
answer that lists several values means any of them; `<and>` with `<not>` means exactly these
choices; a number may come as a value with its band, as a band alone, or as a half-open one; a
course export holds every quiz twice, once without what the common cartridge cannot say; points
are hundredths in Canvas and plain points elsewhere.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote

from api.formats.archive import read_zip
from api.formats.model import (
    Accepted,
    Band,
    Bank,
    Blank,
    Choice,
    Imported,
    Item,
    Loss,
    Pair,
    Unreadable,
    even_shares,
    share,
    tidy,
)
from api.formats.moodle import picture_type
from api.formats.text import PICTURE, from_html, from_plain
from api.formats.xml import Node, read_xml
from api.markup import Problem

NAME = "qti12"
EXTENSIONS = (".zip", ".imscc", ".xml", ".qti")

BASE = re.compile(r"(?:\$|%24)(?:IMS-CC-FILEBASE|IMS_CC_FILE_?BASE)(?:\$|%24)/?(?:\.\./)?")
TYPES = {  # question_type of Canvas, cc_profile of cartridges, bbmd_questiontype of Blackboard
    "multiple_choice_question": "single",
    "cc.multiple_choice.v0p1": "single",
    "Multiple Choice": "single",
    "true_false_question": "truefalse",
    "cc.true_false.v0p1": "truefalse",
    "True/False": "truefalse",
    "Either/Or": "single",
    "multiple_answers_question": "multiple",
    "cc.multiple_response.v0p1": "multiple",
    "Multiple Answer": "multiple",
    "short_answer_question": "text",
    "cc.fib.v0p1": "text",
    "cc.pattern_match.v0p1": "text",
    "Fill in the Blank": "text",
    "numerical_question": "number",
    "Numeric": "number",
    "essay_question": "essay",
    "cc.essay.v0p1": "essay",
    "Essay": "essay",
    "Short Response": "essay",
    "matching_question": "match",
    "Matching": "match",
    "fill_in_multiple_blanks_question": "blanks",
    "multiple_dropdowns_question": "blanks",
    "text_only_question": "description",
    "ordering_question": "order",
    "Ordering": "order",
    "file_upload_question": "unknown",
    "calculated_question": "unknown",
    "hot_spot_question": "unknown",
    "categorization_question": "unknown",
}


KNOWN_FIELDS = {
    *("question_type", "cc_profile", "bbmd_questiontype", "points_possible", "qmd_weighting"),
    *("assessment_question_identifierref", "original_answer_ids", "qmd_computerscored"),
    *("qmd_itemtype",),
}


def looks_like(path: str, text: str) -> bool:
    return "<questestinterop" in text


def read(path: str, data: bytes) -> Imported:
    """Raises Unreadable where XML or package is unsound or holds no QTI 1.2."""
    if not data.startswith(b"PK"):
        reader = _File(path, {})
        reader.read(read_xml(path, data))
        return reader.imported()
    files = read_zip(path, data)
    banks = [
        f"{path}/{name}"
        for name, content in sorted(files.items())
        if name.lower().endswith((".xml", ".qti")) and b"<questestinterop" in content[:4000]
    ]
    if not banks:
        reason = "no <questestinterop> in the archive; export the quiz as QTI 1.2"
        raise Unreadable(Problem(path, 1, reason))
    roots = [(name, read_xml(name, files[name.removeprefix(f"{path}/")])) for name in banks]
    return _package(path, files, _without_doubles(roots))


def _without_doubles(roots: list[tuple[str, Node]]) -> list[tuple[str, Node]]:
    """Each assessment once, in its fuller form: the one with Canvas's own question types."""
    best: dict[str, tuple[str, Node]] = {}
    for name, root in roots:
        holder = next(root.below("assessment", "objectbank"), root)
        ident = holder.get("ident") or name
        if ident not in best or _own_types(root) > _own_types(best[ident][1]):
            best[ident] = (name, root)
    return list(best.values())


def _own_types(root: Node) -> int:
    return sum(label.text == "question_type" for label in root.below("fieldlabel"))


def _package(path: str, files: dict[str, bytes], roots: list[tuple[str, Node]]) -> Imported:
    items: list[Item] = []
    losses: list[Loss] = []
    pictures: dict[str, bytes] = {}
    titles = []
    for name, root in roots:
        reader = _File(name, files)
        reader.read(root)
        imported = reader.imported()
        items += imported.items
        losses += imported.losses
        pictures |= imported.bank.files
        titles.append(imported.bank.title)
    title = titles[0] if len(titles) == 1 else ""
    if len(titles) > 1:
        items = [item.but(category=item.category or t) for item, t in _titled(items, roots)]
    return Imported(Bank(items=tuple(items), title=title, files=pictures), tuple(losses), NAME)


def _titled(items: list[Item], roots: list[tuple[str, Node]]) -> Iterator[tuple[Item, str]]:
    titles = {name: _title(root) for name, root in roots}
    return ((item, titles[item.path]) for item in items)


def _title(root: Node) -> str:
    holder = next(root.below("assessment", "objectbank"), None)
    if holder is None:
        return ""
    fields = _metadata(holder)
    return holder.get("title") or fields.get("bank_title", "")


def _metadata(node: Node) -> dict[str, str]:
    """The fields of an item or assessment, not those of what it holds."""
    fields: dict[str, str] = {}
    for child in node.children:
        if child.tag in ("itemmetadata", "qtimetadata", "assessmentmetadata"):
            for each in child.below("qtimetadatafield"):
                label, entry = each.find("fieldlabel"), each.find("fieldentry")
                if label and entry:
                    fields.setdefault(label.text, entry.text)
            for each in child.below("bbmd_questiontype", "qmd_itemtype", "qmd_weighting"):
                fields.setdefault(each.tag, each.text)
    return fields


@dataclass
class _Test:
    """One comparison of a condition. `accepts` is false below a `<not>`."""

    tag: str
    response: str
    value: str
    accepts: bool
    node: Node


@dataclass
class _Condition:
    tests: list[_Test]
    score: float | None = None  # what it sets or adds, from 0 to 1
    feedback: list[str] = field(default_factory=list)
    other: bool = False
    exact: bool = False  # all of it has to hold at once


class _File:
    def __init__(self, path: str, files: dict[str, bytes]) -> None:
        self.path, self.files = path, files
        self.items: list[Item] = []
        self.losses: list[Loss] = []
        self.pictures: dict[str, bytes] = {}
        self.title = ""

    def imported(self) -> Imported:
        bank = Bank(items=tuple(self.items), title=self.title, files=self.pictures)
        return Imported(bank, tuple(self.losses), NAME)

    def read(self, root: Node) -> None:
        if root.tag != "questestinterop":
            reason = f"<{root.tag}> where QTI 1.2 has <questestinterop>"
            raise Unreadable(Problem(self.path, root.line, reason))
        self.title = _title(root)
        for node, group in _items(root):
            if node.tag != "item":
                self.selection(node)
                continue
            self.item(node, group)

    def selection(self, node: Node) -> None:
        if node.tag == "bankentry_item":
            where = Item(kind="description", stem="", path=self.path, line=node.line)
            where = where.but(id=node.get("item_ref"))
            why = f"it stands in bank {node.get('sourcebank_ref') or '?'}; export that too"
            self.losses.append(where.loss("dropped", "question", why))
            return
        number = next(node.below("selection_number"), None)
        bank = next(node.below("sourcebank_ref"), None)
        where = Item(kind="description", stem="", name="selection", path=self.path, line=node.line)
        if bank and bank.text:
            why = f"{number.text if number else 'some'} to be drawn from bank {bank.text}"
            self.losses.append(where.loss("dropped", "random questions", why))
        elif number and number.text:
            why = f"{number.text} of the questions were to be drawn; all are kept"
            self.losses.append(where.loss("changed", "random questions", why))

    def item(self, node: Node, group: str) -> None:
        reader = _Item(self, node)
        try:
            item = reader.read(group)
        except ValueError as error:
            item = None
            reader.notes.append(("dropped", "question", str(error)))
        if item:
            self.items.append(item)
            reader.note_the_rest(item)
        where = item or reader.blank
        self.losses += [
            Loss(where.label, self.path, node.line, kind, what, why)  # type: ignore[arg-type]
            for kind, what, why in dict.fromkeys(reader.notes)
        ]


def _items(root: Node, group: str = "") -> Iterator[tuple[Node, str]]:
    """Every item and every selection with the name of the section it stands in."""
    for child in root.children:
        if child.tag in ("item", "selection_ordering", "bankentry_item"):
            yield child, group
        elif child.tag == "section":
            usual = child.get("ident") == "root_section" or child.get("title") in ("", "Main")
            yield from _items(child, group if usual else child.get("title"))
        elif child.tag in ("assessment", "objectbank"):
            yield from _items(child, group)


class _Item:
    def __init__(self, file: _File, node: Node) -> None:
        self.file, self.node = file, node
        self.notes: list[tuple[str, str, str]] = []
        self.fields = _metadata(node)
        self.type = (
            self.fields.get("question_type")
            or self.fields.get("cc_profile")
            or self.fields.get("bbmd_questiontype")
            or ""
        )
        self.is_canvas = "question_type" in self.fields
        title = " ".join(node.get("title").split())
        self.blank = Item(
            kind="description",
            stem="",
            name="" if title in ("Question", "question") else title,
            id=node.get("ident"),
            path=file.path,
            line=node.line,
        )

    def read(self, group: str) -> Item | None:
        presentation = self.node.find("presentation")
        if presentation is None:
            self.notes.append(("dropped", "question", "an item without a presentation"))
            return None
        self.responses = list(presentation.below("response_lid", "response_str", "response_num"))
        self.stem = self.material(_own_material(presentation))
        self.conditions = [self.condition(c) for c in self.node.below("respcondition")]
        self.remarks = self.feedbacks()
        kind = TYPES.get(self.type) or self.infer(presentation)
        if kind == "unknown":
            self.notes.append(
                ("dropped", "question", f"{self.type or 'this type'} has no counterpart")
            )
            self.blank = self.blank.but(stem=self.stem)
            return None
        item = self.blank.but(
            kind=kind,
            stem=self.stem,
            why=self.remarks.get("general_fb", ""),
            when_right=self.remarks.get("correct_fb", ""),
            when_wrong=self.remarks.get("general_incorrect_fb", ""),
            category=group,
            points=self.points(),
            case_matters=self.case_matters() if kind == "text" else False,
            hints=tuple(self.hints()),
        )
        match item.kind:
            case "single":
                return self.single(item)
            case "truefalse":
                return self.true_or_false(item)
            case "multiple":
                return self.multiple(item)
            case "order":
                return self.order(item)
            case "match":
                return self.match(item)
            case "text":
                return self.short_text(item)
            case "number":
                return self.number(item)
            case "blanks":
                return self.blanks(item)
            case _:
                return item

    def note_the_rest(self, item: Item) -> None:
        """What the file says and the item does not."""
        kept = {item.why, item.when_right, item.when_wrong, item.when_partly, *item.remarks}
        for ident, text in self.remarks.items():
            if text not in kept:
                self.notes.append(("dropped", "feedback", f"{ident}: {text[:60]!r}"))
        for label, entry in self.fields.items():
            if label not in KNOWN_FIELDS and entry not in ("", "none", "false", "AllOrNothing"):
                self.notes.append(("dropped", label, f"{entry[:60]!r} has no place"))

    # What the parts of an item say

    def points(self) -> float | None:
        text = self.fields.get("points_possible") or self.fields.get("qmd_weighting") or ""
        try:
            return float(text) if text else None
        except ValueError:
            return None

    def case_matters(self) -> bool:
        equals = list(self.node.below("varequal"))
        return bool(equals) and not self.is_canvas and all(e.get("case") == "Yes" for e in equals)

    def hints(self) -> Iterable[str]:
        return (
            text
            for feedback in self.node.each("itemfeedback")
            for hint in feedback.below("hintmaterial")
            if (text := self.material(hint.below("material")))
        )

    def material(self, nodes: Iterable[Node]) -> str:
        return "\n\n".join(text for node in nodes if (text := self.one_material(node)))

    def one_material(self, node: Node) -> str:
        texts = []
        for part in node.walk():
            if part.tag in ("mattext", "mat_formattedtext", "matemtext"):
                texts.append(self.text(part))
            elif part.tag in ("matimage", "mataudio", "matvideo", "matapplet", "matapplication"):
                address = part.get("uri") or part.get("label")
                self.notes.append(
                    ("dropped", part.tag, f"{address or 'a file'} is not carried over")
                )
        return "\n\n".join(text for text in texts if text)

    def text(self, node: Node) -> str:
        # Some write the HTML as elements, not as text.
        source = _markup(node) if node.children else "".join(map(str, node.parts))
        type_ = node.get("texttype") or node.get("type") or "text/plain"
        is_html = type_.lower() in ("text/html", "html", "smart_text") or bool(node.children)
        if not is_html:
            return from_plain(source)
        markdown, remarks = from_html(source)
        self.notes += [("changed", "text", remark) for remark in sorted(remarks)]
        return PICTURE.sub(self.picture, markdown)

    def picture(self, match: re.Match[str]) -> str:
        source = unquote(BASE.sub("", match["src"])).partition("?")[0]
        if re.match(r"https?:", match["src"]):
            return match[0]
        found = [name for name in self.file.files if name.endswith("/" + source) or name == source]
        if not found:
            self.notes.append(("dropped", "picture", f"{source} is not in the package"))
            return f"({match['alt'] or PurePosixPath(source).name})"
        content = self.file.files[found[0]]
        name = re.sub(r"[^\w.-]+", "-", PurePosixPath(source).name)
        if picture_type(content) is None:
            self.notes.append(("dropped", "picture", f"{source} is no PNG, JPEG, GIF or WebP"))
            return f"({match['alt'] or name})"
        self.file.pictures[name] = content
        return f"![{match['alt']}]({name})"

    def feedbacks(self) -> dict[str, str]:
        return {
            feedback.get("ident"): text
            for feedback in self.node.each("itemfeedback")
            if (text := self.material(m for m in feedback.below("material")))
        }

    def condition(self, node: Node) -> _Condition:
        found = _Condition([])
        where = node.find("conditionvar")
        if where:
            found.tests = list(_tests(where, True))
            found.other = any(True for _ in where.below("other"))
            found.exact = any(True for _ in where.below("and"))
        for setter in node.each("setvar"):
            if (
                setter.get("varname", "SCORE").upper() in ("SCORE", "QUE_SCORE", "")
                or found.score is None
            ):
                found.score = self.score(setter)
        if node.get("title").lower() == "correct" and found.score is None:
            found.score = 1.0
        found.feedback = [f.get("linkrefid") for f in node.each("displayfeedback")]
        return found

    def score(self, setter: Node) -> float:
        text = setter.text
        if text.upper().endswith(".MAX"):
            return 1.0
        try:
            number = float(text)
        except ValueError as error:
            raise ValueError(f"a score of {text!r}") from error
        declared = next(self.node.below("decvar"), None)
        maximum = declared.get("maxvalue") if declared else ""
        try:
            whole = float(maximum)
        except ValueError:
            whole = 0.0
        return number / whole if whole > 0 else number

    def infer(self, presentation: Node) -> str:
        """What an item is whose metadata does not say it."""
        if next(self.node.below("calculated"), None):
            return "unknown"
        lids = [r for r in self.responses if r.tag == "response_lid"]
        if not self.responses:
            others = [n for n in presentation.walk() if n.tag.startswith(("response_", "render_"))]
            return "unknown" if others else "description"
        if len(lids) > 1:
            return "blanks" if re.search(r"\[\w", self.to_brackets(self.stem)) else "match"
        if lids:
            cardinality = lids[0].get("rcardinality").lower()
            if cardinality == "ordered" or any(True for _ in lids[0].below("ims_render_object")):
                return "order"
            if next(lids[0].below("render_choice"), None) is None:
                return "unknown"
            if cardinality == "multiple":
                return "multiple"
            labels = [c.text.lower() for c in self.choices_of(lids[0]).values()]
            return "truefalse" if sorted(labels) == ["false", "true"] else "single"
        if len(self.responses) > 1:
            return "blanks"
        fib = next(self.responses[0].below("render_fib"), None)
        numeric = self.responses[0].tag == "response_num" or (
            fib is not None and fib.get("fibtype").lower() in ("decimal", "integer", "scientific")
        )
        tests = [test for c in self.conditions for test in c.tests]
        if numeric or any(test.tag in ("vargt", "vargte", "varlt", "varlte") for test in tests):
            return "number"
        return "text" if tests else "essay"

    @staticmethod
    def to_brackets(text: str) -> str:
        return re.sub(r"\\([\[\]])", r"\1", text)

    def choices_of(self, response: Node) -> dict[str, Choice]:
        return {
            label.get("ident"): Choice(
                self.material(m for m in label.below("material")), id=label.get("ident")
            )
            for label in response.below("response_label")
        }

    def remark_on(self, response: str, value: str) -> str:
        """What is said about one answer: by a condition of its own, or by Canvas's naming."""
        for condition in self.conditions:
            linked = [f for f in condition.feedback if f in self.remarks]
            general = {"general_fb", "correct_fb", "general_incorrect_fb"}
            positive = [t for t in condition.tests if t.accepts]
            if len(positive) == 1 and (positive[0].response, positive[0].value) == (
                response,
                value,
            ):
                own = [f for f in linked if f not in general]
                if own:
                    return self.remarks[own[0]]
        return self.remarks.get(f"{value}_fb", "")

    def scores(self) -> dict[tuple[str, str], float]:
        """What each single answer is worth, from conditions that test one answer each."""
        scores: dict[tuple[str, str], float] = {}
        for condition in self.conditions:
            for test in condition.tests:
                if condition.score is not None and test.tag == "varequal" and test.accepts:
                    key = (test.response, test.value)
                    scores[key] = max(scores.get(key, condition.score), condition.score)
        return scores

    # One method a kind

    def single(self, item: Item) -> Item:
        response = self.responses[0] if self.responses else None
        if response is None:
            raise ValueError("a choice without options")
        scores = self.scores()
        best = max(scores.values(), default=0.0)
        # Points by answer become shares of the best.
        whole = best if best > 0 else 1.0
        if best <= 0:
            self.notes.append(("changed", "key", "the file does not say what is right"))
        name = response.get("ident")
        choices = tuple(
            choice._replace(
                fraction=round(scores.get((name, ident), 0.0) / whole, 7),
                feedback=self.remark_on(name, ident),
            )
            for ident, choice in self.choices_of(response).items()
        )
        return item.but(choices=choices)

    def true_or_false(self, item: Item) -> Item:
        item = self.single(item)
        words = [choice.text.strip().lower() for choice in item.choices]
        if sorted(words) != ["false", "true"]:
            return item.but(kind="single")
        ordered = sorted(item.choices, key=lambda c: c.text.strip().lower() != "true")
        return item.but(
            choices=tuple(
                c._replace(text=word) for c, word in zip(ordered, ("True", "False"), strict=True)
            )
        )

    def multiple(self, item: Item) -> Item:
        if len(self.responses) > 1:  # some matching items call themselves so
            return self.match(item.but(kind="match"))
        item = self.single(item)
        exact = [c for c in self.conditions if (c.score or 0) > 0 and len(c.tests) > 1]
        if exact or len([c for c in self.conditions if (c.score or 0) > 0]) == 1:
            scored = exact or [c for c in self.conditions if (c.score or 0) > 0]
            right = {t.value for t in scored[0].tests if t.accepts}
            shares = even_shares([c.id in right for c in item.choices])
            item = item.but(
                choices=tuple(
                    c._replace(fraction=s) for c, s in zip(item.choices, shares, strict=True)
                )
            )
            if not self.is_canvas or self.fields.get("scoring_algorithm") == "AllOrNothing":
                why = "all or nothing there; here each right choice counts, a wrong one takes back"
                self.notes.append(("changed", "points", why))
        else:
            total = sum(c.fraction for c in item.choices if c.fraction > 0) or 1.0
            item = item.but(
                choices=tuple(
                    c._replace(fraction=round(c.fraction / total, 7)) for c in item.choices
                )
            )
        return item

    def order(self, item: Item) -> Item:
        if not self.responses:
            raise ValueError("nothing to order")
        choices = self.choices_of(self.responses[0])
        scored = [c for c in self.conditions if (c.score or 0) > 0 and c.tests]
        if not scored:
            raise ValueError("an order without its key")
        sequence = [test.value for test in scored[0].tests if test.value in choices]
        if sorted(sequence) != sorted(choices):
            raise ValueError("the key does not name each line to order once")
        for extension in self.responses[0].each("render_extension"):
            if labels := self.material(extension.each("material")):
                self.notes.append(("dropped", "labels of the order", labels.replace("\n", " ")))
        return item.but(choices=tuple(choices[value] for value in sequence))

    def match(self, item: Item) -> Item:
        scores = self.scores()
        pairs, partners = [], []
        for response in self.responses:
            left = self.material(response.each("material"))
            choices = self.choices_of(response)
            partners += [choice.text for choice in choices.values()]
            name = response.get("ident")
            right = [i for i in choices if scores.get((name, i), 0) > 0]
            if not right:
                raise ValueError(f"nothing is right beside {left!r}")
            if len(right) > 1 and response.get("rcardinality").lower() == "multiple":
                # Categories with several members: each member is put to its category.
                pairs += [Pair(choices[each].text, left) for each in right]
                continue
            pairs.append(Pair(left, choices[right[0]].text))
        used = {pair.right for pair in pairs} | {pair.left for pair in pairs}
        spare = [text for text in dict.fromkeys(partners) if text and text not in used]
        return item.but(pairs=(*pairs, *(Pair("", text) for text in spare)))

    def text_answers(self, response: str) -> tuple[Accepted, ...]:
        accepted: dict[str, Accepted] = {}
        for condition in self.conditions:
            if condition.score is None or condition.score <= 0:
                continue
            for test in condition.tests:
                if test.response != response or not test.accepts:
                    continue
                if test.tag == "varsubset" or test.tag == "varsubstring":
                    said = Accepted(f"*{test.value}*", pattern=True)
                elif test.tag == "varequal":
                    said = Accepted(test.value)
                else:
                    continue
                remark = self.remark_on(response, test.value)
                said = said._replace(fraction=round(min(1.0, condition.score), 7), feedback=remark)
                accepted.setdefault(said.text, said)
        return tuple(accepted.values())

    def short_text(self, item: Item) -> Item:
        response = self.responses[0].get("ident") if self.responses else ""
        accepted = self.text_answers(response)
        if not accepted:
            self.notes.append(("changed", "kind", "no answer is named, so a person has to read it"))
            return item.but(kind="essay")
        return item.but(accepted=accepted)

    def number(self, item: Item) -> Item:
        bands = []
        for condition in self.conditions:
            if condition.score is not None and condition.score > 0 and condition.tests:
                remark = next(
                    (
                        self.remarks[f]
                        for f in condition.feedback
                        if f in self.remarks and not f.startswith(("correct_fb", "general"))
                    ),
                    "",
                )
                band = _band(condition.tests)
                if remark == "" and band.value is not None:
                    remark = self.remark_by_value(band.value)
                fraction = round(min(1.0, condition.score), 7)
                bands.append(band._replace(fraction=fraction, feedback=remark))
        if not bands:
            raise ValueError("a number question without a number")
        return item.but(bands=tuple(bands))

    def remark_by_value(self, value: float) -> str:
        for condition in self.conditions:
            own = [f for f in condition.feedback if f in self.remarks and f not in ("general_fb",)]
            equals = [t for t in condition.tests if t.tag == "varequal"]
            if condition.score is None and own and any(_is(t.value, value) for t in equals):
                return self.remarks[own[0]]
        return ""

    def blanks(self, item: Item) -> Item:
        stem = self.to_brackets(item.stem)
        scores = self.scores()
        typed = self.type == "fill_in_multiple_blanks_question"
        blanks = []
        for response in self.responses:
            ident = response.get("ident")
            name = ident.removeprefix("response_")
            if response.tag == "response_str":
                accepted = self.text_answers(ident)
                blanks.append(Blank(name, accepted))
                continue
            choices = self.choices_of(response)
            labels = list(response.below("response_label"))
            lists = not typed or any(
                label.get("answer_type") in ("dropdown", "wordbank") for label in labels
            )
            said = {
                i: Accepted(choice.text, feedback=self.remark_on(ident, i))
                for i, choice in choices.items()
            }
            right = tuple(said[i] for i in choices if scores.get((ident, i), 0) > 0)
            if any("reg" in label.get("scoring_algorithm").lower() for label in labels):
                self.notes.append(("changed", f"gap [{name}]", "a pattern there, a text here"))
            if typed and not lists:
                # Canvas accepts every text listed for a gap, and exports only the first in the key.
                blanks.append(Blank(name, tuple(said.values())))
            elif not right:
                raise ValueError(f"nothing is right in the gap [{name}]")
            else:
                options = tuple(choice.text for choice in choices.values())
                blanks.append(Blank(name, right, options))
        if any(not blank.accepted for blank in blanks):
            raise ValueError("a gap without an answer")
        for blank in blanks:
            marked = re.sub(rf"(?<!\[)\[{re.escape(blank.name)}\](?!\])", f"[[{blank.name}]]", stem)
            stem = marked if f"[[{blank.name}]]" in marked else f"{marked} [[{blank.name}]]"
        return item.but(stem=stem, blanks=tuple(blanks))


def _own_material(presentation: Node) -> Iterator[Node]:
    """The materials of the question, not those of its options."""
    for child in presentation.children:
        if child.tag == "material":
            yield child
        elif child.tag in ("flow", "flow_mat"):
            yield from _own_material(child)


def _markup(node: Node) -> str:
    return "".join(
        part if isinstance(part, str) else f"<{part.tag}>{_markup(part)}</{part.tag}>"
        for part in node.parts
    )


def _tests(node: Node, accepts: bool) -> Iterator[_Test]:
    for child in node.children:
        if child.tag == "not":
            yield from _tests(child, not accepts)
        elif child.tag in ("and", "or", "unanswered"):
            yield from _tests(child, accepts)
        elif child.tag.startswith("var"):
            yield _Test(child.tag, child.get("respident"), child.text, accepts, child)


def _is(text: str, value: float) -> bool:
    try:
        return float(text) == value
    except ValueError:
        return False


def _band(tests: list[_Test]) -> Band:
    """The band that a condition describes. Raises ValueError."""

    def number(text: str) -> float:
        try:
            return float(text.replace(",", ""))
        except ValueError as error:
            raise ValueError(f"{text!r} is not a number") from error

    value = relative = digits = None
    low = high = None
    low_open = high_open = False
    for test in tests:
        match test.tag:
            case "varequal":
                value = number(test.value)
                if test.node.get("margintype") == "percent":
                    relative = share(test.node.get("margin", "0"))
                if test.node.get("precisiontype") == "significantDigits":
                    digits = int(number(test.node.get("precision", "1")))
            case "vargte" | "vargt":
                low, low_open = number(test.value), test.tag == "vargt"
            case "varlte" | "varlt":
                high, high_open = number(test.value), test.tag == "varlt"
    if value is None and (low is None or high is None):
        raise ValueError("a number without both its limits")
    if low is None or high is None:
        assert value is not None
        low = high = value
    if value is None:
        value = tidy((low + high) / 2)
    return Band(low, high, value, relative, digits, low_open, high_open)
