"""Bounds on the ratio of non-clairvoyant policies with any prompts.

Derived: proofs/text/mixed_non_clairvoyant.md.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.theory.area_levels import phases, stages
from kvopt.theory.gsa_bounds import phase_factor
from kvopt.theory.guarantee import Guarantee, Theorem, with_own_lengths
from kvopt.theory.ordering import areas
from kvopt.theory.quadratic import Exact, square_root
from kvopt.theory.random_bounds import OFFSET_ROUNDING, log_below

__all__ = [
    "AREA_BUDGET_ALPHA",
    "AREA_BUDGET_RUN_THEOREM",
    "AREA_BUDGET_SHARE",
    "AREA_BUDGET_THEOREM",
    "AREA_PHASES_THEOREM",
    "LEVEL_POOL_ALPHA",
    "LEVEL_POOL_EXPECTED",
    "LEVEL_POOL_HALF",
    "LEVEL_POOL_THEOREM",
    "area_budget_bound",
    "area_budget_claim",
    "area_phases_claim",
    "level_pool_bound",
    "level_pool_expected_bound",
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
    used = _used(peak, memory)
    own_waits = Fraction(waits, int(outputs.sum()))
    bound = with_own_lengths(phase_factor(alpha) / used, own_waits)
    return Guarantee(bound, "derived", AREA_PHASES_THEOREM.source, "this run")


def _used(peak: int, memory: int) -> Fraction:
    """Return U = max(1/4, (1 - peak / M) / 2) of lemma 4."""
    return max(Fraction(1, 4), Fraction(memory - peak, 2 * memory))


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


def level_pool_expected_bound(
    alpha: Exact, width: Fraction, share: Fraction, order: str, offset: str
) -> Fraction:
    """Return the bound on the expected ratio of the level pool at random.

    Rounded up to a multiple of 10^-6, and with a random offset for its rounding, too.  Derived:
    proofs/text/mixed_non_clairvoyant.md, theorem 15.

    Parameters
    ----------
    alpha, width, share
        As for `level_pool_bound`.
    order, offset
        "fixed" or "random"; one of them is random.

    Examples
    --------
    >>> half = Fraction(1, 2)
    >>> print(level_pool_expected_bound(Fraction(3), Fraction(2), half, "random", "fixed"))
    22
    """
    pairs: Exact
    waits: Exact
    if offset == "fixed":
        pairs = 1 + alpha / 2 + 2 * alpha / (alpha - 1)
        waits = (alpha + square_root(alpha)) / (alpha - 1)
        rounding = Fraction(1)
    else:
        logarithm = log_below(alpha)
        summed = (alpha + 3) / 2 if order == "random" else alpha + 1
        pairs, waits, rounding = 1 + summed / logarithm, 2 / logarithm, OFFSET_ROUNDING
    bound = with_own_lengths(pairs * width / (1 - share), waits) * rounding
    return Fraction(math.ceil(bound * 10**6), 10**6)


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


LEVEL_POOL_EXPECTED = tuple(
    Theorem(
        policy=f"level-pool{variant}",
        kind="upper",
        regime="expected",
        formula=f"max(F, 2 F / 3 + 1 + {waits}), F = 4 ({pairs})",
        function=(
            bound := partial(
                level_pool_expected_bound,
                width=Fraction(2),
                share=Fraction(1, 2),
                order=order,
                offset=offset,
            )
        ),
        alpha=Fraction(alpha),
        constant=bound(Fraction(alpha)),
        prompts="any",
        kills=True,
        requests=f"{LEVEL_POOL_HALF.requests}, fixed before anything is drawn",
        parameters="width = 2",
        source=f"{MIXED}, theorem 15",
    )
    for variant, order, offset, alpha, pairs, waits in (
        (
            ":order=random",
            "random",
            "fixed",
            "3",
            "1 + alpha / 2 + 2 alpha / (alpha - 1)",
            "1 / (1 - alpha^-0.5)",
        ),
        (
            ":offset=random",
            "fixed",
            "random",
            "3.59",
            "1 + (alpha + 1) / ln alpha",
            "2 / ln alpha",
        ),
        (
            ":offset=random:order=random",
            "random",
            "random",
            "4.97",
            "1 + (alpha + 3) / (2 ln alpha)",
            "2 / ln alpha",
        ),
    )
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


AREA_BUDGET_RUN_THEOREM = Theorem(
    policy="area-budget",
    kind="upper",
    regime="general",
    formula="max(125 F / 12, 125 F / 18 + 1 + 1217 F / 375)",
    prompts="any",
    kills=True,
    requests="F <= 11/2 as the run has it",
    parameters="alpha = 5/3, budget = 2/5",
    source=f"{MIXED}, theorem 14",
)


def area_budget_bound(factor: Fraction) -> Exact:
    """Return max(125 F / 12, 125 F / 18 + 1 + 1217 F / 375).

    Derived: proofs/text/mixed_non_clairvoyant.md, theorem 14.

    Parameters
    ----------
    factor
        F: how often alpha^k goes into the longest wait of requests that complete in stage k.

    Examples
    --------
    >>> print(area_budget_bound(Fraction(11, 2)), area_budget_bound(Fraction(25, 6)))
    1375/24 23467/540
    """
    return with_own_lengths(Fraction(125, 12) * factor, Fraction(1217, 375) * factor)


def area_budget_claim(prompts: IntArray, outputs: IntArray, memory: int) -> Guarantee:
    """Return the bound on the ratio of one run of area budget with its default parameters.

    Rounded up to a multiple of 10^-6.  Parameters are as for `area_phases_claim`.
    """
    factor = begin = Fraction(0)  # begin: when a stage begins at the latest
    for stage, members, slices in stages(
        prompts, outputs, memory, AREA_BUDGET_ALPHA, AREA_BUDGET_SHARE
    ):
        peak = int((prompts[members] + slices).max())
        given = sum(areas(prompts[members], slices).tolist())
        waits = Fraction(given) / (_used(peak, memory) * memory)
        if (outputs[members] <= slices).any():
            factor = max(factor, (begin + waits) / AREA_BUDGET_ALPHA**stage)
        begin += waits + int(slices.max())
    bound = Fraction(math.ceil(area_budget_bound(factor) * 10**6), 10**6)
    if bound >= Fraction(1375, 24):
        return AREA_BUDGET_THEOREM.stated()
    return Guarantee(bound, "derived", AREA_BUDGET_RUN_THEOREM.source, "this run")
