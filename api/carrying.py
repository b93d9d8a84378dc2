"""What a reader carries away from the site: citations, feeds, a packet for print."""

from html import escape
from pathlib import Path

from api import bibliography, feeds, packet
from api.content import Content
from api.pages import Linker, into_head
from api.records import Meeting


def write_exports(content: Content, base_url: str, site_dir: Path) -> None:
    """Write every export into the built site. What is the same already is left as it is."""
    for module in (bibliography, feeds, packet):
        made = {site_dir / path: text for path, text in module.exports(content, base_url).items()}
        for folder in {file.parent for file in made}:
            folder.mkdir(parents=True, exist_ok=True)
        for file, text in made.items():
            data = text.encode() if isinstance(text, str) else text
            if not file.is_file() or file.read_bytes() != data:
                file.write_bytes(data)


def citation_links(slug: str, linker: Linker) -> str:
    """Links to one entry, or to the whole `library`, in the formats of reference managers."""
    return _links("Cite", bibliography.export_links(slug), linker)


def meeting_links(meeting: Meeting, linker: Linker) -> str:
    calendar = ("Calendar entry", f"meetings/{meeting.slug}.ics")
    return _links("Take along", [("Packet to print", packet.packet_url(meeting)), calendar], linker)


def group_links(linker: Linker) -> str:
    """The feed of what is new and the calendar of all meetings."""
    return _links("Follow", [("Atom feed", "feed.atom"), ("Calendar", "meetings.ics")], linker)


def _links(title: str, links: list[tuple[str, str]], linker: Linker) -> str:
    # Another page than ours or a file: instant navigation should not load it into this one.
    shown = " · ".join(
        f'<a href="{escape(linker(path))}" target="_self">{escape(name)}</a>'
        for name, path in links
    )
    return f'<p class="byline" data-search-exclude>{title}: {shown}</p>'


def announce_feed(html: str, linker: Linker) -> str:
    """Tell a reader's browser or feed reader, in the page's head, where the feed is."""
    link = (
        '<link rel="alternate" type="application/atom+xml" title="Readout" '
        f'href="{escape(linker("feed.atom"))}">'
    )
    return into_head(html, link)
