"""Bounds on the competitive ratio of GSA, as exact functions of its growth factor.

Feng, Yang and Zhang 2026 (arXiv 2601.22996) state them at one alpha each; for the other
values, and as formulas, they are derived in proofs/text/ratio_bounds.md.  Smaller ones are
derived in proofs/text/sharper_bounds.md.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial

from kvopt.theory.gba_bounds import gba_bound, gba_bound_large_memory
from kvopt.theory.geometric_slices import EARLY_SOURCE, GEOMETRIC_SOURCE, geometric_bound
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
from kvopt.theory.quadratic import Exact, Quadratic, square_root

__all__ = [
    "EARLY_RELEASE",
    "GSA_ALPHA",
    "GSA_CHOSEN_SLICES",
    "GSA_COMPUTED",
    "GSA_LARGE_MEMORY",
    "GSA_SHARPER",
    "GSA_THEOREM",
    "gsa_bound",
    "gsa_bound_area",
    "gsa_bound_large_memory",
    "gsa_bound_sharper",
    "gsa_guarantee",
    "phase_factor",
]

GSA_ALPHA: Exact = Quadratic(Fraction(7, 6), Fraction(1, 6), 13)


EARLY_RELEASE = "proofs/text/early_release.md"


GSA_ALPHA_LARGE_MEMORY = Fraction(2)


def gsa_bound(alpha: Exact) -> Exact:
    """Return the bound of GSA(alpha), 2 alpha^3 (3 alpha - 2) / (alpha - 1)^2, for alpha > 1.

    Published at alpha = (7 + sqrt 13)/6, where it is 61.91...; else derived:
    proofs/text/ratio_bounds.md.

    Examples
    --------
    >>> print(gsa_bound(GSA_ALPHA), float(gsa_bound(GSA_ALPHA)))
    (92+26*sqrt(13))/3 61.91477772068791
    """
    return 2 * alpha / (alpha - 1) * gba_bound(alpha)


GSA_THEOREM = Theorem(
    policy="gsa",
    kind="upper",
    regime="general",
    formula="2 alpha^3 (3 alpha - 2) / (alpha - 1)^2",
    function=gsa_bound,
    alpha=GSA_ALPHA,
    constant=gsa_bound(GSA_ALPHA),
    prompts="one",
    kills=True,
    parameters="beta = 1",
    source=PAPER,
)


def gsa_bound_large_memory(alpha: Exact) -> Exact:
    """Return the limit of the bound of GSA(alpha) for M to infinity.

    2 alpha^4 / (alpha - 1)^2, published at alpha = 2, where it is 32.
    """
    return 2 * alpha / (alpha - 1) * gba_bound_large_memory(alpha)


GSA_LARGE_MEMORY = Theorem(
    policy="gsa",
    kind="upper",
    regime="large memory",
    formula="2 alpha^4 / (alpha - 1)^2",
    function=gsa_bound_large_memory,
    alpha=GSA_ALPHA_LARGE_MEMORY,
    constant=gsa_bound_large_memory(GSA_ALPHA_LARGE_MEMORY),
    prompts="one",
    kills=True,
    requests=LARGE_MEMORY,
    parameters="beta = 1",
    source=PAPER,
)


def phase_factor(growth: Exact) -> Exact:
    """Return R(g) = g + 2 g^(3/2) / (g - 1), what phases with areas growing by g cost.

    Derived: proofs/text/sharper_bounds.md.  If sqrt(g) is not a quadratic number a slightly
    larger rational number takes its place.

    Examples
    --------
    >>> print(phase_factor(Fraction(4)), phase_factor(Fraction(2)))
    28/3 2+4*sqrt(2)
    """
    return growth + 2 * growth * square_root(growth) / (growth - 1)


def gsa_bound_sharper(alpha: Exact, utilisation: Fraction) -> Exact:
    """Return max(R/U, 2R/(3U) + 1 + alpha/(alpha - 1)), R = max(R(alpha), R(alpha^2)).

    Derived: proofs/text/sharper_bounds.md.

    Parameters
    ----------
    alpha
        Growth factor of the slices, > 1.
    utilisation
        Share U of the memory that every full pipeline uses: 1/3 with SPS, 1/2 with SPS2
        and with tight spacing.

    Examples
    --------
    >>> print(gsa_bound_sharper(Fraction(2), Fraction(1, 3)))
    28
    """
    factor = max(phase_factor(alpha), phase_factor(alpha * alpha))
    return with_own_lengths(factor / utilisation, alpha / (alpha - 1))


def gsa_bound_area(growth: Exact, utilisation: Fraction) -> Exact:
    """Return max(R/U, 2R/(3U) + 1 + r/(r - 1)), R = R(growth), r = sqrt(growth).

    For slices geometric in area.  Derived: proofs/text/sharper_bounds.md.  Parameters are as
    for `gsa_bound_sharper`, but `growth` is that of the areas.
    """
    # r / (r - 1) = (growth + r) / (growth - 1): in this form an r rounded up rounds it up too.
    waits = (growth + square_root(growth)) / (growth - 1)
    return with_own_lengths(phase_factor(growth) / utilisation, waits)


POWERS = ("max(R(alpha), R(alpha^2))", "alpha / (alpha - 1)")


PHASE_FACTOR = ", R(g) = g + 2 g^1.5 / (g - 1)"


AREAS = ("R(alpha)", "1 / (1 - alpha^-0.5)")
"""What R is taken of, and what requests wait for their own slices."""


GSA_SHARPER = tuple(
    Theorem(
        policy=f"gsa{variant}",
        kind="upper",
        regime="general",
        formula=f"max(F, 2 F / 3 + 1 + {waits}), F = {inverse} {factor}{PHASE_FACTOR}",
        function=partial(function, utilisation=Fraction(1, inverse)),
        alpha=Fraction(alpha),
        constant=function(Fraction(alpha), Fraction(1, inverse)),
        prompts="one",
        kills=True,
        parameters="beta = 1",
        source=SHARPER,
    )
    for variant, function, inverse, alpha, factor, waits in (
        ("", gsa_bound_sharper, 3, "1.69", *POWERS),
        (":spacing=sps2|tight", gsa_bound_sharper, 2, "1.69", *POWERS),
        (":slices=area", gsa_bound_area, 3, "2.128", *AREAS),
        (":slices=area:spacing=sps2|tight", gsa_bound_area, 2, "2.128", *AREAS),
    )
)


def gsa_bound_computed(growth: Exact, slices: str, spacing: str, early: bool = False) -> Exact:
    """Return the smaller of what the cells prove, if anything, and of theorem 11.

    Derived: proofs/text/geometric_slices.md and proofs/text/sharper_bounds.md.

    Parameters
    ----------
    growth
        Growth factor of the slices, or of their areas, > 1.
    slices, spacing
        As in `kvopt.policies.gsa.GSA`; not certified slices.
    early
        Whether slots are released early (`gsa:early=yes`).
    """
    function = gsa_bound_area if slices == "area" else gsa_bound_sharper
    by_hand = function(growth, UTILISATION[spacing])
    computed = geometric_bound(growth, slices, spacing, early)
    return by_hand if computed is None else min(computed, by_hand)


GSA_COMPUTED = tuple(
    Theorem(
        policy=f"gsa{variant}",
        kind="upper",
        regime="general",
        formula="least ratio that finitely many inequalities prove",
        function=partial(
            gsa_bound_computed, slices=slices, spacing=spacing, early="early" in variant
        ),
        alpha=Fraction(alpha),
        constant=Fraction(constant),
        prompts="one",
        kills=True,
        parameters="beta = 1",
        source=EARLY_SOURCE if "early" in variant else GEOMETRIC_SOURCE,
    )
    for variant, slices, spacing, alpha, constant in (
        ("", "alpha", "sps", "1.57", "15.22"),
        (":spacing=sps2|tight", "alpha", "sps2", "1.64", "12.59"),
        (":slices=area", "area", "sps", "2.128", "15.64"),
        (":early=yes", "alpha", "sps", "1.77", "13.02"),
    )
)


GSA_CHOSEN_SLICES = Theorem(
    policy="gsa, slices chosen for prompt and memory",
    kind="upper",
    regime="general",
    formula="10",
    constant=Fraction(10),
    prompts="one",
    kills=True,
    parameters="the slices of proofs/data/uniform_bound.json, spacing=sps",
    source="proofs/text/uniform_bound.md",
)


def gsa_guarantee(
    alpha: Exact, spacing: str, slices: str, utilisation: Fraction, early: bool = False
) -> Guarantee:
    """Return the best bound of GSA on a common prompt that is a function of alpha.

    Parameters
    ----------
    alpha, spacing, slices
        As in `kvopt.policies.gsa.GSA`; not for certified slices.
    utilisation
        The least share of the memory that a full pipeline of one of the phases uses.
    early
        Whether slots are released early (`gsa:early=yes`); no bound is larger for that.
    """
    used = max(utilisation, UTILISATION[spacing])
    bound = gsa_bound_area if slices == "area" else gsa_bound_sharper
    ours = Guarantee(bound(alpha, used), "derived", f"{SHARPER}, theorem 11", "geometric phases")
    found = [ours]
    if (computed := geometric_bound(alpha, slices, spacing)) is not None:
        found.append(Guarantee(computed, "derived", GEOMETRIC_SOURCE, "geometric slices"))
    if early and (computed := geometric_bound(alpha, slices, spacing, True)) is not None:
        found.append(Guarantee(computed, "derived", EARLY_SOURCE, "early release"))
    if spacing == "sps" and slices == "alpha":
        theirs = GSA_THEOREM.at(alpha)
        found.append(replace(theirs, published=theirs.bound))
    return strongest(found)
