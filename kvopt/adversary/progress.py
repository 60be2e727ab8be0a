"""How far a search has come, in a line of text."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from fractions import Fraction

from kvopt.adversary.configuration import WorkUnit
from kvopt.model.stopping import Stopping
from kvopt.theory.decimals import rounded_down

__all__ = ["Progress", "progress_text"]


class Progress:
    """Counts what a search does; its text says how far it has come.

    Parameters
    ----------
    total
        Units there are; None if they never end.
    done
        Complete units of earlier runs.
    stop
        How long this run may go on.
    """

    def __init__(self, total: int | None, done: Iterable[WorkUnit], stop: Stopping) -> None:
        self.total = total
        self.units = 0
        self.evaluations = 0
        self.best: Fraction | None = None
        for unit in done:
            self.add(unit)
        self._earlier, self._evaluated = self.units, self.evaluations
        self._budget = stop
        self._began = time.perf_counter()

    def add(self, unit: WorkUnit) -> None:
        """Count a unit that has ended."""
        self.units += 1
        self.evaluations += unit.evaluations
        for record in unit.records:
            self.best = record.ratio if self.best is None else max(self.best, record.ratio)

    def __str__(self) -> str:
        return progress_text(
            self.units,
            self.total,
            self.best,
            run=self.units - self._earlier,
            evaluations=self.evaluations - self._evaluated,
            seconds=time.perf_counter() - self._began,
            budget_left=self._budget.left(),
        )


def progress_text(
    done: int,
    total: int | None,
    best: Fraction | None,
    *,
    run: int,
    evaluations: int,
    seconds: float,
    budget_left: float = math.inf,
) -> str:
    """Return a line that says how far a search has come.

    Parameters
    ----------
    done
        Units that have ended, those of earlier runs included.
    total
        Units there are; None if they never end.
    best
        The worst ratio so far, or None.
    run, evaluations
        Units that have ended, and instances evaluated, in this run.
    seconds
        How long this run has taken (seconds).
    budget_left
        How long it may go on (seconds); infinite if there is no limit.

    Examples
    --------
    >>> progress_text(12, 40, Fraction(33, 8), run=10, evaluations=15300, seconds=10)
    '12 of 40 units, 1,530 instances/s, worst 4.1250, 28 s left'
    >>> progress_text(3, None, None, run=0, evaluations=0, seconds=0, budget_left=7200)
    '3 units, 2.0 h left'
    """
    units = f"{done:,} units" if total is None else f"{done:,} of {total:,} units"
    parts = [units]
    if run and seconds > 0:
        parts.append(f"{evaluations / seconds:,.0f} instances/s")
    if best is not None:
        parts.append(f"worst {rounded_down(best, 4)}")
    left = budget_left
    if total is not None and run:
        left = min(left, max(0, total - done) * seconds / run)
    if math.isfinite(left):
        parts.append(f"{_duration(left)} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    """Return a time in its natural unit."""
    for limit, unit, text in ((100, 1, "s"), (100 * 60, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {text}"
    return f"{seconds / 3600:.1f} h"
