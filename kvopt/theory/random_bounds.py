"""Bounds on the expected competitive ratio of GSA with a random order or offset.

Derived: proofs/text/random_bounds.md.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

from kvopt.theory.guarantee import Theorem, with_own_lengths
from kvopt.theory.quadratic import Exact, square_root

__all__ = [
    "GSA_EXPECTED",
    "OFFSET_ROUNDING",
    "RANDOM",
    "gsa_expected_bound",
    "log_below",
]

RANDOM = "proofs/text/random_bounds.md"


OFFSET_ROUNDING = 1 + Fraction(1, 2**17)
"""What the rounding of a random offset may add to an expected bound, as a factor."""


def gsa_expected_bound(
    growth: Exact, utilisation: Fraction, slices: str, order: str, offset: str
) -> Fraction:
    """Return the bound on the expected ratio of GSA with a random order or offset.

    Derived: proofs/text/random_bounds.md.  Rounded up to a multiple of 10^-6.

    Parameters
    ----------
    growth
        Growth factor of the slices, or of their areas with slices="area", > 1.
    utilisation
        Share U of the memory that every full pipeline uses.
    slices
        "alpha" or "area".
    order, offset
        "fixed" or "random"; one of them is random.

    Examples
    --------
    >>> gsa_expected_bound(Fraction(9, 4), Fraction(1, 2), "area", "random", "fixed")
    Fraction(27, 2)
    >>> half, g = Fraction(1, 2), Fraction("3.37")
    >>> float(gsa_expected_bound(g, half, "area", "random", "random"))
    8.569762
    """

    def factor(g: Exact) -> Exact:
        root = square_root(g)  # rounded up, if at all; every term below increases with it
        if offset == "fixed":
            return (g + root) * g / (g - 1)
        return (g + root if order == "random" else g - 1 + 2 * root) / log_below(g)

    waits: Exact
    if slices == "area":
        largest = factor(growth)
        waits = (growth + square_root(growth)) / (growth - 1)
        if offset == "random":
            waits = 2 / log_below(growth)
    else:
        largest = max(factor(growth), factor(growth * growth))
        waits = growth / (growth - 1) if offset == "fixed" else 1 / log_below(growth)
    bound = with_own_lengths(largest / utilisation, waits)
    return Fraction(math.ceil(bound * 10**6), 10**6)


def log_below(x: Exact) -> Fraction:
    """Return a positive rational number at most 10^-15 below the natural logarithm of x > 1.

    With x = 2^n y, 1 <= y < 2, that is n ln 2 + ln y, each from below by the partial sums of
    ln y = 2 (z + z^3 / 3 + z^5 / 5 + ...), z = (y - 1) / (y + 1).
    """
    bits = 80 + max(0, math.floor(1 / (x - 1)).bit_length() - 40)  # more where x is close to 1
    unit = 1 << bits
    scaled = math.floor(x * unit)
    doublings = scaled.bit_length() - bits - 1

    def series(numerator: int, denominator: int) -> int:
        power = (numerator - denominator) * unit // (numerator + denominator)
        square, total, k = power * power // unit, 0, 1
        while power:
            total += power // k
            power, k = power * square // unit, k + 2
        return 2 * total

    return Fraction(doublings * series(2, 1) + series(scaled, unit << doublings), unit)


GSA_EXPECTED = tuple(
    Theorem(
        policy=f"gsa{variant}{'' if inverse == 3 else ':spacing=sps2|tight'}",
        kind="upper",
        regime="expected",
        formula=formula.format(inverse),
        function=partial(
            gsa_expected_bound,
            utilisation=Fraction(1, inverse),
            slices=slices,
            order=order,
            offset=offset,
        ),
        alpha=Fraction(alpha),
        constant=gsa_expected_bound(Fraction(alpha), Fraction(1, inverse), slices, order, offset),
        prompts="one",
        kills=True,
        requests="outputs fixed before anything is drawn",
        parameters="beta = 1",
        source=RANDOM,
    )
    for variant, slices, order, offset, alpha, formula in (
        (
            ":slices=area:order=random",
            "area",
            "random",
            "fixed",
            "9/4",
            "max(F, 2 F / 3 + 1 + 1 / (1 - alpha^-0.5)), F = {} alpha^1.5 / (alpha^0.5 - 1)",
        ),
        (
            ":slices=area:offset=random",
            "area",
            "fixed",
            "random",
            "3.18",
            "max(F, 2 F / 3 + 1 + 2 / ln alpha), F = {} (alpha - 1 + 2 alpha^0.5) / ln alpha",
        ),
        (
            ":slices=area:offset=random:order=random",
            "area",
            "random",
            "random",
            "3.37",
            "max(F, 2 F / 3 + 1 + 2 / ln alpha), F = {} (alpha + alpha^0.5) / ln alpha",
        ),
        (
            ":offset=random",
            "alpha",
            "fixed",
            "random",
            "2.23",
            "max(F, 2 F / 3 + 1 + 1 / ln alpha), F = {} max(K(alpha), K(alpha^2)),"
            " K(g) = (g - 1 + 2 g^0.5) / ln g",
        ),
        (
            ":offset=random:order=random",
            "alpha",
            "random",
            "random",
            "2.31",
            "max(F, 2 F / 3 + 1 + 1 / ln alpha), F = {} max(K(alpha), K(alpha^2)),"
            " K(g) = (g + g^0.5) / ln g",
        ),
    )
    for inverse in (3, 2)
)
