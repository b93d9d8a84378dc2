"""Mend what can only have been meant in one way, and touch no other byte of the file.

A mistake is replaced where the parser found it: comments, spacing, quotes, line endings and a byte
order mark stay as they are. What has two likely remedies is left to its author.
"""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from api.check import check
from api.check_links import Site
from api.content import Content, read_content
from api.markup import MAX_FILE_BYTES, Malformed, compose, split_header
from api.questions import QuizHeader
from api.records import EntryHeader, MeetingHeader, TopicHeader, closest
from api.replacing import replace
from api.scan import scan

HEADERS: dict[str, Any] = {
    "library": EntryHeader,
    "meetings": MeetingHeader,
    "quizzes": QuizHeader,
    "topics": TopicHeader,
}
DATES = ("date", "added", "meeting")
NEAR = 0.75  # how alike a misspelt word and the right one must be


class Edit(NamedTuple):
    """Characters `start` to `end` of a file are replaced by `new`."""

    start: int
    end: int
    old: str
    new: str


def fix(content_dir: Path, executed_dir: Path | None = None) -> list[str]:
    """Mend all content of a folder. Returns a line for each change; OSError for what is shut."""
    # A field that has got its right name may have a value to mend.
    rounds = (_mend(content_dir, executed_dir) for _ in range(3))
    return [line for changes in takewhile(bool, rounds) for line in changes]


def _mend(content_dir: Path, executed_dir: Path | None) -> list[str]:
    content = read_content(content_dir, executed_dir)
    wrong = sorted({problem.path for problem in check(content)})
    files = (path.relative_to(content.root) for path in content.folder.rglob("*.md"))
    site = Site(content, {}, [path.as_posix() for path in files])
    return [line for path in wrong for line in _fix_file(site, path)]


def _fix_file(site: Site, path: str) -> list[str]:
    file = site.content.root / path
    if file.suffix != ".md" or file.is_symlink() or file.stat().st_size > MAX_FILE_BYTES:
        return []
    before = file.read_bytes()
    try:
        text = before.decode("utf-8")  # not -sig: a byte order mark stays
        edits = find_edits(text, path, site)
    except (UnicodeDecodeError, Malformed):
        return []
    after = apply(text, edits)
    if edits:
        replace(file, after.encode("utf-8"))
    return [f"{path}:{text.count(chr(10), 0, e.start) + 1}: {e.old} -> {e.new}" for e in edits]


def apply(text: str, edits: list[Edit]) -> str:
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


def find_edits(text: str, path: str, site: Site) -> list[Edit]:
    """What to change in the text of a file. Raises Malformed if its header cannot be read."""
    mark = 1 if text.startswith("\ufeff") else 0
    header, body, _ = split_header(text[mark:])
    body_at = len(text) - len(body)
    header_at = text.index("\n") + 1
    edits = [*_body_edits(body, body_at, path, site)]
    if model := HEADERS.get(Path(path).parent.name):
        node = compose(header)
        if isinstance(node, yaml.MappingNode):
            edits += _header_edits(header, header_at, node, model, site.content)
    return sorted(edits)


# The header --------------------------------------------------------------------------------------


def _header_edits(
    header: str, at: int, node: yaml.MappingNode, model: Any, content: Content
) -> Iterator[Edit]:
    fields = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    free = [name for name in model.model_fields if name not in fields]
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value not in model.model_fields:
            close = closest(key.value, model.model_fields, NEAR)
            if len(close) == 1 and close[0] in free:
                free.remove(close[0])
                yield from _scalar(header, at, key, close[0])
        elif key.value == "topics" and isinstance(value, yaml.SequenceNode):
            yield from _topics(header, at, value, content)
        elif isinstance(value, yaml.ScalarNode):
            new = _mended(key.value, value.value)
            if new != value.value:
                yield from _scalar(header, at, value, new, quote=key.value == "arxiv")


def _topics(header: str, at: int, node: yaml.SequenceNode, content: Content) -> Iterator[Edit]:
    given = [child.value for child in node.value if isinstance(child, yaml.ScalarNode)]
    for child in node.value:
        if isinstance(child, yaml.ScalarNode) and child.value not in content.topics:
            close = closest(child.value, content.topics, NEAR)
            if len(close) == 1 and close[0] not in given:
                given.append(close[0])
                yield from _scalar(header, at, child, close[0])


def _mended(field: str, value: str) -> str:
    """The value of a field as it was meant, or as it is."""
    if field in DATES:
        return re.sub(r"\A(\d{4})[/.](\d\d)[/.](\d\d)\Z", r"\1-\2-\3", value)
    if field == "url":
        return re.sub(r"\Ahttp://((?:www\.|dx\.)?(?:arxiv|doi)\.org/)", r"https://\1", value)
    if field == "arxiv":
        pattern = r"\A(?:arxiv:\s*|https?://arxiv\.org/abs/)(\d{4}\.\d{4,5}|[a-z-]+/\d{7})(v\d+)?\Z"
        return re.sub(pattern, r"\1", value, flags=re.IGNORECASE)
    if field == "doi":
        pattern = r"\A(?:doi:\s*|https?://(?:dx\.)?doi\.org/)(10\.\d{4,9}/\S+)\Z"
        return re.sub(pattern, r"\1", value, flags=re.IGNORECASE)
    return value


def _scalar(
    header: str, at: int, node: yaml.ScalarNode, new: str, quote: bool = False
) -> Iterator[Edit]:
    """Replace what a scalar says, inside its quotes if it has some."""
    start, end = node.start_mark.index, node.end_mark.index
    written = header[start:end]
    if written == node.value:
        new = f'"{new}"' if quote else new
    elif written[1:-1] == node.value and written[:1] in "\"'" and written[:1] == written[-1:]:
        start, end = start + 1, end - 1
    else:
        return  # escaped, folded or tagged: not to be guessed at
    yield Edit(at + start, at + end, node.value, new)


# The body ----------------------------------------------------------------------------------------


def _body_edits(body: str, at: int, path: str, site: Site) -> Iterator[Edit]:
    """Links to `page` where there is a `page.md`."""
    page = scan(body)
    for link in page.links:
        name = link.target.partition("#")[0]
        if link.tag:
            continue  # HTML is left as it is: no address of a page would be right
        if not re.fullmatch(r"[\w./-]+[\w-]", name, re.ASCII) or "//" in name:
            continue
        to = site.resolve(path, name)
        if to in site.files or f"{to}.md" not in site.files:
            continue
        start = at + link.at
        yield Edit(start, start + len(name), name, f"{name}.md")
