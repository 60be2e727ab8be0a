"""What a stage of the solver is, and what all stages work on.

A stage looks at the incumbent, offers cheaper schedules and proves higher lower bounds.  It knows
nothing of the other stages: `kvopt.solver.solve.PLAN` says which there are, and in which order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from kvopt.model.errors import InputError, SolverError
from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import first_overflow
from kvopt.model.request_types import RequestTypes
from kvopt.model.schedule import exact_sum, whole_numbers
from kvopt.model.stopping import Stopping
from kvopt.solver.params import SolverParams
from kvopt.solver.result import NOTHING, Bound, Result, StageRecord

__all__ = ["Bound", "Incumbent", "Stage", "handles", "refuse_releases", "run_alone"]


class Stage(Protocol):
    """A part of the solver that narrows the bracket.

    Attributes
    ----------
    name
        What `Result.stages` calls it.

    A stage whose bounds or schedules hold with release times after 0 says so by a class
    attribute `with_releases = True`; all others are refused such instances.
    """

    @property
    def name(self) -> str:
        """What `Result.stages` calls it."""
        ...

    def applies(self, state: Incumbent) -> bool:
        """Tell whether it is worth running on what is known so far; quick."""
        ...

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer schedules and prove bounds until that is done or `stop` is over."""
        ...


@dataclass(eq=False)
class Incumbent:
    """What is known of the optimum of one instance: the best schedule and the best bounds.

    Parameters
    ----------
    instance
        The instance.
    params
        The tuning numbers of all stages.
    certify
        Whether the bracket counts as closed only when its lower end is proved by a certificate.
    report
        Called with the bracket so far whenever it has become narrower.
    jobs
        How many searches for schedules may run at a time.

    Attributes
    ----------
    starts
        Starts of the cheapest schedule so far (rounds), shape (n,); those of the requests one
        after another, by release and output, at the beginning.
    objective
        Its total latency (rounds); with all releases at 0 the total completion time.
    bound
        The highest lower bound on that so far.
    certified
        The highest one with a proof that a certificate can hold.
    stages
        What the stages did that have been run.
    found_beside
        Schedules that other threads have found (starts in rounds, shape (n,) each).  They are taken
        over by the thread that runs the stages, when it offers or proves something itself.
    """

    instance: Instance
    params: SolverParams
    certify: bool = False
    report: Callable[[Result], None] = lambda result: None
    jobs: int = 1

    def __post_init__(self) -> None:
        self.types: RequestTypes = self.instance.request_types()
        self.starts: IntArray = _one_after_another(self.instance)
        self.objective = total_latency(self.instance, self.starts)
        self.bound = self.certified = NOTHING
        self.stages: list[StageRecord] = []
        self.found_beside: SimpleQueue[IntArray] = SimpleQueue()
        self._bounds: dict[str, Bound] = {}
        self._began = time.perf_counter()
        self._compiling = 0.0

    @property
    def closed(self) -> bool:
        """Whether nothing is left to do."""
        bound = self.certified if self.certify else self.bound
        return bound.value == self.objective

    @property
    def makespan(self) -> int:
        """The last round of the best schedule."""
        return int((self.starts + self.instance.outputs).max())

    def proved(self, rule: str) -> int:
        """Return the best bound by a rule so far (rounds), 0 if there is none."""
        best = self.best(rule)
        return best.value if best else 0

    def best(self, rule: str) -> Bound | None:
        """Return the best bound by a rule so far, with its proof if any as good has one."""
        return self._bounds.get(rule)

    @cached_property
    def cache(self) -> dict[str, Any]:
        """What stages have found out about the instance alone, such as sizes, by name."""
        return {}

    def offer(self, starts: ArrayLike) -> bool:
        """Take a schedule over if it is cheaper; tell whether it is.

        Parameters
        ----------
        starts
            Start times in instance order (rounds), shape (n,).

        Raises
        ------
        SolverError
            If they are cheaper, but not a feasible schedule, or cheaper than a bound allows.
        """
        self.take_over()
        return self._offer(as_starts(self.instance, starts))

    def take_over(self) -> None:
        """Offer the schedules that were found beside."""
        while not self.found_beside.empty():
            self._offer(self.found_beside.get())

    def _offer(self, start: IntArray) -> bool:
        if total_latency(self.instance, start) >= self.objective:
            return False
        start, objective = recomputed(self.instance, start)
        if objective < self.bound.value:
            raise SolverError(
                f"{self.instance!r}: a schedule costs {objective}, "
                f"less than the lower bound {self.bound.value} ({self.bound.rule})"
            )
        self.starts, self.objective = start, objective
        self.report(self.result())
        return True

    def prove(self, bound: Bound) -> bool:
        """Take a lower bound over if it is higher, or as high and with a proof; tell whether.

        Raises
        ------
        SolverError
            If it exceeds the cost of the best schedule.
        """
        self.take_over()
        if bound.value > self.objective:
            raise SolverError(
                f"{self.instance!r}: a schedule costs {self.objective}, "
                f"less than the lower bound {bound.value} ({bound.rule})"
            )
        last = self.best(bound.rule)
        if last is None or _is_better(bound, last):
            self._bounds[bound.rule] = bound
        better = bound.value > self.certified.value and bound.proof is not None
        if better:
            self.certified = bound
        if _is_better(bound, self.bound):
            self.bound = bound
            better = True
        if better:
            self.report(self.result())
        return better

    def run(self, stage: Stage, stop: Stopping) -> None:
        """Run a stage and keep a record of what it did.

        Raises
        ------
        SolverError
            If requests are released after time 0 and the stage does not say that it handles that.
        """
        if not handles(stage, self.instance):
            refuse_releases(self.instance, stage.name)
        began, uncharged = time.perf_counter(), stop.uncharged_seconds
        try:
            stage.run(self, stop)
        except KeyboardInterrupt:
            if not stop.interrupted:  # broken off while compiling
                raise
        finally:
            compiling = stop.uncharged_seconds - uncharged
            self._compiling += compiling
            self.stages.append(
                StageRecord(
                    stage.name,
                    time.perf_counter() - began - compiling,
                    compiling,
                    self.objective,
                    self.bound.value,
                )
            )

    def result(self) -> Result:
        """Return what is known so far."""
        seconds = time.perf_counter() - self._began - self._compiling
        return Result(
            self.instance,
            self.starts,
            self.objective,
            self.bound,
            self.certified,
            seconds,
            self._compiling,
            tuple(self.stages),
        )


