"""What is proved about the policies: bounds on the competitive ratio, with their scope.

Upper bounds that depend on the growth factor alpha are functions of it.  Feng,
Yang and Zhang 2026 (arXiv 2601.22996) state them at one alpha each; for the other
values, and as formulas, they are derived in proofs/ratio_bounds.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Literal

from kvopt.theory.quadratic import Exact, Quadratic, square_root

__all__ = [
    "GBA_ALPHA",
    "GSA_ALPHA",
    "THEOREMS",
    "Guarantee",
    "Theorem",
    "gba_bound",
    "gba_bound_area",
    "gba_bound_large_memory",
    "gba_bound_sharper",
    "gba_guarantee",
    "gsa_bound",
    "gsa_bound_area",
    "gsa_bound_large_memory",
    "gsa_bound_sharper",
    "gsa_expected_bound",
    "gsa_guarantee",
    "inherited",
    "log_below",
    "phase_factor",
    "strongest",
]

Status = Literal["published", "derived"]

PAPER = "Feng, Yang, Zhang 2026, arXiv 2601.22996"
DERIVED = "proofs/ratio_bounds.md"
SHARPER = "proofs/sharper_bounds.md"
RANDOM = "proofs/random_bounds.md"
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
    name
        The source in two or three words, for tables.
    published
        What the literature proves for the same policy, as a formula in its alpha, if this
        may be more than `bound`; None otherwise.
    expected
        Upper bound on the expected cost / optimum, if the policy draws something and that
        gains a proved factor; None otherwise.  No single run is judged by it.
    """

    bound: Exact
    status: Status
    source: str
    name: str = ""
    published: Exact | None = None
    expected: Fraction | None = None


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
        "general", "large memory", or "expected": about the mean over what a policy draws.
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
    regime: Literal["general", "large memory", "expected"]
    formula: str
    function: Callable[[Exact], Exact] | None
    alpha: Exact | None
    constant: Exact | None
    scope: str
    source: str

    @property
    def name(self) -> str:
        """The source in two or three words."""
        return self.source.removeprefix("proofs/").rpartition(", ")[2]

    @property
    def status(self) -> Status:
        """Whether the source is a paper ("published") or a proof of ours ("derived")."""
        return "derived" if self.source.startswith("proofs/") else "published"

    def stated(self) -> Guarantee:
        """Return the bound as the source states it; only if it is a constant."""
        assert self.constant is not None
        return Guarantee(self.constant, self.status, self.source, self.name)

    def at(self, alpha: Exact) -> Guarantee:
        """Return the bound at some alpha > 1; only if it is a function of alpha."""
        assert self.function is not None
        if self.status == "derived" or alpha == self.alpha:
            return Guarantee(self.function(alpha), self.status, self.source, self.name)
        return Guarantee(self.function(alpha), "derived", DERIVED, self.name)


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


def phase_factor(growth: Exact) -> Exact:
    """Return R(g) = g + 2 g^(3/2) / (g - 1), what phases with areas growing by g cost.

    Derived: proofs/sharper_bounds.md.  If sqrt(g) is not a quadratic number a slightly
    larger rational number takes its place.

    Examples
    --------
    >>> print(phase_factor(Fraction(4)), phase_factor(Fraction(2)))
    28/3 2+4*sqrt(2)
    """
    return growth + 2 * growth * square_root(growth) / (growth - 1)


def gsa_bound_sharper(alpha: Exact, utilisation: Fraction) -> Exact:
    """Return max(R/U, 2R/(3U) + 1 + alpha/(alpha - 1)), R = max(R(alpha), R(alpha^2)).

    Derived: proofs/sharper_bounds.md.

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
    return _with_own_lengths(factor / utilisation, alpha / (alpha - 1))


def gsa_bound_area(growth: Exact, utilisation: Fraction) -> Exact:
    """Return max(R/U, 2R/(3U) + 1 + r/(r - 1)), R = R(growth), r = sqrt(growth).

    For slices geometric in area.  Derived: proofs/sharper_bounds.md.  Parameters are as
    for `gsa_bound_sharper`, but `growth` is that of the areas.
    """
    # r / (r - 1) = (growth + r) / (growth - 1): in this form an r rounded up rounds it up too.
    waits = (growth + square_root(growth)) / (growth - 1)
    return _with_own_lengths(phase_factor(growth) / utilisation, waits)


def gsa_expected_bound(
    growth: Exact, utilisation: Fraction, slices: str, order: str, offset: str
) -> Fraction:
    """Return the bound on the expected ratio of GSA with a random order or offset.

    Derived: proofs/random_bounds.md.  Rounded up to a multiple of 10^-6.

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
    bound = _with_own_lengths(largest / utilisation, waits)
    return Fraction(math.ceil(bound * 10**6), 10**6)


