"""The map of the library: who cites whom, by year, as a picture and as text.

A row holds entries of one year, the oldest at the top, so that citations lead upwards. Of a large
library only the entries that are cited most are drawn.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape
from itertools import groupby

from api.names import read_name
from api.pages import Linker, link
from api.records import Entry

MOST_DRAWN = 100
WIDEST = 9  # entries in a row
SWEEPS = 12
# In the picture's own units.
BOX_WIDTH, BOX_HEIGHT = 120, 38
GAP, ROW_HEIGHT, MARGIN = 12, 88, 52

Rows = list[list[str]]


# Where each entry stands --------------------------------------------------------------------------


def drawn(entries: Iterable[Entry], most: int = MOST_DRAWN) -> dict[str, Entry]:
    """The entries of the map by slug, by age: all, or those that are cited most."""
    every = {entry.slug: entry for entry in entries}
    cited = Counter(slug for entry in every.values() for slug in entry.cites if slug in every)
    chosen = sorted(every.values(), key=lambda e: (-cited[e.slug], e.year, e.slug))[:most]
    return {e.slug: e for e in sorted(chosen, key=lambda e: (e.year, e.slug))}


def citations(entries: Mapping[str, Entry]) -> dict[str, list[str]]:
    """Who cites whom among the entries, each work once and none itself."""
    return {
        slug: [cited for cited in dict.fromkeys(entry.cites) if cited in entries and cited != slug]
        for slug, entry in entries.items()
    }


def layout(entries: Mapping[str, Entry], cites: Mapping[str, list[str]]) -> Rows:
    """The entries in rows by year, ordered so that few citations cross.

    In each sweep an entry moves to the mean place of its neighbours in the rows above, then below
    (the barycenter heuristic of Sugiyama et al. 1981). The same library gives the same map.
    """
    rows = _rows(entries, cites)
    neighbours: dict[str, set[str]] = {slug: set() for slug in entries}
    for slug, cited in cites.items():
        for other in cited:
            neighbours[slug].add(other)
            neighbours[other].add(slug)
    widest = max(map(len, rows), default=1)
    best, fewest = rows, _crossings(rows, cites)
    for sweep in range(SWEEPS):
        order = rows if sweep % 2 == 0 else rows[::-1]
        moved: Rows = []
        place = _all_places(rows)
        for row in order:
            before = {slug for earlier in moved for slug in earlier}
            row = sorted(
                row, key=lambda slug: (_mean(place, neighbours[slug] & before, slug), slug)
            )
            moved.append(row)
            place |= _places(row, widest)
        rows = moved if sweep % 2 == 0 else moved[::-1]
        if (crossings := _crossings(rows, cites)) < fewest:
            best, fewest = rows, crossings
    return best


def _rows(entries: Mapping[str, Entry], cites: Mapping[str, list[str]]) -> Rows:
    """A year's entries in one row, or in several: below what they cite, and not too wide."""
    rows = []
    for _, same_year in groupby(entries.values(), key=lambda e: e.year):
        depth: dict[str, int] = {}
        slugs = [e.slug for e in same_year]
        for slug in slugs:
            _measure(slug, set(slugs), cites, depth, set())
        for _, level in groupby(sorted(slugs, key=lambda s: depth[s]), key=lambda s: depth[s]):
            row = list(level)
            n_rows = -(-len(row) // WIDEST)
            rows += [row[i::n_rows] for i in range(n_rows)]
    return rows


def _measure(
    slug: str,
    same_year: set[str],
    cites: Mapping[str, list[str]],
    depth: dict[str, int],
    open_: set[str],
) -> int:
    """How many entries of the same year stand above this one. Two that cite each other: none."""
    if slug not in depth and slug not in open_:
        open_.add(slug)
        above = [_measure(s, same_year, cites, depth, open_) for s in cites[slug] if s in same_year]
        depth[slug] = 1 + max(above, default=-1)
    return depth.get(slug, -1)


def _places(row: list[str], widest: int) -> dict[str, float]:
    """The middle of each entry's box, in boxes from the middle of the map; rows fill its width."""
    step = widest / len(row)
    return {slug: (index - (len(row) - 1) / 2) * step for index, slug in enumerate(row)}


def _all_places(rows: Rows) -> dict[str, float]:
    widest = max(map(len, rows), default=1)
    return {slug: x for row in rows for slug, x in _places(row, widest).items()}


def _mean(place: Mapping[str, float], slugs: set[str], slug: str) -> float:
    return sum(place[s] for s in slugs) / len(slugs) if slugs else place[slug]


def _crossings(rows: Rows, cites: Mapping[str, list[str]]) -> int:
    """How many pairs of citations cross, each taken as a straight line."""
    place = _all_places(rows)
    height = {slug: y for y, row in enumerate(rows) for slug in row}
    lines = [
        (place[slug], height[slug], place[other], height[other])
        for slug, cited in cites.items()
        for other in cited
    ]
    return sum(_cross(a, b) for i, a in enumerate(lines) for b in lines[:i])


Line = tuple[float, int, float, int]


def _cross(a: Line, b: Line) -> bool:
    def side(line: Line, x: float, y: float) -> float:
        return (line[2] - line[0]) * (y - line[1]) - (line[3] - line[1]) * (x - line[0])

    return (
        side(a, b[0], b[1]) * side(a, b[2], b[3]) < 0
        and side(b, a[0], a[1]) * side(b, a[2], a[3]) < 0
    )


# As HTML ------------------------------------------------------------------------------------------


def library_map(library: Mapping[str, Entry], linker: Linker, most: int = MOST_DRAWN) -> str:
    """The picture, how to read it, and the same in words."""
    entries = drawn(library.values(), most)
    cites = citations(entries)
    said = f"{len(entries)} entries and {sum(map(len, cites.values()))} citations among them."
    if len(entries) < len(library):
        said += (
            f" The library has {len(library):,} entries; drawn are those that are cited most."
            " What any other one cites stands on its page."
        )
    return (
        f'<p data-search-exclude>{said}</p><figure class="map" data-search-exclude>'
        f'<div class="scroll">{_svg(entries, cites, linker)}</div></figure>'
        '<details class="map-text" data-search-exclude><summary>The map as text</summary>'
        f"{_text(entries, cites, linker)}</details>"
    )


def _svg(entries: Mapping[str, Entry], cites: Mapping[str, list[str]], linker: Linker) -> str:
    rows = layout(entries, cites)
    place, step = _all_places(rows), BOX_WIDTH + GAP
    width = MARGIN + max(map(len, rows), default=1) * step
    at = {
        slug: (round(place[slug] * step + (width + MARGIN) / 2), y * ROW_HEIGHT + BOX_HEIGHT)
        for y, row in enumerate(rows)
        for slug in row
    }
    paths, lit = [], dict[str, list[str]]((slug, []) for slug in entries)
    for slug, cited in cites.items():
        for other in cited:
            paths.append(f'<path d="{_curve(*at[slug], *at[other])}"/>')
            lit[slug].append(paths[-1])
            lit[other].append(paths[-1])
    nodes = "".join(
        _node(entries[slug], *at[slug], "".join(lit[slug]), linker) for row in rows for slug in row
    )
    height = len(rows) * ROW_HEIGHT
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="group"'
        ' aria-label="Map of the library, the oldest works at the top">'
        f'<g class="cites" aria-hidden="true">{"".join(paths)}</g>'
        f"{_years(entries, rows)}{nodes}</svg>"
    )


