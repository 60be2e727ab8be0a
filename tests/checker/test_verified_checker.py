"""The checker extracted from Coq says of every certificate what the one in Python says."""

from __future__ import annotations

import copy
import dataclasses
import json
import random
import resource
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

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
    altered,
    refusal,
)
from mutation import repaired
from released import released_examples

from claims import check
from kvopt.theory.slice_plans import best_plan, plan_to_json
from releases import WITH_RELEASES

ROOT = Path(__file__).parents[2]
COQ = ROOT / "proofs" / "coq"
HOSTILE = ROOT / "tests" / "cases" / "hostile"
TOOLS = ("coqc", "make", "ocamlfind", "ocamlopt")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(shutil.which(tool) is None for tool in TOOLS),
        reason="Coq and OCaml are not there (Debian: coq ocaml-nox libzarith-ocaml-dev ...)",
    ),
]

BUSY_TIME = {**SOUND, "lower_bound": 9, "proof": {"rule": "busy-time", "weights": "slots"}}
EXHAUSTIVE = {**SOUND, "lower_bound": 13, "proof": {"rule": "exhaustive", "states": 9}}
KNAPSACKS = {
    "memory": [],
    "covers": [],
    "branch": [],
    "knapsacks": [{"limit": 2, "steps": [[1, 4, 1, 1], [1, 4, 3, 2]], "duals": [[4, 2]]}],
}
"""A leaf that proves 13."""
EVERY_RULE = (
    *(SOUND, BUSY_TIME, EXHAUSTIVE, {**PROPAGATION, "lower_bound": 12}),
    *(AGGREGATE_STATE, BATCH_STATE, DOMINANCE, DEMAND_DUALS, BLOCKS, EVENT_ORDER),
)


PROVED_WITH_RELEASES = {*WITH_RELEASES, "event-order"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program, built by the Makefile from a copy of the folder."""
    folder = tmp_path_factory.mktemp("verified") / "coq"
    (folder / "verified").mkdir(parents=True)
    for file in [*COQ.glob("*.v"), COQ / "Makefile"]:
        shutil.copy(file, folder)
    for name in ("integers.ml", "sha256.ml", "main.ml"):
        shutil.copy(COQ / "verified" / name, folder / "verified")
    build = subprocess.run(
        ["make", "-C", folder, "checker"], capture_output=True, text=True, timeout=900, check=False
    )
    assert build.returncode == 0, build.stdout + build.stderr
    return folder / "kvopt-verified"


def answer(program: Path, data: str | bytes) -> str:
    """Return why the program refuses a text; empty if it holds."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    run = subprocess.run(
        [program, "--json", "-"], input=raw, capture_output=True, timeout=60, check=False
    )
    row = json.loads(run.stdout)
    assert run.returncode == int(not row["holds"])
    assert row["holds"] == (row["reason"] == "")
    return str(row["reason"])


