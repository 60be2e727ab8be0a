"""What holds for every search for cheaper schedules."""

from __future__ import annotations

from kvopt import Instance, Schedule, violations
from kvopt.solver.primal.schedule_search import ScheduleSearch

__all__ = ["check_never_worse", "check_same_steps"]


def check_never_worse(search: ScheduleSearch, instance: Instance, pieces: int) -> None:
    """Its schedules are feasible, and cheaper whenever it says so, else of the same cost."""
    cost = int(search.best_starts().sum())
    for _ in range(pieces):
        better = search.chain()
        now = int(search.best_starts().sum())
        assert now < cost if better else now == cost
        assert not violations(Schedule.from_starts(instance, search.best_starts()))
        cost = now


def check_same_steps(plain: ScheduleSearch, compiled: ScheduleSearch, pieces: int) -> None:
    """Two searches, one of them compiled, do the same."""
    for _ in range(pieces):
        assert plain.chain() == compiled.chain()
        assert plain.evaluations == compiled.evaluations
        assert (plain.best_starts() == compiled.best_starts()).all()
    assert plain.work == compiled.work
