"""QTI 2.1: a content package with one file a question. Reads what it writes, and its like.

Choice, order, match, text entry, extended text and inline choice; what is right stands in
`responseDeclaration`, weights in its mapping, tolerances in the response processing. The standard
has no place for hints, tags and sources: source and explanation go into the feedback for everyone.
"""

import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import PurePosixPath

from api.formats.archive import read_zip, write_zip
from api.formats.gift import split_source, with_source
from api.formats.model import (
    Accepted,
    Band,
    Bank,
    Blank,
    Choice,
    Exported,
    Imported,
    Item,
    Loss,
    Pair,
    Unreadable,
    number_text,
    plus,
    share,
    tidy,
)
from api.formats.moodle import picture_type
from api.formats.text import PICTURE, from_html, from_plain, to_html, to_plain
from api.formats.xml import Node, read_xml
from api.markup import Problem

NAME = "qti21"
EXTENSIONS = (".zip", ".xml")

CARRIED = {
    *("id", "name", "unit", "letter case", "points", "fixed order of the options", "feedback"),
    "remarks for right, partly right and wrong",
}
SPACE = "http://www.imsglobal.org/xsd/imsqti_v2p1"
SCHEMA = "http://www.imsglobal.org/xsd/qti/qtiv2p1/imsqti_v2p1.xsd"
INTERACTIONS = {
    *("choiceInteraction", "orderInteraction", "matchInteraction", "textEntryInteraction"),
    *("extendedTextInteraction", "inlineChoiceInteraction"),
}
FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# Not the <assessmentItemRef> of a test.
_ITEM = re.compile(rb"<(?:[\w.-]+:)?assessmentItem[\s>]")


def looks_like(path: str, text: str) -> bool:
    return holds_item(text[:4000].encode()) and ("v2p" in text or "imsqti_v2" in text)


def holds_item(content: bytes) -> bool:
    return bool(_ITEM.search(content[:4000]))


def read(path: str, data: bytes) -> Imported:
    """Raises Unreadable where XML or package is unsound or holds no item."""
    if not data.startswith(b"PK"):
        reader = _Reader(path, {})
        reader.read(read_xml(path, data))
        return reader.imported("")
    files = read_zip(path, data)
    title, names = _manifest(path, files)
    reader = _Reader(path, files)
    for name in names:
        reader.path = f"{path}/{name}"
        reader.read(read_xml(reader.path, files[name]))
    return reader.imported(title)


def _manifest(path: str, files: dict[str, bytes]) -> tuple[str, list[str]]:
    """The title, and the item files in the order of the manifest, or by name without one."""
    items = [name for name, data in sorted(files.items()) if holds_item(data)]
    if not items:
        raise Unreadable(Problem(path, 1, "no <assessmentItem> in the archive"))
    if "imsmanifest.xml" not in files:
        return "", items
    root = read_xml(f"{path}/imsmanifest.xml", files["imsmanifest.xml"])
    listed = [resource.get("href") for resource in root.below("resource")]
    title = next((node.text for node in root.below("string", "langstring") if node.text), "")
    named = [name for name in listed if name in items]
    return title, [*dict.fromkeys(named), *(name for name in items if name not in named)]


