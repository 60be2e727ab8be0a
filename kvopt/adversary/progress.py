"""How far a search has come, in a line of text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search has come.

    Parameters
    ----------
    done
        Units that have ended, those of earlier runs included.
    total
        Units there are; None if they never end.
    run
        Units that have ended in this run.
    evaluations
        Instances evaluated in this run.
    seconds
        How long this run has taken (seconds).
    budget_left
        How long it may go on (seconds); infinite if there is no limit.
    best
        The worst ratio so far, or None.

    Examples
    --------
    >>> print(Progress(12, 40, 10, 153_000, 10.0, 600.0, Fraction(33, 8)))
    12 of 40 units, 15,300 instances/s, worst 4.1250, 28 s left
    """

    done: int
    total: int | None
    run: int
    evaluations: int
    seconds: float
    budget_left: float = math.inf
    best: Fraction | None = None

    @property
    def rate(self) -> float:
        """Instances per second, 0 at the very beginning."""
        return self.evaluations / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """How long it will probably take (seconds): until the last unit, or the budget, ends."""
        if self.total is None:
            return self.budget_left
        left = max(0, self.total - self.done)
        if left and not self.run:
            return self.budget_left
        return min(self.budget_left, left * self.seconds / self.run if left else 0.0)

    def __str__(self) -> str:
        units = f"{self.done:,} of {self.total:,} units" if self.total else f"{self.done:,} units"
        parts = [units]
        if self.run:
            parts.append(f"{self.rate:,.0f} instances/s")
        if self.best is not None:
            parts.append(f"worst {float(self.best):.4f}")
        if math.isfinite(self.seconds_left):
            parts.append(f"{_duration(self.seconds_left)} left")
        return ", ".join(parts)


def _duration(seconds: float) -> str:
    """Return a time in its natural unit."""
    for limit, unit, text in ((100, 1, "s"), (100 * 60, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {text}"
    return f"{seconds / 3600:.1f} h"
