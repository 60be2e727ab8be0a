"""Bounds on the competitive ratio that are one number, and limits for every policy."""

from __future__ import annotations

from fractions import Fraction

from kvopt.theory.area_and_length import AREA_AND_LENGTH, ratio_of_cost
from kvopt.theory.guarantee import PAPER, SHARPER, Theorem

__all__ = [
    "MCSF_THEOREM",
    "NON_CLAIRVOYANT_LIMIT",
    "NON_CLAIRVOYANT_SHARPER",
    "PIPELINE_THEOREM",
    "RECT_THEOREM",
    "RESPONSE_THEOREM",
    "SORTED_F_THEOREM",
    "SPT_PIPELINE_SHARPER",
    "SPT_PIPELINE_THEOREM",
    "SVF_SHARPER",
    "SVF_THEOREM",
]

SPT_PIPELINE_THEOREM = Theorem(
    policy="spt-pipeline",
    kind="upper",
    regime="general",
    formula="7/3",
    constant=Fraction(7, 3),
    prompts="one",
    kills=False,
    source=SHARPER,
)


SPT_PIPELINE_SHARPER = Theorem(
    policy="spt-pipeline",
    kind="upper",
    regime="general",
    formula="2 A + L against the optimum",
    constant=ratio_of_cost(Fraction(2), Fraction(1)),
    prompts="one",
    kills=False,
    source=AREA_AND_LENGTH,
)


PIPELINE_THEOREM = Theorem(
    policy="staggered pipeline (sps)",
    kind="upper",
    regime="general",
    formula="2",
    constant=Fraction(2),
    prompts="one",
    kills=False,
    requests="identical requests",
    source=PAPER,
)


MCSF_THEOREM = Theorem(
    policy="mc-sf",
    kind="upper",
    regime="general",
    formula="9216",
    constant=Fraction(9216),
    prompts="one",
    kills=False,
    source="Jaillet et al. 2025, arXiv 2502.07115",
)


SORTED_F_THEOREM = Theorem(
    policy="sorted-f",
    kind="upper",
    regime="general",
    formula="48",
    constant=Fraction(48),
    prompts="any",
    kills=False,
    requests="every batch the best one: at most 10 requests",
    source="Wang, Ye, Zhou 2025, arXiv 2508.06133",
)


SVF_THEOREM = Theorem(
    policy="svf",
    kind="upper",
    regime="general",
    formula="1 + 2 / (1 - a)",
    prompts="any",
    kills=False,
    requests="every prompt + output at most a * M, 0 < a < 1",
    source="arXiv 2606.22327",
)


SVF_SHARPER = Theorem(
    policy="svf",
    kind="upper",
    regime="general",
    formula="max(2 / (1 - a), 1 + 4 / (3 (1 - a)))",
    prompts="any",
    kills=False,
    requests="every prompt + output at most a * M, 0 < a < 1",
    source="proofs/text/mixed_prompts.md, theorem 1",
)


RECT_THEOREM = Theorem(
    policy="rect",
    kind="upper",
    regime="general",
    formula="36",
    constant=Fraction(36),
    prompts="any",
    kills=True,
    requests="every output at most the prompt, every prompt at most M/4",
    as_run=False,
    source="arXiv 2607.09248",
)


RESPONSE_THEOREM = Theorem(
    policy="response",
    kind="upper",
    regime="general",
    formula="236/3",
    constant=Fraction(236, 3),
    prompts="any",
    kills=True,
    requests="every output above the prompt",
    as_run=False,
    source="arXiv 2607.09248",
)


NON_CLAIRVOYANT_LIMIT = Theorem(
    policy="every deterministic non-clairvoyant policy",
    kind="lower",
    regime="general",
    formula="3 - 2 / (n + 1)",
    constant=Fraction(3),
    prompts="one",
    kills=True,
    requests="limit for n to infinity; when 2 (s + 1) > M, so that one request fits",
    source="Jaeger et al. 2022, arXiv 2211.02044",
)


NON_CLAIRVOYANT_SHARPER = Theorem(
    policy="every deterministic non-clairvoyant policy",
    kind="lower",
    regime="general",
    formula="2 + x + 1 / x = 4.3509..., x > 0 and e^x = 1 + x + x^2",
    constant=Fraction("4.3509"),
    prompts="one",
    kills=True,
    requests="limit for n to infinity; when k requests fit at a time, never k + 1, for any k",
    source="proofs/text/online_lower_bound.md, corollary 8 and theorem 10",
)
