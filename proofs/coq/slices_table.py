"""Write SlicesTable.v: slices of GSA for every prompt and memory of certified_slices.csv.

    python proofs/coq/slices_table.py            # writes proofs/coq/SlicesTable.v, in minutes

For each memory the slices serve stretches of prompts, as long as they keep to the bound of the
table.  Nothing here need be trusted: Coq checks every line of what is written.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from kvopt.theory.pipeline import SPACINGS
from kvopt.theory.slice_plans import Weights, best_plan, pivots_hold

HERE = Path(__file__).resolve().parent
BOUNDS = HERE.parent / "data" / "certified_slices.csv"
TABLE = HERE / "SlicesTable.v"
BEGIN, END = "Definition slices_table := [\n", "\n].\n"
AHEAD = (0, 1, 2, 4)
"""Whose slices are tried for a prompt: its own, and those of so many prompts further."""

Stretch = tuple[int, Fraction, tuple[int, ...]]
"""How many prompts, theta, and the slices but the last."""


def serves(prompt: int, memory: int, cuts: Sequence[int], theta: Fraction, bound: Fraction) -> bool:
    """Return whether these slices have the bound, by theorem 6 with R = rho = bound."""
    longest = memory - prompt
    slices = [*(t for t in cuts if t < longest), longest]
    distances = [SPACINGS["sps"](prompt, t, memory) for t in slices]
    weights = Weights(prompt, memory, longest, theta)
    sums = [weights.sum(t + 1) for t in (0, *slices[:-1])]
    if not pivots_hold([sums[0], *(b - a for a, b in pairwise(sums))], distances, bound):
        return False
    before, done = Fraction(0), 0
    for slice, distance in zip(slices, distances, strict=True):
        for output in range(done + 1, slice + 1):
            if before + output - distance / 2 > bound * weights.delta(output):
                return False
        before += slice - distance
        done = slice
    return True


def stretches(memory: int, bound: Fraction) -> list[Stretch]:
    """Return slices for the prompts 0, 1, ..., memory - 1."""
    found: list[Stretch] = []
    prompt = 0
    while prompt < memory:
        best: Stretch = (0, Fraction(1), ())
        for other in range(prompt, memory):
            if other - prompt not in AHEAD:
                continue
            plan = best_plan(other, memory, "sps")
            cuts, theta, end = plan.slices[:-1], plan.area_weight, prompt
            while end < memory and serves(end, memory, cuts, theta, bound):
                end += 1
            best = max(best, (end - prompt, theta, cuts), key=lambda stretch: stretch[0])
        if not best[0]:
            raise ValueError(f"no slices with the bound {bound} for s = {prompt}, M = {memory}")
        found.append(best)
        prompt += best[0]
    return found


def row(memory: int, bound: Fraction) -> str:
    """Return a line of the table as Coq reads it."""
    parts = "; ".join(
        f"({many}, {2 * theta}, [{'; '.join(map(str, cuts))}])"
        for many, theta, cuts in stretches(memory, bound)
    )
    return f"  ({1000 * bound}, [{parts}])"


def main() -> None:
    with BOUNDS.open() as file:
        bounds = {int(line["memory"]): Fraction(line["bound"]) for line in csv.DictReader(file)}
    rows = ";\n".join(row(memory, bounds[memory]) for memory in range(1, len(bounds) + 1))
    head, rest = TABLE.read_text().split(BEGIN)
    TABLE.write_text(head + BEGIN + rows + END + rest.split(END, 1)[1])


if __name__ == "__main__":
    main()
