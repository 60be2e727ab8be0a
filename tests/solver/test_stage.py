"""The incumbent: what stages offer and prove is recomputed, kept and reported."""

from __future__ import annotations

import pytest

from kvopt import Instance, SolverError, Status, Stopping
from kvopt.solver.params import SolverParams
from kvopt.solver.result import Bound, Result
from kvopt.solver.stage import Incumbent, run_alone

INSTANCE = Instance(10, [2, 2], [3, 5])
PROOF = {"rule": "busy-time", "weights": "memory"}


def incumbent(**kwargs: object) -> Incumbent:
    return Incumbent(INSTANCE, SolverParams(), **kwargs)  # type: ignore[arg-type]


def test_it_begins_with_the_requests_one_after_another() -> None:
    state = incumbent()
    assert (state.starts.tolist(), state.objective, state.makespan) == ([0, 3], 11, 8)
    assert (state.bound.value, state.certified.value, state.closed) == (0, 0, False)


def test_schedules_are_recomputed() -> None:
    state = incumbent()
    with pytest.raises(SolverError, match="exceeds memory in round 4"):
        state.offer([1, 0])
    assert state.offer([0, 0])
    assert (state.objective, state.starts.flags.writeable) == (8, False)
    assert not state.offer([0, 3])
    assert not state.offer([1, 0])  # no cheaper, so it does not matter that it is not feasible
    assert state.objective == 8
    for wrong in ([0], [0, -1], [0, 0, 0]):
        with pytest.raises(SolverError, match="are not 2 times >= 0"):
            state.offer(wrong)


def test_contradictions_are_refused() -> None:
    state = incumbent()
    state.prove(Bound(9, "a"))
    with pytest.raises(SolverError, match=r"costs 8, less than the lower bound 9 \(a\)"):
        state.offer([0, 0])
    with pytest.raises(SolverError, match=r"costs 11, less than the lower bound 12 \(b\)"):
        state.prove(Bound(12, "b"))


def test_the_highest_bound_counts_and_a_proof_beats_a_word() -> None:
    state = incumbent()
    assert state.prove(Bound(5, "word"))
    assert not state.prove(Bound(4, "lower word"))
    assert state.prove(Bound(4, "busy-time", PROOF))
    assert (state.bound.rule, state.certified.value) == ("word", 4)
    assert state.prove(Bound(5, "busy-time", PROOF))
    assert (state.bound.rule, state.certified.value) == ("busy-time", 5)
    assert not state.prove(Bound(5, "word"))
    assert (state.proved("word"), state.proved("lower word"), state.proved("none")) == (5, 4, 0)


def test_closed_means_proved_where_a_certificate_is_wanted() -> None:
    for certify in (False, True):
        state = incumbent(certify=certify)
        state.offer([0, 0])
        state.prove(Bound(8, "word"))
        assert state.closed is not certify
        state.prove(Bound(8, "busy-time", PROOF))
        assert state.closed


def test_every_narrower_bracket_is_reported() -> None:
    seen: list[tuple[int, int]] = []
    state = incumbent(report=lambda r: seen.append((r.lower_bound, r.objective)))
    state.prove(Bound(3, "a"))
    state.prove(Bound(2, "b"))
    state.offer([0, 0])
    state.offer([0, 1])
    assert seen == [(3, 11), (3, 8)]


class Guess:
    """A stage that a stranger might write."""

    name = "guess"

    def applies(self, state: Incumbent) -> bool:
        return True

    def run(self, state: Incumbent, stop: Stopping) -> None:
        state.offer([0, 0])
        state.prove(Bound(state.instance.total_output, "busy-time", PROOF))


def test_a_stage_alone() -> None:
    result = run_alone(Guess(), INSTANCE, [0, 3], Stopping())
    assert isinstance(result, Result)
    assert (result.status, result.objective, result.rule) == (Status.OPTIMAL, 8, "busy-time")
    (record,) = result.stages
    assert (record.name, record.objective, record.lower_bound) == ("guess", 8, 8)
    assert "guess" in str(result)
    assert "optimal: 8" in str(result)
    assert repr(result) == "Result('', optimal, objective=8, lower_bound=8, rule='busy-time')"


class Broken:
    """A stage that is broken off by Ctrl-C while it compiles."""

    name = "broken"

    def applies(self, state: Incumbent) -> bool:
        return True

    def run(self, state: Incumbent, stop: Stopping) -> None:
        with stop.uncharged():
            stop.interrupt()


def test_ctrl_c_breaks_off_what_does_not_look() -> None:
    stop = Stopping()
    result = run_alone(Broken(), INSTANCE, [0, 0], stop)
    assert stop.interrupted
    assert result.objective == 8
