"""Take the data of explorers out of a notebook, to files of their own beside its page."""

import hashlib
import json
from html import escape
from pathlib import Path
from typing import Any

from api.pages import Broken

ELEMENTS = Path("assets") / "elements"


def take_out(notebook: dict[str, Any], mime: str, path: str, docs: Path) -> dict[str, str]:
    """Put each explorer's element around its fallback, in place; its data comes back as files.

    `mime`: the type under which a cell publishes an explorer, `{"name", "title", "data"}`.
    The files are named by what is in them, so that a browser can keep them, and lie in the folder
    of the page. Raises Broken if no element of that name is in `docs`.
    """
    files: dict[str, str] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            published = output.get("data", {}).pop(mime, None)
            if published is None:
                continue
            name, script = published["name"], ELEMENTS / f"{published['name']}.js"
            if not (docs / script).is_file():
                raise Broken(f"{path}: an explorer '{name}', but no docs/{script.as_posix()}")
            text = json.dumps(
                published["data"], sort_keys=True, ensure_ascii=False, separators=(",", ":")
            )
            file_name = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}.json"
            files[file_name] = text
            output["data"]["text/html"] = _element(
                name, published["title"], file_name, "".join(output["data"]["text/html"])
            )
    return files


def _element(name: str, title: str, file_name: str, fallback: str) -> str:
    """`data-explorer` is what docs/assets/readout.js goes by."""
    return (
        f'<readout-{name} data-explorer="{name}" data-src="{file_name}" role="group" '
        f'aria-label="{escape(title)}">{fallback}</readout-{name}>'
    )