class _Reader:
    def __init__(self, path: str, files: dict[str, bytes]) -> None:
        self.path, self.files = path, files
        self.items: list[Item] = []
        self.losses: list[Loss] = []
        self.pictures: dict[str, bytes] = {}

    def imported(self, title: str) -> Imported:
        bank = Bank(items=tuple(self.items), title=title, files=self.pictures)
        return Imported(bank, tuple(self.losses), NAME)

    def read(self, root: Node) -> None:
        if root.tag != "assessmentItem":
            reason = f"<{root.tag}> where QTI 2.1 has <assessmentItem>"
            raise Unreadable(Problem(self.path, root.line, reason))
        self.notes: list[tuple[str, str, str]] = []
        item = Item(
            kind="description",
            stem="",
            id=root.get("identifier"),
            name=" ".join(root.get("title").split()),
            path=self.path,
            line=root.line,
        )
        try:
            item = self.item(root, item)
            self.items.append(item)
        except ValueError as error:
            self.notes.append(("dropped", "question", str(error)))
        self.losses += [item.loss(*note) for note in self.notes]  # type: ignore[arg-type]

    def item(self, root: Node, item: Item) -> Item:
        body = root.find("itemBody")
        if body is None:
            raise ValueError("an item without a body")
        interactions = [n for n in body.walk() if n.tag.endswith("Interaction")]
        for node in interactions:
            if node.tag not in INTERACTIONS:
                raise ValueError(f"<{node.tag}> has no counterpart")
        self.declared = {n.get("identifier"): n for n in root.each("responseDeclaration")}
        self.feedback = {
            f.get("identifier"): self.html(f.parts) for f in root.each("modalFeedback")
        }
        why, source = split_source(self.feedback.get("general", ""))
        points = next(
            (
                value.text
                for outcome in root.each("outcomeDeclaration")
                if outcome.get("identifier") == "MAXSCORE"
                for value in outcome.below("value")
            ),
            "",
        )
        item = item.but(
            why=why,
            source=source,
            when_right=self.feedback.get("right", ""),
            when_wrong=self.feedback.get("wrong", ""),
            points=float(points) if points else None,
        )
        blocks = [
            n
            for n in interactions
            if n.tag not in ("textEntryInteraction", "inlineChoiceInteraction")
        ]
        stem = self.html(self.body_parts(body))
        if not interactions:
            return item.but(stem=stem)
        if blocks:
            prompt = blocks[0].find("prompt")
            stem = "\n\n".join(
                part for part in (stem, self.html(prompt.parts) if prompt else "") if part
            )
            if len(interactions) > 1:
                raise ValueError(f"{len(interactions)} interactions in one item")
            return self.block(root, blocks[0], item.but(stem=stem))
        return self.gaps(root, body, interactions, item)

    def body_parts(self, body: Node) -> list[Node | str]:
        return [
            part
            for part in body.parts
            if isinstance(part, str) or not any(n.tag.endswith("Interaction") for n in part.walk())
        ]

    def html(self, parts: list[Node | str]) -> str:
        markdown, remarks = from_html(_inner(parts))
        self.notes += [("changed", "text", remark) for remark in sorted(remarks)]
        return PICTURE.sub(self.picture, markdown)

    def picture(self, match: re.Match[str]) -> str:
        source = match["src"]
        content = self.files.get(source)
        if content is None or picture_type(content) is None:
            if not source.startswith("http"):
                self.notes.append(("dropped", "picture", f"{source} is no picture of the package"))
            return match[0]
        name = PurePosixPath(source).name
        self.pictures[name] = content
        return f"![{match['alt']}]({name})"

    def block(self, root: Node, node: Node, item: Item) -> Item:
        declared = self.declared.get(node.get("responseIdentifier"))
        right = _correct(declared)
        match node.tag:
            case "extendedTextInteraction":
                return item.but(kind="essay")
            case "orderInteraction":
                found = {c.id: c for c in self.choices(node)}
                if sorted(right) != sorted(found):
                    raise ValueError("the key does not name each line to order once")
                return item.but(kind="order", choices=tuple(found[each] for each in right))
            case "matchInteraction":
                return item.but(kind="match", pairs=tuple(self.pairs(node, right)))
            case _:
                return self.choice(node, declared, right, item)

    def choices(self, node: Node) -> list[Choice]:
        found = []
        for choice in node.below("simpleChoice"):
            own = [p for p in choice.parts if isinstance(p, str) or p.tag != "feedbackInline"]
            remark = choice.find("feedbackInline")
            feedback = self.html(remark.parts) if remark else ""
            found.append(Choice(self.html(own), 0.0, feedback, choice.get("identifier")))
        return found

    def choice(self, node: Node, declared: Node | None, right: list[str], item: Item) -> Item:
        weights = _mapping(declared)
        several = declared is not None and declared.get("cardinality") == "multiple"
        choices = [
            choice._replace(
                fraction=weights.get(choice.id, 0.0) if weights else float(choice.id in right)
            )
            for choice in self.choices(node)
        ]
        if several and not weights and right:
            choices = [
                c._replace(fraction=round(1 / len(right), 7) if c.fraction else 0.0)
                for c in choices
            ]
        kind = "multiple" if several else "single"
        if [c.text for c in choices] == ["True", "False"] and not several:
            kind = "truefalse"
        shuffle = node.get("shuffle")
        return item.but(
            kind=kind,
            choices=tuple(choices),
            shuffle=shuffle == "true" if shuffle else None,
        )

    def pairs(self, node: Node, right: list[str]) -> Iterator[Pair]:
        sets = node.each("simpleMatchSet")
        if len(sets) != 2:
            raise ValueError("matching without its two sets")
        texts = {
            c.get("identifier"): self.html(c.parts)
            for each in sets
            for c in each.each("simpleAssociableChoice")
        }
        used = set()
        for pair in right:
            left, _, partner = pair.partition(" ")
            if left not in texts or partner not in texts:
                raise ValueError(f"the key names {pair!r}, which is not offered")
            used.add(partner)
            yield Pair(texts[left], texts[partner])
        for choice in sets[1].each("simpleAssociableChoice"):
            if choice.get("identifier") not in used:
                yield Pair("", texts[choice.get("identifier")])

    def gaps(self, root: Node, body: Node, interactions: list[Node], item: Item) -> Item:
        blanks = []
        for node in interactions:
            identifier = node.get("responseIdentifier")
            declared = self.declared.get(identifier)
            name = identifier.removeprefix("GAP_")
            weights = _mapping(declared)
            right = _correct(declared)
            if node.tag == "inlineChoiceInteraction":
                offered = {c.get("identifier"): c.text for c in node.each("inlineChoice")}
                accepted = tuple(Accepted(from_plain(offered[each])) for each in right)
                blanks.append(Blank(name, accepted, tuple(map(from_plain, offered.values()))))
            else:
                texts = tuple(Accepted(text, weight) for text, weight in weights.items())
                blanks.append(Blank(name, texts or tuple(Accepted(each) for each in right)))
        first = interactions[0]
        declared = self.declared.get(first.get("responseIdentifier"))
        stem = self.html([_with_gaps(body)])
        if (
            len(blanks) > 1
            or first.tag == "inlineChoiceInteraction"
            or (first.get("responseIdentifier").startswith("GAP_"))
        ):
            stem = re.sub(r"\ue000([^\ue001]*)\ue001", lambda m: f"[[{m[1]}]]", stem)
            return item.but(kind="blanks", stem=stem, blanks=tuple(blanks))
        stem = re.sub(r"\s*\ue000[^\ue001]*\ue001\s*\Z", "", stem)
        stem = re.sub(r"\ue000[^\ue001]*\ue001", "_____", stem)
        unit = next((n.text for n in body.below("span") if n.get("class") == "unit"), "")
        if unit and stem.endswith(unit):
            stem = re.sub(r"\s*(\ue000[^\ue001]*\ue001|_____)?\s*\Z", "", stem.removesuffix(unit))
        if declared is not None and declared.get("baseType") in ("float", "integer"):
            bands = tuple(_bands(root, declared, self.feedback))
            return item.but(kind="number", stem=stem, bands=bands, unit=unit)
        case = (
            any(m.get("caseSensitive") == "true" for m in declared.below("mapEntry"))
            if declared
            else False
        )
        return item.but(kind="text", stem=stem, accepted=blanks[0].accepted, case_matters=case)


