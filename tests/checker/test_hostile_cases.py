"""Files made to take minutes or gigabytes, to crash, or to forge: one line, in seconds."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from budget import Budget
from claims import check
from limits import MAX_STEPS

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases"
STEPS = f"takes more than {MAX_STEPS} steps to check"


def run_alone(file: Path, *options: str) -> str:
    """Return the checker's only line; it has 1 GB and a minute of processor time."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(ROOT / "proofs" / "checker"), *options, str(file)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"{file}: REFUSED: ")
    assert done.stdout.endswith("\n")
    assert done.stdout.count("\n") == 1
    assert done.stdout.isascii()
    return done.stdout.strip().removeprefix(f"{file}: REFUSED: ")


@pytest.mark.parametrize(
    ("name", "rule", "reason"),
    [
        ("d2b_windows_count", "propagation", STEPS),
        ("d4b_exh", "exhaustive", STEPS),
        ("d7_worth", "demand-duals", STEPS),
    ],
)
def test_work_is_bounded_where_it_is_done(name: str, rule: str, reason: str) -> None:
    file = CASES / "hostile" / f"{name}.json"
    content = json.loads(file.read_text())
    assert (content["format"], content["proof"]["rule"]) == ("kvopt-certificate/2", rule)
    fewer = ("--max-steps", str(MAX_STEPS // 100)) if rule == "exhaustive" else ()
    assert run_alone(file, *fewer) == (reason.replace("00", "", 1) if fewer else reason)


def test_a_true_claim_costs_nothing_however_large_the_memory() -> None:
    file = CASES / "hostile" / "d1_holdings_mem.json"
    budget = Budget()
    assert str(check(file.read_bytes(), budget)) == "the optimum is at least 1 (batch-state)"
    assert budget.steps - budget.left < 10_000


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("e14_surrslices", "'\\ud800'"),
        ("f1_forged_line", "'\\nz.json: ok: 1 phases cost at most 1 tim'"),
    ],
)
def test_what_is_shown_is_escaped(name: str, shown: str) -> None:
    file = CASES / "hostile" / f"{name}.json"
    assert json.loads(file.read_text())["format"] == "kvopt-slices/1"
    assert run_alone(file) == f"prompt: must be an integer from 0 to 999999999, got {shown}"


def test_text_for_coq_is_no_number() -> None:
    reason = run_alone(CASES / "coq_injection.json")
    assert reason.startswith("proof.second_moments: must be an integer from 0 to ")


@pytest.mark.parametrize("folder", ["hall-false-decimal", "hall-names-a-module/inst"])
def test_certificates_of_false_records_are_right(folder: str) -> None:
    """What is wrong there is what the record says, not the certificate beside it."""
    files = sorted((CASES / folder).glob("worst/certificates/*.json"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(ROOT / "proofs" / "checker"), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.count(": holds: ")) == (0, 1)
