"""Every policy: feasible schedules, equal to the textbook's, blind to what it must not see."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import textbook
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import POLICY_SPECS, instances, policy_specs

from kvopt import (
    POLICIES,
    Decisions,
    InputError,
    Instance,
    Machine,
    Policy,
    Schedule,
    policy_from_spec,
    simulate,
    violations,
)
from kvopt.policies import spec_of
from kvopt.policies.policy import parameter_text, parameters

NON_CLAIRVOYANT = [spec for spec in POLICY_SPECS if not policy_from_spec(spec).clairvoyant]


def run(spec: str, instance: Instance) -> Schedule:
    return simulate(instance, policy_from_spec(spec))


@pytest.mark.parametrize("spec", POLICY_SPECS)
@given(instance=instances(max_requests=12, max_memory=40))
def test_every_schedule_is_feasible(spec: str, instance: Instance) -> None:
    schedule = run(spec, instance)
    assert violations(schedule) == []
    assert violations(schedule.without_kills()) == []
    assert schedule.without_kills().total_completion_time() == schedule.total_completion_time()


def rows(instance: Instance) -> list[tuple[int, int]]:
    return [(r.prompt, r.output) for r in instance]


def as_tuples(schedule: Schedule) -> list[tuple[int, int, int, bool]]:
    return [(a.request, a.start, a.end, a.killed) for a in schedule]


ALPHA_TEXTS = ["2", "4/3", "3/2", "1.69", "phi", "(7+sqrt(13))/6"]
alpha_texts = st.sampled_from(ALPHA_TEXTS)


def textbook_alpha(text: str) -> Fraction | str:
    return text if text in ("phi", "(7+sqrt(13))/6") else Fraction(text)


@settings(max_examples=200)
@given(instances(), alpha_texts, st.integers(1, 3))
def test_gsa_is_the_textbook_algorithm(instance: Instance, alpha: str, beta: int) -> None:
    expected = textbook.gsa(instance.memory, rows(instance), textbook_alpha(alpha), Fraction(beta))
    assert as_tuples(run(f"gsa:alpha={alpha}:beta={beta}", instance)) == expected


@settings(max_examples=200)
@given(instances(), alpha_texts)
def test_gba_is_the_textbook_algorithm(instance: Instance, alpha: str) -> None:
    expected = textbook.gba(instance.memory, rows(instance), textbook_alpha(alpha))
    assert as_tuples(run(f"gba:alpha={alpha}", instance)) == expected


@settings(max_examples=300)
@given(instances())
def test_mc_sf_is_the_textbook_algorithm_that_tests_every_round(instance: Instance) -> None:
    """So testing completions only, as the package does, is enough."""
    assert as_tuples(run("mc-sf", instance)) == textbook.mc_sf(instance.memory, rows(instance))


@settings(max_examples=300)
@given(instances())
def test_fcfs_is_the_textbook_algorithm(instance: Instance) -> None:
    assert as_tuples(run("fcfs", instance)) == textbook.fcfs(instance.memory, rows(instance))


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
    lengths = [903, 907, 911, 919]
    instance = Instance(1000, [7, 7, 7, 7], lengths)
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
    machine = Machine("x", 1000, np.array([7, 7]), np.array([903, 907]))
    assert {903, 907} <= numbers_within(machine)


def test_fcfs_starves_short_requests_on_the_two_point_instance() -> None:
    """Six requests that fill the memory run one by one while 194 one-token requests wait."""
    instance = Instance.from_groups(256, [(96, 160, 6), (96, 1, 194)])
    fcfs, gsa = run("fcfs", instance), run("gsa", instance)
    assert fcfs.total_completion_time() >= 5 * gsa.total_completion_time()
    assert (fcfs.completion_times()[6:] > 160).all()


def test_gsa_reveals_nothing_early() -> None:
    # Slices of GSA(2): 1, 2, 4, ..., so a request of 5 takes four attempts.
    instance = Instance(100, [0], [5])
    assert as_tuples(run("gsa:alpha=2", instance)) == [
        (0, 0, 1, True),
        (0, 1, 3, True),
        (0, 3, 7, True),
        (0, 7, 12, False),
    ]


@given(policy_specs)
def test_specs_round_trip(spec: str) -> None:
    policy = policy_from_spec(spec)
    assert policy_from_spec(spec_of(policy)) == policy


def test_policies_say_what_they_are() -> None:
    for policy in POLICIES:
        assert policy.__doc__
        assert "Guarantee:" in policy.__doc__
        assert policy_from_spec(policy.name) == policy()
        for field in parameters(policy).values():
            assert field.metadata["parse"](parameter_text(field.default), "x") == field.default


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "policy: must be one of gba, gsa, mc-sf, fcfs or module:Class, got ''"),
        ("nope", "policy: must be one of .* got 'nope'"),
        ("gsa:", "policy gsa: must have key=value after ':', got ''"),
        ("gsa:alpha", "policy gsa: must have key=value after ':', got 'alpha'"),
        ("gsa:gamma=2", "policy gsa: 'gamma': unknown parameter, known: alpha, beta"),
        ("gsa:alpha=2:alpha=3", "policy gsa: alpha: given twice, got '3'"),
        ("gsa:alpha=1", "policy gsa: alpha: must be greater than 1, got 1"),
        ("gsa:alpha=1/2", "policy gsa: alpha: must be greater than 1, got 1/2"),
        ("gsa:alpha=1.0001", "policy gsa: alpha: must be at least 1.001 to be run, got 1.0001"),
        ("gsa:alpha=nan", "policy gsa: alpha: must be a number like .* got 'nan'"),
        ("gsa:beta=0.5", "policy gsa: beta: must be at least 1, got 0.5"),
        ("gba:beta=2", "policy gba: 'beta': unknown parameter, known: alpha"),
        ("no_such_module:Class", "policy no_such_module:Class: cannot be imported: No module"),
        ("textbook:Nothing", "policy textbook:Nothing: module has no such class"),
        ("textbook:gsa", "policy textbook:gsa: must be a class with name, clairvoyant, run"),
    ],
)
def test_refuses_bad_specs(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        policy_from_spec(spec)


class OneByOne(Policy):
    name = "one-by-one"
    clairvoyant = True

    def run(self, machine: Machine) -> Decisions:
        ends = np.cumsum(machine.outputs)
        machine.commit(np.arange(len(machine)), ends - machine.outputs)
        return
        yield


def test_a_users_own_policy() -> None:
    policy = policy_from_spec(f"{__name__}:OneByOne")
    assert isinstance(policy, OneByOne)
    instance = Instance(10, [2, 2], [3, 5])
    assert simulate(instance, policy).completion_times().tolist() == [3, 8]
    assert policy.guarantee(instance) is None
