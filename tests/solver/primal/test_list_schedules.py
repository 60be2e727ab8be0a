"""List schedules are feasible, and staggered ones just fit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances

from kvopt import Instance, Stopping, solve
from kvopt.generate import generate_random
from kvopt.model.instance import Request
from kvopt.model.memory_profile import first_overflow
from kvopt.policies import policy_from_spec
from kvopt.simulation.simulate import simulate
from kvopt.solver.params import ListScheduleParams, SolverParams, WindowParams
from kvopt.solver.primal.list_schedules import (
    CompiledLists,
    ListSchedules,
    best_list_schedule,
    earliest_fit,
    list_schedules,
    pipelined,
    pulled_forward,
    staggered_fit,
    tightest_spacing,
)
from kvopt.solver.solve import PLAN
from kvopt.solver.stage import recomputed, run_alone


@given(instances(max_requests=12), st.randoms(use_true_random=False))
def test_heuristic_schedules_are_feasible_and_semi_active(instance: Instance, rng: object) -> None:
    order = list(range(len(instance)))
    for starts in (
        pipelined(instance),
        earliest_fit(instance, order, Stopping(), in_order=True),
        earliest_fit(instance, order, Stopping(), in_order=False),
        staggered_fit(instance, order, Stopping()),
        best_list_schedule(instance),
    ):
        assert starts is not None
        ends = starts + instance.outputs
        assert first_overflow(starts, ends, instance.prompts, instance.memory) is None
        pulled = pulled_forward(instance, starts, Stopping())
        assert (pulled <= starts).all()
        assert (
            first_overflow(pulled, pulled + instance.outputs, instance.prompts, instance.memory)
            is None
        )


def test_tightest_spacing_just_fits() -> None:
    for prompt, output, memory in itertools.product((0, 3), (1, 2, 7, 20), (23, 40, 100)):
        d = tightest_spacing(Request(prompt, output), memory)
        starts = np.floor(np.arange(500) * d).astype(np.int64)
        prompts = np.full(500, prompt)
        assert first_overflow(starts, starts + output, prompts, memory) is None
        closer = np.floor(np.arange(500) * d * 0.97).astype(np.int64)
        if d * 0.97 * output < output * d - 1:
            assert first_overflow(closer, closer + output, prompts, memory) is not None


def test_the_stage_works_alone_and_in_the_plan() -> None:
    instance = generate_random("small", 2, 4)
    poor = np.cumsum(instance.outputs) - instance.outputs
    result = run_alone(ListSchedules(), instance, poor, Stopping())
    assert result.objective == recomputed(instance, best_list_schedule(instance))[1]
    assert result.lower_bound == 0
    quick = solve(instance, 0)
    assert [record.name for record in quick.stages] == [step.stage.name for step in PLAN[:2]]
    assert quick.objective <= recomputed(instance, pipelined(instance))[1]


def test_its_numbers_say_how_much_is_tried() -> None:
    instance = generate_random("small", 2, 4)
    usual = list(list_schedules(instance, Stopping()))
    fewer = ListScheduleParams(gap_filling_requests=0)
    assert len(list(list_schedules(instance, Stopping(), fewer))) < len(usual)
    none = ListScheduleParams(passes=0)
    unmoved = list(list_schedules(instance, Stopping(), none))
    assert [a.tolist() for a in unmoved[: len(unmoved) // 2]] == [
        a.tolist() for a in usual[: len(unmoved) // 2]
    ]
    assert len(list(list_schedules(instance, Stopping(0)))) == 3  # array work only


def test_the_compiled_lists_go_by_the_users_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no rounds for compiled code the lists are placed without it."""
    instance = generate_random("small", 2, 4)
    made = []
    begin = CompiledLists.__init__

    def counted(self: CompiledLists, *arguments: object) -> None:
        made.append(arguments)
        begin(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(CompiledLists, "__init__", counted)
    lists = ListScheduleParams(compiled_requests=0)
    for rounds, number in ((1_000_000, 1), (10, 0)):
        made.clear()
        params = SolverParams(list_schedules=lists, windows=WindowParams(most_rounds=rounds))
        run_alone(ListSchedules(), instance, best_list_schedule(instance), Stopping(), params)
        assert len(made) == number


@given(instances(max_requests=12))
def test_no_clairvoyant_policy_is_cheaper(instance: Instance) -> None:
    best = recomputed(instance, best_list_schedule(instance))[1]
    for name in ("svf", "mc-sf", "sorted-f", "spt-pipeline", "gba", "gba-d", "a-max:width=1"):
        run = simulate(instance, policy_from_spec(name))
        assert best <= run.total_completion_time(), name


@given(instances(max_requests=12), st.sampled_from([1, 5]))
def test_compiled_lists_are_those_placed_one_by_one(instance: Instance, at_once: int) -> None:
    order = np.argsort(instance.outputs, kind="stable").tolist()
    lists = CompiledLists.of(instance, Stopping(), WindowParams())
    assert lists is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kvopt.solver.primal.list_schedules.PLACED_AT_ONCE", at_once)
        found = list(lists.placed(order))
    assert all(starts is not None for starts in found)
    for starts, in_order in ((found[0], True), (found[2], False)):
        assert (starts == earliest_fit(instance, order, Stopping(), in_order)).all()
    assert recomputed(instance, found[1])
    over = Stopping(0)
    assert CompiledLists.of(instance, over, WindowParams()) is None


def test_many_requests_cost_no_more_than_under_svf() -> None:
    instance = generate_random("real:kind=mixed:requests=3000:memory=16384", 1, 0)
    svf = simulate(instance, policy_from_spec("svf")).total_completion_time()
    assert solve(instance, 2).objective <= svf
