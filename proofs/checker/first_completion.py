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
"""

from __future__ import annotations

from typing import Any, NamedTuple

from instances import Types
from limits import MAX_BYTES
from reading import Refused, fields, increasing, listed, rows

MAX_FAMILIES = 10_000  # of a node
MAX_STEPS = 400_000_000  # elementary steps for the rows of a node


class Family(NamedTuple):
    """Rows of the same heights; the duals of the rounds between knots are interpolated."""

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

    def by_round(self, last: int) -> list[int]:
        """Return the dual of each round 0..last."""
        found = [0] * (last + 1)
        for u, dual in self.duals:
            found[u] = dual
        if self.knots:
            for (u, p), (v, q) in zip(self.duals, self.duals[1:]):
                for r in range(u + 1, v):
                    found[r] = p + (q - p) * (r - u) // (v - u)
        return found


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
        if min(height for _, height in heights) < heights[-1][1]:
            raise Refused(f"{where}.heights: must not be below the last one")
        found.append(Family(heights, duals, knots))
    return found


def costs(
    memory: int, types: Types, families: list[Family], last: int, place: str
) -> tuple[int, dict[tuple[int, int], list[int]]]:
    """Return the sum of dual * right-hand side, and the costs of starts 0..last of each type.

    The cost of a start at t is the sum over rounds u of its run of dual * a.  All of them come
    from one product of integers for each family and type, in fields of `width` bytes: one
    has the dual of u in field u, the other has the a of round j in field o - j, so field
    u + o - j = t + o of the product has the cost of t.
    """
    if not families:
        return 0, {}
    sums = [sum(family.by_round(last)) for family in families]
    total = sum(memory * family.low * p for family, p in zip(families, sums))
    # No a is above M H_0, as x = 0 is always among those of the minimum; the 1 are for zeros.
    top = sum(memory * (1 + f.heights[0][1]) * (1 + p) for f, p in zip(families, sums))
    width = top.bit_length() // 8 + 1
    if steps(types, families, last, width) > MAX_STEPS or len(families) * last * width > MAX_BYTES:
        raise Refused(f"{place}: takes too many steps to check")
    packed = [joined(family.by_round(last), width) for family in families]
    seen: list[dict[int, int]] = [{} for _ in families]
    found = {}
    for s, o in types:
        product = 0
        for family, row, known in zip(families, packed, seen):
            product += row * joined(coefficients(memory, s, o, family.heights, known), width)
        fields_of = product.to_bytes((last + 1 + o) * width, "little")
        found[s, o] = [
            int.from_bytes(fields_of[i : i + width], "little")
            for i in range(o * width, (last + 1 + o) * width, width)
        ]
    return total, found


def steps(types: Types, families: list[Family], last: int, width: int) -> int:
    """Return how many elementary steps the costs take, roughly; for a product what was measured."""
    found = 0
    for _, o in types:
        product = (last + 1) * o * width**2 // 2_500
        found += sum(3 * (last + o) + 2 * o * len(f.heights) + product for f in families)
    return found


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


def joined(values: list[int], width: int) -> int:
    """Return the integer with the values in its fields, the first one lowest."""
    return int.from_bytes(b"".join(value.to_bytes(width, "little") for value in values), "little")
