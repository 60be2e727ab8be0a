"""Empirical competitive ratios as exact brackets, and verdicts on proved bounds."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from kvopt.model.breaking_off import run_within
from kvopt.model.errors import PolicyError, StoppedError, raised_text
from kvopt.model.instance import Instance
from kvopt.model.schedule import Schedule
from kvopt.model.stopping import Stopping
from kvopt.policies import Policy, PolicyLike, policies_of, spec_of
from kvopt.simulation.simulate import simulate
from kvopt.solver.result import Result
from kvopt.solver.solve import solve
from kvopt.theory.guarantee import Guarantee

__all__ = ["Comparison", "Ratio", "Unfinished", "Verdict", "compare"]


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


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A policy whose simulation was broken off on one instance: nothing is known of its ratio.

    Parameters
    ----------
    policy
        The policy as written on the command line.
    reason
        Why, and how far it was.
    """

    policy: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison:
    """Policies and the optimum on one instance.

    Parameters
    ----------
    instance
        The instance.
    optimum
        Bracket of the optimum, with the cheapest schedule known.
    schedules
        The schedule of each policy that came to its end, in the order given.
    ratios
        The ratio of each of them, in the same order.
    unfinished
        The policies that did not.
    """

    instance: Instance
    optimum: Result
    schedules: tuple[Schedule, ...]
    ratios: tuple[Ratio, ...]
    unfinished: tuple[Unfinished, ...] = ()


def compare(
    instance: Instance,
    policies: PolicyLike | Iterable[PolicyLike],
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
        One or more policies, as objects or as written on the command line.
    time_limit
        How long it may take (seconds).  Each policy gets an equal part of what is left, another
        such part being the solver's; what one does not need is left to those after it.
    stop
        Further limits: of time, of nodes, an end from outside.
    on_error
        Called with the error of a policy that misbehaves; that policy is then left
        out.  None to raise the error.

    Raises
    ------
    PolicyError
        If a policy misbehaves.
    StoppedError
        If it was interrupted before all policies were simulated.
    InputError
        If a policy is unknown, or the limit is negative or not a number.
    """
    chosen = policies_of(policies)
    limited = (stop or Stopping()).part(Stopping(time_limit).left())
    runs: list[tuple[Policy, Schedule, Guarantee | None]] = []
    unfinished: list[Unfinished] = []
    for number, policy in enumerate(chosen):
        part = limited.part(limited.left() / (len(chosen) - number + 1))
        try:
            schedule = simulate(instance, policy, stop=part)
            guarantee = _guarantee(policy, instance, part)
        except StoppedError as error:
            unfinished.append(Unfinished(spec_of(policy), str(error)))
        except PolicyError as error:
            if on_error is None:
                raise
            on_error(error)
        else:
            runs.append((policy, schedule, guarantee))
    if limited.interrupted:
        raise StoppedError("interrupted")
    # The completing attempts of a run are a feasible schedule of the same cost.
    known = [schedule.starts() for _, schedule, _ in runs]
    optimum = solve(instance, limited.left(), stop=limited, known=known)
    ratios = tuple(
        Ratio(
            spec_of(policy),
            schedule.total_completion_time(),
            optimum.lower_bound,
            optimum.objective,
            guarantee,
        )
        for policy, schedule, guarantee in runs
    )
    schedules = tuple(schedule for _, schedule, _ in runs)
    return Comparison(instance, optimum, schedules, ratios, tuple(unfinished))


def _guarantee(policy: Policy, instance: Instance, stop: Stopping) -> Guarantee | None:
    """Ask a policy, which may be a user's own, for what is proved about it."""
    try:
        guarantee = run_within(stop, lambda: policy.guarantee(instance))
    except StoppedError as error:
        raise StoppedError(f"policy {policy.name}: its guarantee: {error}") from None
    except Exception as error:
        reason = f"its guarantee raises {raised_text(error)}"
        raise PolicyError(policy.name, None, 1, reason) from error
    if guarantee is not None and not isinstance(guarantee, Guarantee):
        raise PolicyError(policy.name, None, 1, f"its guarantee is {guarantee!r}")
    return guarantee
