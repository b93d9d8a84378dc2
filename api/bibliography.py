"""The library as bibliographies: BibTeX, CSL-JSON and RIS out, BibTeX in (`read_bibtex`).

Everything is a function of the records, so equal content gives equal bytes.
"""

import json
import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from markdown_it import MarkdownIt

from api.bibtex import read_bibtex as read_bibtex  # the way back, for who carries things in
from api.content import Content
from api.names import Name, read_name
from api.pages import insert_facts
from api.records import Entry, Fact

EXPORTS = {"BibTeX": ".bib", "RIS": ".ris", "CSL-JSON": ".csl.json"}


def exports(content: Content, base_url: str) -> dict[str, str | bytes]:
    """One file a format for each entry and for all together, by their paths on the site."""
    files: dict[str, str | bytes] = {}
    entries = [content.library[slug] for slug in sorted(content.library)]
    bib = {entry.slug: bibtex(entry) for entry in entries}
    records = {entry.slug: ris(entry) for entry in entries}
    items = {entry.slug: _csl_item(entry) for entry in entries}
    for slug in bib:
        files[f"library/{slug}.bib"] = bib[slug]
        files[f"library/{slug}.ris"] = records[slug]
        files[f"library/{slug}.csl.json"] = _json([items[slug]])
    origin = f"% The library of {base_url.rstrip('/')}/\n\n"
    files["library/library.bib"] = origin + "\n".join(bib.values())
    files["library/library.ris"] = b"\r\n".join(records.values())
    files["library/library.csl.json"] = _json(list(items.values()))
    return files


def export_links(slug: str) -> list[tuple[str, str]]:
    """What an entry can be carried away as: name of the format and path on the site.

    `library` as the slug gives those of the whole library.
    """
    return [(name, f"library/{slug}{ending}") for name, ending in EXPORTS.items()]


# Plain text --------------------------------------------------------------------------------------

_MARKDOWN = MarkdownIt("commonmark")
# Where paragraphs stand; what is in them is not looked at.
_BLOCKS = MarkdownIt("commonmark").disable(["inline", "text_join"])


def abstract(entry: Entry, facts: dict[str, Fact] | None = None) -> str:
    """The first paragraph of an entry as plain text, its facts inserted; "" if it has none.

    Raises pages.Broken for a fact that no notebook records.
    """
    for opening, inline in pairwise(_BLOCKS.parse(entry.body)):
        if opening.type == "paragraph_open" and opening.level == 0:
            text = insert_facts(inline.content, facts or {}, entry.path, lambda path: path)
            return plain_text(text)
    return ""


def plain_text(markdown: str) -> str:
    """One paragraph of Markdown without its marks: a link is its text, a picture its alt text."""
    parts = []
    for token in _MARKDOWN.parseInline(markdown)[0].children or []:
        if token.type in ("text", "code_inline", "text_special"):
            parts.append(token.content)
        elif token.type == "image":
            parts.append(plain_text(token.content))
        elif token.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return one_line("".join(parts))


def one_line(text: str) -> str:
    """The text with single spaces and without control characters, which XML cannot hold."""
    if text.isprintable():  # nearly always, and told a hundred times as fast
        return " ".join(text.split())
    return " ".join("".join(c for c in text if c.isspace() or _shown(c)).split())


def _shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cs") and character not in "\ufffe\uffff"


# What kind of publication ------------------------------------------------------------------------

_SERIES = re.compile(r"(?P<name>.+?), volume (?P<volume>\d+)(?: \((?P<year>\d{4})\))?")
_CONFERENCE = re.compile(r"[^,;]*[^,;\d\s] (?P<year>(?:19|20)\d\d)")
_REPORT = re.compile(r"(?P<name>.+) technical report", re.I)


class Publication(NamedTuple):
    """How an entry was published: a form that all three formats know, and in what."""

    form: str  # conference | journal | report | preprint | web | talk | software
    venue: str
    year: int  # of the venue, where it names one: that is what a reader cites
    volume: str = ""


def publication(entry: Entry) -> Publication:
    venue = one_line(entry.venue or "")
    if entry.kind in ("talk", "tool"):
        return Publication("talk" if entry.kind == "talk" else "software", venue, entry.year)
    if entry.arxiv and (not venue or venue.lower().startswith("arxiv")):
        return Publication("preprint", "arXiv", entry.year)
    if match := _SERIES.fullmatch(venue):
        year = int(match["year"] or entry.year)
        return Publication("journal", match["name"], year, match["volume"])
    if match := _REPORT.fullmatch(venue):
        return Publication("report", match["name"], entry.year)
    if match := _CONFERENCE.fullmatch(venue):
        return Publication("conference", venue, int(match["year"]))
    if venue and (entry.kind == "paper" or entry.doi):
        return Publication("journal", venue, entry.year)
    return Publication("web", venue, entry.year)


def _names(entry: Entry) -> list[Name]:
    return [_name(author) for author in entry.authors]


@lru_cache(maxsize=10_000)  # each format asks, and authors write more than one work
def _name(author: str) -> Name:
    return read_name(one_line(author))


# BibTeX ------------------------------------------------------------------------------------------

