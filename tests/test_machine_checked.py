"""The theorems in Coq are all listed, none is left open, and they speak of what kvopt computes."""

from __future__ import annotations

import copy
import csv
import dataclasses
import importlib
import json
import math
import random
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from companions import online_lower_bound
from companions.checking import checker
from coq_runs import (
    COQ,
    PROOFS,
    Coq,
    fraction,
    listed,
    make,
    needs_coq,
    phases,
    random_instance,
    requests,
    table,
    theorems,
)

from kvopt import Instance
from kvopt.certificates.checker import verdicts
from kvopt.model.schedule import Schedule
from kvopt.solver.combinatorial_bounds import area_bound
from kvopt.solver.window_covers import cover_windows
from kvopt.theory.pipeline import pipeline_peak, sps_peak
from kvopt.theory.slice_plans import (
    best_plan,
    plan_to_json,
)

CASES = Path(__file__).parent / "cases"
OPEN = "Admitted admit give_up Axiom Parameter Conjecture Hypothesis Variable Unset bypass_check"


def left_open(text: str) -> set[str]:
    code = re.sub(r"\(\*.*?\*\)", "", text, flags=re.DOTALL)
    return {word for word in OPEN.split() if re.search(rf"\b{word}s?\b", code)}


def test_the_table_lists_exactly_the_theorems() -> None:
    proved = {(name, file.name) for file in COQ.glob("*.v") for name in theorems(file.read_text())}
    assert len(proved) > 40
    assert sorted(table()) == sorted(proved)


def test_the_table_names_statements_that_exist() -> None:
    rows = re.findall(
        r"\| (\w+\.md), (theorem|lemma|corollary|the file|[\w-]+)(?: (\d+))?.* \| `",
        (PROOFS / "text" / "machine_checked.md").read_text(),
    )
    assert len(rows) == len(table())
    for document, kind, number in rows:
        folder = "checker" if document == "FORMAT.md" else "text"
        text = (PROOFS / folder / document).read_text()
        wanted = rf"^###? {kind}$" if not number else rf"^##+ {kind} {number}\b"
        assert re.search(wanted, text, re.MULTILINE | re.IGNORECASE), (document, kind, number)


def test_all_theorems_are_asked_for_their_assumptions() -> None:
    asked = re.findall(r"^  @(\w+),$", (COQ / "Assumptions.v").read_text(), re.MULTILINE)
    assert sorted(asked) == sorted(name for name, _ in table())


def test_no_name_hides_a_theorem() -> None:
    kinds = "Theorem|Lemma|Definition|Fixpoint|Record|Inductive"
    texts = [file.read_text() for file in COQ.glob("*.v")]
    names = [x for text in texts for x in re.findall(rf"^ *(?:{kinds}) (\w+)", text, re.MULTILINE)]
    names = [name for name in names if name != "t"]  # what Coq's module types want it called
    assert len(names) == len(set(names))


def test_the_table_of_slices_has_the_bounds_of_the_document() -> None:
    with (PROOFS / "data" / "certified_slices.csv").open() as file:
        bounds = [1000 * Fraction(row["bound"]) for row in csv.DictReader(file)]
    text = (COQ / "SlicesTable.v").read_text()
    assert [int(x) for x in re.findall(r"^  \((\d+), \[\(", text, re.MULTILINE)] == bounds
    assert "M <= 150" in text
    assert len(bounds) == 150


def test_the_table_of_sequences_is_that_of_the_data() -> None:
    written = runpy.run_path(str(COQ / "sequences_table.py"))
    text = (COQ / "SequencesTable.v").read_text()
    assert text == written["table"]()
    assert theorems(text) == list(written["NAMES"].values())


def test_nothing_is_left_open() -> None:
    for file in COQ.glob("*.v"):
        assert not left_open(file.read_text()), file


