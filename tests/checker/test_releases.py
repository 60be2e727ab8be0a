"""The rules that hold with release times: what they prove is true, and mutants are refused."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
from certificate_texts import refusal
from mutation import assert_no_false_mutant_is_accepted, dominance_proof, repaired
from released import bound, checked, named, random_proofs, released_examples
from small_instances import optimum_of, random_released_instance

from budget import Budget
from claims import check
from instances import Instance as Checked
from kvopt import Instance
from kvopt.certificates.write import certificate_text
from kvopt.solver.releases.busy_time import released_busy_time_bound, released_slot_bound
from reading import Refused
from release_search import searched
from releases import WITH_RELEASES

INSTANCE = {
    "memory": 5,
    "requests": [
        {"prompt": 1, "output": 4, "count": 2},
        {"prompt": 1, "output": 4, "release": 3},
        {"prompt": 0, "output": 1, "release": 7},
    ],
}


def test_any_duals_prove_what_is_true() -> None:
    rng = random.Random(11)
    good = dict.fromkeys(WITH_RELEASES, 0)
    for _ in range(150):
        instance = random_released_instance(rng)
        best = optimum_of(instance)
        for proof in random_proofs(instance, rng):
            value = bound(instance, proof)
            assert value <= best, (instance, proof)
            good[proof["rule"]] += 2 * value > best
    del good["exhaustive"], good["dominance"]
    assert min(good.values()) > 5, good


def test_busy_time_is_what_the_library_computes() -> None:
    rng = random.Random(12)
    for _ in range(150):
        instance = random_released_instance(rng, most=9, memory=30, latest=40)
        bounds = (released_busy_time_bound(instance), released_slot_bound(instance))
        for weights, value in zip(("memory", "slots"), bounds, strict=True):
            found = bound(instance, {"rule": "busy-time", "weights": weights})
            assert found == max(value or 0, instance.total_output)


def test_the_searches_find_the_optimum_from_both_sides() -> None:
    rng = random.Random(13)
    for _ in range(120):
        instance = random_released_instance(rng)
        best, late = optimum_of(instance), instance.total_release
        one = checked(instance)

        def search(low: int, states: int, one: Checked = one, late: int = late) -> int:
            return searched(one.memory, one.arrivals, low + late, states, Budget())

        states = search(best, 10**6)
        if states:
            with pytest.raises(Refused, match="takes more than"):
                search(best, states - 1)
        with pytest.raises(Refused, match=f"is {best + 1}, a schedule costs {best}$"):
            search(best + 1, 10**6)
        duals = [[*row, rng.randint(0, 20)] for row in named(instance)]
        proof = {"rule": "batch-state", "scale": 1, "duals": duals, "horizon": 20, "nodes": 10**6}
        assert bound(instance, proof, best) == best
        with pytest.raises(Refused, match=f"is {best + 1}, a schedule costs less"):
            bound(instance, proof, best + 1)


def test_dominance_loses_no_optimum_whatever_the_duals() -> None:
    rng = random.Random(18)
    for number in range(400):
        latest = 0 if number % 8 == 0 else 10
        instance = random_released_instance(rng, latest=latest) if latest else at_once(rng)
        best = optimum_of(instance)
        proof = dominance_proof(instance, rng, usable=rng.random() < 0.5)
        assert bound(instance, proof, best) == best
        with pytest.raises(Refused, match=f"is {best + 1}, a schedule costs less$"):
            bound(instance, proof, best + 1)


def test_those_who_complete_together_have_their_own_duals() -> None:
    instance = Instance(9, [2, 2, 2, 4, 4], [2, 2, 2, 4, 4], releases=[4, 7, 9, 5, 10])
    duals = [[2, 2, 4, 45], [2, 2, 7, 72], [2, 2, 9, 80], [4, 4, 5, 76], [4, 4, 10, 101]]
    later = [[2, 2, 4, 41], [2, 2, 7, 76], [2, 2, 9, 78], [4, 4, 5, 62], [4, 4, 10, 101]]
    sets = [{"from": 0, "duals": duals}, {"from": 30, "duals": later}]
    proof = {"rule": "dominance", "scale": 7, "horizon": 70, "duals": sets, "nodes": 1000}
    best = optimum_of(instance)
    assert bound(instance, proof, best) == best
    with pytest.raises(Refused, match="a schedule costs less$"):
        bound(instance, proof, best + 1)


def at_once(rng: random.Random) -> Instance:
    given = random_released_instance(rng)
    return Instance(given.memory, given.prompts, given.outputs)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"duals": []}, "proof.duals: must have 1 to 100 sets"),
        ({"duals": [{"from": 1, "duals": []}]}, "proof.duals[0].from: must be an integer from 0"),
        ({"duals": [{"from": 0, "duals": []}]}, "must name each prompt, output and release once"),
        ({"horizon": 6}, "proof.horizon: is before the last release"),
        ({"horizon": 8}, "proof.duals[0]: is more than a completion at the horizon costs"),
        ({"nodes": 1}, "proof.nodes: the search takes more than 1"),
        ({"scale": 10**18}, "proof.horizon: is too large for the scale"),
        ({"usable": 2}, "proof.usable: must be an integer from 0 to 1, got 2"),
        ({"more": 1}, "proof: has an unknown key 'more'"),
    ],
)
def test_refusals_of_dominance_say_why(change: dict[str, Any], reason: str) -> None:
    duals = [[0, 1, 7, 2], [1, 4, 0, 9], [1, 4, 3, 9]]
    sets = [{"from": 0, "duals": duals}]
    proof = {"rule": "dominance", "scale": 1, "duals": sets, "horizon": 9, "nodes": 1000}
    content = {
        "format": "kvopt-certificate/2",
        "instance": INSTANCE,
        "instance_sha256": "",
        "lower_bound": 16,
    }
    check(json.dumps(repaired({**content, "proof": proof})))
    assert reason in refusal(json.dumps(repaired({**content, "proof": {**proof, **change}})))


def test_accepts_a_proof_by_every_rule() -> None:
    rules = set()
    for content in released_examples(20, seed=14):
        claim = check(certificate_text(content))
        assert claim.lower_bound == content["lower_bound"]
        assert claim.upper_bound == content["upper_bound"]
        rules.add(claim.rule)
    assert rules == {*WITH_RELEASES, "event-order"}


@pytest.mark.parametrize(
    ("count", "seed", "share"),
    [(5, 15, 0.15), pytest.param(20, 16, 1, marks=pytest.mark.slow)],
)
def test_no_mutant_is_accepted_unless_it_is_true(count: int, seed: int, share: float) -> None:
    assert_no_false_mutant_is_accepted(released_examples(count, seed), random.Random(seed), share)


def test_a_tight_bound_raised_by_one_is_always_refused() -> None:
    for content in released_examples(20, seed=17):
        if content["lower_bound"] == content["upper_bound"]:
            raised = {**content, "lower_bound": content["lower_bound"] + 1}
            del raised["starts"], raised["upper_bound"]
            reason = refusal(json.dumps(raised))
            assert reason.startswith(("lower_bound: is", "proof.states: ", "proof.nodes: "))


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        ({"rule": "demand-duals", "scale": 1, "duals": []}, "each prompt, output and release once"),
        (
            {"rule": "demand-duals", "scale": 1, "duals": [[0, 1, 7, 2], [1, 4, 0, 9]]},
            "each prompt, output and release once",
        ),
        ({"rule": "demand-duals", "scale": 1, "duals": [[1, 4, 9]]}, "must hold 4 integers"),
        (
            {
                "rule": "demand-duals",
                "scale": 0,
                "duals": [[0, 1, 7, 2], [1, 4, 0, 9], [1, 4, 3, 9]],
            },
            "proof.scale: must be an integer from 1",
        ),
        ({"rule": "exhaustive", "states": 1}, "the search takes more than 1"),
        ({"rule": "busy-time", "weights": "none"}, "must be memory or slots"),
    ],
)
def test_refusals_say_why(proof: dict[str, Any], reason: str) -> None:
    content = repaired(
        {
            "format": "kvopt-certificate/2",
            "instance": INSTANCE,
            "instance_sha256": "",
            "lower_bound": 23,
            "proof": proof,
        }
    )
    assert reason in refusal(json.dumps(content))


@pytest.mark.parametrize("rule", WITH_RELEASES)
def test_the_latest_release_is_answered_at_once(rule: str) -> None:
    late = 10**15
    requests = [{"prompt": 0, "output": 2, "count": 3}, {"prompt": 0, "output": 2, "release": late}]
    duals = [[0, 2, 0, 9], [0, 2, late, 9]]
    proofs = {
        "busy-time": {"weights": "memory"},
        "exhaustive": {"states": 10_000},
        "linear-duals": {"scale": 1, "tree": [{"memory": [[1, 1]], "covers": [], "branch": []}]},
        "demand-duals": {"scale": 1, "duals": duals},
        "batch-state": {"scale": 1, "duals": duals, "horizon": 10, "nodes": 100},
        "dominance": {
            "scale": 1,
            "duals": [{"from": 0, "duals": duals}],
            "horizon": 10,
            "nodes": 100,
        },
    }
    content = repaired(
        {
            "format": "kvopt-certificate/2",
            "instance": {"memory": 2, "requests": requests},
            "instance_sha256": "",
            "lower_bound": 14,
            "proof": {"rule": rule, **proofs[rule]},
        }
    )
    began = time.process_time()
    if rule == "exhaustive":
        assert check(json.dumps(content)).lower_bound == 14
    else:
        assert refusal(json.dumps(content))
    assert time.process_time() - began < 5
