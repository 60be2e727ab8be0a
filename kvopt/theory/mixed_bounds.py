"""Bounds on the ratio of non-clairvoyant policies with any prompts.

Derived: proofs/text/mixed_non_clairvoyant.md.
"""

from __future__ import annotations

from fractions import Fraction

from kvopt.model.instance import IntArray
from kvopt.theory.area_levels import phases
from kvopt.theory.gsa_bounds import phase_factor
from kvopt.theory.guarantee import Guarantee, Theorem, with_own_lengths
from kvopt.theory.quadratic import Exact

__all__ = ["AREA_PHASES_THEOREM", "area_phases_claim"]

MIXED = "proofs/text/mixed_non_clairvoyant.md"


AREA_PHASES_THEOREM = Theorem(
    policy="area-phases",
    kind="upper",
    regime="general",
    formula="max(F, 2 F / 3 + b), F = R(alpha) / U, R(g) = g + 2 g^1.5 / (g - 1)",
    function=None,
    alpha=None,
    constant=None,
    prompts="any",
    kills=True,
    requests="b and U >= 1/4 as the run has them",
    source=f"{MIXED}, theorem 5",
)


def area_phases_claim(
    prompts: IntArray, outputs: IntArray, memory: int, alpha: Exact
) -> Guarantee:
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
