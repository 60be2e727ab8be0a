"""What the solver returns: a bracket of the optimum, and how it came about."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.rows import frame_of, to_csv
from kvopt.model.schedule import Schedule
from kvopt.model.text import ShownAsText
from kvopt.theory.decimals import gap_text

__all__ = ["NOTHING", "Bound", "Result", "StageRecord", "Status"]


class Status(enum.Enum):
    """What is known about the optimum."""

    OPTIMAL = "optimal"
    BRACKET = "bracket"


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A lower bound on the optimal total latency.

    Parameters
    ----------
    value
        The bound (rounds).
    rule
        By which argument: the name of a rule of certificates, or that of a stage whose word it
        is ("state-search", "reference-search", "milp").
    proof
        The object "proof" of a certificate of it; None if it is the stage's word.
    """

    value: int
    rule: str
    proof: Mapping[str, Any] | None = None


NOTHING = Bound(0, "nothing")
"""What is known before anything was done."""


@dataclass(frozen=True, slots=True)
class StageRecord:
    """What a stage of the solver did.

    Parameters
    ----------
    name
        The stage.
    seconds
        Wall-clock time, without that for compiling (seconds).
    compile_seconds
        Wall-clock time to compile what it uses for the first time (seconds).
    objective, lower_bound
        The bracket after it (rounds).
    """

    name: str
    seconds: float
    compile_seconds: float
    objective: int
    lower_bound: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Result(ShownAsText):
    """A bracket around the optimal total latency, the sum of completion minus release times.

    With all releases at 0 that is the total completion time.  `objective` is always the
    recomputed cost of a feasible schedule.

    Parameters
    ----------
    instance
        The instance.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    objective
        Its total latency (rounds): the upper end of the bracket.
    bound
        The highest lower bound.
    certified
        The highest lower bound with a proof; `kvopt.certificates.write` makes a file of it.
    seconds
        Wall-clock time, without that for compiling (seconds).
    compile_seconds
        Wall-clock time spent on compiling what was used for the first time (seconds).
    stages
        What each stage did, in order.
    termination
        Why it ended: "closed" if the bracket has closed (or, where that was asked for, is
        proved), "time limit", "node limit", "interrupted", or "no stage left" if every stage
        came to its end before.
    """

    instance: Instance
    starts: IntArray
    objective: int
    bound: Bound
    certified: Bound
    seconds: float
    compile_seconds: float = 0.0
    stages: tuple[StageRecord, ...] = ()
    termination: str = ""

    @property
    def total_latency(self) -> int:
        """The total latency of the schedule (rounds), the objective."""
        return self.objective

    @property
    def total_completion_time(self) -> int:
        """The total completion time of the schedule (rounds)."""
        return self.objective + self.instance.total_release

    @property
    def lower_bound(self) -> int:
        """The lower end of the bracket (rounds)."""
        return self.bound.value

    @property
    def certified_lower_bound(self) -> int:
        """The lower bound that a certificate can prove (rounds), at most `lower_bound`."""
        return self.certified.value

    @property
    def rule(self) -> str:
        """By which argument the lower bound holds; see `Bound.rule`."""
        return self.bound.rule

    @property
    def status(self) -> Status:
        """Optimal if and only if the bracket has closed."""
        return Status.OPTIMAL if self.objective == self.lower_bound else Status.BRACKET

    @property
    def gap(self) -> float:
        """1 - lower bound / objective."""
        return 1 - self.lower_bound / self.objective

    @property
    def schedule(self) -> Schedule:
        """The schedule with these start times."""
        return Schedule.from_starts(self.instance, self.starts)

    def to_dict(self) -> dict[str, Any]:
        """Return it as `kvopt solve --json` prints it, of plain numbers and texts.

        Where some request is released after time 0, both totals have keys of their own beside
        the objective.
        """
        totals = {
            "total_latency": self.total_latency,
            "total_completion_time": self.total_completion_time,
        }
        return {
            "instance": self.instance.name,
            "digest": self.instance.digest(),
            "status": self.status.value,
            "termination": self.termination,
            "objective": self.objective,
            **(totals if self.instance.has_releases else {}),
            "lower_bound": self.lower_bound,
            "lower_bound_from": self.rule,
            "certified_lower_bound": self.certified_lower_bound,
            "starts": self.starts.tolist(),
            "seconds": round(self.seconds, 3),
            "compile_seconds": round(self.compile_seconds, 3),
        }

    def rows(self) -> list[dict[str, int]]:
        """Return a row for each request: its lengths, release, start, completion and latency."""
        instance = self.instance
        columns = {
            "request": np.arange(len(instance)),
            "release": instance.releases,
            "prompt": instance.prompts,
            "output": instance.outputs,
            "start": self.starts,
            "completion": self.starts + instance.outputs,
            "latency": self.starts + instance.outputs - instance.releases,
        }
        values = zip(*(column.tolist() for column in columns.values()), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in values]

    def to_csv(self) -> str:
        """Return the rows as comma-separated values with a header."""
        return to_csv(self.rows())

    def to_frame(self, library: str | None = None) -> Any:
        """Return the rows as a data frame of pandas or polars (`pip install kvopt[frames]`).

        Parameters and errors are as for `kvopt.model.rows.frame_of`.
        """
        return frame_of(self.rows(), library)

    @property
    def _ended(self) -> str:
        return f" ({self.termination})" if self.termination else ""

    def __repr__(self) -> str:
        name = self.instance.name
        return (
            f"Result({name!r}, {self.status.value}, objective={self.objective}, "
            f"lower_bound={self.lower_bound}, rule={self.rule!r})"
        )

    def __str__(self) -> str:
        certified = f"certified {self.certified_lower_bound}"
        if self.certified_lower_bound == self.lower_bound:
            certified = "certified"
        lines = [
            f"{self.status.value}: {self.lower_bound}..{self.objective}{self._ended}"
            if self.status is Status.BRACKET
            else f"optimal: {self.objective}",
            f"lower bound {self.lower_bound} by {self.rule}, {certified}",
        ]
        if self.status is Status.BRACKET:
            lines.append(f"gap {gap_text(self.lower_bound, self.objective)}")
        if self.stages:
            lines.append(f"{'stage':<24} {'seconds':>8}  {'lower bound':>13}  {'objective':>13}")
        for stage in self.stages:
            line = f"{stage.name:<24} {stage.seconds:8.2f}  {stage.lower_bound:13}"
            line += f"  {stage.objective:13}"
            if stage.compile_seconds >= 0.01:
                line += f"  compiling took {stage.compile_seconds:.1f} s"
            lines.append(line)
        return "\n".join(lines)
