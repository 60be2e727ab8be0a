"""The exact solver: bounds, list schedules, search over states, and the integer program."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable

from kvopt.budget import Budget
from kvopt.exact.facts import program_entries
from kvopt.exact.heuristics import list_schedules
from kvopt.exact.result import Result, Status
from kvopt.exact.search import solve_by_search
from kvopt.instance import Instance, IntArray
from kvopt.lower_bounds import best_lower_bound
from kvopt.schedule import exact_sum

__all__ = ["solve"]

SEARCH_REQUESTS = 16
SEARCH_BITS = 50_000
"""Up to this size of instances and of their memory profiles the search over states comes first."""

PROGRAM_ENTRIES = 1_500_000
"""Up to this many nonzero coefficients the integer program is tried."""


def solve(
    instance: Instance,
    budget: Budget,
    known: Iterable[IntArray] = (),
    report: Callable[[Result], None] = lambda result: None,
) -> Result:
    """Bracket the optimal total completion time, as tightly as time allows.

    Parameters
    ----------
    instance
        The instance.
    budget
        How long it may take.  The bounds, and one list schedule if none is known,
        are computed whatever it says; search and integer program are left out for
        instances far beyond them.
    known
        Start times of feasible schedules known before (rounds), shape (n,) each.
    report
        Called with the bracket whenever a stage has ended.

    Returns
    -------
    Result
        The bracket.  Its schedule and objective are recomputed in integers.

    Raises
    ------
    SolverError
        If something that was known, or that a solver returns, is not feasible.
    """
    began = time.perf_counter()
    bound = best_lower_bound(instance)
    starts = _cheapest(instance, budget, known)
    best = Result.checked(instance, starts, bound.value, bound.name, 0.0)
    report(best)
    profile_bits = int(instance.outputs.max()) * instance.memory.bit_length()
    if (
        best.status is not Status.OPTIMAL
        and len(instance) <= SEARCH_REQUESTS
        and profile_bits <= SEARCH_BITS
    ):
        found = solve_by_search(instance, best.starts, budget.part(budget.left() / 2))
        best = best.merged(found)
        report(best)
    if (
        best.status is not Status.OPTIMAL
        and not budget.over()
        and program_entries(instance, best.objective) <= PROGRAM_ENTRIES
    ):
        from kvopt.exact.model import solve_by_program  # loads PuLP and HiGHS

        best = best.merged(solve_by_program(instance, best.starts, budget))
    return dataclasses.replace(best, seconds=time.perf_counter() - began)


def _cheapest(instance: Instance, budget: Budget, known: Iterable[IntArray]) -> IntArray:
    """Return the cheapest of the known schedules and of the list schedules time allows."""
    candidates = list(known)
    schedules = list_schedules(instance)
    while not candidates or not budget.over():
        if (starts := next(schedules, None)) is None:
            break
        candidates.append(starts)
    return min(candidates, key=exact_sum)
