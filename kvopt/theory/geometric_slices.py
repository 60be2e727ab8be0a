"""What GSA with geometric slices costs at most, for every common prompt and memory.

`geometric_bound` looks for the least ratio that the inequalities of
proofs/text/geometric_slices.md prove; `ratio_holds` tests them for one ratio, in integers.
The lemmas and sections named here are those of that document, unless it is said that they are
of proofs/text/early_release.md.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple, Protocol

from kvopt.theory.quadratic import Exact, square_root

__all__ = ["EARLY_SOURCE", "GEOMETRIC_SOURCE", "geometric_bound", "ratio_holds"]

GEOMETRIC_SOURCE = "proofs/text/geometric_slices.md, theorem 6"
EARLY_SOURCE = "proofs/text/early_release.md, theorem 5"

UNIT = 1 << 60
"""Numbers in fixed point are multiples of 1 / UNIT, rounded to the safe side."""

LEAST_GROWTH = Fraction(5, 4)
GROWTH_LIMIT = {"alpha": Fraction(3), "area": Fraction(9)}
"""Growth factors for which a bound is looked for: at least the first, less than the second."""

EDGE = -(-UNIT * 7 // 20)
"""With powers, memory weights serve (s + 1/2) / M up to this, 7/20, slot weights what is above."""

TAIL = UNIT // 50
"""Slices of at most this share of the memory belong to the tail."""

LEAST_CELL = UNIT >> 24
"""An interval is not halved below this length."""

LATEST = 60
"""So many phases after the first tail of a window the second one must have begun."""

STEP = 100
"""Bounds are multiples of 1 / STEP."""

HIGHEST = 60
"""No larger ratio is looked for."""

Interval = tuple[int, int]
Cell = tuple[Interval, Interval]
"""Intervals of sigma = (s + 1/2) / M, and of y, the last threshold below M - s, over M."""


@functools.lru_cache(maxsize=256)
def geometric_bound(
    growth: Exact, slices: str, spacing: str, early: bool = False
) -> Fraction | None:
    """Return what GSA, drained, costs at most: a multiple of 1 / 100, or None.

    It holds for all requests with one common prompt that are released at time 0, for every
    prompt and memory, every order of the requests in each phase, and every offset.

    Parameters
    ----------
    growth
        Growth factor of the slices, or of their areas.
    slices
        "alpha" or "area".
    spacing
        Name of the spacing rule; "tight" has the bound of "sps2".
    early
        Whether slots are released early (`gsa:early=yes`).

    Examples
    --------
    >>> print(geometric_bound(Fraction(2), "alpha", "sps"))
    1867/100
    """
    low, high = STEP, HIGHEST * STEP
    if not ratio_holds(growth, slices, spacing, Fraction(high, STEP), early):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if ratio_holds(growth, slices, spacing, Fraction(middle, STEP), early):
            high = middle
        else:
            low = middle
    return Fraction(high, STEP)


def ratio_holds(
    growth: Exact, slices: str, spacing: str, ratio: Fraction, early: bool = False
) -> bool:
    """Return whether the inequalities prove that GSA costs at most `ratio` times the optimum.

    Other parameters are as for `geometric_bound`; False also if nothing is proved about them,
    as for areas with a spacing other than SPS, or a growth below 5/4 or from 3 (areas: 9) on.
    """
    if early and (slices, spacing) == ("alpha", "sps"):
        return LEAST_GROWTH <= growth < GROWTH_LIMIT[slices] and _early_powers_hold(growth, ratio)
    if (slices, spacing) not in RULES or not LEAST_GROWTH <= growth < GROWTH_LIMIT[slices]:
        return False
    return RULES[slices, spacing](growth, ratio)


# What is to be checked (theorem 6)


def _powers_hold(alpha: Exact, ratio: Fraction, two: bool) -> bool:
    """Return whether all checks hold for powers; `two` for SPS2 and tight spacing."""
    found = powers(alpha)
    return (
        ratio >= 3 * (1 + alpha / (alpha - 1))
        and one_slot_holds(found, ratio)
        and window_holds(found, ratio, two)
        and memory_holds(found, ratio, two, EDGE)
    )


def _early_powers_hold(alpha: Exact, ratio: Fraction) -> bool:
    """Return whether all checks hold for powers with SPS and early release."""
    found = powers(alpha)
    return (
        ratio >= 3 * (1 + alpha / (alpha - 1))
        and one_slot_holds(found, ratio)
        and window_holds(found, ratio, False)
        and memory_holds(found, ratio, False, EDGE, early=True)
    )


def _areas_hold(growth: Exact, ratio: Fraction) -> bool:
    """Return whether all checks hold for areas, with SPS."""
    found, root = areas(growth), square_root(growth)
    return (
        ratio >= 3 * (1 + (growth + root) / (growth - 1))
        and tail(ratio, found.low, found.high, Fraction(1, 2)) is not None  # section 4
        and memory_holds(found, ratio, False, UNIT // 2)
    )


RULES: dict[tuple[str, str], Callable[[Exact, Fraction], bool]] = {
    ("alpha", "sps"): functools.partial(_powers_hold, two=False),
    ("alpha", "sps2"): functools.partial(_powers_hold, two=True),
    ("alpha", "tight"): functools.partial(_powers_hold, two=True),
    ("area", "sps"): _areas_hold,
}


# Tails (lemma 4)


def tail_keeps(ratio: Fraction, growth: Fraction, used: Fraction, kappa: Fraction) -> bool:
    """Return whether carries of kappa times the weight are kept at this growth of the weight."""
    carry, distance = kappa / growth, 1 / used
    if carry <= distance:
        return False
    if carry >= 2 * distance:
        after = carry - 2 * distance
    else:
        after = distance - distance**2 / (carry - distance)
    return ratio * (1 - 1 / growth) + after >= kappa


@functools.lru_cache(maxsize=4096)
def tail(ratio: Fraction, least: Fraction, most: Fraction, used: Fraction) -> Fraction | None:
    """Return about the largest kappa that is kept for every growth from least to most, or None.

    Proposed in floating point, tested in fractions at both ends, which is enough.
    """
    proposed = float(ratio)
    for growth in (float(least), float(most)):
        p = 1 / float(used)
        largest = float(ratio) - 2 * p * growth / (growth - 1)  # where kappa / growth >= 2 p
        if largest < 2 * p * growth:  # else those kept solve kappa^2 - b kappa + c <= 0
            b = float(ratio) * (1 - 1 / growth) + p * (growth + 1)
            c = float(ratio) * (growth - 1) * p + 2 * growth * p * p
            if b * b < 4 * c:
                return None
            largest = (b + math.sqrt(b * b - 4 * c)) / 2
        proposed = min(proposed, largest)
    kappa = Fraction(math.floor(proposed * (1 - 1e-6) * 2**20), 2**20)
    kept = kappa <= ratio and all(tail_keeps(ratio, g, used, kappa) for g in (least, most))
    return kappa if kept else None


# Thresholds over those of the last one, y M (section 2)


class Chain(NamedTuple):
    """The thresholds y_j = x_{m-1-j} / y of all (s, M) in a cell, j = 0..J, in fixed point.

    Attributes
    ----------
    sizes
        Upper bounds of y_0 = 1, ..., y_J.
    rises
        Lower bounds of the rise of the weight from y_{j+1} to y_j, j < J, over y.
    weight
        Lower bound of the weight at y_J, over y.
    growth
        Upper bound of the growth of the weight from one threshold to the next, up to y_J.
    last
        Upper bound of (M - s) / (y M).
    """

    sizes: list[int]
    rises: list[int]
    weight: int
    growth: Fraction
    last: int


class Thresholds(Protocol):
    """Powers or areas, and their growth between fractions `low` and `high`."""

    low: Fraction
    high: Fraction

    def largest(self, sigma: int, y: int) -> int:
        """Return an upper bound of the threshold after y, in fixed point; it rises with both."""

    lower: list[int]

    def chain(self, cell: Cell) -> Chain:
        """Return what holds in a whole cell."""


class Geometric:
    """Negative powers of a growth factor in fixed point.

    Attributes
    ----------
    low, high
        Fractions next to the growth factor, at most and at least as large.
    upper, lower
        growth^-j for j = 0, 1, ..., rounded up and down.
    rise
        growth^-j - growth^-(j + 1), rounded down.
    """

    def __init__(self, growth: Exact, many: int) -> None:
        growth = Fraction(1) * growth  # an int would be divided in floating point
        numbers = [growth**j for j in range(many + 2)]
        self.low, self.high = Fraction(_down(growth), UNIT), Fraction(_up(growth), UNIT)
        self.upper = [_up(1 / x) for x in numbers]
        self.lower = [_down(1 / x) for x in numbers]
        self.rise = [_down((1 - 1 / growth) / x) for x in numbers]


class Powers(Geometric):
    """Thresholds x_q = c alpha^q / M."""

    def __init__(self, alpha: Exact) -> None:
        super().__init__(alpha, many := math.ceil(math.log(2 * UNIT / TAIL, alpha)))
        self.squares = Geometric(alpha * alpha, many)
        self.alpha = alpha

    def largest(self, sigma: int, y: int) -> int:
        return math.ceil(self.high * y)

    def chain(self, cell: Cell) -> Chain:
        (a, _), (y1, y2) = cell
        j = next(j for j, size in enumerate(self.upper) if y2 * size <= TAIL * UNIT)
        pairs = zip(self.rise[:j], self.squares.rise, strict=False)
        rises = [(2 * a * rise + y1 * square) // (2 * UNIT) for rise, square in pairs]
        weight = (2 * a * self.lower[j] + y1 * self.squares.lower[j]) // (2 * UNIT)
        x = _ceil_div(y2 * self.upper[j], UNIT)
        growth = self.high * (2 * a + x) / (2 * a + x / self.high)
        last = min(_ceil_div(UNIT * UNIT, y1), _up(self.high))
        return Chain(self.upper[: j + 1], rises, weight, growth, last)


class Areas(Geometric):
    """Thresholds x_q with sigma x_q + x_q^2 / 2 = c (s + 1) g^q / M^2."""

    def __init__(self, growth: Exact) -> None:
        super().__init__(growth, 2 * math.ceil(math.log(2 * UNIT / TAIL, growth)))

    def _threshold(self, sigma: int, y: int, factor: int) -> int:
        """Return x with an area of `factor` / UNIT times that of y, rounded up."""
        area = _ceil_div((2 * sigma + y) * y * factor, UNIT)
        return math.isqrt(sigma * sigma + area) + 1 - sigma

    def largest(self, sigma: int, y: int) -> int:
        return self._threshold(sigma, y, math.ceil(self.high * UNIT))

    def chain(self, cell: Cell) -> Chain:
        (a, b), (y1, y2) = cell
        sizes = []
        for power in self.upper:
            x = self._threshold(a, y2, power)
            sizes.append(_ceil_div(x * UNIT, y2))
            if x <= TAIL:
                break
        j = len(sizes) - 1
        rises = [(2 * a + y1) * rise // (2 * UNIT) for rise in self.rise[:j]]
        weight = (2 * a + y1) * self.lower[j] // (2 * UNIT)
        last = min(_ceil_div(UNIT * UNIT, y1), _ceil_div(self.largest(b, y1) * UNIT, y1))
        return Chain(sizes, rises, weight, self.high, last)


@functools.lru_cache(maxsize=16)
def powers(alpha: Exact) -> Powers:
    return Powers(alpha)


@functools.lru_cache(maxsize=16)
def areas(growth: Exact) -> Areas:
    return Areas(growth)


def _down(x: Exact) -> int:
    return math.floor(x * UNIT)


def _up(x: Exact) -> int:
    return -math.floor(-x * UNIT)


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


# Memory weights (section 2)


def memory_holds(
    thresholds: Thresholds, ratio: Fraction, two: bool, edge: int, early: bool = False
) -> bool:
    """Return whether the ratio holds for all s and M with (s + 1/2) / M up to edge."""
    todo: list[Cell] = [((0, edge), (math.floor((UNIT - edge) / thresholds.high), UNIT))]
    while todo:
        sigma, last = todo.pop()
        if thresholds.largest(sigma[1], last[1]) < UNIT - sigma[1]:
            continue  # no (s, M) is in the cell
        if cell_holds(thresholds, ratio, two, (sigma, last), early):
            continue
        if max(sigma[1] - sigma[0], last[1] - last[0]) < LEAST_CELL:
            return False
        if 2 * (sigma[1] - sigma[0]) > last[1] - last[0]:
            todo += [(half, last) for half in halves(sigma)]
        else:
            todo += [(sigma, half) for half in halves(last)]
    return True


def cell_holds(
    thresholds: Thresholds, ratio: Fraction, two: bool, cell: Cell, early: bool = False
) -> bool:
    """Return whether the carries suffice for all (s, M) of a cell; `two` is not for SPS."""
    (a, b), (y1, y) = cell
    sizes, rises, weight, most, last = thresholds.chain(cell)
    x = _ceil_div(y * sizes[-1], UNIT)
    used = Fraction(max(UNIT - b - x, slots(b, x) * a) * 256 // UNIT, 256)
    most = Fraction(math.ceil(most * 256), 256)  # coarse, so that tails are met again
    kappa = tail(ratio, thresholds.low, most, used) if used > 0 else None
    if kappa is None:
        return False
    carry = math.floor(kappa * weight)
    for j in range(len(rises) - 1, -1, -1):
        distance = cell_distance(sizes[j], b, y, two)
        if early:
            k = side_by_side(sizes[j], b, y)
            least = early_cost(sizes[j], sizes[j + 1], k) if k else distance
            density = k * (a + y1 * thresholds.lower[j + 1] // UNIT)
            after = early_carry(ratio, carry, rises[j], (distance, least), density)
            if after is None:
                return False
            carry = after
            continue
        if carry <= distance:
            return False
        carry = _next_carry(ratio, carry, rises[j], distance)
    if early:
        return carry >= last_cost(ratio, last, a + y1)
    return carry >= last


# Early release (proofs/text/early_release.md)


def side_by_side(size: int, sigma: int, y: int) -> int:
    """Return k if k slots of lemma 3 are as many as whole slices fit side by side, else 0."""
    x = _ceil_div(y * size, UNIT)
    k = slots(sigma, x)
    return k if k == 1 or k * (sigma + x) <= UNIT else 0


def early_cost(size: int, before: int, k: int) -> int:
    """Return max(X_{q-1} / k, X_q / (k + 1)), rounded up."""
    return max(_ceil_div(before, k), _ceil_div(size, k + 1))


def early_carry(
    ratio: Fraction, carry: int, rise: int, costs: tuple[int, int], density: int
) -> int | None:
    """Return R rise + C - D^2 / (g - C), rounded down, for a C that lemma 3 there allows.

    Parameters
    ----------
    ratio, carry, rise
        R, g and the rise of the weight.
    costs
        D and the least C, which is D in phases without early release.
    density
        Lower bound of k times the weight of a round at the slice before.

    Returns
    -------
    int or None
        None if no C is allowed.
    """
    distance, least = costs
    gain = ratio.numerator * rise // ratio.denominator
    for chosen in (max(least, carry - distance), max(distance, carry - distance)):
        margin = carry - chosen
        if margin > 0 and (chosen >= distance or margin * density * ratio >= distance * UNIT):
            return gain + chosen - _ceil_div(distance * distance, margin)
    return None


def last_cost(ratio: Fraction, last: int, density: int) -> int:
    """Return y + (z - y) / (1 + R (sigma + y)) in units of y, rounded up."""
    beyond = max(0, last - UNIT) / (1 + ratio * Fraction(density, UNIT))
    return UNIT + math.ceil(beyond)


def cell_distance(size: int, sigma: int, y: int, two: bool) -> int:
    """Return the distance of lemma 3 over y for slices of `size` * y, rounded up."""
    k = slots(sigma, _ceil_div(y * size, UNIT))
    if two and k == 1:
        return min(size, 2 * size - (UNIT - 2 * sigma) * UNIT // y)
    return _ceil_div(size, k)


def slots(sigma: int, x: int) -> int:
    """Return max(1, floor((1 - x/2) / (sigma + x/2))), for sigma and x in fixed point."""
    return max(1, (2 * UNIT - x) // (2 * sigma + x))


def _next_carry(ratio: Fraction, carry: int, rise: int, distance: int) -> int:
    """Return R rise + c(g, D) for a carry g > D, in fixed point, rounded down.

    c is that of lemma 8 of proofs/text/certified_slices.md, for numbers that do not increase.
    """
    gain = ratio.numerator * rise // ratio.denominator
    if carry >= 2 * distance:
        return gain + carry - 2 * distance
    return gain + distance - _ceil_div(distance * distance, carry - distance)


def halves(part: Interval) -> list[Interval]:
    middle = (part[0] + part[1]) // 2
    return [(part[0], middle), (middle, part[1])]


# Slot weights, powers (section 3)


def one_slot_holds(found: Powers, ratio: Fraction) -> bool:
    """Return whether the ratio holds where one request fits at a time (section 3)."""
    return tail(ratio, found.low, found.high, Fraction(1)) is not None


def window_holds(found: Powers, ratio: Fraction, two: bool) -> bool:
    """Return whether the ratio holds for 1/3 < (s + 1) / (M + 1) < 1/2 (section 3)."""
    todo = [window_range(found)]
    while todo:
        part = todo.pop()
        if window_phases(found, ratio, two, part):
            continue
        if part[1] - part[0] < LEAST_CELL:
            return False
        todo += halves(part)
    return True


def window_range(found: Powers) -> Interval:
    """Return where c is, from 2 / (3 alpha) to 2 / 3, in fixed point."""
    return math.floor(2 * UNIT / (3 * found.high)), _ceil_div(2 * UNIT, 3)


def window_phases(found: Powers, ratio: Fraction, two: bool, c: Interval) -> int:
    """Return how many phases lie between the two tails, 0 if the carries do not suffice.

    It is about all c of an interval; c is the last threshold of the first tail, in units of
    eta (M + 1).  Lengths are in units of c eta (M + 1).
    """
    kappa = tail(ratio, found.low, found.high, Fraction(1))
    if kappa is None:
        return 0
    carry = math.floor(kappa * UNIT / 2)
    before = UNIT
    power: Exact = Fraction(1)
    for phases in range(1, LATEST):
        power = power * found.alpha
        size, least = _up(power), _down(power)
        distance = window_distance(size, c[1], two)
        if carry <= distance:
            return 0
        rise = _window_weight(c[0], least, up=False) - _window_weight(c[0], before, up=True)
        carry = _next_carry(ratio, carry, rise, distance)
        if c[0] * least >= UNIT * UNIT:  # beyond the window
            kept = min(kappa, Fraction(carry * 2**20 // size, 2**20))
            ends = (found.low, found.high)
            if all(tail_keeps(ratio, g, Fraction(1), kept) for g in ends):
                return phases
        before = size
    return 0


def window_distance(size: int, c: int, two: bool) -> int:
    """Return size, or min(size, 2 size - 1 / c) for SPS2 and tight spacing, rounded up."""
    return min(size, 2 * size - UNIT * UNIT // c) if two else size


def _window_weight(c: int, v: int, up: bool) -> int:
    """Return v / 2, or v - 1 / (2 c) if c v > 1, in fixed point, rounded up or down."""
    if c * v <= UNIT * UNIT:
        return _ceil_div(v, 2) if up else v // 2
    return v - (UNIT * UNIT // (2 * c) if up else _ceil_div(UNIT * UNIT, 2 * c))
