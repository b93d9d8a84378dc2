"""Whether a response is right, and by how much. Knows nothing of HTTP or of the database."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from api.questions import FactKey, Option, Question, Tolerance, digest
from api.records import Fact
from api.wire import NotOffered

Response = str | int | float | list[str] | dict[str, str]


class Mark(NamedTuple):
    """`score` runs from 0 to 1; `correct` is said of the whole only."""

    score: float
    correct: bool


class Key(NamedTuple):
    """What is right, in the form in which a member would have given it."""

    response: Response
    tolerance: Tolerance | None = None


def key_version(question: Question, key: Key, notebooks: Sequence[str | None] = ()) -> str:
    """Changes when what counts as right changes, or what was executed to find it.

    `notebooks` are the keys of the notebooks that measured what the key rests on.
    """
    tolerance = key.tolerance.model_dump() if key.tolerance else None
    return digest([key.response, question.accept, tolerance, list(notebooks)])


class NoKey(Exception):
    """The fact that a question names is not there, or is no number."""


def find_key(question: Question, facts: Mapping[str, Fact]) -> Key:
    """The key of a question, taken from the facts where it names one. Raises NoKey."""
    match question.type:
        case "single":
            right = [option.id for option in question.options if option.right]
            if len(right) != 1:
                raise NoKey(f"the key of {question.id!r} could not be computed")
            return Key(right[0])
        case "multiple":
            return Key([o.id for o in question.options if o.right])
        case "order":
            return Key([o.id for o in question.options])
        case "match":
            return Key({o.id: o.match or "" for o in question.options})
        case "text":
            return Key(str(question.key))
        case _:
            return _number_key(question, facts)


def _number_key(question: Question, facts: Mapping[str, Fact]) -> Key:
    if not isinstance(question.key, FactKey):
        assert question.number is not None
        return Key(question.number, question.tolerance)
    fact = facts.get(question.key.fact)
    if fact is None:
        raise NoKey(f"no notebook records a fact {question.key.fact!r}")
    try:
        return Key(fact.number, question.tolerance)
    except TypeError as error:
        raise NoKey(f"fact {question.key.fact!r}: {error}") from error


def grade(question: Question, response: Response, key: Key) -> Mark:
    """Mark one response. Raises NotOffered if the question does not offer it."""
    response = check_response(question, response)
    match question.type:
        case "single" | "text" | "number":
            right = _matches(question, response, key)
            return Mark(float(right), right)
        case "multiple":
            assert isinstance(response, list) and isinstance(key.response, list)
            return _mark_multiple(set(response), set(key.response))
        case "order":
            assert isinstance(response, list) and isinstance(key.response, list)
            return _mark_order(response, key.response)
        case _:
            assert isinstance(response, dict) and isinstance(key.response, dict)
            pairs = [response[left] == right for left, right in key.response.items()]
            return Mark(sum(pairs) / len(pairs), all(pairs))


def _matches(question: Question, response: Response, key: Key) -> bool:
    if question.type == "text":
        accepted = {plain(text) for text in (str(key.response), *question.accept)}
        return plain(str(response)) in accepted
    if question.type == "number":
        assert isinstance(response, int | float) and isinstance(key.response, int | float)
        return within(float(response), float(key.response), key.tolerance or Tolerance(absolute=0))
    return response == key.response


def within(value: float, key: float, tolerance: Tolerance) -> bool:
    """Whether a number is as near to the key as the tolerance asks. Its edge counts as near."""
    if tolerance.digits is not None:
        return f"{value:.{tolerance.digits - 1}e}" == f"{key:.{tolerance.digits - 1}e}"
    allowed = tolerance.absolute if tolerance.relative is None else tolerance.relative * abs(key)
    assert allowed is not None
    # 0.3 - 0.1 is a little more than 0.2 in floating point; nobody should lose a point by that.
    return abs(value - key) <= allowed + 1e-9 * max(abs(key), allowed)


def plain(text: str) -> str:
    """A text as it is compared: case, width, spacing and punctuation at its ends do not count."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.strip(" .,;:!?\"'`")


def _mark_multiple(chosen: set[str], right: set[str]) -> Mark:
    """Each wrong choice takes a right one back, so choosing everything earns nothing by itself."""
    score = max(0, len(chosen & right) - len(chosen - right)) / len(right)
    return Mark(score, chosen == right)


def _mark_order(given: list[str], right: list[str]) -> Mark:
    """The share of pairs that stand in the right order."""
    place = {option: index for index, option in enumerate(given)}
    pairs = [(a, b) for i, a in enumerate(right) for b in right[i + 1 :]]
    score = sum(place[a] < place[b] for a, b in pairs) / len(pairs)
    return Mark(score, given == right)


def check_response(question: Question, response: Response) -> Response:
    """The response, if it is offered. Raises NotOffered, saying what is."""
    offered = [option.id for option in question.offered]
    match question.type:
        case "single":
            if not isinstance(response, str) or response not in offered:
                raise NotOffered(f"{_short(response)} is not offered; choose from {_join(offered)}")
        case "multiple":
            if not isinstance(response, list) or not set(response) <= set(offered):
                raise NotOffered(
                    f"{_short(response)} is not offered; choose any of {_join(offered)}"
                )
            if len(set(response)) != len(response):
                raise NotOffered("an option stands twice; name each once")
        case "order":
            if not isinstance(response, list) or sorted(response) != sorted(offered):
                raise NotOffered(f"{_short(response)} is not an order of {_join(offered)}")
        case "match":
            partners = question.matches
            if (
                not isinstance(response, dict)
                or response.keys() != set(offered)
                or not set(response.values()) <= set(partners)
            ):
                raise NotOffered(f"give one of {_join(partners)} for each of {_join(offered)}")
        case "number":
            if not isinstance(response, int | float) or not math.isfinite(response):
                raise NotOffered(f"{_short(response)} is not a number; give one, as 0.5")
        case _:
            if not isinstance(response, str):
                raise NotOffered(f"{_short(response)} is not a text; give a word or a few")
            if not response.strip():
                raise NotOffered("an empty answer; give a word or a few")
    return response


def chosen_options(question: Question, response: Response) -> list[Option]:
    """The options that a response chose, to give their feedback."""
    chosen = [response] if isinstance(response, str) else response
    return [o for o in question.options if o.id in chosen] if isinstance(chosen, list) else []


def _join(names: list[str]) -> str:
    return ", ".join(names)


def _short(response: Response) -> str:
    text = repr(response)
    return text if len(text) <= 80 else text[:77] + "..."
