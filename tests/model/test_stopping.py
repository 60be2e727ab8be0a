from __future__ import annotations

import math
import threading
import time

import pytest

from kvopt import Budget, InputError, Stopping


def test_the_old_name_is_the_same() -> None:
    assert Budget is Stopping


@pytest.mark.parametrize("seconds", [-1, -0.001, math.nan, -math.inf])
def test_limits_that_are_none_are_refused(seconds: float) -> None:
    with pytest.raises(InputError, match="seconds: must be a number >= 0"):
        Stopping(seconds)
    with pytest.raises(InputError, match="node_limit: must be a number >= 0"):
        Stopping(node_limit=seconds)


def test_what_is_no_number_is_a_type_error() -> None:
    for wrong in (Stopping(), "5", None, True, False):
        with pytest.raises(TypeError, match="seconds: must be a number, got"):
            Stopping(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="node_limit: must be a number, got"):
            Stopping(node_limit=wrong)  # type: ignore[arg-type]


def test_parts_end_with_the_whole() -> None:
    whole = Stopping(100)
    part = whole.part(1000).part(50)
    assert 49 < part.left() <= 50
    part.count(3)
    assert (whole.nodes, part.nodes) == (3, 3)
    whole.interrupt()
    assert part.over()
    assert part.interrupted
    assert part.left() == 0


def test_nodes_end_all_parts() -> None:
    whole = Stopping(node_limit=5)
    one, other = whole.part(math.inf), whole.part(math.inf)
    one.count(5)
    assert whole.over()
    assert other.over()
    assert not other.interrupted


def test_uncharged_time_moves_every_end() -> None:
    whole = Stopping(1)
    part = whole.part(0.2)
    beside = whole.part(0.2)
    with part.uncharged():
        time.sleep(0.3)
    assert not part.over()
    assert beside.over()
    assert whole.left() > 0.9
    assert whole.uncharged_seconds == part.uncharged_seconds > 0.29


def test_ctrl_c_breaks_uncharged_time_off() -> None:
    stop = Stopping()
    with pytest.raises(KeyboardInterrupt), stop.part(9).uncharged():
        stop.interrupt()
    assert stop.over()
    stop.interrupt()  # outside it is just noted


def test_another_thread_breaks_nothing_off() -> None:
    stop = Stopping()
    with stop.uncharged():
        thread = threading.Thread(target=stop.interrupt)
        thread.start()
        thread.join()
    assert stop.interrupted
