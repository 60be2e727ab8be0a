"""What GSA with slices by powers of alpha costs at most, for every common prompt and memory.

`power_slices_bound` looks for the least ratio that the inequalities of
proofs/text/paper_slices.md prove; `power_slices_cost` tests them, in integers.  The lemmas and
sections named here are those of that document.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction

from kvopt.theory.quadratic import Exact

__all__ = ["POWER_SLICES_SOURCE", "power_slices_bound", "power_slices_cost"]

POWER_SLICES_SOURCE = "proofs/text/paper_slices.md"

UNIT = 1 << 60
"""Numbers in fixed point are multiples of 1 / UNIT, rounded to the safe side."""

LEAST_ALPHA, ALPHA_LIMIT = Fraction(5, 4), Fraction(3)
"""Growth factors for which a bound is looked for: at least the first, less than the second."""

EDGE = UNIT * 7 // 20
"""Memory weights serve (s + 1/2) / M up to this, slot weights what is above."""

TAIL = UNIT // 50
"""Slices of at most this share of the memory belong to the tail."""

LEAST_CELL = UNIT >> 24
"""An interval is not halved below this length."""

LATEST = 60
"""So many powers of alpha after the first tail of the window the second one must have begun."""

STEP = 100
"""Bounds are multiples of 1 / STEP."""

HIGHEST = 60
"""No larger ratio is looked for."""

Interval = tuple[int, int]
Cell = tuple[Interval, Interval]


class Powers:
    """Powers of 1 / alpha, and alpha itself, as the cells need them.

    Parameters
    ----------
    alpha
        Growth factor of the slices, > 1.

    Attributes
    ----------
    low, high
        Fractions next to alpha, at most and at least alpha.
    upper, lower
        alpha^-j for j = 0, 1, ... in fixed point, rounded up and down.
    rise, square_rise
        alpha^-j - alpha^-(j + 1) and alpha^-2j - alpha^-2(j + 1), rounded down.
    """

    def __init__(self, alpha: Exact) -> None:
        many = 2
        while alpha**many * TAIL < UNIT:
            many *= 2
        powers = [alpha**j for j in range(many + 1)]
        self.alpha = alpha
        self.low, self.high = Fraction(_down(alpha), UNIT), Fraction(_up(alpha), UNIT)
        self.upper = [_up(1 / power) for power in powers]
        self.lower = [_down(1 / power) for power in powers]
        step, square_step = 1 - 1 / alpha, 1 - 1 / (alpha * alpha)
        self.rise = [_down(step / power) for power in powers]
        self.square_rise = [_down(square_step / (power * power)) for power in powers]


@functools.lru_cache(maxsize=256)
def power_slices_bound(alpha: Exact, spacing: str) -> Fraction | None:
    """Return what GSA(alpha), drained, costs at most: a multiple of 1 / 100, or None.

    It holds for all requests with one common prompt that are released at time 0, for every
    prompt and memory, and any order of the requests in each phase.

    Parameters
    ----------
    alpha
        Growth factor of the slices floor(alpha^p).
    spacing
        Name of the spacing rule; "tight" has the bound of "sps2".

    Examples
    --------
    >>> print(power_slices_bound(Fraction(2), "sps"))
    191/10
    """
    if not LEAST_ALPHA <= alpha < ALPHA_LIMIT:
        return None
    powers = Powers(alpha)
    low, high = STEP, HIGHEST * STEP
    if not _costs(powers, spacing, Fraction(high, STEP)):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _costs(powers, spacing, Fraction(middle, STEP)):
            high = middle
        else:
            low = middle
    return Fraction(high, STEP)


def power_slices_cost(alpha: Exact, spacing: str, ratio: Fraction) -> bool:
    """Return whether the inequalities prove that GSA(alpha) costs at most `ratio` times OPT.

    Parameters are as for `power_slices_bound`; 5/4 <= alpha < 3.
    """
    return LEAST_ALPHA <= alpha < ALPHA_LIMIT and _costs(Powers(alpha), spacing, ratio)


def _costs(powers: Powers, spacing: str, ratio: Fraction) -> bool:
    two = spacing != "sps"  # whether two slots overlap as far as they may
    return (
        ratio >= 3 * (1 + powers.alpha / (powers.alpha - 1))
        and one_slot_holds(powers, ratio)
        and covers(window_start(powers), lambda c: window_holds(powers, ratio, two, c))
        and covers_memory(powers, ratio, two)
    )


def _down(x: Exact) -> int:
    return math.floor(x * UNIT)


def _up(x: Exact) -> int:
    return -math.floor(-x * UNIT)


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


# Tails (lemma 3)


def tail_keeps(ratio: Fraction, growth: Fraction, used: Fraction, kappa: Fraction) -> bool:
    """Return whether carries of kappa times the weight are kept at this growth of the weight."""
    margin = kappa / growth - 1 / used
    return margin > 0 and ratio * (1 - 1 / growth) + 1 / used - 1 / used**2 / margin >= kappa


@functools.lru_cache(maxsize=4096)
def tail(ratio: Fraction, least: Fraction, most: Fraction, used: Fraction) -> Fraction | None:
    """Return about the largest kappa that is kept for every growth from least to most, or None.

    Proposed in floating point, tested in fractions at both ends, which is enough.
    """
    proposed = float(ratio)
    for growth in (float(least), float(most)):
        p = 1 / float(used)  # the carries that are kept solve kappa^2 - b kappa + c <= 0
        b = float(ratio) * (1 - 1 / growth) + p * (growth + 1)
        c = float(ratio) * (growth - 1) * p + 2 * growth * p * p
        if b * b < 4 * c:
            return None
        proposed = min(proposed, (b + math.sqrt(b * b - 4 * c)) / 2)
    kappa = Fraction(math.floor(proposed * (1 - 1e-6) * 2**20), 2**20)
    kept = all(tail_keeps(ratio, growth, used, kappa) for growth in (least, most))
    return kappa if kept else None


# Memory weights (section 4)


def covers_memory(powers: Powers, ratio: Fraction, two: bool) -> bool:
    """Return whether the ratio holds for all s and M with (s + 1/2) / M up to EDGE."""
    bottom = math.floor((UNIT - EDGE) / powers.high)
    todo: list[Cell] = [((0, EDGE), (bottom, UNIT))]
    while todo:
        sigma, last = todo.pop()
        if powers.high * last[1] < UNIT - sigma[1] or memory_cell_holds(
            powers, ratio, two, (sigma, last)
        ):
            continue
        if 2 * (sigma[1] - sigma[0]) > last[1] - last[0]:
            todo += [(half, last) for half in _halves(sigma)]
        else:
            todo += [(sigma, half) for half in _halves(last)]
        if todo[-1][0][1] - todo[-1][0][0] + todo[-1][1][1] - todo[-1][1][0] < LEAST_CELL:
            return False
    return True


def memory_cell_holds(powers: Powers, ratio: Fraction, two: bool, cell: Cell) -> bool:
    """Return whether the carries suffice for all (s, M) of a cell.

    Parameters
    ----------
    powers, ratio
        alpha and R.
    two
        Whether the spacing is SPS2 or tight.
    cell
        Intervals of sigma = (s + 1/2) / M, and of y = x_{m-1}, the last power of alpha
        below M - s, over M, in fixed point.  Lengths below are in units of y M.
    """
    (a, b), (y1, y2) = cell
    j = next(j for j, size in enumerate(powers.upper) if y2 * size <= TAIL * UNIT)
    x = _ceil_div(y2 * powers.upper[j], UNIT)
    used = Fraction(max(UNIT - b - x, slots(b, x) * a) * 256 // UNIT, 256)
    most = powers.high * (2 * a + x) / (2 * a + x / powers.high)
    most = Fraction(math.ceil(most * 256), 256)
    kappa = tail(ratio, powers.low, most, used) if used > 0 else None
    if kappa is None:
        return False
    weight = (a * powers.lower[j] + y1 * powers.lower[j] ** 2 // (2 * UNIT)) // UNIT
    carry = math.floor(kappa * weight)
    free = (UNIT - 2 * b) * UNIT // y2
    for i in range(j - 1, -1, -1):
        size = powers.upper[i]
        k = slots(b, _ceil_div(y2 * size, UNIT))
        distance = min(size, 2 * size - free) if two and k == 1 else _ceil_div(size, k)
        if carry <= distance:
            return False
        rise = (a * powers.rise[i] + y1 * powers.square_rise[i] // 2) // UNIT
        carry = _next_carry(ratio, carry, rise, distance)
    return carry >= min(_ceil_div(UNIT * UNIT, y1), _up(powers.high))


def slots(sigma: int, x: int) -> int:
    """Return max(1, floor((1 - x/2) / (sigma + x/2))), for sigma and x in fixed point."""
    return max(1, (2 * UNIT - x) // (2 * sigma + x))


def _next_carry(ratio: Fraction, carry: int, rise: int, distance: int) -> int:
    """Return R rise + D - D^2 / (g - D) for a carry g > D, in fixed point, rounded down."""
    gain = ratio.numerator * rise // ratio.denominator
    return gain + distance - _ceil_div(distance * distance, carry - distance)


# Slot weights (sections 5 and 6)


def one_slot_holds(powers: Powers, ratio: Fraction) -> bool:
    """Return whether the ratio holds where one request fits at a time (section 5)."""
    kappa = tail(ratio, powers.low, powers.high, Fraction(1))
    return kappa is not None and kappa > powers.high


def window_start(powers: Powers) -> Interval:
    """Return what c runs through, the last u_q of the first tail: (2 / (3 alpha), 2 / 3]."""
    return math.floor(2 * UNIT / (3 * powers.high)), _ceil_div(2 * UNIT, 3)


def window_holds(powers: Powers, ratio: Fraction, two: bool, c: Interval) -> bool:
    """Return whether the carries suffice for c in an interval (section 6).

    Lengths are in units of c eta (M + 1).
    """
    kappa = tail(ratio, powers.low, powers.high, Fraction(1))
    if kappa is None:
        return False
    carry = math.floor(kappa * UNIT / 2)
    below = UNIT  # the power before, rounded up
    power: Exact = Fraction(1)
    for _ in range(LATEST):
        power = power * powers.alpha
        size, least = _up(power), _down(power)
        distance = min(size, 2 * size - UNIT * UNIT // c[1]) if two else size
        if carry <= distance:
            return False
        rise = _window_weight(c[0], least, up=False) - _window_weight(c[0], below, up=True)
        carry = _next_carry(ratio, carry, rise, distance)
        if powers.high * c[1] * size >= 2 * UNIT * UNIT and carry < powers.high * size:
            return False  # M - s may come next
        if c[0] * least >= UNIT * UNIT:
            kept = min(kappa, Fraction(carry * 2**20 // size, 2**20))
            if kept > powers.high and all(
                tail_keeps(ratio, growth, Fraction(1), kept)
                for growth in (powers.low, powers.high)
            ):
                return True
        below = size
    return False


def _window_weight(c: int, v: int, up: bool) -> int:
    """Return v / 2, or v - 1 / (2 c) if c v > 1, in fixed point, rounded up or down."""
    if c * v <= UNIT * UNIT:
        return _ceil_div(v, 2) if up else v // 2
    return v - (UNIT * UNIT // (2 * c) if up else _ceil_div(UNIT * UNIT, 2 * c))


def covers(whole: Interval, holds: Callable[[Interval], bool]) -> bool:
    """Return whether an interval is made of parts, halved as needed, for which `holds`."""
    todo = [whole]
    while todo:
        part = todo.pop()
        if holds(part):
            continue
        if part[1] - part[0] < LEAST_CELL:
            return False
        todo += _halves(part)
    return True


def _halves(part: Interval) -> list[Interval]:
    middle = (part[0] + part[1]) // 2
    return [(part[0], middle), (middle, part[1])]
