"""Small instances with release times: best-first search over states, in integers throughout.

What can still happen depends on the time, on how many requests of each shape (prompt, output) have
yet to start, and on the memory that the running ones will use in each coming round.  Requests of
one shape start in the order of their releases.  From the last release on the time plays no part.
Every round costs the number of requests that are released and wait through it, so the total is the
sum of the waits, and the optimum is a shortest path.  A* finds it.

Why that is so: proofs/text/release_times.md, lemmas 2 to 4.
"""

from __future__ import annotations

import heapq
import sys
from bisect import bisect_right
from collections.abc import Iterator

import numpy as np

from kvopt.model.errors import SolverError
from kvopt.model.feasibility import violations
from kvopt.model.instance import Instance, IntArray
from kvopt.model.schedule import Schedule
from kvopt.model.stopping import Stopping
from kvopt.solver.busy_time_weights import twelve_moments
from kvopt.solver.releases.busy_time import fluid_busy_times
from kvopt.solver.result import Bound, Result
from kvopt.solver.sizes import plain_search_fits
from kvopt.solver.stage import Incumbent, run_alone
from kvopt.solver.state_search.profiles import Profiles
from kvopt.solver.window_covers import LEVELS, cover_window

__all__ = ["ReleaseSearch", "least_latency", "solve_by_release_search"]

PLACES = 24
"""Binary places of the fractions that are added up; each is rounded down."""

Counts = tuple[int, ...]
"""A number of requests of each shape."""


