"""Knapsack rows, in linear_duals and propagation (text/knapsack_rows.md).

A request (s, o) counts c(j) in its j-th round, in which it holds s + j tokens; c is written as
steps [s, o, j, c], c from round j on until the next step, and never falls.  What runs in a round
fits in memory, so it counts no more than `limit` together, if no set that counts more fits.  Let
least[v] be how few tokens a set holds that counts v or more: a request joins a set at one of its
steps, where it holds the fewest tokens that count so much.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from budget import LARGE, Budget
from instances import Types
from limits import MAX_NUMBER
from reading import Refused, fields, increasing, integer, rows
from round_duals import RoundDuals, read_round_duals

MAX_LIMIT = 1_000_000


class Knapsack(NamedTuple):
    """Rows of the same steps."""

    limit: int
    steps: dict[tuple[int, int], list[tuple[int, int]]]  # (j, c) of each type
    duals: RoundDuals

    @property
    def size(self) -> int:
        """How many steps a type has at most."""
        return max(map(len, self.steps.values()), default=1)

    def right_hand_side(self, memory: int) -> int:
        """Return that of each row."""
        return self.limit

    def coefficients(self, memory: int, s: int, o: int, known: dict[int, int]) -> list[int]:
        """Return what a request counts with 0, 1, ..., o - 1 rounds to go."""
        found: list[int] = []
        until = o + 1
        for j, c in reversed(self.steps.get((s, o), [])):
            found += [c] * (until - j)
            until = j
        return found + [0] * (until - 1)


def read(entry: Any, memory: int, types: Types, budget: Budget, where: str) -> Knapsack:
    """Return the rows of an entry; refused if more than the limit fits."""
    key = "knots" if isinstance(entry, dict) and "knots" in entry else "duals"
    fields(entry, where, ("limit", "steps", key))
    limit = integer(entry["limit"], 0, MAX_LIMIT, f"{where}.limit")
    given = increasing(rows(entry["steps"], 4, f"{where}.steps"), 0, f"{where}.steps")
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for s, o, j, c in given:
        if (s, o) not in types or not 1 <= j <= o:
            raise Refused(f"{where}.steps: must be of rounds of types, got [{s}, {o}, {j}, {c}]")
        own = steps.setdefault((s, o), [(0, 0)])
        if c <= own[-1][1]:
            raise Refused(f"{where}.steps: must rise, got [{s}, {o}, {j}, {c}]")
        own.append((j, c))
    steps = {kind: own[1:] for kind, own in steps.items()}
    if least_tokens(memory, types, steps, limit + 1, budget) <= memory:
        raise Refused(f"{where}.limit: requests that fit count more than {limit}")
    return Knapsack(limit, steps, read_round_duals(entry[key], key == "knots", f"{where}.{key}"))


def least_tokens(
    memory: int,
    types: Types,
    steps: dict[tuple[int, int], list[tuple[int, int]]],
    count: int,
    budget: Budget,
) -> int:
    """Return how few tokens requests hold that count so much or more, or something above M."""
    budget.use(3 * LARGE * (count + 1))
    budget.spend(count + 1)
    least: list[int] = [0] + [MAX_NUMBER] * count
    for (s, o), own in steps.items():
        budget.spend(20)
        for _ in range(min(types[s, o], memory // (s + own[0][0]))):
            budget.spend((3 + 3 * len(own)) * (count + 5))
            fewer = least
            for j, c in own:
                moved = [0] * min(c, count + 1) + least
                fewer = [min(a, b + s + j) for a, b in zip(fewer, moved)]
            least = fewer
    return least[count]
