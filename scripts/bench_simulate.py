"""Measure the simulator: how time grows with the number of requests, and against the textbook.

    python scripts/bench_simulate.py [--trace FILE] [--policy A,B] [--requests N,N,...]

Lengths come from a trace in the "lengths" format (repeated as often as needed), or else
are drawn from a log-normal distribution. Every row is the median of three runs in this
process. The last column compares the policies that decide round by round with their
literal versions in tests/textbook.py, on the first 200 requests.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kvopt import Instance, policy_from_spec, simulate
from kvopt.report import text_table
from kvopt.traces import FORMATS, Selection, import_trace

sys.path.append(str(Path(__file__).parent.parent / "tests"))

PROMPT, MEMORY = 79, 8192
TEXTBOOK_REQUESTS = 200


def lengths(trace: Path | None) -> np.ndarray:
    """Return output lengths (tokens): those of a trace, or made-up ones."""
    if trace is not None:
        selection = Selection(prompt=PROMPT, oversize="drop")
        return import_trace(FORMATS[0], trace, MEMORY, selection).instance.outputs
    rng = random.Random(0)
    drawn = [max(1, round(rng.lognormvariate(5.0, 1.0))) for _ in range(20_000)]
    return np.minimum(drawn, MEMORY - PROMPT)


def median_seconds(work: Callable[[], object]) -> float:
    """Return the median time of three runs (seconds)."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def textbook_seconds(spec: str, instance: Instance) -> float | None:
    """Return the time of the textbook version of a policy, if there is one (seconds)."""
    import textbook

    version = {"mc-sf": textbook.mc_sf, "fcfs": textbook.fcfs}.get(spec)
    if version is None:
        return None
    requests = [(r.prompt, r.output) for r in instance]
    return median_seconds(lambda: version(instance.memory, requests))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trace", type=Path)
    parser.add_argument("--policy", default="gsa,gba,mc-sf,fcfs")
    parser.add_argument("--requests", default="1000,10000,100000")
    options = parser.parse_args()
    outputs = lengths(options.trace)
    rows = []
    for spec in options.policy.split(","):
        policy = policy_from_spec(spec)
        before: tuple[int, float] | None = None
        small = Instance(MEMORY, [PROMPT] * TEXTBOOK_REQUESTS, outputs[:TEXTBOOK_REQUESTS])
        ours = median_seconds(lambda: simulate(small, policy))  # noqa: B023  # used at once
        theirs = textbook_seconds(spec, small)
        against = "-" if theirs is None else f"{theirs / ours:.0f} times"
        for n in map(int, options.requests.split(",")):
            instance = Instance(MEMORY, np.full(n, PROMPT), np.resize(outputs, n))
            attempts = len(simulate(instance, policy))
            seconds = median_seconds(lambda: simulate(instance, policy))  # noqa: B023
            growth = "-"
            if before is not None:
                growth = f"{seconds / before[1]:.1f} for {n / before[0]:.0f} times the requests"
            rows.append([spec, str(n), str(attempts), f"{seconds:.2f} s", growth, against])
            before, against = (n, seconds), ""
    heads = ("policy", "requests", "attempts", "time", "growth", "faster than the textbook")
    print(text_table(heads, rows, right="lrrrlr"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory of the process: {peak} MB")


if __name__ == "__main__":
    main()