def test_an_open_proof_is_noticed() -> None:
    assert left_open("Theorem wrong : 1 = 2. Proof. Admitted.") == {"Admitted"}
    assert left_open("Axioms a b : False.") == {"Axiom"}
    assert not left_open("(* Nobody says Admitted\n here. *) Theorem right : 1 = 1.")


@pytest.mark.slow
@needs_coq
@pytest.mark.parametrize(
    ("added", "asked", "said"),
    [
        ("Theorem added : 1 = 2. Proof. reflexivity. Qed.", True, "Unable to unify"),
        ("Theorem added : 1 = 2. Proof. Admitted.", True, "Admitted"),
        ("Theorem added : 1 = 1. Proof. reflexivity. Qed.", False, "does not list exactly"),
        (
            "From Coq Require Import Classical.\n"
            "Theorem added : forall P, P \\/ ~ P. Proof. exact classic. Qed.",
            True,
            "rests on an assumption",
        ),
    ],
)
def test_the_build_notices(built: Path, tmp_path: Path, added: str, asked: bool, said: str) -> None:
    folder = tmp_path / "coq"
    shutil.copytree(built, folder)
    with (folder / "Staggered.v").open("a") as file:
        file.write(f"\n{added}\n")
    if asked:
        text = (folder / "Assumptions.v").read_text()
        last = theorems((COQ / "Staggered.v").read_text())[-1]
        (folder / "Assumptions.v").write_text(text.replace(f"@{last},", f"@{last},\n  @added,"))
    build = make(folder)
    assert build.returncode != 0
    assert said in build.stdout + build.stderr


@pytest.mark.slow
@needs_coq
def test_sequences_are_those_of_the_companion(coq: Coq) -> None:
    rng = random.Random(7)
    asked, wanted = [], []
    for _ in range(12):
        n = rng.randint(2, 9)
        numbers = [rng.randint(1, 20) for _ in range(rng.randint(0, 15))]
        a = f"(fun m => nth m {listed(numbers)} 1)"
        m = len(numbers)
        asked.append(f"top {a} {n} {m} ++ [spent {a} {m}; phi 1 (top {a} {n} {m})]")
        top = online_lower_bound.largest(numbers, n)
        wanted.append([*top, sum(numbers), online_lower_bound.phi(top)])
        c, q = Fraction(rng.randint(60, 99), 100), Fraction(rng.randrange(64), 64)
        (u, v), (p, d) = (c * n).as_integer_ratio(), q.as_integer_ratio()
        asked.append(f"weights {n} {u} {v} {p} {d}")
        wanted.append(online_lower_bound.weights(n, c, q))
    c, q = Fraction("0.4149"), [Fraction(k, 8192) for k in (0, 2, 7)]
    for k in (1, 2):  # whether one step may follow another
        before, w = (online_lower_bound.weights(4, c, x) for x in q[k - 1 : k + 1])
        asked.append(
            f"[if falls_within (scale - {w[0]}) 0 {listed(before)} {listed(w)} then 1 else 0]"
        )
        falls = [sum(before[:j]) - sum(w[:j]) for j in range(1, 5)]
        wanted.append([int(max(falls) <= online_lower_bound.SCALE - w[0])])
    assert coq("From Kvopt Require Import Sequences.", *asked) == wanted


@pytest.mark.slow
@needs_coq
def test_memory_and_cost_are_those_of_kvopt(coq: Coq) -> None:
    rng = random.Random(1)
    instances = [random_instance(rng) for _ in range(20)]
    starts = [[rng.randint(0, 9) for _ in range(len(one))] for one in instances]
    lists = [
        listed(f"Attempt ({q}) {t}" for q, t in zip(requests(one), at, strict=True))
        for one, at in zip(instances, starts, strict=True)
    ]
    rounds = listed(range(-1, 18))
    answers = coq("", *(f"cost {x} :: map (memory {x}) {rounds}" for x in lists))
    for one, at, (cost, *memory) in zip(instances, starts, answers, strict=True):
        schedule = Schedule.from_starts(one, at)
        assert cost == schedule.total_completion_time()
        assert memory[:2] == [0, 0]
        assert memory[2:] == [schedule.memory_profile().at(r) for r in range(1, 18)]
        assert max(memory) == schedule.peak_memory()


