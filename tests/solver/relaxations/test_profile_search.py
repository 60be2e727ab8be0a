"""Searches through memory profiles and numbers, and what the checker makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from kvopt import Instance, Stopping
from kvopt.certificates.checker import verdicts
from kvopt.certificates.write import certificate, certificate_text
from kvopt.generate import generate_random
from kvopt.solver.params import DemandDualParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.demand_dual_kernel import KERNEL, descend
from kvopt.solver.relaxations.demand_dual_stage import DemandDuals
from kvopt.solver.relaxations.demand_duals import SCALE, DemandDualRelaxation
from kvopt.solver.relaxations.profile_costs import ProfileCosts
from kvopt.solver.relaxations.profile_search import ProfileSearch
from kvopt.solver.stage import Incumbent, run_alone
from kvopt.solver.state_search.state_graph import solve_by_state_graph


def searched(instance: Instance, reach: int, **numbers: int) -> ProfileSearch:
    """A search with the first duals, which prove little."""
    params = DemandDualParams(**numbers)  # type: ignore[arg-type]
    relaxation = DemandDualRelaxation(instance, descend, params=params)
    return ProfileSearch(relaxation, relaxation.first_duals, SCALE * reach, params)


@pytest.mark.parametrize("number", range(25))
def test_finds_the_optimum_and_nothing_below_it(number: int) -> None:
    instance = generate_random("tiny", 43, number)
    optimum = solve_by_state_graph(instance).objective
    search = searched(instance, 2 * optimum)
    assert search.prepare(Stopping())
    assert search.value <= SCALE * optimum
    below = search.run(optimum, Stopping())
    assert below.finished
    assert (below.starts, below.cost) == (None, optimum)
    for above in (1, 4):
        found = search.run(optimum + above, Stopping())
        assert found.finished
        assert found.cost == optimum
        assert found.starts is not None
        assert sum(t for t, _ in found.starts) + instance.total_output == optimum
        assert len(found.starts) == len(instance)
    beam = search.run(optimum + 4, Stopping(), width=1)
    assert beam.cost >= optimum


@pytest.mark.parametrize("part", [3, 10])
def test_costs_to_go_are_the_same_if_computed_again(part: int) -> None:
    instance = generate_random("alike", 1, 4)
    relaxation = DemandDualRelaxation(instance, KERNEL.compiled().descend)
    duals = relaxation.first_duals
    found = relaxation.phases(duals, Stopping())
    assert found is not None
    (phases,) = found
    assert len(phases) > 1
    sections = [section for phase in phases for section in phase.sections()]
    room = sum(nodes * (high - low) for nodes, low, high in sections)
    every, some = (ProfileCosts(relaxation, duals, phases, n) for n in (room, room // part))
    assert every.prepare(Stopping())
    assert some.prepare(Stopping())
    assert (every.kept, some.kept, some.fits) == (True, False, True)
    assert every.first == some.first
    for t in (*range(phases[-1].end + 3), 0, phases[-1].end):
        one, other = every.at(t, Stopping()), some.at(t, Stopping())
        assert one is not None
        assert other is not None
        assert one.base == other.base
        assert np.array_equal(one.above, other.above)
    assert some.at(phases[-1].end // 2, Stopping(0)) is None
    assert not ProfileCosts(relaxation, duals, phases, 10).fits


def test_limits_are_kept() -> None:
    instance = generate_random("tiny", 43, 3)
    optimum = solve_by_state_graph(instance).objective
    assert not searched(instance, 30, most_kept=10).prepare(Stopping())
    assert not searched(instance, 30).prepare(Stopping(0))
    for limit in ("search_nodes", "time_nodes"):
        search = searched(instance, 2 * optimum, **{limit: 0})
        assert search.prepare(Stopping())
        assert not search.run(optimum + 1, Stopping()).finished
    search = searched(instance, 2 * optimum)
    assert search.prepare(Stopping())
    assert not search.run(optimum + 1, Stopping(0)).finished


def test_what_searches_prove_is_checked() -> None:
    """The duals alone leave the bracket open by four rounds."""
    instance = generate_random("alike", 1, 43)
    known = best_list_schedule(instance)
    params = SolverParams(demand_duals=DemandDualParams(search_reach=0))
    before = run_alone(DemandDuals(many=True), instance, known, Stopping(60), params)
    assert before.lower_bound < before.objective
    state = Incumbent(instance, SolverParams(), certify=True)
    state.offer(known)
    state.run(DemandDuals(many=True), Stopping(60))
    result = state.result()
    assert (result.lower_bound, result.objective) == (683_835, 683_835)
    proof = result.certified.proof
    assert proof is not None
    assert proof["nodes"] > 0
    assert 0 < proof["slack"] < 12 * SCALE  # what these rounds need, and no more
    (verdict,) = verdicts([certificate_text(certificate(result))], Stopping(60))
    assert verdict.holds
    assert (verdict.lower_bound, verdict.rule) == (683_835, "demand-duals")
