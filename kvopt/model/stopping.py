"""When a piece of work is to stop: limits of time and of nodes, and interruptions."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real

from kvopt.model.errors import InputError, require

__all__ = ["Stopping", "checked_limit", "checked_stop"]


def checked_limit(value: float, name: str) -> float:
    """Return a limit that was handed in under this name.

    Raises
    ------
    InputError
        If it is negative or nan.
    TypeError
        If it is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: must be a number, got {value!r}")
    if not value >= 0:  # nor nan
        raise InputError(f"{name}: must be a number >= 0, got {value!r}")
    return value


class Stopping:
    """A limit of time or work that can also be ended from outside, by Ctrl-C for example.

    Long-running code asks it now and then and stops in good order when it is over.

    Parameters
    ----------
    seconds
        Wall-clock time from now on (seconds), >= 0; infinite by default.
    stopped
        Tells whether somebody else has ended it; asked whenever it is asked itself.
    node_limit
        Number of nodes after which searches stop: states, cost-to-go values, nodes of trees.
        They look now and then, so it may be a little more; infinite by default.

    Raises
    ------
    InputError
        If a limit is negative or nan.
    TypeError
        If it is not a number.

    Examples
    --------
    >>> stop = Stopping(3600)
    >>> stop.over()
    False
    >>> stop.interrupt()
    >>> stop.over(), stop.left(), stop.interrupted
    (True, 0.0, True)
    """

    def __init__(
        self,
        seconds: float = math.inf,
        stopped: Callable[[], bool] = lambda: False,
        node_limit: float = math.inf,
    ) -> None:
        checked_limit(seconds, "seconds")
        checked_limit(node_limit, "node_limit")
        self._whole = self  # what all this is a part of
        self._above: Stopping | None = None  # what it is a part of
        self._counter = self  # which counts the nodes of its parts
        self._nodes = 0
        self._node_limit = node_limit
        self._stopped = stopped
        self._end = time.perf_counter() + seconds
        self._interrupted = False
        self._uncharged = 0.0
        self._deaf: list[int] = []  # threads that are in blocks of uncharged time

    @property
    def interrupted(self) -> bool:
        """Whether it was ended from outside."""
        return self._interrupted or self._stopped()

    def interrupt(self) -> None:
        """End it, and all its parts, now.

        Raises
        ------
        KeyboardInterrupt
            If that is asked for by a signal, within a block of `uncharged` time: what runs there
            does not look whether it is to stop.
        """
        self._interrupted = True
        if threading.get_ident() in self._whole._deaf:
            raise KeyboardInterrupt

    @property
    def nodes(self) -> int:
        """How many nodes searches have counted, in all parts under the same limit of nodes."""
        return self._counter._nodes

    def count(self, nodes: int = 1) -> None:
        """Count nodes of a search."""
        self._counter._nodes += nodes

    def nodes_left(self) -> float:
        """Return how many nodes are left."""
        return max(0, self._counter._node_limit - self._counter._nodes)

    def left(self) -> float:
        """Return the time that is left (seconds)."""
        done = self.interrupted or self.nodes_left() <= 0
        return 0.0 if done else max(0.0, self._end - time.perf_counter())

    def over(self) -> bool:
        """Tell whether it is used up or was interrupted."""
        return self.nodes_left() <= 0 or self.late()

    def late(self) -> bool:
        """Tell whether its time is used up or it was interrupted, whatever nodes are left."""
        return time.perf_counter() >= self._end or self.interrupted

    def part(self, seconds: float, node_limit: float | None = None) -> Stopping:
        """Return one that ends after `seconds`, and no later than this one.

        With a limit of nodes it counts its own, from 0, instead of those of this one.
        """
        own = math.inf if node_limit is None else node_limit
        part = Stopping(min(seconds, self.left()), lambda: self.interrupted, own)
        part._whole = self._whole
        if node_limit is None:
            part._counter = self._counter
        part._above = self
        return part

    @property
    def uncharged_seconds(self) -> float:
        """How long it was not charged, in all parts of the whole (seconds)."""
        return self._whole._uncharged

    @contextmanager
    def uncharged(self) -> Iterator[None]:
        """Let the time of a with block count neither here nor in what this is a part of.

        For what happens once on a machine, such as compiling.  Ctrl-C breaks it off there.
        """
        began = time.perf_counter()
        here = threading.get_ident()
        self._whole._deaf.append(here)
        try:
            yield
        finally:
            self._whole._deaf.remove(here)
            seconds = time.perf_counter() - began
            self._whole._uncharged += seconds
            one: Stopping | None = self
            while one is not None:
                one._end += seconds
                one = one._above


def checked_stop(stop: Stopping | None) -> Stopping:
    """Return what was handed in as `stop`, or one without limits for None.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if stop is None:
        return Stopping()
    require(stop, Stopping, "stop")
    return stop
