"""Fewer rows for a leaf whose value exceeds the cut by more than it has to, compiled.

The pivot that closes a node raises its value by a hundred rounds, say, where one would do, and the
dual then has rows that it can do without.  The row of a head comes into the basis, and another one
goes out; the value falls by little if the solution starts that request soon after its head.  Rows
of heads take no room in a certificate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kvopt.solver.compiling import lean
from kvopt.solver.event_order.linear_program import (
    START,
    TINY,
    Basis,
    Requests,
    Scratch,
    pivot_in,
    set_column,
)

__all__ = ["drop_rows", "refresh_heads", "row_that_goes", "value_of"]

SPARE, UNUSED = 0.25, 1e-9
"""By how much the value is still to exceed the cut (rounds), so that multipliers may be rounded; a
dual that is as small counts as 0."""


@lean
def value_of(basis: Basis, depth: int) -> float:
    """Return the value of a basis (sum of starts)."""
    value = 0.0
    for q in range(basis.duals.shape[1]):
        value += basis.right[depth, q] * basis.duals[depth, q]
    return value


@lean
def refresh_heads(basis: Basis, depth: int, heads: Any) -> None:
    """Let rows of heads that are in a basis say what the heads are now."""
    for q in range(heads.shape[0]):
        if basis.rows[depth, q, 0] == START:
            head = heads[basis.rows[depth, q, 1]]
            basis.rows[depth, q, 2] = head
            basis.right[depth, q] = head


@lean
def row_that_goes(basis: Basis, depth: int, i: int) -> int:
    """Return the place of the row that the row of the head of i would replace, or -1."""
    inverse, duals = basis.inverse[depth], basis.duals[depth]
    out, most = -1, np.inf
    for q in range(duals.shape[0]):
        if inverse[q, i] > TINY and duals[q] < most * inverse[q, i]:
            out, most = q, duals[q] / inverse[q, i]
    return out


@lean
def drop_rows(requests: Requests, basis: Basis, depth: int, scratch: Scratch, cut: float) -> None:
    """Replace rows by those of heads, the cheapest first, as long as the value exceeds the cut."""
    n = scratch.starts.shape[0]
    inverse, duals = basis.inverse[depth], basis.duals[depth]
    refresh_heads(basis, depth, scratch.heads)
    for _ in range(2 * n):
        spare = value_of(basis, depth) - cut - SPARE
        for i in range(n):
            scratch.starts[i] = 0.0
        for q in range(n):
            for i in range(n):
                scratch.starts[i] += basis.right[depth, q] * inverse[q, i]
        which, least = -1, spare
        for i in range(n):
            out = row_that_goes(basis, depth, i)
            if out < 0 or basis.rows[depth, out, 0] == START:
                continue
            step = duals[out] / inverse[out, i]
            loss = step * (scratch.starts[i] - scratch.heads[i])
            if duals[out] <= UNUSED:
                which = i
                break
            if loss < least:
                which, least = i, loss
        if which < 0:
            return
        scratch.row[0], scratch.row[1] = START, which
        scratch.row[2], scratch.row[3] = scratch.heads[which], 0
        scratch.most[1] = float(scratch.heads[which])
        set_column(requests, scratch)
        if not pivot_in(basis, depth, scratch):
            return
