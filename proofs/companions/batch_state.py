"""Companion of batch_state.md: paths, costs-to-go and the search, on schedules and on optima."""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from companions.aggregate_state import without_idle_rounds
from companions.checking import checker
from companions.model import random_feasible
from kvopt import Instance, Stopping
from kvopt.generate import generate_random
from kvopt.solver.params import BatchStateParams
from kvopt.solver.relaxations.batch_state.costs_to_go import SCALE, CostsToGo, DualAscent
from kvopt.solver.relaxations.batch_state.search import search
from kvopt.solver.relaxations.batch_state.search_kernel import BATCH_STATE_KERNEL
from kvopt.solver.relaxations.batch_state.states import BatchStates
from kvopt.solver.state_search.state_graph import solve_by_state_graph

Kind = tuple[int, int]
Pair = tuple[int, int]
Held = tuple[Pair, ...]
FAR = 10**60


class Priced:
    """Costs-to-go as the document defines them, by recursion.

    Parameters
    ----------
    instance
        The instance.
    scale, horizon, worth
        D, H and the w_k.
    """

    def __init__(
        self, instance: Instance, scale: int, horizon: int, worth: dict[Kind, int]
    ) -> None:
        self.memory = instance.memory
        self.counts = Counter((r.prompt, r.output) for r in instance)
        self.longest: dict[int, int] = {}
        for s, o in self.counts:
            self.longest[s] = max(o, self.longest.get(s, 0))
        self.scale, self.horizon, self.worth = scale, horizon, worth
        self.label = functools.cache(self._label)
        self.kept = functools.cache(self._kept)

    def constant(self) -> int:
        """Return the sum of n_k w_k."""
        return sum(n * self.worth[kind] for kind, n in self.counts.items())

    def completion(self, kind: Kind, t: int) -> int:
        """Return what a completion costs."""
        return self.scale * t - self.worth[kind]

    def after_round(self, held: Held) -> Iterator[Held]:
        """Yield what may be held after the next round."""
        yield from self.grown(held)
        for s in self.longest:
            if not any(b == prompt and prompt < s for b, prompt in held):  # each set once
                more = (*held, (s, s))
                if sum(b + 1 for b, _ in more) <= self.memory:
                    yield from self.after_round(more)

    def grown(self, held: Held) -> Iterator[Held]:
        """Yield what is held after a round, if that is possible."""
        new = tuple(sorted((b + 1, s) for b, s in held))
        if sum(b for b, _ in new) <= self.memory and all(b <= s + self.longest[s] for b, s in new):
            yield new

    def _label(self, t: int, held: Held, most: int) -> int:
        if all(self.completion(kind, t) > most for kind in self.counts):
            return FAR if held else 0  # nothing more completes
        ways = [self.label(t + 1, new, most) for new in self.after_round(held)]
        for pair in set(held):
            kind = (pair[1], pair[0] - pair[1])
            if kind in self.counts and self.completion(kind, t) <= most:
                left = list(held)
                left.remove(pair)
                ways.append(self.completion(kind, t) + self.label(t, tuple(left), most))
        return min(ways, default=FAR)

    def _kept(self, t: int, held: Held, most: int, slack: int) -> int:
        """Return the same where what costs more than nothing held, and the slack, is left out."""
        if all(self.completion(kind, t) > most for kind in self.counts):
            return FAR if held else 0
        ways = [self.kept(t + 1, new, most, slack) for new in self.after_round(held)]
        for pair in set(held):
            kind = (pair[1], pair[0] - pair[1])
            if kind in self.counts and self.completion(kind, t) <= most:
                left = list(held)
                left.remove(pair)
                ways.append(self.completion(kind, t) + self.kept(t, tuple(left), most, slack))
        least = min(ways, default=FAR)
        return FAR if held and least > self.kept(t, (), most, slack) + slack else least

    def bound(self) -> int:
        """Return the bound of Theorem 4."""
        least = sum(n * o for (_, o), n in self.counts.items())
        return max(least, -(-(self.constant() + self.label(0, (), 0)) // self.scale))

    def proof(self, nodes: int) -> dict[str, Any]:
        """Return the same as in a certificate."""
        worth = [[s, o, self.worth[s, o]] for s, o in sorted(self.counts)]
        return {
            "rule": "batch-state",
            "scale": self.scale,
            "horizon": self.horizon,
            "duals": worth,
            "nodes": nodes,
        }


def random_prices(instance: Instance, horizon: int, rng: random.Random) -> Priced:
    """Return prices that nobody has chosen."""
    scale = rng.randint(1, 5)
    size = rng.choice([3, 3 * horizon, 6 * horizon])
    kinds = {(r.prompt, r.output) for r in instance}
    most = scale * horizon
    worth = {kind: min(most, rng.randint(-size, size)) for kind in sorted(kinds)}
    return Priced(instance, scale, horizon, worth)


def check_schedule(
    instance: Instance, starts: Sequence[int], prices: Priced, slack: Fraction = Fraction(1)
) -> None:
    """Lemmas 1 to 3, Theorem 4, and Lemmas 5 and 5a, on a schedule without idle rounds.

    `slack` is the part of what lemma 5a takes.
    """
    runs = [(t, (r.prompt, r.output), t + r.output) for t, r in zip(starts, instance, strict=True)]
    makespan = max(end for _, _, end in runs)
    costs = [prices.completion(kind, end) for _, kind, end in runs]
    total = sum(end for _, _, end in runs)
    assert prices.scale * total == prices.constant() + sum(costs)
    most = max(0, *costs)
    least = prices.label(0, (), 0)
    z = sum(costs) - least
    shallow = z <= 20 * prices.scale  # else recursion goes too deep for lemma 5a
    for t in range(makespan + 1):
        # Lemma 1: those that complete hold s + o; without them the next round is possible.
        before = [(kind, kind[0] + t - u, end) for u, kind, end in runs if u < t <= end]
        ending = [(b, kind) for kind, b, end in before if end == t]
        assert all(b == sum(kind) for b, kind in ending)
        held = tuple(sorted((b, kind[0]) for kind, b, end in before if end > t))
        after = [(kind[0] + t + 1 - u, kind[0]) for u, kind, end in runs if u <= t < end]
        if t < makespan:
            assert after
            assert tuple(sorted(after)) in set(prices.after_round(held))
        # Lemma 3, before the completions, between them, and after them.
        left = sum(cost for cost, (_, _, end) in zip(costs, runs, strict=True) if end > t)
        assert prices.label(t, held, most) <= left
        assert not shallow or prices.kept(t, held, z, int(slack * z)) <= left
        for b, kind in ending:
            held = tuple(sorted((*held, (b, kind[0]))))
            left += prices.completion(kind, t)
            assert prices.label(t, held, most) <= left
            assert not shallow or prices.kept(t, held, z, int(slack * z)) <= left
    assert least == prices.label(0, (), most) <= sum(costs)
    assert not shallow or least == prices.kept(0, (), z, z)
    assert most <= z
    assert prices.bound() <= total


def check_optimum(instance: Instance, optimum: int, prices: Priced) -> None:
    """Theorems 4 and 6; the checker and the library find the same."""
    types = dict(prices.counts)
    proves = functools.partial(checker().bound, instance.memory, types)
    assert prices.bound() <= optimum
    assert proves(prices.proof(0), 10**9) == prices.bound()
    assert proves(prices.proof(10**6), optimum) >= optimum or prices.bound() >= optimum
    reason = ""
    try:
        proves(prices.proof(10**6), optimum + 1)
    except checker().Refused as refused:
        reason = str(refused)
    assert "a schedule costs less" in reason


def library_prices(instance: Instance, optimum: int, horizon: int) -> Priced:
    """Return prices that the library finds; its search finds the optimum with them."""
    states = BatchStates(instance)
    costs = CostsToGo(states, horizon, BATCH_STATE_KERNEL.plain)
    value = DualAscent(costs, BatchStateParams()).run([states.first_duals()], Stopping(0.05))
    kinds = [(r.prompt, r.output) for r in states.types.requests]
    worth = dict(zip(kinds, costs.duals.tolist(), strict=True))
    prices = Priced(instance, SCALE, horizon, worth)
    assert value is not None
    assert -(-value // SCALE) <= prices.bound()  # it does not ask for completions that pay
    below = search(costs, optimum, Stopping())
    assert below.finished
    assert below.starts is None
    found = search(costs, optimum + 5, Stopping())
    assert found.finished
    assert found.starts is not None
    assert int(found.starts.sum()) + instance.total_output == optimum
    return prices


def main(fast: bool) -> None:
    rng = random.Random(4)
    for number in range(15 if fast else 300):
        tiny = generate_random("tiny", 38, number)
        starts = without_idle_rounds(tiny, random_feasible(tiny, rng))
        best = solve_by_state_graph(tiny)
        makespan = int((best.starts + tiny.outputs).max())
        for _ in range(3):
            prices = random_prices(tiny, rng.randint(1, makespan + 3), rng)
            check_schedule(tiny, starts, prices)
            check_schedule(tiny, best.starts.tolist(), prices)
            check_optimum(tiny, best.objective, prices)
        prices = library_prices(tiny, best.objective, makespan)
        check_schedule(tiny, best.starts.tolist(), prices)
        check_optimum(tiny, best.objective, prices)
