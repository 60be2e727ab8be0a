"""Where units of work are run: in this process, or in several."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from kvopt.errors import InputError
from kvopt.instance import abridged
from kvopt.spec import integer

__all__ = ["Workers", "workers_from_spec"]


@dataclass(frozen=True, slots=True)
class Workers:
    """An executor and how many units it runs at a time.

    Parameters
    ----------
    executor
        The executor; None to run in this thread.
    count
        Number of units it runs at a time.
    """

    executor: Executor | None
    count: int


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
        yield Workers(None, 1)
    elif kind == "processes":
        count = integer(1, 1024)(value, "executor: processes")
        # Ctrl-C reaches the whole process group; the parent alone decides what it means.
        with ProcessPoolExecutor(
            count, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
        ) as executor:
            yield Workers(executor, count)
    else:
        raise InputError(f"executor: must be local or processes=N, got {abridged(spec)}")
