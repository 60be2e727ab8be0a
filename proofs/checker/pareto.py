"""Which of some rows of numbers are not superfluous beside others, for rule "dominance".

Lists of numbers are packed into integers.  If no number of one is above that of the other, the
integer is not larger either: each place counts with the same positive weight.  So rows that are
larger as integers need not be compared number by number.
"""

from __future__ import annotations

from bisect import bisect_right, insort

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
    budget.spend(8 * len(rows) + narrow * len(seconds) * (len(seconds) + 12) * 3 // 4)
    budget.use(400 * len(rows) + 9 * len(seconds) ** 2)
    below, smaller = {}, []
    for first in sorted(seconds):
        larger = first | guards
        smaller.append((first, seconds[first]))
        below[first] = [own for other, own in smaller if (larger - other) & guards == guards]
    kept = []
    for _, first, second, raised, name in rows:
        larger, steps, superfluous = raised | tops, 8 + len(below[first]) * 2 // 3, False
        for own in below[first]:
            if own and own[0] <= raised:
                end = bisect_right(own, raised)
                steps += 5 + wide * end
                for other in own[:end]:
                    if (larger - other) & tops == tops:
                        superfluous = True
                        break
                if superfluous:
                    break
        budget.spend(steps)
        if not superfluous:
            budget.spend(8 + len(seconds[first]) // 100)
            insort(seconds[first], second)
            kept.append(name)
    return kept
