"""A complete tree as the object "proof" of a certificate, in integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kvopt.model.instance import Instance
from kvopt.solver.event_order.linear_program import AREA, END, GAP, MEMORY, START
from kvopt.solver.event_order.search_kernel import AT, SPLIT, Tree
from kvopt.solver.stage import Bound

__all__ = ["proof_of"]

RULE = "event-order"


def proof_of(instance: Instance, tree: Tree, records: int, target: int) -> Bound | None:
    """Return the bound of a complete tree with its proof.

    Parameters
    ----------
    instance
        The instance.
    tree, records
        What was written down, and how many nodes of it.
    target
        What it is to prove (rounds).

    Returns
    -------
    Bound or None
        The target, or somewhat less if a leaf falls short of it; None if one gives no bound.
    """
    areas = _Areas(instance)
    wanted = target - instance.total_output + instance.total_release  # the sum of starts
    bits = int(areas.volumes.max()).bit_length() + wanted.bit_length() + 14
    content, least = [], wanted
    parts = np.zeros((records, 3), dtype=np.int64)
    for number in range(1, records):
        _, _, _, parent, part, _ = tree.nodes[number].tolist()
        parts[parent, part] = number
    todo = [0]
    while todo:
        number = todo.pop()
        kind, a, b, _, _, leaf = tree.nodes[number].tolist()
        if kind in (AT, SPLIT):
            content.append({"at": [a, b]} if kind == AT else {"start": [a, b]})
            todo += reversed(parts[number, : 3 if kind == AT else 2].tolist())
        elif leaf < 0:
            content.append({"rows": []})
        else:
            rows, value = areas.leaf(tree.rows[leaf], tree.duals[leaf], bits)
            content.append({"rows": rows})
            least = min(least, value)
    bound = least + instance.total_output - instance.total_release
    if bound <= 0:
        return None
    return Bound(bound, RULE, {"rule": RULE, "scale": 1 << bits, "tree": content})


class _Areas:
    """Leaves of one instance, in integers."""

    def __init__(self, instance: Instance) -> None:
        self.memory = instance.memory
        self.prompts, self.outputs = instance.prompts.tolist(), instance.outputs.tolist()
        self.releases = instance.releases.tolist()
        pairs = list(zip(self.prompts, self.outputs, strict=True))
        self.volumes = np.array([s * o + o * (o + 1) // 2 for s, o in pairs], dtype=object)
        self.moments = [
            s * o * (o + 1) // 2 + o * (o + 1) * (2 * o + 1) // 6 for s, o in pairs
        ]  # fmt: skip

    def leaf(self, rows: Any, duals: Any, bits: int) -> tuple[list[list[Any]], int]:
        """Return rows with integer multipliers, and the sum of starts that they prove."""
        scale = 1 << bits
        heads = list(self.releases)
        for kind, i, head, _ in rows.tolist():
            if kind == START:
                heads[i] = max(heads[i], head)
        given = [
            (row, self.coefficients(row), dual)
            for row, dual in zip(rows.tolist(), duals.tolist(), strict=True)
            if dual > 0 and row[0] != START
        ]
        shrunk = float(scale)
        for _ in range(8):
            multipliers = [
                int(dual * shrunk) // (1 if row[0] != AREA else area)
                for row, (_, _, area), dual in given
            ]
            sums = [0] * len(heads)
            value = 0
            for (_, (column, right, _), _), y in zip(given, multipliers, strict=True):
                value += y * right
                for i, a in column:
                    sums[i] += y * a
            most = max(sums)
            if most <= scale:
                break
            shrunk *= (scale / most) * (1 - 1e-15)
        else:
            return [], 0
        value += sum((scale - c) * h for c, h in zip(sums, heads, strict=True))
        written = [
            [y, *self.written(row)]
            for (row, _, _), y in zip(given, multipliers, strict=True)
            if y > 0
        ]
        return written, -(-value // scale)

    def coefficients(self, row: Sequence[int]) -> tuple[list[tuple[int, int]], int, int]:
        """Return the coefficients of a row by request, its right-hand side, and its area or 1."""
        kind, a, b, c = row
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
        area = sum(self.volumes[k] for k in members)
        full, rest = divmod(area, self.memory)
        filled = self.memory * (b * full + full * (full + 1) // 2) + rest * (b + full + 1)
        column = [(k, self.volumes[k]) for k in members]
        return column, filled - sum(self.moments[k] for k in members), area

    def written(self, row: Sequence[int]) -> list[Any]:
        """Return a row as a certificate has it, without its multiplier."""
        kind, a, b, _ = row
        if kind == END:
            return ["end", a]
        if kind == GAP:
            return ["gap", a, b]
        if kind == MEMORY:
            return ["memory", a, *_members(b)]
        return ["area", b, *_members(a)]


def _members(bits: int) -> list[int]:
    """Return the members of a set."""
    return [k for k in range(bits.bit_length()) if bits >> k & 1]