@pytest.mark.slow
@needs_coq
def test_windows_and_peaks_are_those_of_kvopt(coq: Coq) -> None:
    rng = random.Random(2)
    cases = [(random_instance(rng), rng.randint(1, 4)) for _ in range(30)]
    slots = [(rng.randint(0, 5), rng.randint(1, 30), rng.randint(1, 40)) for _ in range(40)]
    spaced = [
        (rng.randint(0, 5), rng.randint(1, 20), Fraction(rng.randint(1, 30), rng.randint(1, 9)))
        for _ in range(40)
    ]
    windows, peaks, others = coq(
        "",
        "concat "
        + listed(
            f"map (window {one.memory} {min(r.prompt for r in one)} {m}) "
            + listed(f"Request {r.prompt} {r.output}" for r, _ in one.types())
            for one, m in cases
        ),
        listed(f"peak {s} {tau} {k}" for s, tau, k in slots),
        listed(f"F {s} {tau} ({d.numerator} # {d.denominator})" for s, tau, d in spaced),
    )
    assert windows == [d for one, m in cases for d in cover_windows(one, m)]
    assert peaks == [sps_peak(*case) for case in slots]
    assert others == [pipeline_peak(*case) for case in spaced]


@pytest.mark.slow
@needs_coq
def test_slices_are_accepted_by_both_checkers_or_by_none(coq: Coq) -> None:
    rng = random.Random(9)
    contents, expressions = [], []
    for _ in range(60):
        memory = rng.randint(1, 30)
        plan = best_plan(rng.randrange(memory), memory, "sps")
        less = Fraction(rng.choice([0, 0, 1, 1, 50]), 1000)
        change = {"bound": plan.bound - less, "factor": plan.factor - rng.choice([0, less])}
        if change["factor"] > change["bound"] or change["factor"] <= 0:
            change["factor"] = change["bound"] = plan.bound
        if rng.random() < 0.2:
            change["distances"] = tuple(d * Fraction(9, 10) for d in plan.distances)
        plan = dataclasses.replace(plan, **change)
        contents.append(plan_to_json(plan))
        expressions.append(
            f"if accept {plan.prompt} {plan.memory} {fraction(plan.area_weight)}"
            f" {fraction(plan.factor)} {fraction(plan.bound)} {phases(plan)} then 1 else 0"
        )
    (accepted,) = coq("", listed(expressions))
    said = verdicts([json.dumps(content) for content in contents])
    assert accepted == [int(verdict.holds) for verdict in said]
    assert 10 < sum(accepted) < 50


