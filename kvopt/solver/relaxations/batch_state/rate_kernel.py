"""Rounds of batch states at prices that do not change, compiled.

The functions are plain Python on floats and arrays; the tests run the same source both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kvopt.solver.compiling import Kernel, lean
from kvopt.solver.relaxations.batch_state.kernel import table_of_one

__all__ = ["DEAD", "RATE_KERNEL", "SLIP", "RateFunctions"]

DEAD = -1e18
"""Worth of a state that nothing can follow."""

SLIP = 1e-7
"""Two worths that differ by no more than this part of a round are the same."""


@lean
def fill_joined(table: Any, worth: Any, joined: Any) -> None:
    """Fill `joined`, the most that states are worth which more requests may still join.

    Parameters
    ----------
    table
        The states, a `StateTable`.
    worth
        What each state is worth after a round, shape (states,).
    joined
        Takes the result, shape (states,).
    """
    admitted = table.admitted
    for i in range(worth.shape[0] - 1, -1, -1):
        best = worth[i]
        for p in range(admitted.shape[0]):
            more = admitted[p, i]
            if more >= 0 and joined[more] > best:
                best = joined[more]
        joined[i] = best


@lean
def fill_worth(table: Any, prices: Any, worth: Any, joined: Any) -> None:
    """Fill the rows 1, 2, ... of `worth`, each a round before the one above it.

    Parameters
    ----------
    table
        The states, a `StateTable`.
    prices
        What a completion of each shape earns, shape (shapes,).
    worth
        Row c: what each state after a round, before completions, may earn in c rounds, plus row 0
        where it ends, shape (rounds + 1, states).
    joined
        Room for one number for each state, shape (states,).
    """
    first, completed, shape_of, aged = table.first, table.completed, table.shape, table.aged
    for c in range(1, worth.shape[0]):
        fill_joined(table, worth[c - 1], joined)
        row = worth[c]
        row[0] = joined[0]
        for i in range(1, row.shape[0]):
            best = DEAD
            if aged[i] >= 0:
                best = joined[aged[i]]
            for e in range(first[i], first[i + 1]):
                value = row[completed[e]] + prices[shape_of[e]]
                if value > best:
                    best = value
            row[i] = best if best > DEAD / 2 else DEAD


@lean
def follow_rounds(
    table: Any, prices: Any, worth: Any, joined: Any, state: int, visited: Any, done: Any
) -> None:
    """Follow a path that earns the most in as many rounds as `worth` has.

    Parameters
    ----------
    table, prices, worth, joined
        As in `fill_worth`.
    state
        Where it begins.
    visited
        Takes the states before the completions of each round, shape (rounds,).
    done
        How many of each shape complete before each round, 0 at first, shape (rounds, shapes).
    """
    for r in range(visited.shape[0]):
        row, after = worth[visited.shape[0] - r], worth[visited.shape[0] - r - 1]
        fill_joined(table, after, joined)
        visited[r] = state
        going = True
        while going:
            going = False
            if table.aged[state] >= 0 and joined[table.aged[state]] >= row[state] - SLIP:
                break
            for e in range(table.first[state], table.first[state + 1]):
                following = table.completed[e]
                if row[following] + prices[table.shape[e]] >= row[state] - SLIP:
                    done[r, table.shape[e]] += 1
                    state = following
                    going = True
                    break
        state = table.aged[state]
        going = after[state] < joined[state] - SLIP
        while going:
            best = state
            for p in range(table.admitted.shape[0]):
                more = table.admitted[p, state]
                if more >= 0 and (best == state or joined[more] > joined[best]):
                    best = more
            state = best
            going = after[state] < joined[state] - SLIP


class RateFunctions(NamedTuple):
    """The compiled functions."""

    fill_worth: Callable[..., None]
    follow_rounds: Callable[..., None]


def _warm_up(functions: RateFunctions) -> None:
    """Call each function on one request of one token."""
    table = table_of_one()
    prices, worth, joined = np.ones(1), np.zeros((2, 2)), np.empty(2)
    functions.fill_worth(table, prices, worth, joined)
    visited, done = np.zeros(1, dtype=np.int64), np.zeros((1, 1), dtype=np.int64)
    functions.follow_rounds(table, prices, worth, joined, 0, visited, done)


RATE_KERNEL = Kernel(
    "completion rates", (fill_joined, fill_worth, follow_rounds), RateFunctions, _warm_up
)
