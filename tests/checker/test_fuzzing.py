"""The fuzzing harness itself: its oracles, a short run, and faults that it must find."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from certificate_texts import (
    AGGREGATE_STATE,
    BATCH_STATE,
    BLOCKS,
    COARSE_BATCH_STATE,
    DEMAND_DUALS,
    DOMINANCE,
    EVENT_ORDER,
    PROPAGATION,
    SOUND,
)
from fuzzing.asking import Finding, Ledger, ask
from fuzzing.bugs import hand_written
from fuzzing.campaign import Corpus, case_names, run_case
from fuzzing.definition import defined_bound
from fuzzing.families import KEY, random_families
from fuzzing.knapsacks import KNAPSACKS, any_knapsack, fits
from fuzzing.largest import OTHER
from fuzzing.layout import Malformed, proof_layout
from fuzzing.loading import FOLDER, load, reach, sources
from fuzzing.mutants import change_families
from fuzzing.operators import plants
from fuzzing.planting import run_plants
from fuzzing.problems import Problem, problem_of, random_problem, released_problem
from fuzzing.proofs import BUILDERS
from fuzzing.report import uncaught_reasons
from fuzzing.truth import cost_if_feasible, judged, known_optimum, repacked
from oracles import optimum as by_enumeration
from oracles import uniform_cost
from small_instances import random_instance

CERTIFICATES = Path(__file__).parents[2] / "instances" / "certificates"


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus.read(load(sources()))


def test_the_oracles_agree() -> None:
    rng = random.Random(1)
    for _ in range(150):
        instance = random_instance(rng)
        shapes = tuple(sorted((r.prompt, r.output) for r in instance))
        best = by_enumeration.optimum(instance.memory, list(shapes))
        assert uniform_cost.optimum(instance.memory, list(shapes)) == best
        assert known_optimum(instance.memory, shapes) == best
        ends = repacked(instance.memory, shapes, range(len(shapes)))
        starts = [end - o for end, (_, o) in zip(ends, shapes, strict=True)]
        assert cost_if_feasible(instance.memory, shapes, starts) == sum(ends) >= best


@pytest.mark.parametrize(
    "content",
    [
        SOUND,
        AGGREGATE_STATE,
        PROPAGATION,
        DEMAND_DUALS,
        BLOCKS,
        BATCH_STATE,
        COARSE_BATCH_STATE,
        DOMINANCE,
        EVENT_ORDER,
    ],
)
def test_the_truth_knows_what_is_false(content: dict[str, object]) -> None:
    assert judged(json.dumps(content)) == "true"
    assert judged(json.dumps({**content, "lower_bound": 14})).startswith("false: ")
    assert judged(json.dumps({**content, "upper_bound": 16})).startswith("false: ")
    assert judged(json.dumps({**content, "starts": [0, 5, 0]})).startswith("false: ")
    assert judged(json.dumps({**content, "instance_sha256": "0"})).startswith("false: ")
    assert judged(json.dumps({**content, "more": 0})).startswith("malformed: ")
    assert judged(json.dumps({**content, "lower_bound": 9.0})).startswith("malformed: ")
    assert judged(json.dumps({**content, "proof": {"rule": "none"}})).startswith("malformed: ")


def test_the_truth_knows_what_is_false_with_releases() -> None:
    # proofs/text/release_times.md: at the optimum round 1 is idle.
    problem = problem_of(6, [(2, 4, 1), (3, 1, 3)], (0, 1))
    assert problem is not None
    assert (problem.optimum, problem.rounds, problem.late) == (14, 8, 3)
    proof = {"rule": "exhaustive", "states": 1000}
    good = problem.content(14, proof, starts=[4, 1, 2, 3], upper_bound=14)
    assert judged(json.dumps(good)) == "true"
    assert ask(load(sources()), json.dumps(good)).kind == "accepted"
    early = {**good, "starts": [4, 1, 2, 0], "upper_bound": 11, "lower_bound": 0}
    assert judged(json.dumps(early)) == "false: the starts are no schedule"
    for change in ({"lower_bound": 15}, {"upper_bound": 17}, {"starts": [0, 4, 5, 6]}):
        assert judged(json.dumps({**good, **change})).startswith("false: ")
    for rule in ("blocks", "propagation", "aggregate-state"):
        text = json.dumps({**good, "proof": {**proof, "rule": rule}})
        assert judged(text) == "malformed: the rule is not proved for releases"
    duals = [[2, 4, 0, 9], [3, 1, 1, 4]]
    named = {"rule": "demand-duals", "scale": 1, "duals": duals}
    assert judged(problem.text(0, named)) == "true"
    for row in ([3, 1, 4], [3, 1, 2, 4], [3, 1, 0, 4]):
        text = problem.text(0, {**named, "duals": [duals[0], row]})
        assert judged(text) == "malformed: duals of other requests"


def test_definitions_give_what_the_checker_gives() -> None:
    checker, rng = load(sources()), random.Random(5)
    seen = set()
    for _ in range(60):
        problem: Problem = rng.choice([random_problem, released_problem])(rng, 4)
        for rule in ("linear-duals", "busy-time"):
            proof = BUILDERS[rule](problem, rng)
            text = problem.text(10**6, proof)
            if (bound := defined_bound(text)) is not None:
                assert ask(checker, text).given == bound, text
                seen.add((rule, bool(problem.releases)))
    assert len(seen) == 4


def test_shipped_certificates_are_true_or_plausible() -> None:
    for file in sorted(CERTIFICATES.glob("*.json")):
        assert judged(file.read_text()) in ("true", "plausible"), file


def run_cases(corpus: Corpus, count: int, seed: int) -> Ledger:
    found: list[Finding] = []
    ledger = Ledger(load(sources()), found.append)
    names = case_names(list(ledger.checker.rules), seed)
    for name, _ in zip(names, range(count), strict=False):
        run_case(ledger, name, corpus)
        assert [one for one in found if one.kind != "slow"] == [], name
    return ledger


@pytest.mark.parametrize(
    ("count", "seed"), [(120, 3), pytest.param(1700, 2, marks=pytest.mark.slow)]
)
def test_nothing_false_is_accepted(corpus: Corpus, count: int, seed: int) -> None:
    ledger = run_cases(corpus, count, seed)
    for rule in ledger.checker.rules:
        assert (ledger.tally(rule).accepted > 0) == (rule != OTHER), rule
        assert ledger.tally(rule).evaluated > 0, rule
        if rule not in ("slices", OTHER):
            assert any(low == best for low, best in ledger.tally(rule).best), rule


def test_a_case_is_made_again_from_its_name(corpus: Corpus) -> None:
    runs = []
    for _ in range(2):
        ledger = Ledger(load(sources()), lambda finding: None)
        for name in ("largest blocks 3 1", "mutants propagation 3 1"):
            run_case(ledger, name, corpus)
        runs.append(ledger.tallies)
    assert runs[0] == runs[1]


@pytest.mark.parametrize("key", [KEY, KNAPSACKS])
def test_layout_and_checker_agree_on_families_of_rows(key: str) -> None:
    checker, rng = load(sources()), random.Random(3)
    seen = set()
    for _ in range(150):
        problem = random_problem(rng, 3)
        rows: dict[str, object] = {"memory": [], "covers": [], "branch": []}
        if key == KEY:
            rows[key] = random_families(problem, rng, 60, problem.total)
        else:
            given = (problem.memory, problem.shapes, problem.total, 9, rng)
            rows[key] = [any_knapsack(*given) for _ in range(rng.randint(1, 3))]
        content = problem.content(0, {"rule": "linear-duals", "scale": 60, "tree": [rows]})
        if rng.random() < 0.7:
            change_families(content, rng, [content])
        try:
            proof_layout(content["proof"], set(problem.types))
            holds = fits(problem.memory, problem.shapes, content["proof"])
        except Malformed:
            holds = False
        answer = ask(checker, json.dumps(content))
        refused = answer.kind == "refused" and answer.given is None
        assert refused != holds, (answer, content)
        seen.add(holds)
    assert seen == {True, False}


def test_loading_leaves_no_trace_and_every_module_is_reached() -> None:
    source = sources()
    rules = load(source).rules
    assert {file.stem for file in FOLDER.glob("*.py")} == {*source, "__main__"}
    assert all(reach(source).values())
    assert set(reach(source)["reading"]) == set(rules)


def test_hand_written_faults_fit_the_checker_as_it_is() -> None:
    assert len(hand_written(sources())) >= 150


def test_faults_read_by_hand_have_a_class() -> None:
    uncaught_reasons()


def test_every_operator_makes_source_that_compiles() -> None:
    text = sources()["busy_time"]
    some = list(plants("busy_time", text))
    assert len({one.key for one in some}) == len(some) > 80
    for one in some:
        compile(one.source, one.module, "exec")


CAUGHT = [
    ("instances", "constant -= prompt - start"),
    ("claims", "if found < low:"),
    ("busy_time", "sorted(weights, reverse=True)"),
    ("release_search", "sum(rest) - sum(coming)"),
    ("fluid", "taken = left if until is None else min(left, until - now)"),
    ("linear_duals", "-(-excess // m)"),
    ("first_completion", "b = s + o - r\n"),
    ("knapsacks", "return self.limit"),
    ("round_duals", "sums = bent if family.duals.knots else direct"),
    ("propagation", "spare = (cutoff - 1) * scale - total"),
    ("aggregate_state", "value -= m * sum(row)"),
    ("exhaustive", "for number in range(count + 1):"),
    ("slices", "before += slice - distance"),
]


@pytest.mark.parametrize("chosen", [CAUGHT[:5], pytest.param(CAUGHT[5:], marks=pytest.mark.slow)])
def test_planted_faults_are_caught(corpus: Corpus, chosen: list[tuple[str, str]]) -> None:
    source = sources()
    some = [one for one in hand_written(source) if (one.module, one.before) in chosen]
    assert len(some) == len(chosen)
    for result in run_plants(some, source, corpus, reach(source), 10):
        assert result.kind == "false claim", result
