"""First demand duals from completion rates: what they rest on, and what they are worth."""

from __future__ import annotations

import numpy as np
import pytest

from kvopt import Instance
from kvopt.certificates.write import certificate, checked
from kvopt.generate import generate_random
from kvopt.model.stopping import Stopping
from kvopt.solver.params import BatchStateParams, SolverParams
from kvopt.solver.relaxations.batch_state.costs_to_go import CostsToGo
from kvopt.solver.relaxations.batch_state.rate_kernel import RATE_KERNEL, RateFunctions
from kvopt.solver.relaxations.batch_state.rates import RateProgram, rate_duals
from kvopt.solver.relaxations.batch_state.search_kernel import BATCH_STATE_KERNEL
from kvopt.solver.relaxations.batch_state.states import BatchStates
from kvopt.solver.releases.list_schedules import dispatched
from kvopt.solver.stage import Bound, Incumbent

FEW = BatchStateParams(rate_rounds=30, rate_knots=3, rate_passes=3)


@pytest.fixture(scope="module")
def compiled() -> RateFunctions:
    return RATE_KERNEL.compiled()


def small() -> Instance:
    return Instance(9, [1] * 6, [2, 2, 3, 3, 5, 8], releases=[0, 1, 1, 4, 6, 9])


def test_plain_and_compiled_rounds_are_the_same(compiled: RateFunctions) -> None:
    both = (RATE_KERNEL.plain, compiled)
    programs = [RateProgram(BatchStates(small()), 40, functions, FEW) for functions in both]
    prices = np.array([[5.0, 6.0, 9.0, 11.0], [3.0, 4.0, 5.0, 9.0], [0.5, 1.0, 1.0, 2.0]])
    values = [program.value(prices, Stopping()) for program in programs]
    assert values[0] == values[1]
    assert (programs[0]._rates == programs[1]._rates).all()
    assert len(programs[0]._rates) == 4 + 3


def test_no_cycle_needs_more_memory_than_there_is(compiled: RateFunctions) -> None:
    """On a cycle areas times rates are the mean of the memory in use."""
    instance = generate_random("model1:requests=60:memory=20..25:arrivals=poisson", 1, 0)
    states = BatchStates(instance)
    program = RateProgram(states, 400, compiled, BatchStateParams(rate_knots=6))
    assert program.solve(Stopping())
    assert program.value(program.prices, Stopping()) is not None
    areas = states.shapes.areas
    assert len(program._rates) > len(areas)
    assert (program._rates @ areas <= instance.memory + 1e-9).all()
    assert (program._rates @ areas > 0).all()


def test_duals_are_the_least_of_all_completions(compiled: RateFunctions) -> None:
    instance = small()
    program = RateProgram(BatchStates(instance), 40, compiled, FEW)
    rng = np.random.default_rng(1)
    for _ in range(20):
        prices = rng.uniform(0, 30, program.prices.shape)
        ended = np.vstack([prices, np.zeros(program.shapes)])
        for k, dual in enumerate(program.duals(prices)):
            soonest, shape = program._soonest[k], program._shape[k]
            times = np.arange(soonest, 41)
            every = times + np.interp(times, program.times, ended[:, shape])
            assert dual == pytest.approx(every.min())


def test_the_program_knows_its_prices_worth(compiled: RateFunctions) -> None:
    """With all cycles known its value is what its prices prove, roughly."""
    instance = generate_random("model1:requests=80:memory=20..25:arrivals=poisson", 1, 0)
    params = BatchStateParams(rate_knots=6, rate_rounds=400)
    program = RateProgram(BatchStates(instance), 700, compiled, params)
    for _ in range(12):
        assert program.solve(Stopping())
        objective = -program._highs.getInfo().objective_function_value
        value = program.value(program.prices, Stopping())
    assert value is not None
    assert value <= objective * (1 + 1e-6)
    assert value == pytest.approx(objective, rel=0.02)


def test_time_that_is_over_gives_none(compiled: RateFunctions) -> None:
    states = BatchStates(small())
    assert rate_duals(states, 40, compiled, FEW, Stopping(0.0)) is None


def test_a_long_queue_is_bounded_and_the_certificate_holds(compiled: RateFunctions) -> None:
    """The batches serve less than areas allow, so queues grow; only batch states know that."""
    instance = generate_random("model1:requests=120:memory=20..22:arrivals=poisson", 1, 1)
    starts = dispatched(instance, instance.outputs, Stopping())
    assert starts is not None
    state = Incumbent(instance, SolverParams())
    state.offer(starts)
    states = BatchStates(instance)
    costs = CostsToGo(states, state.makespan, BATCH_STATE_KERNEL.compiled(), 64)
    params = BatchStateParams(rate_passes=12)
    rates = rate_duals(states, state.makespan, compiled, params, Stopping())
    assert rates is not None
    bounds = []
    for duals in (states.first_duals(starts), rates):
        value = costs.settle(np.rint(duals * costs.scale).astype(np.int64))
        assert value is not None
        bounds.append(-(-value // costs.scale) - instance.total_release)
    assert bounds[1] > max(bounds[0], 2 * instance.total_output)
    state.prove(Bound(bounds[1], "batch-state", costs.content(0)))
    verdict, _ = checked(certificate(state.result()))
    assert verdict.holds, verdict.reason
