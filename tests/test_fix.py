"""`readout check --fix` mends what can only have been meant in one way, and nothing else."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.check import check
from api.content import read_content
from api.fix import fix

HERE = Path(__file__).parent
TOPIC = "---\ntitle: T\nsummary: Made up.\n---\n"


def project_with(root: Path, text: bytes, name: str = "library/2022-a.md") -> Path:
    for folder in ("library", "meetings", "topics"):
        (root / "docs" / folder).mkdir(parents=True, exist_ok=True)
    for topic in ("circuits", "ioi", "strengths"):
        (root / "docs" / "topics" / f"{topic}.md").write_text(TOPIC)
    path = root / "docs" / name
    path.write_bytes(text)
    return path


def test_each_mechanical_mistake_is_mended_and_told(tmp_path):
    path = project_with(
        tmp_path,
        b"\xef\xbb\xbf---\r\n"
        b"titel:   'A title'   # kept  \r\n"
        b"authors: [Ada Example]\r\n"
        b"kind: paper\r\n"
        b"yaer: 2022\r\n"
        b"url: http://arxiv.org/abs/2211.00593\r\n"
        b"topics:\r\n"
        b"  - 'circuts'  # a comment\r\n"
        b"  - ioi\r\n"
        b"arxiv: arXiv:2211.00593v3\r\n"
        b"doi: https://doi.org/10.1000/182\r\n"
        b"added: 2023/11/07\r\n"
        b"---\r\n"
        b"\r\n"
        b"[One](../topics/circuits), `[two](../topics/circuits)`,  \r\n"
        b"[three](../topics/ioi#x) and ../topics/ioi.\n",
    )

    done = fix(tmp_path / "docs")

    assert done == [
        "docs/library/2022-a.md:2: titel -> title",
        "docs/library/2022-a.md:5: yaer -> year",
        "docs/library/2022-a.md:6: http://arxiv.org/abs/2211.00593"
        " -> https://arxiv.org/abs/2211.00593",
        "docs/library/2022-a.md:8: circuts -> circuits",
        'docs/library/2022-a.md:10: arXiv:2211.00593v3 -> "2211.00593"',
        "docs/library/2022-a.md:11: https://doi.org/10.1000/182 -> 10.1000/182",
        "docs/library/2022-a.md:12: 2023/11/07 -> 2023-11-07",
        "docs/library/2022-a.md:15: ../topics/circuits -> ../topics/circuits.md",
        "docs/library/2022-a.md:16: ../topics/ioi -> ../topics/ioi.md",
    ]
    assert path.read_bytes() == (
        b"\xef\xbb\xbf---\r\n"
        b"title:   'A title'   # kept  \r\n"
        b"authors: [Ada Example]\r\n"
        b"kind: paper\r\n"
        b"year: 2022\r\n"
        b"url: https://arxiv.org/abs/2211.00593\r\n"
        b"topics:\r\n"
        b"  - 'circuits'  # a comment\r\n"
        b"  - ioi\r\n"
        b'arxiv: "2211.00593"\r\n'
        b"doi: 10.1000/182\r\n"
        b"added: 2023-11-07\r\n"
        b"---\r\n"
        b"\r\n"
        b"[One](../topics/circuits.md), `[two](../topics/circuits)`,  \r\n"
        b"[three](../topics/ioi.md#x) and ../topics/ioi.\n"
    )
    assert fix(tmp_path / "docs") == []


@pytest.mark.parametrize(
    "header",
    [
        "title: A\ntitel: B\n",  # the right field is there already
        "topics: [ioi, iio]\n",  # so is the topic
        "added: 07/11/2023\n",  # day or month first?
        "topics: [xyz]\n",
        "title: [unclosed\n",
        'titel: "A \\u0041"\n',
    ],
)
def test_what_can_be_meant_in_two_ways_is_left_alone(tmp_path, header):
    text = f"---\n{header}---\n".encode()
    path = project_with(tmp_path, text)

    fix(tmp_path / "docs")

    assert path.read_bytes() == text.replace(b'titel: "A', b'title: "A')


def test_a_mended_project_has_fewer_complaints_and_no_new_ones(tmp_path):
    shutil.copytree(HERE / "specimens", tmp_path / "project")
    root = tmp_path / "project"

    def complaints() -> set[str]:
        return {str(problem) for problem in check(read_content(root / "docs"))}

    before = complaints()
    done = fix(root / "docs")

    assert done
    # An entry that can be read now is judged further; its old complaints are gone.
    assert len(complaints() & before) < len(before)
    assert fix(root / "docs") == []


def test_a_file_that_is_right_is_not_written(tmp_path):
    path = project_with(tmp_path, b"---\ntitle: A\n---\n")
    before = path.stat().st_mtime_ns

    fix(tmp_path / "docs")

    assert path.stat().st_mtime_ns == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["2022-a.md"]


# What is written, and what it has to become. None: nothing is wrong.
PIECES = st.sampled_from(
    [
        ("auhtors: [Ada Example]", "authors: [Ada Example]"),
        ("knid: paper", "kind: paper"),
        ("topics: [circuts, 'strenghts']", "topics: [circuits, 'strengths']"),
        ("added: 2023/11/07", "added: 2023-11-07"),
        ("added: '2023.11.07'", "added: '2023-11-07'"),
        ("url: http://arxiv.org/abs/2211.00593", "url: https://arxiv.org/abs/2211.00593"),
        ("doi: doi:10.1000/182", "doi: 10.1000/182"),
        ("arxiv: arXiv:2211.00593", 'arxiv: "2211.00593"'),
        ('arxiv: "arXiv:2211.00593"', 'arxiv: "2211.00593"'),
        ("year: 2022", None),
        ("# a comment: 2023/11/07 circuts", None),
        ("", None),
        ("venue: \U0001f600 é 2023/11/07", None),
    ]
)
SPACE = st.sampled_from(["", " ", "   ", " # circuts: 2023/11/07", "  # \U0001f600"])
NEWLINE = st.sampled_from(["\n", "\r\n"])
PROSE = st.sampled_from(
    [
        ("[a](../topics/ioi)", "[a](../topics/ioi.md)"),
        ("![i](../topics/ioi)\t", "![i](../topics/ioi.md)\t"),
        ("é [a](../topics/circuits#x) \U0001f600", "é [a](../topics/circuits.md#x) \U0001f600"),
        ("[a](../topics/ioi.md)", None),
        ("`[a](../topics/ioi)`", None),
        ("\\( [a](../topics/ioi) \\)", None),
        ("\n    [code](../topics/ioi)\n\n\t[code](../topics/ioi)\n", None),
        ('<a href="../topics/ioi">HTML</a>', None),
        ("trailing spaces   ", None),
        ("2023/11/07 circuts http://arxiv.org/abs/1", None),
        ("\u2028 \x0b \x85", None),
        ("", None),
    ]
)


def by_field(piece: tuple[str, str | None]) -> str:
    line = piece[1] or piece[0]
    return line.partition(":")[0] if not line.startswith("#") and line else repr(piece)


@given(
    mark=st.sampled_from(["", "\ufeff"]),
    header=st.lists(st.tuples(PIECES, SPACE, NEWLINE), unique_by=lambda row: by_field(row[0])),
    body=st.lists(st.tuples(PROSE, NEWLINE)),
    newline=NEWLINE,
)
@settings(max_examples=60, deadline=None)
def test_no_other_byte_is_touched(tmp_path_factory, mark, header, body, newline):
    def written(right: bool) -> bytes:
        def piece(pair: tuple[str, str | None]) -> str:
            return pair[1] if right and pair[1] is not None else pair[0]

        lines = [f"{piece(pair)}{space}{end}" for pair, space, end in header]
        prose = [f"{piece(pair)}{end}" for pair, end in body]
        rule = f"---{newline}"
        return "".join([mark, rule, *lines, rule, *prose]).encode()

    path = project_with(tmp_path_factory.mktemp("fix"), written(right=False))

    fix(path.parents[1])

    assert path.read_bytes() == written(right=True)


def test_content_is_mended_wherever_it_stands(tmp_path):
    path = project_with(tmp_path, b"---\nauhtors: [Ada Example]\n---\n")
    (tmp_path / "docs").rename(tmp_path / "content")

    assert fix(tmp_path / "content") == ["content/library/2022-a.md:2: auhtors -> authors"]
    assert not path.exists()
