"""Running a function on each of many items, here or on an executor."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import Generic, TypeVar

from kvopt.model.errors import KvoptError, StoppedError, WorkerError
from kvopt.model.stopping import Stopping
from kvopt.parallel.executors import Workers, stopped

__all__ = ["BROKEN_OFF", "results"]

POLL_SECONDS = 0.2
"""How often it is asked whether work is to end."""

TRIES = 2
"""An item is tried so often until it is taken for what kills its workers."""

GRACE_SECONDS = 3.0
"""How long after an interruption what is running may take to notice."""

BROKEN_OFF = "interrupted before anything was known of it"
"""What is said of an item that was running when its worker was ended."""

T = TypeVar("T")
Item = TypeVar("Item")


def results(
    function: Callable[[Item, Stopping], T],
    items: Sequence[Item],
    stop: Stopping,
    workers: Workers,
    code: Callable[[], str],
) -> Iterator[tuple[int, T | KvoptError]]:
    """Yield the index of each item and what the function returns or raises, as they end.

    After an interruption nothing more is begun; what is running is yielded if it ends at once,
    else as a `StoppedError`.

    Parameters
    ----------
    function
        A function of a module, which takes an item and the limit that tells it to end.
    items
        The items; they and what the function returns can be pickled.
    stop
        When it is interrupted, the work ends.
    workers
        Where it is done.
    code
        A function of a module: tells which code runs; where that is other code than here, the
        work is refused.

    Raises
    ------
    WorkerError
        If a worker has other code, or cannot run kvopt.
    """
    if workers.executor is None:
        for number, item in enumerate(items):
            if stop.over():
                return
            yield number, _tried(function, item, stop)
        return
    run = partial(_run_in_worker, code(), code, function)
    yield from _Crew(run, items, stop, workers).results()


def _tried(function: Callable[[Item, Stopping], T], item: Item, stop: Stopping) -> T | KvoptError:
    try:
        return function(item, stop)
    except KvoptError as error:
        return error


def _run_in_worker(
    expected: str, code: Callable[[], str], function: Callable[[Item, Stopping], T], item: Item
) -> T | KvoptError:
    if (own := code()) != expected:
        raise WorkerError(f"a worker has other code: {own}, not {expected}")
    return _tried(function, item, Stopping(stopped=stopped))


class _Crew(Generic[Item, T]):
    """The items that workers are at."""

    def __init__(
        self,
        run: Callable[[Item], T | KvoptError],
        items: Sequence[Item],
        stop: Stopping,
        workers: Workers,
    ) -> None:
        self._run = run
        self._items = items
        self._stop = stop
        self._workers = workers
        self._todo = list(reversed(range(len(items))))
        self._running: dict[Future[T | KvoptError], int] = {}
        self._deaths: Counter[int] = Counter()
        self._told = 0.0  # when the workers were told to stop

    def results(self) -> Iterator[tuple[int, T | KvoptError]]:
        try:
            while self._begin():
                ended, _ = wait(self._running, POLL_SECONDS, FIRST_COMPLETED)
                for future in ended:
                    yield from self._taken(future, self._running.pop(future))
                if self._stop.interrupted and not self._told:
                    self._told = time.monotonic()
                    self._workers.stop()
                if self._told and time.monotonic() > self._told + GRACE_SECONDS:
                    self._workers.kill()
                    for number in self._running.values():
                        yield number, StoppedError(BROKEN_OFF)
                    self._running.clear()
        finally:
            if self._running:
                self._workers.stop()

    def _begin(self) -> int:
        """Begin with items while there is room, and return how many are running."""
        assert self._workers.executor is not None
        places = self._workers.places()
        while self._todo and len(self._running) < places and not self._stop.over():
            number = self._todo.pop()
            self._running[self._workers.executor.submit(self._run, self._items[number])] = number
        return len(self._running)

    def _taken(
        self, future: Future[T | KvoptError], number: int
    ) -> Iterator[tuple[int, T | KvoptError]]:
        try:
            yield number, future.result()
        except (*self._workers.deaths, *self._workers.hopeless):
            if self._told:  # cancelled
                yield number, StoppedError(BROKEN_OFF)
                return
            self._deaths[number] += 1
            if self._deaths[number] < TRIES:
                self._todo.append(number)
            else:
                yield number, WorkerError("its worker died, and so did the one that tried again")
        except ImportError as error:
            raise WorkerError(f"a worker cannot run kvopt: {error}") from None
