"""The batches of rule "batch-state", found and numbered as they are met."""

from __future__ import annotations

from budget import Budget

Batch = tuple[tuple[int, int], ...]  # (tokens, prompt) of each that runs, ascending


class Batches:
    """The batches that have been met, numbered; the empty one is number 0.

    Types have ranks: those with the largest duals, which may complete longest, come first.
    """

    def __init__(self, memory: int, kinds: list[tuple[int, int]], budget: Budget) -> None:
        self.memory, self.budget = memory, budget
        self.ready = [(s + o, s) for s, o in kinds]  # those who may complete, by rank
        self.ranks = {state: k for k, state in enumerate(self.ready)}
        self.number: dict[Batch, int] = {(): 0}
        self.batches: list[Batch] = [()]
        self.running = [0]  # how many
        self.room = [memory]
        self.before = [0]  # the batch before the round that led to it
        self.after: list[list[int]] = [[]]  # batches that a round leads to, with any admissions
        self.grown: list[list[tuple[int, int]]] = [[]]  # (batch with one more who is ready, rank)
        self.tried = [0]  # ranks up to which `grown` is complete

    def numbered(self, batch: Batch) -> int:
        """Return the number of a batch; if it is new, number it, and those before it."""
        chain = []
        while batch not in self.number:
            chain.append(batch)
            self.budget.spend(40 + 16 * len(batch))
            self.budget.hold(700 + 100 * len(batch))
            # Whoever is in the first round has been admitted before it.
            batch = tuple((b - 1, s) for b, s in batch if b > s + 1)
        before = self.number[batch]
        for batch in reversed(chain):
            new = self.number[batch] = len(self.batches)
            self.batches.append(batch)
            self.running.append(len(batch))
            self.room.append(self.memory - sum(b for b, _ in batch))
            self.before.append(before)
            self.after[before].append(new)
            self.after.append([])
            self.grown.append([])
            self.tried.append(0)
            before = new
        return before

    def more(self, one: int, ranks: int) -> list[tuple[int, int]]:
        """Return the batches with one more who is ready to complete, of the first ranks or more."""
        if (tried := self.tried[one]) < ranks:
            batch, room = self.batches[one], self.room[one]
            self.budget.spend(ranks - tried)
            for rank in range(tried, ranks):
                state = self.ready[rank]
                if state[0] <= room:
                    more = self.numbered(tuple(sorted((*batch, state))))
                    self.grown[one].append((more, rank))
            self.tried[one] = ranks
        return self.grown[one]

    def fewer(self, one: int) -> list[tuple[int, int]]:
        """Return (batch after a completion, rank of its type) for each that may complete."""
        batch = self.batches[one]
        states = {state: j for j, state in enumerate(batch) if state in self.ranks}
        rests = [(batch[:j] + batch[j + 1 :], self.ranks[state]) for state, j in states.items()]
        return [(self.number[rest], rank) for rest, rank in rests if rest in self.number]
