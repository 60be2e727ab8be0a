"""What is true of schedules that are worth finding, and what sizes tell of instances."""

from __future__ import annotations

from kvopt.model.instance import Instance
from kvopt.solver.combinatorial_bounds import best_lower_bound

__all__ = [
    "STAIRCASE_LEVELS",
    "has_few_long_runs",
    "latest_starts",
    "program_size",
    "staircase_windows",
]

STAIRCASE_LEVELS = (1,)
"""Levels m of the staircase inequalities that the integer program contains.

Levels 2 and 3 raise the linear relaxation little and triple the size."""


BRANCHED_REQUESTS, BRANCHED_ROUNDS = 20, (200, 10_000)
"""Up to so many requests, and with a makespan in this range, branch and bound on start times is
worth while: with fewer rounds the relaxations by states and paths are better."""


def has_few_long_runs(instance: Instance, makespan: int) -> bool:
    """Tell whether branch and bound on start times is the thing to do.

    Parameters
    ----------
    instance
        The instance.
    makespan
        Last round of a good schedule.
    """
    first, last = BRANCHED_ROUNDS
    return len(instance) <= BRANCHED_REQUESTS and first <= makespan <= last


def latest_starts(instance: Instance, upper_bound: int) -> list[int]:
    """Return for each type the latest start in any schedule worth finding (rounds).

    An optimal schedule without idle rounds exists, so its makespan is at most the
    sum of the outputs; and if a schedule costs at most `upper_bound`, then a
    request completes no later than `upper_bound` minus a lower bound on the cost of
    the others.  Derived: proofs/model.md, lemma 2.

    Parameters
    ----------
    instance
        The instance; types in the order of `Instance.types`.
    upper_bound
        Cost of some feasible schedule (rounds).
    """
    types = instance.types()
    latest = []
    for k, (request, _) in enumerate(types):
        others = [(r.prompt, r.output, n - (j == k)) for j, (r, n) in enumerate(types)]
        others = [group for group in others if group[2]]
        least = 0
        if others:
            least = best_lower_bound(Instance.from_groups(instance.memory, others)).value
        completion = min(upper_bound - least, instance.total_output)
        latest.append(completion - request.output)
    return latest


def staircase_windows(instance: Instance, level: int) -> list[int]:
    """Return for each type the window d_i of the staircase inequality of a level m.

    With n_i = s_i + o_i + m (s_min + o_i) - M and d_i = min(o_i, ceil(n_i / m)), or 0
    if n_i <= 0: for every time u at most m requests have a start in (u - d_i, u].
    Derived: proofs/model.md, lemma 4.

    Parameters
    ----------
    instance
        The instance; types in the order of `Instance.types`.
    level
        The m of the inequality, >= 1.
    """
    requests = [request for request, _ in instance.types()]
    smallest = min(r.prompt for r in requests)
    windows = []
    for r in requests:
        excess = r.peak + level * (smallest + r.output) - instance.memory
        windows.append(max(0, min(r.output, -(-excess // level))))
    return windows


def program_size(instance: Instance, upper_bound: int) -> tuple[int, int]:
    """Return at least the numbers of variables and of coefficients of the hindsight program.

    Parameters
    ----------
    instance
        The instance.
    upper_bound
        Cost of some feasible schedule (rounds).
    """
    windows = [staircase_windows(instance, level) for level in STAIRCASE_LEVELS]
    total = instance.total_output
    variables = entries = 0
    for (request, _), rows in zip(instance.types(), zip(*windows, strict=True), strict=True):
        # A cruder horizon than that of `latest_starts`: the others cost their outputs.
        last = min(upper_bound - (total - request.output), total) - request.output
        variables += last + 1
        entries += (last + 1) * (2 + request.output + sum(rows))
    return variables, entries
