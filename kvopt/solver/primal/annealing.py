"""Better schedules, patiently: simulated annealing over the order in which requests are placed.

A schedule is written as an order of the requests and a delay for each.  It is
decoded by placing the requests in that order, each at the earliest start at which
it fits for its whole run, or, with a delay d > 0, at the earliest one that is d or
more rounds after that.  Without delays some optima could not be written down (budget 7,
prompts 1, outputs 2, 2, 4, 4: starts sum to 7 at best, with delays to 6); with them
every schedule can.

Moves swap two requests, move one or a few in a row to another place, or change a
delay; only the part of the schedule from the first changed place on is decoded anew.
Everything is an integer, and how the search goes depends on the seed and on the amount
of work only: the clock does nothing but end it.

The kernel is plain Python on sequences of integers.  Where numba is installed
(`pip install kvopt[fast]`) the same source is compiled; both ways take the same steps.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.stopping import Stopping
from kvopt.solver.compiling import jitted, working
from kvopt.solver.sizes import batch_states_fit
from kvopt.solver.stage import Incumbent, recomputed

__all__ = ["IMPROVED_REQUESTS", "IMPROVED_ROUNDS", "Annealing", "AnnealingStage", "improve"]

IMPROVED_REQUESTS = 2_000
IMPROVED_ROUNDS = 1_000_000
"""Up to this many requests, and rounds if they ran one at a time, schedules are improved."""

COMPILING_SECONDS = 8.0
"""With less time than this nothing is compiled; it takes a few seconds, once."""

LEG_WORK = 250_000
"""Rounds looked at between two looks at the budget: a millisecond, or up to 90 uncompiled."""

DRAWS = 4096
"""Random numbers drawn for a leg; when they are used up, it ends."""

FIRST_CYCLE, LAST_CYCLE = 10_000, 800_000
"""Schedules decoded in a cycle of cooling: in the first, and doubled up to the last."""

HOTTEST, COLDEST = 1 / 200, 1 / 1000
"""Temperatures at both ends of a cycle, in mean output lengths, for each request..."""

COUNTED_REQUESTS = 50
"""...of the first so many."""

UNIT = 1024
"""Temperatures are multiples of 1/1024 of a round."""

LARGEST_DELAY = 8
"""Delays that moves give (rounds); those of the first schedule may be larger."""

LONG_OUTPUT, LONG_REQUESTS = 100, 50
"""If an output is so long and there are no more requests, delays may be as long as it, ..."""

SOME_DELAYS, MANY_DELAYS = 3, 25
"""...and of 100 moves so many change one, instead of so few: the memory in use at an end
is often just right only because several starts before it wait."""


class AnnealingStage:
    """The stage that looks for cheaper schedules by simulated annealing.

    Parameters
    ----------
    seed
        Seed of the random choices.
    brief
        Whether it precedes a stage that finds good schedules by itself, and applies only then.
    """

    def __init__(self, seed: int = 0, brief: bool = False) -> None:
        self.seed = seed
        self.brief = brief
        self.name = f"annealing-{seed}" if seed else "annealing"

    def applies(self, state: Incumbent) -> bool:
        """Tell whether the instance is of a size that can be improved."""
        if self.brief and not batch_states_fit(state):
            return False
        return len(state.instance) > 1 and state.bound.value < state.objective

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer each cheaper schedule."""
        part = stop.part(state.params.annealing.seconds)
        state.offer(improve(state.instance, state.starts, part, self.seed))