def _correct(declared: Node | None) -> list[str]:
    if declared is None:
        return []
    return [v.text for c in declared.each("correctResponse") for v in c.each("value")]


def _mapping(declared: Node | None) -> dict[str, float]:
    if declared is None:
        return {}
    points = {
        entry.get("mapKey"): float(entry.get("mappedValue", "0"))
        for mapping in declared.each("mapping")
        for entry in mapping.each("mapEntry")
    }
    whole = _whole(points.values())
    return {key: round(value / whole, 7) for key, value in points.items()}


def _whole(points: Iterable[float]) -> float:
    """What a fully right answer is worth: some give a hundred points for it."""
    return max([1.0, *points])


def _bands(root: Node, declared: Node, feedback: dict[str, str]) -> list[Band]:
    """One band for each condition of the response processing, in its order."""
    correct = [float(value) for value in _correct(declared)]
    bands: list[Band] = []
    for condition in root.below("responseIf", "responseElseIf"):
        score = None
        for setter in condition.each("setOutcomeValue"):
            if setter.get("identifier") == "SCORE":
                values = [v.text for v in setter.below("baseValue")]
                score = float(values[0]) if values else score
        shown = [
            feedback.get(value.text, "")
            for setter in condition.each("setOutcomeValue")
            if setter.get("identifier") == "FEEDBACK"
            for value in setter.below("baseValue")
        ]
        band = _condition_band(condition, correct)
        if band:
            fraction = 1.0 if score is None else score
            bands.append(band._replace(fraction=fraction, feedback=shown[0] if shown else ""))
    bands = bands or [Band(value, value, value) for value in correct]
    whole = _whole(band.fraction for band in bands)
    return [band._replace(fraction=round(band.fraction / whole, 7)) for band in bands]


