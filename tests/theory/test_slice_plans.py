from __future__ import annotations

import json
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from companions.checking import checker

from kvopt import Instance, policy_from_spec, simulate
from kvopt.certificates.checker import refusal
from kvopt.cli import main
from kvopt.theory.pipeline import SPACINGS, slices_up_to, utilisation
from kvopt.theory.slice_plans import best_plan, class_bound, phase_bound, plan_of, plan_to_json

check = checker().check
Refused = checker().Refused


def content(prompt: int, memory: int, spacing: str = "sps") -> dict[str, Any]:
    return plan_to_json(best_plan(prompt, memory, spacing))


@pytest.mark.parametrize("spacing", list(SPACINGS))
@pytest.mark.parametrize(
    ("prompt", "memory"), [(0, 1), (0, 2), (3, 4), (0, 23), (24, 80), (49, 100), (50, 100)]
)
def test_certificates_hold(prompt: int, memory: int, spacing: str) -> None:
    plan = best_plan(prompt, memory, spacing)
    claim = check(json.dumps(plan_to_json(plan)))
    assert claim.bound == plan.bound < 9
    assert claim.longest == memory - prompt
    assert "at most" in refusal(json.dumps(plan_to_json(plan)))[0]


def test_better_than_doubling() -> None:
    for prompt, memory in ((0, 64), (5, 300), (79, 8192), (0, 10**6)):
        longest = memory - prompt
        doubling = slices_up_to(longest, lambda p: 2**p, longest)
        distances = [SPACINGS["sps"](prompt, t, memory) for t in doubling]
        plan = plan_of(prompt, memory, doubling, distances)
        assert plan is not None
        assert best_plan(prompt, memory, "sps").bound < plan.bound


def mutants(good: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    """Return copies with one number changed, a phase more, less, twice, or in another place."""
    found = []

    def change(edit: Callable[[dict[str, Any]], None]) -> None:
        copy = json.loads(json.dumps(good))
        edit(copy)
        found.append(copy)

    def shifted(text: str) -> str:
        p, q = map(int, text.split("/"))
        return rng.choice((f"{p + 1}/{q}", f"{max(p - 1, 0)}/{q}", f"{p}/{q + 1}", f"{q}/{p or 1}"))

    for key in ("area_weight", "factor", "bound"):
        for _ in range(4):
            change(lambda c, key=key: c.update({key: shifted(c[key])}))  # type: ignore[misc]
    for key in ("prompt", "memory"):
        for step in (-1, 1, 7):
            change(lambda c, key=key, s=step: c.update({key: c[key] + s}))  # type: ignore[misc]
    for i in range(len(good["phases"])):
        change(lambda c, i=i: c["phases"].pop(i))  # type: ignore[misc]
        change(lambda c, i=i: c["phases"].insert(i, c["phases"][i]))  # type: ignore[misc]
        for step in (-1, 1):
            change(lambda c, i=i, s=step: c["phases"][i].__setitem__(0, c["phases"][i][0] + s))  # type: ignore[misc]
        for _ in range(4):
            change(lambda c, i=i: c["phases"][i].__setitem__(1, shifted(c["phases"][i][1])))  # type: ignore[misc]
    return found


def true(claimed: dict[str, Any]) -> bool:
    """Return whether the package, which computes the bound in another way, agrees with a claim."""
    slices = [t for t, _ in claimed["phases"]]
    distances = [Fraction(d) for _, d in claimed["phases"]]
    memory, prompt = claimed["memory"], claimed["prompt"]
    for slice, d in zip(slices, distances, strict=True):
        starts = range(-(-slice // d) if d else 0)
        if sum(prompt + slice - int(j * d) for j in starts) > memory:
            return False
    plan = plan_of(prompt, memory, slices, distances)
    return plan is not None and plan.bound <= Fraction(claimed["bound"]) + Fraction(1, 500)


@pytest.mark.parametrize(
    ("prompt", "memory", "spacing"), [(0, 23, "sps"), (24, 80, "tight"), (30, 100, "sps2")]
)
def test_no_mutant_is_accepted_unless_it_is_true(prompt: int, memory: int, spacing: str) -> None:
    accepted = 0
    changed = mutants(content(prompt, memory, spacing), random.Random(memory))
    for mutant in changed:
        try:
            check(json.dumps(mutant))
        except Refused:
            continue
        accepted += 1
        assert true(mutant), mutant
    assert accepted < len(changed) / 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "kvopt-slices/2"}, "format"),
        ({"prompt": True}, "prompt"),
        ({"prompt": 23}, "memory"),
        ({"memory": 23.0}, "integers"),
        ({"memory": 10**30}, "memory"),
        ({"area_weight": "2/1"}, "area_weight"),
        ({"factor": "1/0"}, "factor"),
        ({"factor": "-1/2"}, "factor"),
        ({"factor": 9}, "factor"),
        ({"bound": "1/1"}, "bound"),
        ({"bound": "NaN"}, "bound"),
        ({"phases": []}, "phases"),
        ({"phases": [[1, "1/1"], [1, "1/1"]]}, "phases"),
        ({"phases": [[1, "0/1"]]}, "phases"),
        ({"phases": [[5, "9/1"]]}, "phases"),
        ({"phases": [[1]]}, "phases"),
        ({"phases": [[5, "1/1000000000000"]]}, "phases"),
        ({"phases": "all"}, "phases"),
        ({"more": 1}, "unknown key"),
    ],
)
def test_malformed_certificates_are_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        check(json.dumps({**content(0, 23), **change}))


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"a": 1, "a": 1}', "[" * 10**5, b"\xff"])
def test_what_is_no_certificate_is_refused(text: str | bytes) -> None:
    with pytest.raises(Refused):
        check(text)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "slices.json"
    assert main(["slices", "--memory", "80", "--prompt", "24", "-o", str(file), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["bound_float"] < 9
    assert main(["slices", "--memory", "80"]) == 0
    assert "at most" in capsys.readouterr().out
    assert main(["verify", str(file)]) == 0
    assert "ok: certificate" in capsys.readouterr().out
    file.write_text(file.read_text().replace('"bound": "', '"bound": "1'))
    assert main(["verify", str(file)]) == 0  # a larger bound is still true
    file.write_text(file.read_text().replace('"bound": "1', '"bound": "'))
    file.write_text(file.read_text().replace('"memory": 80', '"memory": 60'))
    assert main(["verify", str(file)]) == 1
    capsys.readouterr()
    assert main(["slices", "--memory", "80", "--prompt", "80"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_bounds_of_a_run_are_those_of_its_slices() -> None:
    instance = Instance(80, [24] * 4, [50, 3, 1, 56])
    plan = best_plan(24, 80, "tight")
    policy = policy_from_spec("gsa:slices=certified:spacing=tight")
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    bound = phase_bound(24, 80, plan.slices, plan.distances)
    assert bound is not None
    assert guarantee.bound == bound < plan.bound  # theorem 9 and theorem 6
    starts = {a.end - a.start for a in simulate(instance, policy) if a.killed}
    assert starts <= set(plan.slices)


def test_only_the_lengths_there_are_count() -> None:
    lengths = [1, 5, 40]
    distances = [SPACINGS["tight"](3, t, 100) for t in lengths]
    some = class_bound(3, 100, lengths, distances, False, lengths)
    assert some < class_bound(3, 100, lengths, distances, False)
    assert utilisation(3, 100, lengths, distances) > Fraction(1, 2)
