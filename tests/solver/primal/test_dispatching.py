"""Dispatching by compiled code: the same starts as by plain Python, and it can be stopped."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_instances import random_released_instance
from strategies import instances

from kvopt import Instance, Stopping
from kvopt.generate import generate_random
from kvopt.solver.primal.dispatch_kernel import DISPATCH_KERNEL, dispatched_by_rank
from kvopt.solver.primal.list_schedules import earliest_fit
from kvopt.solver.releases.list_schedules import dispatched

PLAIN = DISPATCH_KERNEL.plain


@pytest.mark.parametrize("at_once", [1, 3, 1_000])
def test_it_starts_what_plain_python_starts(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvopt.solver.primal.dispatch_kernel.STEPS_AT_ONCE", at_once)
    rng = random.Random(5)
    for _ in range(60):
        instance = random_released_instance(rng, most=30, memory=25, latest=60)
        for key in (instance.outputs, instance.releases, instance.prompts):
            by_rank = np.argsort(key, kind="stable")
            expected = dispatched(instance, key, Stopping())
            assert expected is not None
            for functions in (PLAIN, DISPATCH_KERNEL.compiled()):
                found = dispatched_by_rank(instance, by_rank, Stopping(), functions)
                assert found is not None
                assert found.tolist() == expected.tolist()


@given(instances(max_requests=12), st.randoms(use_true_random=False))
def test_with_all_released_at_once_it_keeps_the_order(
    instance: Instance, rng: random.Random
) -> None:
    order = list(range(len(instance)))
    rng.shuffle(order)
    found = dispatched_by_rank(instance, np.array(order), Stopping(), PLAIN)
    expected = earliest_fit(instance, order, Stopping(), in_order=True)
    assert found is not None
    assert expected is not None
    assert found.tolist() == expected.tolist()


def test_many_requests_take_compiled_code_and_start_the_same() -> None:
    instance = generate_random("real:requests=2000:memory=4096:arrivals=poisson:load=1.5", 1, 0)
    found = dispatched(instance, instance.outputs, Stopping())
    expected = dispatched(instance, instance.outputs, Stopping(), compiled_requests=10**6)
    assert found is not None
    assert expected is not None
    assert found.tolist() == expected.tolist()


def test_it_looks_at_the_limit_now_and_then() -> None:
    instance = generate_random("real:requests=5000:memory=4096", 1, 0)
    looks = itertools.count()
    stop = Stopping(stopped=lambda: next(looks) >= 3)
    assert dispatched_by_rank(instance, np.arange(5000), stop) is None
    assert next(looks) <= 6
    assert dispatched(instance, instance.outputs, Stopping(0)) is None
