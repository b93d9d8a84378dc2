"""What stands in a QTI 1.2 item: its texts, pictures, remarks and points."""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import unquote

from api.formats.model import Choice, Item
from api.formats.moodle import picture_type
from api.formats.qti12_conditions import Condition
from api.formats.text import PICTURE, from_html, from_plain
from api.formats.xml import Node

BASE = re.compile(r"(?:\$|%24)(?:IMS-CC-FILEBASE|IMS_CC_FILE_?BASE)(?:\$|%24)/?(?:\.\./)?")


class Holder(Protocol):
    """The file that an item stands in."""

    path: str
    files: dict[str, bytes]  # of the package
    pictures: dict[str, bytes]  # those that an item shows


def read_metadata(node: Node) -> dict[str, str]:
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


class Parts:
    """What the parts of one item say, whatever kind of question it is."""

    def __init__(self, file: Holder, node: Node) -> None:
        self.file, self.node = file, node
        self.notes: list[tuple[str, str, str]] = []
        self.fields = read_metadata(node)
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

    # What the parts of an item say

    conditions: list[Condition]
    remarks: dict[str, str]  # by the name of the feedback

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


def block(presentation: Node, name: str) -> Node | None:
    """A part of an item that Blackboard names: QUESTION_BLOCK, RIGHT_MATCH_BLOCK."""
    return next((f for f in presentation.below("flow") if f.get("class") == name), None)


def own_material(presentation: Node) -> Iterator[Node]:
    """The materials of the question, not those of its options."""
    for child in (block(presentation, "QUESTION_BLOCK") or presentation).children:
        if child.tag == "material":
            yield child
        elif child.tag in ("flow", "flow_mat"):
            yield from own_material(child)


def _markup(node: Node) -> str:
    return "".join(
        part if isinstance(part, str) else f"<{part.tag}>{_markup(part)}</{part.tag}>"
        for part in node.parts
    )