def improve(
    instance: Instance,
    starts: IntArray,
    stop: Stopping,
    seed: int = 0,
    report: Callable[[IntArray], None] = lambda starts: None,
    evaluations: float = math.inf,
    compiled: bool | None = None,
) -> IntArray:
    """Look for a cheaper schedule until the budget is over.

    Parameters
    ----------
    instance
        The instance.  Beyond `IMPROVED_REQUESTS` or `IMPROVED_ROUNDS` nothing is done.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    stop
        How long it may take; looked at about every millisecond (uncompiled, every 90).
    seed
        Seed of the random choices.
    report
        Called with the start times whenever a cheaper schedule has been found, at most
        once in a leg.
    evaluations
        Largest number of schedules to decode, roughly: it is looked at when the budget is.
    compiled
        Whether to compile the kernel; None does if numba is there and time allows.

    Returns
    -------
    ndarray of int64, shape (n,)
        Start times of a feasible schedule that costs no more (rounds).

    Raises
    ------
    SolverError
        If `starts` is not feasible.
    ImportError
        If `compiled` is true and numba is not installed.
    """
    recomputed(instance, starts)
    best = np.array(starts, dtype=np.int64)
    if (
        len(instance) < 2
        or len(instance) > IMPROVED_REQUESTS
        or instance.total_output > IMPROVED_ROUNDS
        or stop.over()
    ):
        return best
    kernel: Callable[..., None] | None = None
    ready = _compiled.cache_info().currsize > 0
    if compiled or (compiled is None and (ready or stop.left() > COMPILING_SECONDS)):
        kernel = _compiled()
        if kernel is None and compiled:
            raise ImportError("numba is not installed: pip install kvopt[fast]")
    search = Annealing(instance, best, seed, kernel)
    while search.evaluations < evaluations and not stop.over():
        if search.leg():
            best = search.best()
            report(best)
    recomputed(instance, best)
    return best


class Annealing:
    """Simulated annealing, leg by leg.

    Cycles of cooling follow one another, each twice as long as the one before, up to a
    limit.  They begin with the best schedule, and with the order of the first
    one without its delays, in turn.

    Parameters
    ----------
    instance
        The instance, of at least two requests.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    seed
        Seed of the random choices.
    kernel
        The compiled kernel, or None to run it as it stands.
    """

    def __init__(
        self,
        instance: Instance,
        starts: IntArray,
        seed: int,
        kernel: Callable[..., None] | None = None,
    ) -> None:
        n = len(instance)
        self.evaluations = 0
        self._random = np.random.default_rng(seed)
        self._kernel: Callable[..., None] = kernel or anneal
        self._as_sequence: Callable[[IntArray], Any] = (
            (lambda array: array.copy()) if kernel else (lambda array: array.tolist())
        )
        self._first_order = np.lexsort((instance.outputs, starts))
        first_delay = _delays(instance, starts, self._first_order)
        longest = int(instance.outputs.max())
        long_ones = longest >= LONG_OUTPUT and n <= LONG_REQUESTS
        largest_delay = longest if long_ones else LARGEST_DELAY
        rounds = instance.total_output + n * largest_delay + int(first_delay.sum()) + 2
        sizes = {"used": rounds, "scratch": rounds, "floor": n + 1, "new_floor": n + 1}
        names = ("order", "new_order", "delay", "new_delay", "start", "new_start", *sizes)
        self._arrays = {name: self._zeros(sizes.get(name, n)) for name in names}
        self._best = self._as_sequence(np.asarray(starts, dtype=np.int64))
        self._best_order = self._as_sequence(self._first_order)
        self._best_delay = self._as_sequence(first_delay)
        self._facts = (
            instance.memory,
            self._as_sequence(instance.prompts),
            self._as_sequence(instance.outputs),
            int(instance.prompts.min()),
            MANY_DELAYS if long_ones else SOME_DELAYS,
            largest_delay,
            longest.bit_length() if long_ones else 0,
            self._as_sequence(
                np.array(
                    [round(-UNIT * math.log((k + 0.5) / UNIT)) for k in range(UNIT)], dtype=np.int64
                )
            ),
        )
        self._state = self._zeros(6)
        self._state[1] = int(starts.sum())
        self._unit = UNIT * instance.total_output * min(n, COUNTED_REQUESTS) / n
        self._cycle = -1
        self._cycle_end = 0
        self._cycle_begin = 0

    def best(self) -> IntArray:
        """Return the starts of the best schedule so far (rounds), shape (n,)."""
        return np.array(self._best, dtype=np.int64)

    def leg(self) -> bool:
        """Go on for a moment, and tell whether a better schedule was found."""
        if self.evaluations >= self._cycle_end:
            self._begin_cycle()
        done = (self.evaluations - self._cycle_begin) / (self._cycle_end - self._cycle_begin)
        temperature = int(self._unit * HOTTEST * (COLDEST / HOTTEST) ** done)
        draws = self._random.integers(0, 1 << 31, DRAWS)
        before = int(self._state[1])
        a = self._arrays
        self._kernel(
            *self._facts,
            self._as_sequence(draws),
            max(1, temperature),
            *(a[name] for name in ("order", "delay", "start", "floor", "used")),
            *(a[name] for name in ("new_order", "new_delay", "new_start", "new_floor", "scratch")),
            *(self._best, self._best_order, self._best_delay),
            self._state,
        )
        self.evaluations += int(self._state[5])
        return int(self._state[1]) < before

    def _begin_cycle(self) -> None:
        self._cycle += 1
        self._cycle_begin = self.evaluations
        length = min(FIRST_CYCLE << min(self._cycle, 10), LAST_CYCLE)
        self._cycle_end = self.evaluations + length
        a = self._arrays
        from_best = self._cycle % 2 == 0
        for name in ("order", "new_order"):
            a[name][:] = self._best_order if from_best else self._as_sequence(self._first_order)
        for name in ("delay", "new_delay"):
            a[name][:] = self._best_delay if from_best else self._zeros(len(a[name]))
        a["used"][:] = self._zeros(len(a["used"]))
        self._state[0] = -1  # nothing is decoded yet
        self._state[2] = self._state[3] = 0

    def _zeros(self, size: int) -> Any:
        return self._as_sequence(np.zeros(size, dtype=np.int64))


