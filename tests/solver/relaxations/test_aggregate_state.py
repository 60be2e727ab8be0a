"""Bounds from aggregate states; see also proofs/companions/aggregate_state.py."""

from __future__ import annotations

import math
import random
import time

import numpy as np
import pytest
from companions.checking import checker
from small_instances import optimum_of, random_instance, types_of

from kvopt import Instance, Stopping, read_instance, solve
from kvopt.certificates.checker import verdicts
from kvopt.certificates.write import certificate, certificate_text
from kvopt.generate import generate_random
from kvopt.model.files import curated_instances
from kvopt.solver.combinatorial_bounds import best_lower_bound
from kvopt.solver.params import AggregateStateParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.aggregate_state.ascent import ascend
from kvopt.solver.relaxations.aggregate_state.kernel import AGGREGATE_STATE_KERNEL, Functions
from kvopt.solver.relaxations.aggregate_state.relaxation import (
    SCALE,
    AggregateDuals,
    AggregateRelaxation,
    least_squares,
)
from kvopt.solver.relaxations.aggregate_state.stage import (
    AggregateState,
    aggregate_states_have_room,
)
from kvopt.solver.relaxations.time_indexed import TimeIndexed
from kvopt.solver.result import Bound
from kvopt.solver.solve import Step
from kvopt.solver.stage import Incumbent, run_alone

PLAIN = AGGREGATE_STATE_KERNEL.plain


@pytest.fixture(scope="module")
def compiled() -> Functions:
    return AGGREGATE_STATE_KERNEL.compiled()


def some_duals(instance: Instance, rng: random.Random, functions: Functions) -> AggregateDuals:
    """Duals of the area bound, or anything at all."""
    relaxation = AggregateRelaxation(instance, rng.randint(1, 14), functions)
    if rng.random() < 0.4:
        return relaxation.rounded(relaxation.area_duals())
    size = rng.choice([0.1, 1.0, 1.0, 5.0])
    x = np.array([rng.gauss(0, size) * (rng.random() < 0.6) for _ in range(relaxation.size)])
    return relaxation.rounded(x)


def proved_by_checker(instance: Instance, duals: AggregateDuals) -> int:
    content = duals.content(instance.request_types())
    return int(checker().bound(instance.memory, types_of(instance), content))


@pytest.mark.parametrize("fast", [False, True])
def test_the_checker_agrees(fast: bool, compiled: Functions) -> None:
    rng = random.Random(3)
    tight = 0
    for _ in range(150):
        instance = random_instance(rng)
        duals = some_duals(instance, rng, compiled if fast else PLAIN)
        assert proved_by_checker(instance, duals) == duals.bound <= optimum_of(instance)
        tight += duals.bound == optimum_of(instance)
    assert tight > 10


def test_huge_duals_prove_no_more_than_is_true() -> None:
    rng = random.Random(4)
    for _ in range(30):
        instance = random_instance(rng)
        relaxation = AggregateRelaxation(instance, rng.randint(1, 14), PLAIN)
        x = np.array([rng.choice([-1e30, 1e30, 1e9, 1e7, 0.0]) for _ in range(relaxation.size)])
        duals = relaxation.rounded(x)
        assert proved_by_checker(instance, duals) == duals.bound <= optimum_of(instance)


def test_duals_are_in_the_order_of_types() -> None:
    """Peaks 5, 3, 4 in that order: a permutation that is not its own inverse."""
    instance = Instance(9, [4, 1, 0], [1, 2, 4])
    types = instance.request_types()
    assert types.by_peak.tolist() == [1, 2, 0]
    relaxation = AggregateRelaxation(instance, 8, PLAIN)
    x = relaxation.area_duals()
    by_peak = relaxation.rows(x).demand
    duals = relaxation.rounded(x)
    assert duals.demand.tolist() == np.rint(by_peak[[2, 0, 1]] * SCALE).astype(int).tolist()
    rows = duals.content(types)["duals"]
    assert rows == [
        [s, o, w]
        for (s, o), w in sorted(zip([(4, 1), (1, 2), (0, 4)], duals.demand.tolist(), strict=True))
    ]


def test_the_gradient_is_that_of_the_smoothed_bound(compiled: Functions) -> None:
    rng = np.random.default_rng(1)
    for seed in range(12):
        instance = random_instance(random.Random(seed))
        relaxation = AggregateRelaxation(instance, int(rng.integers(2, 12)), compiled)
        states = relaxation.room()
        low, high = np.array(relaxation.box(50.0)).T
        # At the upper limit of demand duals the bound is not smooth.
        x = relaxation.area_duals() + rng.normal(size=relaxation.size)
        x = np.clip(x, low, 0.99 * high)
        value, slope = relaxation.smoothed(x, 2.0, states)
        for _ in range(5):
            step = 1e-5 * rng.normal(size=relaxation.size)
            above, _ = relaxation.smoothed(x + step, 2.0, states)
            below, _ = relaxation.smoothed(x - step, 2.0, states)
            assert above - below == pytest.approx(2 * float(slope @ step), rel=1e-3, abs=1e-8)
        # Smoothing lowers the minimum, by no more than the temperature allows.
        exact = relaxation.rounded(x).bound
        assert value <= exact + 1e-3


def test_compiled_and_plain_functions_agree(compiled: Functions) -> None:
    for seed in range(10):
        rng = random.Random(seed)
        instance = random_instance(rng)
        found = []
        for functions in (PLAIN, compiled):
            relaxation = AggregateRelaxation(instance, 9, functions)
            x = relaxation.area_duals()
            value, slope = relaxation.smoothed(x, 1.0, relaxation.room())
            found.append((value, *slope.tolist(), relaxation.rounded(x).bound))
        assert found[0] == pytest.approx(found[1])


