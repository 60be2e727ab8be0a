"""Duals of rows that differ in their round only, and what they make starts cost.

A row of round u gives a request in its j-th round, u = t + j, a coefficient a(j).  So a start at t
costs c(t) = sum over rounds u of p_u a(u - t).  If the duals p_u are linear between knots, most
second differences d_u = p_{u+1} - 2 p_u + p_{u-1} are 0, and those of c are sum over u of
d_u a(u - t), with few terms.  c follows from them and from c(t) = 0 for all t from the last round
with a dual on (text/first_completion.md, lemma 4).
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from budget import LARGE, Budget
from instances import Types
from reading import Refused, increasing, rows


class RoundDuals(NamedTuple):
    """The duals of some rounds, or linear between these knots; 0 in all others."""

    table: list[list[int]]  # [round, dual]
    knots: bool

    @property
    def last(self) -> int:
        """The last round with a dual."""
        return self.table[-1][0]

    def bends(self) -> list[tuple[int, int]]:
        """Return the second differences of the duals between knots that are not 0, by round."""
        line = [(self.table[0][0] - 1, 0), *self.table, (self.last + 1, 0)]
        slopes = [0, *((q - p) // (v - u) for (u, p), (v, q) in zip(line, line[1:])), 0]
        return [(u, after - before) for (u, _), before, after in zip(line, slopes, slopes[1:])]

    def sum(self) -> int:
        """Return the sum of the duals of all rounds."""
        if not self.knots:
            return sum(dual for _, dual in self.table)
        pairs = zip(self.table, self.table[1:])
        halves = sum((v - u) * (p + q) for (u, p), (v, q) in pairs)
        return (halves + self.table[0][1] + self.table[-1][1]) // 2


class Family(Protocol):
    """Rows that differ in their round only."""

    @property
    def duals(self) -> RoundDuals:
        """Their duals."""

    @property
    def size(self) -> int:
        """How many steps the coefficients of a type have at most."""

    def right_hand_side(self, memory: int) -> int:
        """Return that of each row."""

    def coefficients(self, memory: int, s: int, o: int, known: dict[int, int]) -> list[int]:
        """Return those of a request with 0, 1, ..., o - 1 rounds to go.

        `known` is kept from type to type.
        """


def read_round_duals(given: Any, knots: bool, place: str) -> RoundDuals:
    """Return the duals of an entry, by round."""
    table = increasing(rows(given, 2, place), 1, place)
    if not table:
        raise Refused(f"{place}: must have duals")
    if knots and any((q - p) % (v - u) for (u, p), (v, q) in zip(table, table[1:])):
        raise Refused(f"{place}: must have integers between them")
    return RoundDuals(table, knots)


def right_hand_sides(
    memory: int, types: Types, families: list[Family], last: int, budget: Budget
) -> int:
    """Return the sum of dual * right-hand side; the costs of all types are paid for."""
    for family in families:
        each = len(family.duals.table) + 2 + 4 * family.size
        budget.spend(sum(o * each for _, o in types))
    budget.spend(4 * (last + 2) * len(types) * bool(families))
    held = min(memory, sum(o for _, o in types))  # `known` has at most so many numbers of tokens
    budget.use(LARGE * sum(family.size + held for family in families))
    return sum(family.right_hand_side(memory) * family.duals.sum() for family in families)


def costs(
    memory: int,
    s: int,
    o: int,
    families: list[Family],
    known: list[dict[int, int]],
    last: int,
) -> list[int]:
    """Return the costs of starts 0..last of a type; `known` is kept from type to type."""
    direct, bent = [0] * (last + 2), [0] * (last + 2)
    for family, least in zip(families, known):
        a = family.coefficients(memory, s, o, least)
        for u, dual in family.duals.bends() if family.duals.knots else family.duals.table:
            # Rounds to go 0, 1, ... are those of starts u - o, u - o + 1, ..., u - 1.
            sums = bent if family.duals.knots else direct
            first = max(0, u - o)
            sums[first:u] = [c + dual * v for c, v in zip(sums[first:u], a[first - u + o :])]
    # c(t - 1) = c(t) + (c(t) - c(t + 1)) + the second difference at t, from t = last + 1 on.
    backwards = [0, *accumulate(accumulate(reversed(bent[1:])))]
    return [c + d for c, d in zip(direct[:-1], reversed(backwards))]
