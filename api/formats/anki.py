"""Anki packages, for reviewing by oneself. Only written, not read.

A note's guid is the id of its question, so that importing a newer package changes the notes that
are there and keeps their history. Deck and note type have numbers made from their names, for the
same reason. The package is Anki's older form (schema 11), which every version imports.
"""

import hashlib
import html
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from api.formats.archive import write_zip
from api.formats.gift import with_source
from api.formats.model import Band, Bank, Exported, Item, Loss, number_text
from api.formats.text import to_html

NAME = "anki"
EXTENSIONS = (".apkg",)

CARRIED = {"id", "name", "tags", "hints", "unit"}
FIELDS = ["Question", "Options", "Answer", "Explanation", "Source", "Hint"]
FRONT = (
    '<div class="question">{{Question}}</div>{{Options}}'
    '{{#Hint}}<div class="hint">{{hint:Hint}}</div>{{/Hint}}'
)
BACK = (
    '{{FrontSide}}<hr id="answer">{{Answer}}{{Explanation}}'
    '{{#Source}}<div class="source">{{Source}}</div>{{/Source}}'
)
CSS = """.card { font-family: sans-serif; font-size: 18px; max-width: 40em; margin: auto; }
.source { font-size: 80%; opacity: 0.8; }
.nightMode .card { color: #eee; }
"""
# The tables of collection.anki2 as Anki made them until 2.1.27 and reads them still.
SCHEMA = """
CREATE TABLE col (id integer primary key, crt integer not null, mod integer not null,
  scm integer not null, ver integer not null, dty integer not null, usn integer not null,
  ls integer not null, conf text not null, models text not null, decks text not null,
  dconf text not null, tags text not null);
CREATE TABLE notes (id integer primary key, guid text not null, mid integer not null,
  mod integer not null, usn integer not null, tags text not null, flds text not null,
  sfld integer not null, csum integer not null, flags integer not null, data text not null);
CREATE TABLE cards (id integer primary key, nid integer not null, did integer not null,
  ord integer not null, mod integer not null, usn integer not null, type integer not null,
  queue integer not null, due integer not null, ivl integer not null, factor integer not null,
  reps integer not null, lapses integer not null, left integer not null, odue integer not null,
  odid integer not null, flags integer not null, data text not null);
CREATE TABLE revlog (id integer primary key, cid integer not null, usn integer not null,
  ease integer not null, ivl integer not null, lastIvl integer not null, factor integer not null,
  time integer not null, type integer not null);
CREATE TABLE graves (usn integer not null, oid integer not null, type integer not null);
CREATE INDEX ix_notes_usn on notes (usn);
CREATE INDEX ix_cards_usn on cards (usn);
CREATE INDEX ix_cards_nid on cards (nid);
CREATE INDEX ix_notes_csum on notes (csum);
"""


def write(bank: Bank, name: str = "quiz", now_s: int | None = None) -> Exported:
    """`now_s` is when the notes changed: Anki takes over only what is newer than its own."""
    losses: list[Loss] = []
    now_s = int(time.time()) if now_s is None else now_s
    title = bank.title or name
    whole = Item(kind="description", stem="", name=title)
    losses.append(whole.loss("dropped", "grading", "everyone marks their own card"))
    deck, model = _number(f"deck {title}"), _number("note type readout 1")
    pictures = [(str(n), content) for n, content in enumerate(bank.files.values())]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "collection.anki2"
        connection = sqlite3.connect(path)
        with connection:
            connection.executescript(SCHEMA)
            connection.execute(
                "INSERT INTO col VALUES (1,?,?,?,11,0,0,0,?,?,?,?,'{}')",
                [now_s, now_s * 1000, now_s * 1000, *_settings(title, deck, model, now_s)],
            )
            for row, note in enumerate(_notes(bank, losses)):
                _add(connection, note, row, deck, model, now_s)
        connection.close()
        collection = path.read_bytes()
    media = json.dumps({str(n): picture for n, picture in enumerate(bank.files)})
    files = [("collection.anki2", collection), ("media", media.encode()), *pictures]
    return Exported({f"{name}.apkg": write_zip(files)}, tuple(losses))


def _notes(bank: Bank, losses: list[Loss]) -> Iterator[tuple[Item, list[str]]]:
    for item in bank.items:
        if item.kind == "description" or item.lacks_key:
            why = "nothing to answer" if item.kind == "description" else "its number is not known"
            losses.append(item.loss("dropped", "question", why))
            continue
        if not item.id:
            why = "without an id, a later package adds this note again when its text changes"
            losses.append(item.loss("changed", "identity", why))
        shown = {"feedback"} if item.choices and item.kind != "order" else set()
        losses += item.not_carried(CARRIED | shown, "a card")
        if len(item.hints) > 1:
            losses.append(item.loss("dropped", "hints", "a card has one; the first is kept"))
        hint = to_html(item.hints[0]) if item.hints else ""
        source = html.escape(item.source, quote=False)
        why = to_html(with_source(item.but(source="")))
        yield item, [to_html(_stem(item)), _options(item), _answer(item), why, source, hint]


def _stem(item: Item) -> str:
    stem = item.stem
    for number, blank in enumerate(item.blanks, 1):
        stem = stem.replace(f"[[{blank.name}]]", f"({number})\\_\\_\\_\\_\\_")
    return stem


def _listed(texts: list[str], tag: str = "ul") -> str:
    lines = "".join(f"<li>{_inline(text)}</li>" for text in texts)
    return f"<{tag}>{lines}</{tag}>" if texts else ""


def _inline(markdown: str) -> str:
    shown = to_html(markdown)
    inner = shown.removeprefix("<p>").removesuffix("</p>")
    return inner if "<p>" not in inner else shown


