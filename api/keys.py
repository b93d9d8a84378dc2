"""Keys and options that executed notebooks supply: ranks, arg-maxima, signs, values.

`resolve` turns a question as it was written into the one that is asked: measured values stand in
its options, and the right option is marked, or the options are in their right order. Nothing of it
is compared as raw floats: what is nearer to the key than both may vary by is a mistake.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from api.grading import Key, NoKey, key_version
from api.questions import ComputedKey, FactKey, Option, Question
from api.records import Fact, nearest

_FACT = re.compile(r"\{fact:(?P<name>[a-z0-9-]+)(?::(?P<form>[^}\s]+))?\}")
Facts = Mapping[str, Fact]


def resolve(question: Question, facts: Facts) -> Question:
    """The question with its facts put in; as it was written where one is missing."""
    if not names(question):
        return question
    try:
        options = [_fill(option, facts) for option in question.options]
        computed = _computed(question, options, facts)
    except NoKey:
        return question
    asked = question.model_copy(update={"options": computed})
    asked.__dict__.pop("offered", None)  # a copy takes along what was computed from the old options
    return asked


def names(question: Question) -> list[str]:
    """The facts on which key and options of a question rest, each once."""
    match question.key:
        case FactKey(fact=name):
            found = [name]
        case ComputedKey() as key:
            found = key.facts
        case _:
            found = []
    for option in question.options:
        found += [match["name"] for match in _FACT.finditer(option.as_written)]
    return list(dict.fromkeys(found))


def _find(name: str, facts: Facts) -> Fact:
    if name not in facts:
        hint = nearest(name, facts) if facts else "run the notebooks with `make demos`"
        raise NoKey(f"no notebook records a fact {name!r}; {hint}")
    return facts[name]


def _number(name: str, facts: Facts) -> float:
    try:
        return _find(name, facts).number
    except TypeError as error:
        raise NoKey(f"fact {name!r}: {error}; name another") from error


def _fill(option: Option, facts: Facts) -> Option:
    def insert(match: re.Match[str]) -> str:
        try:
            return _find(match["name"], facts).text(match["form"])
        except (ValueError, TypeError) as error:
            raise NoKey(f"fact {match['name']!r} cannot be written so: {error}") from error

    text = _FACT.sub(insert, option.as_written)
    return option.model_copy(update={"text": text, "written": option.as_written})


def _computed(question: Question, options: list[Option], facts: Facts) -> list[Option]:
    """The options with the right one marked, or in the right order."""
    if question.type == "single" and isinstance(question.key, FactKey):
        right = _named(options, _find(question.key.fact, facts))
    elif isinstance(question.key, ComputedKey):
        ranked = rank(question.key, facts)
        if question.type == "order":
            place = {name: index for index, name in enumerate(ranked)}
            return sorted(options, key=lambda option: place.get(option.id, len(place)))
        right = ranked[0]
    else:
        return options
    return [option.model_copy(update={"right": option.id == right}) for option in options]


def rank(key: ComputedKey, facts: Facts) -> list[str]:
    """The ids of the options, the right one first. Raises NoKey."""
    if key.sign:
        above, below = key.options
        return [above, below] if _number(key.sign, facts) > 0 else [below, above]
    values = {option: _number(name, facts) for option, name in key.ranked.items()}
    return sorted(values, key=lambda option: values[option], reverse=key.largest is not None)


def _named(options: list[Option], fact: Fact) -> str:
    """The id of the option that says the value: its text, or the nearest of numbers."""
    for option in options:
        if option.text in (fact.text(None), str(fact.value)):
            return option.id
    numbers = [
        (value, option.id) for option in options if (value := _value(option.text)) is not None
    ]
    if len(numbers) == len(options) and isinstance(fact.value, int | float):
        return min(numbers, key=lambda pair: abs(pair[0] - fact.number))[1]
    raise NoKey("no option says what the notebook measured; add it, or name another fact")


def _value(text: str) -> float | None:
    """The number that an option says; 97 % is the share 0.97."""
    plain = text.strip().replace(",", "")
    try:
        number = float(plain.removesuffix("%"))
    except ValueError:
        return None
    return number / 100 if plain.endswith("%") else number


# What makes a key ambiguous ----------------------------------------------------------------------


def complaints(question: Question, facts: Facts) -> Iterator[tuple[str, str]]:
    """The field and the message of what keeps a computed key from being one.

    No measured value is printed: whoever reads the log may still have to answer.
    """
    if question.type not in ("single", "multiple", "order", "match") or not names(question):
        return
    if not question.options:
        return  # said where they are read
    try:
        options = [_fill(option, facts) for option in question.options]
        _computed(question, options, facts)
    except NoKey as error:
        yield "key", str(error)
        return
    texts = [option.text for option in options]
    if len(set(texts)) < len(texts):
        yield "options", "two options come out the same; round less, or take one out"
        return
    if isinstance(question.key, ComputedKey):
        known = {option.id for option in options}
        if unknown := [name for name in question.key.options if name not in known]:
            yield "key", f"no option ({unknown[0]}); choose from {', '.join(sorted(known))}"
        elif question.key.ranked and len(question.key.ranked) < len(options):
            yield "key", "every option needs its fact, else another could be the right one"
        elif close := _too_close(question.key, question.type == "order", facts):
            yield "key", close
    else:
        yield from _near_distractors(question, options, facts)


def _too_close(key: ComputedKey, whole_order: bool, facts: Facts) -> str | None:
    """Two facts that decide and lie nearer to each other than both may vary by."""
    if key.sign:
        if abs(_number(key.sign, facts)) > facts[key.sign].tolerance:
            return None
        return f"fact {key.sign!r} is nearer to 0 than it may vary by: its sign is no key"
    ranked = [key.ranked[option] for option in rank(key, facts)]
    for first, second in pairwise(ranked if whole_order else ranked[:2]):
        margin = abs(facts[first].number - facts[second].number)
        if margin <= facts[first].tolerance + facts[second].tolerance:
            return f"facts {first!r} and {second!r} are nearer to each other than they may vary by"
    return None


def _near_distractors(
    question: Question, options: list[Option], facts: Facts
) -> Iterator[tuple[str, str]]:
    """Options of a single choice whose number is no clear mistake."""
    marked = _computed(question, options, facts)
    measured = [(option, _measured(option, facts)) for option in marked]
    right = next((number for option, number in measured if option.right), None)
    if right is None or question.type != "single":
        return
    key, tolerance = right
    if isinstance(question.key, FactKey) and isinstance(facts[question.key.fact].value, float):
        tolerance = max(tolerance, 2 * facts[question.key.fact].tolerance)
    for option, number in measured:
        if option.right or number is None:
            continue
        value, own = number
        if abs(value - key) <= tolerance + own:
            yield "options", f"option ({option.id}) is nearer to the key than both may vary by"


def _measured(option: Option, facts: Facts) -> tuple[float, float] | None:
    """The number that an option is, and how much it may vary; None if it is no number."""
    fact = _FACT.fullmatch(option.as_written.strip())
    if fact and type(facts[fact["name"]].value) in (int, float):  # a truth is an int as well
        return facts[fact["name"]].number, facts[fact["name"]].tolerance
    value = _value(option.text)
    return None if value is None else (value, 0.0)


# What a key rests on -----------------------------------------------------------------------------


def version_of(question: Question, key: Key, facts: Facts) -> str:
    """The version of a key: it changes with its value and with the notebooks that measured it."""
    notebooks = [getattr(facts[name], "key", None) for name in names(question) if name in facts]
    return key_version(question, key, notebooks)
