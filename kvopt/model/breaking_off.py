"""Breaking off work that does not ask whether it is to stop, such as a policy of a user's own."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from kvopt.model.errors import StoppedError
from kvopt.model.stopping import Stopping

__all__ = ["BrokenOff", "run_within"]

LOOK_SECONDS = 0.02
"""How often it is asked whether the work is to stop."""

AGAIN_SECONDS = 0.5
"""After this time the exception is raised again, if the work goes on."""

MOST_LOOKS = 100
"""How often a signal on its way is waited for; it arrives with the first call of the system."""

T = TypeVar("T")


class BrokenOff(BaseException):
    """Raised within the work, wherever it is; no `except Exception` there takes it."""


def run_within(stop: Stopping, work: Callable[[], T], grace: float = 0.0) -> T:
    """Do some work, which is broken off wherever it is once it is to stop.

    In the main thread that works for anything that Python runs, a long sleep included; in
    other threads a call of foreign code ends first.  What the work was changing stays as it
    was at that moment: it should change nothing that others see.

    Parameters
    ----------
    stop
        When it is over, the work is broken off.
    work
        The work.
    grace
        How long after that it may end by itself (seconds).

    Raises
    ------
    StoppedError
        If the work was broken off.
    """
    if stop.over():
        raise StoppedError(_reason(stop))
    watch = _Watch(stop, grace)
    try:
        try:
            watch.begin()
            return work()
        finally:
            watch.end()
    except watch.error:
        watch.end()  # which may have been broken off itself
        raise StoppedError(_reason(stop)) from None


def _reason(stop: Stopping) -> str:
    return "interrupted" if stop.interrupted else "the time limit was reached"


class _Watch:
    """A thread that raises an exception in the thread that made it, once it is to stop.

    A signal carries it to the main thread, so that it reaches calls that wait, too; elsewhere
    the interpreter raises it between two instructions.  An exception that gets lost, as one
    that is caught by whatever runs, is raised again.

    Attributes
    ----------
    error
        The exception raised, of this watch alone.
    """

    def __init__(self, stop: Stopping, grace: float) -> None:
        self.error: type[BrokenOff] = type("BrokenOff", (BrokenOff,), {})
        self._stop = stop
        self._grace = grace
        self._thread = threading.get_ident()
        self._signals = threading.current_thread() is threading.main_thread() and hasattr(
            signal, "pthread_kill"
        )
        self._before: signal._HANDLER = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._on_its_way = False  # a signal
        self._raised = False  # in a thread other than the main one

    def begin(self) -> None:
        """Begin to watch."""
        if self._signals:
            self._before = signal.getsignal(signal.SIGALRM)
            signal.signal(signal.SIGALRM, self._receive)
        threading.Thread(target=self._watch, name="kvopt-watch", daemon=True).start()

    def end(self) -> None:
        """Watch no longer; after this nothing is raised."""
        with self._lock:
            self._ended.set()
        if not self._signals:
            self._take()
            return
        for _ in range(MOST_LOOKS):  # it must not meet the handler of others
            if not self._on_its_way:
                break
            signal.sigpending()
        if signal.getsignal(signal.SIGALRM) == self._receive:
            signal.signal(signal.SIGALRM, self._before or signal.SIG_DFL)

    def _take(self) -> None:
        """Take an exception that is still on its way in a thread other than the main one.

        It must arrive.  CPython 3.11 looks for one that was withdrawn for ever, before each
        instruction where a profiler or debugger looks on, and gets no further.
        """
        try:
            for _ in range(MOST_LOOKS if self._raised else 0):
                pass  # the interpreter raises it at the end of a round
        except self.error:
            pass

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            if self._stop.over() and not self._ended.wait(self._grace):
                with self._lock:
                    if not self._ended.is_set():
                        self._raise_there()
                self._ended.wait(AGAIN_SECONDS)

    def _raise_there(self) -> None:
        if not self._signals:
            self._raised = True
            error = ctypes.py_object(self.error)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), error)
        else:  # even if it is on its way: that of a watch within this one takes it along
            self._on_its_way = True
            signal.pthread_kill(self._thread, signal.SIGALRM)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """Take the signal in the main thread; it may be that of a watch around this one."""
        if not self._on_its_way:
            if callable(self._before):
                self._before(number, frame)
            return
        self._on_its_way = False
        if not self._ended.is_set():
            raise self.error
