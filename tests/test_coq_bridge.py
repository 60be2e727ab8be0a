"""Certificates as theorems: whatever a file says, only its integers come into Coq."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "proofs" / "coq" / "certificate.py"
INJECTION = ROOT / "tests" / "cases" / "coq_injection.json"

LEAF = {"memory": [[2, 1]], "covers": [[1, 0, 3]], "branch": []}
SPLIT = {"split": [[1, 2, 1]], "at_most": 1}
TREE = [SPLIT, {**LEAF, "branch": [1]}, {**LEAF, "branch": [1]}]
HOSTILE: tuple[Any, ...] = (
    "drop",
    None,
    True,
    False,
    1.0,
    1e300,
    -1,
    10**40,
    -(10**41),
    10**4000,
    "1",
    "\u0661",
    "*) Axiom x : False. (*",
    '". Axiom x : False.',
    "1]. Axiom x : False. Definition y := [1",
    "\n",
    "\x00",
    "\ud800",
    "\u202e",
    [],
    [[[1]]],
    {},
    {"1": 1},
)


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("writer_of_theorems", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sound(rule: str) -> dict[str, Any]:
    """Return a certificate that holds but for its hash, with texts wherever texts may be."""
    instance = {
        "format": "kvopt-instance/1",
        "name": "*) Axiom x : False. (*",
        "comment": '"\n*) End Given. Definition M := 1.',
        "source": "\\\u202e",
        "memory": 3,
        "requests": [{"prompt": 1, "output": 2, "count": 2}],
    }
    proof: dict[str, Any] = {"rule": "linear-duals", "scale": 2, "tree": [LEAF]}
    if rule == "aggregate-state":
        proof = {"rule": rule, "scale": 1, "start": [[1, [0]]], "duals": [[1, 2, 0]]}
        proof |= {"covers": [[1, [0, 0]]], "second_moments": [0, 0, 0]}
    return {
        "format": "kvopt-certificate/2",
        "instance": instance,
        "instance_sha256": "",
        "lower_bound": 2,
        "proof": proof,
    }


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every part of a JSON value."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield (*path, key)
            yield from paths(value[key], (*path, key))


def mutants(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in paths(content):
        for bad in HOSTILE:
            changed = copy.deepcopy(content)
            inside: Any = changed
            for key in path[:-1]:
                inside = inside[key]
            if bad == "drop":
                del inside[path[-1]]
            else:
                inside[path[-1]] = bad
            yield changed


def frame(text: str) -> str:
    """Return a theorem without its integers."""
    return re.sub(r"-?\d+", "0", text)


WORDS = {
    *("Module", "Given", "Definition", "M", "Z", "types", "list", "given", "End"),
    *("Kvopt.Model.Request", "Kvopt.Model.request", "Kvopt.PathCheck.PathProof"),
    *("Kvopt.Prices.Leaf", "Kvopt.Prices.Split"),
}


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("first_completion", "first-completion rows are known to kvopt-verified only"),
        ("knapsacks", "knapsack rows are known to the checker in Python only"),
    ],
)
def test_families_of_rows_are_refused(writer: ModuleType, key: str, reason: str) -> None:
    content = copy.deepcopy(sound("linear-duals"))
    content["proof"]["tree"][-1][key] = []
    with pytest.raises(SystemExit, match=reason):
        writer.theorem(content)


@pytest.mark.parametrize("rule", ["linear-duals", "aggregate-state", "tree"])
def test_a_changed_file_is_refused_or_changes_integers_only(writer: ModuleType, rule: str) -> None:
    content = sound(rule)
    if rule == "tree":
        content["proof"]["tree"] = TREE
    good = writer.theorem(content)
    assert "False" not in good
    head, tail = frame(good).split("Module Given.")[0], frame(good).split("End Given.")[1]
    refused = 0
    for changed in mutants(content):
        try:
            text = writer.theorem(changed)
        except SystemExit as error:
            refused += 1
            assert str(error.code).isascii()
            assert str(error.code).isprintable()
            assert len(str(error.code)) < 300
            continue
        assert frame(text).split("Module Given.")[0] == head
        assert frame(text).split("End Given.")[1] == tail
        data = text.split("Module Given.")[1].split("End Given.")[0]
        assert set(re.findall(r"[A-Za-z_'][\w.']*(?<!\.)", data)) <= WORDS
        assert not re.findall(r"[^\w\s.()\[\];,:=*-]", data)
        assert "(*" not in data
    assert refused > 100


def test_names_and_comments_do_not_come_into_a_theorem(writer: ModuleType) -> None:
    content = sound("linear-duals")
    with_texts = writer.theorem(content)
    for key in ("name", "comment", "source", "format"):
        del content["instance"][key]
    assert writer.theorem(content) == with_texts


def test_a_deep_tree_is_written_without_recursion(writer: ModuleType) -> None:
    tree = [SPLIT] * 5000 + [LEAF] * 5001
    assert writer.dual_tree(tree).count("Kvopt.Prices.Leaf") == 5001
    for wrong in ([*tree, LEAF], tree[:-1], [*tree, None], []):
        with pytest.raises(SystemExit, match=r"^proof.tree: "):
            writer.dual_tree(wrong)


def run(file: Path | str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, str(SCRIPT), file], capture_output=True, check=False)


def test_the_checker_looks_first(tmp_path: Path) -> None:
    """What the writer alone would take, but proves nothing, is refused, too."""
    content = sound("linear-duals")
    checked = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(ROOT / "proofs" / "checker"), "-"],
        input=json.dumps(content).encode(),
        capture_output=True,
        check=False,
    )
    right = checked.stdout.decode().rpartition(" ")[2].strip()
    content["instance_sha256"] = right
    file = tmp_path / "a.json"
    file.write_text(json.dumps(content))
    done = run(file)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"False" not in done.stdout
    text = json.dumps(content)
    for bad in (
        json.dumps({**content, "lower_bound": 10**6}),
        json.dumps({**content, "instance_sha256": "0" * 64}),
        json.dumps({**content, "more": 1}),
        text.replace('"lower_bound": 2', '"lower_bound": 2, "lower_bound": 1'),
        text.replace('"lower_bound": 2', '"lower_bound": NaN'),
        text.replace('"lower_bound": 2', '"lower_bound": ' + "9" * 10**5),
        "[" * 10**5,
        INJECTION.read_text(),
    ):
        file.write_text(bad)
        done = run(file)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode().count("\n") == 1
        assert len(done.stderr) < 500


@pytest.mark.parametrize(
    "name", [b"*) Axiom x : False. (*", b'"\n.v', b"\x1b[2J", b"\xff\xfe", b"none"]
)
def test_a_path_does_not_come_into_a_theorem(tmp_path: Path, name: bytes) -> None:
    file = Path(tmp_path / name.decode("utf-8", "surrogateescape"))
    if name != b"none":
        file.write_bytes(INJECTION.read_bytes())
    done = run(file)
    assert (done.returncode, done.stdout) == (2 if name == b"none" else 1, b"")
    assert done.stderr.count(b"\n") == 1
    assert done.stderr.strip().isascii()
    assert done.stderr.strip().decode().isprintable()


@pytest.mark.skipif(
    shutil.which("coqc") is None, reason="coqc is not on the PATH (Debian: apt install coq)"
)
def test_coq_reads_the_numbers_of_the_file_and_nothing_else(
    tmp_path: Path, writer: ModuleType
) -> None:
    """The module of the numbers alone, with stand-ins for what is proved about them."""
    content = sound("linear-duals")
    content["proof"]["tree"] = TREE
    (tmp_path / "Model.v").write_text(
        "From Coq Require Import ZArith.\nRecord request := Request { prompt : Z; output : Z }.\n"
    )
    (tmp_path / "Prices.v").write_text(
        "From Coq Require Import ZArith List.\nFrom Kvopt Require Import Model.\n"
        "Inductive tree := Leaf (m : list (Z * Z)) (c : list (Z * Z * Z)) (b : list Z)\n"
        "  | Split (s : list (request * Z)) (most : Z) (few many : tree).\n"
    )
    (tmp_path / "PathCheck.v").write_text("")
    text = writer.theorem(content).split("Lemma checked")[0]
    (tmp_path / "Bound.v").write_text(text + "Print Given.\nCompute Given.types.\n")
    for file in ("Model.v", "Prices.v", "PathCheck.v", "Bound.v"):
        done = subprocess.run(
            ["coqc", "-q", "-Q", ".", "Kvopt", file],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
    printed = re.sub(r"\s+", " ", done.stdout)
    assert re.findall(r"Definition (\w+)", printed) == ["M", "types", "given"]
    assert "prompt := 1; Model.output := 2 |}, 2)] : list (Model.request * Z)" in printed
