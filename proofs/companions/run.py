"""Run the executable companions of the proofs: all, or those named.

python proofs/companions/run.py [--fast] [--write] [NAME...]
python proofs/companions/run.py --table

--write keeps how many cases each check was given, in docs/results/companions.json; --table prints
that file as a table in Markdown, for docs/results/companions.md (scripts/build_pages.py).
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from kvopt.model.files import write_text

COUNTS = Path(__file__).parents[2] / "docs" / "results" / "companions.json"

COMPANIONS = (
    "model",
    "pipeline",
    "lower_bounds",
    "state_search",
    "aggregate_state",
    "batch_state",
    "coarse_batch_state",
    "coarse_aggregate_state",
    "demand_duals",
    "propagation",
    "first_completion",
    "knapsack_rows",
    "event_order",
    "release_times",
    "ratio_bounds",
    "sharper_bounds",
    "area_and_length",
    "random_bounds",
    "certified_slices",
    "uniform_bound",
    "geometric_slices",
    "online_lower_bound",
    "worst_cases",
    "mixed_prompts",
    "area_batches",
    "mixed_non_clairvoyant",
    "split_memory",
    "early_release",
)


def checks_of(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """Return the checks that a companion makes: functions named check..., its own or not."""
    return {
        name: value
        for name, value in vars(module).items()
        if name.startswith("check") and inspect.isfunction(value)
    }


def run(name: str, fast: bool) -> Counter[str]:
    """Run one companion; it raises AssertionError if a statement fails.

    Returns
    -------
    Counter
        How many cases each of its checks was given, from whatever function of the companion.
    """
    module = importlib.import_module(f"companions.{name}")
    counts: Counter[str] = Counter()

    def counted(check: Callable[..., Any], label: str) -> Callable[..., Any]:
        @functools.wraps(check)
        def call(*args: Any, **given: Any) -> Any:
            counts[label] += 1
            return check(*args, **given)

        return call

    checks = checks_of(module)
    try:
        for label, check in checks.items():
            setattr(module, label, counted(check, label))
        module.main(fast)
    finally:
        for label, check in checks.items():
            setattr(module, label, check)
    return counts


def stored() -> dict[str, dict[str, dict[str, int]]]:
    """Return {companion: {"fast" or "full": {check: cases}}} as docs/results has it."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    if COUNTS.exists():
        found = json.loads(COUNTS.read_text())
    return found


def keep(name: str, fast: bool, counts: Counter[str]) -> None:
    """Write the numbers of a companion in the place of those there are."""
    every = stored()
    every.setdefault(name, {})["fast" if fast else "full"] = dict(sorted(counts.items()))
    ordered = {known: every[known] for known in COMPANIONS if known in every}
    write_text(COUNTS, json.dumps(ordered, indent=1) + "\n")


def subject(check: Callable[..., Any], name: str) -> str:
    """Return the first line of what a check of a companion says of itself, without its full stop.

    If it is that of another document, its name comes first.
    """
    said = inspect.getdoc(check) or check.__name__.removeprefix("check_").replace("_", " ")
    own = check.__module__.rpartition(".")[2]
    other = f"{own}.md, " if own in COMPANIONS and own != name else ""
    return other + said.partition("\n")[0].rstrip(".").replace("|", "/")


def table() -> str:
    """Return the stored numbers as a table."""
    lines = ["| document | check | cases, in the tests | cases, in full |", "|---|---|---:|---:|"]
    for name, runs in stored().items():
        checks = checks_of(importlib.import_module(f"companions.{name}"))
        fast, full = runs.get("fast", {}), runs.get("full", {})
        for label in sorted(fast.keys() | full.keys()):
            cells = [f"{run[label]:,}" if label in run else "-" for run in (fast, full)]
            lines.append(f"| {name} | {subject(checks[label], name)} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    if "--table" in sys.argv:
        print(table())
        sys.exit()
    wanted = [name for name in sys.argv[1:] if name not in ("--fast", "--write")]
    if not set(wanted) <= set(COMPANIONS):
        sys.exit(f"{__doc__}\nNAME: one of {', '.join(COMPANIONS)}")
    for name in wanted or COMPANIONS:
        began = time.perf_counter()
        counts = run(name, fast="--fast" in sys.argv)
        print(f"{name}: holds ({time.perf_counter() - began:.1f} s)", flush=True)
        if "--write" in sys.argv:
            keep(name, "--fast" in sys.argv, counts)