def log_below(x: Exact) -> Fraction:
    """Return a rational number at most 10^-15 below the natural logarithm of x > 1.

    With x = 2^n y, 1 <= y < 2, that is n ln 2 + ln y, each from below by the partial sums of
    ln y = 2 (z + z^3 / 3 + z^5 / 5 + ...), z = (y - 1) / (y + 1).
    """
    unit = 1 << 80
    scaled = math.floor(x * unit)
    doublings = scaled.bit_length() - 81
    if doublings < 0:  # x - 1 is less than 2^-80
        return Fraction(0)

    def series(numerator: int, denominator: int) -> int:
        power = (numerator - denominator) * unit // (numerator + denominator)
        square, total, k = power * power // unit, 0, 1
        while power:
            total += power // k
            power, k = power * square // unit, k + 2
        return 2 * total

    return Fraction(doublings * series(2, 1) + series(scaled, unit << doublings), unit)


def gba_bound_sharper(alpha: Exact, utilisation: Fraction, drain: bool) -> Exact:
    """Return max(alpha^2/U, 2 alpha^2/(3U) + 1 + [alpha/(alpha - 1) if drain]).

    Derived: proofs/sharper_bounds.md.  Parameters are as for `gsa_bound_sharper`;
    `drain` tells whether a class waits for the last slice of the one before it.
    """
    waits = alpha / (alpha - 1) if drain else Fraction(0)
    return _with_own_lengths(alpha * alpha / utilisation, waits)


def gba_bound_area(growth: Exact, utilisation: Fraction, drain: bool) -> Exact:
    """Return max(g/U, 2g/(3U) + 1 + [r/(r - 1) if drain]), g = growth, r = sqrt(growth).

    For class ends geometric in area.  Derived: proofs/sharper_bounds.md.  Parameters are as
    for `gba_bound_sharper`, but `growth` is that of the areas.
    """
    waits = (growth + square_root(growth)) / (growth - 1) if drain else Fraction(0)
    return _with_own_lengths(growth / utilisation, waits)


def _with_own_lengths(shared: Exact, waits: Exact) -> Exact:
    """Bound shared (OPT - L/3) + (1 + waits) L, for a sum of outputs L <= OPT, by OPT."""
    return max(shared, 2 * shared / 3 + 1 + waits)


UTILISATION = {"sps": Fraction(1, 3), "sps2": Fraction(1, 2), "tight": Fraction(1, 2)}
"""Share of the memory that every full pipeline uses, by spacing rule.

Derived: proofs/pipeline.md and proofs/sharper_bounds.md."""


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
    ours = Guarantee(
        bound(alpha, used, drain), "derived", f"{SHARPER}, theorem 13", "geometric classes"
    )
    paper = spacing == "sps" and slices == "alpha" and drain
    if not paper:
        return ours
    theirs = GBA_THEOREM.at(alpha)
    return strongest([replace(theirs, published=theirs.bound), ours])


def gsa_guarantee(alpha: Exact, spacing: str, slices: str, utilisation: Fraction) -> Guarantee:
    """Return the best bound of GSA on a common prompt that is a function of alpha.

    Parameters
    ----------
    alpha, spacing, slices
        As in `kvopt.policies.gsa.GSA`; not for certified slices.
    utilisation
        The least share of the memory that a full pipeline of one of the phases uses.
    """
    used = max(utilisation, UTILISATION[spacing])
    bound = gsa_bound_area if slices == "area" else gsa_bound_sharper
    ours = Guarantee(bound(alpha, used), "derived", f"{SHARPER}, theorem 11", "geometric phases")
    paper = spacing == "sps" and slices == "alpha"
    if not paper:
        return ours
    theirs = GSA_THEOREM.at(alpha)
    return strongest([replace(theirs, published=theirs.bound), ours])


