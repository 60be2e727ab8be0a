"""A complete tree as the object "proof" of a certificate, in integers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.solver.event_order.linear_program import (
    AREA,
    BEFORE,
    COVERS,
    END,
    GAP,
    MEMORY,
    PRICE,
    RUNNING,
    START,
    Requests,
    requests_of,
    windows_of,
)
from kvopt.solver.event_order.prices import Prices, least_cost
from kvopt.solver.event_order.records import (
    AT,
    LOST,
    RECORDS,
    SPLIT,
    Tree,
    open_root,
    parts_of,
    tree_for,
)
from kvopt.solver.event_order.search_kernel import DONE, EVENT_ORDER, enter_path, room_for
from kvopt.solver.stage import Bound

__all__ = ["proof_of"]

RULE = "event-order"

Decision = tuple[int, int, int, int]
"""AT or SPLIT, its two numbers, and the part."""

MOST_BYTES = 18_500_000
"""The checker reads no file that is longer than 20 MB."""

FINE = 14
"""Multipliers have so many bits more than a bound by areas, or by prices, in its units."""

SAMPLE, LEAST_BITS, STEP_OF_BITS = 600, 20, 2
"""Of so many leaves it is tried with how few bits they reach what is wanted."""

SPARE_BITS, MORE_BITS = 4, 8
"""All leaves have so many bits more, and more again while one of them falls short."""

MARGINS = (0.02, 0.1, 0.3)
"""By so much more than 1 less than what is wanted a leaf is to reach that is searched again."""

MORE_DEPTH, MORE_SPLITS, MORE_RECORDS, PIVOTS, TRIALS = 100, 60, 3_000, 200, 4
"""A leaf that is searched again may take so many decisions more, splits of starts among them,
nodes, and pivots and pairs at each."""

LARGEST = 10**39
"""The checker reads no number with more than 40 digits."""

ATTEMPTS = 8
"""So often duals are made smaller until their sums are within their limits."""


def proof_of(
    instance: Instance,
    tree: Tree,
    records: int,
    target: int,
    stop: Stopping,
    prices: Sequence[Prices] = (),
) -> Bound | None:
    """Return the bound of a complete tree with its proof.

    Parameters
    ----------
    instance
        The instance.
    tree, records
        What was written down, and how many nodes of it.
    target
        What it is to prove (rounds).
    stop
        Leaves that take exact duals or a search take milliseconds each, so it looks at the time at
        each one.  The nodes that it counts do not matter any more.
    prices
        Those that the search had.

    Returns
    -------
    Bound or None
        The target, or somewhat less if a leaf falls short of it whatever is tried, 0 if one gives
        no bound; None if it takes too long, or would be too long for the checker.
    """
    wanted = target - instance.total_output + instance.total_release  # the sum of starts
    leaves = _Leaves(instance, prices)
    requests, most = requests_of(instance, prices), leaves.bits(wanted)
    bits = min(most, leaves.enough_bits(tree, records, wanted) + SPARE_BITS)
    best: tuple[list[dict[str, Any]], int, int] | None = None
    while best is None or (best[1] < wanted and bits < most):
        if best is not None:
            bits = min(most, bits + MORE_BITS)
        written = _Writer(leaves, requests, wanted, bits, stop).tree(tree, records)
        if written is None:
            break
        if best is None or written[1] > best[1]:
            best = (*written, bits)
    if best is None:
        return None
    content, least, bits = best
    bound = least + instance.total_output - instance.total_release
    if bound <= 0:
        return Bound(0, RULE)
    proof: dict[str, Any] = {"rule": RULE, "scale": 1 << bits, "tree": content}
    if prices:
        proof["prices"] = [each.leaf for each in prices]
    return Bound(bound, RULE, proof)


def decisions_above(tree: Tree, number: int) -> list[Decision]:
    """Return the decisions above a node, the first one first."""
    found = []
    parent, part = tree.nodes[number, 3:5].tolist()
    while parent >= 0:
        kind, a, b, above, its_part, _ = tree.nodes[parent].tolist()
        found.append((kind, a, b, part))
        parent, part = above, its_part
    return found[::-1]


class Said(NamedTuple):
    """What the decisions above a leaf say."""

    heads: list[int]
    """No start is earlier (rounds)."""
    gaps: dict[tuple[int, int], int]
    """For pairs (a, b) the largest d with p_b - p_a >= d (rounds)."""
    ends: dict[int, int]
    """The latest starts (rounds), where there are any."""
    running: set[tuple[int, int]]
    """Pairs (k, j) such that k runs at the completion of j."""

    def has(self, row: Sequence[int]) -> bool:
        """Tell whether a row follows from that."""
        kind, a, b, c = row
        if kind == GAP:
            return self.gaps.get((a, b), c - 1) >= c
        if kind == END:
            return self.ends.get(a, b + 1) <= b
        if kind == MEMORY:
            return all((k, a) in self.running for k in _members(b))
        if kind == AREA:
            return all(self.heads[k] >= b for k in _members(a))
        return True


class _Writer:
    """Writes trees down, and searches on where a leaf falls short.

    Parameters
    ----------
    leaves
        Those of the instance.
    requests
        The same for the search.
    wanted
        The sum of starts that is to be proved (rounds).
    bits
        How many bits multipliers have behind the point.
    stop
        How long it may take.
    """

    def __init__(
        self,
        leaves: _Leaves,
        requests: Requests,
        wanted: int,
        bits: int,
        stop: Stopping,
    ) -> None:
        self.leaves, self.requests = leaves, requests
        self.wanted, self.bits, self.stop = wanted, bits, stop
        self.size = 0

    def tree(
        self,
        tree: Tree,
        records: int,
        above: Sequence[Decision] = (),
        margins: Sequence[float] = MARGINS,
    ) -> tuple[list[dict[str, Any]], int] | None:
        """Return the nodes of a tree in preorder, and the sum of starts that it proves.

        Parameters
        ----------
        tree, records
            What was written down, and how many nodes of it.
        above
            What is decided above its root.
        margins
            By how much more than is wanted is tried to be proved where a leaf falls short.

        Returns
        -------
        tuple or None
            None if it takes too long, or would be too long for the checker.
        """
        parts = parts_of(tree, records)
        content, least = [], self.wanted
        decided = list(above)
        todo: list[tuple[int, int, tuple[Decision, ...]]] = [(0, len(decided), ())]
        while todo:
            number, depth, decision = todo.pop()
            decided[depth:] = decision
            kind, a, b, _, _, leaf = tree.nodes[number].tolist()
            self.size += 16
            if kind in (AT, SPLIT):
                content.append({"at": [a, b]} if kind == AT else {"start": [a, b]})
                todo += [
                    (int(parts[number, part]), len(decided), ((kind, a, b, part),))
                    for part in reversed(range(3 if kind == AT else 2))
                ]
            elif leaf < 0:
                content.append({"rows": []})
            elif self.stop.late() or self.size > MOST_BYTES:
                return None
            else:
                said = self.leaves.said(decided)
                nodes, value = self.leaf(tree.rows[leaf], tree.duals[leaf], said)
                if value < self.wanted:
                    nodes, value = max(
                        (nodes, value), self.again(decided, margins), key=lambda found: found[1]
                    )
                content += nodes
                least = min(least, value)
        return content, least

    def leaf(self, rows: Any, duals: Any, said: Said | None) -> tuple[list[dict[str, Any]], int]:
        """Return the only node of a leaf, and the sum of starts that it proves."""
        if said is None:
            return [{"rows": []}], self.wanted
        found, value = self.leaves.leaf(rows, duals, said, self.bits, self.wanted)
        self.size += len(json.dumps(found, separators=(",", ":")))
        return [{"rows": found}], value

    def again(
        self, decided: Sequence[Decision], margins: Sequence[float]
    ) -> tuple[list[dict[str, Any]], int]:
        """Search a leaf again, from its path alone; return its nodes and what they prove.

        The duals of a long search are less exact than those of a short one, and a leaf that
        reaches just what is wanted has less room for them than one that reaches more.
        """
        best: tuple[list[dict[str, Any]], int] = ([], -1)
        for number, margin in enumerate(margins):
            tree, records = self.searched(decided, margin)
            if records == 0:
                continue
            size = self.size
            found = self.tree(tree, records, decided, margins[number + 1 :])
            if found is None:
                break
            if found[1] > best[1]:
                best = found
            if best[1] >= self.wanted:
                break
            self.size = size
        return best

    def searched(self, decided: Sequence[Decision], margin: float) -> tuple[Tree, int]:
        """Return a tree below some decisions and its records, 0 if the search does not end."""
        n, depths = len(self.leaves.outputs), len(decided) + MORE_DEPTH
        tree, room = tree_for(n, MORE_RECORDS), room_for(n, depths)
        enter_path(room, decided)
        cut = self.wanted - 1 + margin
        splits = MORE_SPLITS + sum(kind == SPLIT for kind, *_ in decided)
        open_nodes = open_root(n, self.wanted, cut, depths, len(decided), splits)
        end = EVENT_ORDER.compiled(self.stop).explore(
            self.requests, open_nodes, tree, room, MORE_RECORDS, PIVOTS, TRIALS, margin
        )
        whole = end == DONE and not open_nodes.numbers[LOST]
        return tree, int(open_nodes.numbers[RECORDS]) if whole else 0


class _Leaves:
    """Leaves of one instance, in integers."""

    def __init__(self, instance: Instance, prices: Sequence[Prices] = ()) -> None:
        self.memory, self.prices = instance.memory, prices
        self.prompts, self.outputs = instance.prompts.tolist(), instance.outputs.tolist()
        self.releases: list[int] = instance.releases.tolist()
        pairs = list(zip(self.prompts, self.outputs, strict=True))
        volumes = np.array([s * o + o * (o + 1) // 2 for s, o in pairs], dtype=object)
        moments = [s * o * (o + 1) // 2 + o * (o + 1) * (2 * o + 1) // 6 for s, o in pairs]
        self.areas = {0: (volumes, moments)}  # of memory and, by level, window covers
        for m in COVERS:
            windows = windows_of(instance, m).astype(object)
            self.areas[m] = (windows, [d * (d + 1) // 2 for d in windows])
        self.twins: dict[tuple[int, int], int] = {}
        last: dict[tuple[int, int, int], int] = {}
        for i, kind in enumerate(zip(self.prompts, self.outputs, self.releases, strict=True)):
            if kind in last:
                self.twins[last[kind], i] = 0
            last[kind] = i

    def bits(self, wanted: int) -> int:
        """Return how many bits multipliers have behind the point."""
        bits = int(self.areas[0][0].max()).bit_length() + wanted.bit_length()
        return FINE + max([bits, *(each.limit.bit_length() for each in self.prices)])

    def enough_bits(self, tree: Tree, records: int, wanted: int) -> int:
        """Return the fewest bits that are enough for a sample of the leaves of a tree."""
        most = self.bits(wanted)
        with_rows = np.flatnonzero(tree.nodes[:records, 5] >= 0)
        sample = []
        for number in with_rows[:: 1 + len(with_rows) // SAMPLE].tolist():
            said = self.said(decisions_above(tree, number))
            leaf = int(tree.nodes[number, 5])
            duals = [Fraction(dual) for dual in tree.duals[leaf].tolist()]
            rows = tree.rows[leaf].tolist()
            if said is not None and self.rounded(rows, duals, said, most)[1] >= wanted:
                sample.append((rows, duals, said))
        for bits in range(LEAST_BITS, most, STEP_OF_BITS):
            if all(self.rounded(*each, bits)[1] >= wanted for each in sample):
                return bits
        return most

    def said(self, decided: Sequence[Decision]) -> Said | None:
        """Return what some decisions say; None if no starts satisfy it."""
        outputs = self.outputs
        said = Said(list(self.releases), dict(self.twins), {}, set())

        def gap(a: int, b: int, distance: int) -> None:
            said.gaps[a, b] = max(distance, said.gaps.get((a, b), distance))

        for kind, k, j, part in decided:
            if kind == SPLIT and part == 0:
                said.ends[k] = min(j, said.ends.get(k, j))
            elif kind == SPLIT:
                said.heads[k] = max(said.heads[k], j + 1)
            elif part == BEFORE:
                gap(k, j, outputs[k] - outputs[j] + 1)
            elif part == RUNNING:
                gap(k, j, 1 - outputs[j])
                gap(j, k, outputs[j] - outputs[k])
                said.running.add((k, j))
            else:
                gap(j, k, outputs[j])
        heads = said.heads
        for _ in range(len(heads) + 1):
            changed = False
            for (a, b), distance in said.gaps.items():
                if heads[a] + distance > heads[b]:
                    heads[b] = heads[a] + distance
                    changed = True
            if not changed:
                return said
        return None

    def leaf(
        self, rows: Any, duals: Any, said: Said, bits: int, wanted: int
    ) -> tuple[list[list[Any]], int]:
        """Return rows with integer multipliers, and the sum of starts that they prove.

        The duals are made integers; where that proves less than `wanted`, they are computed anew
        from the rows, exactly, if there are no prices among them.
        """
        given = rows.tolist()
        for row in given:
            if row[0] == START:
                row[2] = said.heads[row[1]]
        found = self.rounded(given, [Fraction(dual) for dual in duals.tolist()], said, bits)
        if found[1] < wanted:
            again = self.exact(given, duals[-1] > 0, wanted)
            if again is not None:
                found = max(found, self.rounded(given, again, said, bits), key=lambda each: each[1])
        return found

    def rounded(
        self, rows: list[list[int]], duals: list[Fraction], said: Said, bits: int
    ) -> tuple[list[list[Any]], int]:
        """Return rows with multiples of 1 / 2^bits as duals, and the sum of starts they prove.

        Rows that are not said above the leaf are left out.
        """
        scale, heads = 1 << bits, said.heads
        kept = [
            (row, *self.coefficients(row), dual)
            for row, dual in zip(rows, duals, strict=True)
            if dual > 0 and row[0] not in (START, PRICE) and said.has(row)
        ]
        shrunk = scale
        for _ in range(ATTEMPTS):
            multipliers = [
                dual.numerator * shrunk // (dual.denominator * area) for *_, area, dual in kept
            ]
            if max(multipliers, default=0) > LARGEST:
                return [], 0
            sums = [0] * len(heads)
            value = 0
            for (_, column, right, *_), y in zip(kept, multipliers, strict=True):
                value += y * right
                for i, a in column:
                    sums[i] += y * a
            if max(sums) <= scale:
                break
            shrunk = shrunk * scale // max(sums) - 1
        else:
            return [], 0
        written = [
            [y, *self.written(row)] for (row, *_), y in zip(kept, multipliers, strict=True) if y
        ]
        priced = self.priced(rows, duals, scale)
        written += [[y, "price", k] for k, y in priced.items()]
        value -= sum(y * self.prices[k].limit for k, y in priced.items())
        value += sum(
            least_cost(self.prices, priced, i, scale - c, h)
            for i, (c, h) in enumerate(zip(sums, heads, strict=True))
        )
        return written, -(-value // scale)

    def priced(self, rows: list[list[int]], duals: list[Fraction], scale: int) -> dict[int, int]:
        """Return the multipliers of the prices in a leaf."""
        total: dict[int, Fraction] = {}
        for (kind, k, *_), dual in zip(rows, duals, strict=True):
            if kind == PRICE and dual > 0:
                total[k] = total.get(k, Fraction(0)) + dual
        found = {k: int(dual * scale / self.prices[k].scale) for k, dual in total.items()}
        return {k: y for k, y in sorted(found.items()) if 0 < y <= LARGEST}

    def exact(self, rows: list[list[int]], empty: bool, wanted: int) -> list[Fraction] | None:
        """Return the duals of a basis, and so much of the last row that it proves `wanted`.

        Parameters
        ----------
        rows
            The basis, and one more row.
        empty
            Whether that row and the basis have no solution.

        Returns
        -------
        list or None
            The duals; None if there are none, or rows of prices, whose columns nobody has kept.
        """
        n = len(self.outputs)
        if any(row[0] == PRICE for row in rows):
            return None
        columns = [self.coefficients(row) for row in rows]
        table = [[Fraction(0)] * (n + 2) for _ in range(n)]
        for q, (column, _, area) in enumerate(columns):
            for i, a in column:
                table[i][q if q < n else n + 1] += Fraction(a, area)
        for line in table:
            line[n] = Fraction(1)
        for q in range(n):
            at = next((i for i in range(q, n) if table[i][q]), None)
            if at is None:
                return None
            table[q], table[at] = table[at], table[q]
            table[q] = [x / table[q][q] for x in table[q]]
            for i in range(n):
                if i != q and table[i][q]:
                    factor = table[i][q]
                    table[i] = [x - factor * y for x, y in zip(table[i], table[q], strict=True)]
        duals = [line[n] for line in table]
        right = [Fraction(value, area) for _, value, area in columns]
        more = Fraction(0)
        if empty:
            ray = [line[n + 1] for line in table]
            gain = right[n] - sum(r * d for r, d in zip(right, ray, strict=False))
            if gain <= 0 or max(ray) > 0:
                return None
            value = sum(r * d for r, d in zip(right, duals, strict=False))
            more = max(Fraction(0), (wanted - value) / gain) + 1
            duals = [dual - more * d for dual, d in zip(duals, ray, strict=True)]
        return None if min(duals) < 0 else [*duals, more]

    def coefficients(self, row: Sequence[int]) -> tuple[list[tuple[int, int]], int, int]:
        """Return the coefficients of a row by request, its right-hand side, and its area or 1."""
        kind, a, b, c = row
        if kind == START:
            return [(a, 1)], b, 1
        if kind == END:
            return [(a, -1)], -b, 1
        if kind == GAP:
            return [(a, -1), (b, 1)], c, 1
        if kind == MEMORY:
            members = _members(b)
            right = self.prompts[a] + self.outputs[a] - self.memory
            right += sum(self.prompts[k] + self.outputs[a] for k in members)
            return [*((k, 1) for k in members), (a, -len(members))], right, 1
        members = _members(a)
        volumes, moments = self.areas[c]
        limit = c or self.memory
        area = sum(volumes[k] for k in members)
        full, rest = divmod(area, limit)
        filled = limit * (b * full + full * (full + 1) // 2) + rest * (b + full + 1)
        column = [(k, volumes[k]) for k in members]
        return column, filled - sum(moments[k] for k in members), area

    def written(self, row: Sequence[int]) -> list[Any]:
        """Return a row as a certificate has it, without its multiplier."""
        kind, a, b, c = row
        if kind == END:
            return ["end", a]
        if kind == GAP:
            return ["gap", a, b]
        if kind == MEMORY:
            return ["memory", a, *_members(b)]
        return ["cover", c, b, *_members(a)] if c else ["area", b, *_members(a)]


def _members(bits: int) -> list[int]:
    """Return the members of a set."""
    return [k for k in range(bits.bit_length()) if bits >> k & 1]
