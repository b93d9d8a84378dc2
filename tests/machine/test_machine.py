"""Whatever members do, in whatever order: the service replies and keeps what the model says."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as given
from hypothesis.stateful import run_state_machine_as_test

from api import bounded
from tests.durability.child import Here
from tests.machine.base import prepare
from tests.machine.rules import Machine

SMALL = given(
    max_examples=20,
    stateful_step_count=25,
    derandomize=True,  # nobody's change is judged by luck; `make bench TORTURE=1` draws anew
    database=None,
    deadline=None,
    phases=[Phase.generate],  # to find the shortest failing history takes minutes
    suppress_health_check=list(HealthCheck),
)


def test_the_service_does_what_the_model_says(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bounded, "_pool", lambda _: Here())  # each restart would start a process
    settings = prepare(database_url, tmp_path)
    run_state_machine_as_test(lambda: Machine(settings), settings=SMALL)
