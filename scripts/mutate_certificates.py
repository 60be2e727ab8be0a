"""Change certificates of tiny instances, and see that the checker accepts no false one.

    python scripts/mutate_certificates.py [--count N] [--seed K]

Each mutant is a certificate by one of the rules with something changed, dropped, doubled,
swapped or added, with the hash of its instance repaired or not.  It is refused; or it holds,
and a search over all schedules confirms what it claims (equivalent); or a false claim is
accepted: then the mutant is printed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [
    str(ROOT / "proofs" / "checker"),
    str(ROOT / "tests"),
    str(ROOT / "tests" / "checker"),
]
from mutation import examples, is_true, mutants, repaired  # noqa: E402

from claims import RULES, check  # noqa: E402
from reading import Refused  # noqa: E402

SHARE = 0.15
"""Of the places inside a certificate that are changed."""


def verdict(text: str) -> str:
    """Return "refused", "equivalent" or "accepted" (which is a fault)."""
    try:
        check(text)
    except Refused:
        return "refused"
    return "equivalent" if is_true(json.loads(text)) else "accepted"


def main() -> int:
    """Count verdicts by rule; print them, and every fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=50_000, help="mutants, 50000 by default")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    counts: dict[str, Counter[str]] = {rule: Counter() for rule in RULES}
    began = time.perf_counter()
    tried = 0
    for content in examples(-1, given.seed):
        for new in mutants(content, rng, SHARE):
            for candidate in (new, repaired(new)):
                text = json.dumps(candidate)
                found = verdict(text)
                counts[content["proof"]["rule"]][found] += 1
                tried += 1
                if found == "accepted":
                    print(f"false, but accepted: {text}")
        if tried >= given.count:
            break
    total = Counter[str]()
    for rule, row in counts.items():
        total += row
        print(f"{rule:16} {row['refused']:6} refused {row['equivalent']:6} equivalent")
    print(
        f"{tried} mutants: {total['refused']} refused, {total['equivalent']} equivalent,"
        f" {total['accepted']} accepted; {time.perf_counter() - began:.0f} s"
    )
    return int(total["accepted"] > 0)


if __name__ == "__main__":
    sys.exit(main())
