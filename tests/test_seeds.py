import pytest

from demos.seeds import base_seed


@pytest.mark.parametrize(("given", "seed"), [(None, 0), ("", 0), ("3", 3), (" 12 ", 12)])
def test_the_seed_is_what_the_environment_says_and_0_without_it(monkeypatch, given, seed):
    monkeypatch.delenv("READOUT_SEED", raising=False)
    if given is not None:
        monkeypatch.setenv("READOUT_SEED", given)
    assert base_seed() == seed


@pytest.mark.parametrize("given", ["-1", "1.0", "one", "²", "2147483648"])
def test_a_seed_that_no_generator_takes_is_refused(monkeypatch, given):
    monkeypatch.setenv("READOUT_SEED", given)
    with pytest.raises(ValueError, match="READOUT_SEED is a whole number from 0 to 2147483647"):
        base_seed()
