"""BibTeX as other people write it, read as the header of a library entry."""

import logging
import re
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any
from unicodedata import normalize

from api.markup import Malformed
from api.names import Name, is_organization, read_name

_ARXIV_ID = r"(?P<id>\d{4}\.\d{4,5}|[a-z-]+/\d{7})"
_ARXIV = re.compile(rf"arxiv(?:\.org/(?:abs|pdf)/|[:.]\s*|\s+){_ARXIV_ID}", re.I)
_OPENREVIEW = re.compile(r"openreview\.net/(?:forum|pdf)\?id=(?P<id>[\w-]+)")
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_ADDRESS = re.compile(r"https?://[^\s{}]+")
_TILDE = re.compile(r"\\~\s*(?:\{\\?(\w)\}|\\?(\w))")
_AND_OTHERS = re.compile(r"(?:^|,?\s+)(?:others|et\.?\s+al\.?)\s*$", re.I)
_VIDEO = re.compile(r"https?://(?:www\.)?(?:youtube\.com|youtu\.be|vimeo\.com)/")

SIGNS = {
    **{"textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">"},
    **{"textbar": "|", "textbraceleft": "{", "textbraceright": "}", "url": "%s"},
    **{"TeX": "TeX", "LaTeX": "LaTeX", "copyright": "©", "S": "§", "P": "¶", "pounds": "£"},
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def read_bibtex(text: str) -> list[dict[str, Any]]:
    """What each entry of a BibTeX file says, under the names of an entry's header.

    A field that the file does not give is not in the result. `slug` is a proposal, `kind` a guess.
    Raises Malformed, with its line, at the first entry that cannot be read.
    """
    from bibtexparser.entrypoint import parse_string

    # Its complaints come back as failed blocks; without a handler they would be printed as well.
    logging.getLogger("bibtexparser").addHandler(logging.NullHandler())
    # Its own reading of values knows no concatenation: they stay as they are written.
    library = parse_string(text, parse_stack=[])
    if library.failed_blocks:
        block = library.failed_blocks[0]
        error: Any = block.error
        # An entry that breaks off has its reason aside; its words as an exception are none.
        reason = " ".join(str(getattr(error, "abort_reason", error)).split()).rstrip(".")
        raise Malformed(
            (block.start_line or 0) + 1, f"not readable as BibTeX: {reason}; mend this entry"
        )
    if not library.entries:
        raise Malformed(1, "no entry of BibTeX; one begins with `@article{key,`")
    strings = {month: month.capitalize() for month in MONTHS}
    for string in library.strings:  # one may be made of those above it
        strings[string.key.lower()] = _value(str(string.value), strings)
    return [
        _header(
            entry.entry_type.lower(),
            {field.key.lower(): _value(str(field.value), strings) for field in entry.fields},
        )
        for entry in library.entries
    ]


def _value(written: str, strings: Mapping[str, str]) -> str:
    """What a value stands for: `"One " # {two} # three` is three parts, the last a @string."""
    parts = [""]
    depth, quoted = 0, False
    for before, sign in pairwise(f" {written}"):
        depth += (sign == "{") - (sign == "}")
        quoted ^= sign == '"' and depth == 0 and before != "\\"
        if sign == "#" and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += sign
    whole = (
        part[1:-1] if part[:1] in ("{", '"') else strings.get(part.lower(), part)
        for part in (part.strip() for part in parts)
    )
    return " ".join("".join(whole).split())


def _header(type_: str, fields: dict[str, str]) -> dict[str, Any]:
    names = _names(fields.get("author") or fields.get("editor") or "")
    identifiers = {
        "doi": _doi(fields),
        "arxiv": _arxiv(fields),
        "openreview": _found(_OPENREVIEW, fields.get("url", "")),
    }
    url = _url(fields, identifiers)
    kind = _kind(type_, url, identifiers)
    title = decode(fields.get("title", ""))
    digits = re.search(r"\b\d{4}\b", fields.get("year") or fields.get("date") or "")
    year = int(digits[0]) if digits else None
    header = {
        "title": title,
        "authors": [_written(name) for name in names],
        "kind": kind,
        "year": year,
        "url": url,
        "venue": _venue(type_, fields, kind),
        **identifiers,
        "slug": _slug(year, names, title),
    }
    return {name: value for name, value in header.items() if value}


@cache
def _decoder() -> Any:
    from pylatexenc.latex2text import (
        LatexNodes2Text,
        MacroTextSpec,
        get_default_latex_context_db,
    )

    known = get_default_latex_context_db()
    # By default these are dropped, or become accents that stand alone.
    macros = [MacroTextSpec(name, sign) for name, sign in SIGNS.items()]
    known.add_context_category("signs", prepend=True, macros=macros)
    known.set_unknown_macro_spec(MacroTextSpec("", discard=False))  # \texttt{code} says "code"
    return LatexNodes2Text(latex_context=known, math_mode="verbatim")


def decode(tex: str) -> str:
    """The text that TeX would set, without braces; mathematics stays as it is."""
    # A bare "%" is a slip in a field, not a comment.
    text = _decoder().latex_to_text(re.sub(r"(?<!\\)%", r"\%", tex))
    return " ".join(str(text).split())


def _names(field: str) -> list[Name]:
    from bibtexparser.middlewares.names import (
        parse_single_name_into_parts,
        split_multiple_persons_names,
    )

    names = []
    # A tilde is a space between names, but not on a letter; an author may have been left out.
    field = _TILDE.sub(lambda found: normalize("NFC", f"{found[1] or found[2]}\u0303"), field)
    field = re.sub(r"(?i)\band(\s+and)+\b", "and", field)
    for author in split_multiple_persons_names(field):
        author = _AND_OTHERS.sub("", author)
        if not author.strip():
            continue
        parts = parse_single_name_into_parts(author, strict=False)
        words = (parts.last, parts.first, parts.von, parts.jr)
        name = Name(*(decode(" ".join(part)) for part in words))
        whole = read_name(name.spoken)
        names.append(name if whole.is_person or not is_organization(name.spoken) else whole)
    return names


def _written(name: Name) -> str:
    """As the header gives names: as spoken, with a comma only where the parts would be lost."""
    return name.spoken if read_name(name.spoken) == name or not name.is_person else name.sorted


def _kind(type_: str, url: str | None, identifiers: dict[str, str | None]) -> str:
    if type_ == "software":
        return "tool"
    if url and _VIDEO.match(url):
        return "talk"
    on_the_web = type_ in ("misc", "online", "electronic", "www")
    return "article" if on_the_web and not any(identifiers.values()) else "paper"


def _venue(type_: str, fields: dict[str, str], kind: str) -> str | None:
    names = ["journal", "journaltitle", "booktitle", "institution", "school", "howpublished"]
    if kind in ("talk", "tool"):
        names.append("note")
    for name in names:
        venue = decode(fields.get(name, ""))
        if venue and not _ADDRESS.search(venue) and not re.match(r"arxiv|corr\b", venue, re.I):
            if type_ == "techreport":
                return f"{venue} technical report"
            return f"{venue}, volume {decode(fields['volume'])}" if "volume" in fields else venue
    return None


def _doi(fields: dict[str, str]) -> str | None:
    match = _DOI.search(_bare(fields.get("doi", "")))
    return match[0] if match else None


def _arxiv(fields: dict[str, str]) -> str | None:
    archive = (fields.get("archiveprefix") or fields.get("eprinttype") or "arxiv").lower()
    if archive == "arxiv" and (number := re.match(_ARXIV_ID, fields.get("eprint", ""))):
        return number["id"]
    places = ("journal", "journaltitle", "url", "doi", "note", "howpublished", "eprint")
    return _found(_ARXIV, " ".join(fields.get(place, "") for place in places))


def _url(fields: dict[str, str], identifiers: dict[str, str | None]) -> str | None:
    for place in ("url", "howpublished", "note"):
        if match := _ADDRESS.search(_bare(fields.get(place, ""))):
            return match[0]
    if arxiv := identifiers["arxiv"]:
        return f"https://arxiv.org/abs/{arxiv}"
    if doi := identifiers["doi"]:
        return f"https://doi.org/{doi}"
    return None


def _bare(address: str) -> str:
    r"""An address without the backslashes that some programs put before `_`, `%`, `&` and `#`."""
    return re.sub(r"\{?\\([_%&#~])\}?", r"\1", address)


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(_bare(text))
    return match["id"] if match else None


_SMALL_WORDS = {
    "about",
    "from",
    "into",
    "over",
    "that",
    "their",
    "this",
    "through",
    "towards",
    "with",
}


def _slug(year: int | None, names: list[Name], title: str) -> str | None:
    """ "2022-wang-interpretability": a proposal; a shorter last word is mostly better."""
    words = [word for word in _ascii(title).split() if len(word) > 3 and word not in _SMALL_WORDS]
    family = "-".join(_ascii(names[0].family).split()) if names else ""
    slug = "-".join(part for part in (str(year or ""), family, *words[:1]) if part)
    return slug[:80].rstrip("-") or None


def _ascii(text: str) -> str:
    """Small letters and digits, without accents; spaces for anything else."""
    plain = normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z0-9]+", plain.replace("'", "")))
