"""Make `data/english.txt` from the help of the Python that runs this.

    python -m demos.texts_snapshot

Another version of Python has another text: the hash in `texts.py` and every notebook that reads it
change with it.
"""

import re
from collections.abc import Mapping

from demos.texts import HEADING, SNAPSHOT

EVERY = 3  # of three documents in order of size, the last is held out
WINDOW = 12  # words in a row that no two parts share


def paragraphs(text: str) -> list[str]:
    """The sentences of a topic, a line for each paragraph; headings, code and grammar left out."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text)]
    return [
        block
        for block in blocks
        if re.match(r"(\* |[0-9]+\. )?[A-Z\"]", block)
        and block.endswith((".", ":"))
        and len(block.split()) >= 8
        and "::=" not in block
        and ">>>" not in block
    ]


def without_repeats(topics: Mapping[str, str]) -> dict[str, list[str]]:
    """Each paragraph once, in the largest topic that has it: small topics are parts of large."""
    seen: set[str] = set()
    documents = {}
    for name in sorted(topics, key=lambda name: (-len(topics[name]), name)):
        fresh = [one for one in dict.fromkeys(paragraphs(topics[name])) if one not in seen]
        seen.update(fresh)
        if fresh:
            documents[name] = fresh
    return documents


def windows(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[start : start + WINDOW]) for start in range(len(words) - WINDOW + 1)}


def snapshot(topics: Mapping[str, str]) -> str:
    documents = without_repeats(topics)
    held_out = list(documents)[EVERY - 1 :: EVERY]
    fitted: set[tuple[str, ...]] = set()
    for name, texts in documents.items():
        if name not in held_out:
            fitted.update(*map(windows, texts))
    parts = []
    for name, texts in documents.items():
        part = "held-out" if name in held_out else "fit"
        kept = [one for one in texts if part == "fit" or not windows(one) & fitted]
        if kept:
            parts.append("\n\n".join([f"{HEADING}{part}: {name}", *kept]))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    from pydoc_data.topics import topics

    SNAPSHOT.write_text(snapshot(topics), "utf-8")
