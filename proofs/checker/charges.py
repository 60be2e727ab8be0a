"""What completions cost in rule "batch-state", with or without release times."""

from __future__ import annotations

from bisect import bisect_right

from release_duals import Prices

NEVER = 10**99  # what a completion costs that cannot be


class Charges:
    """What completions cost: that of a type at t costs D t less a dual."""

    def __init__(self, kinds: list[tuple[int, int]], scale: int, prices: Prices, queues: Prices):
        self.scale = scale
        self.outputs = [output for _, output in kinds]
        self.prices = [prices[kind] for kind in kinds]
        self.queues = [queues[kind] for kind in kinds]  # of each (release, dual), by release
        self.most = [steps[-1][1] for steps in self.prices]
        self.latest = max(queue[-1][0] for queue in self.queues)

    def least(self, t: int, ranks: int, slack: int) -> list[int]:
        """Return the least that a completion of each of the first ranks may cost at a time."""
        found = []
        for output, steps in zip(self.outputs[:ranks], self.prices):
            before = bisect_right(steps, (t - output, NEVER))
            cost = self.scale * t - steps[before - 1][1] if before else NEVER
            found.append(cost if cost <= slack else NEVER)
        return found

    def by_number_left(self, t: int) -> list[list[int]]:
        """Return what a completion of each rank costs at a time, by how many are left."""
        return [
            [NEVER, *(self.scale * t - w if a + o <= t else NEVER for a, w in reversed(queue))]
            for o, queue in zip(self.outputs, self.queues)
        ]