def _options(item: Item) -> str:
    """What can be chosen. Lines to order or to match stand by their letters, not by the key."""
    match item.kind:
        case "single" | "multiple" | "truefalse":
            return _listed([choice.text for choice in item.choices])
        case "order":
            return _listed(sorted(choice.text for choice in item.choices))
        case "match":
            lefts = [pair.left for pair in item.pairs if pair.left]
            return _listed(lefts) + _listed(sorted({pair.right for pair in item.pairs}))
        case "blanks":
            rows = [" / ".join(blank.options) for blank in item.blanks]
            return _listed(rows, "ol") if any(rows) else ""
        case _:
            return ""


def _answer(item: Item) -> str:
    match item.kind:
        case "single" | "multiple" | "truefalse":
            return _listed(
                [
                    f"{'✓' if c.fraction > 0 else '✗'} {c.text}"
                    + (f"\n\n{c.feedback}" if c.feedback else "")
                    for c in item.choices
                ]
            )
        case "order":
            return _listed([choice.text for choice in item.choices], "ol")
        case "match":
            return _listed([f"{pair.left} → {pair.right}" for pair in item.pairs if pair.left])
        case "text":
            rights = [a.text for a in item.accepted if a.fraction > 0]
            return f"<p>{html.escape(' / '.join(rights), quote=False)}</p>"
        case "number":
            rows = [_band(band, item.unit) for band in item.bands if band.fraction > 0]
            return f"<p>{html.escape(' / '.join(rows), quote=False)}</p>"
        case "blanks":
            return _listed([" / ".join(a.text for a in b.accepted) for b in item.blanks], "ol")
        case _:
            return ""


def _band(band: Band, unit: str) -> str:
    margin = f" ± {number_text(band.margin)}" if band.margin else ""
    return f"{number_text(band.centre)}{margin} {unit}".strip()


def _number(name: str) -> int:
    """A stable number of the size that Anki gives to decks and note types."""
    return 1 << 40 | int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])


def _add(
    connection: sqlite3.Connection,
    note: tuple[Item, list[str]],
    row: int,
    deck: int,
    model: int,
    now_s: int,
) -> None:
    item, fields = note
    guid = item.id or hashlib.sha256(item.stem.encode()).hexdigest()[:20]
    tags = " ".join(tag.replace(" ", "-") for tag in item.tags)
    identifier = now_s * 1000 + row
    joined = "\x1f".join(field.replace("\x1f", " ") for field in fields)
    checksum = int(hashlib.sha1(fields[0].encode(), usedforsecurity=False).hexdigest()[:8], 16)
    connection.execute(
        "INSERT INTO notes VALUES (?,?,?,?,-1,?,?,?,?,0,'')",
        [identifier, guid, model, now_s, f" {tags} " if tags else "", joined, fields[0], checksum],
    )
    connection.execute(
        "INSERT INTO cards VALUES (?,?,?,0,?,-1,0,0,?,0,0,0,0,0,0,0,0,'')",
        [identifier, identifier, deck, now_s, row + 1],
    )


def _settings(title: str, deck: int, model: int, now_s: int) -> list[str]:
    """conf, models, decks and dconf of the collection, as JSON."""
    fields = [
        {"name": name, "ord": n, "font": "Arial", "size": 20, "sticky": False, "rtl": False,
         "media": []}
        for n, name in enumerate(FIELDS)
    ]  # fmt: skip
    template = {
        "name": "Card 1", "ord": 0, "qfmt": FRONT, "afmt": BACK, "did": None, "bqfmt": "",
        "bafmt": "",
    }  # fmt: skip
    note_type = {
        "id": model, "name": "Readout question", "type": 0, "mod": now_s, "usn": -1, "sortf": 0,
        "did": deck, "tmpls": [template], "flds": fields, "css": CSS, "latexPre": "",
        "latexPost": "", "req": [[0, "any", [0]]], "tags": [], "vers": [],
    }  # fmt: skip
    decks = {
        str(number): _deck(number, name, now_s) for number, name in [(1, "Default"), (deck, title)]
    }
    options = {
        "id": 1, "name": "Default", "mod": 0, "usn": 0, "maxTaken": 60, "timer": 0,
        "autoplay": True, "replayq": True, "dyn": False,
        "new": {"delays": [1, 10], "ints": [1, 4, 7], "initialFactor": 2500, "order": 1,
                "perDay": 20, "bury": True, "separate": True},
        "rev": {"perDay": 100, "ease4": 1.3, "fuzz": 0.05, "ivlFct": 1, "maxIvl": 36500,
                "bury": True, "minSpace": 1},
        "lapse": {"delays": [10], "mult": 0, "minInt": 1, "leechFails": 8, "leechAction": 0},
    }  # fmt: skip
    conf = {
        "curDeck": 1, "activeDecks": [1], "newSpread": 0, "collapseTime": 1200, "timeLim": 0,
        "estTimes": True, "dueCounts": True, "curModel": str(model), "nextPos": 1,
        "sortType": "noteFld", "sortBackwards": False, "addToCur": True,
    }  # fmt: skip
    return [json.dumps(each) for each in (conf, {str(model): note_type}, decks, {"1": options})]


def _deck(number: int, name: str, now_s: int) -> dict[str, object]:
    return {
        "id": number, "name": name, "mod": now_s, "usn": -1, "desc": "", "dyn": 0, "conf": 1,
        "extendNew": 0, "extendRev": 50, "collapsed": False, "browserCollapsed": False,
        "newToday": [0, 0], "revToday": [0, 0], "lrnToday": [0, 0], "timeToday": [0, 0],
    }  # fmt: skip
