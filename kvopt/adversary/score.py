"""How bad an instance is: cost of the policy, and of something to compare it to."""

from __future__ import annotations

from collections.abc import Callable

from kvopt.adversary.candidate import Candidate
from kvopt.adversary.closed_forms import (
    PLAIN,
    Functions,
    closed_form,
    common_prompt_only,
    compiled,
    upper_bound,
)
from kvopt.adversary.configuration import SearchConfiguration
from kvopt.policies import Policy, policy_from_spec
from kvopt.simulation.simulate import simulate

__all__ = ["Score", "cost_function", "score_function"]

Score = Callable[[Candidate], tuple[int, int]]
"""candidate -> cost of the policy, and cost of the reference (rounds)."""


def score_function(configuration: SearchConfiguration, functions: Functions | None = None) -> Score:
    """Return the score of a search.

    Without a second policy the reference is the cheapest schedule at hand, that of the
    policy included; so the true ratio is at least the score.

    Parameters
    ----------
    configuration
        What is searched for.
    functions
        Compiled functions or plain ones; by default compiled ones if there are any.
    """
    functions = functions or compiled()
    cost = cost_function(policy_from_spec(configuration.policy), functions)
    if configuration.against is not None:
        other = cost_function(policy_from_spec(configuration.against), functions)
        return lambda candidate: (cost(candidate), other(candidate))

    def score(candidate: Candidate) -> tuple[int, int]:
        found = cost(candidate)
        return found, min(found, upper_bound(functions, candidate.memory, *candidate.arrays()))

    return score


def cost_function(policy: Policy, functions: Functions = PLAIN) -> Callable[[Candidate], int]:
    """Return the function from a candidate to the cost of a policy (rounds).

    Parameters
    ----------
    policy
        The policy; the formulas of `kvopt.adversary.closed_forms` are used where they hold.
    functions
        Compiled functions or plain ones.
    """
    quick = closed_form(policy, functions)
    common_only = common_prompt_only(policy)

    def cost(candidate: Candidate) -> int:
        if quick is None or (common_only and candidate.common_prompt is None):
            return simulate(candidate.instance(), policy).total_completion_time()
        return quick(candidate.memory, *candidate.arrays())

    return cost
