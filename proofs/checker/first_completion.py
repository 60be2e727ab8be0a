"""First-completion rows, in linear_duals and propagation (text/first_completion.md).

Heights H_0, H_1, ... are integers that end with H_x = L for x >= d, and H_x >= L >= 0 before.
A request (s, o) in its j-th round holds b = s + j tokens and has r = o - j rounds to go.  With
  a  =  max(0, min over x = 0..min(d, r) of (b + x) H_x  -  M (H_r - L))
the a of all that run in a round add up to at most M L.  For take those with a > 0, let r_f be
the least of their rounds to go, and y = min(d, r_f).  In y rounds they all still run and hold
b + y each, M at most together: so their minima add up to at most H_y M.  H_y is H_{r_f}, and
the M (H_r - L) that are taken away, none of which is below 0, are at least M (H_{r_f} - L).

Heights are written as steps [x, H]: H holds from x rounds to go on, until the next step.  On a
step (b + x) H_x is least at its beginning.

A start at t costs c(t) = sum over rounds u of p_u a(s + u - t, o - u + t).  If the duals p_u are
linear between knots, most second differences d_u = p_{u+1} - 2 p_u + p_{u-1} are 0, and those of
c are sum over u of d_u a(s + u - t, o - u + t), with few terms.  c follows from them and from
c(t) = 0 for all t from the last round with a dual on.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple

from budget import LARGE, Budget
from instances import Types
from reading import Refused, fields, increasing, listed, rows

MAX_FAMILIES = 10_000  # of a node


class Family(NamedTuple):
    """Rows of the same heights, with the duals of some rounds, or linear between these knots."""

    heights: list[list[int]]
    duals: list[list[int]]  # [round, dual]
    knots: bool

    @property
    def low(self) -> int:
        """L; the right-hand side of each row is M L."""
        return self.heights[-1][1]

    @property
    def last(self) -> int:
        """The last round with a dual."""
        return self.duals[-1][0]

    def bends(self) -> list[tuple[int, int]]:
        """Return the second differences of the duals between knots that are not 0, by round."""
        line = [(self.duals[0][0] - 1, 0), *self.duals, (self.last + 1, 0)]
        slopes = [0, *((q - p) // (v - u) for (u, p), (v, q) in zip(line, line[1:])), 0]
        return [(u, after - before) for (u, _), before, after in zip(line, slopes, slopes[1:])]

    def sum(self) -> int:
        """Return the sum of the duals of all rounds."""
        if not self.knots:
            return sum(dual for _, dual in self.duals)
        pairs = zip(self.duals, self.duals[1:])
        halves = sum((v - u) * (p + q) for (u, p), (v, q) in pairs)
        return (halves + self.duals[0][1] + self.duals[-1][1]) // 2


def read(given: Any, place: str) -> list[Family]:
    """Return the families of rows of a node."""
    found: list[Family] = []
    if len(listed(given, place)) > MAX_FAMILIES:
        raise Refused(f"{place}: must be at most {MAX_FAMILIES} families, got {len(given)}")
    for i, entry in enumerate(given):
        where = f"{place}[{i}]"
        knots = isinstance(entry, dict) and "knots" in entry
        key = "knots" if knots else "duals"
        fields(entry, where, ("heights", key))
        heights = increasing(rows(entry["heights"], 2, f"{where}.heights"), 0, f"{where}.heights")
        duals = increasing(rows(entry[key], 2, f"{where}.{key}"), 1, f"{where}.{key}")
        if not heights or heights[0][0] > 0 or not duals:
            raise Refused(f"{where}: must have heights from 0 on, and duals")
        if knots and any((q - p) % (v - u) for (u, p), (v, q) in zip(duals, duals[1:])):
            raise Refused(f"{where}.knots: must have integers between them")
        if min(height for _, height in heights) < heights[-1][1]:
            raise Refused(f"{where}.heights: must not be below the last one")
        found.append(Family(heights, duals, knots))
    return found


def right_hand_sides(
    memory: int, types: Types, families: list[Family], last: int, budget: Budget
) -> int:
    """Return the sum of dual * right-hand side; the costs of all types are paid for."""
    for family in families:
        each = len(family.duals) + 2 + 4 * len(family.heights)
        budget.spend(sum(o * each for _, o in types))
    budget.spend(4 * (last + 2) * len(types) * bool(families))
    held = min(memory, sum(o for _, o in types))  # `known` has at most so many numbers of tokens
    budget.use(LARGE * sum(len(family.heights) + held for family in families))
    return sum(memory * family.low * family.sum() for family in families)


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
        a = coefficients(memory, s, o, family.heights, least)
        for u, dual in family.bends() if family.knots else family.duals:
            # Rounds to go 0, 1, ... are those of starts u - o, u - o + 1, ..., u - 1.
            sums = bent if family.knots else direct
            first = max(0, u - o)
            sums[first:u] = [c + dual * v for c, v in zip(sums[first:u], a[first - u + o :])]
    # c(t - 1) = c(t) + (c(t) - c(t + 1)) + the second difference at t, from t = last + 1 on.
    backwards = [0, *accumulate(accumulate(reversed(bent[1:])))]
    return [c + d for c, d in zip(direct[:-1], reversed(backwards))]


def coefficients(
    memory: int, s: int, o: int, heights: list[list[int]], known: dict[int, int]
) -> list[int]:
    """Return the a of a request with 0, 1, ..., o - 1 rounds to go.

    `known` has the minimum over all steps by tokens held, for requests that have far to go.
    """
    low = heights[-1][1]
    found = []
    for i, (first, height) in enumerate(heights):
        until = heights[i + 1][0] if i + 1 < len(heights) else o
        for r in range(first, min(until, o)):
            b = s + o - r
            if i + 1 < len(heights):
                least = min((b + x) * h for x, h in heights[: i + 1])
            else:
                if b not in known:
                    known[b] = min((b + x) * h for x, h in heights)
                least = known[b]
            found.append(max(0, least - memory * (height - low)))
    return found
