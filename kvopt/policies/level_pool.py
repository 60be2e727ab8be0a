"""Level pool: levels of area in strict priority, each request with a constant reservation."""

from __future__ import annotations

import heapq
import random
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from kvopt.model.instance import Instance, IntArray
from kvopt.model.spec import choice, integer
from kvopt.policies.draws import FIXED_OR_RANDOM, random_offset, shuffle
from kvopt.policies.phases import in_batches
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.decisions import Decisions, Wait
from kvopt.simulation.machine import Machine
from kvopt.theory.area_levels import AreaLadder
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.mixed_bounds import (
    LEVEL_POOL_ALPHA,
    LEVEL_POOL_THEOREM,
    level_pool_bound,
    level_pool_expected_bound,
    pool_widths,
)
from kvopt.theory.parsing import at_least_one, growth_factor
from kvopt.theory.quadratic import Exact

__all__ = ["LevelPool"]

LAST = sys.maxsize
"""Level of requests that have outlived what is reserved for them."""


@dataclass(frozen=True, slots=True)
class LevelPool(Policy):
    """Level pool: smallest area level first, with the same memory reserved for each attempt.

    Request i reserves w_i = width * s_i tokens while it runs, at least s_i + 1 and at most M.
    At level q = 0, 1, ... its slice is the longest whose area is at most alpha^q, but at most
    w_i - s_i; it has attempts at the levels at which the slice grows.  Of the waiting requests
    only the first by (level, request) may start, as soon as its w_i is not reserved.  What has not
    completed at the end of its slice is killed and waits at its next level.  A
    request killed after w_i - s_i rounds runs after all others, alone [our reading].  What is
    released while a batch runs forms the next one.

    Guarantee: if each w_i is at least s_i + o_i, at most rho (s_i + 1), and at most a * M, a < 1,
    the total completion time is at most max(F, 2F/3 + 1 + W) times the optimum,
    F = (1 + alpha + 2 alpha/(alpha - 1)) rho / (1 - a), W = 1 / (1 - alpha^-0.5): 27.32 for outputs
    of at most the prompt and prompts of at most M/4 (proofs/text/mixed_non_clairvoyant.md,
    theorem 9).  Random versions have smaller bounds on the expected ratio: 22.00 with order=random
    (alpha = 3), 18.37 with offset=random (3.59), 13.95 with both (4.97) (theorem 15).

    Parameters
    ----------
    alpha
        Growth factor of the areas, > 1.
    width
        Memory reserved for a request, in prompts, >= 1.
    offset
        "random" multiplies all areas by a random power of alpha in [1, alpha).
    order
        "random": of two requests at a level the first is not that of the smaller number, but
        that with the smaller place in a random order of the batch.
    seed
        Seed of all that is random.
    """

    name: ClassVar[str] = "level-pool"
    clairvoyant: ClassVar[bool] = False

    alpha: Exact = parameter(LEVEL_POOL_ALPHA, growth_factor, "growth factor of the areas")
    width: Fraction = parameter(Fraction(2), at_least_one, "memory reserved, in prompts")

    offset: str = parameter("fixed", choice(*FIXED_OR_RANDOM), "areas: fixed or random")
    order: str = parameter("fixed", choice(*FIXED_OR_RANDOM), "order at a level: fixed or random")
    seed: int = parameter(0, integer(0), "seed of what is random")

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        rng = random.Random(self.seed)
        return in_batches(machine, lambda batch: self._run_batch(machine, batch, rng))

    def _run_batch(self, machine: Machine, batch: IntArray, rng: random.Random) -> Decisions:
        scale = random_offset(self.alpha, rng) if self.offset == "random" else Fraction(1)
        places = list(range(len(batch)))
        if self.order == "random":
            shuffle(places, rng)
        pool = _Pool(machine, AreaLadder(self.alpha, scale), self.width, batch, places)
        while pool.start_what_fits():
            done = yield Wait(pool.next_end, releases=False)
            pool.end_attempts(done.tolist())

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound for the largest widths, if every request fits into its own.

        It holds for every single run; beside it is what is proved about the mean of all draws.
        """
        prompts, memory = instance.prompts, instance.memory
        widths = pool_widths(prompts, memory, self.width)
        if instance.has_releases or (prompts + instance.outputs > widths).any():
            return None
        share = Fraction(int(widths.max()), memory)
        if share == 1:
            return None
        pairs = set(zip(widths.tolist(), prompts.tolist(), strict=True))
        rho = max(Fraction(width, prompt + 1) for width, prompt in pairs)
        bound = level_pool_bound(self.alpha, rho, share)
        expected = None
        if "random" in (self.order, self.offset):
            expected = level_pool_expected_bound(self.alpha, rho, share, self.order, self.offset)
        source = LEVEL_POOL_THEOREM.source
        return Guarantee(bound, "derived", source, "widths", expected=expected)


class _Pool:
    """The requests of a batch, waiting by (level, place) or running.

    Parameters
    ----------
    machine
        The machine, with nothing running.
    ladder
        The levels.
    width
        As in `LevelPool`.
    batch
        The requests, shape (n,).
    places
        Their places among equal levels, a permutation of 0, ..., n - 1.
    """

    def __init__(
        self,
        machine: Machine,
        ladder: AreaLadder,
        width: Fraction,
        batch: IntArray,
        places: list[int],
    ) -> None:
        prompts = machine.prompts_of(batch)
        widths = pool_widths(prompts, machine.memory, width)
        self._machine = machine
        self._ladder = ladder
        self._free = machine.memory
        self._prompt = dict(zip(batch.tolist(), prompts.tolist(), strict=True))
        self._width = dict(zip(batch.tolist(), widths.tolist(), strict=True))
        self._slice = dict.fromkeys(self._width, 0)
        self._place = dict(zip(batch.tolist(), places, strict=True))
        self._waiting = [self._next_key(i) for i in self._width]
        heapq.heapify(self._waiting)
        self._running: set[int] = set()
        self._ends: list[tuple[int, int]] = []  # a heap of (end of the slice, request)

    @property
    def next_end(self) -> int:
        """When the first slice ends of those that were started and not ended by their slice."""
        return self._ends[0][0]

    def start_what_fits(self) -> bool:
        """Start requests from the first on as long as they fit; tell whether anything runs."""
        now = self._machine.now
        while self._waiting and self._width[request := self._waiting[0][2]] <= self._free:
            heapq.heappop(self._waiting)
            self._machine.start(request, kill_at=self._slice[request])
            self._free -= self._width[request]
            self._running.add(request)
            heapq.heappush(self._ends, (now + self._slice[request], request))
        return bool(self._running)

    def end_attempts(self, completed: list[int]) -> None:
        """Take note of what has completed, and of the slices that have ended by now."""
        for request in completed:
            self._running.remove(request)
            self._free += self._width[request]
        now = self._machine.now
        while self._ends and (self._ends[0][0] <= now or self._ends[0][1] not in self._running):
            _, request = heapq.heappop(self._ends)
            if request in self._running:
                self._running.remove(request)
                self._free += self._width[request]
                heapq.heappush(self._waiting, self._next_key(request))

    def _next_key(self, request: int) -> tuple[int, int, int]:
        """Go on to the next slice of a request and return (level, place, request)."""
        return self._next_level(request), self._place[request], request

    def _next_level(self, request: int) -> int:
        """Go on to the next slice of a request and return its level."""
        prompt, slice = self._prompt[request], self._slice[request]
        longest = self._width[request] - prompt
        if slice == longest:
            self._width[request] = self._machine.memory
            self._slice[request] = self._machine.memory - prompt
            return LAST
        level, self._slice[request] = self._ladder.after(prompt, slice, longest)
        return level