def test_both_checkers_agree(program: Path) -> None:
    command = [sys.executable, ROOT / "scripts" / "compare_checkers.py", "--count", "1000"]
    run = subprocess.run(
        [*command, "--program", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line for line in run.stdout.splitlines() if " files: " in line]
    assert len(lines) >= 31  # 8 of shipped files, 5 of new ones, 18 of changed ones
    assert all(" 0 differ" in line for line in lines)


@pytest.mark.parametrize("content", EVERY_RULE, ids=lambda content: content["proof"]["rule"])
def test_no_bound_above_the_proved_one(program: Path, content: dict[str, Any]) -> None:
    assert answer(program, json.dumps(content)) == ""
    for change in (1, 2, 10**20):
        more = {**content, "lower_bound": content["lower_bound"] + change}
        del more["upper_bound"], more["starts"]
        assert refusal(json.dumps(more))
        assert answer(program, json.dumps(more)).startswith(("lower_bound", "proof"))


def later(content: dict[str, Any]) -> dict[str, Any]:
    """The same with a release, and starts that fit it."""
    late = copy.deepcopy(content)
    late["instance"]["requests"][1]["release"] = 7
    return repaired({**late, "upper_bound": 15, "starts": [1, 5, 7], "lower_bound": 1})


@pytest.mark.parametrize("content", EVERY_RULE, ids=lambda content: content["proof"]["rule"])
def test_rules_that_are_not_proved_for_releases_refuse_them(
    program: Path, content: dict[str, Any]
) -> None:
    late, rule = later(content), content["proof"]["rule"]
    reason = answer(program, json.dumps(late))
    if rule == "dominance":
        assert reason == "proof: does not prove the lower bound"
        assert "must name each prompt, output and release once" in refusal(json.dumps(late))
    elif rule in PROVED_WITH_RELEASES:
        named = "duals" in content["proof"]  # for each release
        assert reason == ("proof.duals: must hold lists of 4 integers" if named else "")
        assert ("must hold 4 integers" in refusal(json.dumps(late))) == named
    else:
        assert reason == f"proof.rule: {rule} is not proved for releases after time 0"
        assert refusal(json.dumps(late)) == reason


def test_starts_are_not_before_releases(program: Path) -> None:
    late = {**later(EXHAUSTIVE), "starts": [1, 5, 6]}
    assert answer(program, json.dumps(late)) == "starts: are no schedule"


def test_every_rule_with_releases_holds_and_proves_no_more(program: Path) -> None:
    rules = set()
    for content in released_examples(12, seed=21):
        if '"knapsacks": ' in json.dumps(content):
            assert 'has an unknown key "knapsacks"' in answer(program, json.dumps(content))
            continue
        assert answer(program, json.dumps(content)) == ""
        rules.add(content["proof"]["rule"])
        if content["lower_bound"] == content["upper_bound"]:
            more = {**content, "lower_bound": content["lower_bound"] + 1}
            del more["upper_bound"], more["starts"]
            assert answer(program, json.dumps(more)).startswith(("lower_bound", "proof"))
    assert rules == PROVED_WITH_RELEASES


def nodes_needed(text: str, most: int) -> int:
    """Return the least `nodes` with which the checker in Python accepts a search through time."""
    content, least = json.loads(text), 0
    while least < most:
        content["proof"]["nodes"] = middle = (least + most) // 2
        least, most = (middle + 1, most) if refusal(json.dumps(content)) else (least, middle)
    return least


def test_searches_through_time_keep_the_same_number_of_nodes(program: Path) -> None:
    compared = set()
    for content in released_examples(10, seed=22):
        if content["proof"]["rule"] != "dominance":
            continue
        needed = nodes_needed(json.dumps(content), content["proof"]["nodes"])
        compared.add(needed)
        enough = {**content, "proof": {**content["proof"], "nodes": needed}}
        assert answer(program, json.dumps(enough)) == ""
        if needed:
            few = {**content, "proof": {**content["proof"], "nodes": needed - 1}}
            assert answer(program, json.dumps(few)) == "proof: does not prove the lower bound"
    assert len(compared) > 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"duals": []}, ""),
        ({"duals": [{"from": 1, "duals": [[0, 1, 0, 2], [1, 4, 0, 9]]}]}, ""),
        ({"duals": [{"from": 0, "duals": [[0, 1, 0, 2]]}]}, ""),
        ({"duals": [{"from": 0, "duals": [[0, 1, 0, 2], [1, 4, 0, 13]]}]}, ""),
        ({"duals": [{"duals": []}]}, ".duals: has no 'from'"),
        ({"duals": [{"from": 0, "duals": [[0, 1, 2]]}]}, ".duals: must hold lists of 4 integers"),
        ({"nodes": -1}, ""),
        ({"horizon": 0}, ""),
        ({"scale": 10**18}, ""),
        ({"more": 1}, ': has an unknown key "more"'),
    ],
)
def test_wrong_proofs_by_dominance_are_refused(
    program: Path, change: dict[str, Any], reason: str
) -> None:
    text = json.dumps({**DOMINANCE, "proof": {**DOMINANCE["proof"], **change}})
    assert refusal(text)
    said = answer(program, text)
    assert said.startswith("proof")
    assert said.endswith(reason or ": does not prove the lower bound")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (COARSE_BATCH_STATE, "proof.rule: is not one that this checker proves"),
        (
            {**DOMINANCE, "proof": {**DOMINANCE["proof"], "usable": 1}},
            'proof: has an unknown key "usable"',
        ),
        (
            {**SOUND, "proof": {**SOUND["proof"], "scale": 1, "tree": [KNAPSACKS]}},
            'proof.tree: has an unknown key "knapsacks"',
        ),
        (
            {
                **EVENT_ORDER,
                "proof": {
                    "rule": "event-order",
                    "scale": 1,
                    "prices": [KNAPSACKS],
                    "tree": [{"rows": [[1, "price", 0]]}],
                },
            },
            'proof.prices: has an unknown key "knapsacks"',
        ),
    ],
)
def test_what_only_the_one_in_python_knows_is_refused(
    program: Path, content: dict[str, Any], reason: str
) -> None:
    assert refusal(json.dumps(content)) == ""
    assert answer(program, json.dumps(content)) == reason


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("rule",), "order", "proof.rule: is not one that this checker proves"),
        (("tree", 3, "rows", 0, 1), "gaps", '.rows: "gaps" is no kind of row that this checker'),
        (("tree", 3, "rows", 0), [4, "gap", 1], "proof.tree.rows: a gap is of two requests"),
        (("tree", 3, "rows", 0, 2), -1, ".rows: a request is named by an integer from 0 to 63"),
        (("tree", 5), {"at": [0, 1, 2]}, "proof.tree"),
        (("tree", 5), {"at": [0, 1]}, "proof.tree: ends with subtrees missing"),
        (("tree", 1, "at"), [0, 1], "proof: does not prove the lower bound"),
    ],
)
def test_what_it_does_not_know_of_event_order_is_named(
    program: Path, path: tuple[Any, ...], value: Any, reason: str
) -> None:
    text = altered(("proof", *path), value, EVENT_ORDER)
    assert refusal(text)
    assert reason in answer(program, text)


