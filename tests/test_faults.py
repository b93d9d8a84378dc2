"""The faults that `make test-the-tests` plants can be planted, and name tests that exist."""

import pytest

from tests.conftest import ROOT
from tests.faults import FAULTS
from tests.faults.planting import Fault


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_finds_its_place_and_its_test(fault: Fault):
    for edit in fault.edits:
        assert (ROOT / edit.file).read_text("utf-8").count(edit.old) == 1, edit
        assert edit.old != edit.new
    file, _, name = fault.test.partition("::")
    assert f"def {name.partition('[')[0]}" in (ROOT / file).read_text("utf-8")


def test_each_fault_has_a_name_of_its_own():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
