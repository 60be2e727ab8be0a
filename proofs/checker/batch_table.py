"""All batches of an instance: multisets of (tokens, prompt) of those who run together."""

from __future__ import annotations

from array import array

from budget import Budget
from charges import NEVER, Charges
from reading import Refused

MAX_BATCHES = 400_000
MAX_COST = 2**60

Batch = tuple[tuple[int, int], ...]


class BatchTable:
    """The batches, numbered; the empty one is number 0, and larger ones come later.

    Attributes
    ----------
    aged
        Each batch a round later, without admissions; -1 if that cannot be.
    admitted
        For each rank of (prompt, output): each batch with one more in its first round, or -1.
    joining
        All pairs (batch, the batch with one more in its first round), the largest first.
    done
        For each batch: (the batch after a completion, rank), for all who may complete.
    without
        The same as a dictionary by rank.
    completions
        How many of these there are.
    at_once
        How many run in the largest batch.
    running, rooms
        For each batch: how many run, and what memory is left.
    """

    def __init__(self, memory: int, kinds: list[tuple[int, int]], budget: Budget) -> None:
        """Find all batches."""
        longest: dict[int, int] = {}
        for prompt, output in kinds:
            longest[prompt] = max(longest.get(prompt, 0), output)
        budget.spend(5 * sum(longest.values()))
        budget.use(200 * sum(longest.values()))
        members = sorted((s + 1 + j, s) for s, o in longest.items() for j in range(o))
        ranks = {(s + o, s): rank for rank, (s, o) in enumerate(kinds)}
        batches: list[Batch] = [()]
        rooms, lasts = [memory], [0]
        at = 0
        while at < len(batches):
            budget.spend(20)
            for i in range(lasts[at], len(members)):
                tokens, _ = members[i]
                if tokens > rooms[at]:
                    break
                budget.spend(60 + 6 * len(batches[at]))
                budget.hold(900 + 150 * len(batches[at]))
                batches.append((*batches[at], members[i]))
                rooms.append(rooms[at] - tokens)
                lasts.append(i)
            if len(batches) > MAX_BATCHES:
                raise Refused(f"proof: the instance has more than {MAX_BATCHES} batches")
            at += 1
        budget.spend((8 * len(batches) + 2 * sum(map(len, batches))) * len(longest))
        budget.hold(8 * len(batches) * len(longest))
        number = {batch: i for i, batch in enumerate(batches)}
        ends = {(s + o, s) for s, o in longest.items()}
        self.aged = [
            -1 if ends & set(batch) else number.get(tuple((b + 1, s) for b, s in batch), -1)
            for batch in batches
        ]
        by_prompt = {
            s: [number.get(tuple(sorted((*batch, (s + 1, s)))), -1) for batch in batches]
            for s in longest
        }
        self.admitted = [by_prompt[s] for s, _ in kinds]
        self.joining = [
            (i, row[i])
            for i in range(len(batches) - 1, -1, -1)
            for row in by_prompt.values()
            if row[i] >= 0
        ]
        self.without = [
            {
                ranks[one]: number[(*batch[:j], *batch[j + 1 :])]
                for j, one in enumerate(batch)
                if one in ranks and one not in batch[j - 1 : j]  # those alike once
            }
            for batch in batches
        ]
        self.done = [[(rest, rank) for rank, rest in one.items()] for one in self.without]
        self.completions = sum(map(len, self.done))
        self.running, self.rooms = list(map(len, batches)), rooms
        self.at_once = self.running[-1]

    def least_begun(self, starting: list[int]) -> int:
        """Return the least cost of a batch that is not empty, of those that begin now."""
        return min(starting[row[0]] for row in self.admitted)


def costs_to_go(
    table: BatchTable, charges: Charges, horizon: int, begin: int, end: int, budget: Budget
) -> dict[int, array[int]]:
    """Return the costs-to-go of all batches before the completions of each time begin..end - 1."""
    size = len(table.aged)
    budget.hold(max(0, min(end, horizon) - begin) * (200 + 8 * size))
    after = [0] * size
    kept = {}
    for t in range(horizon - 1, max(begin, 1) - 1, -1):
        budget.spend(4 * size + table.completions + 10 * len(charges.most))
        starting = after
        for one, larger in table.joining:  # the largest first
            if starting[larger] < starting[one]:
                starting[one] = starting[larger]
        begun = starting[0] if t < charges.latest else table.least_begun(starting)
        gains = charges.least(t, len(charges.most), NEVER - 1)
        row = [min(0, begun)]
        for aged, done in zip(table.aged[1:], table.done[1:]):
            best = starting[aged] if aged >= 0 else MAX_COST
            for rest, rank in done:
                if (through := row[rest] + gains[rank]) < best:
                    best = through
            row.append(best)
        if t < end:
            kept[t] = array("q", row)
        after = row
    return kept
