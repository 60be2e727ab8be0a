"""Every policy: feasible schedules, and blind to what it must not see."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_runs import alpha_texts, as_tuples, run
from strategies import POLICY_SPECS, instances

from kvopt import (
    Decisions,
    Instance,
    Machine,
    Policy,
    PolicyError,
    Schedule,
    Wait,
    policy_from_spec,
    simulate,
    violations,
)
from kvopt.simulation.simulate import World

NON_CLAIRVOYANT = [spec for spec in POLICY_SPECS if not policy_from_spec(spec).clairvoyant]


@pytest.mark.parametrize("spec", POLICY_SPECS)
@given(instance=instances(max_requests=12, max_memory=40, latest_release=60))
def test_every_schedule_is_feasible(spec: str, instance: Instance) -> None:
    schedule = run(spec, instance)
    assert violations(schedule) == []
    if schedule.keeps_tokens:
        return
    assert violations(schedule.without_kills()) == []
    assert schedule.without_kills().total_completion_time() == schedule.total_completion_time()


@pytest.mark.parametrize("policy", ["gsa", "gba"])
@given(instance=instances(max_requests=20, mixed=False), alpha=alpha_texts)
def test_tighter_spacing_and_no_drain_are_never_later(
    policy: str, instance: Instance, alpha: str
) -> None:
    runs = [
        run(f"{policy}:alpha={alpha}:spacing={rule}", instance).completion_times()
        for rule in ("sps", "sps2", "tight")
    ]
    assert (runs[1] <= runs[0]).all()
    assert (runs[2] <= runs[1]).all()
    undrained = run(f"{policy}:alpha={alpha}:drain=no", instance).completion_times()
    assert (undrained <= runs[0]).all()


@given(instances(), st.integers(0, 100))
def test_random_choices_are_seeded(instance: Instance, seed: int) -> None:
    for spec in ("gsa:offset=random:order=random", "alpha-protection:clearing=1/2"):
        once, again = (as_tuples(run(f"{spec}:seed={seed}", instance)) for _ in range(2))
        assert once == again


def test_seeds_matter() -> None:
    instance = Instance(30, [1] * 12, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    for spec in ("gsa:offset=random", "gsa:order=random", "alpha-protection:clearing=1/2"):
        assert (
            len({tuple(as_tuples(run(f"{spec}:seed={seed}", instance))) for seed in range(9)}) > 1
        )


@pytest.mark.parametrize("spec", POLICY_SPECS)
@settings(max_examples=60)
@given(instance=instances(max_memory=20, latest_release=20), data=st.data())
def test_decisions_do_not_depend_on_what_is_unknown(
    spec: str, instance: Instance, data: st.DataObject
) -> None:
    """Instances that differ only in what is unknown at time T get the same decisions up to T.

    Unknown is how many requests are to come, which, when, and, without clairvoyance, the
    output of what has not completed.
    """
    schedule = run(spec, instance)
    time = data.draw(st.integers(0, schedule.makespan))
    known = np.flatnonzero(instance.releases <= time).tolist()
    twin = [[instance[i].prompt, instance[i].output, instance[i].release, i] for i in known]
    if not policy_from_spec(spec).clairvoyant:
        longest_run = np.zeros(len(instance), dtype=np.int64)
        ages = np.minimum(schedule.end, time) - schedule.start
        collect = np.add if schedule.keeps_tokens else np.maximum
        collect.at(longest_run, schedule.request, np.maximum(ages, 0))
        for row in twin:
            if schedule.completion_times()[row[3]] > time:
                least = int(longest_run[row[3]]) + 1
                row[1] = data.draw(st.integers(least, instance.memory - row[0]))
    for _ in range(data.draw(st.integers(0 if twin else 1, 4))):
        prompt = data.draw(st.integers(0, instance.memory - 1))
        output = data.draw(st.integers(1, instance.memory - prompt))
        release = time + data.draw(st.integers(1, 20))
        twin.insert(data.draw(st.integers(0, len(twin))), [prompt, output, release, -1])
    prompts, outputs, releases, names = zip(*twin, strict=True)
    other = run(spec, Instance(instance.memory, prompts, outputs, releases=releases))
    assert decisions_until(schedule, time) == decisions_until(other, time, names)


def decisions_until(
    schedule: Schedule, time: int, names: Sequence[int] | None = None
) -> set[tuple[str, int, int]]:
    names = range(len(schedule.instance)) if names is None else names
    starts = {("start", names[a.request], a.start) for a in schedule if a.start <= time}
    kills = {("kill", names[a.request], a.end) for a in schedule if a.killed and a.end <= time}
    return starts | kills


OUT_OF_ORDER = Instance(
    12,
    [2, 1, 3, 1, 2, 1, 2, 4, 1, 2],
    [4, 1, 3, 5, 2, 7, 1, 2, 6, 3],
    releases=[9, 0, 30, 2, 31, 0, 4, 30, 0, 5],
)
"""Requests that are not in order of release."""


def with_other_future(how: str, time: int) -> tuple[Instance, list[int]]:
    """Change only what `OUT_OF_ORDER` releases after a time; return the numbers it had before."""
    releases = OUT_OF_ORDER.releases.tolist()
    rows = [[OUT_OF_ORDER[i].prompt, OUT_OF_ORDER[i].output, releases[i], i] for i in range(10)]
    later = [row for row in rows if row[2] > time]
    if how == "permuted":
        rest = iter(later[::-1])
        rows = [row if row[2] <= time else next(rest) for row in rows]
    else:
        rows = [row for row in rows if row[2] <= time]
    if how == "put first":
        rows = later[::-1] + rows
    elif how == "more between":
        rows = [one for row in rows for one in ([1, 11, time + 1, -1], row)]
    prompts, outputs, after, names = zip(*rows, strict=True)
    return Instance(OUT_OF_ORDER.memory, prompts, outputs, releases=after), list(names)


FUTURES = ("removed", "permuted", "put first", "more between")


@pytest.mark.parametrize("how", FUTURES)
@pytest.mark.parametrize("spec", POLICY_SPECS)
def test_numbers_missing_below_released_ones_change_no_decision(spec: str, how: str) -> None:
    schedule = run(spec, OUT_OF_ORDER)
    for time in (0, 2, 4, 9, 29, 30):
        other, names = with_other_future(how, time)
        twin = decisions_until(run(spec, other), time, names)
        assert decisions_until(schedule, time) == twin


class WaitsForGaps(Policy):
    """Starts nothing as long as it knows that an earlier number is still to come."""

    name = "waits-for-gaps"
    clairvoyant = False

    def run(self, machine: Machine) -> Decisions:
        known: set[int] = set()
        while True:
            known |= set(machine.arrivals().tolist())
            if known == set(range(len(known))):
                for request in machine.waiting().tolist():
                    machine.start(request)
                    yield Wait(releases=False)
            yield Wait(machine.now + 1)


def test_what_a_missing_number_reveals_is_what_the_docstring_says() -> None:
    """A policy could use it, in instances that are not in order of release, and is caught."""
    order = np.argsort(OUT_OF_ORDER.releases, kind="stable")
    columns = (OUT_OF_ORDER.prompts, OUT_OF_ORDER.outputs, OUT_OF_ORDER.releases)
    prompts, outputs, releases = (column[order] for column in columns)
    in_order = Instance(OUT_OF_ORDER.memory, prompts, outputs, releases=releases)
    assert simulate(in_order, WaitsForGaps()).start.min() == 0
    schedule = simulate(OUT_OF_ORDER, WaitsForGaps())
    other, names = with_other_future("removed", 4)
    assert schedule.start.min() == 31
    twin = decisions_until(simulate(other, WaitsForGaps()), 4, names)
    assert decisions_until(schedule, 4) != twin


class Spied(Policy):
    """A policy, with a look at what it holds before each of its pauses."""

    name = "spied"
    clairvoyant = False

    def __init__(self, policy: Policy, look: Callable[[Machine, list[object]], None]) -> None:
        self.policy, self.look = policy, look
        self.clairvoyant = policy.clairvoyant

    def run(self, machine: Machine) -> Decisions:
        inner = self.policy.run(machine)
        reply = None
        while True:
            try:
                pause = inner.send(reply)  # type: ignore[arg-type]
            except StopIteration:
                return
            self.look(machine, [machine, inner, pause])
            reply = yield pause


@pytest.mark.parametrize("spec", NON_CLAIRVOYANT)
def test_output_lengths_are_out_of_reach(spec: str) -> None:
    """No chain of references leads from what a non-clairvoyant policy holds to the lengths."""
    lengths = [903_907, 907_913, 911_921, 919_937]
    instance = Instance(10**6, [7, 7, 7, 7], lengths)
    seen = []

    def look(machine: Machine, held: list[object]) -> None:
        unfinished = {lengths[i] for i in machine.unfinished().tolist()}
        seen.append(unfinished & numbers_within(held))

    simulate(instance, Spied(policy_from_spec(spec), look))
    assert seen
    assert not any(seen)


@pytest.mark.parametrize("spec", POLICY_SPECS)
def test_what_is_to_come_is_out_of_reach(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one lead to prompts, outputs, releases or numbers of what is not released.

    Policies that could leave their starts to the simulator do not, so that they are looked at.
    """
    monkeypatch.setattr(World, "takes_orders", False)
    prompts = [7, 100_003, 7, 100_019, *[100_043] * 1009]
    outputs = [903_907, 800_011, 402_131, 800_029, *[73_009] * 1009]
    releases = [0, 700_001, 0, 5_000_011, *[30_000_001] * 1009]
    instance = Instance(10**6, prompts, outputs, releases=releases)
    seen = []

    class EnoughSeenError(Exception):
        pass

    def look(machine: Machine, held: list[object]) -> None:
        if machine.now >= 30_000_001:
            raise EnoughSeenError
        numbers = numbers_within(held)
        hidden = {1009, 1010, 1011, 1013}
        for row in zip(prompts, outputs, releases, strict=True):
            hidden |= set(row) if row[2] > machine.now else set()
        seen.append((machine.now, hidden & numbers))

    with pytest.raises(PolicyError, match="EnoughSeenError"):
        simulate(instance, Spied(policy_from_spec(spec), look))
    assert max(now for now, _ in seen) >= 700_001
    assert [found for _, found in seen if found] == []


