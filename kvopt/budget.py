"""How long a piece of work may go on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

__all__ = ["Budget"]


class Budget:
    """A time limit that can also be ended from outside, by Ctrl-C for example.

    Long-running code asks it now and then and stops in good order when it is over.

    Parameters
    ----------
    seconds
        Wall-clock time from now on (seconds); infinite by default.
    stopped
        Tells whether somebody else has ended it; asked whenever the budget is.

    Examples
    --------
    >>> budget = Budget(3600)
    >>> budget.over()
    False
    >>> budget.interrupt()
    >>> budget.over(), budget.left(), budget.interrupted
    (True, 0.0, True)
    """

    def __init__(
        self, seconds: float = math.inf, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._stopped = stopped
        self._end = time.perf_counter() + seconds
        self._interrupted = False

    @property
    def interrupted(self) -> bool:
        """Whether it was ended from outside."""
        return self._interrupted or self._stopped()

    def interrupt(self) -> None:
        """End it, and all its parts, now."""
        self._interrupted = True

    def left(self) -> float:
        """Return the time that is left (seconds)."""
        return 0.0 if self.interrupted else max(0.0, self._end - time.perf_counter())

    def over(self) -> bool:
        """Tell whether it is used up or was interrupted."""
        return time.perf_counter() >= self._end or self.interrupted

    def part(self, seconds: float) -> Budget:
        """Return a budget that ends after `seconds`, and no later than this one."""
        return Budget(min(seconds, self.left()), lambda: self.interrupted)