@pytest.mark.parametrize("shape", ["deep", "wide"])
def test_trees_of_event_order_may_be_deep_and_files_long(program: Path, shape: str) -> None:
    """The stack is the usual one, whatever limit these tests run with."""
    content = copy.deepcopy(EVENT_ORDER)
    tree, leaf = content["proof"]["tree"], {"rows": []}
    if shape == "deep":
        tree[:0] = [{"start": [0, t]} for t in range(20_000, 0, -1)]
        tree += [leaf] * 20_000
    else:
        part = [leaf]
        for t in range(1, 19):
            part = [{"start": [0, t]}, *part, *part]
        content["proof"]["tree"] = part
        content["instance"]["name"] = "x" * 1_500_000
    content["lower_bound"] = 0
    text = json.dumps(content)
    assert len(text) > {"deep": 700_000, "wide": 10_000_000}[shape]
    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    run = subprocess.run(
        [program, "-"],
        input=text,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (8 * 2**20, most)),
        check=False,
    )
    assert run.stdout == "-: holds: the optimum is at least 0 and at most 15 (event-order)\n"
    if shape == "deep":
        assert refusal(text) == ""


def test_covers_and_prices_of_event_order_prove_no_more_than_is_true(program: Path) -> None:
    """A cover alone gives the optimum of 13, and so do prices; without them the bound is 9."""
    content = {**EVENT_ORDER, "lower_bound": 9}
    del content["upper_bound"], content["starts"]
    some = {"memory": [], "covers": [[1, 3, 4]], "branch": []}
    cover = {"rule": "event-order", "scale": 4, "tree": [{"rows": [[1, "cover", 1, 0, 0, 1]]}]}
    price = {**cover, "scale": 1, "prices": [some], "tree": [{"rows": [[1, "price", 0]]}]}
    proved = []
    for proof in (cover, price):
        claims = [{**content, "lower_bound": low, "proof": proof} for low in range(9, 17)]
        reasons = [answer(program, json.dumps(claim)) for claim in claims]
        proved.append(8 + reasons.index(next(filter(None, reasons))))
        assert all(reason.startswith("lower_bound") for reason in reasons if reason)
    assert proved == [13, 13]
    for wrong in ([1, "cover", 65, 0, 0, 1], [1, "cover", 0, 0, 0], [1, "price", 1], [1, "price"]):
        proof = {**price, "tree": [{"rows": [wrong]}]}
        assert answer(program, json.dumps({**content, "proof": proof})).startswith("proof")