@pytest.mark.slow
@needs_coq
def test_bounds_are_those_of_kvopt_and_of_the_checker(coq: Coq) -> None:
    rng = random.Random(4)
    instances = [random_instance(rng) for _ in range(20)]
    expressions = []
    for one in instances:
        smallest = min(r.prompt for r in one)
        unit = math.lcm(*range(1, one.memory // (smallest + 1) + 1))
        unit *= -(-one.memory // unit)  # at least M
        all_of_them = listed(requests(one))
        expressions.append(
            f"let all := {all_of_them} in [ceil_div (pairs (fun q q' => Z.min (area q) (area q')) "
            f"all + total area all) {one.memory}; "
            f"Qceiling (busy_bound memory_weights {one.memory} all); "
            f"Qceiling (busy_bound (slot_weights {one.memory} {smallest} {unit}) {unit} all)]"
        )
    for one, (area, memory, slots) in zip(instances, coq("", *expressions), strict=True):
        assert area == area_bound(one)
        assert memory == checker().busy_time(one.memory, types(one), slots=False)
        assert slots == checker().busy_time(one.memory, types(one), slots=True)


def types(instance: Instance) -> dict[tuple[int, int], int]:
    return {(r.prompt, r.output): count for r, count in instance.types()}


def random_tree(
    rng: random.Random, instance: Instance, depth: int, above: int = 0
) -> tuple[list[dict[str, object]], str]:
    """Return a tree of prices as the checker reads it, and as Coq does."""
    if depth:
        kinds = rng.sample(sorted(types(instance)), rng.randint(1, len(types(instance))))
        split = [[s, o, rng.randint(1, 9)] for s, o in sorted(kinds)]
        most = rng.randint(0, len(instance))
        few, few_coq = random_tree(rng, instance, rng.randint(0, depth - 1), above + 1)
        many, many_coq = random_tree(rng, instance, rng.randint(0, depth - 1), above + 1)
        pairs = listed(f"Request {s} {o}, {u}" for s, o, u in split)
        tree = [{"split": split, "at_most": most}, *few, *many]
        return tree, f"Split {pairs} {most} ({few_coq}) ({many_coq})"
    rounds = sorted(rng.sample(range(1, 12), rng.randint(0, 6)))
    memory = [[r, rng.randint(0, 3)] for r in rounds]
    places = sorted({(rng.randint(1, 3), rng.randint(0, 9)) for _ in range(rng.randint(0, 8))})
    stairs = [[m, u, rng.randint(0, 30)] for m, u in places]
    branch = [rng.randint(0, 20) for _ in range(above)]
    leaf = {"memory": memory, "covers": stairs, "branch": branch}
    on_memory = listed(f"{r}, {p}" for r, p in memory)
    on_stairs = listed(f"{m}, {u}, {p}" for m, u, p in stairs)
    return [leaf], f"Leaf {on_memory} {on_stairs} {listed(branch)}"


@pytest.mark.slow
@needs_coq
def test_the_checker_of_duals_agrees_with_the_proved_one(coq: Coq) -> None:
    rng = random.Random(5)
    cases = []
    for _ in range(40):
        one, scale = random_instance(rng), rng.randint(1, 12)
        cases.append((one, scale, *random_tree(rng, one, rng.randint(0, 3))))
    (proved,) = coq(
        "",
        listed(
            f"found (prices_bound {one.memory} {scale} "
            + listed(f"Request {s} {o}, {n}" for (s, o), n in types(one).items())
            + f" ({tree}))"
            for one, scale, _, tree in cases
        ),
    )
    checked = [
        checker().bound(
            one.memory, types(one), {"rule": "linear-duals", "scale": scale, "tree": tree}
        )
        for one, scale, tree, _ in cases
    ]
    assert proved == checked
    assert len(set(checked)) > 10


@pytest.mark.slow
@needs_coq
def test_the_proved_checker_refuses(coq: Coq) -> None:
    bound: Callable[[str], str] = "[found (prices_bound 9 99 [(Request 1 2, 3)] ({}))]".format
    leaf = "Leaf [(1, {})] [({}, 1, 1)] {}"
    good, negative, no_level, too_many = coq(
        "",
        bound(leaf.format(1, 1, "[]")),
        bound(leaf.format(-1, 1, "[]")),
        bound(leaf.format(1, 0, "[]")),
        bound(leaf.format(1, 1, "[1]")),
    )
    assert good[0] > 0
    assert negative == no_level == too_many == [-1]


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(COQ)
    return importlib.import_module("certificate")


@pytest.fixture
def companion(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(PROOFS)
    return importlib.import_module("companions.aggregate_state")


@pytest.mark.slow
@needs_coq
def test_the_checker_of_paths_agrees_with_the_proved_one(
    coq: Coq, companion: ModuleType, writer: ModuleType
) -> None:
    rng = random.Random(6)
    cases = []
    for _ in range(25):
        one = random_instance(rng)
        cases.append((one, companion.random_proof(one, rng.randint(1, 12), rng)))
    (proved,) = coq(
        "",
        listed(
            f"found (paths_bound {one.memory} "
            + listed(f"Request {s} {o}, {n}" for (s, o), n in types(one).items())
            + f" ({writer.path_proof(proof)}))"
            for one, proof in cases
        ),
    )
    checked = [checker().bound(one.memory, types(one), proof) for one, proof in cases]
    assert proved == checked
    assert len(set(checked)) > 10


def certified(folder: Path, writer: ModuleType, certificate: dict[str, Any]) -> str:
    """Return what Coq says to a certificate."""
    (folder / "Bound.v").write_text(writer.theorem(certificate))
    run = subprocess.run(
        ["coqc", "-q", "-Q", ".", "Kvopt", "Bound.v"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    return (run.stdout if run.returncode == 0 else "refused: " + run.stderr).strip()


def test_only_integers_come_into_a_theorem(writer: ModuleType) -> None:
    """A definition inside a "number" would replace what the theorem speaks of."""
    content = json.loads((CASES / "coq_injection.json").read_text())
    assert content["format"] == "kvopt-certificate/2"
    with pytest.raises(SystemExit, match=r"proof.second_moments: must be an integer, got '0\)\]"):
        writer.theorem(content)
    content["proof"]["second_moments"] = [0]
    text = writer.theorem(content)
    assert "Kvopt.Model.schedule Given.M" in text


def test_no_text_anywhere_comes_into_a_theorem(writer: ModuleType) -> None:
    content = json.loads((CASES / "coq_injection.json").read_text())
    content["proof"]["second_moments"] = [0]
    leaf = {"memory": [[2, 1]], "covers": [[1, 0, 3]], "branch": []}
    split = {"split": [[0, 1, 2]], "at_most": 1}
    tree = [split, {**leaf, "branch": [1]}, {**leaf, "branch": [1]}]
    other = {"rule": "linear-duals", "scale": 2, "tree": tree}
    tried = 0
    for sound in (content, {**content, "proof": other}):
        writer.theorem(sound)
        for path in numbers(sound):
            for bad in ("1", "1. Axiom x : False", 1.5, True, None, [1], {}):
                changed = copy.deepcopy(sound)
                inside: Any = changed
                for key in path[:-1]:
                    inside = inside[key]
                inside[path[-1]] = bad
                tried += 1
                with pytest.raises(SystemExit):
                    writer.theorem(changed)
    assert tried > 100


def numbers(value: Any, path: tuple[Any, ...] = ()) -> Iterable[tuple[Any, ...]]:
    """The path of every integer inside a JSON value."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from numbers(value[key], (*path, key))
    elif isinstance(value, int):
        yield path


@pytest.mark.slow
@needs_coq
def test_a_certificate_becomes_a_theorem(built: Path, writer: ModuleType) -> None:
    leaf = {"memory": [[2, 1]], "covers": [[1, 0, 3]], "branch": []}
    certificate: dict[str, Any] = {
        "format": "kvopt-certificate/2",
        "instance": {"memory": 3, "requests": [{"prompt": 1, "output": 2, "count": 2}]},
        "proof": {"rule": "linear-duals", "scale": 2, "tree": [leaf]},
    }
    for low in (4, 5):
        certificate["lower_bound"] = low
        assert certified(built, writer, certificate) == "Closed under the global context"
    certificate["lower_bound"] = 6
    assert certified(built, writer, certificate).startswith("refused")


@pytest.mark.slow
@needs_coq
@pytest.mark.parametrize("name", ["model1"])
def test_shipped_certificates_become_theorems(built: Path, writer: ModuleType, name: str) -> None:
    file = PROOFS.parent / "instances" / "certificates" / f"{name}.json"
    certificate = json.loads(file.read_text())
    assert certificate["proof"]["rule"] in ("aggregate-state", "linear-duals")
    assert certified(built, writer, certificate) == "Closed under the global context"
