"""How bad an instance is: cost of the policy, and of something to compare it to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from kvopt.adversary.candidate import Candidate
from kvopt.adversary.closed_forms import compiled, plain, released_upper_bound, upper_bound
from kvopt.adversary.configuration import Record, SearchConfiguration
from kvopt.model.errors import InputError, PolicyError
from kvopt.model.formats import instance_to_json
from kvopt.model.instance import abridged
from kvopt.policies import Policy, policy_from_spec
from kvopt.policies.policy import Compiler, facts_of
from kvopt.simulation.simulate import simulate
from kvopt.solver.combinatorial_bounds import best_lower_bound

__all__ = ["MOST_WORK", "Score", "check_costs", "cost_function", "score_function", "work"]

MOST_WORK = 10**8
"""With more work than this a policy is simulated: compiled code would not end when it is to."""

Score = Callable[[Candidate], tuple[int, int]]
"""candidate -> cost of the policy, and cost of the reference (rounds)."""


def score_function(configuration: SearchConfiguration, compiler: Compiler = compiled) -> Score:
    """Return the score of a search.

    Without a second policy the reference is the cheapest schedule at hand, that of the
    policy included; so the true ratio is at least the score.

    Parameters
    ----------
    configuration
        What is searched for.
    compiler
        `kvopt.adversary.closed_forms.compiled` or `plain`.
    """
    cost = cost_function(policy_from_spec(configuration.policy), compiler)
    if configuration.against is not None:
        other = cost_function(policy_from_spec(configuration.against), compiler)
        return lambda candidate: (cost(candidate), other(candidate))

    def score(candidate: Candidate) -> tuple[int, int]:
        found = cost(candidate)
        if candidate.has_releases:
            schedule = released_upper_bound(candidate, compiler)
        else:
            schedule = upper_bound(candidate.memory, *candidate.arrays(), compiler)
        return found, min(found, schedule)

    return score


def check_costs(configuration: SearchConfiguration, records: Iterable[Record]) -> None:
    """Compute the costs of records anew, as those from a store are the word of a file.

    What they were compared to must be the cost of the other policy or, without one, no less
    than a lower bound on the optimum.

    Raises
    ------
    InputError
        If a record is not within the limits of the search, or has another cost.
    """
    cost = cost_function(policy_from_spec(configuration.policy))
    against = configuration.against and cost_function(policy_from_spec(configuration.against))
    for record in records:
        place = f"unit {record.unit}, instance {record.evaluation}"
        if not record.candidate.valid(configuration.limits):
            raise InputError(f"{place}: must be within the limits of the search")
        if (right := cost(record.candidate)) != record.cost:
            raise InputError(f"{place}: cost: must be {right}, got {abridged(int(record.cost))}")
        if against:
            low = high = against(record.candidate)
        else:
            low, high = best_lower_bound(record.candidate.instance()).value, right
        if not low <= record.reference <= high:
            given = abridged(int(record.reference))
            raise InputError(f"{place}: reference: must be from {low} to {high}, got {given}")


def work(candidate: Candidate) -> int:
    """Return how much work it is to lay an instance out, about: rounds times requests in each."""
    tokens = sum(group[1] * group[2] for group in candidate.groups)
    return tokens * min(len(candidate), candidate.memory)


def cost_function(policy: Policy, compiler: Compiler = plain) -> Callable[[Candidate], int]:
    """Return the function from a candidate to the cost of a policy (rounds).

    Parameters
    ----------
    policy
        The policy; its formula is used where it has one that applies, and takes little time.
    compiler
        `kvopt.adversary.closed_forms.compiled` or `plain`.

    Returns
    -------
    function
        Raises PolicyError, with the instance in its message, if the policy misbehaves.
    """
    facts = facts_of(policy)
    formula = facts.cost_formula(compiler)
    closed = facts.phases(1, 0) is not None

    def cost(candidate: Candidate) -> int:
        at_once = not candidate.has_releases  # formulas are about such instances
        if formula is not None and at_once and (closed or work(candidate) <= MOST_WORK):
            found = formula(candidate.memory, *candidate.arrays())
            if found is not None:
                return found
        instance = candidate.instance()
        try:
            return simulate(instance, policy).total_latency()
        except PolicyError as error:
            on = json.dumps(instance_to_json(instance))
            reason = f"{error.reason}, on {on}"
            raise PolicyError(error.policy, error.request, error.round, reason) from error

    return cost
