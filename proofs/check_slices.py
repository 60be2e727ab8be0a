"""Check certificates of slices: files that prove a ratio to the optimum for GSA's phases.

    python check_slices.py FILE...

prints one line for each file and exits with 0 only if every claim is proved.  This file is
all there is to trust: plain Python 3.9 or newer, its standard library, nothing of kvopt.

A file has one prompt s, a memory M and phases [tau_q, d_q].  In phase q = 0, 1, ... every
unfinished request gets one attempt of at most tau_q rounds; attempt number j of the phase starts
j d_q rounds (rounded down with the beginning of the phase) after the phase begins, and the next
phase begins when the last slice is over.  Claimed: whenever all prompts are s and all outputs at
most the last slice, this needs at most M tokens and costs at most `bound` times the optimum,
whatever the order of the requests in each phase.  Anything that is not exactly so is refused.

Why that follows from what is tested is proved in certified_slices.md; each function names its
lemma.  All numbers are integers and fractions.
"""

from __future__ import annotations

import json
import math
import re
import sys
from fractions import Fraction
from itertools import accumulate
from typing import Any, NamedTuple

FORMAT = "kvopt-slices/1"
MAX_BYTES = 10_000_000  # of a file
MAX_TOKENS = 10**9  # memory and prompt
MAX_ROUNDS = 200_000  # the last slice: all outputs up to it are looked at
MAX_PHASES = 1_000
MAX_ATTEMPTS = 10**7  # of all phases that run at once, together
MAX_SLOTS = 64  # with slot weights
FRACTION = re.compile(r"(0|[1-9][0-9]{0,39})/([1-9][0-9]{0,39})")


class Refused(Exception):  # noqa: N818  # a verdict, not an error
    """The certificate does not prove its claim; the message says why."""


class Claim(NamedTuple):
    """What a certificate has proved."""

    prompt: int
    memory: int
    longest: int
    phases: int
    bound: Fraction

    def __str__(self) -> str:
        whom = "" if self.prompt + self.longest == self.memory else f", outputs <= {self.longest}"
        return (
            f"{self.phases} phases cost at most {self.bound} times the optimum"
            f" (memory {self.memory}, prompts {self.prompt}{whom})"
        )


def check(data: str | bytes) -> Claim:
    """Return what a certificate proves, or raise `Refused`, and nothing else."""
    try:
        given = parsed(data)
        prompt = integer(given["prompt"], 0, MAX_TOKENS, "prompt")
        memory = integer(given["memory"], prompt + 1, MAX_TOKENS, "memory")
        slices, distances = read_phases(given["phases"], memory - prompt)
        theta = fraction(given["area_weight"], "area_weight")
        factor = fraction(given["factor"], "factor")
        bound = fraction(given["bound"], "bound")
        if theta > 1:
            raise Refused(f"area_weight: must be at most 1, got {theta}")
        if bound < factor:
            raise Refused(f"bound: must be at least the factor {factor}, got {bound}")
        for slice, distance in zip(slices, distances):
            if (peak := peak_of(prompt, slice, distance)) > memory:
                raise Refused(f"phases: the one of slice {slice} needs {peak} tokens")
        scale, weights = weights_of(prompt, memory, slices[-1], theta)
        sums = [0, *accumulate(weights)]
        least = [Fraction(sums[t + 1], scale) for t in (0, *slices[:-1])]
        if not not_negative(least, distances, factor):
            raise Refused(f"factor: {factor} is too small for these phases")
        if (output := unpaid(slices, distances, sums, factor, bound)) is not None:
            raise Refused(f"bound: {bound} is too small for an output of {output}")
        return Claim(prompt, memory, slices[-1], len(slices), bound)
    except (MemoryError, RecursionError):
        raise Refused("is too large for this machine") from None


