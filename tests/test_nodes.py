import pytest

from demos.nodes import EMBED, LOGITS, Head, HeadInput, Mlp, parse, rank, senders


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("9.6", Head(9, 6)),
        ("29.0 q", HeadInput(29, 0, "q")),
        ("mlp 3", Mlp(3)),
        ("embed", EMBED),
        ("logits", LOGITS),
    ],
)
def test_a_node_is_written_as_it_is_read(text, node):
    assert parse(text) == node
    assert str(node) == text


@pytest.mark.parametrize("text", ["9", "9.6 x", "9.6q", "mlp", "mlp 3.1", "", "-1.2", "Logits"])
def test_what_names_no_node_is_refused_with_the_forms_there_are(text):
    with pytest.raises(ValueError, match=r"is no node; a head is written 9\.6, its input 9\.6 q"):
        parse(text)


def test_a_head_is_also_a_plain_pair():
    assert Head(9, 6) == (9, 6)
    assert len({Head(9, 6), (9, 6), HeadInput(9, 6, "q")}) == 2


def test_nodes_are_ranked_as_a_forward_pass_comes_to_them():
    nodes = [EMBED, *senders(2, 2), LOGITS]

    assert list(map(str, nodes)) == [
        *("embed", "0.0", "0.1", "mlp 0", "1.0", "1.1", "mlp 1", "logits"),
    ]
    assert rank(Head(1, 0)) == rank(HeadInput(1, 1, "k"))  # side by side: no edge joins them
    assert [rank(node) for node in nodes] == sorted(map(rank, nodes))
