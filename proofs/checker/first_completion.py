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

from budget import Budget
from instances import Types
from reading import Refused, fields, increasing, rows
from round_duals import RoundDuals, read_round_duals


class Heights(NamedTuple):
    """Rows of the same heights."""

    steps: list[list[int]]  # [x, H]
    duals: RoundDuals

    @property
    def size(self) -> int:
        """How many steps there are."""
        return len(self.steps)

    def right_hand_side(self, memory: int) -> int:
        """Return that of each row, M L."""
        return memory * self.steps[-1][1]

    def coefficients(self, memory: int, s: int, o: int, known: dict[int, int]) -> list[int]:
        """Return the a of a request with 0, 1, ..., o - 1 rounds to go."""
        return coefficients(memory, s, o, self.steps, known)


def read(entry: Any, memory: int, types: Types, budget: Budget, where: str) -> Heights:
    """Return the rows of an entry."""
    key = "knots" if isinstance(entry, dict) and "knots" in entry else "duals"
    fields(entry, where, ("heights", key))
    heights = increasing(rows(entry["heights"], 2, f"{where}.heights"), 0, f"{where}.heights")
    if not heights or heights[0][0] > 0:
        raise Refused(f"{where}: must have heights from 0 on")
    if min(height for _, height in heights) < heights[-1][1]:
        raise Refused(f"{where}.heights: must not be below the last one")
    return Heights(heights, read_round_duals(entry[key], key == "knots", f"{where}.{key}"))


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
