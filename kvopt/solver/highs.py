"""HiGHS objects that keep quiet."""

from __future__ import annotations

import functools
import os
import threading

import highspy

from kvopt.model.stopping import Stopping

__all__ = ["hear_greeting_out", "quiet_highs", "run_highs"]

_greeting = threading.Lock()


@functools.cache
def hear_greeting_out() -> None:
    """Make the process's first HiGHS object with standard output closed off.

    HiGHS 1.16 greets there from its constructor, before any option can stop it.
    """
    with _greeting:
        try:
            stdout = os.dup(1)
        except OSError:  # there is no standard output
            return
        try:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            highspy.Highs()  # type: ignore[no-untyped-call]
        finally:
            os.dup2(stdout, 1)
            os.close(stdout)


def quiet_highs() -> highspy.Highs:
    """Return a HiGHS object without output, on one thread, with a fixed seed."""
    hear_greeting_out()
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("random_seed", 0)
    return highs


def run_highs(highs: highspy.Highs, stop: Stopping) -> bool:
    """Solve, broken off when `stop` is over; tell whether an optimum was found."""
    highs.setOptionValue("time_limit", highs.getRunTime() + stop.left())
    highs.HandleUserInterrupt = True
    highs.startSolve()
    while not highs.wait(0.05)[0]:
        if stop.over():
            highs.cancelSolve()  # type: ignore[no-untyped-call]
    return bool(highs.getModelStatus() == highspy.HighsModelStatus.kOptimal)
