"""Starts that are left to an order: the same as step by step, and nothing is given away."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given
from scripted import attempts
from strategies import instances

from kvopt import (
    Attempt,
    Decisions,
    Instance,
    Machine,
    PolicyError,
    Schedule,
    Wait,
    policy_from_spec,
    simulate,
)
from kvopt.simulation.by_clock import simulate_by_clock
from kvopt.simulation.clock import clock_from_spec
from kvopt.simulation.simulate import World

ORDERED = ["mc-sf", "svf", "sorted-f", "a-max", "a-max:width=3/2", "svf-batches"]


def busy_instance(seed: int, requests: int, memory: int) -> Instance:
    """Requests that arrive about as fast as they can be served, in bursts, with mixed prompts."""
    rng = random.Random(seed)
    prompts = [rng.randint(0, memory // 3) for _ in range(requests)]
    outputs = [rng.randint(1, min(memory - s, rng.choice([4, memory]))) for s in prompts]
    area = sum(s * o + o * (o + 1) // 2 for s, o in zip(prompts, outputs, strict=True))
    last = int(area / memory / rng.choice([0.8, 1.0, 2.0]))
    releases = [rng.randint(0, last) // 5 * 5 for _ in range(requests)]
    return Instance(memory, prompts, outputs, releases=releases)


def step_by_step(instance: Instance, policy: str) -> Schedule:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "takes_orders", False)
        return simulate(instance, policy)


@pytest.mark.parametrize("spec", ORDERED)
@given(instance=instances(max_requests=30, max_memory=40, latest_release=60))
def test_the_simulator_does_what_the_policy_does_step_by_step(
    spec: str, instance: Instance
) -> None:
    assert list(simulate(instance, spec)) == list(step_by_step(instance, spec))


@pytest.mark.parametrize("spec", ORDERED)
@pytest.mark.parametrize("seed", range(12))
def test_the_simulator_does_what_the_policy_does_when_many_wait(spec: str, seed: int) -> None:
    instance = busy_instance(seed, 150, [12, 60, 400][seed % 3])
    assert list(simulate(instance, spec)) == list(step_by_step(instance, spec))


@pytest.mark.parametrize("spec", ORDERED)
def test_by_a_clock_policies_go_step_by_step(spec: str) -> None:
    instance = busy_instance(3, 40, 60)
    columns = instance.prompts, instance.outputs
    arrivals = (instance.releases * 10_000).tolist()  # a round takes 10 ms
    timed = Instance(60, *columns).with_arrivals(arrivals)
    policy = policy_from_spec(spec)
    schedule, _ = simulate_by_clock(timed, policy, clock_from_spec("linear:c0=10"))
    assert list(schedule) == list(simulate(schedule.instance, spec))


def test_a_policy_is_not_asked_again() -> None:
    seen: list[list[int]] = []

    def run(machine: Machine) -> Decisions:
        yield Wait()  # until the first release
        assert machine.start_in_order("area")
        seen.append(machine.unfinished().tolist())
        yield Wait()
        raise AssertionError

    instance = Instance(10, [2, 2, 0, 1], [3, 5, 4, 2], releases=[9, 4, 6, 4])
    assert attempts(run, instance, clairvoyant=True) == [
        Attempt(1, 4, 9),
        Attempt(3, 4, 6),
        Attempt(2, 6, 10),
        Attempt(0, 9, 12),
    ]
    assert seen == [[1, 3]]


@pytest.mark.parametrize(
    ("order", "clairvoyant", "reason"),
    [
        ("size", True, "order must be one of length, area, batches, area-batches, got 'size'"),
        ("area", False, "a non-clairvoyant policy asks for the output lengths"),
    ],
)
def test_what_is_no_order_or_needs_lengths_is_refused(
    order: str, clairvoyant: bool, reason: str
) -> None:
    def run(machine: Machine) -> Decisions:
        machine.start_in_order(order)  # type: ignore[arg-type]
        yield Wait()

    with pytest.raises(PolicyError, match=reason):
        attempts(run, Instance(10, [2], [3]), clairvoyant)


@pytest.mark.parametrize("width", [0, Fraction(1, 2), 1.5])
def test_widths_are_exact_and_at_least_one(width: object) -> None:
    def run(machine: Machine) -> Decisions:
        machine.start_in_order("length", width)  # type: ignore[arg-type]
        yield Wait()

    with pytest.raises(PolicyError, match="width must be a Fraction >= 1, or None"):
        attempts(run, Instance(10, [2], [3]), clairvoyant=True)


@pytest.mark.parametrize("pause", [False, True])
def test_starts_are_left_to_an_order_before_other_decisions(pause: bool) -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(0)
        if pause:
            yield Wait()
        machine.start_in_order("length")
        yield Wait()

    with pytest.raises(PolicyError, match="starts are left to an order after other decisions"):
        attempts(run, Instance(10, [2, 2], [3, 3]), clairvoyant=True)