def test_least_squares_are_least() -> None:
    least = least_squares(3, 7)
    for k in range(1, 4):
        for w in range(8):
            split = [(w + i) // k for i in range(k)]
            assert sum(split) == w
            assert least[k, w] == sum(b * b for b in split)
    assert (least[0] == 0).all()


def test_the_ascent_proves_more_than_it_begins_with(compiled: Functions) -> None:
    instance = read_instance(curated_instances() / "small-mixed.json")
    best = solve(instance, math.inf)
    horizon = int((best.starts + instance.outputs).max())
    relaxation = AggregateRelaxation(instance, horizon, compiled)
    seen: list[int] = []
    duals = ascend(
        relaxation, best.objective, Stopping(1), report=lambda found: seen.append(found.bound)
    )
    assert duals.bound == max(seen) > best_lower_bound(instance).value
    assert seen == sorted(seen)
    assert proved_by_checker(instance, duals) == duals.bound <= best.objective


def test_it_begins_with_proved_linear_duals(compiled: Functions) -> None:
    """What the time-indexed relaxation proves is proved again without a step of the ascent."""
    instance = generate_random("small", 0, 8)
    starts = best_list_schedule(instance)
    params = SolverParams(aggregate_state=AggregateStateParams(temperatures=0))
    cold = run_alone(AggregateState(compiled), instance, starts, Stopping(60), params)
    state = Incumbent(instance, params)
    state.offer(starts)
    state.run(TimeIndexed(), Stopping(60))
    linear = state.best("linear-duals")
    assert linear is not None
    state.run(AggregateState(compiled), Stopping(60))
    warm = state.best("aggregate-state")
    assert warm is not None
    assert warm.value >= linear.value
    assert cold.lower_bound < warm.value


def test_trees_of_linear_duals_are_no_beginning(compiled: Functions) -> None:
    instance = generate_random("small", 0, 8)
    relaxation = AggregateRelaxation(instance, 20, compiled)
    leaf = {"memory": [[1, 5], [30, 7]], "covers": [[1, 3, 2], [3, 3, 9], [1, 25, 1]], "branch": []}
    proof = {"rule": "linear-duals", "scale": 10, "tree": [leaf]}
    x = relaxation.from_linear_proof(proof)
    assert x is not None
    assert relaxation.rows(x).covers[0, 3] == pytest.approx(0.2)
    assert relaxation.rows(x).covers.sum() == pytest.approx(0.2)
    split = {"split": [[0, 1, 1]], "at_most": 0}
    assert relaxation.from_linear_proof({**proof, "tree": [split, leaf, leaf]}) is None


def test_the_stage_alone(compiled: Functions) -> None:
    instance = generate_random("small", 0, 8)
    starts = best_list_schedule(instance)
    result = run_alone(AggregateState(), instance, starts, Stopping(3))
    assert result.rule == "aggregate-state"
    assert best_lower_bound(instance).value < result.lower_bound <= result.objective
    (verdict,) = verdicts([certificate_text(certificate(result))], Stopping(60))
    assert (verdict.holds, verdict.rule) == (True, "aggregate-state")
    assert verdict.lower_bound == result.lower_bound == result.certified_lower_bound
    assert run_alone(AggregateState(), instance, starts, Stopping(0)).lower_bound == 0


def test_the_stage_in_a_plan() -> None:
    instance = generate_random("model1", 1, 0)
    plan = [Step(TimeIndexed()), Step(AggregateState())]
    result = solve(instance, 3, plan=plan, known=[best_list_schedule(instance)])
    assert "aggregate-state" in [record.name for record in result.stages]
    assert result.rule == "aggregate-state"
    assert result.lower_bound > best_lower_bound(instance).value
    assert result.certified_lower_bound == result.lower_bound


def test_it_does_not_apply_after_a_finer_relaxation_or_beyond_its_size() -> None:
    instance = generate_random("model1", 1, 0)
    state = Incumbent(instance, SolverParams())
    state.offer(best_list_schedule(instance))
    stage = AggregateState()
    assert stage.applies(state)
    assert not aggregate_states_have_room(instance, 10**6)
    for small in (AggregateStateParams(most_states=10), AggregateStateParams(most_steps=10)):
        assert not stage.applies(Incumbent(instance, SolverParams(aggregate_state=small)))
    state.prove(Bound(1, "batch-state"))
    assert not stage.applies(state)


def test_nothing_is_compiled_beside_the_warm_up(compiled: Functions) -> None:
    before = [len(function.signatures) for function in compiled]  # type: ignore[attr-defined]
    instance = generate_random("small", 0, 8)
    run_alone(AggregateState(), instance, best_list_schedule(instance), Stopping(0.5))
    assert [len(f.signatures) for f in compiled] == before == [1] * len(before)  # type: ignore[attr-defined]


def test_no_evaluation_begins_without_the_time_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation stops for nobody: one second is not enough where a path takes a minute."""
    instance = generate_random("tiny", 71, 0)
    relaxation = AggregateRelaxation(instance, 12, PLAIN)
    rounded, now = relaxation.rounded, [0.0]

    def slowly(x: np.ndarray) -> AggregateDuals:
        now[0] += 60.0
        return rounded(x)

    def never(*args: object) -> None:
        raise AssertionError("an evaluation was begun")

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(relaxation, "rounded", slowly)
    monkeypatch.setattr(relaxation, "smoothed", never)
    best = ascend(relaxation, 10**6, Stopping(61))
    assert best.bound == rounded(relaxation.area_duals()).bound
