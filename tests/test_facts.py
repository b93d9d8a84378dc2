import json
import math

import pytest

from demos import facts
from demos.facts import FACT_MIME, MODEL_MIME, FactError


def test_a_fact_says_what_was_measured_and_how_well():
    fact = facts.record(
        "ioi-logit-difference", 4.8712, 0.05, n=300, se=0.1234, interval=(4.6, 5.1), seed=0
    )

    assert str(fact) == (
        "ioi-logit-difference = 4.871 ± 0.05 "
        "(n = 300, standard error 0.12, interval 4.600 to 5.100, seed 0)"
    )


@pytest.mark.parametrize(
    ("value", "tolerance", "unit", "shown"),
    [
        (0.9617, 0.02, None, "a-fact = 0.962 ± 0.02"),
        (1.5, 0.0, "nats", "a-fact = 1.5 nats"),
        (123.456, 10.0, "s", "a-fact = 123 ± 10 s"),
        (12288, 0, None, "a-fact = 12288"),
        (True, 0, None, "a-fact = True"),
        ("L17H3", 0, None, "a-fact = L17H3"),
        ([17, 3], 0, None, "a-fact = [17, 3]"),
    ],
)
def test_a_value_is_shown_to_the_digits_that_it_has(value, tolerance, unit, shown):
    assert str(facts.record("a-fact", value, tolerance, unit=unit)) == shown


def test_scalars_and_lists_of_numpy_become_plain_values():
    import numpy

    accuracy = facts.record("accuracy", numpy.float32(0.5), 0.01, n=numpy.int64(7)).value
    ranks = facts.record("ranks", numpy.array([3, 1, 2])).value

    assert (accuracy, type(accuracy)) == (0.5, float)
    assert json.dumps(ranks) == "[3, 1, 2]"


@pytest.mark.parametrize(
    ("name", "value", "options", "complaint"),
    [
        ("IOI accuracy", 1, {}, "a name is lower-case words and digits joined by '-'"),
        ("a--b", 1, {}, "a name is lower-case words and digits joined by '-'"),
        ("a-b-", 1, {}, "a name is lower-case words and digits joined by '-'"),
        ("a", math.nan, {}, "a value is finite, not nan"),
        ("a", math.inf, {}, "a value is finite, not inf"),
        ("a", None, {}, "a value is a number, a truth value, a string or integers, not None"),
        ("a", "", {}, "a string has 1 to 80 characters, not 0"),
        ("a", "x" * 81, {}, "a string has 1 to 80 characters, not 81"),
        ("a", [], {}, "a list holds integers, at least one"),
        ("a", [1, 0.5], {}, "a list holds integers, at least one"),
        ("a", 0.5, {"tolerance": -0.1}, "a tolerance is a number, 0 or more, not -0.1"),
        ("a", 0.5, {"tolerance": math.nan}, "a tolerance is a number, 0 or more, not nan"),
        ("a", 3, {"tolerance": 1}, "only a float has a tolerance, and 3 is not one"),
        ("a", 0.5, {"n": 0}, "n is a positive integer, not 0"),
        ("a", 0.5, {"se": -1}, "a standard error is a number, 0 or more, not -1"),
        ("a", 0.5, {"seed": 1.5}, "a seed is an integer, not 1.5"),
        ("a", 0.5, {"interval": (0.6, 0.7)}, "the interval (0.6, 0.7) does not hold the value 0.5"),
        ("a", 0.5, {"interval": (0.1,)}, "an interval is (low, high), not (0.1,)"),
    ],
)
def test_what_is_no_fact_is_refused(name, value, options, complaint):
    with pytest.raises(FactError, match=r"^fact '") as refusal:
        facts.record(name, value, **options)

    assert complaint in str(refusal.value)


def output(mime, data):
    return {"output_type": "display_data", "data": {"text/plain": "", mime: data}, "metadata": {}}


def notebook(*outputs):
    cells = [{"cell_type": "markdown", "source": "# Why?"}]
    return {"cells": cells + [{"cell_type": "code", "outputs": [each]} for each in outputs]}


def test_facts_are_read_out_of_the_outputs_of_a_notebook():
    accuracy = output(FACT_MIME, {"name": "ioi-accuracy", "value": 0.96, "tolerance": 0.02})
    printed = {"output_type": "stream", "name": "stdout", "text": "0.96"}

    assert facts.collect(notebook(printed, accuracy)) == {
        "ioi-accuracy": {"value": 0.96, "tolerance": 0.02}
    }


def test_a_name_is_recorded_once():
    accuracy = output(FACT_MIME, {"name": "ioi-accuracy", "value": 0.96, "tolerance": 0.02})

    with pytest.raises(FactError, match="fact 'ioi-accuracy' is recorded twice"):
        facts.collect(notebook(accuracy, accuracy))


def test_the_model_of_a_notebook_is_the_first_that_it_loaded():
    real = {"name": "SmolLM2-135M-Instruct", "sha256": "b179"}
    control = {"name": "random", "sha256": "0000"}

    assert facts.loaded_model(notebook(output(MODEL_MIME, real), output(MODEL_MIME, control))) == (
        real
    )
    assert facts.loaded_model(notebook()) == {"name": None, "sha256": None}


def executed(folder, slug, *names):
    outputs = [output(FACT_MIME, {"name": name, "value": 1, "tolerance": 0}) for name in names]
    readout = {
        "key": f"key of {slug}",
        "model": {"name": "tiny", "sha256": "abc"},
        "environment": {"python": "3.11.7"},
    }
    stored = notebook(*outputs) | {"metadata": {"readout": readout}}
    (folder / f"{slug}.ipynb").write_text(json.dumps(stored))


def test_every_fact_comes_with_its_provenance(tmp_path):
    executed(tmp_path, "01_second", "b")
    executed(tmp_path, "00_first", "c", "a")

    found = facts.read_facts(tmp_path)

    assert list(found) == ["a", "b", "c"]
    assert found["b"] == {
        "value": 1,
        "tolerance": 0,
        "notebook": "01_second",
        "model": "tiny",
        "model_sha256": "abc",
        "key": "key of 01_second",
        "environment": {"python": "3.11.7"},
    }


def test_two_notebooks_cannot_record_the_same_fact(tmp_path):
    executed(tmp_path, "00_first", "a")
    executed(tmp_path, "01_second", "a")

    with pytest.raises(FactError, match="fact 'a' is recorded by both 00_first and 01_second"):
        facts.read_facts(tmp_path)


def test_a_fact_says_what_it_was_under_other_seeds(tmp_path):
    from api.content import read_facts

    def outcome(facts):
        return {"failed": None, "verdicts": [], "facts": facts}

    readout = {
        "facts": {"one-half": {"value": 0.5}, "one-third": {"value": 0.3}},
        "seeds": {"1": outcome({"one-half": 0.51}), "2": outcome({})},
    }
    notebook = {"cells": [], "metadata": {"readout": readout}}
    (tmp_path / "00_x.ipynb").write_text(json.dumps(notebook))

    found = read_facts(tmp_path)

    assert found["one-half"].model_extra["seeds"] == {"1": 0.51}
    assert found["one-third"].model_extra["seeds"] == {}
