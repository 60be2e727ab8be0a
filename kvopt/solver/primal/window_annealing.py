"""Better schedules of many requests: simulated annealing, window by window.

In annealing of a whole order each move decodes the rest of the schedule, and among a hundred
requests or more most moves spoil what comes later.  Here the places before a window are fixed,
and moves change the window alone.  They place it and some places beyond anew; the mean shift of
the last of those counts for all requests that follow.  So a move costs the same whatever the
number of requests.

There are two ways to go on from a window.  A *sweep* goes from left to right: it leaves the window
as it is, and the next begins some places later.  Sweeps start from a list in the order of areas or
outputs; several go side by side, and again and again the worst are replaced by copies of the best.
*Polishing* takes windows of the best schedule, and places what comes after in several ways,
among them each request as much earlier or later as the window's end; the schedule stays if it is
no worse.  Beyond some hundred places that is done only as far as the next windows need.

Everything is an integer, and how the search goes depends on the seed and on the amount of work
only: the clock does nothing but end it.  Steps: `kvopt.solver.primal.window_kernel`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.params import WindowParams
from kvopt.solver.primal.moves import FAR, MOST_TEMPERATURE, QUANTILES, UNIT, Mixture, lengths_of
from kvopt.solver.primal.schedule_search import ScheduleSearch
from kvopt.solver.primal.window_kernel import (
    DRAWS_PER_MOVE,
    Functions,
    Placed,
    Scratch,
    Stretch,
    Window,
)

__all__ = [
    "AS_BEFORE",
    "IN_ORDER",
    "WITHOUT_DELAYS",
    "WITH_DELAYS",
    "Line",
    "WindowSearch",
    "rounds_needed",
    "windows_fit",
]

AS_BEFORE, WITH_DELAYS, WITHOUT_DELAYS, IN_ORDER = range(4)
"""How the kernel's `complete` places requests."""


def rounds_needed(instance: Instance, starts: IntArray) -> int:
    """Return for how many rounds there is to be room: a third more than the makespan, and runs."""
    makespan = int((starts + instance.outputs).max())
    return makespan + makespan // 3 + 6 * int(instance.outputs.max()) + 16


def windows_fit(instance: Instance, starts: IntArray, params: WindowParams) -> bool:
    """Tell whether a schedule is of a size for which windows are annealed."""
    if instance.has_releases:
        return False  # what follows a window would not move with its end
    if not params.least_requests <= len(instance) <= params.most_requests:
        return False
    return rounds_needed(instance, starts) <= params.most_rounds


