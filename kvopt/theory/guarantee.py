"""Bounds on the competitive ratio: for one run, and as a theorem with its scope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from kvopt.theory.quadratic import Exact

__all__ = [
    "DERIVED",
    "LARGE_MEMORY",
    "PAPER",
    "SHARPER",
    "UTILISATION",
    "Guarantee",
    "Status",
    "Theorem",
    "inherited",
    "strongest",
    "with_own_lengths",
]

Status = Literal["published", "derived"]


PAPER = "Feng, Yang, Zhang 2026, arXiv 2601.22996"


DERIVED = "proofs/text/ratio_bounds.md"


SHARPER = "proofs/text/sharper_bounds.md"


LARGE_MEMORY = "limit for M to infinity, s and o fixed"


UTILISATION = {"sps": Fraction(1, 3), "sps2": Fraction(1, 2), "tight": Fraction(1, 2)}
"""Share of the memory that every full pipeline uses, by spacing rule.

Derived: proofs/text/pipeline.md and proofs/text/sharper_bounds.md."""


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
    prompts
        "one" if all requests must have one common prompt length, or "any".
    kills
        Whether the policies it is about may kill requests.
    source
        Paper or proof.
    function
        The bound as an exact function of alpha; None if it is a constant.
    alpha
        The alpha at which the source states it; None if it is a constant.
    constant
        The bound as the source states it; None if it has parameters other than alpha.
    releases
        When the requests may be released.
    requests
        What is assumed about requests and memory beyond that; empty for nothing.
    parameters
        What is assumed about the parameters of the policy; empty for nothing.
    as_run
        Whether it is about the policy of that name as kvopt runs it; if not, it bounds
        no run of kvopt.
    """

    policy: str
    kind: Literal["upper", "lower"]
    regime: Literal["general", "large memory", "expected"]
    formula: str
    prompts: Literal["one", "any"]
    kills: bool
    source: str
    function: Callable[[Exact], Exact] | None = None
    alpha: Exact | None = None
    constant: Exact | None = None
    releases: Literal["all 0"] = "all 0"
    requests: str = ""
    parameters: str = ""
    as_run: bool = True

    @property
    def scope(self) -> str:
        """All assumptions in words, but that all releases are 0, as in every theorem here."""
        prompts = "one common prompt length" if self.prompts == "one" else "any prompts"
        return "; ".join(filter(None, (prompts, self.requests, self.parameters)))

    @property
    def name(self) -> str:
        """The source in two or three words."""
        return self.source.removeprefix("proofs/text/").rpartition(", ")[2]

    @property
    def status(self) -> Status:
        """Whether the source is a paper ("published") or a proof of ours ("derived")."""
        return "derived" if self.source.startswith("proofs/") else "published"

    def stated(self) -> Guarantee:
        """Return the bound as the source states it; only if it is a constant about what runs."""
        assert self.constant is not None
        assert self.as_run
        return Guarantee(self.constant, self.status, self.source, self.name)

    def at(self, alpha: Exact) -> Guarantee:
        """Return the bound at some alpha > 1; only if it is a function of alpha."""
        assert self.function is not None
        if self.status == "derived" or alpha == self.alpha:
            return Guarantee(self.function(alpha), self.status, self.source, self.name)
        return Guarantee(self.function(alpha), "derived", DERIVED, self.name)


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


def inherited(guarantee: Guarantee | None, why: str) -> Guarantee | None:
    """Return a bound that holds for another policy too, for a reason given in words."""
    return guarantee and replace(guarantee, status="derived", source=f"{guarantee.source}; {why}")


def with_own_lengths(shared: Exact, waits: Exact) -> Exact:
    """Bound shared (OPT - L/3) + (1 + waits) L, for a sum of outputs L <= OPT, by OPT."""
    return max(shared, 2 * shared / 3 + 1 + waits)
