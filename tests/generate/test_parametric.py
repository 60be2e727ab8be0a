"""Parametric families, and how families are named."""

from __future__ import annotations

import pytest

from kvopt import InputError, Instance, Schedule
from kvopt.generate import PARAMETRIC, family_from_spec
from kvopt.model.feasibility import violations
from kvopt.policies import policy_from_spec
from kvopt.simulation.simulate import simulate


@pytest.mark.parametrize(
    ("spec", "memory", "groups"),
    [
        ("two-point", 256, [(96, 160, 6), (96, 1, 194)]),
        ("two-point:memory=20:prompt=5:long=1:short=3", 20, [(5, 15, 1), (5, 1, 3)]),
        ("identical:count=7:output=9", 100, [(5, 9, 7)]),
        ("equal-areas:count=2", 6, [(0, 3, 1), (5, 1, 1), (0, 3, 1), (5, 1, 1)]),
        ("slice-boundary:alpha=2:memory=23:counts=2+7+3", 23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)]),
        (
            "slice-boundary:alpha=(7+sqrt(13))/6:memory=788:counts=14363+45637",
            788,
            [(0, 527, 14363), (0, 298, 45637)],
        ),
        (
            "slice-boundary:alpha=3:memory=1093:counts=4794+55206",
            1093,
            [(0, 730, 4794), (0, 244, 55206)],
        ),
        ("slice-boundary:alpha=4/3:memory=9:prompt=2:counts=1+1", 9, [(2, 6, 1), (2, 5, 1)]),
    ],
)  # fmt: skip
def test_parametric_families(spec: str, memory: int, groups: list[tuple[int, int, int]]) -> None:
    instance = family_from_spec(spec)
    assert isinstance(instance, Instance)
    assert (instance.memory, instance.groups()) == (memory, groups)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nope", "family: must be one of tiny, small, .* got 'nope'"),
        ("tiny:n=3", "family tiny: 'n': unknown parameter, known: output, requests, memory, prom"),
        ("tiny:requests=0", "family tiny: requests: must be an integer from 1 .* got 0"),
        ("tiny:requests=x", "family tiny: requests: must be an integer from 1 .* got 'x'"),
        ("tiny:requests=3..", "family tiny: requests: must be an integer from 1 .* got ''"),
        ("tiny:requests=4..3", r"family tiny: requests: must be LOW..HIGH .* got '4..3'"),
        ("tiny:requests=3:requests=4", "family tiny: requests: given twice, got '4'"),
        ("tiny:types=3", "family tiny: 'types': unknown parameter"),
        ("tiny:prompt=5", r"memory: must be at least the smallest prompt \+ output = 6, got 2..12"),
        ("identical:n=3", "family identical: 'n': unknown parameter, known: memory, prompt"),
        ("identical:count=0", "family identical: count: must be an integer from 1"),
        ("identical:count=x", "family identical: count: must be an integer .* got 'x'"),
        ("identical:output=99", r"requests\[0\]: prompt \+ output must be at most memory = 100"),
        ("equal-areas:count=0", "family equal-areas: count: must be an integer from 1 "),
        ("late-short:memory=9:count=10", "count: must be at most memory = 9, got 10"),
        ("slice-boundary:alpha=2", "family slice-boundary: memory: required parameter is missing"),
        ("slice-boundary:alpha=1:memory=9:counts=1", "alpha: must be greater than 1, got 1"),
        ("slice-boundary:alpha=2:memory=9:counts=1+1+1+1+1", "counts: must be at most 4 in number"),
        ("slice-boundary:alpha=2:memory=9:counts=1+", "counts: must be an integer"),
    ],
)
def test_refuses_bad_specs(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        family_from_spec(spec)


def test_every_parametric_family_documents_itself() -> None:
    for family in PARAMETRIC:
        assert family.build.__doc__


@pytest.mark.parametrize("policy", ["fcfs", "mc-sf", "svf", "sorted-f", "a-min", "a-max:width=1"])
@pytest.mark.parametrize(("memory", "count"), [(2, 1), (9, 9), (100, 40)])
def test_late_short_requests_wait_for_the_long_one(policy: str, memory: int, count: int) -> None:
    instance = family_from_spec(f"late-short:memory={memory}:count={count}")
    assert isinstance(instance, Instance)
    schedule = simulate(instance, policy_from_spec(policy))
    assert schedule.total_latency() == memory + memory * count
    better = Schedule.from_starts(instance, [count + 1, *range(1, count + 1)])
    assert not violations(better)
    assert better.total_latency() == 2 * count + memory + 1


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_svf_drains_for_every_second_request_of_equal_areas(count: int) -> None:
    instance = family_from_spec(f"equal-areas:count={count}")
    assert isinstance(instance, Instance)
    assert {request.area for request in instance} == {instance.memory}
    cost = simulate(instance, policy_from_spec("svf")).total_completion_time()
    better = Schedule.from_starts(instance, [i // 2 if i % 2 else count for i in range(2 * count)])
    assert not violations(better)
    assert 7 * cost > 4 * count * better.total_completion_time()
