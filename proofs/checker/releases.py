"""The rules with release times (text/release_times.md): what is different.

The cost is the sum of the C_i less that of the releases, which no schedule changes.

busy-time: with the weights of busy_time.py the sum of the mean busy times is least in the fluid
schedule (fluid.py).  Nor does anybody complete before its release and its output have passed.

linear-duals: rows and splits hold whatever starts there are, so they are the same; in a leaf each
request takes the cheapest start from its release on.  From the last row with a dual and the last
release on costs rise.

demand-duals: release_duals.py.  batch-state: batch_state.py.  exhaustive: release_search.py.
dominance: dominance.py.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import batch_state
import dominance
import release_duals
import release_search
from budget import Budget
from busy_time import prove as prove_at_once
from busy_time import weighed
from fluid import busy_times
from instances import Arrivals, Instance, Types
from linear_duals import FAMILIES, reduced_costs
from linear_duals import prove as prove_by_leaves
from reading import Refused, fields


def prove(
    rule: str, instance: Instance, low: int, proof: dict[str, Any], budget: Budget
) -> int | None:
    """Refuse unless a rule proves `low`; return how many states an exhaustive search looked at."""
    if rule not in WITH_RELEASES:
        raise Refused(f"proof.rule: {rule} is not proved for releases after time 0")
    budget.spend(20 * len(instance.groups))
    budget.hold(400 * len(instance.groups))
    late = sum(group.release * group.count for group in instance.groups)
    given = (instance.memory, instance.arrivals, low + late, proof, budget)
    found = WITH_RELEASES[rule](*given)
    if rule == "exhaustive":
        return int(found)
    if found < low + late:
        raise Refused(f"lower_bound: is {low}, the proof gives {found - late}")
    return None


def types_of(arrivals: Arrivals) -> Types:
    """Return how many requests there are of each prompt and output."""
    return {kind: sum(n for _, n in groups) for kind, groups in arrivals.items()}


def busy_time(
    memory: int, arrivals: Arrivals, low: int, proof: dict[str, Any], budget: Budget
) -> int:
    """Return the bound by memory or slot weights, or the sum of releases and outputs if more."""
    prove_at_once(memory, types_of(arrivals), low, proof, budget)  # reads the proof, pays
    budget.spend(80 * sum(map(len, arrivals.values())))
    capacity, total, weights = weighed(memory, types_of(arrivals), proof["weights"] == "slots")
    rows = [
        (release, weight, count)
        for (weight, _), groups in zip(weights, arrivals.values())
        for release, count in groups
    ]
    least = sum((a + o) * n for (_, o), groups in arrivals.items() for a, n in groups)
    return max(least, -(-(total + busy_times(rows, capacity)) >> 64))


def linear_duals(
    memory: int, arrivals: Arrivals, low: int, proof: dict[str, Any], budget: Budget
) -> int:
    """Return the least bound of the leaves of a tree."""
    latest = max(groups[-1][0] for groups in arrivals.values())

    def leaf_bound(
        memory: int, types: Types, scale: int, leaf: Any, above: Any, budget: Budget, place: str
    ) -> int:
        required = ("memory", "covers", "branch")
        fields(leaf, place, required, tuple(FAMILIES))
        value, costs = reduced_costs(memory, types, scale, leaf, above, latest, budget, place)
        budget.spend(sum(map(len, arrivals.values())))
        for kind, row in costs:
            cheapest_from = list(accumulate(reversed(row), min))[::-1]
            value += sum(count * cheapest_from[release] for release, count in arrivals[kind])
        return -(-value // scale)

    return int(prove_by_leaves(memory, types_of(arrivals), low, proof, budget, leaf_bound))


WITH_RELEASES: dict[str, Any] = {  # (memory, arrivals, claim, proof, budget) -> bound on sum of C_i
    "busy-time": busy_time,
    "exhaustive": release_search.prove,  # -> how many states it looked at
    "linear-duals": linear_duals,
    "demand-duals": release_duals.prove,
    "batch-state": batch_state.prove_with_releases,
    "dominance": dominance.prove,  # -> what is claimed
}
