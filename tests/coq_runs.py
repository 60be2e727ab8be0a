"""Coq on the theorems in proofs/coq: building them, and evaluating what they define."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import pytest

from kvopt import Instance
from kvopt.theory.slice_plans import SlicePlan

PROOFS = Path(__file__).parent.parent / "proofs"
COQ = PROOFS / "coq"

needs_coq = pytest.mark.skipif(
    shutil.which("coqc") is None or shutil.which("make") is None,
    reason="coqc or make is not on the PATH (Debian: apt install coq make)",
)


def theorems(text: str) -> list[str]:
    return re.findall(r"^Theorem (\w+)", text, re.MULTILINE)


def table() -> list[tuple[str, str]]:
    """Return the (name, file) of each row of the table in machine_checked.md."""
    text = (PROOFS / "text" / "machine_checked.md").read_text()
    return re.findall(r"^\|.*\| `(\w+)` \| (\w+\.v) \|$", text, re.MULTILINE)


def make(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-C", folder], capture_output=True, text=True, timeout=600)


class Coq:
    """Evaluate expressions of type list Z, all in one run of Coq."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, definitions: str, *expressions: str) -> list[list[int]]:
        file = self.folder / "Evaluate.v"
        file.write_text(
            "From Coq Require Import ZArith QArith Qround List. Import ListNotations.\n"
            "From Kvopt Require Import Model Sums Staircase Pipeline Spacing Completions Prices\n"
            "  Area BusyTime Staggered Paths PathCheck Phases Gsa Slices\n"
            "  InTurn MixedFamily AreaBatchesRun Classes.\n"
            "Open Scope Z_scope.\n"
            "Definition found (x : option Z) : Z := match x with Some z => z | None => -1 end.\n"
            + definitions
            + "".join(f"\nEval vm_compute in ({x} : list Z)." for x in expressions)
        )
        run = subprocess.run(
            ["coqc", "-q", "-Q", ".", "Kvopt", file.name],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert run.returncode == 0, run.stderr
        answers = re.findall(r"= (.*?)\s*: list Z", run.stdout, re.DOTALL)
        assert len(answers) == len(expressions), run.stdout
        return [[int(z) for z in re.findall(r"-?\d+", answer)] for answer in answers]


def listed(items: Iterable[object]) -> str:
    return "[" + "; ".join(f"({item})" for item in items) + "]"


def requests(instance: Instance) -> list[str]:
    return [f"Request {r.prompt} {r.output}" for r in instance]


def random_instance(rng: random.Random, common: bool = False) -> Instance:
    n = rng.randint(1, 7)
    prompts = [rng.randint(0, 3)] * n if common else [rng.randint(0, 4) for _ in range(n)]
    outputs = [rng.randint(1, 6) for _ in range(n)]
    least = max(s + o for s, o in zip(prompts, outputs, strict=True))
    return Instance(least + rng.randint(0, 12), prompts, outputs)


def fraction(x: Fraction) -> str:
    return f"({x.numerator} # {x.denominator})"


def phases(plan: SlicePlan) -> str:
    pairs = zip(plan.slices, plan.distances, strict=True)
    return listed(f"Phase {tau} {fraction(d)}" for tau, d in pairs)
