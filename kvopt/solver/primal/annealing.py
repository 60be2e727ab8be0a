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

The steps are those of `kvopt.solver.primal.annealing_kernel`.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.stopping import Stopping
from kvopt.solver.params import AnnealingParams
from kvopt.solver.primal.alternation import AlternatingSearch
from kvopt.solver.primal.annealing_kernel import (
    ANNEALING,
    Best,
    Counters,
    Functions,
    Placement,
    Setting,
)
from kvopt.solver.primal.moves import MOST_TEMPERATURE, QUANTILES, UNIT, Mixture, lengths_of
from kvopt.solver.primal.neighbourhood_kernel import NEIGHBOURHOODS
from kvopt.solver.primal.neighbourhoods import NeighbourhoodSearch
from kvopt.solver.primal.restarts import RestartedSearch
from kvopt.solver.primal.schedule_search import ScheduleSearch
from kvopt.solver.primal.staggering import StaggeredSearch, copies_fit
from kvopt.solver.primal.staggering_kernel import STAGGERING
from kvopt.solver.primal.window_annealing import WindowSearch, windows_fit
from kvopt.solver.primal.window_kernel import WINDOWS
from kvopt.solver.sizes import batch_states_fit
from kvopt.solver.stage import Incumbent, recomputed

__all__ = ["Annealing", "AnnealingSearch", "improve", "search_of", "searching_beside"]

SWITCH_INTERVAL = 1e-5
"""After so long a thread lets another one run its Python, while searches go on beside (seconds)."""


