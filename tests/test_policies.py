"""Every policy: feasible schedules, equal to the textbook's, blind to what it must not see."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import textbook
import textbook_more
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
from kvopt.policies.gsa import _shuffle
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


spacings = st.sampled_from(["sps", "sps2", "tight"])
slice_rules = st.sampled_from(["alpha", "area"])
yes_or_no = st.sampled_from(["yes", "no"])


@settings(max_examples=200)
@given(instances(), alpha_texts, st.integers(1, 3), spacings, slice_rules, yes_or_no)
def test_variants_of_gsa_are_the_textbook_algorithms(
    instance: Instance, alpha: str, beta: int, spacing: str, slices: str, drain: str
) -> None:
    beta = beta if slices == "alpha" else 1
    expected = textbook_more.gsa_with(
        instance.memory,
        rows(instance),
        textbook_alpha(alpha),
        Fraction(beta),
        spacing,
        slices,
        drain == "yes",
    )
    spec = f"gsa:alpha={alpha}:beta={beta}:spacing={spacing}:slices={slices}:drain={drain}"
    assert as_tuples(run(spec, instance)) == expected


@settings(max_examples=200)
@given(instances(), alpha_texts, spacings, slice_rules, yes_or_no)
def test_variants_of_gba_are_the_textbook_algorithms(
    instance: Instance, alpha: str, spacing: str, slices: str, drain: str
) -> None:
    expected = textbook_more.gba_with(
        instance.memory, rows(instance), textbook_alpha(alpha), spacing, slices, drain == "yes"
    )
    spec = f"gba:alpha={alpha}:spacing={spacing}:slices={slices}:drain={drain}"
    assert as_tuples(run(spec, instance)) == expected


@settings(max_examples=100)
@given(instances(), alpha_texts)
def test_gba_d_is_the_textbook_algorithm(instance: Instance, alpha: str) -> None:
    expected = textbook_more.gba_d(instance.memory, rows(instance), textbook_alpha(alpha))
    assert as_tuples(run(f"gba-d:alpha={alpha}", instance)) == expected


@settings(max_examples=100)
@given(instances(), alpha_texts, st.integers(1, 3))
def test_gsa_spec_is_the_textbook_algorithm(instance: Instance, alpha: str, beta: int) -> None:
    expected = textbook_more.gsa_spec(
        instance.memory, rows(instance), textbook_alpha(alpha), Fraction(beta)
    )
    assert as_tuples(run(f"gsa-spec:alpha={alpha}:beta={beta}", instance)) == expected


widths = st.sampled_from([None, Fraction(1), Fraction(3, 2), Fraction(2)])


@settings(max_examples=200)
@given(instances(), widths)
def test_a_max_and_a_min_are_the_textbook_algorithms(
    instance: Instance, width: Fraction | None
) -> None:
    text = "none" if width is None else width
    expected = textbook_more.a_max(instance.memory, rows(instance), width)
    assert as_tuples(run(f"a-max:width={text}", instance)) == expected
    expected = textbook_more.a_min(instance.memory, rows(instance), width)
    assert as_tuples(run(f"a-min:width={text}", instance)) == expected


@settings(max_examples=100)
@given(instances(), st.sampled_from(["1/10", "1/3", "1/2"]))
def test_alpha_protection_is_the_textbook_algorithm(instance: Instance, a: str) -> None:
    expected = textbook_more.alpha_protection(instance.memory, rows(instance), Fraction(a))
    assert as_tuples(run(f"alpha-protection:a={a}", instance)) == expected


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        ("spt-pipeline", textbook_more.spt_pipeline),
        ("sorted-f", textbook_more.sorted_f),
        ("svf", textbook_more.svf),
        ("rect", textbook_more.rect),
        ("response", textbook_more.response),
        ("route", textbook_more.route),
    ],
)
@given(instance=instances(max_requests=12))
def test_is_the_textbook_algorithm(
    spec: str, algorithm: Callable[[int, list[tuple[int, int]]], Any], instance: Instance
) -> None:
    assert as_tuples(run(spec, instance)) == algorithm(instance.memory, rows(instance))


@given(instances(mixed=False))
def test_a_max_with_true_lengths_is_mc_sf(instance: Instance) -> None:
    assert as_tuples(run("a-max:width=1", instance)) == as_tuples(run("mc-sf", instance))


@given(instances(max_requests=20), alpha_texts)
def test_gba_d_is_never_later_than_gba(instance: Instance, alpha: str) -> None:
    earlier = run(f"gba-d:alpha={alpha}", instance).completion_times()
    assert (earlier <= run(f"gba:alpha={alpha}", instance).completion_times()).all()


@given(instances(max_requests=20), alpha_texts, st.integers(1, 3))
def test_gsa_spec_keeps_the_starts_of_gsa(instance: Instance, alpha: str, beta: int) -> None:
    """What GSA would have run is run at the same times, or the request was done before.

    So every request completes as a base attempt when it does under GSA, or before.
    """
    base = run(f"gsa:alpha={alpha}:beta={beta}", instance)
    schedule = run(f"gsa-spec:alpha={alpha}:beta={beta}", instance)
    done, done_base = schedule.completion_times(), base.completion_times()
    assert (done <= done_base).all()
    attempts = set(as_tuples(schedule))
    for attempt in as_tuples(base):
        assert attempt in attempts or done[attempt[0]] <= attempt[1]


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


@given(st.integers(0, 70), st.integers(0, 2**32))
def test_shuffles_as_the_standard_library_does(n: int, seed: int) -> None:
    ours, theirs = list(range(n)), list(range(n))
    _shuffle(ours, random.Random(seed))
    random.Random(seed).shuffle(theirs)
    assert ours == theirs


def test_seeds_matter() -> None:
    instance = Instance(30, [1] * 12, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    for spec in ("gsa:offset=random", "gsa:order=random", "alpha-protection:clearing=1/2"):
        assert (
            len({tuple(as_tuples(run(f"{spec}:seed={seed}", instance))) for seed in range(9)}) > 1
        )


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
        ("", "policy: must be one of gba, gba-d, gsa, .* or module:Class, got ''"),
        ("nope", "policy: must be one of .* got 'nope'"),
        ("gsa:", "policy gsa: must have key=value after ':', got ''"),
        ("gsa:alpha", "policy gsa: must have key=value after ':', got 'alpha'"),
        ("gsa:gamma=2", "policy gsa: 'gamma': unknown parameter, known: alpha, beta, spacing"),
        ("gsa:alpha=2:alpha=3", "policy gsa: alpha: given twice, got '3'"),
        ("gsa:alpha=1", "policy gsa: alpha: must be greater than 1, got 1"),
        ("gsa:alpha=1/2", "policy gsa: alpha: must be greater than 1, got 1/2"),
        ("gsa:alpha=1.0001", "policy gsa: alpha: must be at least 1.001 to be run, got 1.0001"),
        ("gsa:alpha=nan", "policy gsa: alpha: must be a number like .* got 'nan'"),
        ("gsa:spacing=wide", "policy gsa: spacing: must be sps or sps2 or tight, got 'wide'"),
        ("gsa:slices=area:beta=2", "policy gsa: beta: must be 1 with slices=area"),
        ("gsa:slices=certified:offset=random", "policy gsa: offset: must be fixed with"),
        ("gsa:drain=perhaps", "policy gsa: drain: must be yes or no, got 'perhaps'"),
        ("gsa:seed=1.5", "policy gsa: seed: must be an integer.* got '1.5'"),
        ("a-max:width=1/2", "policy a-max: width: must be at least 1.* got 1/2"),
        ("a-min:width=x", "policy a-min: width: must be .* got 'x'"),
        ("alpha-protection:a=1", "policy alpha-protection: a: must be .* got 1"),
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