class ReleaseSearch:
    """The stage that searches over states with a clock; exact for about a dozen requests.

    Parameters
    ----------
    state_limit
        Largest number of states to keep; by default what `ReferenceSearchParams` says.
    """

    name = "release-search"
    with_releases = True

    def __init__(self, state_limit: int | None = None) -> None:
        self.state_limit = state_limit

    def applies(self, state: Incumbent) -> bool:
        """Tell whether the instance is small enough for that."""
        return plain_search_fits(state) and state.bound.value < state.objective

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer the best schedule found, and prove the bound that was reached."""
        outputs = state.instance.total_output
        limit = state.params.reference_search.first_states
        limit = limit if self.state_limit is None else self.state_limit
        search = _Search(state.instance, state.objective - outputs)
        waits = search.run(limit, stop)
        if search.best is not None:
            state.offer(search.starts(search.best))
        state.prove(Bound(outputs + waits, self.name))


def solve_by_release_search(
    instance: Instance, known: IntArray, stop: Stopping, state_limit: int = 300_000
) -> Result:
    """Solve a small instance by this search alone.

    Parameters
    ----------
    instance
        The instance, with or without release times; practical up to about a dozen requests and a
        memory of a few dozen tokens.
    known
        Starts of some feasible schedule (rounds), shape (n,).
    stop
        How long it may take.
    state_limit
        Largest number of states to keep.

    Raises
    ------
    SolverError
        If `known` is not feasible.
    """
    return run_alone(ReleaseSearch(state_limit), instance, known, stop)


def least_latency(instance: Instance, cutoff: int, state_limit: int | None = None) -> int:
    """Return the least total latency of a small instance, or `cutoff` if none is below it (rounds).

    Parameters
    ----------
    instance
        The instance, with or without release times.
    cutoff
        Only schedules that cost less are looked for (rounds).
    state_limit
        Largest number of states to keep; the cheapest schedule found by then counts.  None for no
        limit: the result is exact then.

    Raises
    ------
    SolverError
        If the schedule found does not hold.

    Examples
    --------
    >>> least_latency(Instance(3, [0, 2, 2], [3, 1, 1], releases=[0, 1, 2]), 100)
    8
    """
    search = _Search(instance, cutoff - instance.total_output)
    search.run(sys.maxsize if state_limit is None else state_limit, Stopping())
    if search.best is None:
        return cutoff
    schedule = Schedule.from_starts(instance, search.starts(search.best))
    latency = schedule.total_latency()
    if violations(schedule) or latency != search.cutoff + instance.total_output:
        raise SolverError("release-search: the schedule found does not hold")
    return latency


class _State:
    """A point in time, before it is decided what starts there.

    Attributes
    ----------
    now
        The time (rounds).
    begun
        How many requests of each shape have started.
    profile
        Memory that the running ones will use in each coming round, packed.
    cost
        Rounds that requests have waited so far, all together.
    parent, began
        The state before, and what started there.
    dropped
        True once another state was found to be at least as good.
    """

    __slots__ = ("began", "begun", "cost", "dropped", "now", "parent", "profile")

    def __init__(
        self,
        now: int,
        begun: Counts,
        profile: int,
        cost: int,
        parent: _State | None,
        began: Counts,
    ) -> None:
        self.now = now
        self.begun = begun
        self.profile = profile
        self.cost = cost
        self.parent = parent
        self.began = began
        self.dropped = False


class _Search(Profiles):
    """The search on one instance.

    Parameters
    ----------
    instance
        The instance.
    cutoff
        The sum of the waits in some schedule (rounds).

    Attributes
    ----------
    best
        The end of a cheaper schedule, or None.
    """

    def __init__(self, instance: Instance, cutoff: int) -> None:
        self.instance = instance
        self.cutoff = cutoff
        self.best: _State | None = None
        self.shapes = sorted({(r.prompt, r.output) for r in instance})
        super().__init__(instance.memory, self.shapes)
        # The requests of each shape, by release.
        self.members: list[list[int]] = [[] for _ in self.shapes]
        for i in np.argsort(instance.releases, kind="stable").tolist():
            request = instance[i]
            self.members[self.shapes.index((request.prompt, request.output))].append(i)
        releases = instance.releases.tolist()
        self.releases = [[releases[i] for i in own] for own in self.members]
        self.latest = max(releases)
        self.everyone = tuple(map(len, self.members))
        smallest = min(s for s, _ in self.shapes)
        self.windows = [
            [cover_window(self.memory, smallest, s, o, level) for s, o in self.shapes]
            for level in LEVELS
        ]
        self._alone: dict[tuple[int, Counts], int] = {}
        self.areas = [s * o + o * (o + 1) // 2 for s, o in self.shapes]
        # C - o is the mean busy time plus delta - o: this is less than 0, and rounded down.
        self.rests = [
            (-twelve_moments(s, o) << PLACES) // (12 * area)
            for (s, o), area in zip(self.shapes, self.areas, strict=True)
        ]

    def run(self, state_limit: int, stop: Stopping) -> int:
        """Return a lower bound on the sum of the waits: the least, unless a limit struck."""
        none = (0,) * len(self.shapes)
        root = _State(min(map(min, self.releases)), none, 0, 0, None, none)
        heap = [(self.remaining(root), 0, root)]
        kept: dict[tuple[int, Counts], list[_State]] = {}
        states = 0
        while heap:
            bound, _, state = heapq.heappop(heap)
            if bound >= self.cutoff:
                break
            if state.dropped:
                continue
            for child in self.children(state):
                if states > state_limit or stop.over():
                    return bound
                if child.cost >= self.cutoff:
                    continue
                if child.begun == self.everyone:
                    self.best, self.cutoff = child, child.cost
                    continue
                child_bound = max(bound, child.cost + self.remaining(child))
                if child_bound >= self.cutoff:
                    continue
                rivals = kept.setdefault((min(child.now, self.latest), child.begun), [])
                if any(self.no_worse(rival, child) for rival in rivals):
                    continue
                for rival in rivals:
                    rival.dropped = self.no_worse(child, rival)
                rivals[:] = [rival for rival in rivals if not rival.dropped]
                rivals.append(child)
                states += 1
                stop.count()
                heapq.heappush(heap, (child_bound, -states, child))
        return self.cutoff

    def released(self, now: int) -> Counts:
        """Return how many requests of each shape are released at a time."""
        return tuple(bisect_right(own, now) for own in self.releases)

    def children(self, state: _State) -> Iterator[_State]:
        """Yield what follows each choice of what to start: a round later, or at the next release.

        The latter if nothing runs and nobody waits.  After the last release no round is idle.
        """
        released = self.released(state.now)
        runs, offsets, tops, width = self.runs, self.offsets, self.tops, self.width
        choice = [0] * len(runs)

        def choose(k: int, profile: int, waiting: int) -> Iterator[_State]:
            if k == len(runs):
                if profile or state.now < self.latest:
                    yield self.after(state, profile >> width, waiting, tuple(choice))
                return
            yield from choose(k + 1, profile, waiting)
            for number in range(1, released[k] - state.begun[k] + 1):
                profile += runs[k]
                if (profile + offsets) & tops:
                    break
                choice[k] = number
                yield from choose(k + 1, profile, waiting - number)
            choice[k] = 0

        return choose(0, state.profile, sum(released) - sum(state.begun))

    def after(self, state: _State, profile: int, waiting: int, began: Counts) -> _State:
        """Return the state after a choice, when so many of those released wait on."""
        begun = tuple(map(int.__add__, state.begun, began))
        now = state.now + 1
        if not profile and not waiting and begun != self.everyone:
            coming = zip(self.releases, begun, strict=True)
            now = max(now, min(own[b] for own, b in coming if b < len(own)))
        return _State(now, begun, profile, state.cost + waiting, state, began)

    def remaining(self, state: _State) -> int:
        """Return a lower bound on what will be added to the cost of a state.

        It is the busy-time bound of those who have not begun, beside the running ones: a fluid
        takes what these leave of the memory, those of the smallest area first.  Less their outputs
        and the waits so far that is a bound on the waits to come.
        """
        memory, width, mask, profile = self.memory, self.width, self.mask, state.profile
        now, begun = state.now, state.begun
        if (key := (min(now, self.latest), begun)) not in self._alone:
            self._alone[key] = self._new_alone(*key)
        alone = self._alone[key]
        if state.cost + alone >= self.cutoff:
            return alone
        waiting: list[list[int]] = []  # [area, area left], the smallest area last
        coming: list[tuple[int, int]] = []  # (release, area)
        total = 0  # of mean busy times less what they are at least, in units of 2^-PLACES
        for area, rest, own, b in zip(self.areas, self.rests, self.releases, begun, strict=True):
            for release in own[b:]:
                total += rest - (max(release - now, 0) << PLACES)
                if release <= now:
                    waiting.append([area, area])
                else:
                    coming.append((release, area))
        waiting.sort(reverse=True)
        coming.sort(reverse=True)
        time = 0
        while waiting or coming:
            if not waiting and not profile:
                time = max(time, coming[-1][0] - now)
            while coming and coming[-1][0] - now <= time:
                area = coming.pop()[1]
                waiting.append([area, area])
                waiting.sort(reverse=True)
            room = memory - (profile & mask)
            profile >>= width
            used = 0
            while waiting and used < room:
                area, left = waiting[-1]
                taken = min(left, room - used)
                # Twice the integral of the time, times the room: that is one for a round.
                moment = taken * (2 * (time * room + used) + taken)
                total += (moment << (PLACES - 1)) // (room * area)
                used += taken
                if taken == left:
                    waiting.pop()
                else:
                    waiting[-1][1] = left - taken
            time += 1
        return max(alone, -(-total >> PLACES))

    def _new_alone(self, now: int, begun: Counts) -> int:
        """Return a bound on the waits to come of those who have not begun, from window covers.

        Of those within their windows of level m, the first rounds of a run, m run at most; so 1 / m
        for each of these rounds are weights, too.
        """
        best = 0
        for level, windows in zip(LEVELS, self.windows, strict=True):
            rows, total = [], 0
            for window, own, b in zip(windows, self.releases, begun, strict=True):
                for release in own[b:] if window else ():
                    late = max(release - now, 0)
                    rows.append((late, window, 1))
                    total -= (2 * late + window) << (PLACES - 1)
            total += fluid_busy_times(rows, level, PLACES)
            best = max(best, -(-total >> PLACES))
        return best

    def starts(self, end: _State) -> IntArray:
        """Return the start of every request in the schedule that leads to a state."""
        starts = np.zeros(len(self.instance), dtype=np.int64)
        state = end
        while state.parent is not None:
            before = state.parent
            for own, b, number in zip(self.members, before.begun, state.began, strict=True):
                starts[own[b : b + number]] = before.now
            state = before
        return starts
