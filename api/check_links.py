"""Where the links of the pages lead: to a page that is there, at an anchor that it has."""

import posixpath
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from api.content import Content
from api.questions import Quiz
from api.records import closest, nearest, short
from api.scan import BY_REFERENCE, Link, Page, plain_text

Found = Iterator[tuple[int, str]]  # a line and a message

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class Site:
    """Where the links of the pages can lead."""

    def __init__(self, content: Content, pages: dict[str, Page], files: Iterable[str]) -> None:
        self.content, self.pages = content, pages
        self.docs = content.folder.name
        self.files = set(files)
        self.notebooks = self._notebooks()

    def _notebooks(self) -> dict[str, str]:
        """The page of each notebook, by the addresses that stand for it."""
        scripts = {PurePosixPath(p).stem: p for p in self.pages if p.endswith(".py")}
        for stem in demo_slugs(self.content):
            scripts.setdefault(stem, "")
        folder, root = self.content.executed_dir, self.content.root
        inside = folder is not None and folder.resolve().is_relative_to(root)
        executed = folder.resolve().relative_to(root).as_posix() if folder and inside else ""
        return {
            address: script
            for stem, script in scripts.items()
            for address in (
                f"{self.docs}/demos/{stem}.ipynb",
                f"{executed}/{stem}.ipynb",
                f"demos/{stem}.py",
            )
        }

    @cached_property
    def by_folder(self) -> dict[str, list[str]]:
        """What can be linked to, by folder, to suggest the nearest."""
        found: dict[str, list[str]] = {}
        published = [address for address in self.notebooks if address.startswith(self.docs)]
        for path in sorted({*self.files, *published}):
            found.setdefault(posixpath.dirname(path), []).append(posixpath.basename(path))
        return found

    def check_links(self, path: str, page: Page) -> Found:
        folder = posixpath.dirname(path)
        for link in page.links:
            # From one folder the same target leads to the same place; few targets are new.
            key = (folder, *link._replace(at=0, alt=None if link.alt is None else ""))
            if key in self._judged and link.target[:1] not in ("#", ""):
                message = self._judged[key]
            else:
                message = self._judged[key] = self.wrong(path, link)
            if message:
                yield page.line(link.at), message

    @cached_property
    def _judged(self) -> dict[tuple[Any, ...], str | None]:
        return {}

    def check_passages(self, quiz: Quiz) -> Found:
        """Whether the passages exist that the questions test."""
        for question in quiz.questions:
            if question.anchor is None:
                continue
            message = self.wrong(quiz.path, Link(question.anchor, 0, None))
            if not message and "#" not in question.anchor and ":" not in question.anchor:
                message = f"{short(question.anchor)} is a whole page; add #the-section"
            if message:
                yield question.lines.get("anchor", question.line), f"anchor: {message}"

    def wrong(self, path: str, link: Link) -> str | None:
        """Why a link of a page leads nowhere; None if it leads somewhere."""
        target = link.target
        if target == BY_REFERENCE:
            return None  # judged where it is defined
        if target.startswith("["):
            what = "a note" if target.startswith("[^") else "page.md"
            return f"{target} is defined nowhere; write `{target}: {what}` on a line of its own"
        if not target:
            return "a link to nowhere; write [text](page.md)"
        if target.startswith("//"):
            return f"{short(target)} has no scheme; write https:{target}"
        if scheme := _SCHEME.match(target):
            if scheme[0].lower() in ("https:", "http:", "mailto:"):
                return _from_elsewhere(link)
            return f"{short(target)}: a link of this kind is not allowed; write https://..."
        if target.startswith("/"):
            return (
                f"{short(target)} holds on one host only; write a relative link, as ../library/x.md"
            )
        return self.wrong_page(path, target) or self.in_html(link)

    def in_html(self, link: Link) -> str | None:
        """Why a link that would be right in Markdown is none in HTML: nobody rewrites it."""
        if not link.tag or link.target.startswith("#"):
            return None
        right = "[text]" if link.tag == "a" else "![what it shows]"
        return f"<{link.tag}> is left as it is, and leads nowhere; write {right}({link.target})"

    def wrong_page(self, path: str, target: str) -> str | None:
        name, _, anchor = target.partition("#")
        to = self.resolve(path, unquote(name.partition("?")[0]))
        if not name:
            return self.wrong_anchor(path, anchor, target)
        if path.endswith(".py") and not self.known_from_script(to):
            return f"no page for {short(target)}; {self.advice(path, to)}"
        if to in self.files and to.startswith(f"{self.docs}/"):
            return self.wrong_anchor(to, anchor, target) if anchor else None
        if to in self.notebooks:
            if to.endswith(".py") and not path.endswith(".py"):
                right = self.relative(path, f"{self.docs}/demos/{PurePosixPath(to).stem}.ipynb")
                return f"{short(target)} is no page; write {right}"
            return self.wrong_anchor(self.notebooks[to], anchor, target) if anchor else None
        return f"no page {short(target)}; {self.advice(path, to)}"

    def known_from_script(self, to: str) -> bool:
        return (to.endswith(".md") and to in self.files) or (
            to.endswith(".py") and to in self.notebooks
        )

    def resolve(self, path: str, target: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))

    def relative(self, path: str, to: str) -> str:
        return posixpath.relpath(to, posixpath.dirname(path))

    @cached_property
    def by_name(self) -> dict[str, str]:
        """The first file of each name."""
        return {posixpath.basename(path): path for path in sorted(self.files, reverse=True)}

    def advice(self, path: str, to: str) -> str:
        """What the author of a dead link probably meant."""
        if completed := self.completed(to):
            return f"write {self.relative(path, completed)}"
        folder, name = posixpath.split(to)
        if name in self.by_name and not path.endswith(".py"):
            return f"did you mean {self.relative(path, self.by_name[name])}?"
        choices = self.by_folder.get(folder, [])
        if path.endswith(".py") and folder == "demos":
            choices = [posixpath.basename(a) for a in self.notebooks if a.endswith(".py")]
        if close := closest(name[:100], choices):
            return f"did you mean {self.relative(path, posixpath.join(folder, close[0]))}?"
        return "link to a file that is here, or to https://..."

    def completed(self, to: str) -> str | None:
        """The file that a link without its ending means."""
        for ending in (".md", "/index.md"):
            if f"{to}{ending}" in self.files:
                return f"{to}{ending}"
        return None

    def wrong_anchor(self, to: str, anchor: str, target: str) -> str | None:
        page = self.pages.get(to)
        if page is None or page.open_fence is not None:
            return None  # not to be known, and complained of already
        anchors = self.anchors(to, page)
        if unquote(anchor) in anchors:
            return None
        hint = nearest(unquote(anchor), anchors)
        name = target.partition("#")[0]
        where = short(name) if name else "this page"
        return f"{where} has no anchor {short(anchor)}; {hint}"

    def anchors(self, path: str, page: Page) -> set[str]:
        if path.endswith(".py"):
            return {plain_text(heading.text).replace(" ", "-") for heading in page.headings}
        return self._anchors.setdefault(path, page.anchors | self.generated(path))

    @cached_property
    def _anchors(self) -> dict[str, set[str]]:
        return {}

    def generated(self, path: str) -> set[str]:
        """The ids that the build gives to what it adds to a page."""
        content, slug = self.content, PurePosixPath(path).stem
        match path.removeprefix(f"{self.docs}/").split("/"):
            case ["library", "index.md"]:
                return set(content.topics)
            case ["library", _] if entry := content.library.get(slug):
                lists = {"read-next": entry.related, "cites-in-this-library": entry.cites}
                return {name for name, listed in lists.items() if listed}
            case ["meetings", _] if meeting := content.meetings.get(slug):
                found = {"notes-of-members"}
                found |= {"readings"} if meeting.readings else set()
                return found | ({"quiz"} if content.quizzes_for(slug) else set())
        return set()


def _from_elsewhere(link: Link) -> str | None:
    """A link may lead to another site; a picture may not be fetched from there."""
    if link.alt is None and link.tag in ("", "a", "area"):
        return None
    reason = "a reader would ask another site for it"
    return f"{short(link.target)}: {reason}; put the file into assets/, or link to it"


def demo_slugs(content: Content) -> set[str]:
    """The notebooks that there are: as a script, or as a committed result."""
    scripts = (content.root / "demos").glob("[0-9][0-9]_*.py")
    executed = content.executed_dir.glob("*.ipynb") if content.executed_dir else ()
    return {path.stem for path in (*scripts, *executed)}
