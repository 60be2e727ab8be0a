"""Random release times at a chosen load."""

from __future__ import annotations

import numpy as np
import pytest

from kvopt import InputError
from kvopt.generate import generate_random

MANY = "alike:requests=20000:memory=50"


@pytest.mark.parametrize(
    ("arrivals", "cv"),
    [("arrivals=poisson", 1), ("arrivals=bursty", 3), ("arrivals=bursty:cv=0.5", 0.5)],
)
@pytest.mark.parametrize("load", [0.2, 1.5])
def test_load_and_burstiness_are_as_asked(arrivals: str, cv: float, load: float) -> None:
    instance = generate_random(f"{MANY}:{arrivals}:load={load}", 1, 0)
    assert instance.load is not None
    assert float(instance.load) == pytest.approx(load, rel=5 * cv / 20000**0.5)
    gaps = np.diff(instance.releases)
    # Rounding up to whole rounds leaves the mean and adds at most a round of deviation.
    assert gaps.std() == pytest.approx(cv * gaps.mean(), rel=0.1, abs=0.7)
    assert instance.releases[0] == 0
    assert (gaps >= 0).all()


@pytest.mark.parametrize("family", ["tiny", "small", "model1", "long", "alike", "real:kind=code"])
def test_requests_are_those_of_the_family(family: str) -> None:
    for number in range(5):
        plain = generate_random(family, 3, number)
        slow, fast = (
            generate_random(f"{family}:arrivals=poisson:load={load}", 3, number)
            for load in ("0.5", "1.0")
        )
        for instance in (slow, fast):
            assert instance.memory == plain.memory
            assert instance.prompts.tolist() == plain.prompts.tolist()
            assert instance.outputs.tolist() == plain.outputs.tolist()
        # The same gaps, twice as long, rounded up.
        assert (abs(slow.releases - 2 * fast.releases) <= 2).all()
        assert slow.has_releases or len(plain) == 1


def test_the_spec_makes_the_instance() -> None:
    first = generate_random("model1:arrivals=bursty:load=0.90", 5, 2)
    again = generate_random("model1:load=0.9:cv=3.0:arrivals=bursty", 5, 2)
    assert first == again != generate_random("model1:arrivals=bursty", 5, 3)
    assert first.name == "model1-arrivals=bursty-cv=3-load=0.9-5-002"
    poisson = generate_random("model1:arrivals=poisson", 5, 2)
    assert first.releases.tolist() != poisson.releases.tolist()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("model1:load=0.9", "family model1: load: must come with arrivals=poisson or"),
        ("model1:arrivals=x", "family model1: arrivals: must be poisson or bursty, got 'x'"),
        ("model1:arrivals=poisson:cv=2", "cv: must come with arrivals=bursty"),
        ("model1:arrivals=poisson:load=0", "load: must be a decimal number from 0.001 to 1000"),
        ("model1:arrivals=poisson:load=-1", "load: must be a decimal number from 0.001 to 1000"),
        ("model1:arrivals=poisson:load=nan", "load: must be a decimal number from 0.001 to 1000"),
        ("model1:arrivals=bursty:cv=1e9", "cv: must be a decimal number from 0.001 to 100"),
    ],
)
def test_unacceptable_arrivals(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        generate_random(spec, 0, 0)