def _condition_band(condition: Node, correct: list[float]) -> Band | None:
    """The numbers that a condition accepts; `correct` is what `<correct>` in it stands for."""
    for node in condition.below("equal"):
        values = [float(v.text) for v in node.below("baseValue")]
        if not values and next(node.below("correct"), None):
            values = correct
        mode = node.get("toleranceMode") or "exact"
        tolerance = [float(part) for part in node.get("tolerance").split()] or [0.0]
        down, up = tolerance[0], tolerance[-1]
        if not values:
            return None
        value = values[0]
        relative = None
        if mode == "relative":
            relative = share(number_text(down))
            down, up = tidy(abs(value) * down / 100), tidy(abs(value) * up / 100)
        elif mode == "exact":
            down = up = 0.0
        low_open = node.get("includeLowerBound") == "false"
        high_open = node.get("includeUpperBound") == "false"
        low, high = plus(value, -down), plus(value, up)
        return Band(low, high, value, relative, None, low_open, high_open)
    for node in condition.below("equalRounded"):
        values = [float(v.text) for v in node.below("baseValue")]
        if values and node.get("roundingMode") == "significantFigures":
            digits = int(node.get("figures"))
            exponent = int(f"{values[0]:e}".split("e")[1])
            half = float(f"5e{exponent - digits}")
            low, high = plus(values[0], -half), plus(values[0], half)
            return Band(low, high, values[0], digits=digits)
    return None


def _with_gaps(body: Node) -> Node:
    """The body with each gap as a sign that HTML leaves alone."""
    parts: list[Node | str] = []
    for part in body.parts:
        if isinstance(part, str):
            parts.append(part)
        elif part.tag.endswith("Interaction"):
            name = part.get("responseIdentifier").removeprefix("GAP_")
            parts.append(f"\ue000{name}\ue001")
        else:
            parts.append(_with_gaps(part))
    return Node(body.tag if body.tag != "itemBody" else "div", body.attributes, body.line, parts)


def _inner(parts: Iterable[Node | str]) -> str:
    return "".join(escape(p, quote=False) if isinstance(p, str) else _outer(p) for p in parts)