class WindowSearch(ScheduleSearch):
    """Simulated annealing of windows, one after the other; finished if there is no room for that.

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
        params: WindowParams,
        functions: Functions,
    ) -> None:
        super().__init__(instance, seed)
        self.params = params
        self._functions = functions
        self._rounds = rounds_needed(instance, starts)
        self._best = np.array(starts, dtype=np.int64)
        self._best_cost = int(self._best.sum())
        self._line = self._new_line()
        self._candidates: list[IntArray] = []
        self._rounds_each = max(1, 2 * instance.total_output // len(instance))  # for one placed
        areas = instance.prompts * instance.outputs + instance.outputs * (instance.outputs + 1) // 2
        self._lists = [
            np.lexsort((instance.outputs, areas)),
            np.lexsort((areas, instance.outputs)),
        ]
        self._work = self._windows()

    def best_starts(self) -> IntArray:
        """Return the starts of the best schedule so far (rounds), shape (n,)."""
        return self._best.copy()

    def take(self, starts: IntArray) -> bool:
        """Go on from another schedule if it is cheaper; tell whether it is."""
        fits = rounds_needed(self._instance, starts) <= self._rounds
        if int(starts.sum()) >= self._best_cost or not fits:
            return False
        self._best, self._best_cost = np.array(starts, dtype=np.int64), int(starts.sum())
        return True

    def candidates(self) -> list[IntArray]:
        """Return the best schedules of the last sweeps, shape (n,) each."""
        return self._candidates

    def chain(self) -> bool:
        """Anneal a window, and tell whether a better schedule was found."""
        before = self._best_cost
        self.finished = next(self._work, True) is True
        return self._best_cost < before

    def _windows(self) -> Iterator[None]:
        """Anneal windows for ever, one at a time: sweeps and polishing in turn, ever more."""
        for effort in itertools.count():
            before = self.evaluations
            self._candidates = []
            if len(self._instance) <= self.params.swept_requests:
                yield from self._sweeps(effort)
                self.legs += 1
                yield
            yield from self._polishing(effort, self.evaluations - before)
            self.legs += 1
            if self.evaluations == before:
                return
            yield

    def _sweeps(self, effort: int) -> Iterator[None]:
        """Go from left to right with several lines, the best of which go on."""
        params, n = self.params, len(self._instance)
        members = min(params.most_lines, max(1, params.first_lines) << min(effort, 10))
        moves = params.sweep_moves << min(10, effort - min(effort, _doublings(params)))
        lines = [self._new_line() for _ in range(members)]
        for line in lines:  # one list for all, or their estimates could not be compared
            line.list(self._lists[effort % 3 // 2])
        first = step = 0
        while first < n:
            estimates = []
            for line in lines:
                width = self._width(line, first)
                line.move_prefix(first)
                estimates.append(self._anneal(line, width, 2 * width, moves))
                yield
            step += 1
            if members > 1 and step % max(1, params.sweep_steps) == 0:
                ranks = np.argsort(estimates, kind="stable")
                for k in range(max(1, members // 4)):
                    lines[ranks[-1 - k]].copy(lines[ranks[k]])
            first += max(1, min(self._width(line, first) for line in lines) // 4)
        for line in lines:
            self._offer(line)
        complete = sorted((line for line in lines if line.known == n), key=Line.cost)
        self._candidates = [line.starts() for line in complete[: params.candidates]]

    def _polishing(self, effort: int, evaluations: int) -> Iterator[None]:
        """Take windows of the best schedule, and place the rest in the best of several ways."""
        params, n = self.params, len(self._instance)
        line = self._line
        line.load_schedule(self._best)
        least = params.polish_moves * max(8, n // 25)
        end = self.evaluations + max(evaluations // 2, least)
        random = n <= params.completed_requests
        moves = params.polish_moves
        if not random:  # soon to the end of all requests, then more thoroughly
            moves = max(1, moves >> 4) << min(effort, 8)
            end = self.evaluations + moves * n
        first = 0
        while self.evaluations < end:
            if random:
                first = int(self._random.integers(0, max(1, n - 2)))
            if not self._polish(line, first, moves):
                return
            yield
            if random and line.cost() < self._best_cost:
                self._offer(line)
            first += params.width // 2
            if not random and first >= n:
                break
        self._offer(line)

    def _polish(self, line: Line, first: int, moves: int) -> bool:
        """Anneal a window and the rest after it; False if there is no room for that."""
        params, n = self.params, len(self._instance)
        width, ahead = params.width, params.ahead
        last = min(n, first + width + ahead)
        reach = n if n <= params.completed_requests else params.reach
        if not line.know(last + reach):
            return False
        line.move_prefix(first)
        known = line.known
        kept = line.saved(first)
        cost = int(line.placed.start[first:known].sum())
        tail = slice(max(first, last - params.tail), last)
        before = line.placed.start[tail].mean()
        self._anneal(line, width, ahead, moves)
        if last < known:
            lag = math.floor(line.placed.start[tail].mean() - before)
            ways = [(lag + k, AS_BEFORE) for k in (-2, -1, 0, 1)]
            ways += [(0, WITH_DELAYS), (0, WITHOUT_DELAYS)]
            costs = [line.complete(last, known, way, keep=False) for way in ways]
            self.work += self._rounds_each * len(ways) * (known - last)
            line.complete(last, known, ways[int(np.argmin(costs))], keep=True)
            if min(costs) >= FAR:
                line.restore(first, kept)
                return True
        change = int(line.placed.start[first:known].sum()) - cost
        shift = 0
        if known < n:
            end = slice(known - params.tail, known)
            old = kept[1][end.start - first : end.stop - first]
            # All of them must be earlier, or what follows could not be: chance would be believed.
            shifts = line.placed.start[end] - old
            shift = min(int(shifts.max()), max(0, math.ceil(shifts.mean())))
            change += (n - known) * shift
        if change > 0:
            line.restore(first, kept)
        else:
            line.lag += shift
        return True

    def _anneal(self, line: Line, width: int, ahead: int, moves: int) -> int:
        """Anneal the window after a line's prefix, and return what the schedule costs, about."""
        params, n = self.params, len(self._instance)
        first = line.at
        last = min(n, first + width + ahead)
        tail = max(1, min(params.tail, last - first))
        window = Window(
            first=first,
            moved=min(n, first + width),
            reached=min(n, first + width + ahead // 3),
            last=last,
            tail=tail,
            beyond=n - last,
            slack=self._instance.total_output * 3 // (10 * n),
        )
        scale = UNIT * (n - first) * self._instance.total_output / n
        hottest, coldest = max(params.hottest, 1e-12), max(params.coldest, 1e-12)
        ladder = hottest * (coldest / hottest) ** (np.arange(moves) / max(1, moves))
        temperatures = np.minimum(MOST_TEMPERATURE, scale * ladder).astype(np.int64)
        draws = self._random.integers(0, 1 << 31, DRAWS_PER_MOVE * moves)
        self.work += self._rounds_each * line.anneal(window, draws, temperatures)
        self.evaluations += moves
        start = line.placed.start
        return int(start[:last].sum()) + (n - last) * int(start[last - tail : last].sum()) // tail

    def _width(self, line: Line, first: int) -> int:
        """Return the width of a window: as many places as requests run there."""
        return min(max(line.running(first), self.params.least_width), self.params.most_width)

    def _offer(self, line: Line) -> None:
        """Make the schedule of a line the best one if it is."""
        if line.know(len(self._instance)):
            self.take(line.starts())

    def _new_line(self) -> Line:
        return Line(self._instance, self._rounds, self.params, self._functions)


def _doublings(params: WindowParams) -> int:
    """Return how often the number of lines is doubled."""
    return max(0, (params.most_lines // max(1, params.first_lines)).bit_length() - 1)


Saved = tuple[IntArray, IntArray, IntArray, IntArray, IntArray]
"""Order, starts, floors, ends, and delays from a place on."""


class Line:
    """A schedule in the making, and the load of its first places.

    Attributes
    ----------
    placed
        The schedule.
    at
        How many places are in the load of the prefix.
    known
        The places before this are placed; those after it start as they did before, plus `lag`.
    lag
        How much later those are to start (rounds).
    """

    def __init__(
        self, instance: Instance, rounds: int, params: WindowParams, functions: Functions
    ) -> None:
        n = len(instance)
        self._functions = functions
        self._lengths = lengths_of(instance)
        self._mixture = Mixture(
            np.array(QUANTILES),
            params.delay_moves,
            params.block_moves,
            params.swap_moves,
            params.largest_delay,
        )
        self.placed = Placed(
            *(np.zeros(n + (name in ("floor", "end")), dtype=np.int64) for name in Placed._fields)
        )
        room = n + 1
        self._scratch = Scratch(
            np.arange(rounds), *(np.zeros(room, dtype=np.int64) for _ in range(7))
        )
        self.prefix = np.arange(rounds)
        self.at = self.known = self.lag = 0

    def list(self, order: IntArray) -> None:
        """Begin with a list without delays."""
        self.placed.order[:] = order
        self.placed.delay[:] = 0
        self._begin()

    def load_schedule(self, starts: IntArray) -> None:
        """Begin with a schedule."""
        order = np.lexsort((self._lengths.outputs, starts))
        self.placed.order[:] = order
        self.placed.start[:] = starts[order]
        self._begin()

    def _begin(self) -> None:
        self.prefix[:] = np.arange(len(self.prefix))
        self.at = self.known = self.lag = 0

    def copy(self, other: Line) -> None:
        """Become like another line."""
        for own, its in zip(self.placed, other.placed, strict=True):
            own[:] = its
        self.prefix[:] = other.prefix
        self.at, self.known, self.lag = other.at, other.known, other.lag

    def starts(self) -> IntArray:
        """Return the starts in instance order (rounds), shape (n,)."""
        starts = np.zeros(len(self.placed.order), dtype=np.int64)
        starts[self.placed.order] = self.placed.start
        return starts

    def cost(self) -> int:
        """Return the sum of starts (rounds)."""
        return int(self.placed.start.sum())

    def running(self, first: int) -> int:
        """Return how many requests run when that of a place starts, of some thousand nearby."""
        near = slice(max(0, first - 3_000), min(self.known, first + 3_000))
        start = self.placed.start[near]
        if not len(start):
            return 0
        now = self.placed.start[min(first, self.known - 1)]
        outputs = self._lengths.outputs[self.placed.order[near]]
        return int(((start <= now) & (start + outputs > now)).sum())

    def move_prefix(self, first: int) -> None:
        """Make the prefix end before a place that is known."""
        self._functions.move_prefix(self._lengths, self.placed, self.prefix, self.at, first)
        self.at = first

    def know(self, last: int, delays: int = AS_BEFORE) -> bool:
        """Place what comes before a place in some way; False if there is no room."""
        last = min(last, len(self.placed.order))
        if last <= self.known:
            return True
        return self.complete(self.known, last, (self.lag, delays), keep=True) < FAR

    def complete(self, first: int, last: int, way: tuple[int, int], keep: bool) -> int:
        """Place the requests of some places anew; see the kernel's `complete`."""
        cost = self._functions.complete(
            self._lengths,
            self.placed,
            self.prefix,
            self._scratch,
            Stretch(self.at, first, last, *way),
            keep,
        )
        if keep and cost < FAR:
            self.known = max(self.known, last)
        return cost

    def anneal(self, window: Window, draws: IntArray, temperatures: IntArray) -> int:
        """Anneal a window, which is placed first if it is not; return how many were placed."""
        self.know(window.last, WITH_DELAYS)
        work = self._functions.anneal_window(
            self._lengths, self._mixture, window, self.placed, self.prefix, self._scratch,
            draws, temperatures,
        )  # fmt: skip
        self.complete(window.first, window.last, (0, WITH_DELAYS), keep=True)
        return int(work)

    def saved(self, first: int) -> Saved:
        """Return what is known from a place on."""
        order, delay, start, floor, end = self.placed
        part = slice(first, self.known)
        places = slice(first, self.known + 1)
        own = order[part].copy()
        return own, start[part].copy(), floor[places].copy(), end[places].copy(), delay[own]

    def restore(self, first: int, kept: Saved) -> None:
        """Undo what has happened since from a place on."""
        order, delay, start, floor, end = self.placed
        order[first : first + len(kept[0])] = kept[0]
        start[first : first + len(kept[1])] = kept[1]
        floor[first : first + len(kept[2])] = kept[2]
        end[first : first + len(kept[3])] = kept[3]
        delay[kept[0]] = kept[4]
