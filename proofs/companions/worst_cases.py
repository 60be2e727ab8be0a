"""Companion of worst_cases.md: orders, shortest requests, costs and bounds by brute force."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from kvopt import Instance, Stopping, simulate
from kvopt.adversary.enumeration_kernel import Enumeration
from kvopt.adversary.orders import has_classes, orders_to_try, outlived_slices
from kvopt.policies import Policy, policy_from_spec
from kvopt.solver.state_search.reference import solve_by_search
from kvopt.theory.orders import RequestType, distinct_orders

SPECS = (
    "gsa:alpha=2",
    "gsa:alpha=phi:beta=2",
    "gsa:spacing=tight:slices=area",
    "gba:alpha=2",
    "gba:drain=no",
    "gba:spacing=sps2:slices=area",
    "gba:alpha=3:spacing=tight:drain=no",
)
OTHERS = (
    "mc-sf",
    "svf",
    "sorted-f",
    "spt-pipeline",
    "a-max",
    "a-max:width=1",
    "a-max:width=3/2",
    "fcfs",
    "a-min",
)


def cost(policy: Policy, memory: int, requests: Sequence[RequestType]) -> int:
    """Return the simulated cost of requests in this order (rounds)."""
    prompts, outputs = zip(*requests, strict=True)
    return simulate(Instance(memory, prompts, outputs), policy).total_completion_time()


def optimum(memory: int, requests: Sequence[RequestType]) -> int:
    """Return the optimum by the plain search over states (rounds)."""
    instance = Instance(memory, *zip(*requests, strict=True))
    serial = np.cumsum(instance.outputs) - instance.outputs
    result = solve_by_search(instance, serial, Stopping())
    assert result.objective == result.lower_bound
    return result.objective


def random_requests(rng: random.Random, most: int, memory: int, mixed: bool) -> list[RequestType]:
    """Return a few requests that fit, with a common prompt length or with several."""
    common = rng.randrange(memory)
    requests = []
    for _ in range(rng.randint(1, most)):
        prompt = rng.randrange(memory) if mixed else common
        requests.append((prompt, rng.randint(1, memory - prompt)))
    return requests


def check_orders(policy: Policy, memory: int, requests: Sequence[RequestType]) -> None:
    """Lemmas 1 and 2: the orders tried contain a worst one."""
    tried = max(cost(policy, memory, order) for order in orders_to_try(policy, memory, requests))
    assert tried == max(cost(policy, memory, order) for order in distinct_orders(requests))


def check_shortest(
    policy: Policy, memory: int, requests: list[RequestType], i: int, above: int = 1
) -> None:
    """Theorem 3 for request i: its smallest output is its floor + `above`, 1 in truth."""
    floor = outlived_slices(policy, memory, requests)[i]
    prompt, output = requests[i]
    shorter = [*requests]
    shorter[i] = prompt, floor + above
    assert 1 <= floor + above <= output or above != 1
    before = cost(policy, memory, requests), optimum(memory, requests)
    after = cost(policy, memory, shorter), optimum(memory, shorter)
    assert before[0] - after[0] == output - floor - above
    assert outlived_slices(policy, memory, shorter) == outlived_slices(policy, memory, requests)
    assert after[1] <= before[1] - (output - floor - above)
    assert Fraction(*after) >= Fraction(*before)


def rows_of(policy: Policy, memory: int, prompt: int, n: int) -> Iterator[tuple[int, ...]]:
    """Yield cost, bound and outputs of all instances, as the scan sees them."""
    walk = Enumeration(policy, memory, prompt, n, lengths=np.arange(1, memory - prompt + 1))
    while not walk.over:
        values, outputs = walk.more(Fraction(0))
        for value, row in zip(values.tolist(), outputs.tolist(), strict=True):
            yield (*value, *row)


def check_scan(policy: Policy, memory: int, prompt: int, n: int, extra: int = 0) -> None:
    """Costs and Lemma 4, for all multisets; the bound may be made larger."""
    lengths = range(memory - prompt, 0, -1)
    rows = list(rows_of(policy, memory, prompt, n))
    assert [row[2:] for row in rows] == [*itertools.combinations_with_replacement(lengths, n)]
    for found, bound, *outputs in rows:
        requests = [(prompt, output) for output in outputs]
        assert found == cost(policy, memory, requests)
        assert bound + extra <= optimum(memory, requests)


def main(fast: bool) -> None:
    rng = random.Random(5)
    for spec in (*SPECS, *OTHERS):
        policy = policy_from_spec(spec)
        for number in range(8 if fast else 150):
            mixed = number % 2 == 1
            memory = rng.randint(2, 12)
            requests = random_requests(rng, 4 if fast else 5, memory, mixed)
            check_orders(policy, memory, requests)
            if has_classes(policy):
                check_shortest(policy, memory, requests, rng.randrange(len(requests)))
    for spec in ("gsa:alpha=2", "gsa:spacing=tight:slices=area", "gba:alpha=3/2"):
        drained = policy_from_spec(spec)
        for memory, n in ((4, 3), (6, 2)) if fast else ((5, 4), (8, 3), (12, 2)):
            for prompt in range(memory):
                check_scan(drained, memory, prompt, n)
