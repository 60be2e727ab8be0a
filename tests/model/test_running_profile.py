"""The memory of attempts that run, against the profile of those that may be planned."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvopt.model import running_profile
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.running_profile import RunningProfile


@pytest.mark.parametrize("many", [0, 5, running_profile.MANY])
@pytest.mark.parametrize("trim", [1, running_profile.TRIM])
@given(seed=st.integers(0, 10**9))
def test_it_agrees_with_a_live_profile(many: int, trim: int, seed: int) -> None:
    """With `many` low it goes over to arrays midway."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running_profile, "MANY", many)
        patch.setattr(running_profile, "TRIM", trim)
        compare(random.Random(seed))


def compare(rng: random.Random) -> None:
    memory = rng.choice([12, 60, 400])
    profile, live = RunningProfile(memory), LiveProfile(memory)
    runs: list[tuple[int, int, int]] = []
    now = 0
    for _ in range(60):
        prompt = rng.randint(0, memory // rng.choice([1, 4, 12]) - 1)
        rounds = rng.randint(1, min(memory - prompt, rng.choice([3, memory])))
        later = now + rng.randint(0, memory)
        assert profile.earliest_start(prompt, rounds, later) == live.earliest_start(
            prompt, rounds, later
        )
        start = profile.earliest_start(prompt, rounds, now)
        assert start == live.earliest_start(prompt, rounds, now)
        if start == now or rng.random() < 0.3:
            now = start
            profile.advance(now)
            live.advance(now)
            since = rng.randint(max(0, now - 3), now)  # it may have started earlier
            profile.add(since, prompt, now + rounds)
            live.add(since, prompt, now + rounds)
            runs.append((since, prompt, now + rounds))
        elif rng.random() < 0.5:
            now = rng.randint(now, start)
            profile.advance(now)
            live.advance(now)
        if runs and rng.random() < 0.3:
            run = runs.pop(rng.randrange(len(runs)))
            profile.remove(*run)
            live.remove(*run)
