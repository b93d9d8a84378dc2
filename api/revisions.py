"""Whether a changed question says so: the content against its own history in git.

Answers are kept for years, and statistics go on over a mended typing error but not over another
question. Only the author knows which of the two a change is.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from api import keys
from api.content import Content, facts_of
from api.grading import NoKey, find_key
from api.markup import Document, Malformed, Problem, read_fields, split_header
from api.questions import ComputedKey, FactKey, Option, Question, digest, read_questions
from api.records import Fact


class Compared(NamedTuple):
    """What is undeclared, the questions whose computed key moved, and why nothing was compared."""

    problems: list[Problem]
    moved: list[str]
    note: str | None = None


class NoHistory(Exception):
    """There is nothing to compare with. The message says why, and what to do."""


def check_revisions(content: Content) -> Compared:
    """Compare each question with what it was where this branch left the main one."""
    try:
        base = find_base(content.root)
        before, facts = _questions_at(base, content)
    except NoHistory as error:
        return Compared([], [], str(error))
    problems, moved = [], []
    for quiz in content.quizzes.values():
        for now in quiz.questions:
            old = before.get(now.id)
            if old is None:
                continue  # new
            what = _authored_changes(old, now)
            if _key_moved(old, facts, now, content.facts):
                moved.append(now.id)
                what.append("its computed key")
            if what and (message := _undeclared(old, now, " and ".join(what), base)):
                problems.append(Problem(quiz.path, now.lines.get("revision", now.line), message))
    return Compared(problems, moved)


def _undeclared(old: Question, now: Question, what: str, base: str) -> str | None:
    if now.revision is None:
        return (
            f"{what} changed since {base[:9]}; write `revision: cosmetic` if it still asks the "
            "same, `revision: meaning` if not"
        )
    if old.revision is not None and (old.revision, old.changed) == (now.revision, now.changed):
        return (
            f"{what} changed since {base[:9]}, and its revision was declared for an earlier "
            "change; say in `changed: ...` what changed this time"
        )
    return None


def _authored_changes(old: Question, now: Question) -> list[str]:
    """What somebody wrote differently. Explanations and hints may change freely."""
    changed = []
    if (old.stem, old.type, old.unit) != (now.stem, now.type, now.unit):
        changed.append("the question")
    if [(o.id, o.as_written, o.match) for o in _sorted(old)] != [
        (o.id, o.as_written, o.match) for o in _sorted(now)
    ]:
        changed.append("an option")
    if _key(old) != _key(now):
        changed.append("the key")
    return changed


def _sorted(question: Question) -> list[Option]:
    return sorted(question.options, key=lambda option: option.id)


def _key(question: Question) -> str:
    """What the author says is right, without what a notebook says."""
    tolerance = question.tolerance.model_dump() if question.tolerance else None
    key = question.key if isinstance(question.key, str | None) else question.key.model_dump()
    computed = isinstance(question.key, ComputedKey | FactKey)
    right = None if computed else [option.id for option in _sorted(question) if option.right]
    order = [o.id for o in question.options] if question.type == "order" and not computed else None
    return digest([key, sorted(question.accept), tolerance, right, order])


def _key_moved(
    old: Question, old_facts: Mapping[str, Fact], now: Question, facts: Mapping[str, Fact]
) -> bool:
    """Whether the same key is another by what the notebooks measure now."""
    if not keys.names(now) or _key(old) != _key(now):
        return False
    try:
        before = find_key(keys.resolve(old, old_facts), old_facts).response
        after = find_key(now, facts).response
    except NoKey:
        return False  # the check complains of it
    if isinstance(before, int | float) and isinstance(after, int | float):
        assert isinstance(now.key, FactKey)
        allowed = max(f[now.key.fact].tolerance for f in (old_facts, facts))
        return abs(before - after) > allowed
    return before != after


# History -----------------------------------------------------------------------------------------


def find_base(root: Path) -> str:
    """The commit where this branch left the main one. Raises NoHistory."""
    named = os.environ.get("GITHUB_BASE_REF")
    candidates = [f"origin/{named}"] if named else ["origin/main", "main"]
    try:
        if _git(root, "rev-parse", "--is-inside-work-tree") is None:
            raise NoHistory("not a git checkout: revisions of questions were not compared")
    except OSError as error:
        raise NoHistory("git is not here: revisions of questions were not compared") from error
    for candidate in candidates:
        if _git(root, "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}") is None:
            continue
        if base := _git(root, "merge-base", "HEAD", candidate):
            return base.strip()
    if (_git(root, "rev-parse", "--is-shallow-repository") or "").strip() == "true":
        raise NoHistory(
            "a shallow clone: revisions of questions were not compared; "
            "fetch the rest with `git fetch --unshallow origin main`"
        )
    raise NoHistory(
        f"no branch {' or '.join(candidates)}: revisions of questions were not compared"
    )


def _git(root: Path, *command: str) -> str | None:
    """What git prints; None if it refuses."""
    done = subprocess.run(  # noqa: S603  the words are ours
        ["git", *command],  # noqa: S607
        cwd=root,
        capture_output=True,
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        check=False,
    )
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _questions_at(base: str, content: Content) -> tuple[dict[str, Question], dict[str, Fact]]:
    """The questions and the facts at a commit, by id; what has not changed since is not read."""
    changed = _changed_files(base, content)
    quizzes = [path for path in changed if path.endswith(".md")]
    questions = {
        question.id: question
        for quiz in content.quizzes.values()
        if quiz.path not in quizzes
        for question in quiz.questions
    }
    for path in quizzes:
        if (text := _git(content.root, "show", f"{base}:./{path}")) is not None:
            questions |= {question.id: question for question in _read(path, text)}
    notebooks = {Path(path).stem: path for path in changed if path.endswith(".ipynb")}
    facts = {name: fact for name, fact in content.facts.items() if fact.notebook not in notebooks}
    for slug, path in notebooks.items():
        if (text := _git(content.root, "show", f"{base}:./{path}")) is not None:
            try:
                facts |= facts_of(json.loads(text), slug)
            except (ValueError, TypeError, AttributeError):
                continue  # it was broken then
    return questions, facts


def _changed_files(base: str, content: Content) -> list[str]:
    folders = [f"{content.folder.name}/quizzes"]
    if content.executed_dir and content.executed_dir.resolve().is_relative_to(content.root):
        folders.append(content.executed_dir.resolve().relative_to(content.root).as_posix())
    command = ("diff", "--name-only", "--relative", "-z", base, "--", *folders)
    return (_git(content.root, *command) or "").split("\0")[:-1]


def _read(path: str, text: str) -> list[Question]:
    try:
        header, body, line = split_header(text)
        document = Document(path, read_fields(header, first_line=2), body, line)
        return list(read_questions(document).sound)
    except Malformed:
        return []  # it could not be read then
