"""Theorem 6 of proofs/text/certified_slices.md, literally, as an oracle for certified slices."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

__all__ = ["least_bound", "least_factor", "slices_problem"]

Phases = list[tuple[int, Fraction]]


def weight(s: int, memory: int, theta: Fraction, j: int) -> Fraction:
    """The weight w(j) of section 1."""
    return theta * Fraction(s + j, memory) + (1 - theta) / ((memory + 1 - j) // (s + 1))


def peak(s: int, phase: tuple[int, Fraction]) -> int:
    """The largest use of memory in any round, of enough attempts one after the other."""
    slice, distance = phase
    number = int(slice / distance) + 2
    starts = [int(j * distance) for j in range(2 * number)]
    most = 0
    for r in range(1, starts[-1] + 1):
        most = max(most, sum(s + r - a for a in starts if a < r <= a + slice))
    return most


def parts(given: Any) -> tuple[int, int, Phases, Fraction, Fraction, Fraction]:
    phases = [(slice, Fraction(distance)) for slice, distance in given["phases"]]
    theta, factor, bound = (Fraction(given[key]) for key in ("area_weight", "factor", "bound"))
    return given["prompt"], given["memory"], phases, theta, factor, bound


def slices_problem(given: Any) -> str:
    """Return which condition of theorem 6 fails, or nothing."""
    s, memory, phases, theta, factor, bound = parts(given)
    for phase in phases:
        if peak(s, phase) > memory:
            return f"slice {phase[0]} needs more than the memory"
    phi = sums(s, memory, theta, phases[-1][0])
    if not pivots_hold(phases, phi, factor):
        return "the factor is too small"
    if bound < max(factor, least_bound(phases, phi, factor)):
        return "the bound is too small"
    return ""


def sums(s: int, memory: int, theta: Fraction, longest: int) -> list[Fraction]:
    """Phi(0), Phi(1), ..., Phi(longest)."""
    phi = [Fraction(0)]
    for j in range(1, longest + 1):
        phi.append(phi[-1] + weight(s, memory, theta, j))
    return phi


def pivots_hold(phases: Phases, phi: list[Fraction], factor: Fraction) -> bool:
    """Whether lemma 5 applies: g_q > d_q for q < m, and g_m >= d_m."""
    least = [phi[1], *(phi[slice + 1] for slice, _ in phases[:-1])]
    g = factor * least[0]
    for q in range(len(phases) - 1):
        d = phases[q][1]
        if not g > d:
            return False
        g = factor * (least[q + 1] - least[q]) + d - d**2 / (g - d)
    return g >= phases[-1][1]


def least_bound(phases: Phases, phi: list[Fraction], factor: Fraction) -> Fraction:
    """The least rho with e(o) <= R delta(o) + (rho - R) o for every output."""
    least = factor
    for output in range(1, phases[-1][0] + 1):
        p = next(q for q, (slice, _) in enumerate(phases) if slice >= output)
        e = output + sum((slice - d for slice, d in phases[:p]), Fraction(0)) - phases[p][1] / 2
        delta = Fraction(1, 2) + sum(phi[:output], Fraction(0)) / phi[output]
        least = max(least, factor + (e - factor * delta) / output)
    return least


def least_factor(phases: Phases, phi: list[Fraction], denominator: int) -> Fraction:
    """The least multiple of 1 / denominator that lemma 5 allows (they are not less than it)."""
    low, high = 0, denominator
    while not pivots_hold(phases, phi, Fraction(high, denominator)):
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if pivots_hold(phases, phi, Fraction(middle, denominator)):
            high = middle
        else:
            low = middle
    return Fraction(high, denominator)
