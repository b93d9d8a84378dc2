"""A QTI 1.2 item as a question of the common model: one method a kind."""

import re
from collections.abc import Iterator

from api.formats.model import Accepted, Blank, Item, Pair, even_shares
from api.formats.qti12_conditions import is_number, read_band, read_condition
from api.formats.qti12_parts import Parts, block, own_material
from api.formats.xml import Node

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


class ItemReader(Parts):
    def read(self, group: str) -> Item | None:
        presentation = self.node.find("presentation")
        if presentation is None:
            self.notes.append(("dropped", "question", "an item without a presentation"))
            return None
        self.responses = list(presentation.below("response_lid", "response_str", "response_num"))
        self.stem = self.material(own_material(presentation))
        declared = next(self.node.below("decvar"), None)
        self.conditions = [read_condition(c, declared) for c in self.node.below("respcondition")]
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
        pairs: list[Pair] = []
        partners: list[str] = []
        for response, left, choices in self.lines_to_match():
            partners += choices.values()
            name = response.get("ident")
            right = [i for i in choices if scores.get((name, i), 0) > 0]
            if not right:
                raise ValueError(f"nothing is right beside {left!r}")
            if len(right) > 1 and response.get("rcardinality").lower() == "multiple":
                # Categories with several members: each member is put to its category.
                pairs += [Pair(choices[each], left) for each in right]
                continue
            pairs.append(Pair(left, choices[right[0]]))
        used = {pair.right for pair in pairs} | {pair.left for pair in pairs}
        spare = [text for text in dict.fromkeys(partners) if text and text not in used]
        return item.but(pairs=(*pairs, *(Pair("", text) for text in spare)))

    def lines_to_match(self) -> Iterator[tuple[Node, str, dict[str, str]]]:
        """Each line with its text and the partners that may be put beside it.

        Blackboard writes the line behind its response, and all partners once, in the order in
        which each response names them.
        """
        presentation = self.node.find("presentation")
        assert presentation
        partners = block(presentation, "RIGHT_MATCH_BLOCK")
        if partners is None:
            for response in self.responses:
                choices = self.choices_of(response)
                left = self.material(response.each("material"))
                yield response, left, {ident: each.text for ident, each in choices.items()}
            return
        texts = [self.material(flow.below("material")) for flow in partners.each("flow")]
        for flow in presentation.below("flow"):
            for response in flow.each("response_lid"):
                left = self.material(
                    m for each in flow.each("flow") for m in each.below("material")
                )
                yield response, left, dict(zip(self.choices_of(response), texts, strict=False))

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
                band = read_band(condition.tests)
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
            if condition.score is None and own and any(is_number(t.value, value) for t in equals):
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
