"""Run the executable companions of the proofs: all, or those named.

python proofs/companions/run.py [--fast] [NAME...]
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

COMPANIONS = (
    "model",
    "pipeline",
    "lower_bounds",
    "state_search",
    "aggregate_state",
    "batch_state",
    "coarse_batch_state",
    "demand_duals",
    "propagation",
    "first_completion",
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
    "early_release",
)


def run(name: str, fast: bool) -> None:
    """Run one companion; it raises AssertionError if a statement fails."""
    importlib.import_module(f"companions.{name}").main(fast)


if __name__ == "__main__":
    wanted = [name for name in sys.argv[1:] if name != "--fast"]
    if not set(wanted) <= set(COMPANIONS):
        sys.exit(f"{__doc__}\nNAME: one of {', '.join(COMPANIONS)}")
    sys.path.insert(0, str(Path(__file__).parent.parent))
    for name in wanted or COMPANIONS:
        began = time.perf_counter()
        run(name, fast="--fast" in sys.argv)
        print(f"{name}: holds ({time.perf_counter() - began:.1f} s)")