class Annealing:
    """The stage that looks for cheaper schedules by simulated annealing.

    All its turns on an instance are one search, which goes on where it was: how far it gets
    depends on the time of all of them together.  Few requests are annealed as a whole, many window
    by window.  With several jobs there are as many searches, in a thread each, which go on from the
    best schedule of all; which one that is depends on the clock.  All but one of them go on while
    other stages run (`searching_beside`).

    Parameters
    ----------
    turn
        Which of its turns it is.
    brief
        Whether it precedes a stage that finds good schedules by itself, and applies only then.
    """

    with_releases = True

    def __init__(self, turn: int = 0, brief: bool = False) -> None:
        self.brief = brief
        self.name = f"annealing-{turn}" if turn else "annealing"

    def applies(self, state: Incumbent) -> bool:
        """Tell whether the instance is of a size that can be improved."""
        if self.brief and not batch_states_fit(state):
            return False
        few = _rounds(state.instance) <= state.params.annealing.most_rounds
        few = few and len(state.instance) <= state.params.annealing.most_requests
        many = windows_fit(state.instance, state.starts, state.params.windows)
        return len(state.instance) > 1 and state.bound.value < state.objective and (few or many)

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer each cheaper schedule."""
        if stop.over():
            return
        searches = state.cache.setdefault("annealing", [])
        while len(searches) < state.jobs:
            searches.append(search_of(state, stop, len(searches)))
        part = stop.part(state.params.annealing.seconds)  # from now on: compiling is not charged
        with searching_beside(state, part):
            _go_on(state, searches[0], part)


def _go_on(state: Incumbent, search: ScheduleSearch, stop: Stopping) -> None:
    """Offer what a search finds, and let it go on from what others have found."""
    while not (stop.over() or search.finished or state.bound.value == state.objective):
        state.take_over()
        search.take(state.starts)
        if search.chain():
            state.offer(search.best_starts())


@contextmanager
def searching_beside(state: Incumbent, stop: Stopping) -> Iterator[None]:
    """Let all searches but the first go on in threads of their own while something else runs.

    Without several jobs, or before the first turn of annealing, there is none.  What they find is
    taken over when the stage offers or proves something, and at the end.

    Parameters
    ----------
    state
        What the stage works on.
    stop
        How long the stage may take.
    """
    searches = state.cache.get("annealing", [])[1:]
    if not searches:
        yield
        return
    ended = threading.Event()
    with ThreadPoolExecutor(len(searches)) as threads, SWITCHING_SOON:
        others = [threads.submit(_go_on_beside, state, one, stop, ended) for one in searches]
        try:
            yield
        finally:
            ended.set()
    state.take_over()
    for other in others:
        other.result()


class _SwitchingSoon:
    """Lets threads wait for each other as briefly as `SWITCH_INTERVAL`, for as long as it is held.

    A piece of a search takes a third of a millisecond, and then a few lines of Python.  For those
    it would wait up to five milliseconds while a stage runs Python, too.  The interval is that of
    the whole process, so the last one that holds this restores it.
    """

    def __init__(self) -> None:
        self._lock, self._holders, self._usual = threading.Lock(), 0, 0.0

    def __enter__(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(self._usual, SWITCH_INTERVAL))
            self._holders += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                sys.setswitchinterval(self._usual)


SWITCHING_SOON = _SwitchingSoon()
"""Held while searches go on beside a stage."""


def _go_on_beside(
    state: Incumbent, search: ScheduleSearch, stop: Stopping, ended: threading.Event
) -> None:
    """Hand over what a search finds, and let it go on from what others have found."""
    while not (ended.is_set() or stop.over() or search.finished):
        search.take(state.starts)
        if search.chain():
            state.found_beside.put(search.best_starts())


def search_of(state: Incumbent, stop: Stopping, seed: int = 0) -> ScheduleSearch:
    """Return a new search for an instance: windows are annealed if they fit.

    Parameters
    ----------
    state
        The instance, a schedule to begin with, and the tuning numbers.
    stop
        It is not charged for compiling.
    seed
        Seed of the random choices.
    """
    instance, starts, params = state.instance, state.starts, state.params
    neighbourhoods = NEIGHBOURHOODS.compiled(stop)
    copies = STAGGERING.compiled(stop) if copies_fit(instance, params.staggering) else None
    begin: Callable[[int], ScheduleSearch]
    if windows_fit(instance, starts, params.windows):
        windows = WINDOWS.compiled(stop)

        def begin(seed: int) -> ScheduleSearch:
            return WindowSearch(instance, starts, seed, params.windows, windows)
    else:
        whole = ANNEALING.compiled(stop)

        def begin(seed: int) -> ScheduleSearch:
            return AnnealingSearch(instance, starts, seed, params.annealing, whole)

    def alternating(seed: int) -> ScheduleSearch:
        few = NeighbourhoodSearch(instance, starts, seed, params.neighbourhoods, neighbourhoods)
        many = copies and StaggeredSearch(instance, starts, seed, params.staggering, copies)
        return AlternatingSearch(
            instance, starts, seed, params.neighbourhoods, begin(seed), few, many
        )

    if len(instance) > params.restarts.most_requests:
        return alternating(seed)
    return RestartedSearch(instance, seed, params.restarts, alternating)


def improve(
    instance: Instance,
    starts: IntArray,
    stop: Stopping,
    seed: int = 0,
    report: Callable[[IntArray], None] = lambda starts: None,
    evaluations: float = math.inf,
    params: AnnealingParams | None = None,
    functions: Functions | None = None,
) -> IntArray:
    """Look for a cheaper schedule until a limit is reached.

    Parameters
    ----------
    instance
        The instance.  Beyond `most_requests` or `most_rounds` nothing is done.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    stop
        How long it may take; looked at about every millisecond (uncompiled, every 90).
    seed
        Seed of the random choices.
    report
        Called with the start times whenever a cheaper schedule has been found, at most
        once in a chain.
    evaluations
        Largest number of schedules to decode, roughly: it is looked at between chains.
    params
        The tuning numbers; by default the usual ones.
    functions
        The functions to use; by default the compiled ones.

    Returns
    -------
    ndarray of int64, shape (n,)
        Start times of a feasible schedule that costs no more (rounds).

    Raises
    ------
    SolverError
        If `starts` is not feasible.
    """
    recomputed(instance, starts)
    params = params or AnnealingParams()
    best = np.array(starts, dtype=np.int64)
    if (
        len(instance) < 2
        or len(instance) > params.most_requests
        or _rounds(instance) > params.most_rounds
        or stop.over()
    ):
        return best
    functions = functions or ANNEALING.compiled(stop)
    search = AnnealingSearch(instance, best, seed, params, functions)
    while search.evaluations < evaluations and not stop.over():
        if search.chain():
            best = search.best_starts()
            report(best)
    recomputed(instance, best)
    return best


class AnnealingSearch(ScheduleSearch):
    """Simulated annealing, chain by chain; never finished.

    Cycles of cooling follow one another, each twice as long as the one before, up to a
    limit.  They begin with the best schedule, and with the order of the first
    one without its delays, in turn.

    Parameters
    ----------
    instance, seed
        As of `ScheduleSearch`.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    params
        The tuning numbers.
    functions
        The functions to use.
    """

    def __init__(
        self,
        instance: Instance,
        starts: IntArray,
        seed: int,
        params: AnnealingParams,
        functions: Functions,
    ) -> None:
        super().__init__(instance, seed)
        n = len(instance)
        self.params = params
        self._functions = functions
        # Python runs several times as fast on lists as on arrays.
        self._on_lists = functions == ANNEALING.plain
        self._setting = self._setting_of(instance)
        order = np.lexsort((instance.outputs, starts))
        delay = _delays(instance, starts, order)
        room = n * self._setting.mixture.largest_delay + int(delay.sum())
        rounds = _rounds(instance) + room + 2
        self._first_order = self._sequence(order)
        self._current = self._placement(n, rounds)
        self._trial = self._placement(n, rounds)
        start = np.asarray(starts, dtype=np.int64)
        self._best = Best(self._sequence(start), self._sequence(order), self._sequence(delay))
        self._counters = Counters(*(self._zeros(1) for _ in Counters._fields))
        self._counters.best_cost[0] = int(start.sum())
        self._unit = UNIT * instance.total_output * min(n, params.counted_requests) / n
        self._cycle = -1
        self._cycle_end = 0
        self._cycle_begin = 0

    def best_starts(self) -> IntArray:
        """Return the starts of the best schedule so far (rounds), shape (n,)."""
        return np.array(self._best.start, dtype=np.int64)

    def take(self, starts: IntArray) -> bool:
        """Go on from another schedule if it is cheaper; tell whether it is."""
        if int(starts.sum()) >= int(self._counters.best_cost[0]):
            return False
        order = np.lexsort((self._instance.outputs, starts))
        delay = _delays(self._instance, starts, order)
        room = len(starts) * self._setting.mixture.largest_delay + int(delay.sum())
        if _rounds(self._instance) + room + 2 > len(self._current.load):
            return False
        for own, new in zip(self._best, (starts, order, delay), strict=True):
            own[:] = self._sequence(np.asarray(new, dtype=np.int64))
        self._counters.best_cost[0] = int(starts.sum())
        return True

    def chain(self) -> bool:
        """Run a chain at the next temperature, and tell whether a better schedule was found."""
        if self.evaluations >= self._cycle_end:
            self._begin_cycle()
        done = (self.evaluations - self._cycle_begin) / (self._cycle_end - self._cycle_begin)
        hottest, coldest = max(self.params.hottest, 1e-9), self.params.coldest
        temperature = min(MOST_TEMPERATURE, self._unit * hottest * (coldest / hottest) ** done)
        draws = self._random.integers(0, 1 << 31, max(8, self.params.draws))
        before = int(self._counters.best_cost[0])
        self._functions.run_chain(
            self._setting,
            self._current,
            self._trial,
            self._best,
            self._counters,
            self._sequence(draws),
            max(1, int(temperature)),
        )
        self.evaluations += int(self._counters.decoded[0])
        self.work += int(self._counters.work[0])
        self.legs += self.evaluations >= self._cycle_end
        return int(self._counters.best_cost[0]) < before

    def _begin_cycle(self) -> None:
        params = self.params
        self._cycle += 1
        self._cycle_begin = self.evaluations
        length = min(params.first_cycle << min(self._cycle, 10), params.last_cycle)
        self._cycle_end = self.evaluations + max(1, length)
        from_best = self._cycle % 2 == 0
        for one in (self._current, self._trial):
            one.order[:] = self._best.order if from_best else self._first_order
            one.delay[:] = self._best.delay if from_best else self._zeros(len(one.delay))
        self._current.load[:] = self._sequence(np.arange(len(self._current.load)))
        self._counters.cost[0] = -1  # nothing is decoded yet
        self._counters.placed[0] = self._counters.end[0] = 0

    def _setting_of(self, instance: Instance) -> Setting:
        params = self.params
        longest = int(instance.outputs.max())
        long = longest >= params.long_output and len(instance) <= params.long_requests
        lengths = lengths_of(instance)
        columns = (lengths.prompts, lengths.outputs, lengths.releases)
        prompts, outputs, releases = map(self._sequence, columns)
        mixture = Mixture(
            exponential=self._sequence(np.array(QUANTILES)),
            delay_moves=params.long_delay_moves if long else params.delay_moves,
            block_moves=params.block_moves,
            swap_moves=params.swap_moves,
            largest_delay=longest if long else params.largest_delay,
        )
        return Setting(
            lengths=lengths._replace(prompts=prompts, outputs=outputs, releases=releases),
            mixture=mixture,
            chain_work=max(1, params.chain_work),
            delay_bits=longest.bit_length() if long else 0,
        )

    def _placement(self, n: int, rounds: int) -> Placement:
        order, delay, start, floor = (self._zeros(size) for size in (n, n, n, n + 1))
        return Placement(order, delay, start, floor, self._sequence(np.arange(rounds)))

    def _sequence(self, array: IntArray) -> Any:
        return array.tolist() if self._on_lists else array.copy()

    def _zeros(self, size: int) -> Any:
        return self._sequence(np.zeros(size, dtype=np.int64))


def _rounds(instance: Instance) -> int:
    """Return how many rounds a schedule without delays takes at most."""
    return instance.total_output + int(instance.releases.max())


def _delays(instance: Instance, starts: IntArray, order: IntArray) -> IntArray:
    """Return the delays with which a schedule is decoded from its order (rounds), shape (n,)."""
    profile = LiveProfile(instance.memory)
    prompts, outputs = instance.prompts.tolist(), instance.outputs.tolist()
    releases = instance.releases.tolist()
    delays = np.zeros(len(instance), dtype=np.int64)
    for i in order.tolist():
        start = int(starts[i])
        delays[i] = start - profile.earliest_start(prompts[i], outputs[i], releases[i])
        profile.add(start, prompts[i], start + outputs[i])
    return delays
