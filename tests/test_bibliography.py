"""The library as BibTeX, CSL-JSON and RIS, and BibTeX as the draft of an entry."""

import json
import random
import string
from itertools import groupby
from typing import Any

import pytest
from bibtexparser.middlewares.names import (
    parse_single_name_into_parts,
    split_multiple_persons_names,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from api.bibliography import (
    abstract,
    bibtex,
    csl_json,
    export_links,
    exports,
    one_line,
    read_bibtex,
    ris,
)
from api.content import Content, read_content
from api.markup import Malformed
from api.names import Name, read_name
from api.pages import Broken
from api.records import Entry, EntryHeader, Fact
from tests.conftest import CONTENT, ROOT

BASE = "https://group.example.org"


def make_entry(**fields: Any) -> Entry:
    given = {
        "slug": "2022-wang-ioi",
        "path": "docs/library/2022-wang-ioi.md",
        "body": "",
        "body_line": 1,
        "title": "Interpretability in the Wild",
        "authors": ["Kevin Wang", "Alexandre Variengien"],
        "kind": "paper",
        "year": 2022,
        "url": "https://arxiv.org/abs/2211.00593",
        "topics": ["ioi", "circuits"],
    }
    return Entry.model_validate(given | fields)


IOI = {"venue": "ICLR 2023", "arxiv": "2211.00593", "doi": "10.1162/tacl_a_00321"}


# Writing -----------------------------------------------------------------------------------------


def test_an_entry_as_bibtex():
    assert bibtex(make_entry(**IOI)) == (
        "@inproceedings{2022-wang-ioi,\n"
        "  title = {{Interpretability in the Wild}},\n"
        "  author = {Wang, Kevin and Variengien, Alexandre},\n"
        "  year = {2023},\n"
        "  booktitle = {ICLR 2023},\n"
        "  eprint = {2211.00593},\n"
        "  archivePrefix = {arXiv},\n"
        "  doi = {10.1162/tacl_a_00321},\n"
        "  url = {https://arxiv.org/abs/2211.00593},\n"
        "  keywords = {ioi, circuits},\n"
        "}\n"
    )


def test_an_entry_as_csl_json():
    assert json.loads(csl_json([make_entry(**IOI)])) == [
        {
            "id": "2022-wang-ioi",
            "type": "paper-conference",
            "title": "Interpretability in the Wild",
            "author": [
                {"family": "Wang", "given": "Kevin"},
                {"family": "Variengien", "given": "Alexandre"},
            ],
            "issued": {"date-parts": [[2023]]},
            "container-title": "ICLR 2023",
            "archive": "arXiv",
            "archive_location": "2211.00593",
            "DOI": "10.1162/tacl_a_00321",
            "URL": "https://arxiv.org/abs/2211.00593",
            "keyword": "ioi, circuits",
        }
    ]


def test_an_entry_as_ris():
    assert ris(make_entry(**IOI)).decode().split("\r\n") == [
        "TY  - CPAPER",
        "ID  - 2022-wang-ioi",
        "TI  - Interpretability in the Wild",
        "AU  - Wang, Kevin",
        "AU  - Variengien, Alexandre",
        "PY  - 2023",
        "T2  - ICLR 2023",
        "AN  - arXiv:2211.00593",
        "DO  - 10.1162/tacl_a_00321",
        "UR  - https://arxiv.org/abs/2211.00593",
        "KW  - ioi",
        "KW  - circuits",
        "ER  - ",
        "",
    ]


ARXIV = {"arxiv": "2211.00593"}


@pytest.mark.parametrize(
    ("fields", "bibtex_says", "csl_type", "ris_type"),
    [
        (
            {"venue": "NIPS 2017"},
            ["@inproceedings", "{NIPS 2017}", "{2017}"],
            "paper-conference",
            "CPAPER",
        ),
        (
            {"venue": "Neurocomputing, volume 568 (2024)"},
            ["@article", "{Neurocomputing}", "{568}", "{2024}"],
            "article-journal",
            "JOUR",
        ),
        (
            {"venue": "Transactions of the ACL, volume 8"},
            ["@article", "volume = {8}", "{2022}"],
            "article-journal",
            "JOUR",
        ),
        (
            {"venue": "Distill", "kind": "article", "doi": "10.23915/distill.00007"},
            ["@article", "journal = {Distill}"],
            "article-journal",
            "JOUR",
        ),
        (
            {"venue": "LessWrong", "kind": "article"},
            ["@misc", "howpublished = {LessWrong}"],
            "webpage",
            "ELEC",
        ),
        (
            {"venue": "OpenAI technical report"},
            ["@techreport", "institution = {OpenAI}"],
            "report",
            "RPRT",
        ),
        (
            {**ARXIV},
            ["@misc", "eprint = {2211.00593}", "archivePrefix = {arXiv}"],
            "article",
            "UNPB",
        ),
        # Withdrawn from a conference is not published there.
        (
            {**ARXIV, "venue": "arXiv preprint; withdrawn from ICLR 2024"},
            ["@misc", "year = {2022}"],
            "article",
            "UNPB",
        ),
        (
            {"kind": "talk", "venue": "A Summit, October 2023"},
            [
                "@misc",
                r"howpublished = {\url{https://arxiv.org/abs/2211.00593}}",
                "note = {A Summit, October 2023}",
                "{2022}",
            ],
            "speech",
            "VIDEO",
        ),
        ({"kind": "tool"}, ["@software", "url = {https"], "software", "COMP"),
    ],
)
def test_each_form_of_publication_has_its_type(fields, bibtex_says, csl_type, ris_type):
    entry = make_entry(**fields)

    assert [said for said in bibtex_says if said not in bibtex(entry)] == []
    assert json.loads(csl_json([entry]))[0]["type"] == csl_type
    assert ris(entry).startswith(f"TY  - {ris_type}\r\n".encode())


def test_what_tex_would_read_as_a_command_is_escaped():
    title = r"$5 & 100 % of {A}_b^c ~ #1 \x <y> a--b"

    assert (
        r"{{{\$5 \& 100 \% of \textbraceleft{}A\textbraceright{}\_b\textasciicircum{}c "
        r"\textasciitilde{} \#1 \textbackslash{}x \textless{}y\textgreater{} a-{}-b}}}"
    ) in bibtex(make_entry(title=title))


@pytest.mark.parametrize(
    ("written", "sorted_name", "csl"),
    [
        ("Kevin Wang", "Wang, Kevin", {"family": "Wang", "given": "Kevin"}),
        ("Łukasz Kaiser", "Kaiser, Łukasz", {"family": "Kaiser", "given": "Łukasz"}),
        ("Иван Петров", "Петров, Иван", {"family": "Петров", "given": "Иван"}),
        (
            "Jan van der Berg",
            "van der Berg, Jan",
            {"family": "Berg", "given": "Jan", "non-dropping-particle": "van der"},
        ),
        (
            "Martin Luther King Jr.",
            "King, Jr., Martin Luther",
            {"family": "King", "given": "Martin Luther", "suffix": "Jr."},
        ),
        (
            "King, Jr., Martin Luther",
            "King, Jr., Martin Luther",
            {"family": "King", "given": "Martin Luther", "suffix": "Jr."},
        ),
        ("Loubna Ben Allal", "Ben Allal, Loubna", {"family": "Ben Allal", "given": "Loubna"}),
        ("Ben Mann", "Mann, Ben", {"family": "Mann", "given": "Ben"}),
        (
            "Martín Blázquez, Gabriel",
            "Martín Blázquez, Gabriel",
            {"family": "Martín Blázquez", "given": "Gabriel"},
        ),
        ("Maria De la Cruz", "{De la Cruz}, Maria", {"family": "De la Cruz", "given": "Maria"}),
        ("danah boyd", "boyd, danah", {"family": "boyd", "given": "danah"}),
        ("nostalgebraist", "{nostalgebraist}", {"literal": "nostalgebraist"}),
        (
            "Anthropic Interpretability Team",
            "{Anthropic Interpretability Team}",
            {"literal": "Anthropic Interpretability Team"},
        ),
        (
            "Research and Sons, Inc.",
            "{Research and Sons, Inc.}",
            {"literal": "Research and Sons, Inc."},
        ),
        ("Ernst and Young", "{Ernst and Young}", {"literal": "Ernst and Young"}),
        ("Barnes & Noble", r"{Barnes \& Noble}", {"literal": "Barnes & Noble"}),
        ("王 小明", "{王 小明}", {"literal": "王 小明"}),
    ],
)
def test_a_name_is_sorted_as_its_bearer_would(written, sorted_name, csl):
    entry = make_entry(authors=[written, "Ada Lovelace"])

    assert f"author = {{{sorted_name} and Lovelace, Ada}}" in bibtex(entry)
    assert json.loads(csl_json([entry]))[0]["author"][0] == csl


def test_ris_puts_the_suffix_last():
    assert b"AU  - King, Martin Luther, Jr.\r\n" in ris(
        make_entry(authors=["Martin Luther King Jr."])
    )


# There and back, through a reader that is not ours -----------------------------------------------

line = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(one_line)


@settings(deadline=None)  # the machine may be busy
@given(line)
def test_any_title_survives_bibtex(title):
    [read] = read_bibtex(bibtex(make_entry(title=title)))

    assert read["title"] == one_line(title)


@settings(deadline=None)  # the machine may be busy
@given(line)
def test_no_title_breaks_ris_or_json(title):
    entry = make_entry(title=title)

    tags = [record.partition("  - ") for record in ris(entry).decode().split("\r\n")]
    assert [value for tag, _, value in tags if tag == "TI"] == [one_line(title)]
    assert [tag for tag, _, _ in tags] == [
        *("TY", "ID", "TI", "AU", "AU", "PY", "UR", "KW", "KW", "ER", ""),
    ]
    assert json.loads(csl_json([entry]))[0]["title"] == one_line(title)


capital = st.text("ABCÉŁØŠЖ", min_size=1, max_size=1)
small = st.text(string.ascii_lowercase + "éłøšж", min_size=2, max_size=8)
word = st.builds(str.__add__, capital, small).filter(lambda w: w not in ("And", "Al"))
parts = st.builds(
    Name,
    family=word,
    given=st.lists(word, min_size=1, max_size=2).map(" ".join),
    particle=st.sampled_from(["", "von", "van der", "de la"]),
    suffix=st.sampled_from(["", "Jr.", "III"]),
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(parts, min_size=1, max_size=4))
def test_the_parts_of_names_survive_bibtex(names):
    text = bibtex(make_entry(authors=[name.spoken for name in names]))

    field = next(row for row in text.splitlines() if row.startswith("  author = {"))
    authors = split_multiple_persons_names(field.removeprefix("  author = {").removesuffix("},"))
    found = [parse_single_name_into_parts(author) for author in authors]
    assert [
        Name(" ".join(n.last), " ".join(n.first), " ".join(n.von), " ".join(n.jr)) for n in found
    ] == names


@settings(deadline=None)  # the machine may be busy
@given(parts)
def test_a_name_reads_the_same_in_both_orders(name):
    assert read_name(name.spoken) == read_name(name.sorted) == name


@pytest.mark.parametrize("text", ["Ada Jr.", "Example, Ada, Bo, Cy", ", Ada", "Example,"])
def test_what_cannot_be_taken_apart_is_one_part(text):
    assert read_name(text) == Name(text)


# The library of the group ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library() -> Content:
    return read_content(ROOT / "docs")


def test_every_entry_comes_back_from_bibtex(library):
    text = exports(library, BASE)["library/library.bib"]
    entries = [library.library[slug] for slug in sorted(library.library)]

    found = read_bibtex(text)

    assert [f"@{row}" for row in text.split("\n@")[1:] if "{" not in row] == []
    for read, entry in zip(found, entries, strict=True):
        for field in ("title", "authors", "url", "doi", "arxiv"):
            assert read.get(field) == getattr(entry, field), (entry.slug, field)


CSL_TEXT = {
    *("id", "type", "title", "container-title", "publisher", "event-title", "volume", "number"),
    *("archive", "archive_location", "DOI", "URL", "keyword"),
}
CSL_TYPES = {
    *("article", "article-journal", "paper-conference", "report", "software", "speech"),
    "webpage",
}
CSL_NAME = {"family", "given", "non-dropping-particle", "suffix", "literal"}


def test_every_entry_keeps_to_the_csl_schema(library):
    """The part of csl-data.json 1.0.2 that we use; the schema allows no other field."""
    items = json.loads(exports(library, BASE)["library/library.csl.json"])

    assert [item["id"] for item in items] == sorted(library.library)
    for item in items:
        assert item.keys() <= CSL_TEXT | {"author", "issued"}
        assert all(isinstance(item[field], str) and item[field] for field in item.keys() & CSL_TEXT)
        assert item["type"] in CSL_TYPES
        assert [[type(n) for n in date] for date in item["issued"]["date-parts"]] == [[int]]
        for name in item["author"]:
            assert name and name.keys() <= CSL_NAME
            assert ("literal" in name) != ("family" in name)


def test_every_ris_record_begins_and_ends(library):
    rows = exports(library, BASE)["library/library.ris"].decode().split("\r\n")

    records = [list(group) for full, group in groupby(rows, bool) if full]
    assert len(records) == len(library.library)
    for record in records:
        assert record[0].startswith("TY  - ")
        assert record[-1] == "ER  - "
        assert all(row[2:6] == "  - " for row in record)


def test_exports_depend_on_the_content_alone(library):
    slugs = list(library.library)
    random.Random(0).shuffle(slugs)
    shuffled = Content(library.root, library={slug: library.library[slug] for slug in slugs})

    assert exports(shuffled, BASE) == exports(library, BASE)


def test_what_is_linked_is_there():
    files = exports(read_content(CONTENT / "docs"), BASE)

    linked = [path for slug in ("2022-wang-ioi", "library") for _, path in export_links(slug)]
    assert sorted(linked) == sorted(files)
    assert files["library/library.bib"].startswith("% The library of https://group.example.org/\n")


# The abstract ------------------------------------------------------------------------------------


def test_the_abstract_is_the_first_paragraph_without_its_marks():
    entry = make_entry(
        body="## Not this\n\nIt *cites* [Mikolov\net al.](x.md), `W_U` & <b>more</b>;"
        " ![a head](h.svg).\nRight in {fact:share:percent}.\n\nNot this either.\n"
    )
    facts = {"share": Fact(value=0.731, notebook="00_example")}

    assert abstract(entry, facts) == (
        "It cites Mikolov et al., W_U & more; a head. Right in 73.1 %."
    )


def test_an_abstract_names_no_fact_that_does_not_exist():
    with pytest.raises(Broken, match="no notebook records a fact 'share'"):
        abstract(make_entry(body="{fact:share}"))


def test_an_entry_without_text_has_no_abstract():
    assert abstract(make_entry(body="## What it claims\n")) == ""


# Reading what others wrote -----------------------------------------------------------------------

OTHERS = r"""
@string{iclr = "International Conference on Learning Representations"}
@comment{exported by a program}

@inproceedings{wang2023,
  title     = "Interpretability in the {W}ild: 50\% of {GPT}-2 \& G{\"o}del's $\alpha$",
  author    = {Wang, Kevin and Jan van der Berg and {Anthropic Team} and
               Mart{\'\i}n Bl{\'a}zquez, Gabriel and King, Jr., Martin and others},
  booktitle = iclr,
  year      = 2023,
  url       = {https://openreview.net/forum?id=NpsVSN6o4ul},
}

@article{elhage2022,
  title={Toy Models of Superposition}, author={Elhage, Nelson},
  journal={arXiv preprint arXiv:2209.10652}, year={2022}
}

@Article{su,
  Title={RoFormer}, Author={Su, Jianlin}, Journal={Neurocomputing}, Volume={568}, Year={2024},
  DOI={https://doi.org/10.1016/j.neucom\_2023.127063}
}

@misc{alpha, title={Post}, author={nostalgebraist}, date={2020-08-31},
  howpublished={\url{https://example.org/a\_b%20c?x=1&y=2}}}
@misc{old, title={Old}, author={Ann Lee}, year={1999},
  eprint={hep-th/9901001v2}, eprinttype={arxiv}}
"""


def test_bibtex_that_others_wrote_becomes_a_header():
    assert read_bibtex(OTHERS) == [
        {
            "slug": "2023-wang-interpretability",
            "title": "Interpretability in the Wild: 50% of GPT-2 & Gödel's $\\alpha$",
            "authors": [
                "Kevin Wang",
                "Jan van der Berg",
                "Anthropic Team",
                "Martín Blázquez, Gabriel",  # as spoken, the family name would be "Blázquez"
                "Martin King Jr.",
            ],
            "kind": "paper",
            "year": 2023,
            "url": "https://openreview.net/forum?id=NpsVSN6o4ul",
            "venue": "International Conference on Learning Representations",
            "openreview": "NpsVSN6o4ul",
        },
        {
            "slug": "2022-elhage-models",
            "title": "Toy Models of Superposition",
            "authors": ["Nelson Elhage"],
            "kind": "paper",
            "year": 2022,
            "url": "https://arxiv.org/abs/2209.10652",
            "arxiv": "2209.10652",
        },
        {
            "slug": "2024-su-roformer",
            "title": "RoFormer",
            "authors": ["Jianlin Su"],
            "kind": "paper",
            "year": 2024,
            "url": "https://doi.org/10.1016/j.neucom_2023.127063",
            "venue": "Neurocomputing, volume 568",
            "doi": "10.1016/j.neucom_2023.127063",
        },
        {
            "slug": "2020-nostalgebraist-post",
            "title": "Post",
            "authors": ["nostalgebraist"],
            "kind": "article",
            "year": 2020,
            "url": "https://example.org/a_b%20c?x=1&y=2",
        },
        {
            "slug": "1999-lee",
            "title": "Old",
            "authors": ["Ann Lee"],
            "kind": "paper",
            "year": 1999,
            "url": "https://arxiv.org/abs/hep-th/9901001",
            "arxiv": "hep-th/9901001",
        },
    ]


@pytest.mark.parametrize(
    ("written", "venue"),
    [
        ("nips", "Neural Information Processing Systems"),
        (
            '"Proc. of " # nips # {, } # 2023',
            "Proc. of Neural Information Processing Systems, 2023",
        ),
        ('nips # ", " # dec # "~4"', "Neural Information Processing Systems, Dec 4"),
        ("{C# and " + '"F#"} # { in {#} practice}', 'C# and "F#" in # practice'),
        ('"a {"}quoted{"} word"', 'a "quoted" word'),
        ("long", "Neural Information Processing Systems, again"),
        ("unknown", "unknown"),
    ],
)
def test_a_value_of_several_parts_is_put_together(written, venue):
    [read] = read_bibtex(
        '@string{NIPS = "Neural Information " # {Processing Systems}}\n'
        '@string(long = nips # ", again")\n'
        f"@inproceedings{{k, title = {{T}}, year = 2023, booktitle = {written}}}"
    )

    assert read["venue"] == venue


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (r"Mart{\'\i}nez, Jos{\'e} and {\O}rsted, H. C.", ["José Martínez", "H. C. Ørsted"]),
        (r"Erd\H{o}s, Paul and Do\u{g}an, \c{C}a\u{g}la", ["Paul Erdős", "Çağla Doğan"]),
        (r"Brand\~{a}o, F. and Ib{\~n}ez, I. and Magalh\~aes, R.", None),
        ("{Ernst and Young} and Ada Lee", ["Ernst and Young", "Ada Lee"]),
        ("{Barnes} {and} {Noble}", ["Barnes and Noble"]),
        (r"Barnes \& Noble", ["Barnes & Noble"]),
        (
            "von Neumann, John and Ludwig van Beethoven",
            ["John von Neumann", "Ludwig van Beethoven"],
        ),
        ("King, Jr., Martin Luther", ["Martin Luther King Jr."]),
        ("Guy L. {Steele Jr.}", ["Steele Jr., Guy L."]),
        ("Lee, A. and and Doe, J.\n  AND others", ["A. Lee", "J. Doe"]),
        ("Lee, A. and et al.", ["A. Lee"]),
        ("A. Lee et al.", ["A. Lee"]),
    ],
)
def test_the_authors_are_those_that_bibtex_would_print(written, names):
    [read] = read_bibtex(f"@misc{{k, title = {{T}}, year = 2023, author = {{{written}}}}}")

    assert read["authors"] == (names or ["F. Brandão", "I. Ibñez", "R. Magalhães"])


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (
            r"{\"\i} {\aa} \ss{} \ae\oe{} \k{a} \r{u} \d{s} \.I \=a {\c{C}} \v{z} {\DJ}",
            "ï å ß æœ ą ů ṣ İ ā Ç ž Đ",
        ),
        (r"\texttt{code\_x} in \TeX{} \copyright{} 5\% \& {W}ild", "code_x in TeX © 5% & Wild"),
        (r"\emph{a} \textsc{b} \url{https://a.example/c_d}", "a b https://a.example/c_d"),
        (r"``quoted'' -- and --- $x^2_i$", "“quoted” – and — $x^2_i$"),
        ("100% of it", "100% of it"),
    ],
)
def test_a_title_is_the_one_that_tex_would_set(tex, text):
    [read] = read_bibtex(f"@misc{{k, title = {{{tex}}}, year = 2023}}")

    assert read["title"] == text


def test_what_is_read_fits_a_header():
    for read in read_bibtex(OTHERS):
        EntryHeader.model_validate(
            {k: v for k, v in read.items() if k != "slug"} | {"topics": ["ioi"]}
        )


@pytest.mark.parametrize(
    ("text", "line_number", "message"),
    [
        ("", 1, "no entry of BibTeX; one begins with `@article{key,`"),
        ("just prose\n", 1, "no entry of BibTeX"),
        ("\n@article{a, title={x}}\n@article{b, title={y\n", 3, "not readable as BibTeX"),
        ("@article{a, title={x}}\n\n@article{a, title={y}}\n", 3, "not readable as BibTeX"),
    ],
)
def test_bibtex_that_cannot_be_read_says_where(text, line_number, message):
    with pytest.raises(Malformed) as refused:
        read_bibtex(text)

    assert refused.value.line == line_number
    assert refused.value.message.startswith(message)
