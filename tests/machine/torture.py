"""The state machine on histories drawn anew, for as long as it is asked."""

from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import settings as given
from hypothesis.stateful import run_state_machine_as_test

from api import bounded
from tests.durability.child import Here
from tests.durability.oracle import Counts
from tests.machine.base import prepare
from tests.machine.rules import Machine

AT_ONCE = given(
    max_examples=5,
    stateful_step_count=50,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def histories(url: str, folder: Path) -> Iterator[Counts]:
    """Round by round, without end: how many steps did what the model says.

    Where one differs, the shortest history that does is printed, and it ends.
    """
    steps = 0
    bounded._pool = lambda _: Here()
    settings = prepare(url, folder)

    class Counted(Machine):
        def teardown(self) -> None:
            nonlocal steps
            steps += self.n_steps
            super().teardown()

    while True:
        steps, wrong = 0, ""
        try:
            run_state_machine_as_test(lambda: Counted(settings), settings=AT_ONCE)
        except Exception as error:
            history = "\n".join(getattr(error, "__notes__", []))
            wrong = f"differs from the model: {error}\n{history}"
        yield Counts(steps, 0, 0, 0, 0, wrong)
        if wrong:
            return
