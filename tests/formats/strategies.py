"""Questions of every kind, with the signs in their texts that formats give a meaning."""

from hypothesis import strategies as st

from api.formats.model import (
    EVERY_NUMBER,
    Accepted,
    Band,
    Blank,
    Choice,
    Item,
    Pair,
    even_shares,
    percent,
    plus,
    share,
    tidy,
)

SIGNS = "ab *_`~=#{}:\\->%[]()$&'\"|@!/\n1.,é😀"
# What a format says about a whole text stands around it, not at its ends.
texts = st.text(SIGNS, min_size=1, max_size=30).map(str.strip).filter(bool)
lines = texts.map(lambda text: " ".join(text.split()))
# Plain words, for formats that carry no markup in these places.
plain = st.text("abc é", min_size=1, max_size=12).map(lambda t: " ".join(t.split())).filter(bool)
remarks = st.just("") | texts
weights = st.sampled_from([100, 50, 33.33333, 25, 10, 0, -25, -100]).map(lambda p: share(str(p)))
labels = st.text("ab-1: ]", min_size=1, max_size=8).map(str.strip).filter(bool)


def choices(text: st.SearchStrategy[str], kind: str) -> st.SearchStrategy[tuple[Choice, ...]]:
    def weighted(pairs: list[tuple[str, str, float]], n: int) -> tuple[Choice, ...]:
        right = n % len(pairs)
        return tuple(
            Choice(said, 1.0 if kind == "single" and i == right else w, remark)
            for i, (said, remark, w) in enumerate(pairs)
        )

    rows = st.lists(st.tuples(text, remarks, weights), min_size=2, max_size=4)
    return st.builds(weighted, rows, st.integers(0, 3))


numbers = st.floats(-1e6, 1e6).map(lambda n: tidy(float(f"{n:.6g}")))
margins = st.sampled_from([0.0, 0.5, 2.0, 0.001])


def band(value: float, margin: float, fraction: float, feedback: str) -> Band:
    low, high = plus(value, -margin), plus(value, margin)
    return Band(low, high, value, fraction=fraction, feedback=feedback)


bands = st.lists(st.builds(band, numbers, margins, weights, remarks), min_size=1, max_size=3)
catch_all = st.lists(remarks.map(lambda t: EVERY_NUMBER._replace(feedback=t)), max_size=1)
accepted = st.lists(
    st.builds(lambda t, w, r: Accepted(t, w, r), plain, weights, remarks), min_size=1, max_size=3
)


def items(text: st.SearchStrategy[str] = texts) -> st.SearchStrategy[Item]:
    common = {"stem": text, "name": plain, "id": labels, "why": remarks}
    common["tags"] = st.lists(labels, max_size=2).map(tuple)

    def of(kind: str, **fields: st.SearchStrategy) -> st.SearchStrategy[Item]:
        return st.builds(Item, kind=st.just(kind), **common, **fields)

    def true_or_false(right: bool, yes: str, no: str) -> tuple[Choice, Choice]:
        return Choice("True", float(right), yes), Choice("False", float(not right), no)

    pairs = st.lists(st.builds(Pair, text, plain), min_size=2, max_size=4).map(tuple)
    return st.one_of(
        of("single", choices=choices(text, "single")),
        of("multiple", choices=choices(text, "multiple")),
        of("truefalse", choices=st.builds(true_or_false, st.booleans(), remarks, remarks)),
        of("text", accepted=accepted.map(tuple)),
        of("number", bands=st.builds(lambda b, c: (*b, *c), bands, catch_all)),
        of("match", pairs=pairs),
        of("essay"),
    )


def ours() -> st.SearchStrategy[Item]:
    """Questions as our own Markdown can hold them."""
    slugs = st.from_regex(r"\A[a-z][a-z0-9]{0,9}\Z")
    stems = st.lists(lines_of_words, min_size=1, max_size=3).map("\n\n".join)
    common = {"stem": stems, "id": slugs, "why": stems, "source": lines_of_words}

    def of(kind: str, **fields: st.SearchStrategy) -> st.SearchStrategy[Item]:
        return st.builds(Item, kind=st.just(kind), **common, **fields)

    said = st.lists(lines_of_words, min_size=2, max_size=5, unique=True)

    def single(texts_: list[str], right: int) -> tuple[Choice, ...]:
        n = right % len(texts_)
        return tuple(Choice(t, float(i == n), "", f"o{i}") for i, t in enumerate(texts_))

    def multiple(texts_: list[str], right: int) -> tuple[Choice, ...]:
        rights = [bool((right + 1) >> i & 1) for i in range(len(texts_))]
        rights = rights if any(rights) else [True] * len(texts_)
        shares = even_shares(rights)
        return tuple(
            Choice(t, s, "", f"o{i}") for i, (t, s) in enumerate(zip(texts_, shares, strict=True))
        )

    def pairs(texts_: list[str]) -> tuple[Pair, ...]:
        return tuple(Pair(text, f"partner {n}") for n, text in enumerate(texts_))

    def one_band(value: float, margin: float) -> tuple[Band, ...]:
        return (band(value, margin, 1.0, ""),)

    return st.one_of(
        of("single", choices=st.builds(single, said, st.integers(0, 9))),
        of("multiple", choices=st.builds(multiple, said, st.integers(0, 30))),
        of("match", pairs=said.map(pairs)),
        of(
            "text",
            accepted=st.lists(plain, min_size=1, max_size=3, unique=True).map(
                lambda t: tuple(Accepted(each) for each in t)
            ),
        ),
        of("number", bands=st.builds(one_band, numbers, margins)),
    )


lines_of_words = st.text("abc dé:#'\"%{}[]&*_-", min_size=1, max_size=40).map(
    lambda text: "W" + " ".join(text.split()).rstrip("#{}[]*_- ")
)
gaps = st.builds(
    lambda words: Item(
        kind="blanks",
        stem=" ".join(f"x [[{n + 1}]]" for n in range(len(words))) + ".",
        blanks=tuple(Blank(str(n + 1), (Accepted(w),)) for n, w in enumerate(words)),
    ),
    st.lists(plain, min_size=1, max_size=3),
)

__all__ = ["gaps", "items", "ours", "percent"]
