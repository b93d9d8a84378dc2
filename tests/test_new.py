import datetime as dt
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from api.content import read_content
from api.drafts import NotWritten, propose_slug
from api.new import new_meeting, new_paper, new_quiz, new_talk

TODAY = dt.date(2026, 3, 12)
NOWHERE = "http://127.0.0.1:9/query"  # the port of `discard`, on which nothing listens
FEED = """\
<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <entry>
    <published>2023-01-05T14:02:45Z</published>
    <title>Moving
      Names: a Study</title>
    <author><name>Jürgen Müller</name></author>
    <author><name>Ada van der Berg</name></author>
    <arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.1000/names.1</arxiv:doi>
  </entry>
</feed>
"""
NO_SUCH_PAPER = """\
<feed xmlns="http://www.w3.org/2005/Atom">
  <entry><title>Error</title><summary>incorrect id format</summary></entry>
</feed>
"""


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "topics").mkdir(parents=True)
    for slug in ("circuits", "ioi"):
        (folder / "topics" / f"{slug}.md").write_text(f"---\ntitle: {slug}\nsummary: x\n---\n")
    return folder


@pytest.fixture
def arxiv() -> Iterator[HTTPServer]:
    """A server that answers with `server.reply` and keeps what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.reply.encode())

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.reply, server.asked = FEED, []
    server.url = f"http://127.0.0.1:{server.server_port}/query"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def header_of(path: Path) -> str:
    return path.read_text().split("---\n")[1]


def problems(docs: Path) -> list[str]:
    return [f"{Path(p.path).name}:{p.line}: {p.message}" for p in read_content(docs).problems]


def test_a_new_meeting_is_sound_and_asks(docs):
    begun = new_meeting(docs, "2026-03-12", title="Heads", topics=["ioi"])

    path = docs / "meetings" / "2026-03-12.md"
    assert str(begun) == f"wrote {path}\nnext: readout check"
    assert header_of(path) == "date: 2026-03-12\ntitle: Heads\ntopics: [ioi]\n"
    assert "## Decisions\n\n<!-- What did the group decide? -->\n" in path.read_text()
    assert problems(docs) == []


def test_a_new_quiz_is_sound_but_for_its_question(docs):
    new_meeting(docs, "2026-03-12")

    new_quiz(docs, "name-movers", meeting="2026-03-12", topics=["ioi"])

    assert header_of(docs / "quizzes" / "name-movers.md") == (
        "title: Name movers\nkind: meeting\nmeeting: 2026-03-12\n"
        "opens_at: 2026-03-05T12:00:00Z\ncloses_at: 2026-03-12T16:00:00Z\ntopics: [ioi]\n"
    )
    asked = [problem.rsplit(":", 1)[0] for problem in problems(docs)]
    assert asked == ["name-movers.md:19: why", "name-movers.md:20: source"]


def test_a_paper_of_arxiv_has_what_arxiv_knows(docs, arxiv):
    begun = new_paper(
        docs, arxiv="arXiv:2301.12345v2", topics=["ioi"], today=TODAY, arxiv_api=arxiv.url
    )

    assert arxiv.asked == ["/query?id_list=2301.12345"]
    assert begun.paths == [docs / "library" / "2023-muller-moving.md"]
    assert begun.notice == ""
    assert header_of(begun.paths[0]) == (
        "title: 'Moving Names: a Study'\n"
        "authors: [Jürgen Müller, Ada van der Berg]\n"
        "kind: paper\n"
        "year: 2023\n"
        "url: https://arxiv.org/abs/2301.12345\n"
        "topics: [ioi]\n"
        'arxiv: "2301.12345"\n'
        "doi: 10.1000/names.1\n"
        "added: 2026-03-12\n"
    )
    assert problems(docs) == []


def test_without_a_network_a_paper_begins_with_its_number(docs):
    begun = new_paper(docs, arxiv="2301.12345", topics=["ioi"], arxiv_api=NOWHERE)

    assert begun.notice.startswith("arXiv could not be asked (")
    assert header_of(begun.paths[0]) == (
        "# title: what is it called?\n"
        "# authors: who made it? as [First Author, Second Author]\n"
        "kind: paper\n"
        "year: 2023\n"
        "url: https://arxiv.org/abs/2301.12345\n"
        "topics: [ioi]\n"
        'arxiv: "2301.12345"\n'
    )
    assert problems(docs) == [
        "2023-2301-12345.md:4: no field 'title'; add it",
        "2023-2301-12345.md:4: no field 'authors'; add it",
    ]


def test_a_reply_that_is_no_feed_is_as_no_reply(docs, arxiv):
    arxiv.reply = "<html>Please sign in to the hotel's network<br></html>"

    begun = new_paper(docs, arxiv="2301.12345", arxiv_api=arxiv.url)

    assert begun.notice.startswith("arXiv could not be asked (")
    assert begun.paths[0].is_file()


def test_a_number_that_arxiv_does_not_know_is_refused(docs, arxiv):
    arxiv.reply = NO_SUCH_PAPER

    with pytest.raises(NotWritten, match=r"arXiv has no paper 2301\.12345"):
        new_paper(docs, arxiv="2301.12345", arxiv_api=arxiv.url)

    assert not (docs / "library").exists()


BIBTEX = r"""
@inproceedings{one,
  title = {On {G}raphs: {\"U}ber Alles},
  author = {M{\"u}ller, J{\"u}rgen and Li, Wei},
  booktitle = {ICLR}, year = 2024, url = {https://example.org/one.pdf}}
@article{two,
  title = {Second Thoughts}, author = {Ada Example}, year = {2020},
  eprint = {2001.00001}, archivePrefix = {arXiv}, doi = {10.1000/two}}
"""


def test_each_entry_of_a_bibtex_file_becomes_a_file(docs, tmp_path):
    (tmp_path / "two.bib").write_text(BIBTEX)

    begun = new_paper(docs, bibtex=tmp_path / "two.bib", topics=["circuits"], today=TODAY)

    assert [path.name for path in begun.paths] == [
        "2024-muller-graphs.md",
        "2020-example-second.md",
    ]
    assert header_of(begun.paths[0]) == (
        "title: 'On Graphs: Über Alles'\n"
        "authors: [Jürgen Müller, Wei Li]\n"
        "kind: paper\n"
        "year: 2024\n"
        "url: https://example.org/one.pdf\n"
        "topics: [circuits]\n"
        "venue: ICLR\n"
        "added: 2026-03-12\n"
    )
    assert 'arxiv: "2001.00001"\ndoi: 10.1000/two\n' in header_of(begun.paths[1])
    assert problems(docs) == []


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("@misc{a, title={A}", "1: not readable as BibTeX: Unexpectedly reached end of file"),
        ("\n@misc{a title={A}}", "2: not readable as BibTeX: Expected comma after entry key"),
        ("@misc{a, title={A}}\n@misc{a, title={B}}", "2: not readable as BibTeX: Duplicate entry"),
    ],
)
def test_a_bibtex_file_that_breaks_off_is_refused_with_its_reason(docs, tmp_path, written, message):
    (tmp_path / "odd.bib").write_text(written)

    with pytest.raises(NotWritten) as refused:
        new_paper(docs, bibtex=tmp_path / "odd.bib", topics=["circuits"])

    assert f"odd.bib:{message}" in str(refused.value)
    assert str(refused.value).endswith("; mend this entry")


def test_what_holds_for_one_paper_is_not_said_of_several(docs, tmp_path):
    (tmp_path / "two.bib").write_text(BIBTEX)

    with pytest.raises(NotWritten, match="has 2 entries; only --topic can be given for all"):
        new_paper(docs, bibtex=tmp_path / "two.bib", year=2020)

    assert not (docs / "library").exists()


def test_a_bibtex_file_in_another_encoding_is_refused(docs, tmp_path):
    (tmp_path / "old.bib").write_bytes("@misc{a, author={Jürgen Müller}}".encode("latin-1"))

    with pytest.raises(NotWritten, match=r"old\.bib is not UTF-8; save it as UTF-8"):
        new_paper(docs, bibtex=tmp_path / "old.bib")


def test_of_several_papers_none_is_written_if_one_exists(docs, tmp_path):
    (tmp_path / "two.bib").write_text(BIBTEX)
    (docs / "library").mkdir()
    (docs / "library" / "mine.md").write_text(
        "---\ntitle: T\nauthors: [A]\nkind: paper\nyear: 2020\ntopics: [ioi]\n"
        'url: https://arxiv.org/pdf/2001.00001\narxiv: "2001.00001"\n---\n'
    )

    with pytest.raises(NotWritten, match=r"2001\.00001 is in the library already.*mine\.md"):
        new_paper(docs, bibtex=tmp_path / "two.bib", topics=["circuits"])

    assert [path.name for path in (docs / "library").iterdir()] == ["mine.md"]


def test_a_talk_has_its_speakers_and_its_day(docs):
    begun = new_talk(
        docs,
        url="https://youtu.be/abcdefghijk",
        title="The Road to Circuits",
        speakers=["Ada Example"],
        date="2025-09-03",
        topics=["circuits"],
    )

    assert begun.paths == [docs / "library" / "2025-example-road.md"]
    assert header_of(begun.paths[0]) == (
        "title: The Road to Circuits\n"
        "authors: [Ada Example]\n"
        "kind: talk\n"
        "year: 2025\n"
        "url: https://youtu.be/abcdefghijk\n"
        "topics: [circuits]\n"
        "venue: 3 September 2025  # where?\n"
    )
    assert problems(docs) == []


@pytest.mark.parametrize(("date", "year"), [("2025", "year: 2025\n"), (None, "# year: ")])
def test_of_a_talk_no_day_need_be_known(docs, date, year):
    path = new_talk(docs, title="The Road", speakers=["Ada Example"], date=date).paths[0]

    assert year in header_of(path)
    assert "venue: " not in header_of(path).replace("# venue: ", "")


def test_a_quiz_for_no_meeting_is_a_self_check(docs):
    new_quiz(docs, "name-movers", topics=["ioi"])

    assert header_of(docs / "quizzes" / "name-movers.md") == (
        "title: Name movers\nkind: self-check\ntopics: [ioi]\n"
    )


@pytest.mark.parametrize(
    "again", [{"arxiv": "2301.12345"}, {"url": "https://doi.org/10.48550/arXiv.2301.12345"}]
)
def test_a_paper_that_was_only_begun_is_not_begun_again(docs, again):
    new_paper(docs, arxiv="2301.12345v1", arxiv_api=NOWHERE)

    with pytest.raises(NotWritten, match="is in the library already: docs/library/2023-2301-12345"):
        new_paper(docs, arxiv_api=NOWHERE, **again)


def test_a_file_is_never_overwritten(docs):
    path = new_meeting(docs, "2026-03-12").paths[0]
    path.write_text("mine")

    with pytest.raises(NotWritten, match=r"2026-03-12\.md exists already; nothing was written"):
        new_meeting(docs, "2026-03-12")

    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("begin", "message"),
    [
        (lambda d: new_meeting(d, "12.3.2026"), "'12.3.2026' is no date; write it as 2026-03-12"),
        (lambda d: new_meeting(d, "2026-02-30"), "'2026-02-30' is no date; write it as 2026-03-12"),
        (
            lambda d: new_meeting(d, "2026-03-12", topics=["circuts"]),
            "no topic is named 'circuts'; did you mean 'circuits'?",
        ),
        (
            lambda d: new_paper(d, title="T", topics=["circuts"]),
            "no topic is named 'circuts'; did you mean 'circuits'?",
        ),
        (
            lambda d: new_paper(d, title="T", topics=["Circuits"]),
            "no topic is named 'Circuits'; did you mean 'circuits'?",
        ),
        (
            lambda d: new_quiz(d, "a", meeting="2026-03-12"),
            "no meeting is named '2026-03-12'; there is none yet",
        ),
        (
            lambda d: new_quiz(d, "../a"),
            "'../a' is no slug; write small letters, digits and single hyphens",
        ),
        (
            lambda d: new_paper(d, arxiv="22110.0593"),
            "'22110.0593' is no number of arXiv; write it as 2211.00593",
        ),
        (
            lambda d: new_paper(d, url="example.org"),
            "url: 'example.org' is not a web address; write https://...",
        ),
        (
            lambda d: new_paper(d, title="T", year=22),
            "year: Input should be greater than or equal to 1600, not 22",
        ),
        (
            lambda d: new_paper(d, bibtex=d / "no.bib"),
            "cannot read {docs}/no.bib: No such file or directory",
        ),
        (
            lambda d: new_paper(d, arxiv="2301.12345", bibtex=d / "no.bib"),
            "give --arxiv or --bibtex, not both",
        ),
        (lambda d: new_talk(d, title="T", date="May"), "'May' is no date; write it as 2026-03-12"),
    ],
)
def test_what_is_not_right_is_refused_in_a_sentence(docs, begin, message):
    before = sorted(docs.rglob("*"))

    with pytest.raises(NotWritten) as refused:
        begin(docs)

    assert str(refused.value) == message.format(docs=docs)
    assert sorted(docs.rglob("*")) == before


@pytest.mark.parametrize(
    ("year", "author", "title", "slug"),
    [
        (2022, "Kevin Wang", "Interpretability in the Wild", "2022-wang-interpretability"),
        (2023, "Müller, Jürgen", "The Straße", "2023-muller-strasse"),
        (2023, "Bjørn Łukasz", "On Ångström Units", "2023-lukasz-angstrom"),
        (2023, "Nicholas Goldowsky-Dill", "Localizing", "2023-goldowsky-dill-localizing"),
        (2024, "Ada Example", "Taken Words Here", "2024-example-taken-words"),
        (2024, "李明", "深度学习", "2024-entry"),
        (None, "", "", "entry"),
        (None, "", "LLM Visualization", "llm-visualization"),
    ],
)
def test_a_slug_is_year_author_and_keyword(year, author, title, slug):
    assert propose_slug(year, author, title, {"2024-example-taken"}) == slug


# The commands ------------------------------------------------------------------------------------


def test_the_commands_begin_what_they_are_told(docs, invoke, tmp_path):
    def new(*args: str) -> tuple[str, str]:
        """The name of the new file, and its header."""
        done = invoke("new", *args, READOUT_CONTENT_DIR=str(docs))
        assert (done.exit_code, done.stderr) == (0, "")
        said = done.stdout.split("\n")
        assert (said[0].split()[0], said[1:]) == ("wrote", ["next: readout check", ""])
        path = Path(said[0].removeprefix("wrote "))
        return path.name, re.sub(r"(?m)^added: \d{4}-\d\d-\d\d$", "added: DAY", header_of(path))

    name, written = new(
        *("paper", "--title", "On Heads", "--author", "Ada Example", "--author", "Wei Li"),
        *("--year", "2024", "--url", "https://example.org/heads", "--topic", "ioi"),
        *("--topic", "circuits", "--slug", "heads"),
    )
    assert name == "heads.md"
    assert written == (
        "title: On Heads\nauthors: [Ada Example, Wei Li]\nkind: paper\nyear: 2024\n"
        "url: https://example.org/heads\ntopics: [ioi, circuits]\nadded: DAY\n"
    )
    name, written = new(
        *("talk", "--title", "On Tails", "--speaker", "Wei Li", "--date", "2025-09-03"),
        *("--url", "https://youtu.be/abcdefghijk", "--topic", "ioi", "--slug", "tails"),
    )
    assert name == "tails.md"
    assert written == (
        "title: On Tails\nauthors: [Wei Li]\nkind: talk\nyear: 2025\n"
        "url: https://youtu.be/abcdefghijk\ntopics: [ioi]\n"
        "venue: 3 September 2025  # where?\nadded: DAY\n"
    )
    name, written = new(
        *("meeting", "2026-03-12", "--title", "Heads", "--topic", "ioi"),
        *("--reading", "heads", "--reading", "tails"),
    )
    assert (name, written) == (
        "2026-03-12.md",
        "date: 2026-03-12\ntitle: Heads\ntopics: [ioi]\nreadings: [heads, tails]\n",
    )
    name, written = new(
        *("quiz", "name-movers", "--meeting", "2026-03-12", "--title", "Movers"),
        *("--topic", "ioi"),
    )
    assert name == "name-movers.md"
    assert written == (
        "title: Movers\nkind: meeting\nmeeting: 2026-03-12\n"
        "opens_at: 2026-03-05T12:00:00Z\ncloses_at: 2026-03-12T16:00:00Z\ntopics: [ioi]\n"
    )
    (tmp_path / "one.bib").write_text("@misc{a, title={On Graphs}, year={2020}}")
    name, written = new("paper", "--bibtex", str(tmp_path / "one.bib"), "--topic", "ioi")
    assert (name, "title: On Graphs\n" in written) == ("2020-graphs.md", True)


def test_a_command_says_why_it_began_nothing(docs, invoke):
    done = invoke("new", "meeting", "12.3.2026", READOUT_CONTENT_DIR=str(docs))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "readout: '12.3.2026' is no date; write it as 2026-03-12\n"
