"""Local search with restarts for an instance on which a policy does badly.

Every restart is a unit of work that depends on the seed and its number alone.
So a search can be spread over processes, stopped and resumed, and the trajectory
stays the same.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from fractions import Fraction

from kvopt.adversary.moves import MOVES, Candidate, Limits, random_candidate
from kvopt.budget import Budget
from kvopt.errors import WorkerError
from kvopt.exact.heuristics import best_list_schedule
from kvopt.executors import Workers, stopped
from kvopt.policies import policy_from_spec
from kvopt.simulate import simulate

__all__ = ["EVALUATIONS", "Find", "Hunt", "Unit", "improvements", "run_unit", "search"]

EVALUATIONS = 400
"""Instances looked at in one unit."""

POLL_SECONDS = 0.2
"""How often it is asked whether the work of other processes is to end."""

START_TEMPERATURE = 0.1
"""A first candidate may be worse than the current one by about this share of its ratio."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """What is searched for; the trajectory depends on this alone.

    Parameters
    ----------
    policy
        The policy that is to do badly, as written on the command line.
    against
        The policy it is compared to, or None to compare it to the optimum.
    limits
        How large the instances may get.
    seed
        Seed of all randomness.
    """

    policy: str
    against: str | None
    limits: Limits
    seed: int


@dataclass(frozen=True, slots=True)
class Find:
    """An instance better than all before it in its unit.

    Parameters
    ----------
    unit, evaluation
        When it was found: number of the unit, and of the instance in the unit.
    cost
        Total completion time of the policy (rounds).
    reference
        Total completion time of a feasible schedule, or of the other policy
        (rounds).
    candidate
        The instance.
    """

    unit: int
    evaluation: int
    cost: int
    reference: int
    candidate: Candidate

    @property
    def ratio(self) -> Fraction:
        """Cost / reference; without another policy, a lower bound on the true ratio."""
        return Fraction(self.cost, self.reference)


@dataclass(frozen=True, slots=True)
class Unit:
    """What one restart found.

    Parameters
    ----------
    number
        Number of the unit.
    evaluations
        How many instances were evaluated.
    finds
        The improvements, in order.
    complete
        False if it was cut short; a complete unit is the same whenever it is run.
    """

    number: int
    evaluations: int
    finds: tuple[Find, ...]
    complete: bool


def run_unit(hunt: Hunt, number: int, budget: Budget) -> Unit:
    """Run one restart: simulated annealing from a random candidate.

    Parameters
    ----------
    hunt
        What is searched for.
    number
        Number of the restart.
    budget
        When it is over, the unit is cut short.
    """
    limits = hunt.limits
    key = (hunt.policy, hunt.against, limits.requests, limits.memory, hunt.seed, number)
    rng = random.Random(repr(key))
    evaluate = _evaluation(hunt)
    finds: list[Find] = []
    current = random_candidate(rng, hunt.limits)
    current_ratio = Fraction(0)
    candidate = current
    seen: dict[Candidate, Fraction] = {}
    for evaluation in range(EVALUATIONS):
        if budget.over():
            return Unit(number, evaluation, tuple(finds), complete=False)
        if candidate not in seen:
            cost, reference = evaluate(candidate)
            find = Find(number, evaluation, cost, reference, candidate)
            seen[candidate] = find.ratio
            if not finds or find.ratio > finds[-1].ratio:
                finds.append(find)
        ratio = seen[candidate]
        temperature = START_TEMPERATURE * (1 - evaluation / EVALUATIONS)
        loss = float(1 - ratio / current_ratio) if current_ratio else 0.0
        if loss <= 0 or (temperature and rng.random() < math.exp(-loss / temperature)):
            current, current_ratio = candidate, ratio
        candidate = _neighbour(current, hunt.limits, rng)
    return Unit(number, EVALUATIONS, tuple(finds), complete=True)


def _neighbour(candidate: Candidate, limits: Limits, rng: random.Random) -> Candidate:
    """Apply one or two random moves, retrying until the result is valid."""
    while True:
        result = candidate
        for _ in range(rng.choice((1, 1, 2))):
            result = rng.choice(MOVES)(result, rng)
            if not result.valid(limits):
                break
        else:
            return result


def _evaluation(hunt: Hunt) -> Callable[[Candidate], tuple[int, int]]:
    """Return the function from a candidate to (cost, reference)."""
    policy = policy_from_spec(hunt.policy)
    against = policy_from_spec(hunt.against) if hunt.against else None

    def evaluate(candidate: Candidate) -> tuple[int, int]:
        instance = candidate.instance()
        cost = simulate(instance, policy).total_completion_time()
        if against is not None:
            return cost, simulate(instance, against).total_completion_time()
        quick = int(best_list_schedule(instance).sum()) + instance.total_output
        return cost, min(cost, quick)

    return evaluate


def search(
    hunt: Hunt,
    budget: Budget,
    *,
    units: int | None = None,
    done: Iterable[Unit] = (),
    on_unit: Callable[[Unit], None] = lambda unit: None,
    workers: Workers | None = None,
) -> list[Unit]:
    """Run restarts until the budget is over.

    Parameters
    ----------
    hunt
        What is searched for.
    budget
        How long it may go on.
    units
        Stop once the units 0, ..., units - 1 are complete; None for no end.
    done
        Complete units of an earlier run of the same hunt; they are not run again.
    on_unit
        Called with every unit as it ends.
    workers
        Where to run units; None for this thread.

    Returns
    -------
    list of Unit
        All units, those of `done` included, by number.

    Raises
    ------
    PolicyError
        If a policy misbehaves.
    WorkerError
        If a worker process dies.
    """
    ended = {unit.number: unit for unit in done}
    numbers = (n for n in itertools.count() if n not in ended)
    todo = itertools.takewhile(lambda n: units is None or n < units, numbers)
    run = (
        _runs_on(hunt, budget, workers)
        if workers and workers.executor
        else _runs_here(hunt, budget)
    )
    for unit in run(todo):
        ended[unit.number] = unit
        on_unit(unit)
    return [ended[number] for number in sorted(ended)]


Run = Callable[[Iterator[int]], Iterator[Unit]]


def _runs_here(hunt: Hunt, budget: Budget) -> Run:
    def run(numbers: Iterator[int]) -> Iterator[Unit]:
        while not budget.over() and (number := next(numbers, None)) is not None:
            yield run_unit(hunt, number, budget)

    return run


def _runs_on(hunt: Hunt, budget: Budget, workers: Workers) -> Run:
    def run(numbers: Iterator[int]) -> Iterator[Unit]:
        assert workers.executor is not None
        running: set[Future[Unit]] = set()
        while True:
            while len(running) < workers.count and not budget.over():
                if (number := next(numbers, None)) is None:
                    break
                running.add(workers.executor.submit(_run_unit_for, hunt, number, budget.left()))
            if not running:
                return
            if budget.interrupted:
                workers.stop()
            ended, running = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in ended:
                try:
                    yield future.result()
                except BrokenExecutor:
                    raise WorkerError("a worker process died; what was stored is safe") from None

    return run


def _run_unit_for(hunt: Hunt, number: int, seconds: float) -> Unit:
    return run_unit(hunt, number, Budget(seconds, stopped))


def improvements(units: Iterable[Unit]) -> list[Find]:
    """Return the finds that were better than all in earlier units, by unit number.

    Which ones these are does not depend on the order in which the units were run.
    The last one is the best find.
    """
    best: list[Find] = []
    for unit in sorted(units, key=lambda unit: unit.number):
        for find in unit.finds:
            if not best or find.ratio > best[-1].ratio:
                best.append(find)
    return best
