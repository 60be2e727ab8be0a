"""What is decided above a node of a tree of event-order: states, gaps, ends and heads."""

from __future__ import annotations

from typing import Any

from budget import Budget
from instances import Group

BEFORE, RUNNING, AFTER = range(3)

Part = tuple[str, int, int, int]
"""("at", k, j, state) or ("start", i, t, side); states and sides are numbered as they follow."""


class Path:
    """What the decisions above a node say of each request and each pair of them.

    `heads` are None where the part is empty.  What a part changes is undone on the way back.
    """

    def __init__(self, requests: list[Group], budget: Budget) -> None:
        self.outputs = [group.output for group in requests]
        self.budget = budget
        self.gaps: list[dict[int, int]] = [{} for _ in requests]  # of a: b, and d of p_b - p_a >= d
        self.states: dict[tuple[int, int], int] = {}  # of (k, j)
        self.ends: dict[int, int] = {}
        self.heads: list[int] | None = [group.release for group in requests]
        self.undo: list[tuple[dict[Any, int], Any, int | None]] = []
        last: dict[tuple[int, int, int], int] = {}
        for i, (prompt, output, release, _) in enumerate(requests):
            if (prompt, output, release) in last:
                self.gaps[last[prompt, output, release]][i] = 0
            last[prompt, output, release] = i

    def put(self, table: dict[Any, int], key: Any, value: int) -> None:
        """Set an entry until it is undone."""
        self.undo.append((table, key, table.get(key)))
        table[key] = value

    def back(self, length: int, heads: list[int] | None) -> None:
        """Undo all but so many changes; the heads were these."""
        while len(self.undo) > length:
            table, key, old = self.undo.pop()
            if old is None:
                del table[key]
            else:
                table[key] = old
        self.heads = heads

    def enter(self, part: Part) -> None:
        """Add what one part of a node says."""
        asked, k, j, number = part
        if asked == "start" and number == 0:
            self.put(self.ends, k, min(j, self.ends.get(k, j)))
        elif asked == "start":
            if self.heads is not None and self.heads[k] <= j:
                self.raise_head(k, j + 1, -1)
        else:
            self.put(self.states, (k, j), number)
            mine, others = self.outputs[j], self.outputs[k]
            if number == BEFORE:
                self.add_gap(k, j, others - mine + 1)
            elif number == RUNNING:
                self.add_gap(k, j, 1 - mine)
                self.add_gap(j, k, mine - others)
            else:
                self.add_gap(j, k, mine)

    def add_gap(self, a: int, b: int, d: int) -> None:
        """Add p_b - p_a >= d."""
        if d <= self.gaps[a].get(b, d - 1):
            return
        self.put(self.gaps[a], b, d)
        if self.heads is not None and self.heads[a] + d > self.heads[b]:
            self.raise_head(b, self.heads[a] + d, a)

    def raise_head(self, i: int, head: int, source: int) -> None:
        """Raise a head and all that follow from it; the part is empty if `source` is among them.

        Without the gap that is new, from `source` to i, there is a solution.  So if there is none
        now, that gap is on a cycle of gaps with a sum above 0, which raises `source`.
        """
        heads = (self.heads or []).copy()
        heads[i] = head
        queue, waiting = [i], {i}
        for a in queue:
            self.budget.spend(10 + 3 * len(self.gaps[a]))
            waiting.remove(a)
            for b, d in self.gaps[a].items():
                if heads[a] + d > heads[b]:
                    if b == source:
                        self.heads = None
                        return
                    heads[b] = heads[a] + d
                    if b not in waiting:
                        waiting.add(b)
                        queue.append(b)
        self.heads = heads
