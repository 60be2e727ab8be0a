"""First demand duals from completion rates: what they rest on, and what they are worth."""

from __future__ import annotations

import numpy as np
import pytest

from kvopt import Instance
from kvopt.certificates.write import certificate, checked
from kvopt.generate import generate_random
from kvopt.model.stopping import Stopping
from kvopt.solver.params import BatchStateParams, SolverParams
from kvopt.solver.relaxations.batch_state.rate_kernel import RATE_KERNEL, RateFunctions
from kvopt.solver.relaxations.batch_state.rates import RateProgram, rate_duals
from kvopt.solver.relaxations.batch_state.stage import BatchState
from kvopt.solver.relaxations.batch_state.states import BatchStates
from kvopt.solver.relaxations.grid_program.stage import GridRelaxation
from kvopt.solver.releases.list_schedules import dispatched
from kvopt.solver.stage import Incumbent

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
    instance = generate_random("model1:requests=150:memory=20..22:arrivals=poisson", 1, 1)
    starts = dispatched(instance, instance.outputs, Stopping())
    assert starts is not None
    bounds = []
    for few in (10**9, 60):
        state = Incumbent(instance, SolverParams(batch_state=BatchStateParams(rate_requests=few)))
        state.offer(starts)
        state.run(BatchState(), Stopping(3.0))
        bounds.append(state.certified.value)
    assert bounds[1] > bounds[0]
    assert not GridRelaxation().applies(state)
    verdict, _ = checked(certificate(state.result()))
    assert verdict.holds, verdict.reason


def test_what_the_checker_would_not_bear_has_no_certificate(compiled: RateFunctions) -> None:
    instance = small()
    state = Incumbent(instance, SolverParams(batch_state=BatchStateParams(most_checked=10)))
    state.run(BatchState(), Stopping(5.0))
    best = state.best("batch-state")
    assert best is not None
    assert best.proof is None
    if not state.closed:
        assert GridRelaxation().applies(state)
