"""Begin a file for a contributor: the right header, what is known, a prompt for the rest.

Every function checks what it is given, raises NotWritten with one sentence, and returns what it
wrote. `api/drafts.py` says what becomes of a field that nobody gave.
"""

import datetime as dt
import re
import urllib.error
import urllib.request
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from pydantic import TypeAdapter, ValidationError

from api.addresses import ARXIV_ID, read_address, work_names
from api.bibtex import read_bibtex
from api.content import Content, read_content
from api.drafts import (
    EntryDraft,
    NotWritten,
    entry_text,
    header,
    prompt,
    write_new,
)
from api.markup import Malformed
from api.records import SLUG, Entry, EntryHeader, nearest

ARXIV_API = "https://export.arxiv.org/api/query"
TIMEOUT_S = 10
MAX_REPLY_BYTES = 1_000_000
_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"


@dataclass(frozen=True)
class Begun:
    """The files that were written, and what their author should know beside."""

    paths: list[Path]
    notice: str = ""

    def __str__(self) -> str:
        lines = [f"wrote {path}" for path in self.paths]
        return "\n".join([*([self.notice] if self.notice else []), *lines, "next: readout check"])


def new_meeting(
    content_dir: Path,
    date: str,
    *,
    title: str | None = None,
    topics: Sequence[str] = (),
    readings: Sequence[str] = (),
) -> Begun:
    content = read_content(content_dir)
    day = read_date(date)
    _known("topic", topics, content.topics)
    _known("library entry", readings, _slugs(content, "library"))
    fields = {"date": day, "title": title, "topics": list(topics), "readings": list(readings)}
    asked = {
        "Questions": "What did the group want to know?",
        "Notes": "What was found, with which evidence?",
        "Decisions": "What did the group decide?",
        "Open questions": "What stayed open?",
    }
    sections = [f"## {name}\n\n{prompt(question)}\n" for name, question in asked.items()]
    text = "\n".join([header(fields), *sections])
    return _write({content_dir / "meetings" / f"{day}.md": text})


def new_quiz(
    content_dir: Path,
    slug: str,
    *,
    meeting: str | None = None,
    title: str | None = None,
    topics: Sequence[str] = (),
) -> Begun:
    """A quiz for a meeting opens a week before it and closes on its day, both to be changed."""
    _slug(slug)
    content = read_content(content_dir)
    _known("topic", topics, content.topics)
    fields: dict[str, object] = {"title": title or slug.replace("-", " ").capitalize()}
    if meeting:
        day = read_date(meeting)
        _known("meeting", [str(day)], _slugs(content, "meetings"))
        fields |= {
            "kind": "meeting",
            "meeting": day,
            "opens_at": dt.datetime.combine(day - dt.timedelta(days=7), dt.time(12)),
            "closes_at": dt.datetime.combine(day, dt.time(16)),
        }
    else:
        fields["kind"] = "self-check"
    text = header({**fields, "topics": list(topics)})
    return _write({content_dir / "quizzes" / f"{slug}.md": f"{text}\n{_question(slug)}"})


def _question(slug: str) -> str:
    # `why` and `source` stay empty: `readout check` asks for them, so no blank is published.
    return f"""\
## {prompt("What do you ask? Which two beliefs does it separate?")} {{#{slug}-1}}

- [ ] (a) {prompt("Which mistake does somebody make?")}
    > {prompt("What is wrong with it?")}
- [x] (b) {prompt("What is right?")}
    > {prompt("Why is it right?")}

```yaml
type: single
why:
source:
# anchor: ../library/2022-wang-ioi.md#how-they-know
```
"""


def new_paper(
    content_dir: Path,
    *,
    arxiv: str | None = None,
    bibtex: Path | None = None,
    title: str | None = None,
    authors: Sequence[str] = (),
    year: int | None = None,
    url: str | None = None,
    topics: Sequence[str] = (),
    slug: str | None = None,
    today: dt.date | None = None,
    arxiv_api: str = ARXIV_API,
) -> Begun:
    """A paper from what is given, from arXiv, or one file for each entry of a BibTeX file.

    Without a network a paper of arXiv begins with what its number says, and a notice.
    """
    if arxiv and bibtex:
        raise NotWritten("give --arxiv or --bibtex, not both")
    notice = ""
    if bibtex:
        drafts = drafts_of_bibtex(bibtex)
    elif arxiv:
        draft, notice = draft_of_arxiv(arxiv, arxiv_api)
        drafts = [draft]
    else:
        drafts = [EntryDraft(url=url, kind="paper")]
    if len(drafts) > 1 and (title or authors or year or url or slug):
        raise NotWritten(f"{bibtex} has {len(drafts)} entries; only --topic can be given for all")
    for draft in drafts:
        draft.title = " ".join((title or draft.title or "").split()) or None
        draft.authors = list(authors) or draft.authors
        draft.year = year or draft.year
        draft.url = url or draft.url
        draft.topics = list(topics)
    return _begin(content_dir, drafts, slug, today, notice)


def new_talk(
    content_dir: Path,
    *,
    url: str | None = None,
    title: str | None = None,
    speakers: Sequence[str] = (),
    date: str | None = None,
    topics: Sequence[str] = (),
    slug: str | None = None,
    today: dt.date | None = None,
) -> Begun:
    """A talk. Its date, a day or a year, becomes the year and, for a day, begins the venue."""
    draft = EntryDraft(url, title, list(speakers), "talk", topics=list(topics))
    if date and re.fullmatch(r"\d{4}", date):
        draft.year = int(date)
    elif date:
        day = read_date(date)
        draft.year = day.year
        draft.venue = f"{day.day} {day:%B} {day.year}"
        draft.comments["venue"] = "where?"
    return _begin(content_dir, [draft], slug, today)


