"""Run every executable companion of the proofs.

python proofs/run.py [--fast]
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
    "paths",
    "holdings",
    "worth",
    "windows",
    "ratio_bounds",
    "sharper_bounds",
    "random_bounds",
    "certified_slices",
    "uniform_bound",
    "online_lower_bound",
    "worst_cases",
)


def run(name: str, fast: bool) -> None:
    """Run one companion; it raises AssertionError if a statement fails."""
    importlib.import_module(name).main(fast)


if __name__ == "__main__":
    if not set(sys.argv[1:]) <= {"--fast"}:
        sys.exit(__doc__)
    sys.path.insert(0, str(Path(__file__).parent))
    for name in COMPANIONS:
        began = time.perf_counter()
        run(name, fast="--fast" in sys.argv)
        print(f"{name}: holds ({time.perf_counter() - began:.1f} s)")
