"""Work that does not ask whether to stop is broken off."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from kvopt.model.breaking_off import run_within
from kvopt.model.errors import StoppedError
from kvopt.model.stopping import Stopping


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(60)


def swallow() -> None:
    for _ in range(2):
        with contextlib.suppress(BaseException):
            spin()


@pytest.mark.parametrize("work", [spin, sleep, swallow])
def test_work_in_the_main_thread_is_broken_off_wherever_it_is(work: Callable[[], None]) -> None:
    began = time.perf_counter()
    before = signal.getsignal(signal.SIGALRM)
    if work is swallow:
        run_within(Stopping(0.1), work)  # it has an end, after two exceptions
    else:
        with pytest.raises(StoppedError, match="^the time limit was reached$"):
            run_within(Stopping(0.1), work)
    assert time.perf_counter() - began < 5
    assert signal.getsignal(signal.SIGALRM) == before


def test_work_in_another_thread_is_broken_off() -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            run_within(Stopping(0.1), spin)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert [str(error) for error in errors] == ["the time limit was reached"]


def test_an_interruption_breaks_it_off() -> None:
    stop = Stopping()
    threading.Timer(0.1, stop.interrupt).start()
    with pytest.raises(StoppedError, match="^interrupted$"):
        run_within(stop, spin)


def test_inner_and_outer_limits_each_end_their_own_work() -> None:
    def outer() -> str:
        with pytest.raises(StoppedError):
            run_within(Stopping(0.1), spin)
        spin()
        return "never"

    with pytest.raises(StoppedError):
        run_within(Stopping(0.4), outer)
    with pytest.raises(StoppedError):  # the outer one ends what runs within the inner one
        run_within(Stopping(0.1), lambda: run_within(Stopping(30), spin))


def test_work_that_ends_in_time_is_left_alone() -> None:
    assert run_within(Stopping(60), lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        run_within(Stopping(60), lambda: 1 // 0)
    with pytest.raises(StoppedError):
        run_within(Stopping(0), lambda: 7)


def test_short_limits_end_nothing_else() -> None:
    """However close the end of the work is to that of the limit, nothing is raised after it."""
    for i in range(60):
        with contextlib.suppress(StoppedError):
            run_within(Stopping(0.021), lambda i=i: time.sleep(0.02 + i * 4e-5))  # type: ignore[misc]
        time.sleep(0)


NESTED = """
import threading
from kvopt.model.breaking_off import run_within
from kvopt.model.errors import StoppedError
from kvopt.model.stopping import Stopping

def spin():
    while True:
        pass

def work(stop):
    try:
        run_within(stop, spin)
    except StoppedError:
        spin()

for _ in range(20):
    stop = Stopping()
    threading.Timer(0.05, stop.interrupt).start()
    try:
        run_within(stop, lambda: work(stop))
    except StoppedError as error:
        assert str(error) == "interrupted"
    else:
        raise AssertionError
"""


def test_both_of_two_watches_break_off() -> None:
    """Both send a signal at about the same time, and the system makes one of two that wait."""
    subprocess.run([sys.executable, "-c", NESTED], check=True, timeout=100)