def test_slices_hold_for_both_checkers_or_for_none(program: Path) -> None:
    rng = random.Random(3)
    held = 0
    for _ in range(40):
        memory = rng.randint(1, 60)
        plan = best_plan(rng.randrange(memory), memory, rng.choice(["sps", "tight"]))
        less = Fraction(rng.choice([0, 0, 0, 1, 40]), 1000)
        smaller = dataclasses.replace(plan, bound=plan.bound - less, factor=plan.factor - less)
        for content in (plan_to_json(smaller), {**plan_to_json(plan), "area_weight": "1/3"}):
            reason = answer(program, json.dumps(content))
            assert bool(refusal(json.dumps(content))) == bool(reason)
            held += not reason
    assert 10 < held < 70


def test_slices_are_shown_as_by_the_checker_in_python(program: Path) -> None:
    content = plan_to_json(best_plan(5, 40, "sps"))
    run = subprocess.run(
        [program, "-"], input=json.dumps(content), capture_output=True, text=True, check=True
    )
    assert run.stdout == f"-: holds: {check(json.dumps(content))}\n"
    for key, wrong in (("bound", "08/1"), ("bound", "8"), ("phases", [[1]]), ("prompt", 40)):
        assert answer(program, json.dumps({**content, key: wrong}))


@pytest.mark.parametrize(
    "data",
    [
        "",
        b"\xff\xfe",
        "\ufeff" + json.dumps(SOUND),
        "[" * 10**6,
        '{"a":' * 10**6,
        "[]",
        "1" * 10**5,
        json.dumps(SOUND) + "}",
        json.dumps(SOUND) + " 1",
        json.dumps(SOUND)[:-1],
        json.dumps(SOUND)[:-1] + ',"lower_bound": 13}',
        json.dumps(SOUND).replace('"memory": 5', '"memory": 5, "memory": 5', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": 5.0', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": 5e0', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": 05', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": +5', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": true', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": "5"', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": NaN', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": -Infinity', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": 5, "mem": 5', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": 5, "name": 5', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": 5, "name": "\t"', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": 5, "name": "\\x"', 1),
        json.dumps(SOUND).replace('"memory": 5', '"memory": 5, "name": "\\u12g4"', 1),
        json.dumps({**SOUND, "instance": {**SOUND["instance"], "name": "x"}})
        .encode()
        .replace(b'"x"', b'"\xc0\xaf"'),
        json.dumps({**SOUND, "instance": {**SOUND["instance"], "name": "x"}})
        .encode()
        .replace(b'"x"', b'"\xed\xa0\x80"'),
        json.dumps({**SOUND, "more": 1}),
        json.dumps({**SOUND, "instance_sha256": "0" * 64}),
        json.dumps({**SOUND, "starts": [1, 5]}),
        json.dumps({**SOUND, "starts": [0, 1, 5]}),
        json.dumps({**SOUND, "proof": {"rule": "nothing"}}),
        json.dumps({**SOUND, "proof": None}),
    ],
)
def test_both_refuse_what_is_no_certificate(program: Path, data: str | bytes) -> None:
    assert refusal(data)
    assert answer(program, data)


def test_names_may_be_in_any_script(program: Path) -> None:
    content = {**SOUND, "instance": {**SOUND["instance"], "name": "Größe \U0001f600 漢"}}
    for ascii_only in (True, False):
        text = json.dumps(content, ensure_ascii=ascii_only)
        assert refusal(text) == answer(program, text) == ""


