"""The exact solver: bounds, schedules, search over states, and the integer program."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Iterable

from kvopt.model.instance import Instance, IntArray
from kvopt.model.schedule import exact_sum
from kvopt.model.stopping import Stopping
from kvopt.solver.combinatorial_bounds import best_lower_bound
from kvopt.solver.compiling import has_numba
from kvopt.solver.facts import has_few_long_runs, program_size
from kvopt.solver.primal.annealing import improve
from kvopt.solver.primal.list_schedules import list_schedules
from kvopt.solver.relaxations.aggregate_state import PathPrices, has_room, path_bound, usable
from kvopt.solver.relaxations.batch_state import HOLDINGS, solve_by_holdings
from kvopt.solver.relaxations.batch_state import has_room as has_room_to_hold
from kvopt.solver.relaxations.demand_dual_search import worth_bound
from kvopt.solver.relaxations.demand_duals import Worth
from kvopt.solver.relaxations.profile_graph import number_of_sets
from kvopt.solver.result import Result, Status
from kvopt.solver.state_search.compiled import accepts, compiled, solve_by_kernel
from kvopt.solver.state_search.reference import STATE_LIMIT, solve_by_search

__all__ = ["solve"]

SEARCH_REQUESTS, SEARCH_REMAINDERS = 256, 1 << 16
"""Up to this many requests the search over states comes first, if what waits can be one of so
few multisets (16 different requests, or many of a few types)..."""

SEARCH_BITS = 50_000
"""...if a memory profile has at most so many bits."""

KERNEL_REQUESTS, FEW_REQUESTS, SMALL_MEMORY = 20, 12, 30
"""Up to this many, if compiled code does it; the second number, and up to this memory budget, if
what is held can be looked at state by state instead."""

FIRST_REQUESTS, FIRST_STATES = 12, 8_000
"""Up to so many requests the plain search comes first, and may keep so many states before it
is worth a second to load numba, or half a minute to compile when that is for the first time.

This does not depend on what is loaded already, so the same optimum comes out every time."""

SEARCH_SHARE, BRANCHED_SEARCH_SHARE = 0.4, 0.15
"""Which part of the time it gets if something else follows, and if that is branch and bound."""

PROGRAM_ENTRIES = 1_500_000
PROGRAM_ROUNDS = 10_000
"""Up to this many nonzero coefficients and rounds the integer program is tried."""

ENTRIES_A_SECOND, VARIABLES_A_SECOND = 400_000, 10_000
"""How fast a program is written down, roughly; without the time for it, it is left out."""

PROGRAM_TYPES = 12
"""With more types of requests the program hardly ever finishes."""

WORTH = "prices of completions"
"""What `Result.bound_from` says of the relaxation in which only the counts are priced."""

WORTH_SHARE = 0.9
"""Which part of the time it gets if its graph is small enough; then it is the best there is."""

HOLDINGS_FIRST_SETS = 500_000
"""With more sets of requests that can run together what is held comes first, if there is room."""

BRANCHES = "branch and bound on prices"
"""What it says of branch and bound on the linear relaxation."""

BRANCHES_SHARE = 0.9
"""Which part of the time left branch and bound gets."""

BRANCHED_IMPROVING_SHARE = 0.1
"""Which part of the time left goes into better schedules before it."""

LONG_OUTPUT = 100
"""With an output as long as this the compiled search over states is left out before it."""

PATHS = "relaxation by paths"
"""What `Result.bound_from` then says."""

PATHS_SECONDS = 2.0
"""With less time than this left what is held and the relaxation by paths are left out."""

HOLDINGS_SHARE = 0.9
"""Which part of the time left the search over what is held gets."""

PATHS_SHARE = 0.4
"""Which part of the time left it gets if the program may well finish after it."""

BRIEF_SHARE, FAIR_SHARE, LARGE_SHARE = 0.03, 0.3, 0.5
"""Which part of the time left goes into better schedules: if the program may well finish,
if it follows but will hardly finish, and if it does not follow."""

IMPROVING_SECONDS = 60.0
"""No more than this goes into better schedules; longer helps little."""


def solve(
    instance: Instance,
    stop: Stopping,
    known: Iterable[IntArray] = (),
    report: Callable[[Result], None] = lambda result: None,
) -> Result:
    """Bracket the optimal total completion time, as tightly as time allows.

    Parameters
    ----------
    instance
        The instance.
    stop
        How long it may take.  The bounds and a pipeline schedule are computed
        whatever it says; search, improvement and integer program are left
        out for instances far beyond them.  HiGHS may overrun it by a few seconds.
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
    starts = _cheapest(instance, stop, known)
    best = Result.checked(instance, starts, bound.value, bound.name, 0.0)
    report(best)
    priced = False
    many = len(instance) > KERNEL_REQUESTS
    if best.status is not Status.OPTIMAL and many and not _holdings_come_first(best, stop):
        best, priced = _priced(best, stop, report)
    if best.status is not Status.OPTIMAL and not priced:
        if _branches_follow(best, stop):
            share = BRANCHED_SEARCH_SHARE
        elif _paths_follow(best, stop) or _program_seconds(instance, best) < stop.left() / 2:
            share = SEARCH_SHARE
        else:
            share = 1.0
        best = _searched(best, stop.part(share * stop.left()))
        report(best)
    if best.status is not Status.OPTIMAL and _holdings_follow(best, stop):
        best = _bounded_by_holdings(best, stop, report)
    if best.status is not Status.OPTIMAL:
        best = _improved(best, stop, seed=0)
        report(best)
    if best.status is not Status.OPTIMAL and len(instance) <= KERNEL_REQUESTS:
        best, priced = _priced(best, stop, report)
    branched = False
    if best.status is not Status.OPTIMAL and not priced and _branches_follow(best, stop):
        best, branched = _branched(best, stop, report), True
        if best.status is not Status.OPTIMAL:
            best = _improved(best, stop, seed=1)
            report(best)
    follows = not (priced or branched) and _paths_follow(best, stop)
    if best.status is not Status.OPTIMAL and follows:
        best = _bounded_by_paths(best, stop, report)
        if len(instance.types()) > PROGRAM_TYPES:
            best = _improved(best, stop, seed=1)
            report(best)
    if best.status is not Status.OPTIMAL and _program_follows(best, stop):
        from kvopt.solver.milp import solve_by_program  # loads PuLP and HiGHS

        best = best.merged(solve_by_program(instance, best.starts, stop))
    return dataclasses.replace(best, seconds=time.perf_counter() - began)


