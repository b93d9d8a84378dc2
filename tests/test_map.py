"""The map of the library: where entries stand, and that its text says what its picture shows."""

import re

import pytest

from api.map import WIDEST, citations, drawn, layout, library_map, short_name
from api.records import Entry


def entry(slug: str, year: int, *cites: str, author: str = "Ada Lovelace") -> Entry:
    return Entry(
        slug=slug,
        path=f"docs/library/{slug}.md",
        body="",
        body_line=1,
        title=f"On <{slug}>",
        authors=[author],
        kind="paper",
        year=year,
        url="https://example.org/",
        topics=["circuits"],
        cites=list(cites),
    )


def rows(*entries: Entry) -> list[list[str]]:
    chosen = drawn(entries)
    return layout(chosen, citations(chosen))


def test_rows_are_years_and_no_lines_cross_that_need_not():
    # As they are named, a-d and b-c would cross.
    old, new = [entry("a", 2020), entry("b", 2020)], [entry("c", 2021, "b"), entry("d", 2021, "a")]
    found = rows(*old, *new)
    assert [sorted(row) for row in found] == [["a", "b"], ["c", "d"]]
    assert [{"a": "d", "b": "c"}[slug] for slug in found[0]] == found[1]


def test_within_a_year_the_cited_stands_above():
    assert rows(entry("a", 2020, "b"), entry("b", 2020, "c"), entry("c", 2020)) == [
        ["c"],
        ["b"],
        ["a"],
    ]


def test_two_works_of_a_year_may_cite_each_other():
    found = rows(entry("a", 2020, "b", "a"), entry("b", 2020, "a"))
    assert sorted(slug for row in found for slug in row) == ["a", "b"]


def test_a_full_year_takes_several_rows():
    found = rows(*[entry(f"e{i}", 2020) for i in range(WIDEST + 1)])
    assert [len(row) for row in found] == [5, 5]


def test_the_same_library_gives_the_same_map_in_any_order():
    entries = [entry(f"e{i}", 2020 + i % 3, f"e{i // 2}", f"e{i // 3}") for i in range(30)]
    library = {e.slug: e for e in entries}
    turned = {e.slug: e for e in reversed(entries)}
    assert library_map(library, str) == library_map(turned, str)


def test_of_a_large_library_the_most_cited_are_drawn_and_the_page_says_so():
    entries = [entry(f"e{i:04}", 2020, "e0007", "nowhere") for i in range(2000)]
    html = library_map({e.slug: e for e in entries}, str, most=3)
    assert list(drawn(entries, 3)) == ["e0000", "e0001", "e0007"]
    assert "3 entries and 2 citations among them. The library has 2,000 entries" in html
    assert html.count('class="node"') == 3


def test_picture_and_text_say_the_same():
    entries = [entry("a", 2020), entry("b", 2021, "a"), entry("c", 2022, "a", "b")]
    html = library_map({e.slug: e for e in entries}, str)
    picture, text = html.split("<details")
    assert re.findall(r'<a href="library/(\w)\.md" title="On &lt;(\w)&gt;', picture) == [
        ("a", "a"),
        ("b", "b"),
        ("c", "c"),
    ]
    lines = picture.split('class="cites"')[1].split("</g>")[0]
    assert lines.count("<path") == 3
    said = [re.sub("<[^>]*>", "", item) for item in re.findall("<li>(.*?)</li>", text)]
    assert said == [
        "Lovelace 2021, b cites Lovelace 2020, a.",
        "Lovelace 2022, c cites Lovelace 2020, a; Lovelace 2021, b.",
    ]


def test_an_empty_library_has_an_empty_map():
    assert "0 entries and 0 citations" in library_map({}, str)


@pytest.mark.parametrize(
    ("slug", "author", "expected"),
    [
        ("2022-wang-ioi", "Kevin Wang", ("Wang", "ioi")),
        (
            "2023-goldowsky-dill-path-patching",
            "N. Goldowsky-Dill",
            ("Goldowsky-Dill", "path patching"),
        ),
        ("2025-allal-smollm2", "Loubna Ben Allal", ("Ben Allal", "smollm2")),
        ("2024-blazquez-heads", "Martín Blázquez, Gabriel", ("Martín Blázquez", "blazquez heads")),
        (
            "2021-transformer-circuits-thread",
            "Anthropic Interpretability Team",
            ("Anthropic…", "transformer circuits…"),
        ),
        ("the-end-of-it", "Ada", ("Ada", "the end of it")),
        ("2022-x-" + "y" * 30, "X", ("X", "y" * 21 + "…")),
    ],
)
def test_a_box_is_named_by_surname_and_slug(slug: str, author: str, expected: tuple[str, str]):
    assert (
        short_name(entry(slug, int(slug[:4]) if slug[0] == "2" else 2020, author=author))
        == expected
    )