def _years(entries: Mapping[str, Entry], rows: Rows) -> str:
    labels, last = [], None
    for y, row in enumerate(rows):
        year = entries[row[0]].year
        if year != last:
            at = y * ROW_HEIGHT + BOX_HEIGHT + 5
            labels.append(f'<text class="year" x="4" y="{at}" aria-hidden="true">{year}</text>')
        last = year
    return "".join(labels)


def _node(entry: Entry, x: int, y: int, lit: str, linker: Linker) -> str:
    """A box; its citations stand in it a second time, shown while it is looked at.

    The link is one of HTML: instant navigation stumbles over links of SVG.
    """
    author, key = (escape(part) for part in short_name(entry))
    whole = escape(f"{entry.title} ({entry.byline}, {entry.year})")
    return (
        f'<g class="node"><g class="lit" aria-hidden="true">{lit}</g>'
        f'<foreignObject x="{x - BOX_WIDTH // 2}" y="{y - BOX_HEIGHT // 2}" width="{BOX_WIDTH}"'
        f' height="{BOX_HEIGHT}"><a href="{escape(linker(f"library/{entry.slug}.md"))}"'
        f' title="{whole}" aria-label="{author} {key}: {whole}"><b>{author}</b>{key}</a>'
        "</foreignObject></g>"
    )


def _curve(x1: int, y1: int, x2: int, y2: int) -> str:
    """From the citing work up to the cited one, leaving and arriving upright."""
    if y1 == y2:  # in one row: a bow below it
        low = y1 + BOX_HEIGHT // 2
        return f"M{x1} {low}C{x1} {low + 28} {x2} {low + 28} {x2} {low}"
    start, end = y1 - BOX_HEIGHT // 2, y2 + BOX_HEIGHT // 2
    if y1 < y2:  # to a work that came out later
        start, end = y1 + BOX_HEIGHT // 2, y2 - BOX_HEIGHT // 2
    middle = (start + end) // 2
    return f"M{x1} {start}C{x1} {middle} {x2} {middle} {x2} {end}"


def short_name(entry: Entry) -> tuple[str, str]:
    """What fits into a box: a surname, and what the slug says after year and surname."""
    author = read_name(entry.authors[0]).family
    last = author.split()[-1].lower()
    words = entry.slug.removeprefix(f"{entry.year}-").removeprefix(f"{last}-").split("-")
    return _cut(author, 15), _cut(" ".join(words), 22)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"  # after a word, if one is whole


def _text(entries: Mapping[str, Entry], cites: Mapping[str, list[str]], linker: Linker) -> str:
    def named(slug: str) -> str:
        author, key = short_name(entries[slug])
        return link(f"library/{slug}.md", f"{author} {entries[slug].year}, {key}", linker)

    items = "".join(
        f"<li>{named(slug)} cites {'; '.join(map(named, cited))}.</li>"
        for slug, cited in cites.items()
        if cited
    )
    alone = [slug for slug, cited in cites.items() if not cited]
    rest = f"<p>Citing none of these: {'; '.join(map(named, alone))}.</p>" if alone else ""
    return f"<ul>{items}</ul>{rest}"
