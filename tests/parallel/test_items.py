"""A function on many items: what is running at an interruption is yielded, too."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from kvopt import StoppedError, Stopping
from kvopt.parallel import items as items_module
from kvopt.parallel.executors import Workers
from kvopt.parallel.items import BROKEN_OFF, results


def code() -> str:
    return "the same"


def test_an_item_that_does_not_end_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items_module, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(items_module, "POLL_SECONDS", 0.01)
    stop, killed = Stopping(), threading.Event()

    def work(item: int, _: Stopping) -> int:
        if item:  # hears of nothing
            killed.wait(60)
        return item

    found: list[tuple[int, Any]] = []
    with ThreadPoolExecutor(2) as threads:
        workers = Workers(threads, 2, kill=killed.set)
        for number, result in results(work, [0, 1, 2, 3], stop, workers, code):
            found.append((number, result))
            stop.interrupt()
    assert found[0] == (0, 0)
    assert all(number in (1, 2, 3) for number, _ in found[1:])
    assert found[1:]
    assert all(isinstance(result, StoppedError) for _, result in found[1:])
    assert all(str(result) == BROKEN_OFF for _, result in found[1:])


def test_an_item_that_is_cancelled_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items_module, "POLL_SECONDS", 0.01)
    futures: list[Future[Any]] = []

    class Pending(Executor):
        """Begins nothing, as a cluster without workers."""

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            futures.append(Future())
            stop.interrupt()
            return futures[-1]

    def cancel() -> None:
        for future in futures:
            future.cancel()

    stop = Stopping()
    workers = Workers(Pending(), 1, cancel, deaths=(CancelledError,))
    ((number, error),) = results(lambda item, _: item, [7, 8], stop, workers, code)
    assert (number, str(error)) == (0, BROKEN_OFF)
    assert isinstance(error, StoppedError)
