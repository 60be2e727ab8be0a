"""How long a piece of work may go on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

__all__ = ["Budget"]


class Budget:
    """A limit of time or work that can also be ended from outside, by Ctrl-C for example.

    Long-running code asks it now and then and stops in good order when it is over.

    Parameters
    ----------
    seconds
        Wall-clock time from now on (seconds); infinite by default.
    stopped
        Tells whether somebody else has ended it; asked whenever the budget is.
    node_limit
        Number of nodes after which searches stop: states, labels, nodes of trees of branches.
        They look now and then, so it may be a little more; infinite by default.

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
        self,
        seconds: float = math.inf,
        stopped: Callable[[], bool] = lambda: False,
        node_limit: float = math.inf,
    ) -> None:
        self._whole = self  # which counts the nodes of all its parts
        self._nodes = 0
        self._node_limit = node_limit
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

    @property
    def nodes(self) -> int:
        """How many nodes searches have counted, in all parts of the whole budget."""
        return self._whole._nodes

    def count(self, nodes: int = 1) -> None:
        """Count nodes of a search."""
        self._whole._nodes += nodes

    def nodes_left(self) -> float:
        """Return how many nodes are left."""
        return max(0, self._whole._node_limit - self._whole._nodes)

    def left(self) -> float:
        """Return the time that is left (seconds)."""
        done = self.interrupted or self.nodes_left() <= 0
        return 0.0 if done else max(0.0, self._end - time.perf_counter())

    def over(self) -> bool:
        """Tell whether it is used up or was interrupted."""
        return time.perf_counter() >= self._end or self.nodes_left() <= 0 or self.interrupted

    def part(self, seconds: float) -> Budget:
        """Return a budget that ends after `seconds`, and no later than this one."""
        budget = Budget(min(seconds, self.left()), lambda: self.interrupted)
        budget._whole = self._whole
        return budget
