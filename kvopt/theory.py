"""What is proved about the policies: bounds on the competitive ratio, with their scope.

Upper bounds that depend on the growth factor alpha are functions of it.  Feng,
Yang and Zhang 2026 (arXiv 2601.22996) state them at one alpha each; for the other
values, and as formulas, they are derived in proofs/ratio_bounds.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from kvopt.quadratic import Exact, Quadratic

__all__ = [
    "GBA_ALPHA",
    "GSA_ALPHA",
    "THEOREMS",
    "Guarantee",
    "Theorem",
    "gba_bound",
    "gba_bound_large_memory",
    "gsa_bound",
    "gsa_bound_large_memory",
]

Status = Literal["published", "derived"]

PAPER = "Feng, Yang, Zhang 2026, arXiv 2601.22996"
DERIVED = "proofs/ratio_bounds.md"
COMMON_PROMPT = "one common prompt length"
LARGE_MEMORY = "one common prompt length; limit for M to infinity, s and o fixed"

GBA_ALPHA = Fraction(4, 3)
GBA_ALPHA_LARGE_MEMORY = Fraction(3, 2)
GSA_ALPHA: Exact = Quadratic(Fraction(7, 6), Fraction(1, 6), 13)
GSA_ALPHA_LARGE_MEMORY = Fraction(2)


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A proved bound that applies to one policy on one instance.

    Parameters
    ----------
    bound
        Upper bound on cost / optimum.
    status
        "published", or "derived" for what is proved in this project only.
    source
        Paper or proof.
    """

    bound: Exact
    status: Status
    source: str


@dataclass(frozen=True, slots=True)
class Theorem:
    """A bound on the competitive ratio of a policy, or of every policy of a kind.

    Parameters
    ----------
    policy
        Name of the policy, or the kind of policy in words.
    kind
        "upper" or "lower" bound on the ratio.
    regime
        "general" or "large memory".
    formula
        The bound in words or as a function of alpha.
    function
        The bound as an exact function of alpha; None if it is a constant.
    alpha
        The alpha at which the source states it; None if it is a constant.
    constant
        The bound as the source states it; None if it has parameters other than alpha.
    scope
        Under which assumptions it holds.
    source
        Paper or proof.
    """

    policy: str
    kind: Literal["upper", "lower"]
    regime: Literal["general", "large memory"]
    formula: str
    function: Callable[[Exact], Exact] | None
    alpha: Exact | None
    constant: Exact | None
    scope: str
    source: str

    def at(self, alpha: Exact) -> Guarantee:
        """Return the bound at some alpha > 1; only if it is a function of alpha."""
        assert self.function is not None
        if alpha == self.alpha:
            return Guarantee(self.function(alpha), "published", self.source)
        return Guarantee(self.function(alpha), "derived", DERIVED)


def gba_bound(alpha: Exact) -> Exact:
    """Return the bound of GBA(alpha), alpha^2 (3 alpha - 2) / (alpha - 1), for alpha > 1.

    Published at alpha = 4/3, where it is 32/3; else derived: proofs/ratio_bounds.md.

    Examples
    --------
    >>> gba_bound(Fraction(4, 3))
    Fraction(32, 3)
    """
    return alpha * alpha * (3 * alpha - 2) / (alpha - 1)


def gba_bound_large_memory(alpha: Exact) -> Exact:
    """Return the limit of the bound of GBA(alpha) for M to infinity, alpha^3 / (alpha - 1).

    Published at alpha = 3/2, where it is 27/4.
    """
    return alpha * alpha * alpha / (alpha - 1)


def gsa_bound(alpha: Exact) -> Exact:
    """Return the bound of GSA(alpha), 2 alpha^3 (3 alpha - 2) / (alpha - 1)^2, for alpha > 1.

    Published at alpha = (7 + sqrt 13)/6, where it is 61.91...; else derived:
    proofs/ratio_bounds.md.

    Examples
    --------
    >>> print(gsa_bound(GSA_ALPHA), float(gsa_bound(GSA_ALPHA)))
    (92+26*sqrt(13))/3 61.91477772068791
    """
    return 2 * alpha / (alpha - 1) * gba_bound(alpha)