@pytest.mark.parametrize("file", sorted(HOSTILE.glob("d*.json")), ids=lambda file: file.stem)
def test_work_is_bounded(program: Path, file: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9, 4 * 10**9))
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))

    run = subprocess.run([program, file], capture_output=True, preexec_fn=limited, check=False)
    # The first is true: no completion pays, so no batch is looked at, whatever the memory.
    holds = file.stem == "d1_holdings_mem"
    assert (run.returncode, run.stderr) == (0 if holds else 1, b"")
    assert (b": holds: the optimum is at least 1" if holds else b": REFUSED: proof") in run.stdout


def test_a_budget_bounds_steps_and_memory(program: Path, tmp_path: Path) -> None:
    """Profiles, rounds, batches: whatever a loop goes through, it takes steps."""
    wide = {"memory": 45_641, "requests": [{"prompt": 2, "output": 4, "count": 2}]}
    late = {"memory": 400, "requests": [{"prompt": 0, "output": 9, "count": 9}]}
    hostile = [
        (wide, {"rule": "demand-duals", "scale": 1, "duals": [[2, 4, 90]]}),
        (wide, {"rule": "blocks", "scale": 1, "memory": [[9, 1]], "blocks": [[[2, 4, 90]]]}),
        (late, {**BATCH_STATE["proof"], "horizon": 10**6, "duals": [[0, 9, 10**6]]}),
        (late, {**DOMINANCE["proof"], "duals": [{"from": 0, "duals": [[0, 9, 0, 9]]}]}),
    ]
    for instance, proof in hostile:
        content = repaired({**SOUND, "instance": instance, "lower_bound": 40, "proof": proof})
        del content["upper_bound"], content["starts"]
        file = tmp_path / "a.json"
        file.write_text(json.dumps(content))
        for limit, words in (("--max-steps", "20000 steps"), ("--max-memory", "5 MB of memory")):
            command = [program, limit, words.split()[0], file]
            run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert run.stdout == f"{file}: REFUSED: takes more than {words} to check\n"
            assert (run.returncode, run.stderr) == (1, "")


@pytest.mark.parametrize(
    ("sound", "path", "row"),
    [
        (SOUND, ("starts",), "{}"),
        (SOUND, ("proof", "tree", 1, "memory"), "[{},1]"),
        (SOUND, ("proof", "tree", 1, "covers"), "[1,{},1]"),
        (PROPAGATION, ("proof", "tree", 1, "memory"), "[{},1]"),
        (AGGREGATE_STATE, ("proof", "second_moments"), "0"),
        (AGGREGATE_STATE, ("proof", "covers"), "[{},[]]"),
        (DEMAND_DUALS, ("proof", "duals"), "[1,{},1]"),
        (BLOCKS, ("proof", "memory"), "[{},1]"),
        (BLOCKS, ("proof", "blocks"), "[[1,{},1]]"),
        (BATCH_STATE, ("proof", "duals"), "[1,{},1]"),
    ],
    ids=lambda x: "-".join(map(str, x)) if isinstance(x, tuple) else None,
)
def test_long_lists_need_no_stack(
    program: Path, tmp_path: Path, sound: dict[str, Any], path: tuple[Any, ...], row: str
) -> None:
    """Of a million rows there is a verdict, or a refusal that says what is wrong with them."""
    rows = ",".join([row.format(i) for i in range(1, 1_000_001)])
    file = tmp_path / "long.json"
    file.write_text(altered(path, "@", sound).replace('"@"', f"[{rows}]"))
    command = [program, "--max-steps", "300000000", file]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (run.returncode, run.stderr, run.stdout.count("\n")) == (1, "", 1)
    assert ": REFUSED: " in run.stdout
    assert "too large for this machine" not in run.stdout


def test_usage(program: Path, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps(SOUND))
    (tmp_path / "bad.json").write_text("{}")

    def code(*arguments: str) -> int:
        return subprocess.run(
            [program, *arguments], cwd=tmp_path, capture_output=True, check=False
        ).returncode

    assert code("good.json") == code("--json", "good.json", "good.json") == 0
    assert code("good.json", "bad.json") == code("missing.json") == 1
    assert code() == code("--more", "good.json") == 2