def _delays(instance: Instance, starts: IntArray, order: IntArray) -> IntArray:
    """Return the delays with which a schedule is decoded from its order (rounds), shape (n,)."""
    profile = LiveProfile(instance.memory)
    prompts, outputs = instance.prompts.tolist(), instance.outputs.tolist()
    delays = np.zeros(len(instance), dtype=np.int64)
    for i in order.tolist():
        start = int(starts[i])
        delays[i] = start - profile.earliest_start(prompts[i], outputs[i], 0)
        profile.add(start, prompts[i], start + outputs[i])
    return delays


@functools.cache
def _compiled() -> Callable[..., None]:
    """Return the compiled kernel, or None if numba is not there or fails."""

    def build(cache: bool) -> Callable[..., None]:
        kernel: Callable[..., None] = jitted([anneal], globals(), lambda _: {"cache": cache})[
            "anneal"
        ]
        return kernel

    found: Callable[..., None] = working(build)
    return found


def anneal(
    memory: int,
    prompts: Any,
    outputs: Any,
    smallest: int,
    delays: int,
    largest_delay: int,
    delay_bits: int,
    exponential: Any,
    draws: Any,
    temperature: int,
    order: Any,
    delay: Any,
    start: Any,
    floor: Any,
    used: Any,
    new_order: Any,
    new_delay: Any,
    new_start: Any,
    new_floor: Any,
    scratch: Any,
    best: Any,
    best_order: Any,
    best_delay: Any,
    state: Any,
) -> None:
    """Try moves for one leg, changing the sequences in place.

    One function without helpers, since it is both run as it stands, on lists, and
    compiled, on arrays of int64.

    Parameters
    ----------
    memory, prompts, outputs, smallest
        Memory budget, prompt and output lengths, smallest prompt (tokens).
    delays, largest_delay, delay_bits
        How many of 100 moves change a delay, the largest that they give (rounds), and by up
        to how many bits they change it; 0 for up to 3 rounds.
    exponential
        Quantiles of the exponential distribution, in units of 1/1024, shape (1024,).
    draws
        Random numbers, uniform in [0, 2^31).
    temperature
        By how much a schedule may get worse on average (1/1024 rounds).
    order, delay, start, floor
        The current schedule: request and its start at each place, delay of each
        request; `floor[k]` is a round before which nothing fits from place k on.
    used
        Memory that the first `state[2]` places use in each round (tokens).
    new_order, new_delay, new_start, new_floor, scratch
        The same of a schedule that is tried; order and delay are in step with the
        current ones between moves.
    best, best_order, best_delay
        Start of each request in the best schedule known, and how it was written.
    state
        Sum of starts of the current schedule (-1: none yet) and of the best, places in
        `used`, last round that `used` and `scratch` may fill, and number of schedules
        decoded in this leg.
    """
    n = len(order)
    work = 0
    drawn = 0
    decoded = 0
    while work < LEG_WORK and drawn + 8 <= len(draws):
        # Choose a move, unless the current schedule has yet to be decoded.
        first = 0
        delayed = -1
        allowed = 1 << 60
        if state[0] >= 0:
            kind = draws[drawn] % 100
            a = draws[drawn + 1] % n
            distance = 1 + draws[drawn + 2] % (1 + draws[drawn + 3] % (n - 1))
            b = a + distance if draws[drawn + 4] % 2 == 0 else a - distance
            allowed = state[0] + (temperature * exponential[draws[drawn + 5] % UNIT] >> 20)
            extra = draws[drawn + 6]
            drawn += 7
            if kind < delays:
                delayed = order[a]
                if delay_bits > 0:
                    step = 1 + extra // 64 % (1 << (extra // 4 % delay_bits))
                    if delay[delayed] > 0 and extra % 4 == 0:
                        new_delay[delayed] = 0
                    elif extra % 4 == 1:
                        new_delay[delayed] = max(0, delay[delayed] - step)
                    else:
                        new_delay[delayed] = min(largest_delay, delay[delayed] + step)
                elif delay[delayed] > 0 and extra % 2 == 0:
                    new_delay[delayed] = 0
                elif delay[delayed] < largest_delay:
                    new_delay[delayed] = min(largest_delay, delay[delayed] + 1 + extra // 2 % 3)
                else:
                    new_delay[delayed] = delay[delayed] - 1 - extra // 2 % 3
                first = a
            else:
                length = 2 + extra % 3 if kind < delays + 10 else 1
                if b < 0 or max(a, b) + length > n:
                    continue
                i = order[a]
                j = order[b]
                if kind >= 70:
                    if outputs[i] == outputs[j] and prompts[i] == prompts[j]:
                        continue
                    new_order[a] = j
                    new_order[b] = i
                else:
                    for k in range(b, a):
                        new_order[k + length] = order[k]
                    for k in range(a, b):
                        new_order[k] = order[k + length]
                    for k in range(length):
                        new_order[b + k] = order[a + k]
                first = min(a, b)
        # Make `used` hold the places before the first changed one, and decode from there.
        built = state[2]
        while built != first:
            sign = 1
            if built > first:
                built -= 1
                sign = -1
            i = order[built]
            begin = start[built]
            tokens = sign * prompts[i]
            for r in range(begin + 1, begin + outputs[i] + 1):
                tokens += sign
                used[r] += tokens
            if sign == 1:
                built += 1
            work += outputs[i]
        state[2] = built
        last = max(state[3], state[4]) + 1
        scratch[:last] = used[:last]
        end = state[3]
        cost = 0
        for k in range(first):
            cost += start[k]
        low = floor[first]
        before = -1
        decoded += 1
        for k in range(first, n):
            i = new_order[k]
            s = prompts[i]
            o = outputs[i]
            p = low
            # A request that is no smaller than the one just placed fits no earlier than it did.
            if k > first:
                j = new_order[k - 1]
                if s >= prompts[j] and o >= outputs[j]:
                    p = max(low, before)
            begin = p
            before = -1
            wait = new_delay[i]
            searching = True
            while searching:
                # The latest round without room rules out every start that is too early for it.
                searching = False
                room = memory - s - o
                for r in range(p + o, p, -1):
                    if scratch[r] > room:
                        left = memory - s - scratch[r]
                        p = r - left if left > 0 else r
                        searching = True
                        break
                    room += 1
                if not searching and before < 0:
                    before = p
                if not searching and wait > 0:
                    p += wait
                    wait = 0
                    searching = True
            work += p - begin + 2 * o
            new_start[k] = p
            cost += p
            tokens = s
            for r in range(p + 1, p + o + 1):
                tokens += 1
                scratch[r] += tokens
            end = max(end, p + o)
            while scratch[low + 1] + smallest + 1 > memory:
                low += 1
            new_floor[k + 1] = low
            if cost + (n - 1 - k) * low > allowed:
                break
        state[4] = end
        if cost <= allowed and k == n - 1:
            state[0] = cost
            state[2] = n
            state[3] = end
            used[: end + 1] = scratch[: end + 1]
            for k in range(first, n):
                order[k] = new_order[k]
                start[k] = new_start[k]
                floor[k + 1] = new_floor[k + 1]
            if delayed >= 0:
                delay[delayed] = new_delay[delayed]
            if cost < state[1]:
                state[1] = cost
                for k in range(n):
                    best[order[k]] = start[k]
                    best_order[k] = order[k]
                    best_delay[k] = delay[k]
        else:
            for k in range(first, n):
                new_order[k] = order[k]
            if delayed >= 0:
                new_delay[delayed] = delay[delayed]
    state[5] = decoded