def numbers_within(held: Sequence[object]) -> set[int]:
    """Every integer reachable from some objects; classes, modules, globals left out."""
    found: set[int] = set()
    queue = list(held)
    visited = set()
    while queue:
        thing = queue.pop()
        if id(thing) in visited or isinstance(thing, type) or type(thing).__name__ == "module":
            continue
        visited.add(id(thing))
        if isinstance(thing, int):
            found.add(thing)
        elif isinstance(thing, np.ndarray):
            found.update(thing.ravel().tolist())
            queue.append(thing.base)
        elif isinstance(thing, FunctionType):
            queue += [thing.__closure__, thing.__defaults__]
        else:
            queue += gc.get_referents(thing)
            queue += list(slots_of(thing))
    return found


def slots_of(thing: object) -> Iterator[object]:
    for name in getattr(type(thing), "__slots__", ()):
        if hasattr(thing, name):
            yield getattr(thing, name)


def test_the_search_for_numbers_looks_into_paused_policies() -> None:
    def run(hidden: int) -> Iterator[None]:
        inner = [hidden + 1]
        yield
        inner.append(0)

    generator = run(903)
    next(generator)
    assert {903, 904} <= numbers_within([generator])
    assert 905 in numbers_within([lambda: generator, (lambda x: lambda: x)(905)])


def test_a_clairvoyant_policy_does_get_the_lengths() -> None:
    """The search for reachable numbers finds them where they are."""
    machine = Machine("x", 1000, clairvoyant=True)
    machine.arrive(np.arange(2), np.array([7, 7]), np.zeros(2, np.int64), np.array([903, 907]))
    assert {903, 907} <= numbers_within([machine])
