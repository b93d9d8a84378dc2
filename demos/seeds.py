"""The one number from which a notebook draws all its luck."""

import os

SEED_VARIABLE = "READOUT_SEED"
LARGEST = 2**31 - 1  # what every random generator takes


def base_seed() -> int:
    """The seed of this execution: READOUT_SEED, and 0 where nobody set it.

    Committed results are those of seed 0. A notebook derives every random draw from this number,
    so that `make demos ALL=1` can ask whether its claims hold under others.
    Raises ValueError unless it is a whole number from 0 to 2**31 - 1.
    """
    given = os.environ.get(SEED_VARIABLE, "").strip()
    if not given:
        return 0
    if not (given.isascii() and given.isdigit()) or int(given) > LARGEST:
        raise ValueError(f"{SEED_VARIABLE} is a whole number from 0 to {LARGEST}, not {given!r}")
    return int(given)
