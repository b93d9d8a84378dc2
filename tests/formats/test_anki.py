"""An Anki package is a zip with an SQLite file; a note's guid is the id of its question."""

import io
import json
import sqlite3
import zipfile
from pathlib import Path

from api import formats
from api.formats import anki
from api.formats.model import Accepted, Bank, Blank, Item

SPECIMENS = Path(__file__).parent / "specimens"


def notes(exported: formats.Exported, folder: Path) -> list[tuple[str, list[str]]]:
    (data,) = exported.files.values()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert json.loads(archive.read("media")) == {}
        path = folder / "collection.anki2"
        path.write_bytes(archive.read("collection.anki2"))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    rows = connection.execute(
        "SELECT guid, flds FROM notes JOIN cards ON cards.nid = notes.id ORDER BY notes.id"
    ).fetchall()
    connection.close()
    return [(guid, fields.split("\x1f")) for guid, fields in rows]


def test_a_card_asks_and_answers(tmp_path):
    bank = formats.read(
        "q.gift", b"// [id:stream]\n[markdown]Which *sum*?{=a\\=b#Yes. ~c####Why.}"
    ).bank

    exported = anki.write(bank, "quiz", now_s=1_700_000_000)

    ((guid, fields),) = notes(exported, tmp_path)
    assert guid == "stream"
    assert dict(zip(anki.FIELDS, fields, strict=True)) == {
        "Question": "<p>Which <em>sum</em>?</p>",
        "Options": "<ul><li>a=b</li><li>c</li></ul>",
        "Answer": "<ul><li><p>✓ a=b</p>\n<p>Yes.</p></li><li>✗ c</li></ul>",
        "Explanation": "<p>Why.</p>",
        "Source": "",
        "Hint": "",
    }


def test_a_second_package_has_the_same_notes_but_newer(tmp_path):
    bank = formats.read("moodle.gift", (SPECIMENS / "moodle.gift").read_bytes()).bank

    first = notes(anki.write(bank, now_s=1_700_000_000), tmp_path)
    second = notes(anki.write(bank, now_s=1_700_000_900), tmp_path)

    assert [guid for guid, _ in first] == [guid for guid, _ in second]
    assert len({guid for guid, _ in first}) == len(first) == 10  # all but the description


def test_the_order_of_lines_to_order_does_not_tell(tmp_path):
    bank = formats.read("q.md", (SPECIMENS / "quizdown.md").read_bytes()).bank

    order = notes(anki.write(bank, now_s=1_700_000_000), tmp_path)[2][1]

    assert order[1] == "<ul><li>Attend</li><li>Embed</li><li>Unembed</li></ul>"
    assert order[2] == "<ol><li>Embed</li><li>Attend</li><li>Unembed</li></ol>"


def test_a_card_asks_for_each_gap_by_its_number(tmp_path):
    offered = Blank("x", (Accepted("a"), Accepted("b")), ("a", "b"))
    typed = Blank("y", (Accepted("c"),))
    bank = Bank(
        items=(
            Item(kind="blanks", id="i", stem="[[x]] or [[y]]", blanks=(offered, typed)),
            Item(kind="blanks", id="j", stem="[[y]]", blanks=(typed,)),
        )
    )

    (_, both), (_, one) = notes(anki.write(bank, now_s=1_700_000_000), tmp_path)

    assert both[:3] == [
        "<p>(1)_____ or (2)_____</p>",
        "<ol><li>a / b</li><li></li></ol>",
        "<ol><li>a / b</li><li>c</li></ol>",
    ]
    assert one[:3] == ["<p>(1)_____</p>", "", "<ol><li>c</li></ol>"]
