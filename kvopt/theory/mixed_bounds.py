"""Bounds on the ratio of non-clairvoyant policies with any prompts.

Derived: proofs/text/mixed_non_clairvoyant.md.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.theory.area_levels import phases
from kvopt.theory.gsa_bounds import phase_factor
from kvopt.theory.guarantee import Guarantee, Theorem, with_own_lengths
from kvopt.theory.quadratic import Exact, square_root

__all__ = [
    "AREA_BUDGET_ALPHA",
    "AREA_BUDGET_SHARE",
    "AREA_BUDGET_THEOREM",
    "AREA_PHASES_THEOREM",
    "LEVEL_POOL_ALPHA",
    "LEVEL_POOL_HALF",
    "LEVEL_POOL_THEOREM",
    "area_phases_claim",
    "level_pool_bound",
    "pool_widths",
]

MIXED = "proofs/text/mixed_non_clairvoyant.md"


AREA_PHASES_THEOREM = Theorem(
    policy="area-phases",
    kind="upper",
    regime="general",
    formula="max(F, 2 F / 3 + b), F = R(alpha) / U, R(g) = g + 2 g^1.5 / (g - 1)",
    prompts="any",
    kills=True,
    requests="b and U >= 1/4 as the run has them",
    source=f"{MIXED}, theorem 5",
)


def area_phases_claim(prompts: IntArray, outputs: IntArray, memory: int, alpha: Exact) -> Guarantee:
    """Return the bound on the ratio of one run of area phases, exactly.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each, n >= 1.
    memory
        Memory budget M (tokens).
    alpha
        Growth factor of the areas, > 1.
    """
    peak = waits = 0
    for members, slices, unfinished in phases(prompts, outputs, memory, alpha):
        peak = max(peak, int((prompts[members] + slices).max()))
        waits += int(slices.max()) * int(unfinished.sum())
    used = max(Fraction(1, 4), Fraction(memory - peak, 2 * memory))
    own_waits = Fraction(waits, int(outputs.sum()))
    bound = with_own_lengths(phase_factor(alpha) / used, own_waits)
    return Guarantee(bound, "derived", AREA_PHASES_THEOREM.source, "this run")


LEVEL_POOL_ALPHA = Fraction(12, 5)


def level_pool_bound(alpha: Exact, width: Fraction, share: Fraction) -> Exact:
    """Return max(F, 2F/3 + 1 + W), F = (1 + alpha + 2 alpha/(alpha - 1)) width / (1 - share).

    W = 1 / (1 - alpha^-0.5).  Derived: proofs/text/mixed_non_clairvoyant.md, theorem 9.

    Parameters
    ----------
    alpha
        Growth factor of the areas, > 1.
    width
        Largest width / (prompt + 1), rho.
    share
        Largest width / memory, a < 1.

    Examples
    --------
    >>> print(level_pool_bound(Fraction(12, 5), Fraction(2), Fraction(1, 2)))
    956/35
    """
    pairs = 1 + alpha + 2 * alpha / (alpha - 1)
    # 1 / (1 - 1 / r) = (alpha + r) / (alpha - 1): in this form an r rounded up rounds it up too.
    waits = (alpha + square_root(alpha)) / (alpha - 1)
    return with_own_lengths(pairs * width / (1 - share), waits)


def pool_widths(prompts: IntArray, memory: int, width: Fraction) -> IntArray:
    """Return the memory that the level pool reserves for requests (tokens), shape (n,).

    That is width * s, rounded down, but at least s + 1 and at most M.

    Parameters
    ----------
    prompts
        Prompt lengths (tokens), shape (n,).
    memory
        Memory budget M (tokens).
    width
        Reserved memory in prompts, >= 1.
    """
    values, places = np.unique(prompts, return_inverse=True)
    widths = [min(memory, max(s + 1, int(width * s))) for s in values.tolist()]
    return np.array(widths, dtype=np.int64)[places]


LEVEL_POOL_THEOREM = Theorem(
    policy="level-pool",
    kind="upper",
    regime="general",
    formula=(
        "max(F, 2 F / 3 + 1 + 1 / (1 - alpha^-0.5)),"
        " F = (1 + alpha + 2 alpha / (alpha - 1)) rho / (1 - a)"
    ),
    prompts="any",
    kills=True,
    requests="every prompt + output at most w, w at most a M and at most rho (prompt + 1)",
    source=f"{MIXED}, theorem 9",
)


LEVEL_POOL_HALF = replace(
    LEVEL_POOL_THEOREM,
    formula="956/35",
    constant=level_pool_bound(LEVEL_POOL_ALPHA, Fraction(2), Fraction(1, 2)),
    requests="every output at most the prompt, every prompt at most M/4",
    parameters="alpha = 12/5, width = 2",
)


AREA_BUDGET_ALPHA = Fraction(5, 3)


AREA_BUDGET_SHARE = Fraction(2, 5)


AREA_BUDGET_THEOREM = Theorem(
    policy="area-budget",
    kind="upper",
    regime="general",
    formula="1375/24",
    constant=Fraction(1375, 24),
    prompts="any",
    kills=True,
    parameters="alpha = 5/3, budget = 2/5",
    source=f"{MIXED}, theorem 13",
)
