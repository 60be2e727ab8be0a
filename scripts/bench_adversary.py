"""Measure the adversary: evaluations a second, and what it finds from a cold start.

    python scripts/bench_adversary.py [--seconds 2] [--search 60] [--write]

Evaluations are costs of random instances of at most 12 requests and 24 tokens, the same ones
for every way; they take turns in one process, so that ratios mean something on a busy
machine. `--search S` searches S seconds for each target. `--write` makes
docs/results/adversary-speed.md.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from kvopt import Stopping, policy_from_spec, simulate
from kvopt.adversary import Candidate, Limits, SearchConfiguration, improvements, prepare, search
from kvopt.adversary.closed_forms import compiled, plain, upper_bound
from kvopt.adversary.score import cost_function
from kvopt.model.files import write_text
from kvopt.theory.decimals import rounded_down

PAGE = Path(__file__).parent.parent / "docs" / "results" / "adversary-speed.md"

TARGETS = (
    (SearchConfiguration("gsa:alpha=2", None, Limits(12, 24), 1, exact=True), 7.3),
    (SearchConfiguration("gsa:alpha=phi", None, Limits(12, 24), 1, exact=True), 7.0),
    (SearchConfiguration("gba:alpha=2", None, Limits(12, 24), 1, exact=True), 4.6),
    (SearchConfiguration("gsa:alpha=2", None, Limits(60_000, 1600), 1, "families"), 14.5),
    (SearchConfiguration("gsa", None, Limits(60_000, 800), 1, "families"), 12.0),
    (SearchConfiguration("gba", None, Limits(5_000, 400), 1, "families"), 3.9),
)
ROUNDS = 5
SAMPLE = 400


def sample() -> list[Candidate]:
    rng = random.Random(1)
    candidates = []
    for _ in range(SAMPLE):
        memory = rng.randint(2, 24)
        prompt = rng.randint(0, min(3, memory - 1))
        n = rng.randint(1, 12)
        outputs = [rng.randint(1, memory - prompt) for _ in range(n)]
        candidates.append(Candidate.from_requests(memory, [prompt] * n, outputs))
    return candidates


def rate(work: Callable[[Candidate], object], candidates: list[Candidate], seconds: float) -> float:
    """Return how many candidates a second are done."""
    done = 0
    began = time.process_time()
    while (spent := time.process_time() - began) < seconds:
        for candidate in candidates[:50]:
            work(candidate)
        candidates = candidates[50:] + candidates[:50]
        done += 50
    return done / spent


def rates(seconds: float) -> list[str]:
    """Return lines of a table: evaluations a second of CPU time, and ratios to the simulator."""
    candidates = sample()
    lines = [
        "| policy | simulator | formula, plain | formula, compiled | compiled / simulator |",
        "|---|---|---|---|---|",
    ]
    for spec in ("gsa", "gsa:alpha=2", "gba", "gba:alpha=2", "mc-sf", "fcfs"):
        policy = policy_from_spec(spec)
        ways = [
            lambda candidate, policy=policy: simulate(
                candidate.instance(), policy
            ).total_completion_time(),
            cost_function(policy, plain),
            cost_function(policy, compiled),
        ]
        for candidate in candidates:
            assert len({way(candidate) for way in ways}) == 1
        turns = [[rate(way, candidates, seconds / ROUNDS) for way in ways] for _ in range(ROUNDS)]
        medians = [statistics.median(turn[k] for turn in turns) for k in range(3)]
        factor = statistics.median(turn[2] / turn[0] for turn in turns)
        cells = [spec, *(f"{value:,.0f}" for value in medians), f"{factor:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    bound = rate(lambda one: upper_bound(one.memory, *one.arrays()), candidates, seconds)
    lines += ["", f"The best of the quick schedules, to compare to: {bound:,.0f} a second."]
    return lines


def found(seconds: float) -> list[str]:
    """Return lines of a table: the worst instance found for each target."""
    lines = [
        "| policy | method | requests | memory | asked | found | seconds | evaluations a second |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for configuration, asked in TARGETS:
        prepare(configuration)
        began = time.perf_counter()
        units = search(configuration, Stopping(seconds))
        spent = time.perf_counter() - began
        best = improvements(units)[-1].ratio
        limits = configuration.limits
        evaluations = sum(unit.evaluations for unit in units) / spent
        cells = [configuration.policy, configuration.method, limits.requests, limits.memory, asked]
        cells += [rounded_down(best, 3), f"{spent:.0f}", f"{evaluations:,.0f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--search", type=float, default=60)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    evaluations = rates(options.seconds)
    print("\n".join(evaluations))
    searches = found(options.search)
    if options.write:
        head = "# How fast the adversary is\n\nBy `python scripts/bench_adversary.py --write`."
        what = "Costs of instances of at most 12 requests and 24 tokens, a second and core:"
        cold = "From a cold start, seed 1, one process, compiled functions at hand:"
        text = "\n\n".join((head, what, "\n".join(evaluations), cold, "\n".join(searches)))
        write_text(PAGE, text + "\n")


if __name__ == "__main__":
    main()
