"""Optima of many small instances, for the search for worst cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kvopt.model.errors import InputError, SolverError
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.solver.params import StateSearchParams
from kvopt.solver.stage import recomputed
from kvopt.solver.state_search.kernel import STATE_SEARCH, Functions
from kvopt.solver.state_search.pool import make_pool
from kvopt.solver.state_search.problem import (
    MOST_MEMORY,
    MOST_OUTPUT,
    accepts,
    words_of_profile,
)
from kvopt.solver.state_search.prove_many import ManyProblems
from kvopt.solver.state_search.stage import Search

__all__ = ["Problem", "optima", "optimum"]

Problem = tuple[int, Sequence[int], Sequence[int]]
"""Memory budget, prompt lengths and output lengths (tokens)."""


def optimum(memory: int, prompts: Sequence[int], outputs: Sequence[int]) -> int:
    """Return the optimal total completion time of a small instance (rounds).

    Parameters and errors are as for `optima`.

    Examples
    --------
    >>> optimum(7, [1, 1, 1, 1], [2, 2, 4, 4])
    18
    """
    return optima([(memory, prompts, outputs)])[0]


def optima(
    problems: Sequence[Problem],
    functions: Functions | None = None,
    cutoffs: Sequence[int] | None = None,
    params: StateSearchParams | None = None,
) -> list[int]:
    """Return the optimal total completion times of many small instances (rounds).

    Thousands of tiny ones a second: they are handled together in compiled code, where
    every schedule is checked; only those that take longer come back out.

    Parameters
    ----------
    problems
        Memory budget, prompt lengths and output lengths of each (tokens).
    functions
        The functions to use; by default the compiled ones.
    cutoffs
        For each instance a total completion time (rounds); where the optimum is at least
        that, it may be returned instead.  It is often much easier to prove.
    params
        The tuning numbers; by default the usual ones.

    Raises
    ------
    InputError
        If an instance is not valid, or not accepted (see `accepts`).
    """
    if not problems:
        return []
    params = params or StateSearchParams()
    functions = functions or STATE_SEARCH.compiled()
    packed = _one_behind_another(problems, cutoffs)
    totals = np.add.reduceat(packed.outputs, packed.firsts[:-1])
    longest = int(packed.outputs.max())
    words = words_of_profile(int(packed.memories.max()), longest)
    width = max(1, params.beam_width)
    pool = make_pool(max(1, params.many_states), words)
    lower, upper = np.zeros_like(totals), np.zeros_like(totals)
    functions.prove_many(packed, params.first_children, width, pool, lower, upper)
    if (upper < lower).any():
        raise SolverError("the compiled search contradicts itself")
    found: list[int] = (upper + totals).tolist()
    for i in np.flatnonzero(lower < upper).tolist():
        instance = Instance(*problems[i])
        serial = np.zeros(len(instance), dtype=np.int64)
        np.cumsum(instance.outputs[:-1], out=serial[1:])
        search = Search(instance, serial, params, functions, 1 << 40)
        if cutoffs is not None:
            search.cutoff = min(search.cutoff, int(packed.cutoffs[i]))
        search.run(Stopping())
        found[i] = instance.total_output + search.lower_bound
        if cutoffs is None or found[i] < cutoffs[i]:
            found[i] = recomputed(instance, search.starts)[1]
    return found


def _one_behind_another(problems: Sequence[Problem], cutoffs: Sequence[int] | None) -> ManyProblems:
    """Return the instances in arrays, with cutoffs on sums of starts.

    Raises
    ------
    InputError
        If an instance is not valid, or not accepted.
    """
    firsts = np.zeros(len(problems) + 1, dtype=np.int64)
    np.cumsum([len(outputs) for _, _, outputs in problems], out=firsts[1:])
    memories = np.array([memory for memory, _, _ in problems], dtype=np.int64)
    prompts = np.array([s for _, lengths, _ in problems for s in lengths], dtype=np.int64)
    outputs = np.array([o for _, _, lengths in problems for o in lengths], dtype=np.int64)
    limits = np.full_like(memories, -1)
    packed = ManyProblems(memories, firsts, prompts, outputs, limits)
    _check_problems(problems, packed)
    if cutoffs is not None:
        totals = np.add.reduceat(outputs, firsts[:-1])
        limits[:] = np.maximum(np.array(cutoffs, dtype=np.int64) - totals, 0)
    return packed


def _check_problems(problems: Sequence[Problem], packed: ManyProblems) -> None:
    """Refuse what is not an instance or not accepted, looking closer only where needed."""
    prompts, outputs, memories = packed.prompts, packed.outputs, packed.memories
    sizes = np.diff(packed.firsts)
    if (
        any(len(prompts) != len(outputs) for _, prompts, outputs in problems)
        or (sizes < 1).any()
        or (prompts < 0).any()
        or (outputs < 1).any()
        or (prompts + outputs > np.repeat(memories, sizes)).any()
        or (memories > MOST_MEMORY).any()
        or (sizes > 20).any()  # no more requests have at most 2^20 keys
        or (np.add.reduceat(outputs, packed.firsts[:-1]) > MOST_OUTPUT).any()
    ):
        for problem in problems:
            instance = Instance(*problem)
            if not accepts(instance):
                raise InputError(f"{instance!r}: is beyond the limits of the compiled search")
