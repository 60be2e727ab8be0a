"""The policies in Coq, whose ratios are theorems, start what kvopt's start."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from coq_runs import Coq, fraction, listed, needs_coq, phases, random_instance, requests

from kvopt import Instance
from kvopt.generate import equal_areas
from kvopt.policies import GBA, GSA, SVF, Policy, SPTPipeline, SVFBatches
from kvopt.simulation.simulate import simulate
from kvopt.theory import area_batches
from kvopt.theory.pipeline import sps_spacing, tight_spacing
from kvopt.theory.slice_plans import Weights, best_plan, class_bound, weights_to_try


@pytest.mark.slow
@needs_coq
def test_the_spt_pipeline_is_that_of_kvopt(coq: Coq) -> None:
    rng = random.Random(3)
    instances = [random_instance(rng, common=True) for _ in range(20)]
    expressions = []
    for one in instances:
        prompt = one[0].prompt
        spacings = {r.output: tight_spacing(prompt, r.output, one.memory) for r in one}
        cases = " ".join(f"| {t} => {d.numerator} # {d.denominator}" for t, d in spacings.items())
        shortest = listed(f"Request {prompt} {o}" for o in sorted(r.output for r in one))
        distance = f"(fun t => match t with {cases} | _ => 1 # 1 end)"
        expressions.append(f"map start (spt {distance} {shortest})")
    for one, starts in zip(instances, coq("", *expressions), strict=True):
        schedule = simulate(one, SPTPipeline())
        assert starts == sorted(attempt.start for attempt in schedule)


@pytest.mark.slow
@needs_coq
def test_gba_without_drains_is_that_of_kvopt(coq: Coq) -> None:
    rng = random.Random(7)
    cases, expressions = [], []
    for _ in range(20):
        one = random_instance(rng, common=True)
        alpha = Fraction(rng.randint(5, 12), 4)
        prompt, ends = one[0].prompt, [1]
        while ends[-1] < one.memory - prompt:
            ends.append(min(math.floor(alpha ** len(ends)), one.memory - prompt))
        spacings = {t: tight_spacing(prompt, t, one.memory) for t in ends}
        distance = " ".join(
            f"| {t} => {d.numerator} # {d.denominator}" for t, d in spacings.items()
        )
        by_class = sorted(one, key=lambda r: min(t for t in ends if t >= r.output))
        expressions.append(
            f"map start (gba (fun t => match t with {distance} | _ => 1 # 1 end) "
            f"(powers {prompt} {one.memory} ({alpha.numerator} # {alpha.denominator})) "
            f"{len(ends) - 1}%nat {listed(f'Request {prompt} {r.output}' for r in by_class)})"
        )
        cases.append((one, GBA(alpha=alpha, spacing="tight", drain=False)))
    for (one, policy), starts in zip(cases, coq("", *expressions), strict=True):
        assert starts == sorted(attempt.start for attempt in simulate(one, policy))


@pytest.mark.slow
@needs_coq
def test_gsa_with_slices_is_that_of_kvopt(coq: Coq) -> None:
    rng = random.Random(8)
    instances, expressions = [], []
    for _ in range(25):
        one = random_instance(rng, common=True)
        plan = best_plan(one[0].prompt, one.memory, "sps")
        instances.append(one)
        expressions.append(
            f"let (c, k) := gsa (fun _ l => l) 0 {phases(plan)} 0 {listed(requests(one))} in"
            " map start c ++ map output (map of c) ++ map (fun x => start (victim x)) k"
            " ++ map (fun x => output (of (victim x))) k ++ map after k"
        )
    kills = 0
    for one, found in zip(instances, coq("", *expressions), strict=True):
        attempts = list(simulate(one, GSA(slices="certified")))
        outputs = [r.output for r in one]
        ended = sorted((a.start, outputs[a.request]) for a in attempts if not a.killed)
        killed = sorted(
            (a.start, outputs[a.request], a.end - a.start) for a in attempts if a.killed
        )
        n, m = len(ended), len(killed)
        kills += m
        assert len(found) == 2 * n + 3 * m
        assert sorted(zip(found[:n], found[n : 2 * n], strict=True)) == ended
        rest = [found[2 * n + i * m : 2 * n + (i + 1) * m] for i in range(3)]
        assert sorted(zip(*rest, strict=True)) == killed
    assert kills > 20


def by_area(instance: Instance) -> list[str]:
    """Return the requests in the order of SVF."""
    ordered = sorted(instance, key=lambda r: r.output * (2 * r.prompt + r.output + 1))
    return [f"Request {r.prompt} {r.output}" for r in ordered]


def as_found(answer: list[int], n: int) -> list[tuple[int, int, int]]:
    """Return (prompt, output, start) of each request, from three lists in one."""
    assert len(answer) == 3 * n
    return sorted(zip(answer[:n], answer[n : 2 * n], answer[2 * n :], strict=True))


def as_simulated(instance: Instance, policy: Policy) -> list[tuple[int, int, int]]:
    attempts = simulate(instance, policy)
    return sorted(
        (instance[a.request].prompt, instance[a.request].output, a.start) for a in attempts
    )


PARTS = "map prompt (map of l) ++ map output (map of l) ++ map start l"


@pytest.mark.slow
@needs_coq
def test_svf_is_that_of_kvopt(coq: Coq) -> None:
    rng = random.Random(12)
    instances = [random_instance(rng) for _ in range(30)]
    answers = coq(
        "",
        *(
            f"let l := start_in_turn {one.memory} [] {listed(by_area(one))} in {PARTS}"
            for one in instances
        ),
    )
    waited = 0
    for one, answer in zip(instances, answers, strict=True):
        found = as_found(answer, len(one))
        assert found == as_simulated(one, SVF())
        waited += sum(start > 0 for _, _, start in found)
    assert waited > 30


@pytest.mark.slow
@needs_coq
def test_the_family_against_svf_is_that_of_kvopt(coq: Coq) -> None:
    sizes = [1, 2, 3, 5]
    parts = "map prompt x ++ map output x ++ "
    answers = coq(
        "",
        *(
            f"let x := alternating {n} in {parts}[completions (start_in_turn"
            f" (alternating_memory {n}) [] x); completions (wide_first {n} {n} 0)]"
            for n in sizes
        ),
    )
    for n, answer in zip(sizes, answers, strict=True):
        one = equal_areas(n)
        *requests_found, cost, other = answer
        assert requests_found == [*one.prompts.tolist(), *one.outputs.tolist()]
        assert cost == simulate(one, SVF()).total_completion_time()
        assert 4 * n * other < 7 * cost


@pytest.mark.slow
@needs_coq
@pytest.mark.parametrize(("growth", "steps", "weight"), [("3/2", 3, "21/10"), ("6/5", 5, "1/2")])
def test_svf_in_batches_is_that_of_kvopt(
    coq: Coq, monkeypatch: pytest.MonkeyPatch, growth: str, steps: int, weight: str
) -> None:
    """With other numbers than kvopt's, whose powers are long for Coq."""
    monkeypatch.setattr(area_batches, "GROWTH", Fraction(growth))
    monkeypatch.setattr(area_batches, "STEPS", steps)
    monkeypatch.setattr(area_batches, "LENGTH_WEIGHT", Fraction(weight))
    rng = random.Random(13)
    instances = [random_instance(rng) for _ in range(20)]
    numbers = f"{fraction(Fraction(growth))} {steps} {fraction(Fraction(weight))}"
    answers = coq(
        "",
        *(
            f"let l := batches_run {one.memory} {numbers} {listed(by_area(one))} in {PARTS}"
            for one in instances
        ),
    )
    unlike = 0
    for one, answer in zip(instances, answers, strict=True):
        found = as_found(answer, len(one))
        assert found == as_simulated(one, SVFBatches())
        unlike += found != as_simulated(one, SVF())
    assert unlike > 2


