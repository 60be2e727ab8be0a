"""Let all exact solvers solve small random instances with release times, and say who agrees.

    python scripts/witness_releases.py FILE [--write] [--count 300]

Prints the table of FILE; with `--write` the instances are solved first, and FILE is written.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from small_instances import optimum_of, random_released_instance  # noqa: E402

from kvopt import Instance, Stopping, solve, violations  # noqa: E402
from kvopt.certificates.solve import solve_certified  # noqa: E402
from kvopt.certificates.write import checked_certificate  # noqa: E402
from kvopt.model.files import write_text  # noqa: E402
from kvopt.solver.hindsight_stage import solve_by_program  # noqa: E402
from kvopt.solver.primal.list_schedules import best_list_schedule  # noqa: E402
from kvopt.solver.relaxations.batch_state.stage import BatchState  # noqa: E402
from kvopt.solver.releases.search import solve_by_release_search  # noqa: E402
from kvopt.solver.result import Result  # noqa: E402
from kvopt.solver.stage import run_alone  # noqa: E402

LIMIT = 60.0


def by_batch_states(instance: Instance) -> Result:
    known = best_list_schedule(instance)
    return run_alone(BatchState(), instance, known, Stopping(LIMIT))


WITNESSES: dict[str, Callable[[Instance], Result]] = {
    "hindsight program (HiGHS)": lambda instance: solve_by_program(
        instance, best_list_schedule(instance), Stopping(LIMIT)
    ),
    "search with a clock": lambda instance: solve_by_release_search(
        instance, best_list_schedule(instance), Stopping(LIMIT)
    ),
    "batch states": by_batch_states,
    "`solve`": lambda instance: solve(instance, LIMIT),
    "`solve`, certified and checked": lambda instance: solve_certified(instance, LIMIT),
}


def measured(count: int) -> dict[str, dict[str, float]]:
    """Return for each witness on how many instances it agrees, and its median milliseconds."""
    rng = random.Random(21)
    agree = dict.fromkeys(WITNESSES, 0)
    seconds: dict[str, list[float]] = {name: [] for name in WITNESSES}
    for _ in range(count):
        instance = random_released_instance(rng, most=5, memory=12, latest=10)
        best = optimum_of(instance)
        for name, witness in WITNESSES.items():
            began = time.process_time()
            result = witness(instance)
            seconds[name].append(time.process_time() - began)
            right = result.lower_bound == result.objective == best
            right = right and violations(result.schedule) == []
            if "certified" in name:
                right = right and checked_certificate(result)["lower_bound"] == best
            agree[name] += right
    return {
        name: {
            "instances": count,
            "agree": agree[name],
            "median ms": round(1000 * statistics.median(seconds[name]), 2),
        }
        for name in WITNESSES
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--count", type=int, default=300)
    options = parser.parse_args()
    if options.write:
        write_text(options.file, json.dumps(measured(options.count), indent=2) + "\n")
    rows = json.loads(options.file.read_text())
    print("| witness | instances | proves the same optimum | median ms |\n|---|--:|--:|--:|")
    for name, row in rows.items():
        print(f"| {name} | {row['instances']} | {row['agree']} | {row['median ms']} |")


if __name__ == "__main__":
    main()
