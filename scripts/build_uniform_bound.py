"""Find the slices of proofs/text/uniform_bound.md, one list for each stretch of sigma.

    python scripts/build_uniform_bound.py

A dynamic program in floating point proposes them; proofs/companions/uniform_bound.py proves in
fractions that they do, and an interval of sigma for which that fails is halved.  Writes
proofs/data/uniform_bound.json.  Takes some minutes.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kvopt.model.files import write_text

PROOFS = Path(__file__).parent.parent / "proofs"
sys.path.insert(0, str(PROOFS))
from companions import uniform_bound as proof  # noqa: E402

MARGIN = 1e-7
R = float(proof.RATIO)


def rational(x: float) -> str:
    """Return a fraction close to x, with few digits; a third exactly."""
    if x == 1 / 3:
        return "1/3"
    return str(Fraction(round(x * 10**7), 10**7))


def chain(
    sizes: np.ndarray,
    distance: Callable[[float], float],
    weight: Callable[[float], float],
    left: Callable[[float, float], float],
    carry0: float,
    wait0: float,
    goal: Callable[[float, float, float], bool] | None,
) -> list[float] | None:
    """Return sizes between the first (where carry and wait are given) and the last one.

    `goal` is asked with (carry, wait, size) of a phase that may be the last one; without it,
    the last size is a phase that needs no more carry than its distance.
    """
    m = len(sizes)
    d = np.array([distance(x) for x in sizes])
    phi = np.array([weight(x) for x in sizes])
    carry, wait = np.full(m, -np.inf), np.zeros(m)
    carry[0], wait[0] = carry0, wait0
    parent = np.zeros(m, dtype=int)
    for b in range(1, m):
        a = slice(0, b)
        margin = carry[a] * (1 - MARGIN) - d[b]
        room = np.array([left(x, sizes[b]) for x in sizes[a]])
        ok = (margin > 0) & (wait[a] - d[b] / 2 <= room - MARGIN)
        if b == m - 1 and goal is None:
            if not ok.any():
                return None
            best = int(np.argmax(np.where(ok, margin, -np.inf)))
        else:
            if not ok.any():
                continue
            value = np.where(
                ok, R * (phi[b] - phi[a]) + d[b] - d[b] ** 2 / np.where(ok, margin, 1), -np.inf
            )
            best = int(np.argmax(value))
            carry[b] = value[best]
            wait[b] = wait[best] + sizes[b] - d[b]
        parent[b] = best
    last = m - 1
    if goal is not None and not goal(carry[last], wait[last], sizes[last]):
        return None
    path = []
    while last:
        path.append(float(sizes[last]))
        last = int(parent[last])
    path.reverse()
    return path if goal is not None else path[:-1]


def largest_kappa(growth: float, used: float) -> float | None:
    """Return the larger fixed point of the carry of a geometric tail, or None."""
    a = R * (1 - 1 / growth) + 1 / used
    b = 1 / used + a / growth
    root = b * b - 4 * (a / used + 1 / used**2) / growth
    return None if root < 0 else (b + math.sqrt(root)) * growth / 2


def grid(low: float, high: float, many: int) -> np.ndarray:
    points = np.concatenate([np.geomspace(low, high, many), np.linspace(low, high, many)])
    return np.unique(points)


def tails(used: float, slack: float) -> list[tuple[float, float]]:
    """Return pairs of growth and kappa, best first, whose waits leave enough."""
    found = []
    for growth in (2, 2.25, 2.5, 3, 3.24, 3.61, 4, 4.41, 5):
        kappa = largest_kappa(growth, used)
        if kappa is not None and kappa <= R:
            found.append((growth, kappa * (1 - 1e-6)))
    return sorted(found, key=lambda pair: -pair[1])


def area_entry(a: float, b: float, many: int) -> dict[str, Any] | None:
    x1 = min(0.004, 0.02 * (1 - math.floor(1 / b) * b)) if a > 0.19 else 0.004
    used = float(proof.area_tail_use(Fraction(a), Fraction(b), Fraction(rational(x1))))
    top = 1 - a + 1 / (2 * proof.SMALLEST_MEMORY)
    sizes = np.append(grid(x1, (1 - b) * 0.999, many), 1 - a)
    for growth, kappa in tails(used, 0):
        r = float(proof.area_tail_ratio(Fraction(a), Fraction(rational(x1)), Fraction(str(growth))))
        if R * proof.area_left(a, x1) / x1 - 1 < r / (r - 1):
            continue

        path = chain(
            sizes,
            lambda x: top if x == 1 - a else x / proof.slots(b, x),
            lambda x: a * x + x * x / 2,
            lambda x, _: R * proof.area_left(a, x) - x,
            kappa * (a * x1 + x1 * x1 / 2),
            x1 * r / (r - 1),
            None,
        )
        if path is not None:
            return {
                "kind": "area",
                "sigma": [rational(a), rational(b)],
                "tail": [rational(x1), rational(growth), rational(kappa)],
                "phases": [rational(x) for x in path],
            }
    return None


def slots_entry(a: float, b: float, many: int) -> dict[str, Any] | None:
    q0 = math.floor(1 / b + 1e-9)
    y1 = 2 * (1 - q0 * b) / (q0 + 1) * 0.9999
    y1 = float(Fraction(rational(y1)))
    if y1 <= 0 or a * (q0 + 1) < 1 - 1e-12:
        return None
    sizes = np.append(grid(y1, (1 - b) * 0.999, many), 1 - a)
    fa = Fraction(rational(a))
    for growth, kappa in tails(1.0, 0):
        wait = (1 - 1 / q0) * growth / (growth - 1)
        if wait > R / 2 - 1:
            continue
        path = chain(
            sizes,
            lambda x: 1 - a if x == 1 - a else x / proof.slots(b, x),
            lambda x: float(proof.slot_sum(fa, Fraction(x))),
            lambda x, after: x * (R * float(proof.slot_left(q0, b, after)) - 1),
            kappa * y1 / q0,
            wait * y1,
            None,
        )
        if path is not None:
            return {
                "kind": "slots",
                "sigma": [rational(a), rational(b)],
                "tail": [rational(y1), rational(growth), rational(kappa)],
                "phases": [rational(x) for x in path],
            }
    return None


def half_entry(many: int) -> dict[str, Any] | None:
    for growth, kappa in tails(1.0, 0):
        y1 = 0.01
        path = chain(
            grid(y1, 1, many), lambda x: x, lambda x: x, lambda x, _: x * (R / 2 - 1), kappa * y1,
            0.0, None,
        )  # fmt: skip
        if path is not None:
            return {
                "kind": "half",
                "tail": [rational(y1), rational(growth), rational(kappa)],
                "phases": [rational(x) for x in path],
            }
    return None


def window_entry(q: int, many: int) -> dict[str, Any] | None:
    k = q - 1
    left = float(proof.LEFT[Fraction(q, k)])
    growth_b, kappa_low = {2: (2.5, 5.0), 3: (2.5, 5.0), 4: (3.0, 6.3)}[
        q
    ]  # between the fixed points of the tail above the window
    omega = (1 - 1 / k) * growth_b / (growth_b - 1) * 1.02 + 0.2
    first, last = 30.0, 30.0 * growth_b * 1.0001
    u1 = 2 / (q + 1) * 0.9999
    for growth, kappa in tails(1.0, 0):
        wait = (1 - 1 / q) * growth / (growth - 1)
        if wait > R / 2 - 1:
            continue
        steps = []
        edges = np.geomspace(first, last, 65)
        for c1, c2 in itertools.pairwise(edges):
            sizes = np.append(grid(u1, 0.9 * c1, many), c2)
            path = chain(
                sizes,
                lambda u: u / q if u <= u1 else u / k,
                lambda u, c1=c1, c2=c2: float(proof.window_sum(q, Fraction(c1 if u == c2 else u))),
                lambda u, _: u * (R * left - 1),
                kappa * u1 / q,
                wait * u1,
                lambda g, w, c, c1=c1: g > kappa_low * c / k * 1.0001 and w < omega * c1,
            )
            if path is None:
                print("window", q, "fails at", c1, c2)
                break
            steps.append(
                {"c": [rational(c1), rational(c2)], "phases": [rational(u) for u in path[:-1]]}
            )
        else:
            break
    else:
        return None
    for i in range(len(steps) - 1):
        steps[i]["c"][1] = steps[i + 1]["c"][0]
    for yt in (0.06, 0.04, 0.03, 0.02, 0.01):
        eta = yt / first * 0.999
        if eta >= 1 / (q + 1):  # the floor would be more than q (section 6)
            continue
        a, b = (1 - eta) / q, 1 / q
        fa = Fraction(a)
        path = chain(
            np.append(grid(yt, (1 - b) * 0.999, many), 1 - a),
            lambda x, a=a: 1 - a if x == 1 - a else x / proof.slots(1 / q - 1e-12, x),
            lambda x, fa=fa: float(proof.slot_sum(fa, Fraction(x))),
            lambda x, after: x * (R * float(proof.slot_left(q, 1 / q, after)) - 1),
            kappa_low * yt / k,
            omega * yt,
            None,
        )
        if path is not None:
            return {
                "kind": "window",
                "slots": q,
                "tail": [rational(u1), rational(growth), rational(kappa)],
                "steps": steps,
                "above": [rational(kappa_low), rational(growth_b), rational(omega)],
                "top": [rational(yt), rational(eta), [rational(x) for x in path]],
            }
        print("window", q, "no top from", yt)
    return None


Maker = Callable[[float, float, int], dict[str, Any] | None]


def cover(low: float, high: float, makers: Sequence[Maker], width: float) -> list[dict[str, Any]]:
    """Return entries for the whole stretch, from intervals that are halved until they work."""
    entries = []
    a = low
    while a < high - 1e-12:
        b = float(Fraction(rational(min(high, a + width))))
        for make, many in itertools.product(makers, (120, 240)):
            entry = make(a, b, many)
            if entry is not None:
                try:
                    proof.check_entry(entry)
                    break
                except AssertionError as error:
                    print("refused", a, b, error)
                    entry = None
        if entry is None:
            width /= 2
            if width < 1e-6:
                raise SystemExit(f"nothing found at {a}")
            continue
        entries.append(entry)
        a = b
        width *= 1.5
        print(entry["kind"], f"{a:.5f} {b:.5f}", len(entry["phases"]), flush=True)
    return entries


def main() -> None:
    edge = float(proof.EDGE)
    entries = [half_entry(200)]
    windows = []
    for q in (2, 3, 4):
        print("window", q, flush=True)
        windows.append(window_entry(q, 150))
        proof.check_entry(windows[-1])
    entries += windows
    entries += cover(0.0, edge, [area_entry], 0.01)
    for q in (4, 3, 2):
        eta = float(Fraction(windows[q - 2]["top"][1]))
        high = math.ceil((1 - eta * 0.999) / q * 10**7) / 10**7
        entries += cover(edge if q == 4 else 1 / (q + 1), high, [slots_entry, area_entry], 0.004)
    for a, _ in proof.merged(
        [tuple(map(Fraction, e["sigma"])) for e in entries if e["kind"] == "area"]
    ):
        if a > 0:  # memory weights mean a slightly smaller sigma than slot weights
            earlier = float(a - Fraction(1, 2 * proof.SMALLEST_MEMORY)) - 1e-6
            entries += cover(earlier, float(a), [area_entry], 0.002)
    text = "[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n"
    write_text(PROOFS / "data" / "uniform_bound.json", text)


if __name__ == "__main__":
    main()