def strongest(guarantees: Sequence[Guarantee]) -> Guarantee:
    """Return the smallest of several bounds for the same run, with the published one beside it.

    Parameters
    ----------
    guarantees
        The bounds, at least one; at most one of them is, or has beside it, a published one.
    """
    best = min(guarantees, key=lambda guarantee: guarantee.bound)
    published = [g.published for g in guarantees if g.published is not None]
    return replace(best, published=published[0]) if published else best


OFFSET_ROUNDING = 1 + Fraction(1, 2**17)
"""What the rounding of a random offset may add to an expected bound, as a factor."""


def inherited(guarantee: Guarantee | None, why: str) -> Guarantee | None:
    """Return a bound that holds for another policy too, for a reason given in words."""
    return guarantee and replace(guarantee, status="derived", source=f"{guarantee.source}; {why}")


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

SPT_PIPELINE_THEOREM = Theorem(
    policy="spt-pipeline",
    kind="upper",
    regime="general",
    formula="7/3",
    function=None,
    alpha=None,
    constant=Fraction(7, 3),
    scope=COMMON_PROMPT,
    source=SHARPER,
)

SORTED_F_THEOREM = Theorem(
    policy="sorted-f",
    kind="upper",
    regime="general",
    formula="48",
    function=None,
    alpha=None,
    constant=Fraction(48),
    scope="any prompts; every batch the best one",
    source="Wang, Ye, Zhou 2025, arXiv 2508.06133",
)

SVF_THEOREM = Theorem(
    policy="svf",
    kind="upper",
    regime="general",
    formula="1 + 2 / (1 - a)",
    function=None,
    alpha=None,
    constant=None,
    scope="every prompt + output at most a * M, 0 < a < 1",
    source="arXiv 2606.22327",
)

RECT_THEOREM = Theorem(
    policy="rect",
    kind="upper",
    regime="general",
    formula="36",
    function=None,
    alpha=None,
    constant=Fraction(36),
    scope="every output at most the prompt, every prompt at most M/4",
    source="arXiv 2607.09248",
)

GBA_SHARPER = tuple(
    Theorem(
        policy=policy,
        kind="upper",
        regime="general",
        formula=f"max(F, 2 F / 3 + 1{waits}), F = {inverse} alpha^2",
        function=partial(gba_bound_sharper, utilisation=Fraction(1, inverse), drain=drain),
        alpha=Fraction(alpha),
        constant=gba_bound_sharper(Fraction(alpha), Fraction(1, inverse), drain),
        scope=COMMON_PROMPT,
        source=SHARPER,
    )
    for policy, inverse, drain, alpha, waits in (
        ("gba", 3, True, "1.42", " + alpha / (alpha - 1)"),
        ("gba:spacing=sps2|tight", 2, True, "3/2", " + alpha / (alpha - 1)"),
        ("gba:drain=no", 3, False, "6/5", ""),
        ("gba:spacing=sps2|tight:drain=no", 2, False, "6/5", ""),
    )
)

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
        scope=f"{COMMON_PROMPT}, beta = 1",
        source=SHARPER,
    )
    for variant, function, inverse, alpha, factor, waits in (
        ("", gsa_bound_sharper, 3, "1.69", *POWERS),
        (":spacing=sps2|tight", gsa_bound_sharper, 2, "1.69", *POWERS),
        (":slices=area", gsa_bound_area, 3, "2.128", *AREAS),
        (":slices=area:spacing=sps2|tight", gsa_bound_area, 2, "2.128", *AREAS),
    )
)

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
        scope=f"{COMMON_PROMPT}, beta = 1; outputs fixed before anything is drawn",
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
    *GBA_SHARPER,
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
    *GSA_SHARPER,
    Theorem(
        policy="gsa, slices chosen for prompt and memory",
        kind="upper",
        regime="general",
        formula="10",
        function=None,
        alpha=None,
        constant=Fraction(10),
        scope=f"{COMMON_PROMPT}; the slices of proofs/uniform_bound.json, spacing=sps",
        source="proofs/uniform_bound.md",
    ),
    *GSA_EXPECTED,
    SPT_PIPELINE_THEOREM,
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
    SORTED_F_THEOREM,
    SVF_THEOREM,
    RECT_THEOREM,
    Theorem(
        policy="response",
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
