"""Policies of users, named as module:Class."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Run, kvopt_process


def test_a_misbehaving_policy_is_named(run: Run, small: Path, tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text(
        "from kvopt import Policy, Until\n"
        "class Greedy(Policy):\n"
        "    name, clairvoyant = 'greedy', False\n"
        "    def run(self, machine):\n"
        "        machine.commit(range(12), [0] * 12)\n"
        "        yield Until(1)\n"
    )
    code, out, err = run("simulate", small, "--policy", "greedy:Greedy")
    assert (code, out) == (1, "")
    assert err.startswith("kvopt: policy greedy, request ")
    assert "round 2: memory overflows, budget is 23 tokens" in err
    code, out, _ = run("audit", small, "--policy", "greedy:Greedy")
    assert code == 1
    assert "twelve: policy greedy" in out


OWN_POLICIES = """
import sys
from dataclasses import dataclass
from kvopt import MCSF, FCFS, Policy, Wait

class Twice(Policy):
    name = "twice"
    clairvoyant = False
    def run(self, machine):
        machine.start(0)
        machine.start(0)
        yield Wait()

class Leaves(Policy):
    name = "leaves"
    clairvoyant = False
    def run(self, machine):
        sys.exit(0)
        yield

class Claims(FCFS):
    def guarantee(self, instance):
        return 1 / 0

@dataclass(frozen=True)
class Needs(FCFS):
    what: int

class Nameless(FCFS):
    name = 7
"""


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("Twice", 1, "policy twice, request 0, round 1: start of a running request"),
        ("Leaves", 1, "policy leaves, round 1: the policy raises SystemExit: 0"),
        ("Claims", 1, "policy fcfs, round 1: its guarantee raises ZeroDivisionError"),
        ("Needs", 2, "policy own:Needs: cannot be made: "),
        ("Nameless", 2, "policy own:Nameless: name: must be a string, got 7"),
    ],
)
def test_a_users_policy_that_misbehaves(
    run: Run, small: Path, tmp_path: Path, name: str, code: int, message: str
) -> None:
    (tmp_path / "own.py").write_text(OWN_POLICIES)
    sys.modules.pop("own", None)
    sys.path.insert(0, str(tmp_path))
    try:
        for command in ("ratio", "audit", "search"):
            arguments = {
                "ratio": ["ratio", small, "--policy", f"own:{name},fcfs"],
                "audit": ["audit", small, "--policy", f"own:{name},fcfs", "--no-search"],
                "search": ["search", "--policy", f"own:{name}", "--restarts", 1],
            }[command]
            if command == "search" and name == "Claims":
                continue
            got, out, err = run(*arguments)
            assert got == code
            assert message in (out if command == "audit" and code == 1 else err)
            assert "Traceback" not in out + err
            if code == 1 and command != "search":
                assert "fcfs" in out  # the other policy's row is not lost
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("own", None)


def test_a_store_knows_when_a_users_policy_changed(tmp_path: Path) -> None:
    def ratio(base: str) -> Any:
        code = f"from kvopt import FCFS, MCSF\nclass O({base}): name = 'o'"
        (tmp_path / "own.py").write_text(code)
        options = ["--against", "mc-sf", "--restarts", 1, "--store", "s.db", "--json"]
        process = kvopt_process("search", "--policy", "own:O", *options, cwd=tmp_path)
        return json.loads(process.communicate(timeout=60)[0])["ratio"]

    assert ratio("FCFS") != "1/1"
    assert ratio("MCSF") == "1/1"
