"""The state machine on histories drawn anew, for as long as it is given."""

import time
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import settings as given
from hypothesis.stateful import run_state_machine_as_test

from api import bounded
from tests.durability.child import Here
from tests.machine.base import prepare
from tests.machine.rules import Machine

AT_ONCE = given(
    max_examples=50,
    stateful_step_count=50,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def histories(url: str, folder: Path, seconds: float) -> bool:
    """Whether the service did what the model says; the shortest history that differs is printed."""
    steps = drawn = 0
    bounded._pool = lambda _: Here()
    settings = prepare(url, folder)
    ends = time.monotonic() + seconds

    class Counted(Machine):
        def teardown(self) -> None:
            nonlocal steps, drawn
            drawn, steps = drawn + 1, steps + self.n_steps
            super().teardown()

    name = f"histories on {url.partition(':')[0]}"
    try:
        while time.monotonic() < ends:
            run_state_machine_as_test(lambda: Counted(settings), settings=AT_ONCE)
    except Exception as error:
        history = "\n".join(getattr(error, "__notes__", []))
        print(f"{name}: differs from the model: {error}\n{history}", flush=True)
        return False
    print(f"{name}: {drawn} of {steps} steps in all, each as the model says", flush=True)
    return True
