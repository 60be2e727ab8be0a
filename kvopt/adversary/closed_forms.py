"""Costs of small instances, thousands a second: formulas instead of a simulation.

GSA and GBA decide so little that their cost is a short sum; MC-SF, SVF and FCFS are
simulated in arrays.  The functions in `KERNEL` are plain Python on integer arrays;
numba compiles them where it is installed (`pip install kvopt[fast]`), and the result
is the same.  Each is tested against the simulator, which stays the authority: what a
search reports is simulated again.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.policies import FCFS, GBA, GSA, MCSF, SVF, Policy, SPTPipeline
from kvopt.solver.compiling import jitted, working
from kvopt.solver.primal.list_schedules import pipelined
from kvopt.theory.pipeline import (
    SPACINGS,
    SliceRule,
    area_slices,
    capped_slices,
    geometric_slices,
    sum_of_floors,
    tight_spacing,
)
from kvopt.theory.quadratic import Exact

__all__ = [
    "PLAIN",
    "Cost",
    "Functions",
    "closed_form",
    "common_prompt_only",
    "compiled",
    "geometric_ends",
    "phases",
    "slices_of",
    "spt_cost",
    "upper_bound",
]

Cost = Callable[[int, IntArray, IntArray], int]
"""(memory, prompts, outputs) -> total completion time (rounds); prompts and outputs (n,)."""

MOST_ROUNDS = 1 << 14
"""Instances with more output tokens than this are not laid out round by round."""

FEW = 12
"""With so few requests the SPT pipeline is hardly better than the schedules laid out."""


def lay_out(
    memory: int,
    prompts: IntArray,
    outputs: IntArray,
    order: IntArray,
    in_order: bool,
    load: IntArray,
) -> int:
    """Return the cost of starting requests one after another, each as early as it fits.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    order
        In which order they are placed, shape (n,).
    in_order
        Whether none may start before the one placed before it.
    load
        Room for the memory in use in each round, zeros, shape (sum of outputs + 1,).

    Returns
    -------
    int
        Total completion time (rounds).
    """
    total = start = 0
    for i in order:
        if not in_order:
            start = 0
        prompt, output = prompts[i], outputs[i]
        j = output
        while j > 0:
            used = load[start + j] + prompt
            if used + j > memory:
                # At a later start the round has a lower age, or is not part of the run.
                start += min(j, used + j - memory)
                j = output
            else:
                j -= 1
        for j in range(1, output + 1):
            load[start + j] += prompt + j
        total += start + output
    return total


def best_layout(memory: int, prompts: IntArray, outputs: IntArray) -> int:
    """Return the cost of the best of four schedules: by length or area, with or without gaps."""
    n = outputs.shape[0]
    rounds = outputs.sum() + 1
    best = -1
    common = prompts.min() == prompts.max()
    for by_area in range(1 if common else 2):
        order = np.argsort(
            prompts * outputs + outputs * (outputs + 1) // 2 if by_area else outputs,
            kind="mergesort",
        )
        for in_order in range(2):
            load = np.zeros(rounds, dtype=np.int64)
            cost = lay_out(memory, prompts, outputs, order, in_order == 1, load)
            if best < 0 or cost < best:
                best = cost
    return best if n else 0


def in_order_cost(memory: int, prompts: IntArray, outputs: IntArray, by_area: bool) -> int:
    """Return the cost of MC-SF, or of SVF: by length, or by area, none before the last."""
    keys = prompts * outputs + outputs * (outputs + 1) // 2 if by_area else outputs
    order = np.argsort(keys, kind="mergesort")
    load = np.zeros(outputs.sum() + 1, dtype=np.int64)
    return lay_out(memory, prompts, outputs, order, True, load)


def gsa_cost(outputs: IntArray, slices: IntArray, distances: IntArray) -> int:
    """Return the cost of GSA with phases that wait for each other.

    In a phase that begins at b, the j-th unfinished request starts at b + floor(j d); it
    completes if its output is no longer than the slice.

    Parameters
    ----------
    outputs
        Output lengths (tokens), none longer than the last slice, shape (n,).
    slices
        Length of the slices in each phase, increasing (rounds), shape (p,).
    distances
        Distance d between starts in each phase: numerators and denominators, shape (2, p).
    """
    n = outputs.shape[0]
    total = begin = longest = 0
    alive = n
    for phase in range(slices.shape[0]):
        slice = slices[phase]
        p, q = distances[0, phase], distances[1, phase]
        place = 0
        for i in range(n):
            output = outputs[i]
            if output > longest:
                if output <= slice:
                    total += begin + place * p // q + output
                    alive -= 1
                place += 1
        if alive == 0:
            break
        begin += (place - 1) * p // q + slice
        longest = slice
    return total


def gba_cost(outputs: IntArray, ends: IntArray, distances: IntArray) -> int:
    """Return the cost of GBA with classes that wait for each other.

    Parameters are as for `gsa_cost`, the slices being the class ends.
    """
    n = outputs.shape[0]
    total = begin = longest = 0
    alive = n
    for phase in range(ends.shape[0]):
        end = ends[phase]
        p, q = distances[0, phase], distances[1, phase]
        place = 0
        for i in range(n):
            if longest < outputs[i] <= end:
                total += begin + place * p // q + outputs[i]
                place += 1
        alive -= place
        if alive == 0:
            break
        if place:
            begin += (place - 1) * p // q + end
        longest = end
    return total


def mixed_cost(
    gsa: bool,
    memory: int,
    prompts: IntArray,
    outputs: IntArray,
    slices: IntArray,
    distances: IntArray,
) -> int:
    """Return the cost of GSA or GBA with mixed prompts and phases that wait for each other.

    A phase uses the largest prompt s among its requests; after a slice of M - s the rest
    run one at a time, request i in a slot of M - s_i rounds.

    Parameters
    ----------
    gsa
        True for GSA, False for GBA.
    memory
        Memory budget M (tokens).
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    slices
        Slices or class ends before they are capped, increasing to M or more, shape (p,).
    distances
        For each largest prompt and phase the distance between starts: numerators and
        denominators, shape (2, M, p).
    """
    n = outputs.shape[0]
    total = begin = longest = 0
    for phase in range(slices.shape[0]):
        prompt = -1
        for i in range(n):
            if outputs[i] > longest and (gsa or outputs[i] <= slices[phase]):
                prompt = max(prompt, prompts[i])
        if prompt < 0:
            if gsa:
                break
            longest = slices[phase]
            continue
        slice = min(slices[phase], memory - prompt)
        p, q = distances[0, prompt, phase], distances[1, prompt, phase]
        place = 0
        for i in range(n):
            if outputs[i] > longest:
                if outputs[i] <= slice:
                    total += begin + place * p // q + outputs[i]
                if gsa or outputs[i] <= slice:
                    place += 1
        begin += (place - 1) * p // q + slice
        longest = slice
        if slice == memory - prompt:
            break
    for i in range(n):
        if outputs[i] > longest:
            total += begin + outputs[i]
            begin += memory - prompts[i]
    return total


def fcfs_cost(memory: int, prompts: IntArray, outputs: IntArray) -> int:
    """Return the cost of FCFS: completions, kills of the latest, admissions, round by round."""
    n = outputs.shape[0]
    begun = np.zeros(n, dtype=np.int64)
    admitted = np.zeros(n, dtype=np.int64)
    queue = np.arange(n)
    head = running = total = now = used = 0  # used: memory in the next round
    while head < n or running:
        kept = 0
        for place in range(running):
            i = admitted[place]
            if begun[i] + outputs[i] == now:
                total += now
                used -= prompts[i] + outputs[i] + 1
            else:
                admitted[kept] = i
                kept += 1
        running = kept
        while used > memory:
            running -= 1
            i = admitted[running]
            used -= prompts[i] + now - begun[i] + 1
            head -= 1
            queue[head] = i
        while head < n and (used + prompts[queue[head]] < memory or running == 0):
            i = queue[head]
            admitted[running] = i
            begun[i] = now
            running += 1
            head += 1
            used += prompts[i] + 1
        now += 1
        used += running
    return total


def worst_fcfs(
    memory: int, prompts: IntArray, outputs: IntArray, worst: IntArray, order: IntArray
) -> int:
    """Return the largest cost of FCFS over all distinct orders.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    prompts, outputs
        Prompt and output lengths of each kind of requests (tokens), shape (kinds,) each.
    worst
        Takes the kinds of the requests in the worst order, shape (n,).
    order
        The kinds of the requests, in ascending order, shape (n,); left as something else.
    """
    n = order.shape[0]
    most = -1
    while True:
        cost = fcfs_cost(memory, prompts[order], outputs[order])
        if cost > most:
            most = cost
            worst[:] = order
        # The next larger permutation, as in Knuth's algorithm L.
        i = n - 2
        while i >= 0 and order[i] >= order[i + 1]:
            i -= 1
        if i < 0:
            return most
        j = n - 1
        while order[j] <= order[i]:
            j -= 1
        order[i], order[j] = order[j], order[i]
        order[i + 1 :] = order[i + 1 :][::-1].copy()


KERNEL: tuple[Callable[..., Any], ...] = (
    lay_out,
    best_layout,
    in_order_cost,
    gsa_cost,
    gba_cost,
    mixed_cost,
    fcfs_cost,
    worst_fcfs,
)


class Functions(NamedTuple):
    """The functions of the kernel that are called from outside, compiled or not."""

    best_layout: Callable[..., int]
    in_order_cost: Callable[..., int]
    gsa_cost: Callable[..., int]
    gba_cost: Callable[..., int]
    mixed_cost: Callable[..., int]
    fcfs_cost: Callable[..., int]
    worst_fcfs: Callable[..., int]


PLAIN = Functions(best_layout, in_order_cost, gsa_cost, gba_cost, mixed_cost, fcfs_cost, worst_fcfs)
"""The functions as they stand."""


@functools.cache
def compiled() -> Functions:
    """Return the compiled functions, or `PLAIN` if numba is not there or fails."""
    return working(_compile) or PLAIN


def _compile(cache: bool) -> Functions:
    names = jitted(KERNEL, globals(), lambda _: {"cache": cache, "error_model": "numpy"})
    functions = Functions(*(names[name] for name in Functions._fields))
    one = np.ones(1, dtype=np.int64)
    distances = np.ones((2, 1), dtype=np.int64)
    functions.best_layout(2, one, one)
    functions.in_order_cost(2, one, one, True)
    functions.gsa_cost(one, one, distances)
    functions.gba_cost(one, one, distances)
    functions.mixed_cost(True, 2, one, one, one, np.ones((2, 2, 1), dtype=np.int64))
    functions.fcfs_cost(2, one, one)
    functions.worst_fcfs(2, one, one, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
    return functions


def upper_bound(functions: Functions, memory: int, prompts: IntArray, outputs: IntArray) -> int:
    """Return the cost of the best of some feasible schedules (rounds), quickly.

    Parameters
    ----------
    functions
        Which versions of the functions to use.
    memory
        Memory budget M (tokens).
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    """
    found = []
    if int(outputs.sum()) <= MOST_ROUNDS:
        found.append(functions.best_layout(memory, prompts, outputs))
    if len(outputs) > FEW and (prompts == prompts[0]).all():
        found.append(spt_cost(memory, int(prompts[0]), outputs))
    if not found:
        instance = Instance(memory, prompts, outputs)
        found.append(int(pipelined(instance).sum()) + instance.total_output)
    return min(found)


_tight = functools.lru_cache(maxsize=1 << 14)(tight_spacing)


def spt_cost(memory: int, prompt: int, outputs: IntArray) -> int:
    """Return the cost of the SPT pipeline: for each length a sum of floors.

    Parameters
    ----------
    memory, prompt
        Memory budget M and common prompt length s (tokens).
    outputs
        Output lengths (tokens), shape (n,).
    """
    total = 0
    now = Fraction(0)
    lengths, counts = np.unique(outputs, return_counts=True)
    for output, count in zip(lengths.tolist(), counts.tolist(), strict=True):
        distance = _tight(prompt, output, memory)
        q = math.lcm(now.denominator, distance.denominator)
        offset, step = (x.numerator * (q // x.denominator) for x in (now, distance))
        total += sum_of_floors(count, step, q, offset) + count * output
        now += count * distance
    return total


def closed_form(policy: Policy, functions: Functions) -> Cost | None:
    """Return a formula for the cost of a policy, or None if there is none.

    That of the SPT pipeline holds for a common prompt length only; see
    `common_prompt_only`.

    Parameters
    ----------
    policy
        The policy.
    functions
        Which versions of the functions to use.
    """
    if type(policy) is MCSF:
        return lambda memory, s, o: functions.in_order_cost(memory, s, o, False)
    if type(policy) is SVF:
        return lambda memory, s, o: functions.in_order_cost(memory, s, o, True)
    if type(policy) is FCFS:
        return functions.fcfs_cost
    if type(policy) is SPTPipeline:
        return lambda memory, s, o: spt_cost(memory, int(s[0]), o)
    if not isinstance(policy, GSA | GBA) or slices_of(policy) is None:
        return None
    formula = functions.gsa_cost if isinstance(policy, GSA) else functions.gba_cost

    @functools.lru_cache(maxsize=4096)
    def table(memory: int, prompt: int) -> tuple[IntArray, IntArray]:
        assert isinstance(policy, GSA | GBA)
        return phases(policy, memory, prompt)

    @functools.lru_cache(maxsize=256)
    def mixed_table(memory: int, largest: int) -> MixedPhases:
        assert isinstance(policy, GSA | GBA)
        return MixedPhases(policy, memory, largest)

    by_area = policy.slices == "area"
    gsa = isinstance(policy, GSA)

    def cost(memory: int, s: IntArray, o: IntArray) -> int:
        if (s == s[0]).all():
            return formula(o, *table(memory, int(s[0])))
        largest = int(s.max()) if by_area else 0
        mixed = mixed_table(memory, largest)
        mixed.fill(set(s.tolist()))
        return functions.mixed_cost(gsa, memory, s, o, mixed.slices, mixed.distances)

    return cost


def common_prompt_only(policy: Policy) -> bool:
    """Tell whether the formula of a policy holds for a common prompt length only."""
    return type(policy) is SPTPipeline


def phases(policy: GSA | GBA, memory: int, prompt: int) -> tuple[IntArray, IntArray]:
    """Return the slices and distances of GSA's phases or GBA's classes.

    Parameters
    ----------
    policy
        The policy, one that `slices_of` knows.
    memory, prompt
        Memory budget M and common prompt length s (tokens).

    Returns
    -------
    array, array
        Slices, increasing to M - s (rounds), shape (p,), and the distances between starts,
        numerators above denominators, shape (2, p).
    """
    rule = slices_of(policy)
    assert rule is not None
    slices = list(capped_slices(rule(prompt), memory - prompt))
    spacing = SPACINGS[policy.spacing]
    distances = [spacing(prompt, slice, memory) for slice in slices]
    pairs = [[d.numerator for d in distances], [d.denominator for d in distances]]
    return np.array(slices, dtype=np.int64), np.array(pairs, dtype=np.int64)


class MixedPhases:
    """The slices of GSA's phases or GBA's classes, and distances for each largest prompt.

    Parameters
    ----------
    policy
        The policy, one that `slices_of` knows.
    memory
        Memory budget M (tokens).
    largest
        The largest prompt of all, on which slices by areas depend (tokens).

    Attributes
    ----------
    slices, distances
        As for `mixed_cost`; distances are filled in by `fill`.
    """

    def __init__(self, policy: GSA | GBA, memory: int, largest: int) -> None:
        rule = slices_of(policy)
        assert rule is not None
        self.memory = memory
        self.spacing = SPACINGS[policy.spacing]
        self.slices = np.array([*capped_slices(rule(largest), memory)], dtype=np.int64)
        self.distances = np.zeros((2, memory, len(self.slices)), dtype=np.int64)

    def fill(self, prompts: Iterable[int]) -> None:
        """Make sure that the distances for these prompts are there."""
        for prompt in prompts:
            if not self.distances[1, prompt, 0]:
                for phase, slice in enumerate(self.slices.tolist()):
                    d = self.spacing(prompt, min(slice, self.memory - prompt), self.memory)
                    self.distances[:, prompt, phase] = d.numerator, d.denominator


def slices_of(policy: Policy) -> Callable[[int], SliceRule] | None:
    """Return the rule from the prompt length to the slices, where a formula can use it.

    Parameters
    ----------
    policy
        A policy; None is returned unless it is a GSA or GBA whose phases wait for each
        other and in which nothing is random.
    """
    if type(policy) is GSA:
        if policy.slices == "certified" or "random" in (policy.offset, policy.order):
            return None
        beta = policy.beta
    elif type(policy) is GBA:
        beta = Fraction(1)
    else:
        return None
    if not policy.drain:
        return None
    if policy.slices == "area":
        return lambda prompt: area_slices(policy.alpha, prompt)
    return lambda prompt: geometric_slices(policy.alpha, beta)


def geometric_ends(policy: Policy, memory: int, prompt: int) -> list[int]:
    """Return the lengths of a policy's slices (rounds), increasing to M - s, if it has any.

    Parameters
    ----------
    policy
        The policy; those without a growth factor alpha have no slices.
    memory, prompt
        Memory budget M and common prompt length s (tokens).
    """
    alpha = getattr(policy, "alpha", None)
    if not isinstance(alpha, Exact) or alpha <= 1:
        return []
    areas = getattr(policy, "slices", "") == "area"
    beta = getattr(policy, "beta", Fraction(1))
    slice_of = area_slices(alpha, prompt) if areas else geometric_slices(alpha, beta)
    return list(capped_slices(slice_of, memory - prompt))
