"""Which of some rows of numbers are not superfluous beside others, for rule "dominance"."""

from __future__ import annotations

from budget import Budget

Row = tuple[int, int, int, int, int]
"""A cost, two packed lists of numbers, what the second is raised to, and what it is called."""


def least(rows: list[Row], guards: int, tops: int, budget: Budget) -> list[int]:
    """Return the names of rows beside which no other one kept is nowhere larger.

    A row that may be superfluous counts with what its second list is raised to.
    The numbers of the first list have a field each, whose top bit is free and set in `guards`;
    so do those of the second one, in `tops`.  If no field of a is less than that of b,
    all these bits are left in a + guards - b.
    """
    rows = sorted(rows)  # so whatever makes a row superfluous comes before it
    seconds: dict[int, list[int]] = {first: [] for _, first, _, _, _ in rows}
    narrow, wide = 1 + guards.bit_length() // 1_500, 1 + tops.bit_length() // 1_500
    budget.spend(8 * len(rows) + 2 * narrow * len(seconds) ** 2)
    budget.use(400 * len(rows) + 9 * len(seconds) ** 2)
    below = {}
    for first in seconds:
        larger = first | guards
        below[first] = [
            own for other, own in seconds.items() if (larger - other) & guards == guards
        ]
    kept = []
    for _, first, second, raised, name in rows:
        larger, steps, superfluous = raised | tops, 3, False
        for own in below[first]:
            steps += 1 + 2 * wide * len(own)
            superfluous = any((larger - other) & tops == tops for other in own)
            if superfluous:
                break
        budget.spend(steps)
        if not superfluous:
            seconds[first].append(second)
            kept.append(name)
    return kept
