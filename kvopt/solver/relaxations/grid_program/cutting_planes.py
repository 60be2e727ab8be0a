"""Rounds of the grid program: solve, add rows that are violated, solve again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvopt.model.request_types import RequestTypes
from kvopt.model.stopping import Stopping
from kvopt.solver.relaxations.grid_program.families import Row
from kvopt.solver.relaxations.grid_program.knapsacks import Pool, violated_knapsack
from kvopt.solver.relaxations.grid_program.program import GridProgram
from kvopt.solver.relaxations.grid_program.separation import best_heights, steps_up_to

__all__ = ["raised", "tightened"]


def raised(program: GridProgram, stop: Stopping) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield better and better bounds (rounds), each with the object "proof" of a certificate.

    There is none for those that the checker would refuse as too long.

    Parameters
    ----------
    program
        The program, without rows.
    stop
        How long it may take.
    """
    params = program.params
    program.add_rows([(hat(program, 0, i), t) for i, t in enumerate(program.grid.times.tolist())])
    last = idle = 0
    for number in range(params.rounds):
        done = program.solve(stop)
        if program.bound > last:
            yield program.bound, program.proof
        if not done or stop.over():
            return
        if number >= params.least_rounds and program.bound < last * (1 + params.least_rise):
            break
        last = program.bound
        idle = 0 if separate(program, number, stop) else idle + 1
        if idle == 2:
            break
    program.solve(stop, params.last_precision)
    if program.bound > last:
        yield program.bound, program.proof


def hat(program: GridProgram, family: int, i: int) -> int:
    """Return the kind of a family's row at knot i."""
    grid = program.grid
    return program.families.kind(Row(family, int(grid.left[i]), int(grid.right[i])))


def separate(program: GridProgram, number: int, stop: Stopping) -> int:
    """Add rows that the solution violates; return how many."""
    params, grid, families = program.params, program.grid, program.families
    times = grid.times.tolist()
    added = 0
    for family, known in enumerate(families.known):
        if known.level:
            used = program.activity(family)
            kind = families.kind(Row(family, 0, 0))
            limit = 1 + params.cover_violation
            added += program.add_rows([(kind, t) for t in times if used[t] > limit])
    steps = steps_up_to(params.look_ahead * program.horizon / len(program.instance) + 3)
    window = max(1, program.horizon // params.windows // (1 if number % 2 == 0 else 3))
    for begin in range(0, program.horizon, window):
        if stop.over():
            return added
        at, weights = program.average(begin + 1, begin + window + 1)
        if not len(at):
            continue
        held, to_go = families.held[at], families.to_go[at]
        memory = program.instance.memory
        violation, heights = best_heights(memory, held, to_go, weights, steps, params)
        if violation > params.violation:
            added += add_family(program, families.add(heights), begin, window)
    return added


def add_family(program: GridProgram, family: int, begin: int, window: int) -> int:
    """Add the rows of a family at the knots near a window where they are violated."""
    used = program.activity(family)
    rows = []
    knots = zip(*(each.tolist() for each in program.grid), strict=True)
    for i, (t, left, right) in enumerate(knots):
        reach = 0.75 * window + max(left, right)
        near = abs(t - begin - window // 2) <= reach
        if near and used[t - left + 1 : t + right].mean() > 1 + program.params.violation:
            rows.append((hat(program, family, i), t))
    return program.add_rows(rows)


def tightened(program: GridProgram, stop: Stopping) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Add knapsack rows as long as they raise the bound, and yield what `raised` does.

    Parameters
    ----------
    program
        The program, as it is after `raised`.
    stop
        How long it may take.
    """
    params = program.params
    if program.kinds is None:
        return
    pool = Pool(program.kinds)
    for _ in range(params.knapsack_rounds):
        last = program.bound
        if not add_knapsacks(program, program.kinds, pool, stop):
            return
        done = program.solve(stop, params.last_precision)
        if program.bound > last:
            yield program.bound, program.proof
        if not done or stop.over() or program.bound < last * (1 + params.knapsack_rise):
            return


def add_knapsacks(program: GridProgram, kinds: RequestTypes, pool: Pool, stop: Stopping) -> int:
    """Add knapsack rows that the solution violates at knots; return how many.

    A row that is violated at a knot may be at the next ones, too.
    """
    params, grid = program.params, program.grid
    places = list(zip(*(each.tolist() for each in grid), strict=True))
    added = 0
    for i, (t, left, right) in enumerate(places):
        if stop.over():
            break
        items = program.items(t, left, right)
        memory, violation = program.instance.memory, params.knapsack_violation
        knapsack = violated_knapsack(memory, kinds, items, violation, pool)
        if knapsack is None:
            continue
        family = program.families.add_knapsack(knapsack)
        used = program.activity(family)
        rows = [(hat(program, family, i), t)]
        for near in (i - 2, i - 1, i + 1, i + 2):
            if 0 <= near < len(places):
                t, left, right = places[near]
                weights = program.families.hat(left, right)
                if used[t - left + 1 : t + right] @ weights > (1 + violation) * weights.sum():
                    rows.append((hat(program, family, near), t))
        added += program.add_rows(rows)
    return added