def _searched(best: Result, stop: Stopping) -> Result:
    """Search over states if the instance is small enough for that."""
    instance = best.instance
    bits = int(instance.outputs.max()) * instance.memory.bit_length()
    if bits > SEARCH_BITS:
        return best
    kernel = len(instance) <= KERNEL_REQUESTS and has_numba() and accepts(instance)
    holdings = (
        len(instance) > FEW_REQUESTS or instance.memory > SMALL_MEMORY
    ) and _holdings_follow(best, stop)
    few = len(instance) <= SEARCH_REQUESTS and (
        math.prod(count + 1 for _, count in instance.types()) <= SEARCH_REMAINDERS
    )
    if len(instance) <= FIRST_REQUESTS if kernel or holdings else few:
        states = FIRST_STATES if kernel or holdings else STATE_LIMIT
        best = best.merged(solve_by_search(instance, best.starts, stop, states))
    long = _branches_follow(best, stop) and int(instance.outputs.max()) >= LONG_OUTPUT
    kernel = kernel and not holdings and not long
    if kernel and best.status is not Status.OPTIMAL and not stop.over():
        if compiled() is not None:
            best = best.merged(solve_by_kernel(instance, best.starts, stop))
        elif few:
            best = best.merged(solve_by_search(instance, best.starts, stop))
    return best


def _priced(best: Result, stop: Stopping, report: Callable[[Result], None]) -> tuple[Result, bool]:
    """Price completions if there are few profiles; tell whether that gave a bound."""
    instance = best.instance
    if stop.over():
        return best, False

    def keep(worth: Worth) -> None:
        nonlocal best
        starts = best.starts if worth.starts is None else worth.starts
        proof = worth.content(instance) if worth.worth else None
        best = best.merged(Result.checked(instance, starts, worth.bound, WORTH, 0.0, proof))
        report(best)

    found = worth_bound(instance, best.starts, stop.part(WORTH_SHARE * stop.left()), keep)
    return best, found is not None and best.bound_from == WORTH


def _improved(best: Result, stop: Stopping, seed: int) -> Result:
    """Look for a cheaper schedule, for a part of the time that depends on what follows."""
    instance = best.instance
    many = len(instance.types()) > PROGRAM_TYPES
    if seed > 0 or best.bound_from == WORTH:
        share = 1.0  # nothing follows
    elif _branches_follow(best, stop):
        share = BRANCHED_IMPROVING_SHARE
    elif _paths_follow(best, stop) or _program_follows(best, stop):
        share = FAIR_SHARE if many else BRIEF_SHARE
    else:
        share = LARGE_SHARE
    seconds = min(IMPROVING_SECONDS, share * stop.left())
    starts = improve(instance, best.starts, stop.part(seconds), seed)
    return best.merged(Result.checked(instance, starts, 0, "nothing", 0.0))


