"""Work that does not ask whether to stop is broken off."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import textwrap
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


IN_A_THREAD = """
    import sys, threading
    from kvopt import StoppedError, Stopping
    from kvopt.model.breaking_off import run_within

    def busy():
        while True:
            sum(range(100))

    def run():
        print(run_within(Stopping(60), lambda: 7))
        try:
            run_within(Stopping(0.05), busy)
        except StoppedError as error:
            print(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    seen = []
    sys.setprofile(lambda *event: seen.append(event[1]))
    (lambda: None)()
    sys.setprofile(None)
    print(seen.count("call"))
"""


def test_a_profiler_goes_on_after_a_watch_in_another_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(IN_A_THREAD)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split("\n") == ["7", "the time limit was reached", "1", ""]


def test_work_that_ends_with_its_time_in_another_thread_has_a_result_or_is_broken_off() -> None:
    found: list[object] = []

    def run() -> None:
        for i in range(60):
            end = time.perf_counter() + 0.018 + i % 10 * 0.001

            def work(end: float = end) -> str:
                while time.perf_counter() < end:
                    pass
                return "done"

            try:
                found.append(run_within(Stopping(0.01), work))
            except StoppedError:
                found.append("stopped")
        found.append("all")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(30)
    assert found[-1] == "all"
    assert len(found) == 61
    assert {"done", "stopped"} <= set(found)