def _outer(node: Node) -> str:
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in node.attributes.items())
    if node.tag in ("br", "hr", "img"):
        return f"<{node.tag}{attributes}/>"
    return f"<{node.tag}{attributes}>{_inner(node.parts)}</{node.tag}>"


def write(bank: Bank, name: str = "quiz") -> Exported:
    losses: list[Loss] = []
    files: list[tuple[str, bytes]] = []
    resources = []
    taken: set[str] = set()
    for number, item in enumerate(bank.items, 1):
        writer = _Writer(item, bank, losses)
        identifier = _identifier(item, number, taken, losses)
        text = writer.item(identifier)
        if text is None:
            continue
        file = f"items/{number:04d}.xml"
        files.append((file, text.encode()))
        pictures = "".join(f'<file href="items/{name}"/>' for name in sorted(writer.pictures))
        resources.append(
            f'    <resource identifier="R{number}" type="imsqti_item_xmlv2p1" href="{file}">'
            f'<file href="{file}"/>{pictures}</resource>'
        )
        files += [
            (f"items/{each}", bank.files[each])
            for each in sorted(writer.pictures)
            if f"items/{each}" not in dict(files)
        ]
    manifest = MANIFEST.format(title=escape(bank.title), resources="\n".join(resources))
    data = write_zip([("imsmanifest.xml", manifest.encode()), *files])
    return Exported({f"{name}.zip": data}, tuple(losses))


MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<manifest xmlns="http://www.imsglobal.org/xsd/imscp_v1p1" \
xmlns:imsmd="http://ltsc.ieee.org/xsd/LOM" identifier="MANIFEST">
  <metadata>
    <schema>QTIv2.1 Package</schema>
    <schemaversion>1.0.0</schemaversion>
    <imsmd:lom><imsmd:general><imsmd:title><imsmd:string>{title}</imsmd:string></imsmd:title>\
</imsmd:general></imsmd:lom>
  </metadata>
  <organizations/>
  <resources>
{resources}
  </resources>
</manifest>
"""


def _identifier(item: Item, number: int, taken: set[str], losses: list[Loss]) -> str:
    """An NCName-like identifier, the item's own where it is one."""
    wanted = item.id or f"q{number}"
    usable = re.fullmatch(r"[A-Za-z0-9_][\w.-]*", wanted, re.ASCII)
    identifier = wanted if usable else re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted).strip("-.") or "q"
    base, counter = identifier, 2
    while identifier in taken:
        identifier, counter = f"{base}-{counter}", counter + 1
    taken.add(identifier)
    if item.id and identifier != item.id:
        losses.append(item.loss("changed", "id", f"{item.id!r} becomes {identifier!r}"))
    return identifier


