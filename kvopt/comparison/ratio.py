"""Empirical competitive ratios as exact brackets, and verdicts on proved bounds."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kvopt.model.errors import PolicyError
from kvopt.model.instance import Instance
from kvopt.model.schedule import Schedule
from kvopt.model.stopping import Stopping
from kvopt.policies import Policy, spec_of
from kvopt.simulation.simulate import simulate
from kvopt.solver.combinatorial_bounds import busy_time_bound, total_output_bound
from kvopt.solver.result import Result
from kvopt.solver.solve import solve
from kvopt.theory.guarantee import Guarantee

__all__ = ["Comparison", "Ratio", "Verdict", "compare"]


class Verdict(enum.Enum):
    """What a bracket of the ratio says about a proved bound."""

    WITHIN = "within"
    VIOLATES = "violates"
    UNDECIDED = "undecided"
    NO_CLAIM = "no claim"


@dataclass(frozen=True, slots=True)
class Ratio:
    """How a policy's cost compares to the optimum on one instance.

    Parameters
    ----------
    policy
        The policy as written on the command line.
    cost
        Its total completion time (rounds).
    lower_bound, upper_bound
        Bracket of the optimum (rounds); the upper end is the cost of a schedule,
        the cheapest one known, so it is at most `cost`.
    guarantee
        What is proved for the policy on this instance, or None.
    """

    policy: str
    cost: int
    lower_bound: int
    upper_bound: int
    guarantee: Guarantee | None

    @property
    def low(self) -> Fraction:
        """Cost / upper bound: the ratio is at least this, and this at least 1."""
        return Fraction(self.cost, self.upper_bound)

    @property
    def high(self) -> Fraction:
        """Cost / lower bound: the ratio is at most this."""
        return Fraction(self.cost, self.lower_bound)

    @property
    def verdict(self) -> Verdict:
        """Within the bound for certain, violating it for certain, or neither.

        Comparisons are exact.  Outside the assumptions of every theorem there is
        no claim to judge.
        """
        if self.guarantee is None:
            return Verdict.NO_CLAIM
        if self.high <= self.guarantee.bound:
            return Verdict.WITHIN
        if self.low > self.guarantee.bound:
            return Verdict.VIOLATES
        return Verdict.UNDECIDED


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Policies and the optimum on one instance.

    Parameters
    ----------
    instance
        The instance.
    optimum
        Bracket of the optimum, with the cheapest schedule known.
    schedules
        The schedule of each policy, in the order given.
    ratios
        The ratio of each policy, in the same order.
    """

    instance: Instance
    optimum: Result
    schedules: tuple[Schedule, ...]
    ratios: tuple[Ratio, ...]


def compare(
    instance: Instance,
    policies: Sequence[Policy],
    time_limit: float = 10.0,
    *,
    stop: Stopping | None = None,
    on_error: Callable[[PolicyError], None] | None = None,
) -> Comparison:
    """Run policies on an instance and bracket their ratios to the optimum.

    Parameters
    ----------
    instance
        The instance.
    policies
        The policies, at least one.
    time_limit
        How long the exact solver may take (seconds); the simulations come on top.
    stop
        Further limits of the exact solver: of time, of nodes, an end from outside.
    on_error
        Called with the error of a policy that misbehaves; that policy is then left
        out.  None to raise the error.

    Raises
    ------
    PolicyError
        If a policy misbehaves.
    """
    runs = []
    for policy in policies:
        try:
            runs.append((policy, simulate(instance, policy), _guarantee(policy, instance)))
        except PolicyError as error:
            if on_error is None:
                raise
            on_error(error)
    # The completing attempts of a run are a feasible schedule of the same cost, unless they
    # go on with tokens of killed ones.
    known = [schedule.starts() for _, schedule, _ in runs if not schedule.keeps_tokens]
    optimum = solve(instance, time_limit, stop=stop, known=known)
    ratios = tuple(_ratio(*run, optimum) for run in runs)
    return Comparison(instance, optimum, tuple(schedule for _, schedule, _ in runs), ratios)


def _ratio(
    policy: Policy, schedule: Schedule, guarantee: Guarantee | None, optimum: Result
) -> Ratio:
    """Compare a run with the optimum of its model.

    Where kills keep tokens the optimum can be lower.  Every token of output takes one round
    and the memory of its place there, too; so the total output and the busy-time bound hold.
    """
    cost = schedule.total_completion_time()
    lower, upper = optimum.lower_bound, optimum.objective
    if schedule.keeps_tokens:
        instance = schedule.instance
        least = instance.total_release + total_output_bound(instance)
        lower, upper = max(least, busy_time_bound(instance)), min(cost, upper)
    return Ratio(spec_of(policy), cost, lower, upper, guarantee)


def _guarantee(policy: Policy, instance: Instance) -> Guarantee | None:
    """Ask a policy, which may be a user's own, for what is proved about it."""
    try:
        guarantee = policy.guarantee(instance)
    except Exception as error:
        reason = f"its guarantee raises {type(error).__name__}: {error}"
        raise PolicyError(policy.name, None, 1, reason) from error
    if guarantee is not None and not isinstance(guarantee, Guarantee):
        raise PolicyError(policy.name, None, 1, f"its guarantee is {guarantee!r}")
    return guarantee
