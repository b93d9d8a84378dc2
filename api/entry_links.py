"""`[[slug]]` in the text of a page, as members write it in notes: a link to that entry."""

import re

from api.content import Content
from api.pages import Linker, link

# What stands in a tag, in code, in a formula or in a link is passed over.
_ENTRY = re.compile(
    r"<(?P<tag>a|code|math|pre|script|style|svg)\b.*?</(?P=tag)>|<[^>]*>"
    r"|\[\[(?P<slug>[a-z0-9]+(?:-[a-z0-9]+)*)\]\]",
    re.S,
)


def link_entries(html: str, content: Content, linker: Linker) -> str:
    """Slugs of entries become links with the entry's title; all else stays as it is."""

    def replace(match: re.Match[str]) -> str:
        entry = content.library.get(match["slug"] or "")
        if entry is None:
            return match[0]
        return link(f"library/{entry.slug}.md", entry.title, linker)

    return _ENTRY.sub(replace, html) if "[[" in html else html
