"""Empirical competitive ratios as exact brackets, and verdicts on proved bounds."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from kvopt.certificates.solve import solve_certified
from kvopt.model.breaking_off import run_within
from kvopt.model.errors import PolicyError, StoppedError, raised_text, require
from kvopt.model.instance import Instance
from kvopt.model.rows import frame_of, to_csv
from kvopt.model.schedule import Schedule
from kvopt.model.stopping import Stopping, checked_limit, checked_stop
from kvopt.model.text import ShownAsText
from kvopt.policies import Policy, PolicyLike, policies_of, spec_of
from kvopt.simulation.simulate import simulate
from kvopt.solver.combinatorial_bounds import busy_time_bounds, total_output_bound
from kvopt.solver.result import Result, Status
from kvopt.solver.solve import solve
from kvopt.theory.decimals import rounded_down, rounded_up
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.quadratic import format_exact

__all__ = ["Comparison", "Ratio", "Unfinished", "Verdict", "compare"]

LEAST_SECONDS = 0.5
"""So long the policies may take together, however short the limit is."""


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
        Its total latency (rounds); with all releases at 0 the total completion time.
    lower_bound, upper_bound
        Bracket of the optimum (rounds); the upper end is the cost of a schedule,
        the cheapest one known, so it is at most `cost`.
    guarantee
        What is proved for the policy on this instance, or None.
    reason
        Why there is no guarantee although one might be claimed: there was no time to compute
        it.  None if it is known what is claimed.
    """

    policy: str
    cost: int
    lower_bound: int
    upper_bound: int
    guarantee: Guarantee | None
    reason: str | None = None

    @property
    def low(self) -> Fraction:
        """Cost / upper bound: the ratio is at least this, and this at least 1."""
        return Fraction(self.cost, self.upper_bound)

    @property
    def high(self) -> Fraction:
        """Cost / lower bound: the ratio is at most this."""
        return Fraction(self.cost, self.lower_bound)

    def to_dict(self) -> dict[str, Any]:
        """Return it as a row of `kvopt ratio --json` without the instance.

        Exact numbers are strings, the nearest float beside them.
        """
        guarantee = self.guarantee
        expected = published = None
        if guarantee is not None:
            expected = guarantee.expected
            published = guarantee.bound if guarantee.status == "published" else guarantee.published
        return {
            "policy": self.policy,
            "cost": self.cost,
            "lower_bound": self.lower_bound,
            "upper_bound": self.upper_bound,
            "ratio_low": format_exact(self.low),
            "ratio_low_float": float(self.low),
            "ratio_high": format_exact(self.high),
            "ratio_high_float": float(self.high),
            "bound": format_exact(guarantee.bound) if guarantee else None,
            "bound_float": float(guarantee.bound) if guarantee else None,
            "bound_status": guarantee.status if guarantee else None,
            "bound_name": guarantee.name if guarantee else None,
            "bound_source": guarantee.source if guarantee else None,
            "expected_bound": None if expected is None else format_exact(expected),
            "expected_bound_float": None if expected is None else float(expected),
            "published_bound": None if published is None else format_exact(published),
            "published_bound_float": None if published is None else float(published),
            "verdict": self.verdict.value,
            "reason": self.reason,
        }

    def text(self) -> str:
        """Return the ratio with three decimals, or its bracket, rounded outwards."""
        if self.low == self.high:
            return f"{float(self.low):.3f}"
        return f"{rounded_down(self.low, 3)}..{rounded_up(self.high, 3)}"

    def __str__(self) -> str:
        bound = "no bound is claimed"
        if self.reason is not None:
            bound += f" ({self.reason})"
        if self.guarantee is not None:
            bound = f"{self.verdict.value}, bound {rounded_up(self.guarantee.bound, 2)}"
        return f"{self.policy}: cost {self.cost}, ratio {self.text()}, {bound}"

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
class Comparison(ShownAsText):
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
    seconds
        Wall-clock time of the simulation of each that did, in the order of the ratios, without
        that for compiling (seconds).
    """

    instance: Instance
    optimum: Result
    schedules: tuple[Schedule, ...]
    ratios: tuple[Ratio, ...]
    unfinished: tuple[Unfinished, ...] = ()
    seconds: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain numbers, texts, lists and dictionaries."""
        return {
            "instance": self.instance.name,
            "optimum": self.optimum.to_dict(),
            "ratios": [ratio.to_dict() for ratio in self.ratios],
            "unfinished": [{"policy": u.policy, "reason": u.reason} for u in self.unfinished],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of `kvopt ratio --json`, one for each policy."""
        from kvopt.comparison.rows import ratio_rows

        return ratio_rows(self.instance.name, self.ratios, self.unfinished, self.optimum)

    def to_csv(self) -> str:
        """Return the rows as comma-separated values with a header."""
        return to_csv(self.rows())

    def to_frame(self, library: str | None = None) -> Any:
        """Return the rows as a data frame of pandas or polars (`pip install kvopt[frames]`).

        Parameters and errors are as for `kvopt.model.rows.frame_of`.
        """
        return frame_of(self.rows(), library)

    def __repr__(self) -> str:
        shown = ", ".join(f"{r.policy}: {r.text()}" for r in self.ratios)
        return f"Comparison({self.optimum!r}, ratios={{{shown}}})"

    def __str__(self) -> str:
        optimum = f"optimum {self.optimum.objective}"
        if self.optimum.status is Status.BRACKET:
            optimum = f"optimum {self.optimum.lower_bound}..{self.optimum.objective}"
        unfinished = (f"{one.policy}: {one.reason}" for one in self.unfinished)
        return "\n".join([str(self.instance), optimum, *map(str, self.ratios), *unfinished])


def compare(
    instance: Instance,
    policies: PolicyLike | Iterable[PolicyLike],
    time_limit: float = 10.0,
    *,
    stop: Stopping | None = None,
    on_error: Callable[[PolicyError], None] | None = None,
    certify: bool = False,
    all_needed: bool = False,
) -> Comparison:
    """Run policies on an instance and bracket their ratios to the optimum.

    Parameters
    ----------
    instance
        The instance.
    policies
        One or more policies, as objects or as written on the command line, "all" included.
    time_limit
        How long it may take (seconds).  Each policy gets an equal part of what is left, another
        such part being the solver's; what one does not need is left to those after it.  What is
        proved about its run may take half of all that is left: a bound that holds for every
        instance is computed when it is first needed.  If that is not enough, nothing is claimed
        of the run.  All policies together may take half a second, however short the limit is.
    stop
        Further limits: of time, of nodes, an end from outside.  After an interruption policies
        that were not simulated are unfinished, and the bracket is what is known by then.
    on_error
        Called with the error of a policy that misbehaves; that policy is then left
        out.  None to raise the error.
    certify
        Whether the solver goes on until a certificate can prove the bracket.
    all_needed
        Whether a policy that does not end is an error, raised before the solver begins.

    Raises
    ------
    TypeError
        If the instance, a policy or a limit is something else.
    PolicyError
        If a policy misbehaves.
    StoppedError
        If a policy that is needed did not end.
    InputError
        If a policy is unknown, or the limit is negative or not a number.
    """
    require(instance, Instance, "instance")
    chosen = policies_of(policies)
    whole = checked_stop(stop)
    limited = whole.part(checked_limit(time_limit, "time_limit"))
    runs: list[tuple[Policy, Schedule, Guarantee | None, str | None]] = []
    seconds: list[float] = []
    unfinished: list[Unfinished] = []
    for number, policy in enumerate(chosen):
        share = limited.left() / (len(chosen) - number + 1)
        part = whole.part(max(share, LEAST_SECONDS / len(chosen)))
        began = time.perf_counter() - part.uncharged_seconds
        try:
            schedule = simulate(instance, policy, stop=part)
            took = time.perf_counter() - part.uncharged_seconds - began
            limit = whole.part(_for_guarantee(limited, part))
            guarantee, reason = _guarantee(policy, instance, limit)
        except StoppedError as error:
            if all_needed:
                raise
            unfinished.append(Unfinished(spec_of(policy), str(error)))
        except PolicyError as error:
            if on_error is None:
                raise
            on_error(error)
        else:
            runs.append((policy, schedule, guarantee, reason))
            seconds.append(took)
    # The completing attempts of a run are a feasible schedule of the same cost, unless they
    # go on with tokens of killed ones.
    known = [schedule.starts() for _, schedule, *_ in runs if not schedule.keeps_tokens]
    solver = solve_certified if certify else solve
    optimum = solver(instance, limited.left(), stop=limited, known=known)
    ratios = tuple(_ratio(*run, optimum) for run in runs)
    schedules = tuple(schedule for _, schedule, *_ in runs)
    return Comparison(instance, optimum, schedules, ratios, tuple(unfinished), tuple(seconds))


def _for_guarantee(limited: Stopping, part: Stopping) -> float:
    """Return how long a guarantee may take (seconds): more than what a policy's part has left."""
    return max(limited.left() / 2, part.left())


def _ratio(
    policy: Policy,
    schedule: Schedule,
    guarantee: Guarantee | None,
    reason: str | None,
    optimum: Result,
) -> Ratio:
    """Compare a run with the optimum of its model.

    Where kills keep tokens the optimum can be lower.  Every token of output takes one round
    and the memory of its place there, too; so the total output and the busy-time bound hold.
    """
    cost = schedule.total_latency()
    lower, upper = optimum.lower_bound, optimum.objective
    if schedule.keeps_tokens:
        instance = schedule.instance
        by_memory, _ = busy_time_bounds(instance)
        lower = max(total_output_bound(instance), by_memory)
        upper = min(cost, upper)
    return Ratio(spec_of(policy), cost, lower, upper, guarantee, reason)


def _guarantee(
    policy: Policy, instance: Instance, stop: Stopping
) -> tuple[Guarantee | None, str | None]:
    """Ask a policy, which may be a user's own, for what is proved about it; or say why not.

    Every theorem is about requests that are all released at time 0: else there is no claim.
    """
    if instance.has_releases:
        return None, None
    try:
        guarantee = run_within(stop, lambda: policy.guarantee(instance))
    except StoppedError as error:
        return None, f"policy {policy.name}: its guarantee: {error}"
    except Exception as error:
        reason = f"its guarantee raises {raised_text(error)}"
        raise PolicyError(policy.name, None, 1, reason) from error
    if guarantee is not None and not isinstance(guarantee, Guarantee):
        raise PolicyError(policy.name, None, 1, f"its guarantee is {guarantee!r}")
    return guarantee, None
