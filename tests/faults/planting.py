"""What a planted fault is: what to replace where, and the test that must go red."""

from typing import NamedTuple


class Edit(NamedTuple):
    file: str
    old: str  # stands there exactly once
    new: str


class Fault(NamedTuple):
    name: str
    test: str  # what pytest is asked to run
    edits: tuple[Edit, ...]


def fault(name: str, test: str, file: str, old: str, new: str, *more: Edit) -> Fault:
    return Fault(name, test, (Edit(file, old, new), *more))
