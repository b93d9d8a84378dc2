"""Every rule for content: one run, all mistakes, each with its file, its line and its remedy."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from api.check_pages import check_pages
from api.check_records import check_records
from api.content import Content, name_below
from api.glossary import find_terms
from api.markup import Malformed, Problem, read_fields, read_text, split_header
from api.outputs import foreign
from api.scan import Page, scan

FOLDERS = ("library", "meetings", "quizzes", "topics")
ASSETS = "assets"
MARKDOWN = (".md", ".markdown", ".mdown", ".mkd")


def check(content: Content) -> list[Problem]:
    """Every problem of the content, by file and line."""
    problems = list(content.problems)
    files = _files(content, problems)
    pages = _pages(content, files, problems)
    problems += _check_pictures(content, files)
    problems += check_records(content, files)
    problems += check_pages(content, pages, files)
    problems += _check_glossary(content)
    problems += _check_outputs(content)
    return sorted({Problem(shown(path), line, message) for path, line, message in problems})


def _check_glossary(content: Content) -> list[Problem]:
    """What keeps terms of the glossary from being linked."""
    path = content.folder / "glossary.md"
    try:
        text = path.read_text("utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        return []  # said already, of every page that is no UTF-8
    return find_terms(text, f"{content.folder.name}/glossary.md")[1]


# What a picture may not hold: it is opened by itself, too, on the site's own address.
_ACTS = re.compile(
    rb"<\s*(?:script|foreignObject|iframe|embed|object)\b|\son\w+\s*=|javascript:"
    rb"|(?:href|src)\s*=\s*[\"']?\s*(?:https?:)?//",
    re.IGNORECASE,
)


def _check_pictures(content: Content, files: list[str]) -> Iterator[Problem]:
    for path in files:
        if path.lower().endswith((".svg", ".html", ".htm", ".xhtml", ".xml")):
            data = (content.root / path).read_bytes()
            if found := _ACTS.search(data):
                line = data.count(b"\n", 0, found.start()) + 1
                yield Problem(path, line, "does more than show; save it as a plain picture")


def _check_outputs(content: Content) -> Iterator[Problem]:
    folder = content.executed_dir
    for path in sorted(folder.resolve().glob("*.ipynb")) if folder else ():
        with suppress(OSError, ValueError, LookupError, AttributeError, TypeError):
            if found := foreign(path.read_text("utf-8")):  # what is no notebook was said already
                yield Problem(name_below(path, content.root), 1, found)


def github(problem: Problem) -> str:
    """A problem as an annotation of a pull request."""
    path = _escaped(problem.path).replace(":", "%3A").replace(",", "%2C")
    return f"::error file={path},line={problem.line}::{_escaped(problem.message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def shown(path: str) -> str:
    """A path that can be printed on one line, whatever bytes its author chose."""
    text = path.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def read_pages(content: Content) -> dict[str, Page]:
    """Every page and notebook that can be read, by path."""
    return _pages(content, _files(content, []), [])


def _files(content: Content, problems: list[Problem]) -> list[str]:
    """The files of the content folder, relative to the project, without symbolic links."""
    files = []
    for item in _walk(content.folder):
        name = _name(item, content)
        if item.is_symlink():
            problems.append(_link(name))
        elif item.is_file():
            files.append(name)
            if wrong := _misplaced(*name.split("/")[1:]):
                problems.append(Problem(name, 1, wrong))
    return sorted(files)


def symbolic_links(content: Content) -> list[Problem]:
    """What a page must not be: it may stand for any file of the machine that publishes it."""
    return [_link(_name(item, content)) for item in _walk(content.folder) if item.is_symlink()]


def unreadable_pages(content: Content) -> list[Problem]:
    """The pages beside the records that cannot be read: no UTF-8, or too large."""
    said = {problem.path for problem in content.problems}
    problems = []
    for item in _walk(content.folder):
        name = _name(item, content)
        if name.endswith(".md") and name not in content.documents and name not in said:
            try:
                read_text(Path(item.path))
            except Malformed as error:
                problems.append(Problem(name, error.line, error.message))
    return problems


def _link(name: str) -> Problem:
    return Problem(name, 1, "a symbolic link; put the file itself here")


def _name(item: os.DirEntry[str], content: Content) -> str:
    return item.path[len(str(content.root)) + 1 :].replace(os.sep, "/")


def _walk(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder that is not a folder itself; links are not followed."""
    with os.scandir(folder) as items:
        for item in items:
            if item.is_dir(follow_symlinks=False):
                yield from _walk(item.path)
            else:
                yield item


def _misplaced(folder: str, *names: str) -> str | None:
    """Why a file would not be read, or would be published as it is."""
    name = (names or (folder,))[-1]
    if not name.lower().endswith(MARKDOWN):
        # A page of somebody's own could act in the name of whoever is signed in.
        published = (names[:1] and folder == ASSETS) or name.startswith(".")
        return None if published else f"no Markdown; pictures belong into {ASSETS}/"
    if folder not in FOLDERS or not names:
        return None
    if len(names) > 1:
        return f"in a folder of its own; put it right into {folder}/"
    if not names[0].endswith(".md"):
        return f"would not be read; name it {Path(names[0]).stem}.md"
    return None


def _pages(content: Content, files: list[str], problems: list[Problem]) -> dict[str, Page]:
    """Every Markdown page of the content and every notebook, scanned, by path."""
    pages: dict[str, Page] = {}
    for path in files:
        if not path.endswith(".md"):
            continue
        if document := content.documents.get(path):
            pages[path] = scan(document.body, document.body_line)
            pages[path].header = document.header.values
            continue
        try:
            pages[path] = _other_page(content.root / path, path, problems)
        except Malformed as error:
            problems.append(Problem(path, error.line, error.message))
    for script in sorted((content.root / "demos").glob("[0-9][0-9]_*.py")):
        name = script.relative_to(content.root).as_posix()
        try:
            pages[name] = scan(_cells(read_text(script)))
        except Malformed as error:
            problems.append(Problem(name, error.line, error.message))
    return pages


def _other_page(file: Path, path: str, problems: list[Problem]) -> Page:
    """A page that is no record, or whose header could not be read: its body is checked too."""
    text = read_text(file)
    try:
        header, body, line = split_header(text)
    except Malformed:
        if text.startswith("---"):
            raise
        return scan(text)
    page = scan(body, line)
    try:
        fields = read_fields(header, first_line=2)
    except Malformed as error:
        problems.append(Problem(path, error.line, error.message))
        page.header = None
    else:
        problems += [Problem(path, error.line, error.message) for error in fields.problems]
        page.header = fields.values
    return page


def _cells(script: str) -> str:
    """The Markdown cells of a percent script, line for line; all else is left empty."""
    lines, inside = [], False
    for line in script.split("\n"):
        if line.startswith("# %%"):
            inside = "[markdown]" in line
            lines.append("")
        else:
            lines.append(line[1:].removeprefix(" ") if inside and line[:1] == "#" else "")
    return "\n".join(lines)
