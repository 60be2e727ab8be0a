"""Every policy: feasible schedules, and blind to what it must not see."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from policy_runs import alpha_texts, as_tuples, run
from strategies import POLICY_SPECS, instances

from kvopt import (
    Decisions,
    Instance,
    Machine,
    Policy,
    Schedule,
    policy_from_spec,
    simulate,
    violations,
)

NON_CLAIRVOYANT = [spec for spec in POLICY_SPECS if not policy_from_spec(spec).clairvoyant]


@pytest.mark.parametrize("spec", POLICY_SPECS)
@given(instance=instances(max_requests=12, max_memory=40))
def test_every_schedule_is_feasible(spec: str, instance: Instance) -> None:
    schedule = run(spec, instance)
    assert violations(schedule) == []
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


@pytest.mark.parametrize("spec", NON_CLAIRVOYANT)
@given(instance=instances(), data=st.data())
def test_decisions_do_not_depend_on_unrevealed_lengths(
    spec: str, instance: Instance, data: st.DataObject
) -> None:
    """Instances that differ only in what is unrevealed at time T get the same decisions up to T."""
    schedule = run(spec, instance)
    time = data.draw(st.integers(0, schedule.makespan))
    longest_run = np.zeros(len(instance), dtype=np.int64)
    ages = np.minimum(schedule.end, time) - schedule.start
    np.maximum.at(longest_run, schedule.request, np.maximum(ages, 0))
    outputs = instance.outputs.copy()
    for i in np.flatnonzero(schedule.completion_times() > time).tolist():
        longest = instance.memory - instance[i].prompt
        outputs[i] = data.draw(st.integers(int(longest_run[i]) + 1, longest))
    assume((outputs != instance.outputs).any())
    other = run(spec, Instance(instance.memory, instance.prompts, outputs))
    assert decisions_until(schedule, time) == decisions_until(other, time)


def decisions_until(schedule: Schedule, time: int) -> set[tuple[str, int, int]]:
    starts = {("start", a.request, a.start) for a in schedule if a.start <= time}
    return starts | {("kill", a.request, a.end) for a in schedule if a.killed and a.end <= time}


@pytest.mark.parametrize("spec", NON_CLAIRVOYANT)
def test_output_lengths_are_out_of_reach(spec: str) -> None:
    """No chain of references leads from what a non-clairvoyant policy holds to the lengths."""
    lengths = [903_907, 907_913, 911_921, 919_937]
    instance = Instance(10**6, [7, 7, 7, 7], lengths)
    policy = policy_from_spec(spec)
    seen = []

    class Spy(Policy):
        name = "spy"
        clairvoyant = False

        def run(self, machine: Machine) -> Decisions:
            inner = policy.run(machine)
            reply = None
            while True:
                try:
                    pause = inner.send(reply)  # type: ignore[arg-type]
                except StopIteration:
                    return
                unfinished = {lengths[i] for i in machine.unfinished().tolist()}
                seen.append(unfinished & numbers_within(machine))
                reply = yield pause

    simulate(instance, Spy())
    assert seen
    assert not any(seen)


def numbers_within(machine: Machine) -> set[int]:
    """Every integer reachable from a machine, classes and modules left out."""
    found: set[int] = set()
    queue: list[object] = [machine]
    visited = set()
    while queue:
        thing = queue.pop()
        if id(thing) in visited or isinstance(thing, type) or type(thing).__name__ == "module":
            continue
        visited.add(id(thing))
        if isinstance(thing, int):
            found.add(thing)
        elif isinstance(thing, np.ndarray):
            found.update(thing.tolist())
            queue.append(thing.base)
        else:
            queue += gc.get_referents(thing)
            queue += list(slots_of(thing))
    return found


def slots_of(thing: object) -> Iterator[object]:
    for name in getattr(type(thing), "__slots__", ()):
        if hasattr(thing, name):
            yield getattr(thing, name)


def test_a_clairvoyant_policy_does_get_the_lengths() -> None:
    """The search for reachable numbers finds them where they are."""
    machine = Machine("x", 1000, clairvoyant=True)
    machine.arrive(np.array([0, 1]), Instance(1000, [7, 7], [903, 907]))
    assert {903, 907} <= numbers_within(machine)
