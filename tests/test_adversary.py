from __future__ import annotations

import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvopt import Budget, InputError, compare, policy_from_spec
from kvopt.adversary import Hunt, Limits, Unit, improvements, search
from kvopt.adversary.moves import MOVES, random_candidate
from kvopt.adversary.search import run_unit
from kvopt.executors import Workers, workers_from_spec
from kvopt.store import Store

HUNT = Hunt("gsa:alpha=2", None, Limits(requests=6, memory=12), seed=3)


@given(st.integers(1, 9), st.integers(1, 15), st.integers(0, 10**6))
def test_candidates_and_their_neighbours_are_valid(n: int, memory: int, seed: int) -> None:
    rng, limits = random.Random(seed), Limits(n, memory)
    candidate = random_candidate(rng, limits)
    assert candidate.valid(limits)
    for move in MOVES:
        changed = move(candidate, rng)
        if changed.outputs and changed.valid(limits):
            assert len(changed.instance()) <= n


def test_same_seed_same_trajectory_whatever_the_executor() -> None:
    here = search(HUNT, Budget(), units=3)
    assert here == search(HUNT, Budget(), units=3)
    with ThreadPoolExecutor(3) as threads:
        assert here == search(HUNT, Budget(), units=3, workers=Workers(threads, 3))
    with workers_from_spec("processes=2") as workers:
        assert here == search(HUNT, Budget(), units=3, workers=workers)
    other = Hunt(HUNT.policy, None, HUNT.limits, seed=4)
    assert search(other, Budget(), units=1) != here[:1]


def test_more_time_only_adds_to_the_history() -> None:
    units = search(HUNT, Budget(), units=3)
    history = improvements(units)
    assert improvements(units[:2]) == [find for find in history if find.unit < 2]
    ratios = [find.ratio for find in history]
    assert ratios == sorted(set(ratios))
    assert improvements(reversed(units)) == history


def test_best_find_is_confirmed_by_the_exact_solver() -> None:
    best = improvements(search(HUNT, Budget(), units=2))[-1]
    comparison = compare(best.candidate.instance(), [policy_from_spec(HUNT.policy)], Budget(60))
    assert comparison.ratios[0].cost == best.cost
    assert comparison.ratios[0].low == comparison.ratios[0].high >= best.ratio > 4


def test_policy_against_policy() -> None:
    hunt = Hunt("fcfs", "mc-sf", Limits(6, 12), seed=1)
    best = improvements(search(hunt, Budget(), units=1))[-1]
    (fcfs, mc_sf) = compare(
        best.candidate.instance(), [policy_from_spec("fcfs"), policy_from_spec("mc-sf")], Budget(60)
    ).ratios
    assert (best.cost, best.reference) == (fcfs.cost, mc_sf.cost)
    assert best.ratio > 1


def test_an_over_budget_cuts_a_unit_short() -> None:
    budget = Budget()
    budget.interrupt()
    assert search(HUNT, budget) == []
    unit = run_unit(HUNT, 0, budget)
    assert (unit.complete, unit.finds) == (False, ())


def test_store_resumes_without_repeating(tmp_path: Path) -> None:
    store = Store(tmp_path / "finds.db", "1.0")
    assert store.units(HUNT) == []
    first = search(HUNT, Budget(), units=2, on_unit=lambda unit: store.add(HUNT, unit))
    assert Store(tmp_path / "finds.db", "1.0").units(HUNT) == first
    ran: list[int] = []
    whole = search(
        HUNT,
        Budget(),
        units=4,
        done=store.units(HUNT),
        on_unit=lambda unit: ran.append(unit.number),
    )
    assert ran == [2, 3]
    assert whole == search(HUNT, Budget(), units=4)
    store.add(HUNT, whole[0])  # again: nothing changes
    assert store.units(HUNT) == first


def test_store_keeps_searches_apart(tmp_path: Path) -> None:
    store = Store(tmp_path / "finds.db", "1.0")
    unit = Unit(0, 5, (), complete=True)
    store.add(HUNT, unit)
    for other in (
        Hunt("gsa", None, HUNT.limits, 3),
        Hunt(HUNT.policy, "fcfs", HUNT.limits, 3),
        Hunt(HUNT.policy, None, Limits(7, 12), 3),
        Hunt(HUNT.policy, None, HUNT.limits, 4),
    ):
        assert store.units(other) == []
    assert Store(tmp_path / "finds.db", "2.0").units(HUNT) == []
    assert store.units(HUNT) == [unit]


def test_two_processes_may_share_a_store(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "finds.db", "1.0") for _ in range(2)]
    with ThreadPoolExecutor(8) as threads:
        futures = [
            threads.submit(stores[k % 2].add, HUNT, Unit(k // 2, 1, (), complete=True))
            for k in range(60)
        ]
        for future in futures:
            future.result()
    assert [unit.number for unit in stores[0].units(HUNT)] == list(range(30))


def test_store_refuses_what_is_none_and_leaves_it_untouched(tmp_path: Path) -> None:
    file = tmp_path / "finds.db"
    Store(file, "1.0").add(HUNT, Unit(0, 5, (), complete=True))
    good = file.read_bytes()
    for bad in (b"garbage" * 1000, good[:1500], good[:100] + b"\xff" * (len(good) - 100)):
        file.write_bytes(bad)
        with pytest.raises(InputError, match="finds.db: "):
            Store(file, "1.0").units(HUNT)
        assert file.read_bytes() == bad
    file.write_bytes(good)
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    newer = file.read_bytes()
    with pytest.raises(InputError, match="version: must be at most 1, got 99"):
        Store(file, "1.0")
    assert file.read_bytes() == newer
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE unit (x)")
    db.close()
    with pytest.raises(InputError, match="is a database, but not a store of kvopt"):
        Store(other, "1.0")
    with pytest.raises(InputError, match="no such folder"):
        Store(tmp_path / "missing" / "finds.db", "1.0")
    with pytest.raises(InputError, match="cannot be used"):
        Store(tmp_path, "1.0")


def test_store_reports_unreadable_units(tmp_path: Path) -> None:
    file = tmp_path / "finds.db"
    store = Store(file, "1.0")
    store.add(HUNT, Unit(0, 5, (), complete=True))
    with sqlite3.connect(file) as db:
        db.execute("UPDATE unit SET finds = '[[1'")
    db.close()
    with pytest.raises(InputError, match="is damaged: a unit cannot be read"):
        store.units(HUNT)


@pytest.mark.parametrize(
    "spec", ["", "threads", "processes", "processes=0", "processes=x", "dask=x"]
)
def test_refuses_unknown_executors(spec: str) -> None:
    with pytest.raises(InputError, match="executor: "), workers_from_spec(spec):
        pass
