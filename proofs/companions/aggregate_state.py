"""Companion of aggregate_state.md: the relaxation on schedules, term by term; bounds on optima."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from companions.checking import checker
from companions.model import random_feasible
from kvopt import Instance
from kvopt.generate import generate_random
from kvopt.solver.relaxations.aggregate_state.kernel import AGGREGATE_STATE_KERNEL
from kvopt.solver.relaxations.aggregate_state.relaxation import LEVELS, AggregateRelaxation
from kvopt.solver.state_search.state_graph import solve_by_state_graph
from kvopt.solver.window_covers import cover_windows

Kind = tuple[int, int]
FAR = 10**60


def random_proof(instance: Instance, horizon: int, rng: random.Random) -> dict[str, Any]:
    """Return prices that nobody has chosen."""
    scale = rng.randint(1, 9)
    size = rng.choice([1, 5, 40])
    kinds = sorted({(r.prompt, r.output) for r in instance})

    def row(low: int) -> list[int]:
        share = rng.random()
        return [rng.randint(low, size) * (rng.random() < share) for _ in range(horizon)]

    def worth(output: int) -> int:
        return min(scale * (horizon + output), rng.randint(-size, size * 3))

    return {
        "rule": "aggregate-state",
        "scale": scale,
        "start": [[s, row(-size)] for s in sorted({s for s, _ in kinds})],
        "duals": [[s, o, worth(o)] for s, o in kinds],
        "covers": [[m, row(0)] for m in (1, 2, 3)],
        "second_moments": row(0),
    }


class Priced:
    """What each event costs, as the document defines it.

    Parameters
    ----------
    instance
        The instance.
    proof
        The prices, as in a certificate.
    widened, larger
        Added to the staircase windows and to the least sum of squares, to see it fail.
    """

    def __init__(
        self, instance: Instance, proof: dict[str, Any], widened: int = 0, larger: int = 0
    ) -> None:
        self.instance = instance
        self.larger = larger
        self.scale: int = proof["scale"]
        self.sigma: dict[int, list[int]] = dict(proof["start"])
        self.worth: dict[Kind, int] = {(s, o): w for s, o, w in proof["duals"]}
        self.stairs: dict[int, list[int]] = dict(proof["covers"])
        self.kappa: list[int] = proof["second_moments"]
        self.horizon = len(self.kappa)
        self.counts = Counter((r.prompt, r.output) for r in instance)
        kinds = [(r.prompt, r.output) for r, _ in instance.types()]
        self.windows = {
            m: {
                kind: d + widened for kind, d in zip(kinds, cover_windows(instance, m), strict=True)
            }
            for m in self.stairs
        }
        self.smallest = min(s for s, _ in kinds)
        self.running = min(len(instance), instance.memory // (self.smallest + 1))
        self.end = min(
            self.completion((s, o), u + o)
            for s, o in kinds
            for u in range(max(0, self.horizon + 1 - o), self.horizon + 1)
        )
        self.end = min(0, self.end)

    def rest(self, t: int) -> int:
        """Return the sum of the moment prices from t on."""
        return sum(self.kappa[t:])

    def completion(self, kind: Kind, t: int) -> int:
        """Return what a completion at t costs."""
        (s, o), u = kind, t - kind[1]
        cost = self.scale * t - self.worth[kind] + (s + o) ** 2 * self.rest(t)
        cost -= self.sigma[s][u] if u < self.horizon else 0
        return cost + sum(sum(q[u : u + self.windows[m][kind]]) for m, q in self.stairs.items())

    def start(self, s: int, t: int) -> int:
        """Return what a start at t < horizon costs."""
        return self.sigma[s][t] - s * s * self.rest(t + 1)

    def round(self, k: int, w: int, t: int) -> int:
        """Return what the round from t to t + 1 costs."""
        return -(2 * w + k) * self.rest(t + 1)

    def least(self, k: int, w: int) -> int:
        """Return the least sum of squares of k integers of sum w."""
        return sum((w // k + (i < w % k)) ** 2 for i in range(k)) + self.larger if k else 0

    def constant(self) -> int:
        """Return what the prices are worth, beside the path."""
        worth = sum(n * self.worth[kind] for kind, n in self.counts.items())
        return worth - sum(m * sum(q) for m, q in self.stairs.items())

    def cheapest(self) -> int:
        """Return the cost of the cheapest path, state by state."""
        states = {(0, 0): 0}
        best = FAR
        for t in range(self.horizon + 1):
            for k in range(self.running, 0, -1):  # completions
                for (key, w), cost in list(states.items()):
                    if key != k:
                        continue
                    for kind in self.counts:
                        left = w - sum(kind)
                        fits = left >= (k - 1) * (self.smallest + 1) if k > 1 else left == 0
                        if fits and kind[1] <= t:
                            lower(states, (k - 1, left), cost + self.completion(kind, t))
            if t > 0:
                best = min(best, states.get((0, 0), FAR))
            if t == self.horizon:
                break
            states = {(k, w): c + self.kappa[t] * self.least(k, w) for (k, w), c in states.items()}
            for k in range(self.running):  # starts
                for (key, w), cost in list(states.items()):
                    if key == k:
                        for s in self.sigma:
                            lower(states, (k + 1, w + s), cost + self.start(s, t))
            states = {
                (k, w + k): cost + self.round(k, w, t)
                for (k, w), cost in states.items()
                if k > 0 and w + k <= self.instance.memory
            }
        return min([best] + [cost + k * self.end for (k, _), cost in states.items() if k])


def lower(states: dict[tuple[int, int], int], state: tuple[int, int], cost: int) -> None:
    states[state] = min(cost, states.get(state, FAR))


def without_idle_rounds(instance: Instance, starts: Sequence[int]) -> list[int]:
    """Return the starts with what follows a round in which nothing runs moved forward."""
    moved = list(starts)
    while True:
        runs = [range(t, t + r.output) for t, r in zip(moved, instance, strict=True)]
        last = max(run.stop for run in runs)
        idle = [t for t in range(last) if not any(t in run for run in runs)]
        if not idle:
            return moved
        moved = [t - (t > idle[0]) for t in moved]


def check_schedule(instance: Instance, starts: Sequence[int], prices: Priced) -> None:
    """Lemmas 1 to 4 on a schedule without idle rounds; its path costs what they say."""
    runs = [(t, (r.prompt, r.output), t + r.output) for t, r in zip(starts, instance, strict=True)]
    horizon, makespan = prices.horizon, max(end for _, _, end in runs)
    begun = Counter((kind[0], t) for t, kind, _ in runs)
    done = Counter((kind, end) for _, kind, end in runs)
    path = late = 0  # what the path costs up to the horizon, and what completes later
    squares = 0  # the sum of squares, from starts, rounds and completions alone
    penalties = []
    left = [kind for u, kind, end in runs if u < horizon < end]  # they run at the horizon
    for t in range(makespan + 1):
        # Lemma 1: completions, starts and a round lead from state to state.
        held = [kind[0] + t - u for u, kind, end in runs if u < t < end]
        k, w = len(held), sum(held)
        assert k <= prices.running
        assert w >= k * (prices.smallest + 1)
        ending = [kind for _, kind, end in runs if end == t]
        squares -= sum(sum(kind) ** 2 for kind in ending)
        cost = sum(prices.completion(kind, t) for kind in ending)
        if t > horizon:
            late += cost
            continue
        path += cost
        if t == horizon:
            assert len(left) == k
            continue
        # Lemma 2: the squares.
        assert squares == sum(b * b for b in held)
        penalties.append(prices.kappa[t] * (prices.least(k, w) - squares))
        assert prices.least(k, w) <= squares
        path += prices.kappa[t] * prices.least(k, w)
        starting = [kind[0] for u, kind, _ in runs if u == t]
        path += sum(prices.start(s, t) for s in starting)
        squares += sum(s * s for s in starting)
        k, w = k + len(starting), w + sum(starting)
        if t < makespan:
            assert 1 <= k <= prices.running
            assert w + k <= instance.memory
            path += prices.round(k, w, t)
            squares += 2 * w + k
    # Lemma 2: worth, starts and staircases.
    for kind, number in prices.counts.items():
        assert sum(done[kind, t] for t in range(makespan + 1)) == number
    for s, sigma in prices.sigma.items():
        for t, price in enumerate(sigma):
            ends = sum(done[kind, t + kind[1]] for kind in prices.counts if kind[0] == s)
            assert begun[s, t] == ends
            penalties.append(price * (begun[s, t] - ends))
    for m, row in prices.stairs.items():
        for u, price in enumerate(row):
            inside = sum(u - prices.windows[m][kind] < t <= u for t, kind, _ in runs)
            assert inside <= m
            penalties.append(price * (inside - m))
    # Lemma 3: cost and penalties are what the events cost.
    total = sum(end for _, _, end in runs)
    assert max(penalties) <= 0
    assert prices.scale * total + sum(penalties) == prices.constant() + path + late
    # Lemma 4: what completes after the horizon.
    assert late >= len(left) * prices.end
    # Theorem 5: the cheapest path is cheaper.
    value = prices.constant() + prices.cheapest()
    assert value <= prices.constant() + path + len(left) * prices.end
    assert -(-value // prices.scale) <= total


def check_bound(instance: Instance, optimum: int, proof: dict[str, Any], larger: int = 0) -> None:
    """Theorem 5 on an optimum; the checker finds the same value."""
    prices = Priced(instance, proof, larger=larger)
    bound = -(-(prices.constant() + prices.cheapest()) // prices.scale)
    assert bound <= optimum
    assert bound == checker().bound(instance.memory, dict(prices.counts), proof)


def proofs_of(instance: Instance, horizon: int, rng: random.Random) -> list[dict[str, Any]]:
    """Return prices good and bad: random, guessed, and after some steps uphill."""
    relaxation = AggregateRelaxation(instance, horizon, AGGREGATE_STATE_KERNEL.plain)
    x = relaxation.area_duals()
    found = [relaxation.rounded(x)]
    states = relaxation.room()
    low, high = np.array(relaxation.box(1e6)).T
    for step in range(8):
        _, slope = relaxation.smoothed(x, 0.5, states)
        x = np.clip(x + slope / (1 + step), low, high)
    found.append(relaxation.rounded(x))
    proofs = [prices.content(instance.request_types()) for prices in found]
    for prices, proof in zip(found, proofs, strict=True):
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        assert prices.bound == checker().bound(instance.memory, types, proof)
    assert len(proofs[0]["covers"]) == len(LEVELS)
    return [*proofs, *(random_proof(instance, horizon, rng) for _ in range(3))]


def main(fast: bool) -> None:
    rng = random.Random(3)
    for number in range(15 if fast else 400):
        for name in ("tiny", "small"):
            instance = generate_random(name, 36, number)
            starts = without_idle_rounds(instance, random_feasible(instance, rng))
            horizon = rng.randint(1, max(starts) + 6)
            for _ in range(2):
                prices = Priced(instance, random_proof(instance, horizon, rng))
                check_schedule(instance, starts, prices)
        tiny = generate_random("tiny", 37, number)
        best = solve_by_state_graph(tiny)
        horizon = rng.randint(1, int((best.starts + tiny.outputs).max()) + 2)
        for proof in proofs_of(tiny, horizon, rng):
            check_bound(tiny, best.objective, proof)
            check_schedule(tiny, best.starts.tolist(), Priced(tiny, proof))
