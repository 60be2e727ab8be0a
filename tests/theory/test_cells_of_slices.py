"""The cells and windows of geometric slices, beside a second version in exact numbers.

What the program rounds must lie on the safe side of what the text says, and close to it.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest

from kvopt.theory import geometric_slices as cells
from kvopt.theory.gsa_bounds import GSA_ALPHA
from kvopt.theory.quadratic import GOLDEN_RATIO, Exact

CLOSE = Fraction(1, 2**44)

POWERS = (Fraction(161, 100), GOLDEN_RATIO, GSA_ALPHA, Fraction(2))
AREAS = (Fraction(248, 100), GOLDEN_RATIO, Fraction(2128, 1000))


def root(x: Exact) -> Fraction:
    """Return the square root, rounded down to a multiple of 2^-120."""
    return Fraction(math.isqrt(math.floor(x * 2**240)), 2**120)


def some_cells(rng: random.Random, edge: Fraction, many: int) -> list[cells.Cell]:
    """Return wide and narrow cells, at the ends of what is covered and within."""
    found = []
    for _ in range(many):
        width = Fraction(1, 2 ** rng.randint(2, 12))
        a = rng.choice((Fraction(0), edge - width, edge * Fraction(rng.randrange(99), 100)))
        y2 = rng.choice((Fraction(1), Fraction(rng.randint(35, 100), 100)))
        a, b = max(a, Fraction(0)), min(max(a, Fraction(0)) + width, edge)
        part = [math.floor(x * cells.UNIT) for x in (a, b, y2 - min(width, y2 / 4), y2)]
        found.append(((part[0], part[1]), (part[2], part[3])))
    return found


def exact(part: cells.Interval) -> tuple[Fraction, Fraction]:
    return Fraction(part[0], cells.UNIT), Fraction(part[1], cells.UNIT)


def above(rounded: int, true: Exact) -> None:
    assert true <= Fraction(rounded, cells.UNIT) <= true + CLOSE


def below(rounded: int, true: Exact) -> None:
    assert true - CLOSE <= Fraction(rounded, cells.UNIT) <= true


@pytest.mark.parametrize("alpha", POWERS)
def test_chain_of_powers(alpha: Exact) -> None:
    for cell in some_cells(random.Random(1), Fraction(7, 20), 30):
        (a, _), (y1, y2) = exact(cell[0]), exact(cell[1])
        chain = cells.Powers(alpha).chain(cell)
        last = len(chain.sizes) - 1
        assert y2 / alpha**last <= Fraction(cells.TAIL, cells.UNIT) < y2 / alpha ** (last - 1)
        for j, size in enumerate(chain.sizes):
            above(size, 1 / alpha**j)
        for j, rise in enumerate(chain.rises):
            now, then = 1 / alpha**j, 1 / alpha ** (j + 1)
            below(rise, a * (now - then) + y1 * (now * now - then * then) / 2)
        assert len(chain.rises) == last
        smallest = 1 / alpha**last
        below(chain.weight, a * smallest + y1 * smallest * smallest / 2)
        x = y2 * smallest
        growth = alpha * (2 * a + x) / (2 * a + x / alpha)
        assert growth <= chain.growth <= growth + CLOSE
        above(chain.last, min(1 / y1, alpha))


@pytest.mark.parametrize("growth", AREAS)
def test_chain_of_areas(growth: Exact) -> None:
    for cell in some_cells(random.Random(2), Fraction(1, 2), 20):
        (a, b), (y1, y2) = exact(cell[0]), exact(cell[1])
        chain = cells.Areas(growth).chain(cell)

        def threshold(sigma: Fraction, y: Fraction, factor: Exact) -> Fraction:
            return root(sigma * sigma + (2 * sigma * y + y * y) * factor) - sigma

        for j, size in enumerate(chain.sizes):
            above(size, threshold(a, y2, 1 / growth**j) / y2)
        last = len(chain.sizes) - 1
        assert chain.sizes[last] * y2 <= cells.TAIL < chain.sizes[last - 1] * y2
        for j, rise in enumerate(chain.rises):
            below(rise, (a + y1 / 2) * (1 - 1 / growth) / growth**j)
        assert len(chain.rises) == last
        below(chain.weight, (a + y1 / 2) / growth**last)
        assert growth <= chain.growth <= growth + CLOSE
        above(chain.last, min(1 / y1, threshold(b, y1, growth) / y1))


def test_what_is_after_the_last_threshold_fits_every_prompt_of_the_cell() -> None:
    """Lengths z of M - s, for (s, M) of a cell, against `Chain.last`."""
    rng = random.Random(3)
    seen = {"capped": 0, "free": 0}
    for growth, found in ((Fraction(161, 100), cells.powers), (Fraction(248, 100), cells.areas)):
        for cell in some_cells(rng, Fraction(7, 20), 40):
            (a, b), (y1, y2) = exact(cell[0]), exact(cell[1])
            last = Fraction(found(growth).chain(cell).last, cells.UNIT)
            for sigma in (a, (a + b) / 2, b):
                for y in (y1, (y1 + y2) / 2, y2):
                    if found is cells.powers:
                        after: Exact = growth * y
                    else:
                        after = root(sigma**2 + (2 * sigma * y + y * y) * growth) - sigma
                    z = min(Fraction(1), after)  # M - s is at most that, in units of M
                    assert z <= last * y
                    seen["capped" if after > 1 else "free"] += 1
    assert min(seen.values()) > 50


@pytest.mark.parametrize("two", [False, True])
def test_distances_in_a_cell(two: bool) -> None:
    rng = random.Random(4)
    seen = set()
    for _ in range(400):
        sigma = Fraction(rng.randint(0, 349), 1000) + Fraction(1, 7**19)
        y = Fraction(rng.randint(300, 999), 1000) + Fraction(1, 7**19)
        size = Fraction(rng.randint(20, 1000), 1000)
        sigma, y, size = (
            Fraction(math.floor(x * cells.UNIT), cells.UNIT) for x in (sigma, y, size)
        )
        x = y * size
        k = max(1, math.floor((1 - x / 2) / (sigma + x / 2)))
        true = size / k
        if two and k == 1:
            true = min(size, 2 * size - (1 - 2 * sigma) / y)
        seen.add((min(k, 3), true == size))
        arguments = [math.floor(x * cells.UNIT) for x in (size, sigma, y)]
        above(cells.cell_distance(arguments[0], arguments[1], arguments[2], two), true)
    assert (1, True) in seen
    assert {k for k, _ in seen} == {1, 2, 3}
    assert not two or (1, False) in seen


def least_after(carry: Exact, distance: Exact) -> Exact:
    """Return c of lemma 8 of proofs/text/certified_slices.md: a least value for x >= 1."""
    x = max(1, distance / (carry - distance))
    return carry * x * x - distance * (x * x + 2 * x - 1)


def literal_cell(
    growth: Exact, by_area: bool, ratio: Fraction, two: bool, cell: cells.Cell
) -> bool:
    """Return whether the carries suffice in a cell, with exact numbers (section 2)."""
    (a, b), (_, y2) = exact(cell[0]), exact(cell[1])
    chain = (cells.areas(growth) if by_area else cells.powers(growth)).chain(cell)  # tested above
    sizes, rises = ([Fraction(x, cells.UNIT) for x in xs] for xs in (chain.sizes, chain.rises))
    x = y2 * sizes[-1]
    used = max(1 - b - x, max(1, math.floor((1 - x / 2) / (b + x / 2))) * a)
    used = Fraction(math.floor(used * 256), 256)
    most = Fraction(math.ceil(chain.growth * 256), 256)
    low = (cells.areas(growth) if by_area else cells.powers(growth)).low
    if used <= 0 or (kappa := cells.tail(ratio, low, most, used)) is None:
        return False
    carry = kappa * chain.weight / cells.UNIT
    for size, rise in reversed(list(zip(sizes[:-1], rises, strict=True))):
        k = max(1, math.floor((1 - y2 * size / 2) / (b + y2 * size / 2)))
        distance = min(size, 2 * size - (1 - 2 * b) / y2) if two and k == 1 else size / k
        if carry <= distance:
            return False
        carry = ratio * rise + least_after(carry, distance)
    return carry >= Fraction(chain.last, cells.UNIT)


@pytest.mark.parametrize(("by_area", "two"), [(False, False), (False, True), (True, False)])
def test_cells_hold_where_exact_carries_suffice(by_area: bool, two: bool) -> None:
    rng = random.Random(5)
    growth = Fraction(248, 100) if by_area else Fraction(161, 100)
    found = cells.areas(growth) if by_area else cells.powers(growth)
    answers = []
    for cell in some_cells(rng, Fraction(7, 20), 60):
        for _ in range(6):
            ratio = Fraction(rng.randint(600, 2000), 100)
            answer = cells.cell_holds(found, ratio, two, cell)
            assert answer == literal_cell(growth, by_area, ratio, two, cell), (ratio, cell)
            answers.append(answer)
    assert 60 < sum(answers) < len(answers) - 60


# Windows


@pytest.mark.parametrize("two", [False, True])
def test_distances_in_a_window(two: bool) -> None:
    for size in (Fraction(11, 10), Fraction(7, 5), Fraction(5, 2)):
        for c in (Fraction(9, 20), Fraction(13, 30), Fraction(2, 3)):
            v, u = math.floor(size * cells.UNIT), math.floor(c * cells.UNIT)
            true = Fraction(v, cells.UNIT)
            if two:
                true = min(true, 2 * true - Fraction(cells.UNIT, u))
            above(cells.window_distance(v, u, two), true)


def test_weights_in_a_window() -> None:
    for c in (Fraction(2, 5), Fraction(1, 2), Fraction(2, 3)):
        for size in (Fraction(1), 1 / c, Fraction(17, 9), Fraction(31, 7)):
            u, v = math.floor(c * cells.UNIT), math.floor(size * cells.UNIT)
            c_v = Fraction(u, cells.UNIT) * Fraction(v, cells.UNIT)
            true = Fraction(v, cells.UNIT) - Fraction(cells.UNIT, 2 * u)
            if c_v <= 1:
                true = Fraction(v, 2 * cells.UNIT)
            below(cells._window_weight(u, v, up=False), true)
            above(cells._window_weight(u, v, up=True), true)


def literal_window(alpha: Exact, ratio: Fraction, two: bool, c: tuple[Fraction, Fraction]) -> int:
    """Return the number of phases between the tails, with exact numbers (section 3)."""
    low, high = cells.powers(alpha).low, cells.powers(alpha).high
    kappa = cells.tail(ratio, low, high, Fraction(1))
    if kappa is None:
        return 0

    def weight(v: Exact) -> Exact:
        return v / 2 if c[0] * v <= 1 else v - 1 / (2 * c[0])

    carry: Exact = kappa / 2
    for phase in range(1, 60):
        v, before = alpha**phase, alpha ** (phase - 1)
        distance = min(v, 2 * v - 1 / c[1]) if two else v
        if carry <= distance:
            return 0
        carry = ratio * (weight(v) - weight(before)) + least_after(carry, distance)
        carry = Fraction(math.floor(carry * 2**200), 2**200)
        if alpha * c[1] * v > 2 and carry < alpha * v:
            return 0  # M - s may come next
        kept = min(kappa, Fraction(math.floor(carry / v * 2**20), 2**20))
        tail = kept > alpha and all(
            cells.tail_keeps(ratio, g, Fraction(1), kept) for g in (low, high)
        )
        if c[0] * v >= 1 and tail:
            return phase
    return 0


@pytest.mark.parametrize("alpha", [Fraction(161, 100), GOLDEN_RATIO, Fraction(2)])
@pytest.mark.parametrize("two", [False, True])
def test_windows_hold_where_exact_carries_suffice(alpha: Exact, two: bool) -> None:
    rng = random.Random(6)
    found = cells.powers(alpha)
    low, high = (Fraction(end, cells.UNIT) for end in cells.window_range(found))
    assert low <= 2 / (3 * alpha) <= low + CLOSE
    assert high - CLOSE <= Fraction(2, 3) <= high
    answers = []
    for _ in range(60):
        width = (high - low) / 2 ** rng.randint(0, 8)
        begin = rng.choice((low, high - width, low + (high - low - width) * rng.randrange(8) / 8))
        part = math.floor(begin * cells.UNIT), math.floor((begin + width) * cells.UNIT)
        ratio = Fraction(rng.randint(700, 1900), 100)
        answer = cells.window_phases(found, ratio, two, part)
        assert answer == literal_window(alpha, ratio, two, exact(part)), (ratio, part)
        answers.append(answer)
    assert answers.count(0) > 4
    assert len(set(answers)) >= 3


def least_window(alpha: Exact, two: bool, part: cells.Interval) -> Fraction:
    """Return about the least ratio that holds for an interval of c."""
    low, high = Fraction(5), Fraction(60)
    while high - low > Fraction(1, 10**6):
        middle = (low + high) / 2
        holds = literal_window(alpha, middle, two, exact(part)) > 0
        low, high = (low, middle) if holds else (middle, high)
    return high


@pytest.mark.parametrize("two", [False, True])
def test_a_window_holds_from_the_same_ratio_on(two: bool) -> None:
    """Near the least ratio the answers depend on each condition."""
    rng = random.Random(7)
    for alpha in (Fraction(161, 100), Fraction(9, 5), Fraction(5, 2)):
        found = cells.powers(alpha)
        low, high = cells.window_range(found)
        for _ in range(6):
            begin = rng.randint(low, high)
            part = begin, min(high, begin + (high - low) // 64)
            least = least_window(alpha, two, part)
            for ratio in (least - Fraction(1, 10**5), least + Fraction(1, 10**5)):
                answer = cells.window_phases(found, ratio, two, part)
                assert answer == literal_window(alpha, ratio, two, exact(part))


def test_one_request_at_a_time_needs_what_geometric_phases_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That is g + 2 g^1.5 / (g - 1), twice that with half of the memory in use."""
    for alpha in POWERS:
        exact_least = float(alpha) + 2 * float(alpha) ** 1.5 / (float(alpha) - 1)
        for factor, holds in ((0.9999, False), (1.0001, True)):
            ratio = Fraction(round(exact_least * factor * 10**6), 10**6)
            assert cells.one_slot_holds(cells.powers(alpha), ratio) == holds
    monkeypatch.setattr(cells, "memory_holds", lambda *_: True)
    least = 2 * (2.48 + 2 * 2.48**1.5 / 1.48)
    for factor, holds in ((0.9999, False), (1.0001, True)):
        ratio = Fraction(round(least * factor * 10**6), 10**6)
        assert cells.ratio_holds(Fraction(248, 100), "area", "sps", ratio) == holds
    monkeypatch.setattr(cells, "window_holds", lambda *_: True)
    for holds in (False, True):
        monkeypatch.setattr(cells, "one_slot_holds", lambda *_, holds=holds: holds)
        assert cells.ratio_holds(Fraction(2), "alpha", "sps", Fraction(20)) == holds