def class_ends(prompt: int, memory: int, alpha: Fraction) -> list[int]:
    ends = [1]
    while ends[-1] < memory - prompt:
        ends.append(min(math.floor(ends[-1] * alpha) + 1, memory - prompt))
    return ends


def spaced(prompt: int, memory: int, ends: list[int]) -> str:
    distances = [sps_spacing(prompt, t, memory) for t in ends]
    return listed(f"Phase {t} {fraction(d)}" for t, d in zip(ends, distances, strict=True))


@pytest.mark.slow
@needs_coq
def test_gba_with_drains_is_that_of_kvopt(coq: Coq) -> None:
    rng = random.Random(14)
    cases, expressions = [], []
    for _ in range(25):
        one = random_instance(rng, common=True)
        alpha = Fraction(rng.randint(5, 12), 4)
        cap = one.memory - one[0].prompt
        ends = [min(math.floor(alpha**q), cap) for q in range(20)]
        phases_of = spaced(one[0].prompt, one.memory, sorted(set(ends)))
        cases.append((one, GBA(alpha=alpha, spacing="sps", drain=True)))
        expressions.append(
            f"let l := classes (fun _ l => l) 0 {phases_of} 0 {listed(requests(one))} in {PARTS}"
        )
    for (one, policy), answer in zip(cases, coq("", *expressions), strict=True):
        prompts, outputs, starts = (answer[i * len(one) : (i + 1) * len(one)] for i in range(3))
        assert set(prompts) == {one[0].prompt}
        assert sorted(outputs) == sorted(one.outputs.tolist())
        assert sorted(starts) == sorted(attempt.start for attempt in simulate(one, policy))


@pytest.mark.slow
@needs_coq
def test_bounds_of_classes_are_accepted_and_no_smaller_ones(coq: Coq) -> None:
    rng = random.Random(15)
    expressions = []
    for _ in range(20):
        memory = rng.randint(1, 25)
        prompt = rng.randrange(memory)
        ends = class_ends(prompt, memory, Fraction(rng.randint(5, 12), 4))
        distances = [sps_spacing(prompt, t, memory) for t in ends]
        bound = class_bound(prompt, memory, ends, distances, drain=True)
        begins = [1, *(t + 1 for t in ends[:-1])]
        for rho in (bound, bound - Fraction(1, 500)):
            found = []
            for theta in weights_to_try(prompt, memory, ends[-1]):
                weights = Weights(prompt, memory, ends[-1], theta)
                factor = max(d / weights.sum(t) for d, t in zip(distances, begins, strict=True))
                found.append(
                    f"accept_classes {prompt} {memory} {fraction(theta)} {fraction(factor)}"
                    f" {fraction(rho)} {spaced(prompt, memory, ends)}"
                )
            expressions.append(f"if {' || '.join(found)} then 1 else 0")
    (accepted,) = coq("", listed(expressions))
    assert accepted == [1, 0] * 20
