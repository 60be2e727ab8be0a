"""Limits of commands, and their end in good order by SIGINT (Ctrl-C) or SIGTERM.

The first signal asks the command to stop: it writes what it has so far and ends with the exit
code of the signal.  A second one ends it at once.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from kvopt.model.stopping import Stopping

__all__ = [
    "BAD_INPUT",
    "DONE",
    "FAILED",
    "INTERRUPTED",
    "TERMINATED",
    "Ended",
    "Limit",
    "ending",
    "exit_code",
    "interruptible",
]

DONE, FAILED, BAD_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
"""Exit codes; the last two are 128 and the number of the signal."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

AGAIN_SECONDS = 0.02
"""After this time a signal is sent again whose exception was lost."""

ORDER = (DONE, FAILED, BAD_INPUT, INTERRUPTED, TERMINATED)
"""Of several exit codes the one that stands last here is given."""


def exit_code(*codes: int) -> int:
    """Return the exit code to give where several apply: 143, 130, 2, 1, 0 in this order.

    Examples
    --------
    >>> exit_code(FAILED, INTERRUPTED, BAD_INPUT)
    130
    """
    return max(codes, key=ORDER.index)


class Ended(KeyboardInterrupt):
    """A signal ends the command at once.

    Parameters
    ----------
    code
        The exit code.
    """

    def __init__(self, code: int) -> None:
        super().__init__("terminated" if code == TERMINATED else "interrupted")
        self.code = code


class Limit(Stopping):
    """The limit of a whole command, which signals end.

    Parameters
    ----------
    seconds
        Wall-clock time it lasts (seconds), None for no end.
    node_limit
        Number of nodes after which searches stop.
    at_once
        Whether the first signal raises `Ended`, for work that does not ask whether to stop.

    Attributes
    ----------
    code
        The exit code that the signals received so far ask for; 0 without any.
    """

    def __init__(self, seconds: float, node_limit: float, at_once: bool) -> None:
        super().__init__(seconds, node_limit=node_limit)
        self.code = DONE
        self.at_once = at_once

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Take a signal: the first asks to stop, a second ends the command at once.

        Raises
        ------
        Ended
            If it is not the first, or the work is to end at once.
        """
        first = self.code == DONE
        self.code = exit_code(self.code, 128 + number)
        try:
            self.interrupt()
        except KeyboardInterrupt:  # within work that does not look whether it is to stop
            raise Ended(self.code) from None
        if self.at_once or not first:
            raise Ended(self.code)

    def rest(self, seconds: float, interrupted_seconds: float = 0.0) -> Stopping:
        """Return the limit of what is still to be done after the main work.

        Parameters
        ----------
        seconds
            How long it may take (seconds); no longer than this limit.
        interrupted_seconds
            How long it may take after the first signal (seconds).
        """
        return Stopping(interrupted_seconds) if self.interrupted else self.part(seconds)

    @property
    def what(self) -> str:
        """What happened, as one word."""
        return "terminated" if self.code == TERMINATED else "interrupted"

    @property
    def end(self) -> tuple[str, int]:
        """What ended work that was broken off, in words, and the exit code for that."""
        if self.interrupted:
            return self.what, self.code
        return "the time limit was reached", FAILED


@contextmanager
def interruptible(
    seconds: float | None = None, node_limit: float = math.inf, *, at_once: bool = False
) -> Iterator[Limit]:
    """Provide a limit that SIGINT and SIGTERM end in good order; a second signal kills.

    Limits of single instances are its parts: `limit.part(seconds)`.

    Parameters
    ----------
    seconds
        Wall-clock time it lasts (seconds).
    node_limit
        Number of nodes after which searches stop.
    at_once
        Whether the first signal raises `Ended`, for work that does not ask whether to stop.
    """
    limit = Limit(math.inf if seconds is None else seconds, node_limit, at_once)
    with _handled(limit.receive):
        yield limit


@contextmanager
def ending() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise `Ended` wherever no limit takes them."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise Ended(128 + number)

    with _handled(end), _sent_again():
        yield


@contextmanager
def _sent_again() -> Iterator[None]:
    """Send a signal again that came within a finaliser or a callback from C.

    What is raised there cannot go further: Python shows it as ignored, and the command goes on.
    """
    senders: list[threading.Timer] = []
    here = threading.get_ident()

    def unraisable(lost: Any) -> None:
        if not isinstance(lost.exc_value, Ended):
            before(lost)
            return
        number = lost.exc_value.code - 128
        senders.append(threading.Timer(AGAIN_SECONDS, signal.pthread_kill, (here, number)))
        senders[-1].daemon = True
        senders[-1].start()

    before, sys.unraisablehook = sys.unraisablehook, unraisable
    try:
        yield
    finally:
        sys.unraisablehook = before
        for sender in senders:
            sender.cancel()


@contextmanager
def _handled(handler: signal._HANDLER) -> Iterator[None]:
    """Handle the signals for the time of a with block; only the main thread may do so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
