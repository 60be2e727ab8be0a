"""Find the values of q of proofs/text/online_lower_bound.md, one list for each number of requests.

    python scripts/build_online_bound.py

From q = 0 on, each value is about the largest that proofs/companions/online_lower_bound.py lets
follow the one before.  Writes proofs/data/online_lower_bound.json.
"""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path

from kvopt.model.files import write_text

PROOFS = Path(__file__).parent.parent / "proofs"
sys.path.insert(0, str(PROOFS))
from companions import online_lower_bound as proof  # noqa: E402

ENTRIES = {4: "0.4149", 5: "0.3895", 12: "0.33443", 40: "0.3095", 120: "0.302", 1000: "0.2989"}
"""A c slightly above c_n, by number of requests."""


def follows(before: list[int], w: list[int]) -> bool:
    """Tell whether weights may follow others: see `check_descent`."""
    fall = 0
    for x, y in zip(before, w, strict=True):
        fall += x - y
        if fall > proof.SCALE - w[0]:
            return False
    return w[0] < proof.SCALE


def descent(n: int, c: Fraction, denominator: int) -> list[int] | None:
    """Return numerators of values of q, or None if the denominator is too small."""
    steps, width = [0], 1
    before = proof.weights(n, c, Fraction(0))
    while max(before) > proof.SCALE:
        width = min(2 * width, denominator - 1 - steps[-1])
        while width and not follows(
            before, w := proof.weights(n, c, Fraction(steps[-1] + width, denominator))
        ):
            width //= 2
        if not width:
            return None
        before = w
        steps.append(steps[-1] + width)
    return steps


def main() -> None:
    entries = []
    for n, text in ENTRIES.items():
        c, denominator = Fraction(text), 2**10
        while (steps := descent(n, c, denominator)) is None:
            denominator *= 2
        proof.check_descent(n, c, [Fraction(a, denominator) for a in steps])
        entry = {"requests": n, "c": text, "denominator": denominator, "steps": steps}
        entries.append(json.dumps(entry))
        print(n, c, len(steps), denominator, float(1 + 1 / c))
    write_text(proof.DATA, "[\n" + ",\n".join(entries) + "\n]\n")


if __name__ == "__main__":
    main()