class _Writer:
    def __init__(self, item: Item, bank: Bank, losses: list[Loss]) -> None:
        self.item_, self.bank, self.losses = item, bank, losses
        self.pictures: set[str] = set()
        self.feedback: list[tuple[str, str]] = []

    def html(self, markdown: str) -> str:
        for name in self.bank.files:
            if f"]({name})" in markdown:
                self.pictures.add(name)
                markdown = markdown.replace(f"]({name})", f"](items/{name})")
        return FORBIDDEN.sub("", to_html(markdown))

    def inline(self, markdown: str) -> str:
        shown = self.html(markdown)
        if markdown and not from_html(shown)[0]:  # such as a lone `>`
            return escape(markdown, quote=False)
        single = re.fullmatch(r"<p>(.*)</p>", shown, re.S)
        return single[1] if single and "<p>" not in single[1] else shown

    def item(self, identifier: str) -> str | None:
        item = self.item_
        written = self.interaction(item)
        if written is None:
            return None
        declarations, body, processing = written
        if why := with_source(item):
            self.feedback.append(("general", why))
        self.feedback += [("right", item.when_right)] if item.when_right else []
        self.feedback += [("wrong", item.when_wrong)] if item.when_wrong else []
        carried = CARRIED if item.kind not in ("text", "blanks") else CARRIED - {"feedback"}
        self.losses += item.not_carried(carried, "QTI 2.1")
        if item.when_partly:
            why = "QTI 2.1 has only right and wrong"
            self.losses.append(item.loss("dropped", "remark for partly right", why))
        modal = "".join(
            f'  <modalFeedback outcomeIdentifier="FEEDBACK" identifier="{name}" '
            f'showHide="show">{self.html(text)}</modalFeedback>\n'
            for name, text in self.feedback
        )
        points = (
            ""
            if item.points is None
            else (
                '  <outcomeDeclaration identifier="MAXSCORE" cardinality="single" baseType="float">'
                f"<defaultValue><value>{number_text(item.points)}</value></defaultValue>"
                "</outcomeDeclaration>\n"
            )
        )
        title = escape(" ".join(FORBIDDEN.sub("", item.name).split()))
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<assessmentItem xmlns="{SPACE}" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            f'xsi:schemaLocation="{SPACE} {SCHEMA}" identifier="{identifier}" title="{title}" '
            'adaptive="false" timeDependent="false">\n'
            f"{declarations}"
            '  <outcomeDeclaration identifier="SCORE" cardinality="single" baseType="float"/>\n'
            f"{points}"
            '  <outcomeDeclaration identifier="FEEDBACK" cardinality="multiple" '
            'baseType="identifier"/>\n'
            f"  <itemBody>{body}</itemBody>\n{processing}{modal}</assessmentItem>\n"
        )

    def interaction(self, item: Item) -> tuple[str, str, str] | None:
        match item.kind:
            case "single" | "multiple" | "truefalse":
                return self.choices(item)
            case "order":
                return self.order(item)
            case "match":
                return self.match(item)
            case "text":
                return self.text(item)
            case "number" if item.lacks_key:
                self.losses.append(item.loss("dropped", "question", "its number is not known"))
                return None
            case "number":
                return self.number(item)
            case "blanks":
                return self.blanks(item)
            case "essay":
                declared = _declaration("RESPONSE", "single", "string")
                box = '<extendedTextInteraction responseIdentifier="RESPONSE"/>'
                return declared, self.html(item.stem) + box, ""
            case _:
                return "", self.html(item.stem), ""

    def choices(self, item: Item) -> tuple[str, str, str]:
        several = item.kind == "multiple"
        ids = _ids(item.choices)
        right = [i for i, c in zip(ids, item.choices, strict=True) if c.fraction > 0]
        weights = dict(zip(ids, (c.fraction for c in item.choices), strict=True))
        options = "".join(
            f'<simpleChoice identifier="{i}">{self.inline(c.text)}{self.remark(i, c.feedback)}'
            "</simpleChoice>"
            for i, c in zip(ids, item.choices, strict=True)
        )
        shuffle = "" if item.shuffle is None else f' shuffle="{str(item.shuffle).lower()}"'
        body = (
            f'<choiceInteraction responseIdentifier="RESPONSE"{shuffle} '
            f'maxChoices="{0 if several else 1}">{options}</choiceInteraction>'
        )
        declared = _declaration(
            "RESPONSE", "multiple" if several else "single", "identifier", right, weights
        )
        return declared, self.html(item.stem) + body, MAP_RESPONSE

    def remark(self, identifier: str, feedback: str) -> str:
        if not feedback:
            return ""
        return (
            f'<feedbackInline outcomeIdentifier="FEEDBACK" identifier="{identifier}" '
            f'showHide="show">{self.inline(feedback)}</feedbackInline>'
        )

    def order(self, item: Item) -> tuple[str, str, str]:
        ids = _ids(item.choices)
        # The file must not offer the lines in the right order.
        shown = sorted(zip(ids, item.choices, strict=True), key=lambda pair: pair[1].text)
        options = "".join(
            f'<simpleChoice identifier="{i}">{self.inline(c.text)}{self.remark(i, c.feedback)}'
            "</simpleChoice>"
            for i, c in shown
        )
        body = (
            '<orderInteraction responseIdentifier="RESPONSE" shuffle="true">'
            f"{options}</orderInteraction>"
        )
        declared = _declaration("RESPONSE", "ordered", "identifier", ids)
        return declared, self.html(item.stem) + body, MATCH_CORRECT

    def match(self, item: Item) -> tuple[str, str, str]:
        rights = list(dict.fromkeys(pair.right for pair in item.pairs))
        lefts = [pair for pair in item.pairs if pair.left]
        first = "".join(
            f'<simpleAssociableChoice identifier="L{n}" matchMax="1">{self.inline(pair.left)}'
            "</simpleAssociableChoice>"
            for n, pair in enumerate(lefts, 1)
        )
        second = "".join(
            f'<simpleAssociableChoice identifier="R{n}" matchMax="{len(lefts)}">'
            f"{self.inline(right)}</simpleAssociableChoice>"
            for n, right in enumerate(rights, 1)
        )
        right = [f"L{n} R{rights.index(pair.right) + 1}" for n, pair in enumerate(lefts, 1)]
        part = round(1 / max(1, len(lefts)), 7)
        declared = _declaration(
            "RESPONSE", "multiple", "directedPair", right, dict.fromkeys(right, part)
        )
        body = (
            '<matchInteraction responseIdentifier="RESPONSE" shuffle="true" '
            f'maxAssociations="{len(lefts)}"><simpleMatchSet>{first}</simpleMatchSet>'
            f"<simpleMatchSet>{second}</simpleMatchSet></matchInteraction>"
        )
        return declared, self.html(item.stem) + body, MAP_RESPONSE

    def text(self, item: Item) -> tuple[str, str, str]:
        kept = [answer for answer in item.accepted if not answer.pattern]
        for answer in item.accepted:
            if answer.pattern:
                why = f"{answer.text!r}: only whole texts are compared"
                self.losses.append(item.loss("dropped", "pattern", why))
        weights = {answer.text: answer.fraction for answer in kept}
        best = max(weights, key=lambda text: weights[text], default="")
        declared = _declaration(
            "RESPONSE", "single", "string", [best], weights, case=item.case_matters
        )
        gap = '<p><textEntryInteraction responseIdentifier="RESPONSE"/></p>'
        return declared, self.html(item.stem) + gap, MAP_RESPONSE

    def number(self, item: Item) -> tuple[str, str, str]:
        unit = f' <span class="unit">{escape(item.unit)}</span>' if item.unit else ""
        gap = f'<p><textEntryInteraction responseIdentifier="RESPONSE"/>{unit}</p>'
        conditions = []
        bands = [band for band in item.bands if not band.catches_all]
        for number, band in enumerate(bands):
            tag = "responseIf" if number == 0 else "responseElseIf"
            shown = ""
            if band.feedback:
                name = f"band{number + 1}"
                self.feedback.append((name, band.feedback))
                shown = (
                    '<setOutcomeValue identifier="FEEDBACK"><multiple>'
                    f'<baseValue baseType="identifier">{name}</baseValue></multiple>'
                    "</setOutcomeValue>"
                )
            conditions.append(f"<{tag}>{_comparison(band)}{_score(band.fraction)}{shown}</{tag}>")
        if rest := [band for band in item.bands if band.catches_all]:
            why = "what is said about every other number"
            if rest[0].feedback:
                self.losses.append(item.loss("dropped", "feedback", why))
        best = max(bands, key=lambda band: band.fraction).centre if bands else 0.0
        declared = _declaration("RESPONSE", "single", "float", [number_text(best)])
        processing = (
            "  <responseProcessing><responseCondition>"
            f"{''.join(conditions)}</responseCondition></responseProcessing>\n"
        )
        return declared, self.html(item.stem) + gap, processing

    def blanks(self, item: Item) -> tuple[str, str, str]:
        declared = ""
        body = self.html(item.stem)
        for number, blank in enumerate(item.blanks, 1):
            name = f"GAP_{blank.name}"
            if not re.fullmatch(r"[\w.-]+", blank.name):
                name = f"GAP_{number}"
            if blank.options:
                options = [to_plain(option) for option in blank.options]
                right = [
                    f"C{blank.options.index(a.text) + 1}"
                    for a in blank.accepted
                    if a.text in blank.options
                ]
                listed = "".join(
                    f'<inlineChoice identifier="C{n}">{escape(o, quote=False)}</inlineChoice>'
                    for n, o in enumerate(options, 1)
                )
                gap = (
                    f'<inlineChoiceInteraction responseIdentifier="{name}" shuffle="false">'
                    f"{listed}</inlineChoiceInteraction>"
                )
                declared += _declaration(name, "single", "identifier", right)
            else:
                weights = {a.text: a.fraction for a in blank.accepted}
                gap = f'<textEntryInteraction responseIdentifier="{name}"/>'
                declared += _declaration(
                    name, "single", "string", [blank.accepted[0].text], weights
                )
            body = body.replace(f"[[{blank.name}]]", gap)
        return declared, body, MAP_RESPONSE