_BIBTEX_FORMS = {
    "conference": ("inproceedings", "booktitle"),
    "journal": ("article", "journal"),
    "report": ("techreport", "institution"),
    "preprint": ("misc", ""),  # its archive is named by `archivePrefix`
    "web": ("misc", "howpublished"),
    "talk": ("misc", "note"),
    "software": ("software", "note"),
}
# Braces as commands: BibTeX counts braces, also those behind a backslash.
_TEX = {
    **{character: f"\\{character}" for character in "&%$#_"},
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
_LIGATURE = re.compile(r"([-'`,])(?=\1)|([?!])(?=`)")  # TeX would draw "--" as a dash


def bibtex(entry: Entry) -> str:
    """An entry of BibTeX in UTF-8, its key the slug.

    `@software` is BibLaTeX's; styles of plain BibTeX treat it as `@misc`.
    """
    published = publication(entry)
    type_, venue_field = _BIBTEX_FORMS[published.form]
    fields = {
        # BibTeX styles make capitals small unless braces protect them.
        "title": _protected(_tex(one_line(entry.title))),
        "author": " and ".join(_bibtex_name(name) for name in _names(entry)),
        "year": str(published.year),
    }
    if venue_field and published.venue:
        fields[venue_field] = _tex(published.venue)
    if published.volume:
        fields["volume"] = published.volume
    if entry.arxiv:
        fields |= {"eprint": entry.arxiv, "archivePrefix": "arXiv"}
    if entry.doi:
        fields["doi"] = _verbatim(entry.doi)
    if published.form == "talk":
        fields["howpublished"] = rf"\url{{{_verbatim(entry.url)}}}"
    else:
        fields["url"] = _verbatim(entry.url)
    fields["keywords"] = ", ".join(entry.topics)
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@{type_}{{{entry.slug},\n{lines}}}\n"


def _tex(text: str) -> str:
    unjoined = _LIGATURE.sub("\\g<0>\0", text)
    return "".join("{}" if c == "\0" else _TEX.get(c, c) for c in unjoined)


def _protected(tex: str) -> str:
    # "{\..." at the outermost level is a letter with an accent to BibTeX, and not protected.
    return f"{{{{{tex}}}}}" if tex.startswith("\\") else f"{{{tex}}}"


def _verbatim(address: str) -> str:
    """An address is not escaped, only kept from unbalancing the braces around it."""
    return address.translate({ord(c): f"%{ord(c):02X}" for c in "{}\\"})


def _bibtex_name(name: Name) -> str:
    """ "van der Berg, Jr., Jan", with braces where BibTeX would read something else."""
    if not name.is_person:
        return f"{{{_tex(name.family)}}}"
    family = name._replace(family=_guarded(name.family, small=True), given=_guarded(name.given))
    return family.sorted


def _guarded(part: str, *, small: bool = False) -> str:
    words = part.split()
    particle = small and len(words) > 1 and any(word[0].islower() for word in words)
    unlike = any(c in part for c in ",\\{}~") or any(word.lower() == "and" for word in words)
    return f"{{{_tex(part)}}}" if particle or unlike else _tex(part)


# CSL-JSON ----------------------------------------------------------------------------------------

_CSL_FORMS = {
    "conference": ("paper-conference", "container-title"),
    "journal": ("article-journal", "container-title"),
    "report": ("report", "publisher"),
    "preprint": ("article", "publisher"),
    "web": ("webpage", "container-title"),
    "talk": ("speech", "event-title"),
    "software": ("software", "publisher"),
}


def csl_json(entries: list[Entry]) -> str:
    """The entries as one list of CSL data items (schema 1.0.2)."""
    return _json([_csl_item(entry) for entry in entries])


def _json(items: list[dict[str, Any]]) -> str:
    return json.dumps(items, ensure_ascii=False, indent=2) + "\n"


def _csl_item(entry: Entry) -> dict[str, Any]:
    published = publication(entry)
    type_, venue_field = _CSL_FORMS[published.form]
    item = {
        "id": entry.slug,
        "type": type_,
        "title": one_line(entry.title),
        "author": [_csl_name(name) for name in _names(entry)],
        "issued": {"date-parts": [[published.year]]},
        venue_field: published.venue,
        "volume": published.volume,
        "number": f"arXiv:{entry.arxiv}" if published.form == "preprint" and entry.arxiv else "",
        "archive": "arXiv" if entry.arxiv else "",
        "archive_location": entry.arxiv,
        "DOI": entry.doi,
        "URL": entry.url,
        "keyword": ", ".join(entry.topics),
    }
    return {name: value for name, value in item.items() if value}


def _csl_name(name: Name) -> dict[str, str]:
    if not name.is_person:
        return {"literal": name.family}
    parts = {
        "family": name.family,
        "given": name.given,
        "non-dropping-particle": name.particle,
        "suffix": name.suffix,
    }
    return {part: value for part, value in parts.items() if value}


# RIS ---------------------------------------------------------------------------------------------

_RIS_FORMS = {
    "conference": ("CPAPER", "T2"),
    "journal": ("JOUR", "T2"),
    "report": ("RPRT", "PB"),
    "preprint": ("UNPB", "PB"),
    "web": ("ELEC", "T2"),
    "talk": ("VIDEO", "T2"),
    "software": ("COMP", "PB"),
}


def ris(entry: Entry) -> bytes:
    """A record of RIS in UTF-8. Bytes, since its lines end in CR LF on every system."""
    published = publication(entry)
    type_, venue_tag = _RIS_FORMS[published.form]
    tags = [
        ("TY", type_),
        ("ID", entry.slug),
        ("TI", one_line(entry.title)),
        *(("AU", _ris_name(name)) for name in _names(entry)),
        ("PY", str(published.year)),
        (venue_tag, published.venue),
        ("VL", published.volume),
        ("AN", f"arXiv:{entry.arxiv}" if entry.arxiv else ""),
        ("DO", entry.doi or ""),
        ("UR", entry.url),
        *(("KW", topic) for topic in entry.topics),
    ]
    lines = [f"{tag}  - {value}" for tag, value in tags if value]
    return "".join(f"{line}\r\n" for line in [*lines, "ER  - "]).encode()


def _ris_name(name: Name) -> str:
    """RIS puts the suffix last: "Berg, Jan, Jr."."""
    return ", ".join(part for part in (name._replace(suffix="").sorted, name.suffix) if part)
