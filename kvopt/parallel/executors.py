"""Where units of work are run: in this process, in several, or on a Dask cluster."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import BaseContext
from multiprocessing.synchronize import Event
from typing import Any, ParamSpec, TypeVar

from kvopt.model.errors import InputError, WorkerError
from kvopt.model.instance import abridged
from kvopt.model.spec import integer

__all__ = ["Workers", "stopped", "workers_from_spec"]

CONNECT_SECONDS, ANSWER_SECONDS = 5, 20
"""How long a Dask scheduler may take to answer, at first and later."""

COUNT_SECONDS = 5
"""How often the workers of a Dask cluster are counted."""

ADDRESS = re.compile(r"((tcp|tls|ucx|ws|wss)://)?(\[[^\]/]+\]|[^:/\[\]]+):[0-9]{1,5}")

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Workers:
    """An executor and how many units it runs at a time.

    Parameters
    ----------
    executor
        The executor; None to run in this thread.
    count
        Number of units it runs at a time; a function if that changes.  The function may
        raise WorkerError.
    stop
        Makes `stopped` true for the units that run.
    deaths
        What a future raises if whoever ran its unit is gone.
    hopeless
        What it raises if the executor has run the unit again by itself, in vain.
    kill
        Ends those that run a unit now, where that is possible.
    """

    executor: Executor | None = None
    count: int | Callable[[], int] = 1
    stop: Callable[[], None] = lambda: None
    deaths: tuple[type[BaseException], ...] = (BrokenExecutor,)
    hopeless: tuple[type[BaseException], ...] = ()
    kill: Callable[[], None] = lambda: None

    def places(self) -> int:
        """Return how many units may run now."""
        return self.count() if callable(self.count) else self.count


@contextmanager
def workers_from_spec(spec: str, preload: Sequence[str] = ()) -> Iterator[Workers]:
    """Provide the workers named on the command line, for the time of a with block.

    Parameters
    ----------
    spec
        "local" for this process, "processes=N", or "dask=ADDRESS", the address of a
        scheduler: HOST:PORT or PROTOCOL://HOST:PORT.
    preload
        Modules that every process needs; each process has them from the start.

    Raises
    ------
    InputError
        If it is none of these, or the scheduler cannot be reached.
    """
    kind, _, value = spec.partition("=")
    if spec == "local":
        yield Workers()
    elif kind == "processes":
        with _processes(integer(1, 1024)(value, "executor: processes"), preload) as workers:
            yield workers
    elif kind == "dask" and ADDRESS.fullmatch(value):
        with _dask(value) as workers:
            yield workers
    else:
        raise InputError(
            "executor: must be local or processes=N or dask=HOST:PORT or"
            f" dask=PROTOCOL://HOST:PORT, got {abridged(spec)}"
        )


def stopped() -> bool:
    """Tell, where a unit is run, whether its work is to end."""
    if (cancelled := getattr(_task, "cancelled", None)) is not None:
        return bool(cancelled())
    return _stop is not None and _stop.is_set()


_stop: Event | None = None
"""In a worker process: set when its work is to end."""

_task = threading.local()
"""In a thread of a Dask worker: `cancelled` tells whether its work is to end."""


@contextmanager
def _processes(count: int, preload: Sequence[str]) -> Iterator[Workers]:
    # Forked from a process without threads; a thread may hold a lock when it is forked.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload([*preload])
    stop = context.Event()
    with Processes(context, stop) as executor:
        try:
            yield Workers(executor, count, stop.set, kill=executor.kill)
        except KeyboardInterrupt:  # a second Ctrl-C: do not wait for them
            executor.kill()
            raise


class Processes(Executor):
    """Processes that run a unit each; one that dies takes no other with it.

    As many are started as calls are submitted at a time; one that died is replaced.  The
    future of the call it was running raises `BrokenExecutor`.

    Parameters
    ----------
    context
        How processes are started.
    stop
        Makes `stopped` true in them.
    """

    def __init__(self, context: BaseContext, stop: Event) -> None:
        self._context = context
        self._stop = stop
        self._idle: list[ProcessPoolExecutor] = []
        self._all: list[ProcessPoolExecutor] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a call in an idle process, or a new one."""
        while True:
            pool = self._idle.pop() if self._idle else self._new()
            try:
                future = pool.submit(fn, *args, **kwargs)
            except BrokenExecutor:  # it died when it had nothing to do
                self._all.remove(pool)
                continue
            future.add_done_callback(partial(self._ended, pool))
            return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, after what they are at."""
        for pool in tuple(self._all):
            pool.shutdown(wait, cancel_futures=cancel_futures)

    def kill(self) -> None:
        """End the processes now."""
        self.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.kill()

    def _new(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(
            1,
            mp_context=self._context,
            initializer=_begin_worker,
            initargs=(self._stop,),
        )
        self._all.append(pool)
        return pool

    def _ended(self, pool: ProcessPoolExecutor, future: Future[Any]) -> None:
        if not future.cancelled() and isinstance(future.exception(), BrokenExecutor):
            self._all.remove(pool)
        else:
            self._idle.append(pool)


def _begin_worker(stop: Event) -> None:
    global _stop
    _stop = stop
    # Ctrl-C reaches the whole process group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process as soon as its parent is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _dask(address: str) -> Iterator[Workers]:
    try:
        from distributed import Client
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise InputError(
            "executor: dask=ADDRESS needs Dask, which is not installed: pip install 'kvopt[dask]'"
            " (or pip install 'dask[distributed]')"
        ) from None
    with _quiet("distributed.client", "distributed.core", "distributed.comm"):
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"executor: dask={address}: cannot be reached: {reason}") from None
        with client:
            executor = DaskCluster(client, address)
            # Dask itself runs a task again if its worker dies, three times by default.
            yield Workers(
                executor,
                executor.places,
                executor.stop,
                deaths=(CancelledError,),
                hopeless=(KilledWorker,),
            )


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Keep loggers silent; what they have to say comes as an exception, too."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class DaskCluster(Executor):
    """The workers of a Dask scheduler.

    Parameters
    ----------
    client
        A `distributed.Client`.
    address
        Address of the scheduler.
    """

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address
        self._executor = client.get_executor(pure=False)
        self._running: set[Future[Any]] = set()
        self._places = 1
        self._counted = 0.0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a call on some worker."""
        future: Future[T] = self._executor.submit(_run_on_dask, fn, *args, **kwargs)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def places(self) -> int:
        """Return the number of threads of all workers, which may come and go; at least 1.

        Raises
        ------
        WorkerError
            If the scheduler does not answer.
        """
        if time.monotonic() > self._counted + COUNT_SECONDS or self._client.status != "running":
            try:
                threads = self._client.nthreads(callback_timeout=ANSWER_SECONDS)
            except Exception:  # of many kinds, depending on what the client was at
                raise WorkerError(
                    f"the Dask scheduler {self._address} is gone; what was stored is safe"
                ) from None
            self._places = max(1, sum(threads.values()))
            self._counted = time.monotonic()
        return self._places

    def stop(self) -> None:
        """Cancel what was submitted; it ends as soon as it asks `stopped`."""
        for future in tuple(self._running):
            future.cancel()


def _run_on_dask(function: Callable[..., T], *arguments: Any) -> T:
    """Run a call in a thread of a Dask worker, where `stopped` tells that it was cancelled."""
    from distributed import Status, get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def cancelled() -> bool:
        # A task that runs while it is cancelled, or its client goes away, is in this state.
        task = worker.state.tasks.get(key)
        gone = worker.status not in (Status.running, Status.paused, Status.closing_gracefully)
        return gone or task is None or task.state == "cancelled"

    _task.cancelled = cancelled
    try:
        return function(*arguments)
    finally:
        _task.cancelled = None