def gsa_bound_large_memory(alpha: Exact) -> Exact:
    """Return the limit of the bound of GSA(alpha) for M to infinity.

    2 alpha^4 / (alpha - 1)^2, published at alpha = 2, where it is 32.
    """
    return 2 * alpha / (alpha - 1) * gba_bound_large_memory(alpha)


GBA_THEOREM = Theorem(
    policy="gba",
    kind="upper",
    regime="general",
    formula="alpha^2 (3 alpha - 2) / (alpha - 1)",
    function=gba_bound,
    alpha=GBA_ALPHA,
    constant=gba_bound(GBA_ALPHA),
    scope=COMMON_PROMPT,
    source=PAPER,
)

GSA_THEOREM = Theorem(
    policy="gsa",
    kind="upper",
    regime="general",
    formula="2 alpha^3 (3 alpha - 2) / (alpha - 1)^2",
    function=gsa_bound,
    alpha=GSA_ALPHA,
    constant=gsa_bound(GSA_ALPHA),
    scope=f"{COMMON_PROMPT}, beta = 1",
    source=PAPER,
)

MCSF_THEOREM = Theorem(
    policy="mc-sf",
    kind="upper",
    regime="general",
    formula="9216",
    function=None,
    alpha=None,
    constant=Fraction(9216),
    scope=COMMON_PROMPT,
    source="Jaillet et al. 2025, arXiv 2502.07115",
)

THEOREMS: tuple[Theorem, ...] = (
    GBA_THEOREM,
    Theorem(
        policy="gba",
        kind="upper",
        regime="large memory",
        formula="alpha^3 / (alpha - 1)",
        function=gba_bound_large_memory,
        alpha=GBA_ALPHA_LARGE_MEMORY,
        constant=gba_bound_large_memory(GBA_ALPHA_LARGE_MEMORY),
        scope=LARGE_MEMORY,
        source=PAPER,
    ),
    GSA_THEOREM,
    Theorem(
        policy="gsa",
        kind="upper",
        regime="large memory",
        formula="2 alpha^4 / (alpha - 1)^2",
        function=gsa_bound_large_memory,
        alpha=GSA_ALPHA_LARGE_MEMORY,
        constant=gsa_bound_large_memory(GSA_ALPHA_LARGE_MEMORY),
        scope=f"{LARGE_MEMORY}; beta = 1",
        source=PAPER,
    ),
    Theorem(
        policy="staggered pipeline (sps)",
        kind="upper",
        regime="general",
        formula="2",
        function=None,
        alpha=None,
        constant=Fraction(2),
        scope="identical requests",
        source=PAPER,
    ),
    MCSF_THEOREM,
    Theorem(
        policy="sorted-f",
        kind="upper",
        regime="general",
        formula="48",
        function=None,
        alpha=None,
        constant=Fraction(48),
        scope="any prompts, exact choice of each batch",
        source="Wang, Ye, Zhou 2025, arXiv 2508.06133",
    ),
    Theorem(
        policy="svf",
        kind="upper",
        regime="general",
        formula="1 + 2 / (1 - a)",
        function=None,
        alpha=None,
        constant=None,
        scope="every prompt + output at most a * M, 0 < a < 1",
        source="arXiv 2606.22327",
    ),
    Theorem(
        policy="route: rect",
        kind="upper",
        regime="general",
        formula="36",
        function=None,
        alpha=None,
        constant=Fraction(36),
        scope="prompt-heavy requests",
        source="arXiv 2607.09248",
    ),
    Theorem(
        policy="route: response",
        kind="upper",
        regime="general",
        formula="236/3",
        function=None,
        alpha=None,
        constant=Fraction(236, 3),
        scope="response-heavy requests",
        source="arXiv 2607.09248",
    ),
    Theorem(
        policy="every deterministic non-clairvoyant policy",
        kind="lower",
        regime="general",
        formula="3 - 2 / (n + 1)",
        function=None,
        alpha=None,
        constant=Fraction(3),
        scope="limit for n to infinity; when 2 (s + 1) > M, so that one request fits",
        source="Jaeger et al. 2022, arXiv 2211.02044",
    ),
)