def _begin(
    content_dir: Path,
    drafts: list[EntryDraft],
    slug: str | None,
    today: dt.date | None,
    notice: str = "",
) -> Begun:
    """Judge the drafts, name them and write them."""
    content = read_content(content_dir)
    taken = _slugs(content, "library")
    files: dict[Path, str] = {}
    for draft in drafts:
        draft.added = today
        draft.learn_from_address()
        _known("topic", draft.topics, content.topics)
        _judge(draft)
        _not_there(draft, content)
        name = _slug(slug) if slug else draft.slug(taken)
        taken.add(name)
        files[content_dir / "library" / f"{name}.md"] = entry_text(draft)
    return _write(files, notice)


def _judge(draft: EntryDraft) -> None:
    """Raise NotWritten for a value that `readout check` would refuse."""
    for name, info in EntryHeader.model_fields.items():
        value = getattr(draft, name, None)
        if value is None or value == []:
            continue
        kind = TypeAdapter(info.rebuild_annotation())
        try:
            kind.validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            given = "" if repr(value) in reason else f", not {value!r}"
            raise NotWritten(f"{name}: {reason}{given}") from error


def _not_there(draft: EntryDraft, content: Content) -> None:
    if draft.url:
        names = read_address(draft.url).names
        names |= work_names(draft.arxiv, draft.doi, draft.openreview)
        for entry in content.to_judge(Entry):  # one just begun is not complete yet
            others = work_names(entry.arxiv, entry.doi, entry.openreview)
            if names & (others | read_address(entry.url or "").names):
                raise NotWritten(f"{draft.url} is in the library already: {entry.path}")


# What arXiv and BibTeX know ----------------------------------------------------------------------


def drafts_of_bibtex(path: Path) -> list[EntryDraft]:
    try:
        found = read_bibtex(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotWritten(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NotWritten(f"{path} is not UTF-8; save it as UTF-8") from error
    except Malformed as error:
        raise NotWritten(f"{path}:{error.line}: {error.message}") from error
    return [EntryDraft(**{k: v for k, v in entry.items() if k != "slug"}) for entry in found]


def draft_of_arxiv(given: str, api: str = ARXIV_API) -> tuple[EntryDraft, str]:
    """What arXiv knows of a paper, and a notice if it could not be asked.

    Raises NotWritten if `given` is no number of arXiv, or arXiv has no such paper.
    """
    match = re.fullmatch(rf"(?:https?://arxiv\.org/\w+/|arxiv:)?({ARXIV_ID})(v\d+)?", given, re.I)
    draft = EntryDraft(url=f"https://arxiv.org/abs/{match[1]}" if match else None, kind="paper")
    draft.learn_from_address()
    if not draft.arxiv:
        raise NotWritten(f"{given!r} is no number of arXiv; write it as 2211.00593")
    try:
        # The address is ours and the number has been checked.
        query = f"{api}?id_list={draft.arxiv}"
        with urllib.request.urlopen(query, timeout=TIMEOUT_S) as reply:  # noqa: S310
            # Expat bounds what entities can grow to since 2.4.1.
            feed = ElementTree.fromstring(reply.read(MAX_REPLY_BYTES))  # noqa: S314
    except (OSError, ElementTree.ParseError) as error:
        reason = getattr(error, "reason", None) or error
        return draft, (
            f"arXiv could not be asked ({reason}): the file has the number, address and year alone"
        )
    entry = feed.find(f"{_ATOM}entry")
    if entry is None or entry.find(f"{_ATOM}author") is None:  # an error is an entry by nobody
        raise NotWritten(f"arXiv has no paper {draft.arxiv}")
    draft.title = _text(entry, f"{_ATOM}title") or None
    draft.authors = [_text(author, f"{_ATOM}name") for author in entry.iter(f"{_ATOM}author")]
    draft.year = int(_text(entry, f"{_ATOM}published")[:4] or draft.year or 0) or None
    draft.doi = _text(entry, f"{_ARXIV}doi") or None
    return draft, ""


def _text(parent: ElementTree.Element, name: str) -> str:
    return " ".join((parent.findtext(name) or "").split())


# What is given -----------------------------------------------------------------------------------


def read_date(text: str) -> dt.date:
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise NotWritten(f"{text!r} is no date; write it as 2026-03-12") from None


def _slug(text: str) -> str:
    if not re.match(SLUG.replace(r"\z", r"\Z"), text) or len(text) > 80:
        raise NotWritten(f"{text!r} is no slug; write small letters, digits and single hyphens")
    return text


def _known(what: str, given: Iterable[str], known: Collection[str]) -> None:
    for word in given:
        if word not in known:
            hint = nearest(word, known) if known else "there is none yet"
            raise NotWritten(f"no {what} is named {word!r}; {hint}")


def _slugs(content: Content, folder: str) -> set[str]:
    """The names of all files of a folder, also of those with mistakes in their header."""
    known = {path for path in content.headers if Path(path).parent.name == folder}
    return {Path(path).stem for path in known}


def _write(files: dict[Path, str], notice: str = "") -> Begun:
    write_new(files)
    return Begun(list(files), notice)
