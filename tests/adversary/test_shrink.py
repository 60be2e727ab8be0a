"""Smaller instances that are no less bad."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import instances

from kvopt import Instance, Stopping, policy_from_spec, simulate
from kvopt.adversary import Candidate, Limits, SearchConfiguration
from kvopt.adversary.score import score_function
from kvopt.adversary.shrink import reductions, shrunk, size
from kvopt.solver.compiling import Kernel
from kvopt.solver.state_search.many import optimum

specs = st.sampled_from(["gsa:alpha=2", "gba:alpha=2", "fcfs", "mc-sf", "sorted-f"])


def candidate_of(instance: Instance) -> Candidate:
    return Candidate.of(instance.memory, instance.groups())


def configuration_for(
    spec: str, candidate: Candidate, against: str | None = None
) -> SearchConfiguration:
    mixed = candidate.common_prompt is None
    return SearchConfiguration(
        spec, against, Limits(len(candidate), candidate.memory, mixed), seed=0
    )


def cost(candidate: Candidate, spec: str) -> int:
    return simulate(candidate.instance(), policy_from_spec(spec)).total_completion_time()


def true_ratio(candidate: Candidate, spec: str) -> Fraction:
    prompts, outputs = (lengths.tolist() for lengths in candidate.arrays())
    return Fraction(cost(candidate, spec), optimum(candidate.memory, prompts, outputs))


@given(instances(max_requests=7, max_memory=16))
def test_steps_are_valid_and_smaller(instance: Instance) -> None:
    candidate = candidate_of(instance)
    limits = Limits(len(candidate), candidate.memory, mixed=candidate.common_prompt is None)
    for smaller in reductions(candidate):
        assert smaller.valid(replace(limits, groups=None))
        assert size(smaller) < size(candidate)
        assert candidate.common_prompt is None or smaller.common_prompt is not None


@settings(max_examples=20, deadline=None)
@given(instances(max_requests=6, max_memory=14), specs)
def test_the_ratio_to_the_optimum_never_falls(instance: Instance, spec: str) -> None:
    candidate = candidate_of(instance)
    configuration = configuration_for(spec, candidate)
    smaller = shrunk(configuration, candidate, Stopping())
    before, after = true_ratio(candidate, spec), true_ratio(smaller, spec)
    assert after >= before
    assert size(smaller) <= size(candidate)
    assert shrunk(configuration, candidate, Stopping()) == smaller
    # No step is left that loses nothing.
    assert shrunk(configuration, smaller, Stopping()) == smaller
    assert all(true_ratio(one, spec) < after for one in reductions(smaller))


@settings(max_examples=20, deadline=None)
@given(instances(max_requests=9, max_memory=20), specs)
def test_the_ratio_to_another_policy_never_falls(instance: Instance, spec: str) -> None:
    candidate = candidate_of(instance)
    smaller = shrunk(configuration_for(spec, candidate, "svf"), candidate, Stopping())

    def ratio(one: Candidate) -> Fraction:
        return Fraction(cost(one, spec), cost(one, "svf"))

    assert ratio(smaller) >= ratio(candidate)


def test_beyond_what_is_proved_quickly_the_reference_is_a_feasible_schedule() -> None:
    candidate = Candidate(48, ((0, 33, 30), (0, 17, 120)))
    configuration = configuration_for("gsa:alpha=2", candidate)
    score = score_function(configuration)
    smaller = shrunk(configuration, candidate, Stopping())
    assert Fraction(*score(smaller)) >= Fraction(*score(candidate))
    assert smaller.memory < 48
    assert len(smaller) < 150


def test_what_does_not_matter_goes() -> None:
    # Either policy does the same on a lone request, so one token is the smallest of all.
    lone = Candidate(9, ((2, 5, 1), (2, 3, 4)))
    assert shrunk(configuration_for("mc-sf", lone, "mc-sf"), lone, Stopping()) == Candidate(
        1, ((0, 1, 1),)
    )


def test_a_known_witness_is_reached_again_from_one_with_more_in_it() -> None:
    witness = Candidate(23, ((0, 17, 3), (0, 9, 9)))
    assert cost(witness, "gsa:alpha=2") == 2301
    more = Candidate(23, ((0, 20, 1), (0, 17, 2), (0, 9, 4), (0, 10, 1), (0, 9, 4)))
    assert true_ratio(more, "gsa:alpha=2") < Fraction(2301, 303)
    assert shrunk(configuration_for("gsa:alpha=2", more), more, Stopping()) == witness


def test_a_budget_that_is_over_changes_nothing() -> None:
    stop = Stopping()
    stop.interrupt()
    candidate = Candidate(9, ((2, 5, 1), (2, 3, 4)))
    assert shrunk(configuration_for("fcfs", candidate, "mc-sf"), candidate, stop) == candidate


@pytest.mark.parametrize("plainly", [True, False])
def test_with_and_without_compiled_code(plainly: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if plainly:
        monkeypatch.setattr(Kernel, "compiled", lambda kernel, stop=None: kernel.plain)
    candidate = Candidate(12, ((0, 7, 2), (0, 4, 3)))
    smaller = shrunk(configuration_for("gba:alpha=2", candidate), candidate, Stopping())
    assert true_ratio(smaller, "gba:alpha=2") >= true_ratio(candidate, "gba:alpha=2")
