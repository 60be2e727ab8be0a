"""The audit: everything kvopt knows how to check, on a set of instances."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kvopt.comparison.ratio import Comparison, Ratio, Verdict, compare
from kvopt.model.feasibility import violations
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.policies import Policy
from kvopt.solver.hindsight_stage import solve_by_program
from kvopt.solver.relaxations.batch_state.stage import BatchState
from kvopt.solver.result import Result, Status
from kvopt.solver.stage import run_alone
from kvopt.solver.state_search.state_graph import solve_by_state_graph
from kvopt.theory.decimals import rounded_down, rounded_up

__all__ = ["Audited", "audit_instance", "problems_of"]

GRAPH_REQUESTS, GRAPH_MEMORY = 6, 12
PROGRAM_REQUESTS, PROGRAM_MEMORY = 12, 24
"""Up to this size an optimum is proved a second time, by another solver."""


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """What the audit of one instance found.

    Parameters
    ----------
    comparison
        Optimum and ratios.
    witnesses
        Which bounds and solvers proved the optimum, each by itself; they agree, or
        there is a problem.
    schedules
        Number of schedules that went through the independent checker.
    problems
        Everything that is wrong, one line each.
    """

    comparison: Comparison
    witnesses: tuple[str, ...]
    schedules: int
    problems: tuple[str, ...]


def audit_instance(instance: Instance, policies: Sequence[Policy], stop: Stopping) -> Audited:
    """Bracket the optimum, run the policies, and check all of it.

    Parameters
    ----------
    instance
        The instance.
    policies
        The policies.
    stop
        How long the exact solver may take.
    """
    problems: list[str] = []
    comparison = compare(
        instance, policies, math.inf, stop=stop, on_error=lambda error: problems.append(str(error))
    )
    problems += problems_of(comparison)
    optimum = comparison.optimum
    witnesses = [optimum.rule] if optimum.status is Status.OPTIMAL else []
    for second in _second_opinions(optimum, stop):
        witnesses.append(second.rule)
        if second.objective != optimum.objective:
            problems.append(
                f"{second.rule} proves {second.objective} optimal,"
                f" {optimum.rule} {optimum.objective}"
            )
    return Audited(comparison, tuple(witnesses), len(comparison.ratios) + 1, tuple(problems))


def problems_of(comparison: Comparison) -> list[str]:
    """Return what is wrong with a comparison, one line each.

    Every schedule goes through the independent checker, and every ratio has its verdict.
    """
    problems: list[str] = []
    for name, schedule in (
        ("the best schedule", comparison.optimum.schedule),
        *zip((r.policy for r in comparison.ratios), comparison.schedules, strict=True),
    ):
        problems += [f"{name}: {violation}" for violation in violations(schedule)]
    for ratio in comparison.ratios:
        if ratio.verdict is Verdict.VIOLATES:
            problems.append(_violated(ratio))
    return problems


def _second_opinions(optimum: Result, stop: Stopping) -> Iterator[Result]:
    """Yield what further exact solvers prove about an optimum, where they are able to."""
    instance = optimum.instance
    if optimum.status is not Status.OPTIMAL or stop.over():
        return
    if len(instance) <= GRAPH_REQUESTS and instance.memory <= GRAPH_MEMORY:
        if instance.has_releases:
            yield run_alone(BatchState(), instance, optimum.starts, stop)
        else:
            yield solve_by_state_graph(instance)
    small = len(instance) <= PROGRAM_REQUESTS and instance.memory <= PROGRAM_MEMORY
    if small and optimum.rule != "milp":
        second = solve_by_program(instance, optimum.starts, stop)
        if second.status is Status.OPTIMAL:
            yield second


def _violated(ratio: Ratio) -> str:
    assert ratio.guarantee is not None
    return (
        f"{ratio.policy}: ratio is at least {ratio.low} = {rounded_down(ratio.low, 3)},"
        f" its bound is {ratio.guarantee.bound} = {rounded_up(ratio.guarantee.bound, 3)}"
    )
