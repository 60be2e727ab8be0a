"""Find the weights of proofs/text/online_lower_bound.md by linear programming.

    python scripts/build_online_bound.py [--requests N] [--length K]

Writes proofs/data/online_lower_bound.json; proofs/companions/online_lower_bound.py checks it in
integers.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
from scipy.optimize import linprog

from kvopt.model.files import write_text

FILE = Path(__file__).parent.parent / "proofs" / "data" / "online_lower_bound.json"
SCALE = 10**12


def weights(n: int, length: int, c: float) -> np.ndarray | None:
    """Return weights 0..length whose slopes are negative everywhere, or None."""
    size = length + 1
    rows = np.zeros((size + n, size))
    for row, i in enumerate(range(-n, size)):
        for j in range(max(i, 0), min(i + n, size)):
            rows[row, j] += 1
        if 0 <= i + n < size:
            rows[row, i + n] -= n
        if i >= 0:
            rows[row, i] -= c * n
    rows = rows[1:]  # the row of i = -n is -n w_0 <= 0
    found = linprog(
        np.zeros(size),
        A_ub=rows,
        b_ub=np.full(len(rows), -1e-8),
        A_eq=np.ones((1, size)),
        b_eq=[1.0],
    )
    return found.x if found.status == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--length", type=int, default=360)
    options = parser.parse_args()
    n = options.requests
    low, high = 0.2, 0.5
    while high - low > 1e-4:
        middle = (low + high) / 2
        if weights(n, options.length, middle) is None:
            low = middle
        else:
            high = middle
    c = math.ceil(high * 10**4 + 1) / 10**4
    w = weights(n, options.length, c)
    assert w is not None
    # The slopes are at most -1e-8, which is more than what rounding adds.
    integers = [round(x / w.max() * SCALE) for x in w]
    p = round(c * 10**4) + 1
    write_text(FILE, json.dumps({"requests": n, "c": f"{p}/10000", "weights": integers}) + "\n")
    print(n, c, 1 + 10**4 / p)


if __name__ == "__main__":
    main()
