"""The folder of the checker: it stands alone, and its command says a line for each file."""

from __future__ import annotations

import ast
import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from certificate_texts import SOUND, altered, repaired

CHECKER = Path(__file__).parents[2] / "proofs" / "checker"
FORMAT = (CHECKER / "FORMAT.md").read_text()
CORE = [
    *("__main__", "claims", "limits", "reading", "instances", "busy_time", "exhaustive"),
    *("packing", "linear_duals", "first_completion", "round_duals", "row_families"),
    *("aggregate_state", "demand_duals"),
    *("profile_graph", "profile_paths", "budget"),
]
"""What the shipped certificates need."""


def imported(text: str) -> set[str]:
    """The modules that a source imports, read as Python 3.9 does."""
    found = set()
    for node in ast.walk(ast.parse(text, feature_version=(3, 9))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(str(node.module))
    return found


def test_it_imports_the_standard_library_only_and_hides_none_of_it() -> None:
    own = {file.stem for file in CHECKER.glob("*.py")}
    assert not own & (set(sys.stdlib_module_names) - {"__main__"})
    plain = {"__future__", "array", "collections.abc", "fractions", "hashlib", "itertools", "json"}
    plain |= {"bisect", "heapq", "math", "re", "resource", "sys", "typing"}
    for file in CHECKER.glob("*.py"):
        assert imported(file.read_text()) <= own | plain, file


def test_nothing_else_lies_in_the_folder() -> None:
    names = {file.name for file in CHECKER.iterdir() if file.name != "__pycache__"}
    assert names == {*(file.name for file in CHECKER.glob("*.py")), "FORMAT.md"}
    assert set(CORE) <= {file.stem for file in CHECKER.glob("*.py")}


def test_it_can_be_read_in_one_sitting() -> None:
    lines = {file.stem: code_lines(file.read_text()) for file in CHECKER.glob("*.py")}
    assert sum(lines[name] for name in CORE) < 1_200
    assert max(lines.values()) < 200


def code_lines(text: str) -> int:
    """Lines of code, without blank ones, comments and docstrings."""
    told: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            told |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(
        number not in told and bool(line.strip()) and not line.strip().startswith("#")
        for number, line in enumerate(text.splitlines(), start=1)
    )


def run_alone(*arguments: object, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(CHECKER), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        input=given,
    )


def test_a_line_for_each_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad\udcff.json"
    good.write_text(json.dumps(SOUND))
    done = run_alone(good)
    assert (done.returncode, done.stderr) == (0, "")
    line = "holds: the optimum is at least 13 and at most 15 (linear-duals)"
    assert done.stdout == f"{good}: {line}\n"
    bad.write_text(altered(("lower_bound",), 14))
    done = run_alone(good, bad, tmp_path / "missing.json", tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert ": holds: " in lines[0]
    assert lines[1].endswith("REFUSED: lower_bound: is 14, the proof gives 13")
    assert "REFUSED: cannot be read: No such file" in lines[2]
    assert "REFUSED: cannot be read: Is a directory" in lines[3]


def test_an_object_for_each_file(tmp_path: Path) -> None:
    good, bad, slices = (tmp_path / f"{name}.json" for name in ("good", "bad", "slices"))
    good.write_text(json.dumps({**SOUND, "proof": {"rule": "exhaustive", "states": 99}}))
    bad.write_text(altered(("lower_bound",), 14))
    slices.write_text(examples_of_format()[-1])
    done = run_alone("--json", good, bad, slices)
    assert (done.returncode, done.stderr) == (1, "")
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert first == {
        "file": str(good),
        "holds": True,
        "claim": "the optimum is at least 13 and at most 15 (exhaustive)",
        "reason": "",
        "rule": "exhaustive",
        "lower_bound": 13,
        "upper_bound": 15,
        "states": first["states"],
    }
    assert 0 < first["states"] < 99
    nothing = dict.fromkeys(("rule", "lower_bound", "upper_bound", "states"))
    reason = "lower_bound: is 14, the proof gives 13"
    assert second == {"file": str(bad), "holds": False, "claim": "", "reason": reason, **nothing}
    assert (third["rule"], third["holds"], third["lower_bound"]) == ("slices", True, None)
    assert "at most 1 times the optimum" in third["claim"]


def test_standard_input() -> None:
    done = run_alone("-", given=json.dumps(SOUND))
    assert done.returncode == 0
    assert done.stdout.startswith("-: holds: ")
    assert run_alone("-", given="").returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["--json"], ["--help"], ["-x", "file"], ["--max-steps", "-1", "file"]),
        *(["--max-steps", "file"], ["--max-memory", "1.5", "file"], ["--max-memory"]),
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    done = run_alone(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")
    assert done.stderr.count("\n") == 2


def test_a_file_name_forges_no_line(tmp_path: Path) -> None:
    name = tmp_path / "a\nb.json: holds: all"
    name.write_text("{}")
    done = run_alone(name)
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1


# --- The examples of FORMAT.md ------------------------------------------------------------------


def examples_of_format() -> list[str]:
    return re.findall(r"```json\n(.*?)```", FORMAT, re.DOTALL)


def test_the_examples_of_the_format_prove_what_it_says(tmp_path: Path) -> None:
    (instance,) = re.findall(r"^    (\{\"memory.*\})$", FORMAT, re.MULTILINE)
    proved = re.findall(r"^proves (\d+)\.$", FORMAT, re.MULTILINE)
    texts: list[dict[str, Any]] = [json.loads(text) for text in examples_of_format()]
    assert len(proved) == len(texts) - 1 == 15
    rules = [proof["rule"] for proof in texts[:-1]]
    assert list(dict.fromkeys(rules)) == re.findall(r"^### (\S+)$", FORMAT, re.M)
    files = []
    for proof, value in zip(texts[:-1], proved, strict=True):
        for more in (0, 1):
            content = {**copy.deepcopy(SOUND), "instance": json.loads(instance), "proof": proof}
            content["lower_bound"] = int(value) + more
            files.append(tmp_path / f"{len(files)}-{proof['rule']}-{more}.json")
            files[-1].write_text(json.dumps(repaired(content)))
    done = run_alone("--json", *files)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["holds"] for row in rows] == [True, False] * 15
    assert {row["rule"] for row in rows[::2]} == {proof["rule"] for proof in texts[:-1]}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.json: holds: the optimum is 5 (busy-time)", r"a.json\x3a holds\x3a the optimum is 5"),
        ("a\nb.json: holds", r"'a\nb.json\x3a holds'"),
        ("\x1b[2J", r"'\x1b[2J'"),
        ("\udc80: ", r"'\udc80\x3a '"),
        ("x" * 10**5, "x" * 297 + "..."),
    ],
)
def test_no_name_of_a_file_says_a_verdict(name: str, shown: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(CHECKER), name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(shown)
    assert done.stdout.count("\n") == 1
    assert done.stdout.split(": ")[1:3] == ["REFUSED", "cannot be read"]
