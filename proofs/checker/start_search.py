"""The search of rule "dominance", from time to time over what has started."""

from __future__ import annotations

from array import array
from typing import Any

from batch_table import BatchTable
from budget import Budget
from charges import Charges
from packing import packed
from pareto import Row, least
from reading import Refused
from usable_memory import UsableMemory, User

MOST_QUEUES = 5_000  # that are kept at a time

Running = tuple[tuple[int, int], ...]  # (completion time, rank) of each who runs
Node = tuple[int, tuple[int, ...], int, int, int, Running, tuple[int, ...]]
"""Sum of starts, who is left (by rank, and packed), profile, batch, who runs, what it has paid."""


class Search:
    """A search for a schedule that costs less than a bound.

    Who is left of the kinds (prompt, output), by rank, is a tuple; packed it has a field for each
    kind, that holds how many are left of its prompt and at least its output.
    """

    def __init__(
        self,
        memory: int,
        kinds: list[tuple[int, int]],
        table: BatchTable,
        charges: list[Charges],
        begins: list[int],
        rows: list[dict[int, array[int]]],
        usable: bool,
        budget: Budget,
    ) -> None:
        self.kinds, self.table, self.budget = kinds, table, budget
        self.charges, self.begins, self.rows = charges, begins, rows
        self.scale = charges[0].scale
        self.width, _, self.tops, self.spare, self.shapes = packed(memory, kinds, budget)
        self.usable = UsableMemory(memory, kinds[0][0], self.width, budget) if usable else None
        self.releases = [[a for a, _ in queue] for queue in charges[0].queues]
        self.latest = charges[0].latest
        field = sum(map(len, self.releases)).bit_length() + 1
        places = range(0, field * len(kinds), field)
        self.unit = [  # what one who is left of a rank adds to the fields
            sum(1 << q for q, (s, o) in zip(places, kinds) if (s, o <= own) == (prompt, True))
            for prompt, own in kinds
        ]
        self.guards = sum(1 << (q + field - 1) for q in places)
        self.duals = [[w for queue in one.queues for _, w in queue] for one in charges]
        # What copying or adding takes besides, and the bytes of a node's numbers.
        bits = self.tops.bit_length() + self.guards.bit_length()
        self.wide = (bits + 32 * len(kinds)) // 500 + table.at_once // 10
        self.size = 16 * len(kinds) + 8 * table.at_once + bits // 7

    def run(self, low: int, horizon: int, limit: int) -> None:
        """Refuse if there is a schedule that costs less than `low`, or by too many nodes."""
        counts = tuple(map(len, self.releases))
        everyone = sum(n * unit for n, unit in zip(counts, self.unit))
        outputs = sum(n * o for n, (_, o) in zip(counts, self.kinds))
        totals = tuple(map(sum, self.duals))
        nodes: list[Node] = [(0, counts, everyone, 0, 0, (), totals)]
        t = looked_at = 0
        while nodes:
            following = []
            self.budget.spend(30 * len(self.kinds))
            coming = [sum(a > t for a in own) for own in self.releases]
            for node in nodes:
                following += self.choices(node, t, coming)
                self.budget.use((900 + self.size + 40 * len(totals)) * len(following))
            t += 1
            if any(not any(node[1]) and node[0] + outputs < low for node in following):
                late = sum(map(sum, self.releases))
                raise Refused(f"lower_bound: is {low - late}, a schedule costs less")
            following = [node for node in following if any(node[1])]
            used = [j for j, begin in enumerate(self.begins) if begin <= t][-2:]
            most = self.scale * (low - 1)
            for j in used:
                self.budget.spend(4 * len(following))
                if t >= horizon:
                    following = [node for node in following if node[6][j] <= most]
                else:
                    row = self.rows[j][t]
                    following = [node for node in following if node[6][j] + row[node[4]] <= most]
            nodes = self.needed(following, t)
            looked_at += len(nodes)
            if looked_at > limit:
                raise Refused(f"proof.nodes: the search takes more than {limit}")

    def choices(self, node: Node, t: int, coming: list[int]) -> list[Node]:
        """Return the nodes at t + 1 that follow from one at t."""
        starts, counts, left, profile, batch, running, paid = node
        found = [(counts, left, profile, running)]
        for rank, (number, ahead) in enumerate(zip(counts, coming)):
            if number > ahead:
                found += self.started(found, rank, number - ahead, t)
        self.budget.spend(8 * len(counts) + (40 + self.wide) * len(found))
        self.budget.use((700 + self.size) * len(found))
        after = self.table.aged[batch]
        following = []
        for counts, left, profile, running in found:
            if not profile and t >= self.latest:
                continue  # an idle round
            now, number = after, len(running) - len(node[5])
            for _, rank in running[len(running) - number :]:
                now = self.table.admitted[rank][now]
            rest, spent = tuple(one for one in running if one[0] > t + 1), paid
            self.budget.spend(len(running))
            if len(rest) < len(running):
                now, spent = self.completed(running, t + 1, now, counts, paid)
            sum_of_starts = starts + number * t
            following.append((sum_of_starts, counts, left, profile >> self.width, now, rest, spent))
        return following

    def started(self, found: list[Any], rank: int, most: int, t: int) -> list[Any]:
        """Return what follows from choices if 1 to `most` of a rank start as well."""
        more = []
        shape, unit, end = self.shapes[rank], self.unit[rank], (t + self.kinds[rank][1], rank)
        for counts, left, profile, running in found:
            for _ in range(most):
                profile += shape
                if (profile + self.spare) & self.tops:
                    break
                counts = (*counts[:rank], counts[rank] - 1, *counts[rank + 1 :])
                left -= unit
                running = (*running, end)
                more.append((counts, left, profile, running))
        self.budget.spend((2 + self.wide) * len(found) + (10 + self.wide) * len(more))
        self.budget.use((400 + self.size) * (len(found) + len(more)))
        return more

    def completed(
        self,
        running: Running,
        t: int,
        batch: int,
        counts: tuple[int, ...],
        paid: tuple[int, ...],
    ) -> tuple[int, tuple[int, ...]]:
        """Return the batch after the completions of a time, and what has been paid."""
        unfinished: dict[int, int] = {}
        for _, rank in running:
            unfinished[rank] = unfinished.get(rank, 0) + 1
        self.budget.spend(8 * len(running))
        for end, rank in running:
            if end == t:
                batch = self.table.without[batch][rank]
                # Those of a rank start, and so complete, by release.
                number = len(self.releases[rank]) - counts[rank] - unfinished[rank]
                unfinished[rank] -= 1
                self.budget.spend(20 + 6 * len(paid))
                gains = [one.queues[rank][number][1] for one in self.charges]
                paid = tuple(cost + self.scale * t - w for cost, w in zip(paid, gains))
        return batch, paid

    def needed(self, nodes: list[Node], t: int) -> list[Node]:
        """Return the nodes that no other makes superfluous.

        Of nodes with the same requests left and the same profile one with the least sum of starts
        makes the others superfluous, so only that one is compared.
        """
        unreleased = [sum(a > t for a in own) for own in self.releases]
        late = sum(n * unit for n, unit in zip(unreleased, self.unit))
        longest = max(output for _, output in self.kinds)
        coming = [
            (*kind, a - t, 1)
            for kind, own in zip(self.kinds, self.releases)
            for a in own
            if t < a < t + longest
        ]
        cheapest: dict[tuple[int, int], int] = {}
        for i, node in enumerate(nodes):
            other = cheapest.setdefault(node[2:4], i)
            if node[0] < nodes[other][0]:
                cheapest[node[2:4]] = i
        self.budget.spend(6 * len(nodes))
        self.budget.use(200 * len(nodes))
        rows: list[Row] = []
        queues: dict[tuple[tuple[int, ...], int], tuple[list[User], int]] = {}
        for i in cheapest.values():
            starts, counts, left, profile, _, _, _ = nodes[i]
            rounds = profile.bit_length() // self.width + 1
            known = queues.get((counts, rounds))
            if known is None:
                if len(queues) == MOST_QUEUES:
                    queues.clear()
                self.budget.use(200 * (len(counts) + len(coming)) * (len(queues) + 1))
                known = queues[counts, rounds] = self.users(counts, unreleased, coming, rounds)
            users, waiting = known
            self.budget.spend(10 + self.wide)
            full = profile if self.usable is None else self.usable.filled(profile, users)
            rows.append((starts + t * waiting, left - late, profile, full, i))
        kept = least(rows, self.guards, self.tops, self.budget)
        return [nodes[i] for i in kept]

    def users(
        self, counts: tuple[int, ...], unreleased: list[int], coming: list[User], rounds: int
    ) -> tuple[list[User], int]:
        """Return who may use memory in so many rounds, by output, and how many wait."""
        self.budget.spend(20 + 8 * len(counts) + 8 * len(coming))
        waiting = [
            (*kind, 0, number - ahead)
            for kind, number, ahead in zip(self.kinds, counts, unreleased)
            if number > ahead
        ]
        users = sorted(waiting + [one for one in coming if one[2] < rounds])
        return users, sum(count for _, _, _, count in waiting)