def peak_of(prompt: int, slice: int, distance: Fraction) -> int:
    """Return the memory of attempts of `slice` rounds at this distance (pipeline.md, theorem 1).

    The attempts number 0, 1, ... start at floor(j d); when number 0 is in its last round,
    those with j d < tau run, and number j uses s + tau - floor(j d).
    """
    p, q = distance.numerator, distance.denominator
    return sum(prompt + slice - j * p // q for j in range(-(-slice * q // p)))


def weights_of(prompt: int, memory: int, longest: int, theta: Fraction) -> tuple[int, list[int]]:
    """Return a scale, and that many times the weight of each round (lemma 1).

    Round j weighs theta (s + j) / M + (1 - theta) / floor((M + 1 - j) / (s + 1)).
    """
    p, q = theta.numerator, theta.denominator
    if p == q:
        return memory, [prompt + j for j in range(1, longest + 1)]
    most = memory // (prompt + 1)
    if most > MAX_SLOTS:
        raise Refused(f"area_weight: must be 1/1 if more than {MAX_SLOTS} requests can run at once")
    slots = math.lcm(*range(1, most + 1))
    return q * memory * slots, [
        p * slots * (prompt + j) + (q - p) * memory * (slots // ((memory + 1 - j) // (prompt + 1)))
        for j in range(1, longest + 1)
    ]


def not_negative(least: list[Fraction], distances: list[Fraction], factor: Fraction) -> bool:
    """Return whether all pivots are as lemma 4 needs them.

    With phi_q the least weight of a request that reaches phase q, g_0 = R phi_0 and
    g_{q+1} = R (phi_{q+1} - phi_q) + d_q - d_q^2 / (g_q - d_q): each g_q must be more than d_q,
    the last one at least d_q.
    """
    pivot = factor * least[0]
    for q in range(len(distances) - 1):
        d = distances[q]
        if pivot <= d:
            return False
        pivot = factor * (least[q + 1] - least[q]) + d - d * d / (pivot - d)
    return pivot >= distances[-1]


def unpaid(
    slices: list[int], distances: list[Fraction], sums: list[int], factor: Fraction, bound: Fraction
) -> int | None:
    """Return an output whose own cost is too large for theorem 6, or None.

    An output o of class p must have o + (sum over q < p of tau_q - d_q) - d_p / 2
    <= R delta(o) + (bound - R) o, delta(o) = 1/2 + (Phi(1) + ... + Phi(o - 1)) / Phi(o).
    """
    before = Fraction(0)
    doubled = begin = 0  # doubled is Phi(0) + ... + Phi(o - 1)
    for slice, distance in zip(slices, distances):
        extra = before - distance / 2 - factor / 2
        slope = bound - factor - 1
        for output in range(begin + 1, slice + 1):
            doubled += sums[output - 1]
            # extra <= factor * doubled / sums[output] + slope * output, without fractions
            if (extra - slope * output) * sums[output] > factor * doubled:
                return output
        before += slice - distance
        begin = slice
    return None


# --- Reading ------------------------------------------------------------------------------------


def parsed(data: str | bytes) -> dict[str, Any]:
    """Return the file's object, refused unless it has exactly the keys it must have."""
    if len(data) > MAX_BYTES:
        raise Refused(f"is longer than {MAX_BYTES} bytes")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise Refused("has a key twice")
        return dict(pairs)

    def never(text: str) -> Any:
        raise Refused(f"has the number {text[:40]}; all must be integers")

    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        given = json.loads(text, object_pairs_hook=once, parse_float=never, parse_constant=never)
    except ValueError as error:
        raise Refused(f"is not JSON: {str(error)[:80]}") from None
    keys = ("format", "prompt", "memory", "phases", "area_weight", "factor", "bound")
    if not isinstance(given, dict) or set(given) != set(keys):
        raise Refused(f"must be an object with the keys {', '.join(keys)}")
    if given["format"] != FORMAT:
        raise Refused(f"format: must be {FORMAT!r}")
    return given


def integer(value: Any, low: int, high: int, place: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise Refused(f"{place}: must be an integer in {low}..{high}, got {str(value)[:40]}")
    return value


def fraction(value: Any, place: str) -> Fraction:
    if not isinstance(value, str) or not (match := FRACTION.fullmatch(value)):
        raise Refused(f"{place}: must be a string 'p/q' of integers, got {str(value)[:40]}")
    return Fraction(int(match[1]), int(match[2]))


def read_phases(value: Any, longest: int) -> tuple[list[int], list[Fraction]]:
    """Return slices, which increase, and distances."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_PHASES:
        raise Refused(f"phases: must be a list of 1 to {MAX_PHASES} pairs")
    slices: list[int] = []
    distances = []
    attempts = 0
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise Refused(f"phases: must be pairs of slice and distance, got {str(pair)[:40]}")
        low = slices[-1] + 1 if slices else 1
        slices.append(integer(pair[0], low, min(longest, MAX_ROUNDS), "phases: slice"))
        distances.append(fraction(pair[1], "phases: distance"))
        if not 0 < distances[-1] <= slices[-1]:
            raise Refused(f"phases: distance: must be in (0, slice], got {distances[-1]}")
        attempts += math.ceil(slices[-1] / distances[-1])
        if attempts > MAX_ATTEMPTS:
            raise Refused(f"phases: more than {MAX_ATTEMPTS} attempts run at once")
    return slices, distances


def main(files: list[str]) -> int:
    """Check files, one line each; 0 if all hold, 1 if not, 2 if there is nothing to check."""
    if not files:
        print("usage: python check_slices.py FILE...", file=sys.stderr)
        return 2
    held = True
    for file in files:
        try:
            with open(file, "rb") as stream:
                print(f"{file}: ok: {check(stream.read(MAX_BYTES + 1))}")
        except OSError as error:
            held = False
            print(f"{file}: CANNOT BE READ: {error.strerror}")
        except Refused as reason:
            held = False
            print(f"{file}: REFUSED: {reason}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
