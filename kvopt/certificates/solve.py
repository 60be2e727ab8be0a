"""Solving with a certificate: the plan of the solver, and the checker's own search in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from numpy.typing import ArrayLike

from kvopt.certificates.checker import verdicts
from kvopt.certificates.write import certificate, certificate_text
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.solver.params import SolverParams
from kvopt.solver.releases.search import ReleaseSearch
from kvopt.solver.result import Bound, Result
from kvopt.solver.solve import PLAN, RELEASE_PLAN, Step, solve
from kvopt.solver.stage import Incumbent
from kvopt.solver.state_search.stage import StateSearch

__all__ = ["CERTIFYING_PLAN", "CERTIFYING_RELEASE_PLAN", "Exhaustive", "solve_certified"]

FIRST_STATES, MORE_STATES, MOST_STATES = 20_000, 4, 5_000_000
"""States that the checker's search may take at first, how many times as many it may take when that
is not enough, and how many at most (proofs/checker/limits.py)."""


class Exhaustive:
    """The stage that has the checker prove a bound by its own search over states.

    The proof is a recipe, which the checker completes: the number of states that it needed.

    Parameters
    ----------
    last
        Whether it is the last resort for a bracket that is still open.
    """

    name = "exhaustive"
    with_releases = True

    def __init__(self, last: bool = False) -> None:
        self.last = last

    def applies(self, state: Incumbent) -> bool:
        """Tell whether a bound is known that is not proved, of an instance that is small enough."""
        params = state.params
        if self.last:
            return len(state.instance) <= params.state_search.most_requests
        closed = state.bound.value == state.objective > state.certified.value
        return closed and len(state.instance) <= params.exhaustive.most_requests

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove that no schedule is cheaper than the best one, or else the bound that is known."""
        values = sorted({state.objective, state.bound.value}, reverse=True)
        for number, value in enumerate(values):
            if value > state.certified.value:
                part = stop.part(stop.left() / (len(values) - number))
                states = _states_needed(state, value, part)
                if states is not None:
                    proof = {"rule": "exhaustive", "states": states}
                    state.prove(Bound(value, "exhaustive", proof))


def _states_needed(state: Incumbent, value: int, stop: Stopping) -> int | None:
    """Return how many states the checker needs to prove a bound; None if it cannot in time."""
    limit = FIRST_STATES
    while not stop.over():
        recipe = Bound(value, "exhaustive", {"rule": "exhaustive", "states": limit})
        began = time.perf_counter()
        (verdict,) = verdicts([certificate_text(certificate(state.result(), recipe))], stop)
        if verdict.holds:
            return verdict.states
        expected = MORE_STATES * (time.perf_counter() - began)
        limit *= MORE_STATES
        if (
            not verdict.reason.startswith("proof.states")  # it is not the limit that failed
            or limit > MORE_STATES * MOST_STATES
            or expected > stop.left()
        ):
            return None
        limit = min(limit, MOST_STATES)
    return None


def _certifying(plan: tuple[Step, ...]) -> tuple[Step, ...]:
    searches = (StateSearch, ReleaseSearch)
    after = next(i for i, step in enumerate(plan) if isinstance(step.stage, searches)) + 1
    complete = Step(Exhaustive(), lambda params: params.exhaustive.share)
    return (*plan[:after], complete, *plan[after:-1], Step(Exhaustive(last=True)), plan[-1])


CERTIFYING_PLAN = _certifying(PLAN)
"""The plan of `kvopt.solver.solve`, with the checker's search after the searches over states, and
once more before the last stage."""

CERTIFYING_RELEASE_PLAN = _certifying(RELEASE_PLAN)
"""That with release times."""


def solve_certified(
    instance: Instance,
    time_limit: float = 60.0,
    *,
    stop: Stopping | None = None,
    known: Iterable[ArrayLike] = (),
    params: SolverParams | None = None,
    report: Callable[[Result], None] = lambda result: None,
    jobs: int = 1,
) -> Result:
    """Bracket the optimum as `solve` does, and go on until the bracket is certified.

    Parameters and errors are as for `kvopt.solve`.

    Returns
    -------
    Result
        The bracket; `kvopt.certificates.write.certificate` makes a certificate of it.
    """
    return solve(
        instance,
        time_limit,
        stop=stop,
        known=known,
        params=params,
        report=report,
        plan=CERTIFYING_RELEASE_PLAN if instance.has_releases else CERTIFYING_PLAN,
        certify=True,
        jobs=jobs,
    )
