"""The beam search and the exact search through time, compiled and as plain Python."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from small_instances import optimum_of, random_released_instance

import dominance
from budget import Budget
from instances import read_instance
from kvopt import Instance, Stopping
from kvopt.certificates.checker import refusal
from kvopt.certificates.write import certificate, certificate_text
from kvopt.model.formats import instance_to_json
from kvopt.solver.compiling import Kernel
from kvopt.solver.params import ReleaseExactParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.batch_state.costs_to_go import CostsToGo, DualAscent
from kvopt.solver.relaxations.batch_state.search_kernel import BATCH_STATE_KERNEL
from kvopt.solver.relaxations.batch_state.stage import BatchState
from kvopt.solver.relaxations.batch_state.states import BatchStates
from kvopt.solver.releases.beam import BeamTools, ReleaseBeam, beam_search
from kvopt.solver.releases.beam_kernel import BEAM_KERNEL
from kvopt.solver.releases.exact import ExactSearch
from kvopt.solver.releases.exact_kernel import EXACT_KERNEL
from kvopt.solver.stage import run_alone

USUAL = SolverParams.usual()
KINDS = ("plain", "compiled")


def functions_of(kernel: Kernel[Any], kind: str) -> Any:
    return kernel.plain if kind == "plain" else kernel.compiled()


def tools(kind: str = "compiled") -> BeamTools:
    return BeamTools(functions_of(BEAM_KERNEL, kind), USUAL.release_beam)


def latency(instance: Instance, starts: np.ndarray) -> int:
    return int((starts + instance.outputs - instance.releases).sum())


def checked(instance: Instance, low: int, proof: dict[str, Any]) -> int:
    """What the checker makes of a proof that the total latency is so much at least."""
    arrivals, late = read_instance(instance_to_json(instance)).arrivals, instance.total_release
    return dominance.prove(instance.memory, arrivals, low + late, proof, Budget()) - late


def exact(instance: Instance, kind: str = "compiled", **numbers: int) -> ExactSearch:
    functions, own = functions_of(BATCH_STATE_KERNEL, kind), functions_of(EXACT_KERNEL, kind)
    known = best_list_schedule(instance)
    horizon = int((known + instance.outputs).max()) + 3
    costs = CostsToGo(BatchStates(instance), horizon, functions)
    DualAscent(costs, USUAL.batch_state).run([costs.states.first_duals(known)], Stopping())
    return ExactSearch(costs, tools(kind), own, ReleaseExactParams(**numbers))


@pytest.mark.parametrize("kind", KINDS)
def test_a_wide_beam_finds_the_optimum(kind: str) -> None:
    rng = random.Random(41)
    for _ in range(6 if kind == "plain" else 300):
        instance = random_released_instance(rng)
        starts = beam_search(instance, 1000, tools(kind))
        assert starts is not None
        state = run_alone(ReleaseBeam(), instance, starts, Stopping())  # which recomputes them
        assert state.objective == latency(instance, starts) == optimum_of(instance)


def test_both_kinds_of_a_narrow_beam_find_the_same() -> None:
    rng = random.Random(42)
    for _ in range(15):
        instance = random_released_instance(rng, most=9, memory=15, latest=20)
        plain, compiled = (beam_search(instance, 3, tools(kind)) for kind in KINDS)
        assert plain is not None
        assert compiled is not None
        assert plain.tolist() == compiled.tolist()
    assert beam_search(instance, 3, tools(), Stopping(0)) is None


@pytest.mark.parametrize(("kind", "count"), [("plain", 12), ("compiled", 100)])
def test_the_exact_search_closes_in_from_both_sides(kind: str, count: int) -> None:
    rng = random.Random(43)
    for number in range(count):
        instance = random_released_instance(rng)
        best = optimum_of(instance)
        search = exact(instance, kind, retuned_nodes=1, retunings=40)
        none = search.run(best, Stopping())
        assert (none.finished, none.starts) == (True, None)
        if number % 5 == 0:
            assert checked(instance, best, search.content(none.nodes)) == best
        some = search.run(best + 1 + rng.randint(0, 9), Stopping())
        assert some.finished
        assert some.starts is not None
        assert latency(instance, some.starts) == best


def test_limits_of_nodes_and_time_prove_nothing() -> None:
    instance = random_released_instance(random.Random(44), most=12, memory=20, latest=20)
    cutoff = latency(instance, best_list_schedule(instance)) + 1
    for numbers in ({"most_nodes": 1}, {"checked_steps": 1}):
        assert not exact(instance, **numbers).run(cutoff, Stopping()).finished
    assert not exact(instance).run(cutoff, Stopping(0)).finished


def test_the_stage_proves_optima_by_dominance_that_the_checker_accepts() -> None:
    rng = random.Random(45)
    rules = []
    for _ in range(8):
        instance = random_released_instance(rng, most=12, memory=16, latest=30)
        known = best_list_schedule(instance)
        result = run_alone(BatchState(), instance, known, Stopping(20))
        assert result.certified_lower_bound == result.objective
        claim, reason = refusal(certificate_text(certificate(result)))
        assert claim, reason
        rules.append(result.rule)
    assert rules.count("dominance") >= 2
