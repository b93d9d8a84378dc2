"""QTI 1.2, above all as Canvas exports it: a zip package or bare XML.

Rules that surprise: items without metadata say only by their interaction what they are; a text
answer that lists several values means any of them; `<and>` with `<not>` means exactly these
choices; a number may come as a value with its band, as a band alone, or as a half-open one; a
course export holds every quiz twice, once without what the common cartridge cannot say; points
are hundredths in Canvas and plain points elsewhere.
"""

from collections.abc import Iterator

from api.formats.archive import read_zip
from api.formats.model import (
    Bank,
    Imported,
    Item,
    Loss,
    Unreadable,
)
from api.formats.qti12_item import ItemReader
from api.formats.qti12_parts import read_metadata
from api.formats.xml import Node, read_xml
from api.markup import Problem

NAME = "qti12"
EXTENSIONS = (".zip", ".imscc", ".xml", ".qti")


def looks_like(path: str, text: str) -> bool:
    return "<questestinterop" in text


def holds_items(name: str, content: bytes) -> bool:
    """Whether a file of an archive is QTI 1.2; Blackboard calls its files res00001.dat."""
    is_ours = name.lower().endswith((".xml", ".qti", ".dat"))
    return is_ours and b"<questestinterop" in content[:4000]


def read(path: str, data: bytes) -> Imported:
    """Raises Unreadable where XML or package is unsound or holds no QTI 1.2."""
    if not data.startswith(b"PK"):
        reader = _File(path, {})
        reader.read(read_xml(path, data))
        return reader.imported()
    files = read_zip(path, data)
    banks = [
        f"{path}/{name}" for name, content in sorted(files.items()) if holds_items(name, content)
    ]
    if not banks:
        reason = "no <questestinterop> in the archive; export the quiz as QTI 1.2"
        raise Unreadable(Problem(path, 1, reason))
    roots = [(name, read_xml(name, files[name.removeprefix(f"{path}/")])) for name in banks]
    return _package(path, files, _without_doubles(roots))


def _without_doubles(roots: list[tuple[str, Node]]) -> list[tuple[str, Node]]:
    """Each assessment once, in its fuller form: the one with Canvas's own question types."""
    best: dict[str, tuple[str, Node]] = {}
    for name, root in roots:
        holder = next(root.below("assessment", "objectbank"), root)
        ident = holder.get("ident") or name
        if ident not in best or _own_types(root) > _own_types(best[ident][1]):
            best[ident] = (name, root)
    return list(best.values())


def _own_types(root: Node) -> int:
    return sum(label.text == "question_type" for label in root.below("fieldlabel"))


def _package(path: str, files: dict[str, bytes], roots: list[tuple[str, Node]]) -> Imported:
    items: list[Item] = []
    losses: list[Loss] = []
    pictures: dict[str, bytes] = {}
    titles = []
    for name, root in roots:
        reader = _File(name, files)
        reader.read(root)
        imported = reader.imported()
        items += imported.items
        losses += imported.losses
        pictures |= imported.bank.files
        titles.append(imported.bank.title)
    title = titles[0] if len(titles) == 1 else ""
    if len(titles) > 1:
        items = [item.but(category=item.category or t) for item, t in _titled(items, roots)]
    return Imported(Bank(items=tuple(items), title=title, files=pictures), tuple(losses), NAME)


def _titled(items: list[Item], roots: list[tuple[str, Node]]) -> Iterator[tuple[Item, str]]:
    titles = {name: _title(root) for name, root in roots}
    return ((item, titles[item.path]) for item in items)


def _title(root: Node) -> str:
    holder = next(root.below("assessment", "objectbank"), None)
    if holder is None:
        return ""
    fields = read_metadata(holder)
    return holder.get("title") or fields.get("bank_title", "")


class _File:
    def __init__(self, path: str, files: dict[str, bytes]) -> None:
        self.path, self.files = path, files
        self.items: list[Item] = []
        self.losses: list[Loss] = []
        self.pictures: dict[str, bytes] = {}
        self.title = ""

    def imported(self) -> Imported:
        bank = Bank(items=tuple(self.items), title=self.title, files=self.pictures)
        return Imported(bank, tuple(self.losses), NAME)

    def read(self, root: Node) -> None:
        if root.tag != "questestinterop":
            reason = f"<{root.tag}> where QTI 1.2 has <questestinterop>"
            raise Unreadable(Problem(self.path, root.line, reason))
        self.title = _title(root)
        for node, group in _items(root):
            if node.tag != "item":
                self.selection(node)
                continue
            self.item(node, group)

    def selection(self, node: Node) -> None:
        if node.tag == "bankentry_item":
            where = Item(kind="description", stem="", path=self.path, line=node.line)
            where = where.but(id=node.get("item_ref"))
            why = f"it stands in bank {node.get('sourcebank_ref') or '?'}; export that too"
            self.losses.append(where.loss("dropped", "question", why))
            return
        number = next(node.below("selection_number"), None)
        bank = next(node.below("sourcebank_ref"), None)
        where = Item(kind="description", stem="", name="selection", path=self.path, line=node.line)
        if bank and bank.text:
            why = f"{number.text if number else 'some'} to be drawn from bank {bank.text}"
            self.losses.append(where.loss("dropped", "random questions", why))
        elif number and number.text:
            why = f"{number.text} of the questions were to be drawn; all are kept"
            self.losses.append(where.loss("changed", "random questions", why))

    def item(self, node: Node, group: str) -> None:
        reader = ItemReader(self, node)
        try:
            item = reader.read(group)
        except ValueError as error:
            item = None
            reader.notes.append(("dropped", "question", str(error)))
        if item:
            self.items.append(item)
            reader.note_the_rest(item)
        where = item or reader.blank
        self.losses += [
            Loss(where.label, self.path, node.line, kind, what, why)  # type: ignore[arg-type]
            for kind, what, why in dict.fromkeys(reader.notes)
        ]


def _items(root: Node, group: str = "") -> Iterator[tuple[Node, str]]:
    """Every item and every selection with the name of the section it stands in."""
    for child in root.children:
        if child.tag in ("item", "selection_ordering", "bankentry_item"):
            yield child, group
        elif child.tag == "section":
            usual = child.get("ident") == "root_section" or child.get("title") in ("", "Main")
            yield from _items(child, group if usual else child.get("title"))
        elif child.tag in ("assessment", "objectbank"):
            yield from _items(child, group)
