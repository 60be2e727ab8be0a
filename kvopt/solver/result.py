"""What every exact solver returns: a bracket, with the schedule that gives its upper end."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kvopt.model.errors import SolverError
from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import first_overflow
from kvopt.model.schedule import Schedule

__all__ = ["PROGRAM", "Result", "Status"]

PROGRAM = "HiGHS"
"""What `Result.bound_from` says of a lower bound that is a solver's word."""


class Status(enum.Enum):
    """What is known about the optimum."""

    OPTIMAL = "optimal"
    BRACKET = "bracket"


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A bracket around the optimal total completion time.

    Made by `Result.checked` only, so that `objective` is always the recomputed
    cost of a feasible schedule.

    Parameters
    ----------
    instance
        The instance.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    objective
        Its total completion time (rounds): the upper end of the bracket.
    lower_bound
        Proved lower bound on the optimum (rounds).
    bound_from
        Where the lower bound comes from.
    seconds
        Wall-clock time spent.
    proof
        The object "proof" of a certificate of `lower_bound`, if there is one already.
    """

    instance: Instance
    starts: IntArray
    objective: int
    lower_bound: int
    bound_from: str
    seconds: float
    proof: dict[str, Any] | None = None

    @classmethod
    def checked(
        cls,
        instance: Instance,
        starts: ArrayLike,
        lower_bound: int,
        bound_from: str,
        seconds: float,
        proof: dict[str, Any] | None = None,
    ) -> Result:
        """Make a result from what a solver says, recomputing everything in integers.

        Raises
        ------
        SolverError
            If the start times are not a feasible schedule, or cost less than the
            lower bound.
        """
        start = np.array(starts, dtype=np.int64)
        if start.shape != (len(instance),) or (start < 0).any():
            raise SolverError(f"{instance!r}: the starts are not {len(instance)} times >= 0")
        end = start + instance.outputs
        if overflow := first_overflow(start, end, instance.prompts, instance.memory):
            raise SolverError(f"{instance!r}: the schedule exceeds memory in round {overflow[0]}")
        objective = Schedule.from_starts(instance, start).total_completion_time()
        if lower_bound > objective:
            raise SolverError(
                f"{instance!r}: a schedule costs {objective}, "
                f"less than the lower bound {lower_bound} from {bound_from}"
            )
        start.setflags(write=False)
        return cls(instance, start, objective, lower_bound, bound_from, seconds, proof)

    def merged(self, other: Result) -> Result:
        """Return the best of two results on one instance: cheaper schedule, higher bound.

        Of equal bounds, one with a proof is better.

        Raises
        ------
        SolverError
            If they contradict each other.
        """
        starts = min(self, other, key=lambda result: result.objective).starts
        bound = max(self, other, key=lambda r: (r.lower_bound, r.proof is not None))
        return Result.checked(
            self.instance,
            starts,
            bound.lower_bound,
            bound.bound_from,
            self.seconds + other.seconds,
            bound.proof,
        )

    @property
    def status(self) -> Status:
        """Optimal if and only if the bracket has closed."""
        return Status.OPTIMAL if self.objective == self.lower_bound else Status.BRACKET

    @property
    def schedule(self) -> Schedule:
        """The schedule with these start times."""
        return Schedule.from_starts(self.instance, self.starts)
