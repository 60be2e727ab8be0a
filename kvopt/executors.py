"""Where units of work are run: in this process, or in several."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event

from kvopt.errors import InputError
from kvopt.instance import abridged
from kvopt.spec import integer

__all__ = ["Workers", "stopped", "workers_from_spec"]


@dataclass(frozen=True, slots=True)
class Workers:
    """An executor and how many units it runs at a time.

    Parameters
    ----------
    executor
        The executor; None to run in this thread.
    count
        Number of units it runs at a time.
    stop
        Makes `stopped` true for the units that run.
    """

    executor: Executor | None = None
    count: int = 1
    stop: Callable[[], None] = lambda: None


@contextmanager
def workers_from_spec(spec: str) -> Iterator[Workers]:
    """Provide the workers named on the command line, for the time of a with block.

    Parameters
    ----------
    spec
        "local" for this process, or "processes=N".

    Raises
    ------
    InputError
        If it is neither.
    """
    kind, _, value = spec.partition("=")
    if spec == "local":
        yield Workers()
    elif kind == "processes":
        count = integer(1, 1024)(value, "executor: processes")
        stop = multiprocessing.Event()
        executor = ProcessPoolExecutor(count, initializer=_begin_worker, initargs=(stop,))
        with executor:
            try:
                yield Workers(executor, count, stop.set)
            except KeyboardInterrupt:  # a second Ctrl-C: do not wait for them
                executor.shutdown(wait=False, cancel_futures=True)
                for process in multiprocessing.active_children():
                    process.kill()
                raise
    else:
        raise InputError(f"executor: must be local or processes=N, got {abridged(spec)}")


_stop: Event | None = None
"""In a worker process: set when its work is to end."""


def stopped() -> bool:
    """Tell, in a worker process, whether its work is to end."""
    return _stop is not None and _stop.is_set()


def _begin_worker(stop: Event) -> None:
    global _stop
    _stop = stop
    # Ctrl-C reaches the whole process group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
