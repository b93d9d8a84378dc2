"""What the form of a web address says: which work stands there, of which kind, from when."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs, unquote, urlsplit

from api.records import Kind

ARXIV_ID = r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})"
# The site itself, and those that show its papers under its numbers.
_ARXIV_HOSTS = ("arxiv.org", "ar5iv.org", "alphaxiv.org")
_PAPER_HOSTS = (
    *("arxiv.org", "openreview.net", "aclanthology.org", "doi.org", "proceedings.mlr.press"),
    *("proceedings.neurips.cc", "papers.nips.cc", "jmlr.org", "dl.acm.org"),
)
_TALK_HOSTS = ("youtube.com", "youtu.be", "youtube-nocookie.com", "vimeo.com")
_TOOL_HOSTS = ("github.com", "gitlab.com", "pypi.org")


_ARXIV_DOI = re.compile(rf"10\.48550/arxiv\.(?P<id>{ARXIV_ID})", re.I)


@dataclass(frozen=True)
class Address:
    """What the form of a web address says about what stands there."""

    kind: Kind
    year: int | None = None
    arxiv: str | None = None
    doi: str | None = None
    openreview: str | None = None
    video: str | None = None  # YouTube's id
    start: str | None = None  # where in the video, or in the page
    page: str = ""  # host and path, without what does not change the page

    @property
    def names(self) -> set[tuple[str, str]]:
        """Names under which the same thing is found again."""
        if self.video:
            return {("video", self.video)}
        return work_names(self.arxiv, self.doi, self.openreview) or {("url", self.page)}


def work_names(arxiv: str | None, doi: str | None, openreview: str | None) -> set[tuple[str, str]]:
    """The identifiers of a work in one spelling. The DOI that arXiv gives is its number."""
    if doi and (own := _ARXIV_DOI.match(doi)):
        arxiv, doi = arxiv or own["id"], None
    found = {"doi": doi and doi.lower(), "openreview": openreview}
    found["arxiv"] = arxiv and re.sub(r"\.[A-Z]{2}/", "/", arxiv).lower()
    return {(kind, value) for kind, value in found.items() if value}


@lru_cache(maxsize=4096)
def read_address(url: str) -> Address:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    except ValueError:  # no valid address, "http://[", which the check will say
        return Address("article", page=url)
    query = parse_qs(parts.query)
    doi = re.search(r"10\.\d{4,9}/[^\s?#]+", unquote(parts.path))
    arxiv = _ARXIV_DOI.match(doi[0]) if doi else None
    if arxiv:
        doi = None
    elif _is(host, _ARXIV_HOSTS):
        arxiv = re.search(rf"/(?:abs|pdf|html|overview)/(?P<id>{ARXIV_ID})", parts.path)
    year = re.search(r"/((?:19|20)\d\d)(?=/|$)", parts.path)
    identifier = arxiv and re.sub(r"\.[A-Z]{2}/", "/", arxiv["id"])
    return Address(
        kind=_kind(host, parts.path),
        year=_arxiv_year(identifier) if identifier else int(year[1]) if year else None,
        arxiv=identifier,
        doi=doi[0].rstrip("/.") if doi and _is(host, ("doi.org", "dl.acm.org")) else None,
        openreview=query.get("id", [""])[0] or None if host == "openreview.net" else None,
        video=_video(host, parts.path, query),
        start=(query.get("t") or query.get("start") or [parts.fragment])[0] or None,
        page=_page(host, parts.path, query),
    )


def _is(host: str, known: Sequence[str]) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in known)


def _kind(host: str, path: str) -> Kind:
    if _is(host, _TALK_HOSTS):
        return "talk"
    if _is(host, _PAPER_HOSTS) or path.lower().endswith(".pdf"):
        return "paper"
    return "tool" if _is(host, _TOOL_HOSTS) else "article"


def _arxiv_year(identifier: str) -> int:
    """2211.00593 is of 2022, hep-th/9711200 of 1997."""
    digits = int(identifier.rpartition("/")[2][:2])
    return 1900 + digits if "/" in identifier and digits > 90 else 2000 + digits


def _video(host: str, path: str, query: dict[str, list[str]]) -> str | None:
    if host == "youtu.be":
        return path.strip("/") or None
    if not _is(host, ("youtube.com", "youtube-nocookie.com")):
        return None
    inside = re.match(r"/(?:embed|shorts|live|v)/([\w-]+)", path)
    return inside[1] if inside else query.get("v", [""])[0] or None


def _page(host: str, path: str, query: dict[str, list[str]]) -> str:
    kept = sorted((k, v) for k, vs in query.items() for v in vs if not k.startswith("utm_"))
    path = re.sub(r"/index\.html?$", "/", path).rstrip("/")
    return host + path + "".join(f"&{k}={v}" for k, v in kept)