def run_alone(
    stage: Stage,
    instance: Instance,
    starts: ArrayLike,
    stop: Stopping,
    params: SolverParams | None = None,
    report: Callable[[Result], None] = lambda result: None,
) -> Result:
    """Run one stage by itself, whether it says that it applies or not.

    Parameters
    ----------
    stage
        The stage.
    instance
        The instance.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    stop
        How long it may take.
    params
        The tuning numbers; by default the usual ones.
    report
        Called with the bracket whenever it has become narrower.

    Raises
    ------
    SolverError
        If the schedule is not feasible.
    """
    state = Incumbent(instance, params or SolverParams.usual(), report=report)
    state.offer(starts)
    state.run(stage, stop)
    return state.result()


def recomputed(instance: Instance, starts: ArrayLike) -> tuple[IntArray, int]:
    """Return start times as a read-only array, and what they cost (rounds).

    Raises
    ------
    SolverError
        If they are not a feasible schedule.
    """
    start = as_starts(instance, starts)
    end = start + instance.outputs
    if overflow := first_overflow(start, end, instance.prompts, instance.memory):
        raise SolverError(f"{instance!r}: the schedule exceeds memory in round {overflow[0]}")
    start.setflags(write=False)
    return start, exact_sum(end) - instance.total_release


def total_latency(instance: Instance, starts: IntArray) -> int:
    """Return what start times cost (rounds): the sum of completion minus release times."""
    return exact_sum(starts) + instance.total_output - instance.total_release


def handles(stage: Stage, instance: Instance) -> bool:
    """Tell whether what a stage offers and proves holds for an instance with these releases."""
    return not instance.has_releases or getattr(stage, "with_releases", False)


def refuse_releases(instance: Instance, what: str) -> None:
    """Refuse an instance with release times, for what holds only without.

    Raises
    ------
    SolverError
        If some request is released after time 0.
    """
    if instance.has_releases:
        raise SolverError(f"{instance!r}: {what} is not valid with releases after time 0")


def _is_better(bound: Bound, last: Bound) -> bool:
    """Tell whether a bound is higher than another, or as high and the only one with a proof."""
    if bound.value == last.value:
        return last.proof is None and bound.proof is not None
    return bound.value > last.value


def as_starts(instance: Instance, starts: ArrayLike) -> IntArray:
    """Return start times as an array of its own (rounds), shape (n,).

    Raises
    ------
    SolverError
        If they are not n times >= 0, or one is before the release of its request.
    """
    try:
        start = whole_numbers(starts, "starts").copy()
    except InputError as error:
        raise SolverError(f"{instance!r}: {error}") from None
    if start.shape != (len(instance),) or (start < 0).any():
        raise SolverError(f"{instance!r}: the starts are not {len(instance)} times >= 0")
    if (early := start < instance.releases).any():
        i = int(np.argmax(early))
        raise SolverError(
            f"{instance!r}: request {i} starts at {start[i]}, "
            f"before its release at {instance.releases[i]}"
        )
    return start


def _one_after_another(instance: Instance) -> IntArray:
    """Return the starts of requests that run one at a time (rounds), shape (n,).

    They come by release, those of one release shortest first.
    """
    order = np.lexsort((instance.outputs, instance.releases))
    outputs, releases = instance.outputs[order], instance.releases[order]
    done = np.cumsum(outputs) - outputs
    starts = np.zeros(len(instance), dtype=np.int64)
    # The machine falls behind the outputs so far by what it had to wait for releases.
    starts[order] = done + np.maximum.accumulate(releases - done)
    return starts
