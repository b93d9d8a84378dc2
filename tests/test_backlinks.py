"""Who speaks of an entry, from the links and headers of all content."""

from pathlib import Path

import pytest

from api.backlinks import Mention, find_mentions
from api.content import Content, read_content
from api.notebook_pages import Demo
from api.pages import MOST_SHOWN, mention_list

ENTRY = """---
title: {title}
authors: [Ada]
kind: paper
year: 2020
url: https://example.org/{title}
topics: [circuits]
{more}---

{body}
"""

FILES = {
    "topics/circuits.md": """---
title: Circuits
summary: Parts.
---

[A](../library/a.md#what-it-claims) and again [A](../library/a.md), `[B](../library/b.md)`.
""",
    "library/a.md": ENTRY.format(title="A", more='arxiv: "2211.00593"\n', body="[me](a.md)"),
    "library/b.md": ENTRY.format(title="B", more="cites: [a]\nrelated: [c]\n", body="Words."),
    "library/c.md": ENTRY.format(title="C", more="doi: 10.1000/Xyz.1\n", body="See [B](b.md)."),
    "meetings/2026-03-12.md": "---\ndate: 2026-03-12\nreadings: [b]\n---\n\n## Notes\n",
    "quizzes/q.md": """---
title: Quiz
kind: self-check
---

Intro.

## Why? {#why}

```yaml
type: text
key: x
why: Because of [B](../library/b.md).
source: Somebody 2022, arXiv:2211.00593; doi:10.1000/xyz.1.
```
""",
}


@pytest.fixture
def content(tmp_path: Path) -> Content:
    for name, text in FILES.items():
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    content = read_content(tmp_path / "docs")
    assert content.problems == []
    return content


def test_each_entry_knows_who_mentions_it(content: Content):
    demo = Demo("00_ioi", "Who gets the drink?", "We ask.", "[C](../docs/library/c.md#x)")

    # Not counted: a link to itself, a link in code, what only the explanation of an answer says.
    assert find_mentions(content, [demo]) == {
        "a": [
            Mention(0, "Circuits", "topics/circuits.md", "topic"),
            Mention(3, "Quiz", "quizzes/q.md", "quiz"),
            Mention(4, "B", "library/b.md", "Ada, 2020 · paper"),
        ],
        "b": [
            Mention(1, "Meeting of 2026-03-12", "meetings/2026-03-12.md", "meeting of 2026-03-12"),
            Mention(4, "C", "library/c.md", "Ada, 2020 · paper"),
        ],
        "c": [
            Mention(2, "Who gets the drink?", "demos/00_ioi.ipynb", "demo"),
            Mention(3, "Quiz", "quizzes/q.md", "quiz"),
            Mention(4, "B", "library/b.md", "Ada, 2020 · paper"),
        ],
    }


def test_a_work_that_many_mention_keeps_a_short_page():
    many = [Mention(4, f"T{i}", f"library/{i}.md", "paper") for i in range(MOST_SHOWN + 2)]
    html = mention_list(many, str)
    shown, folded = html.split("<details><summary>2 more</summary>")
    assert shown.count("<li>") == MOST_SHOWN
    assert folded.count("<li>") == 2
    assert mention_list([], str) == ""
