"""Bounds on the competitive ratio of GBA, as exact functions of its growth factor.

Feng, Yang and Zhang 2026 (arXiv 2601.22996) state them at one alpha each; for the other
values, and as formulas, they are derived in proofs/text/ratio_bounds.md.  Smaller ones are
derived in proofs/text/sharper_bounds.md and proofs/text/area_and_length.md.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial

from kvopt.theory.area_and_length import AREA_AND_LENGTH, ratio_of_cost
from kvopt.theory.guarantee import (
    LARGE_MEMORY,
    PAPER,
    SHARPER,
    UTILISATION,
    Guarantee,
    Theorem,
    strongest,
    with_own_lengths,
)
from kvopt.theory.quadratic import Exact, square_root

__all__ = [
    "GBA_ALPHA",
    "GBA_LARGE_MEMORY",
    "GBA_PRICED",
    "GBA_SHARPER",
    "GBA_THEOREM",
    "gba_bound",
    "gba_bound_area",
    "gba_bound_large_memory",
    "gba_bound_priced",
    "gba_bound_sharper",
    "gba_guarantee",
]

GBA_ALPHA = Fraction(4, 3)


GBA_ALPHA_LARGE_MEMORY = Fraction(3, 2)


def gba_bound(alpha: Exact) -> Exact:
    """Return the bound of GBA(alpha), alpha^2 (3 alpha - 2) / (alpha - 1), for alpha > 1.

    Published at alpha = 4/3, where it is 32/3; else derived: proofs/text/ratio_bounds.md.

    Examples
    --------
    >>> gba_bound(Fraction(4, 3))
    Fraction(32, 3)
    """
    return alpha * alpha * (3 * alpha - 2) / (alpha - 1)


GBA_THEOREM = Theorem(
    policy="gba",
    kind="upper",
    regime="general",
    formula="alpha^2 (3 alpha - 2) / (alpha - 1)",
    function=gba_bound,
    alpha=GBA_ALPHA,
    constant=gba_bound(GBA_ALPHA),
    prompts="one",
    kills=False,
    source=PAPER,
)


def gba_bound_large_memory(alpha: Exact) -> Exact:
    """Return the limit of the bound of GBA(alpha) for M to infinity, alpha^3 / (alpha - 1).

    Published at alpha = 3/2, where it is 27/4.
    """
    return alpha * alpha * alpha / (alpha - 1)


GBA_LARGE_MEMORY = Theorem(
    policy="gba",
    kind="upper",
    regime="large memory",
    formula="alpha^3 / (alpha - 1)",
    function=gba_bound_large_memory,
    alpha=GBA_ALPHA_LARGE_MEMORY,
    constant=gba_bound_large_memory(GBA_ALPHA_LARGE_MEMORY),
    prompts="one",
    kills=False,
    requests=LARGE_MEMORY,
    source=PAPER,
)


def shares_and_waits(growth: Exact, slices: str, drain: bool) -> tuple[Exact, Exact]:
    """Return G and W of the cost (G/U) A + (1 + W) L: class ends are powers, or by area."""
    if slices == "area":
        # r/(r - 1) for r = sqrt(growth), in a form that a root rounded up does not make smaller
        waits = (growth + square_root(growth)) / (growth - 1)
        return growth, waits if drain else Fraction(0)
    return growth * growth, growth / (growth - 1) if drain else Fraction(0)


def gba_bound_sharper(alpha: Exact, utilisation: Fraction, drain: bool) -> Exact:
    """Return max(alpha^2/U, 2 alpha^2/(3U) + 1 + [alpha/(alpha - 1) if drain]).

    Derived: proofs/text/sharper_bounds.md.  Parameters are as for `gsa_bound_sharper`;
    `drain` tells whether a class waits for the last slice of the one before it.
    """
    shared, waits = shares_and_waits(alpha, "alpha", drain)
    return with_own_lengths(shared / utilisation, waits)


def gba_bound_area(growth: Exact, utilisation: Fraction, drain: bool) -> Exact:
    """Return max(g/U, 2g/(3U) + 1 + [r/(r - 1) if drain]), g = growth, r = sqrt(growth).

    For class ends geometric in area.  Derived: proofs/text/sharper_bounds.md.  Parameters are as
    for `gba_bound_sharper`, but `growth` is that of the areas.
    """
    shared, waits = shares_and_waits(growth, "area", drain)
    return with_own_lengths(shared / utilisation, waits)


GBA_SHARPER = tuple(
    Theorem(
        policy=policy,
        kind="upper",
        regime="general",
        formula=f"max(F, 2 F / 3 + 1{waits}), F = {inverse} alpha^2",
        function=partial(gba_bound_sharper, utilisation=Fraction(1, inverse), drain=drain),
        alpha=Fraction(alpha),
        constant=gba_bound_sharper(Fraction(alpha), Fraction(1, inverse), drain),
        prompts="one",
        kills=False,
        source=SHARPER,
    )
    for policy, inverse, drain, alpha, waits in (
        ("gba", 3, True, "1.42", " + alpha / (alpha - 1)"),
        ("gba:spacing=sps2|tight", 2, True, "3/2", " + alpha / (alpha - 1)"),
        ("gba:drain=no", 3, False, "6/5", ""),
        ("gba:spacing=sps2|tight:drain=no", 2, False, "6/5", ""),
    )
)


def gba_bound_priced(
    growth: Exact, utilisation: Fraction, drain: bool, slices: str = "alpha"
) -> Exact:
    """Return the ratio of (G/U) A + (1 + W) L to the optimum.

    G and W are as in `gba_bound_sharper` and `gba_bound_area`.  Derived:
    proofs/text/area_and_length.md.

    Parameters
    ----------
    growth
        Growth factor of the class ends, or of their areas, > 1.
    utilisation
        As in `gba_guarantee`.
    drain, slices
        As in `kvopt.policies.gba.GBA`.
    """
    shared, waits = shares_and_waits(growth, slices, drain)
    return ratio_of_cost(shared / utilisation, 1 + waits)


GBA_PRICED = tuple(
    Theorem(
        policy=policy,
        kind="upper",
        regime="general",
        formula=f"F A + (1{waits}) L against the optimum, F = {inverse} alpha^2",
        function=partial(gba_bound_priced, utilisation=Fraction(1, inverse), drain=drain),
        alpha=Fraction(alpha),
        constant=gba_bound_priced(Fraction(alpha), Fraction(1, inverse), drain),
        prompts="one",
        kills=False,
        source=AREA_AND_LENGTH,
    )
    for policy, inverse, drain, alpha, waits in (
        ("gba", 3, True, "1.39", " + alpha / (alpha - 1)"),
        ("gba:spacing=sps2|tight", 2, True, "1.49", " + alpha / (alpha - 1)"),
        ("gba:spacing=sps2|tight:drain=no", 2, False, "6/5", ""),
    )
)


def gba_guarantee(
    alpha: Exact, spacing: str, slices: str, drain: bool, utilisation: Fraction
) -> Guarantee:
    """Return the best bound of GBA on a common prompt that is a function of alpha.

    Parameters
    ----------
    alpha, spacing, slices, drain
        As in `kvopt.policies.gba.GBA`.
    utilisation
        The least share of the memory that a full pipeline of one of the classes uses.
    """
    used = max(utilisation, UTILISATION[spacing])
    bound = gba_bound_area if slices == "area" else gba_bound_sharper
    found = [
        Guarantee(
            bound(alpha, used, drain), "derived", f"{SHARPER}, theorem 13", "geometric classes"
        ),
        Guarantee(
            gba_bound_priced(alpha, used, drain, slices),
            "derived",
            AREA_AND_LENGTH,
            "geometric classes",
        ),
    ]
    if spacing == "sps" and slices == "alpha" and drain:
        theirs = GBA_THEOREM.at(alpha)
        found.append(replace(theirs, published=theirs.bound))
    return strongest(found)
