"""Rule "busy-time": the bound by mean busy times (text/lower_bounds.md).

Give round j of request i a weight w_i(j) such that what runs in one round never weighs
more than 1.  W_i is the sum of the w_i(j) and delta_i = o_i - sum w_i(j) (j - 1/2) / W_i,
so that C_i = B_i + delta_i, where B_i is the mean time of the weight of request i.  As at
most a weight of 1 fits into a unit of time, sum over i in S of W_i B_i >= W(S)^2 / 2 for
every set S; for W_1 <= W_2 <= ... the sets {1..k}, weighted with 1/W_k - 1/W_{k+1} >= 0,
add up to sum B_i >= sum over pairs of min(W_i, W_j) + sum W_i / 2.

Memory weights: w_i(j) = (s_i + j) / M, at most 1 together as the memory suffices.
Slot weights: beside a run that uses m tokens at most (M - m) / (s_min + 1) others run, so
with q = 1 + floor((M - m) / (s_min + 1)), w = 1/q, each of r runs weighs at most 1/r.
"""

from __future__ import annotations

import math
from typing import Any

from budget import Budget
from instances import Types
from reading import Refused, fields, short

MAX_SLOTS = 64  # with slot weights


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return the bound by memory or slot weights, or the sum of the outputs if that is more."""
    weights = fields(proof, "proof", ("rule", "weights"))["weights"]
    if weights not in ("memory", "slots"):
        raise Refused(f"proof.weights: must be memory or slots, got {short(weights)}")
    budget.spend(len(types) * (20 + MAX_SLOTS * 20 * (weights == "slots")))
    return max(total_output(types), busy_time(memory, types, weights == "slots"))


def total_output(types: Types) -> int:
    """Return the sum of the outputs: no request completes before its own output."""
    return sum(output * count for (_, output), count in types.items())


def busy_time(memory: int, types: Types, slots: bool) -> int:
    """Return sum over pairs of min(W_i, W_j) + sum W_i / 2 + sum delta_i, rounded up."""
    capacity, total, weights = weighed(memory, types, slots)
    doubled = larger = 0  # twice the pairs' sum, plus the sum of the W_i
    for weight, count in sorted(weights, reverse=True):
        doubled += weight * count * (count + 2 * larger)
        larger += count
    return -(-(total + (doubled << 64) // (2 * capacity)) >> 64)


def weighed(memory: int, types: Types, slots: bool) -> tuple[int, int, list[tuple[int, int]]]:
    """Return the capacity of a round, the sum of all delta_i, and (W_i, count) of each type.

    The W_i are in units of 1 / capacity, the sum in units of 2^-64, or less.
    """
    unit = min(prompt for prompt, _ in types) + 1
    capacity = memory
    if slots:
        if memory // unit > MAX_SLOTS:
            raise Refused(f"proof.weights: slots is for up to {MAX_SLOTS} requests at once")
        capacity = math.lcm(*range(1, memory // unit + 1))
    weights = []
    total = 0  # every term is rounded down, so it stays a lower bound
    for (s, o), count in types.items():
        weight, moment = s * o + o * (o + 1) // 2, 6 * s * o * o + o * (o + 1) * (4 * o - 1)
        if slots:
            weight = moment = done = 0  # moment is 12 * sum of w(j) (j - 1/2)
            while done < o:  # rounds done + 1 .. end have the same q
                q = 1 + (memory - s - done - 1) // unit
                end = min(o, memory - s - (q - 1) * unit)
                weight += capacity // q * (end - done)
                moment += capacity // q * 6 * (end * end - done * done)
                done = end
        weights.append((weight, count))
        total += (count * (12 * o * weight - moment) << 64) // (12 * weight)
    return capacity, total, weights
