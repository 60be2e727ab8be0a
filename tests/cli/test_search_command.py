"""kvopt search."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import pytest
from command_line import Run, parsed


def test_search(run: Run) -> None:
    arguments = ["search", "--policy", "gsa:alpha=2", "--requests", 5, "--memory", 10]
    arguments += ["--restarts", 2, "--seed", 5, "--json"]
    answer = parsed(run(*arguments, "-o", "worst.json"))
    assert answer == parsed(run(*arguments))
    assert answer["ratio_float"] > 3
    assert Fraction(answer["ratio"]) == Fraction(answer["cost"], answer["upper_bound"])
    assert answer["verdict"] == "within"
    ratios = [Fraction(step["ratio"]) for step in answer["history"]]
    assert ratios == sorted(set(ratios))
    again = parsed(run("ratio", "worst.json", "--policy", "gsa:alpha=2", "--json"))
    assert again["rows"][0]["ratio_low"] == answer["ratio"]


def test_search_against_another_policy(run: Run) -> None:
    arguments = ["search", "--policy", "fcfs", "--against", "mc-sf", "--restarts", 1]
    answer = parsed(run(*arguments, "--json"))
    assert Fraction(answer["ratio"]) == Fraction(answer["cost"], answer["against_cost"]) > 1
    code, out, _ = run(*arguments)
    assert code == 0
    assert "times mc-sf" in out


def test_search_resumes_from_its_store(run: Run) -> None:
    arguments = ["search", "--policy", "gsa", "--requests", 4, "--memory", 8, "--json"]
    whole = parsed(run(*arguments, "--restarts", 3))
    parsed(run(*arguments, "--restarts", 1, "--store", "finds.db"))
    resumed = parsed(run(*arguments, "--restarts", 3, "--store", "finds.db"))
    assert (whole.pop("from_store"), resumed.pop("from_store")) == (0, 1)
    assert resumed == whole
    # Everything is in the store now: no time is needed.
    arguments += ["--restarts", 3, "--store", "finds.db"]
    whole["from_store"] = 3
    assert parsed(run(*arguments, "--budget", 1e-9)) == whole
    assert parsed(run(*arguments, "--time-limit", 1e-9)) == whole


def test_an_unwritable_output_is_refused_before_the_work(run: Run, small: Path) -> None:
    began = time.perf_counter()
    code, _, err = run("search", "--policy", "gsa", "--budget", 30, "-o", "no/where.json")
    assert (code, err) == (2, "kvopt: no/where.json: cannot be written: No such folder\n")
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize("method", ["local", "exhaustive"])
def test_a_policy_that_misbehaves_is_shown_with_the_instance(run: Run, method: str) -> None:
    """It can be put into a file, and the policy be run on it."""
    Path("careless.py").write_text(
        "from kvopt import Policy, Wait\n"
        "class Careless(Policy):\n"
        "    name, clairvoyant = 'careless', False\n"
        "    def run(self, machine):\n"
        "        for request in machine.waiting().tolist()[:2]:\n"
        "            machine.start(request)\n"
        "        yield Wait()\n"
    )
    options = ("--method", method, "--requests", 4, "--memory", 8, "--time-limit", 60)
    code, out, err = run("search", "--policy", "careless:Careless", *options)
    assert (code, out) == (1, "")
    reason, _, instance = err.rstrip().partition(", on ")
    Path("bad.json").write_text(instance)
    code, _, again = run("simulate", "bad.json", "--policy", "careless:Careless")
    assert (code, again.rstrip()) == (1, reason)
