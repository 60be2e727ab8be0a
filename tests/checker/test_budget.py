"""What a file may take: one budget of steps and one of memory, for every rule."""

from __future__ import annotations

import json
import subprocess
import sys
import time
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
)
from mutation import repaired

from budget import Budget
from claims import check
from reading import Refused

ROOT = Path(__file__).parents[2]
CHECKER = ROOT / "proofs" / "checker"
BY_RULE: dict[str, dict[str, Any]] = {
    content["proof"]["rule"]: content
    for content in (
        *(SOUND, AGGREGATE_STATE, BATCH_STATE, BLOCKS, DEMAND_DUALS),
        *(COARSE_BATCH_STATE, DOMINANCE, EVENT_ORDER, PROPAGATION),
        {**SOUND, "proof": {"rule": "exhaustive", "states": 99}},
        {**SOUND, "lower_bound": 9, "proof": {"rule": "busy-time", "weights": "slots"}},
    )
}


@pytest.mark.parametrize("rule", sorted(BY_RULE))
def test_a_check_takes_what_it_says_and_no_more(rule: str) -> None:
    text = json.dumps(BY_RULE[rule])
    check(text, budget := Budget())
    needed = budget.steps - budget.left
    assert len(text) < needed < 100_000
    check(text, Budget(needed))
    with pytest.raises(Refused, match=f"^takes more than {needed - 1} steps to check$"):
        check(text, Budget(needed - 1))


@pytest.mark.parametrize("rule", sorted(BY_RULE))
def test_less_memory_than_it_needs_is_refused(rule: str) -> None:
    text = json.dumps(BY_RULE[rule])
    check(text, Budget(megabytes=1))
    with pytest.raises(Refused, match="^takes more than 0 MB of memory to check$"):
        check(text, Budget(megabytes=0))


def test_the_command_raises_and_lowers_the_limits(tmp_path: Path) -> None:
    file = tmp_path / "sound.json"
    file.write_text(json.dumps(SOUND))
    for options, said in (
        ([], "holds: "),
        (["--max-steps", "100"], "REFUSED: takes more than 100 steps to check"),
        (["--max-memory", "0"], "REFUSED: takes more than 0 MB of memory to check"),
        (["--max-steps", "1000000000000", "--max-memory", "2000"], "holds: "),
    ):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", CHECKER, *options, file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.startswith(f"{file}: {said}")
        assert done.stderr == ""


def by_dominance(
    memory: int, requests: list[tuple[int, int, int]], begins: tuple[int, ...] = (0,)
) -> str:
    """A certificate of (prompt, output, count), all duals 0, that claims too much."""
    duals = [[s, o, 0, 0] for s, o, _ in requests]
    sets = [{"from": t, "duals": duals} for t in begins]
    listed = [{"prompt": s, "output": o, "count": n} for s, o, n in requests]
    proof = {"rule": "dominance", "scale": 1, "horizon": 2, "duals": sets, "nodes": 10**6}
    instance = {"memory": memory, "requests": listed}
    content = {"format": "kvopt-certificate/2", "instance": instance, "instance_sha256": ""}
    return json.dumps(repaired({**content, "lower_bound": 10**9, "proof": proof}))


def test_duals_from_after_the_horizon_give_no_memory_back() -> None:
    text = by_dominance(5, [(0, 3, 3)], (0, 10**6))
    with pytest.raises(Refused, match="a schedule costs less"):
        check(text, budget := Budget())
    assert budget.room < 900_000_000


@pytest.mark.parametrize(
    ("memory", "requests", "megabytes"),
    [
        (5770, [(s, 1, 1) for s in range(2000, 2400)], 200),  # many prompts, 80,000 batches
        (2000, [(0, 1, 1000)], 900),  # many who are alike at once
        (6666, [(3400, o, 1) for o in range(2966, 3266)], 900),  # wide profiles, few of which fit
    ],
)
def test_dominance_pays_for_what_it_does(
    memory: int, requests: list[tuple[int, int, int]], megabytes: int
) -> None:
    text = by_dominance(memory, requests)
    begin = time.process_time()
    with pytest.raises(Refused, match="takes more than|a schedule costs less"):
        check(text, Budget(90_000_000, megabytes))
    assert time.process_time() - begin < 9


def test_rounds_without_edges_are_paid_for_too() -> None:
    """One type that pays for five million rounds, whose graph has few edges."""
    instance = {"memory": 6, "requests": [{"prompt": 1, "output": 2}]}
    proof = {"rule": "blocks", "scale": 1, "memory": [[1, 3]], "blocks": [[[1, 2, 5_000_000]]]}
    content = repaired({**SOUND, "instance": instance, "lower_bound": 0, "proof": proof})
    del content["upper_bound"], content["starts"]
    with pytest.raises(Refused, match="takes more than 300000000 steps to check"):
        check(json.dumps(content), Budget(300_000_000))