TEMPLATES = "http://www.imsglobal.org/question/qti_v2p1/rptemplates"
MAP_RESPONSE = f'  <responseProcessing template="{TEMPLATES}/map_response"/>\n'
MATCH_CORRECT = f'  <responseProcessing template="{TEMPLATES}/match_correct"/>\n'


def _ids(choices: tuple[Choice, ...]) -> list[str]:
    own = [choice.id for choice in choices]
    fits = all(re.fullmatch(r"[A-Za-z0-9_][\w.-]*", each, re.ASCII) for each in own)
    return own if fits and len(set(own)) == len(own) else [f"C{n + 1}" for n in range(len(own))]


def _declaration(
    name: str,
    cardinality: str,
    base: str,
    right: list[str] | None = None,
    weights: dict[str, float] | None = None,
    case: bool = False,
) -> str:
    def value(text: str) -> str:
        return f"<value>{escape(FORBIDDEN.sub('', text), quote=False)}</value>"

    correct = f"<correctResponse>{''.join(map(value, right))}</correctResponse>" if right else ""
    entries = "".join(
        f'<mapEntry mapKey="{escape(FORBIDDEN.sub("", key))}" '
        f'mappedValue="{number_text(weight)}" caseSensitive="{str(case).lower()}"/>'
        for key, weight in (weights or {}).items()
    )
    low = ' lowerBound="0"' if weights else ""
    mapping = (
        f'<mapping{low} upperBound="1" defaultValue="0">{entries}</mapping>' if entries else ""
    )
    return (
        f'  <responseDeclaration identifier="{name}" cardinality="{cardinality}" '
        f'baseType="{base}">{correct}{mapping}</responseDeclaration>\n'
    )


def _score(fraction: float) -> str:
    return (
        '<setOutcomeValue identifier="SCORE"><baseValue baseType="float">'
        f"{number_text(fraction)}</baseValue></setOutcomeValue>"
    )


def _comparison(band: Band) -> str:
    value = (
        '<variable identifier="RESPONSE"/>'
        f'<baseValue baseType="float">{number_text(band.centre)}</baseValue>'
    )
    if band.digits is not None:
        return (
            f'<equalRounded roundingMode="significantFigures" figures="{band.digits}">'
            f"{value}</equalRounded>"
        )
    if band.relative is not None:
        mode = f'toleranceMode="relative" tolerance="{number_text(band.relative * 100)}"'
    else:
        down, up = plus(band.centre, -band.low), plus(band.high, -band.centre)
        mode = f'toleranceMode="absolute" tolerance="{number_text(down)} {number_text(up)}"'
    low, high = str(not band.low_open).lower(), str(not band.high_open).lower()
    return f'<equal {mode} includeLowerBound="{low}" includeUpperBound="{high}">{value}</equal>'
