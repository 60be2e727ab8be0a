"""What a leaf of a certificate proves, in integers over all starts, as the checker computes it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from kvopt.model.instance import Instance
from kvopt.solver.relaxations.grid_program.families import Families, Heights, Knapsack
from kvopt.solver.relaxations.grid_program.kernel import GridFunctions

__all__ = ["ExactBound", "bends", "sum_of"]


class ExactBound:
    """Evaluates leaves of linear duals of one instance.

    Parameters
    ----------
    instance
        The instance.
    levels
        Levels of window covers that leaves may have.
    functions
        The kernel.
    """

    def __init__(self, instance: Instance, levels: list[int], functions: GridFunctions) -> None:
        self.families = Families(instance, levels, 1)
        self.counts = instance.request_types().counts.tolist()
        self.releases = np.array(instance.request_types().releases)  # writable, for the kernel
        self.functions = functions
        self._numbers: dict[Heights | Knapsack, int] = {((0, 1),): 0}

    def value(self, leaf: Mapping[str, Any], scale: int) -> int:
        """Return what a leaf with knots and covers proves, in multiples of 1 / scale.

        The numbers of each start must be less than 2 to the power of 62 in size; what is added up
        on the way to them may be more, as integers of 64 bits wrap around.
        """
        families = self.families
        rows: list[tuple[int, int, int, bool]] = []
        value = 0
        by_level = {each.level: f for f, each in enumerate(families.known) if each.level}
        for level, u, dual in leaf["covers"]:
            rows.append((by_level[level], u + 1, dual, False))
            value -= level * dual
        for entry in (*leaf.get("first_completion", ()), *leaf.get("knapsacks", ())):
            number = self._number(entry)
            knots = entry["knots"]
            rows += [(number, r, bend, True) for r, bend in bends(knots)]
            value -= families.known[number].limit * sum_of(knots)
        last = max((r for _, r, _, _ in rows), default=0)
        table = np.array([row[:3] for row in rows], dtype=np.int64).reshape(-1, 3)
        bent = np.array([row[3] for row in rows], dtype=np.bool_)
        least = np.empty(len(self.counts), dtype=np.int64)
        self.functions.least_costs(
            families.outputs,
            families.first,
            np.stack([family.values for family in families.known]),
            np.ascontiguousarray(table.T),
            bent,
            scale,
            self.releases,
            np.empty((2, last + 2), dtype=np.int64),
            least,
        )
        return int(value + sum(n * c for n, c in zip(self.counts, least.tolist(), strict=True)))

    def steps(self, leaf: Mapping[str, Any]) -> int:
        """Return how many steps the checker takes for a leaf with knots and covers, roughly."""
        heights, knapsacks = leaf.get("first_completion", ()), leaf.get("knapsacks", ())
        families = (*heights, *knapsacks)
        sizes = [len(each["knots"]) + 2 + 2 * len(each["heights"]) for each in heights]
        sizes += [len(each["knots"]) + 6 for each in knapsacks]
        last = max([each["knots"][-1][0] for each in families], default=0)
        last = max([last, *(u + 1 for _, u, _ in leaf["covers"])])
        levels = len({level for level, _, _ in leaf["covers"]})
        times = (last + 2) * len(self.counts)
        fitting = sum((each["limit"] + 2) * 6 * len(each["steps"]) for each in knapsacks)
        copies = max(self.counts)
        costs = sum(sizes) * int(self.families.outputs.sum()) + 4 * (1 + levels) * times
        return int(costs + copies * fitting)

    def _number(self, entry: Mapping[str, Any]) -> int:
        """Return the number of a family, made when it is first met."""
        rows: Heights | Knapsack
        if "heights" in entry:
            rows = tuple(map(tuple, entry["heights"]))
            if rows not in self._numbers:
                self._numbers[rows] = self.families.add(rows)
        else:
            rows = Knapsack(entry["limit"], tuple(map(tuple, entry["steps"])))
            if rows not in self._numbers:
                self._numbers[rows] = self.families.add_knapsack(rows)
        return self._numbers[rows]


def sum_of(knots: list[list[int]]) -> int:
    """Return the sum over all rounds of duals that are linear between knots, 0 outside."""
    halves = sum((v - u) * (p + q) for (u, p), (v, q) in itertools.pairwise(knots))
    return (halves + knots[0][1] + knots[-1][1]) // 2


def bends(knots: list[list[int]]) -> list[tuple[int, int]]:
    """Return (round, second difference) of duals that are linear between knots, 0 outside."""
    line = [[knots[0][0] - 1, 0], *knots, [knots[-1][0] + 1, 0]]
    slopes = [(q - p) // (v - u) for (u, p), (v, q) in itertools.pairwise(line)]
    changes = zip(line, [0, *slopes], [*slopes, 0], strict=True)
    return [(at, after - before) for (at, _), before, after in changes if after != before]