def _holdings_follow(best: Result, stop: Stopping) -> bool:
    """Tell whether what is held can be looked at state by state."""
    horizon = int((best.starts + best.instance.outputs).max())
    return stop.left() > PATHS_SECONDS and has_room_to_hold(best.instance, horizon)


def _holdings_come_first(best: Result, stop: Stopping) -> bool:
    """Tell whether that is better than prices of completions: with many profiles it is."""
    instance = best.instance
    kinds = range(len(instance.types()))
    many = number_of_sets(instance, kinds, HOLDINGS_FIRST_SETS) == math.inf
    return many and _holdings_follow(best, stop)


def _bounded_by_holdings(best: Result, stop: Stopping, report: Callable[[Result], None]) -> Result:
    """Close the bracket by what is held, or nearly so."""
    instance = best.instance
    starts = improve(instance, best.starts, stop.part(BRIEF_SHARE * stop.left()))
    best = best.merged(Result.checked(instance, starts, 0, "nothing", 0.0))
    report(best)
    known = best
    part = stop.part(HOLDINGS_SHARE * stop.left())
    found = solve_by_holdings(instance, starts, part, lambda found: report(known.merged(found)))
    return best.merged(found)


def _branches_follow(best: Result, stop: Stopping) -> bool:
    """Tell whether branch and bound is the thing to do: few requests, and long ones."""
    makespan = int((best.starts + best.instance.outputs).max())
    return has_few_long_runs(best.instance, makespan) and not stop.over()


def _branched(best: Result, stop: Stopping, report: Callable[[Result], None]) -> Result:
    """Raise the lower bound by branch and bound."""
    from kvopt.solver.branch_and_bound.tree import branch_and_bound  # loads HiGHS

    instance = best.instance

    def keep(bound: int, starts: IntArray) -> None:
        nonlocal best
        best = best.merged(Result.checked(instance, starts, 0, "nothing", 0.0))
        report(best.merged(Result.checked(instance, best.starts, bound, BRANCHES, 0.0)))

    part = stop.part(BRANCHES_SHARE * stop.left())
    tree = branch_and_bound(instance, best.starts, part, keep)
    if tree is None:
        return best
    return best.merged(
        Result.checked(instance, best.starts, tree.lower_bound, BRANCHES, 0.0, tree.content())
    )


def _paths_follow(best: Result, stop: Stopping) -> bool:
    """Tell whether the relaxation by paths is of use."""
    if best.bound_from == HOLDINGS:  # at least as good
        return False
    horizon = int((best.starts + best.instance.outputs).max())
    return stop.left() > PATHS_SECONDS and usable() and has_room(best.instance, horizon)


def _bounded_by_paths(best: Result, stop: Stopping, report: Callable[[Result], None]) -> Result:
    """Raise the lower bound by the relaxation by paths."""
    follows = len(best.instance.types()) <= PROGRAM_TYPES and _program_follows(best, stop)
    part = stop.part(stop.left() * (PATHS_SHARE if follows else 1))
    starts = best.starts

    def keep(prices: PathPrices) -> None:
        nonlocal best
        proof = prices.content(best.instance)
        bound = Result.checked(best.instance, starts, prices.bound, PATHS, 0.0, proof)
        best = best.merged(bound)
        report(best)

    path_bound(best.instance, starts, part, keep)
    return best


def _program_follows(best: Result, stop: Stopping) -> bool:
    """Tell whether there is time to try the integer program."""
    return _program_seconds(best.instance, best) < stop.left()


def _program_seconds(instance: Instance, best: Result) -> float:
    """Return how long it takes to write the program down, roughly; infinite if too large."""
    variables, entries = program_size(instance, best.objective)
    if instance.total_output > PROGRAM_ROUNDS or entries > PROGRAM_ENTRIES:
        return math.inf
    return entries / ENTRIES_A_SECOND + variables / VARIABLES_A_SECOND


def _cheapest(instance: Instance, stop: Stopping, known: Iterable[IntArray]) -> IntArray:
    """Return the cheapest of the known schedules and of the list schedules time allows."""
    return min(itertools.chain(known, list_schedules(instance, stop)), key=exact_sum)
