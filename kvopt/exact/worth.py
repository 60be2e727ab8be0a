"""Bounds and schedules for many requests of few types: the memory is exact, counts are priced.

What can start from now on depends on the memory that the running requests will use in the
coming rounds.  With few types there are few such profiles; they are the nodes of a graph,
and one round is an edge: some requests start, then a round passes.  When a start of a type
no longer pays, a smaller graph follows.  If every completion of
type k is worth a price w_k, and any number of requests of any type may be served, the best
way through the graph is found round by round.  It bounds the cost of every schedule:

    cost  >=  sum over k of n_k w_k  +  min over ways of sum over runs of (completion - w_k)

(proofs/worth.md), and at the best prices the best way serves nearly the right numbers,
often exactly: then it is an optimal schedule.  Otherwise it is mended into a good one.

The prices, one for each type, are found by cutting planes in a box around the best ones so
far.  Values are integers, multiples of 1 / SCALE of a round.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kvopt.budget import Budget
from kvopt.exact.compiling import jitted, working
from kvopt.exact.heuristics import pulled_forward
from kvopt.instance import Instance, IntArray
from kvopt.profile import LiveProfile

__all__ = [
    "SCALE",
    "ProfileGraph",
    "Worth",
    "WorthRelaxation",
    "descend",
    "descend_by_arrays",
    "has_few_profiles",
    "profile_graph",
    "worth_bound",
]

SCALE = 1 << 12
"""Prices are multiples of 1 / SCALE."""

TYPES = 12
"""With more types there are too many profiles, nearly always."""

REQUESTS = 5_000
"""With more requests mending schedules takes too long."""

COUNTING_WORK = 500_000_000
"""Additions that counting sets of requests may take..."""

CONFIGURATIONS = 700_000
"""With more sets of requests that can run together the graph is too large to be tried."""

EDGES = 600_000
"""Most edges of a graph..."""

STEPS = 1_000_000_000
"""...and of all graphs together, times the rounds for which they are needed."""

LOOK_EVERY = 256
"""Nodes expanded between two looks at the budget."""

CHOICES = 400_000_000
"""Most choices to keep, one for each node and time: nearly always a byte each."""

LARGEST = 1 << 62
"""No value may exceed this in size."""

FRACTION_STEPS = 200_000_000
"""With more steps than this the first prices are those of..."""

FRACTIONS = (16, 4)
"""...instances with these fractions of the counts."""

FIRST_BOX, BOX_AFTER = 1 / 8, 16.0
"""Half the side of the first box, as a part of the makespan, and of that after a smaller
instance (rounds)."""

LEAST_GAIN = 0.01
"""A possible gain below this part of a round ends the search for prices..."""

ROUGH_GAIN = 1e-4
"""...for the smaller instances, a part of the bound..."""

SMALLEST_BOX = 1.0
"""...when the box is at least so wide (rounds)."""

MENDED_SHARE = 0.1
"""Up to this part of the requests in excess or missing, a way is mended into a schedule."""

COMPILING_SECONDS = 8.0
"""With less time than this nothing is compiled; it takes a few seconds, once."""


@dataclass(frozen=True, slots=True, eq=False)
class ProfileGraph:
    """The profiles of memory that can be met, and what may start in a round.

    Attributes
    ----------
    first
        Number of the first edge of each node and of the end, shape (nodes + 1,); node 0 is
        the idle machine, and the first edge of a node starts nothing.
    target
        The profile after the round, shape (edges,).
    group
        What starts: a row of `groups`, shape (edges,).
    groups
        How many requests of each type of the instance start, shape (groups, types); row 0
        is zero.
    core
        The nodes before this one can be reached from the idle machine; they come first.
    entry
        The nodes of the profiles from which the graph was built, in their order.
    profiles
        The memory in coming rounds, packed, of each node.
    """

    first: IntArray
    target: IntArray
    group: IntArray
    groups: IntArray
    core: int
    entry: IntArray
    profiles: list[int]


class Started(NamedTuple):
    """What starts at a time: how many of each type of the instance."""

    time: int
    group: tuple[int, ...]


class Phase(NamedTuple):
    """Times begin..end at which the same types may start, and pay.

    From time `drained` on, nothing else runs any more.
    """

    graph: ProfileGraph
    begin: int
    end: int
    drained: int

    def parts(self) -> Iterator[tuple[int, int, int]]:
        """Yield (nodes, low, high): up to which node values are needed at times low..high - 1.

        The last times come first.
        """
        drained = min(max(self.drained, self.begin), self.end + 1)
        yield self.graph.core, drained, self.end + 1
        yield len(self.graph.profiles), self.begin, drained


@dataclass(frozen=True, slots=True)
class Worth:
    """Prices of completions, and what they tell.

    Attributes
    ----------
    worth
        Price of a completion of each type in the order of `Instance.types`, multiples of
        1 / SCALE.
    bound
        Lower bound that they prove (rounds).
    starts
        Starts of the best schedule that was met (rounds), shape (n,); None if there was none.
    """

    worth: tuple[int, ...]
    bound: int
    starts: IntArray | None

    def content(self, instance: Instance) -> dict[str, Any]:
        """Return the object "proof" of a certificate of the bound.

        Parameters
        ----------
        instance
            The instance that the prices belong to.
        """
        pairs = zip(instance.types(), self.worth, strict=True)
        rows = sorted([request.prompt, request.output, w] for (request, _), w in pairs)
        return {"rule": "worth", "scale": SCALE, "worth": rows}


def profile_graph(
    instance: Instance,
    budget: Budget,
    edges: int = EDGES,
    chosen: Sequence[int] | None = None,
    profiles_before: Sequence[int] = (0,),
) -> ProfileGraph | None:
    """Return the graph of profiles of some types.

    Memory that nobody can use is taken away, so that profiles that differ in nothing else
    become one: proofs/worth.md, lemma 2.

    Parameters
    ----------
    instance
        The instance.
    budget
        How long it may take.
    edges
        Largest number of edges.
    chosen
        Which of the instance's types may start; by default all.
    profiles_before
        What the profile may be at first, packed.

    Returns
    -------
    ProfileGraph or None
        None if it is too large, or takes too long.
    """
    types = [(r.prompt, r.output) for r, _ in instance.types()]
    chosen = range(len(types)) if chosen is None else chosen
    kinds = [types[k] for k in chosen]
    longest = max(o for _, o in types)
    memory, shortest = instance.memory, min(o for _, o in kinds)
    least = min(s for s, _ in kinds) + 1
    width = memory.bit_length() + 2  # of the field for a round: it holds up to 2 M and a bit
    field = (1 << width) - 1
    ones = sum(1 << (width * j) for j in range(longest))
    tops, spare = ones << (width - 1), ones * ((1 << (width - 1)) - 1 - memory)
    shapes = [sum((s + j + 1) << (width * j) for j in range(o)) for s, o in kinds]
    places = [width * r for r in range(shortest - 1, -1, -1)]

    def usable(profile: int) -> int:
        later = near = 0
        for place in places:
            used = max((profile >> place) & field, later + 1 if later else 0)
            later = used if used + least <= memory else memory
            near = near << width | later
        return profile >> (width * shortest) << (width * shortest) | near

    nothing = (0,) * len(kinds)
    groups, nodes, profiles = {nothing: 0}, {0: 0}, [0]
    first, target, group = [0], [], []
    entry: list[int] = []
    core = -1
    for profile in profiles:  # grows on the way
        ways = [(profile, nothing, 0)]
        while ways:
            used, started, k = ways.pop()
            after = usable(used >> width)
            if after not in nodes:
                nodes[after] = len(profiles)
                profiles.append(after)
            target.append(nodes[after])
            group.append(groups.setdefault(started, len(groups)))
            for j in range(k, len(kinds)):
                more = used + shapes[j]
                if not (more + spare) & tops:
                    ways.append((more, (*started[:j], started[j] + 1, *started[j + 1 :]), j))
        first.append(len(target))
        if len(target) > edges or (len(first) % LOOK_EVERY == 0 and budget.over()):
            return None
        if core < 0 and len(first) > len(profiles):  # all that the idle machine leads to is there
            core = len(profiles)
            for before in map(usable, profiles_before):
                if before not in nodes:
                    nodes[before] = len(profiles)
                    profiles.append(before)
                entry.append(nodes[before])
    all_groups = np.zeros((len(groups), len(types)), dtype=np.int64)
    all_groups[:, list(chosen)] = list(groups)
    starts, ends, what, into = (
        np.array(column, dtype=np.int64) for column in (first, target, group, entry)
    )
    return ProfileGraph(starts, ends, what, all_groups, core, into, profiles)


def descend(
    first: IntArray,
    target: IntArray,
    group: IntArray,
    base: IntArray,
    step: IntArray,
    last: int,
    values: IntArray,
    other: IntArray,
    choices: IntArray,
) -> None:
    """Go back from time `last + 1`, one time for each row of `choices`, starting from the end.

    Parameters
    ----------
    first, target, group
        The graph.
    base, step
        A group costs base + step * t at time t, shape (groups,) each.
    last
        Time of the last row of `choices`.
    values
        Cost of the cheapest way on from each node, at first at `last` + 1; changed in place.
    other
        Room, like `values`.
    choices
        Number of the best edge of each node among its own, the first of equals, shape
        (times, nodes); filled in.
    """
    for row in range(choices.shape[0] - 1, -1, -1):
        t = last - (choices.shape[0] - 1 - row)
        for x in range(values.shape[0]):
            begin = first[x]
            best = values[target[begin]]
            choice = 0
            for e in range(begin + 1, first[x + 1]):
                value = values[target[e]] + base[group[e]] + step[group[e]] * t
                if value < best:
                    best = value
                    choice = e - begin
            other[x] = best
            choices[row, x] = choice
        values[:] = other


def descend_by_arrays(
    first: IntArray,
    target: IntArray,
    group: IntArray,
    base: IntArray,
    step: IntArray,
    last: int,
    values: IntArray,
    other: IntArray,
    choices: IntArray,
) -> None:
    """Do the same as `descend` by array operations."""
    begins, degrees = first[:-1], np.diff(first)
    numbers = np.arange(len(target)) - np.repeat(begins, degrees)
    for back, row in enumerate(choices[::-1]):
        through = values[target] + (base + step * (last - back))[group]
        np.minimum.reduceat(through, begins, out=other)
        others = np.where(through == np.repeat(other, degrees), numbers, len(target))
        row[:] = np.minimum.reduceat(others, begins)
        values[:] = other


@functools.cache
def _compiled() -> Callable[..., None] | None:
    """Return `descend` compiled, or None if numba is not there or fails."""

    def build(cache: bool) -> Callable[..., None]:
        function: Callable[..., None] = jitted([descend], globals(), lambda _: {"cache": cache})[
            "descend"
        ]
        return function

    return working(build)


class WorthRelaxation:
    """The relaxation of one instance.

    Parameters
    ----------
    instance
        The instance.
    function
        `descend`, compiled or not, or `descend_by_arrays`.
    """

    def __init__(self, instance: Instance, function: Callable[..., None]) -> None:
        types = instance.types()
        self.instance = instance
        self.function = function
        self.counts = np.array([n for _, n in types], dtype=np.int64)
        self.prompts = np.array([r.prompt for r, _ in types], dtype=np.int64)
        self.outputs = np.array([r.output for r, _ in types], dtype=np.int64)
        self._graphs: dict[tuple[tuple[int, ...], ...], ProfileGraph | None] = {}

    def phases(self, worth: IntArray, budget: Budget) -> list[Phase] | None:
        """Return the phases in which starts can pay; None if there is no time, or no room.

        Parameters
        ----------
        worth
            Prices, multiples of 1 / SCALE, shape (types,).
        budget
            How long it may take.
        """
        last = ((worth - SCALE * self.outputs) // SCALE).tolist()
        phases: list[Phase] = []
        path: tuple[tuple[int, ...], ...] = ()
        begin = drained = 0
        for end in sorted({t for t in last if t >= 0}):
            path = (*path, tuple(k for k, t in enumerate(last) if t >= end))
            graph = self._graph(path, budget)
            if graph is None:
                return None
            phases.append(Phase(graph, begin, end, drained))
            for t, o in zip(last, self.outputs.tolist(), strict=True):
                drained = max(drained, t + o if t == end else 0)
            begin = end + 1
        most = max((int(phase.graph.groups.sum(axis=1).max()) for phase in phases), default=0)
        each = SCALE * (begin + int(self.outputs.max())) + int(abs(worth).max())
        own = int((self.counts * abs(worth)).sum())
        steps = room = 0
        for phase in phases:
            for nodes, low, high in phase.parts():
                steps += int(phase.graph.first[nodes]) * (high - low)
                room += nodes * (high - low)
        if steps > STEPS or room > CHOICES or begin * most * each + own > LARGEST:
            return None
        return phases

    def _graph(self, path: tuple[tuple[int, ...], ...], budget: Budget) -> ProfileGraph | None:
        """Return the graph of the last types of a path, after those before them."""
        if path not in self._graphs:
            before: Sequence[int] = (0,)
            if len(path) > 1:
                earlier = self._graph(path[:-1], budget)
                if earlier is None:
                    return None
                before = earlier.profiles
            graph = profile_graph(self.instance, budget, EDGES, path[-1], before)
            if graph is None and budget.over():
                return None
            self._graphs[path] = graph
        return self._graphs[path]

    def best_way(self, worth: IntArray, budget: Budget) -> tuple[int, list[Started]] | None:
        """Return what the cheapest way costs (1 / SCALE), and what it starts, by time.

        Parameters
        ----------
        worth
            Prices, multiples of 1 / SCALE, shape (types,).
        budget
            None is returned if it is over.
        """
        phases = self.phases(worth, budget)
        if phases is None:
            return None
        kept: list[tuple[Phase, int, IntArray]] = []  # phase, first time, choices
        values = np.zeros(len(phases[-1].graph.profiles) if phases else 1, dtype=np.int64)
        for number in range(len(phases) - 1, -1, -1):
            phase = phases[number]
            graph = phase.graph
            base = graph.groups @ (SCALE * self.outputs - worth)
            step = SCALE * graph.groups.sum(axis=1)
            kind: Any = np.uint8 if np.diff(graph.first).max() < 1 << 8 else np.uint32
            if number + 1 < len(phases):
                values = values[phases[number + 1].graph.entry]
            for nodes, low, high in phase.parts():
                if high <= phase.end:  # the others cannot be met at `high`, and tell if they are
                    values[graph.core :] = -LARGEST
                edges = int(graph.first[nodes])
                piece = max(1, 100_000_000 // edges)  # about a second
                part = values[:nodes]
                other = np.zeros(nodes, dtype=np.int64)
                for end in range(high, low, -piece):
                    if budget.over():
                        return None
                    choices = np.zeros((min(piece, end - low), nodes), dtype=kind)
                    arrays = (graph.first[: nodes + 1], graph.target[:edges], graph.group[:edges])
                    self.function(*arrays, base, step, end - 1, part, other, choices)
                    kept.append((phase, end - len(choices), choices))
        node, now, way = 0, phases[0] if phases else None, []
        for phase, low, choices in reversed(kept):
            graph = phase.graph
            if phase is not now:
                node, now = int(graph.entry[node]), phase
            for t, row in enumerate(choices, start=low):
                edge = int(graph.first[node]) + int(row[node])
                if row[node]:
                    way.append(Started(t, tuple(graph.groups[graph.group[edge]].tolist())))
                node = int(graph.target[edge])
        return int(values[0]), way

    def served(self, way: list[Started]) -> IntArray:
        """Return how many requests of each type a way serves, shape (types,)."""
        return sum((np.array(group) for _, group in way), start=0 * self.counts)

    def mended(self, way: list[Started], budget: Budget) -> IntArray:
        """Make a way into a schedule: without the last in excess, with the missing added.

        Parameters
        ----------
        way
            What it starts, by time.
        budget
            How long pulling forward may take.

        Returns
        -------
        ndarray of int64, shape (n,)
            Start times in instance order (rounds).
        """
        times: list[list[int]] = [[] for _ in self.counts]
        for t, group in way:
            for k, number in enumerate(group):
                times[k] += [t] * number
        profile = LiveProfile(self.instance.memory)
        shapes = list(zip(self.prompts.tolist(), self.outputs.tolist(), strict=True))
        for k, (s, o) in enumerate(shapes):
            del times[k][int(self.counts[k]) :]
            for t in times[k]:
                profile.add(t, s, t + o)
        for k, (s, o) in enumerate(shapes):
            for _ in range(int(self.counts[k]) - len(times[k])):
                t = profile.earliest_start(s, o, 0)
                profile.add(t, s, t + o)
                times[k].append(t)
        starts = np.zeros(len(self.instance), dtype=np.int64)
        for k, (s, o) in enumerate(shapes):
            own = (self.instance.prompts == s) & (self.instance.outputs == o)
            starts[own] = sorted(times[k])
        return pulled_forward(self.instance, starts, budget)


def has_few_profiles(instance: Instance, most: float = CONFIGURATIONS) -> bool:
    """Tell whether at most so many sets of requests can run together, types and ages told apart.

    Of the graph's profiles there are fewer; it is a quick way to know what not to try.

    Parameters
    ----------
    instance
        The instance.
    most
        How many sets are few.
    """
    kinds = [(r.prompt, r.output) for r, _ in instance.types()]
    memory = instance.memory
    running = min(len(instance), memory // (min(s for s, _ in kinds) + 1))
    work = sum(o for _, o in kinds) * (running + 1) * (memory + 1)
    if len(kinds) > TYPES or len(instance) > REQUESTS or work > COUNTING_WORK:
        return False
    # sets[m, w]: so many sets of m requests that hold w tokens.  Who has most rounds to go comes
    # first; each must fit beside those before it up to its own end.
    sets = np.zeros((running + 1, memory + 1))
    sets[0, 0] = 1
    for left in range(max(o for _, o in kinds) - 1, 0, -1):
        for s, o in kinds:
            held = s + o - left
            for m in range(running):
                room = memory - (m + 1) * left - held + 1
                if left < o and room > 0:
                    sets[m + 1, held : held + room] += sets[m, :room]
        if sets.sum() > most:
            return False
    return True


def worth_bound(
    instance: Instance,
    starts: IntArray,
    budget: Budget,
    report: Callable[[Worth], None] = lambda worth: None,
) -> Worth | None:
    """Look for prices of completions that prove a good bound, and for schedules on the way.

    Parameters
    ----------
    instance
        The instance.
    starts
        Starts of a good schedule (rounds), shape (n,); the first prices are its last
        completions.
    budget
        How long it may take.
    report
        Called whenever bound or schedule have become better.

    Returns
    -------
    Worth or None
        None if the graphs of profiles are too large, or no prices were looked at in time.
    """
    function: Callable[..., None] | None = None
    if budget.left() > COMPILING_SECONDS or _compiled.cache_info().currsize > 0:
        function = _compiled()
    relaxation = WorthRelaxation(instance, function or descend_by_arrays)
    search = _Search(relaxation, starts)
    phases = relaxation.phases(search.prices, budget)
    if phases is None:
        return None
    steps = sum(int(p.graph.first[n]) * (high - low) for p in phases for n, low, high in p.parts())
    if steps > FRACTION_STEPS:
        search.find_first_prices(budget.part(budget.left() / 2))
    going = True
    while going and not search.cost <= search.best.bound:
        before, going = search.best, search.step(budget)
        if search.best is not before:
            report(search.best)
    return search.best if search.best.worth else None


class _Search:
    """Cutting planes for the best prices.

    The bound is a concave function of the prices, and a best way tells a slope at each of
    them: counts less what it serves.  The next prices are where the least of the planes so
    far is highest, in a box around the best prices so far; the box is doubled when that paid
    and halved when it did not.

    Parameters
    ----------
    relaxation
        The relaxation.
    starts
        Starts of a good schedule (rounds), shape (n,).
    """

    def __init__(self, relaxation: WorthRelaxation, starts: IntArray) -> None:
        instance = relaxation.instance
        ends = starts + instance.outputs
        last = [
            int(ends[(instance.prompts == r.prompt) & (instance.outputs == r.output)].max())
            for r, _ in instance.types()
        ]
        self.relaxation = relaxation
        self.cost = int(starts.sum()) + instance.total_output
        self.best = Worth((), 0, None)
        self._begin(relaxation.counts, np.array(last) * SCALE, max(last) * FIRST_BOX)

    def _begin(self, counts: IntArray, prices: IntArray, box: float) -> None:
        self.counts = counts
        self.prices = self.center = prices
        self.box = max(SMALLEST_BOX, box)
        self.planes: list[tuple[float, IntArray, IntArray]] = []
        self.value = -LARGEST

    def find_first_prices(self, budget: Budget) -> None:
        """Choose prices by those of smaller instances, with a fraction of each count.

        If all counts are a times as large, so is nearly every completion less the output.
        """
        counts, outputs = self.counts, SCALE * self.relaxation.outputs
        before = counts
        for fraction in FRACTIONS:
            fewer = -(-counts // fraction)
            prices = outputs + (self.center - outputs) * fewer // before
            self._begin(fewer, prices, self.box / fraction if before is counts else BOX_AFTER)
            while self._look(budget) is not None and self._choose(ROUGH_GAIN):
                pass
            before = fewer
        prices = outputs + (self.center - outputs) * counts // before
        self._begin(counts, prices, BOX_AFTER)

    def step(self, budget: Budget) -> bool:
        """Look at the current prices and choose the next ones; return whether to go on."""
        relaxation = self.relaxation
        way = self._look(budget)
        if way is None:
            return False
        starts = self.best.starts
        if abs(self.planes[-1][1]).sum() <= max(2, MENDED_SHARE * len(relaxation.instance)):
            mended = relaxation.mended(way, budget.part(budget.left() / 10))
            cost = int(mended.sum()) + relaxation.instance.total_output
            if cost < self.cost:
                self.cost, starts = cost, mended
        self.best = Worth(tuple(self.center.tolist()), -(-self.value // SCALE), starts)
        return self._choose()

    def _look(self, budget: Budget) -> list[Started] | None:
        """Return the best way at the current prices; None if there is no time or no room."""
        relaxation = self.relaxation
        found = relaxation.best_way(self.prices, budget)
        if found is None:
            return None
        value = found[0] + int((self.counts * self.prices).sum())
        slope = self.counts - relaxation.served(found[1])
        if self.planes:
            self.box *= 2 if value > self.value else 1 / 2
        self.planes.append((value / SCALE, slope, self.prices))
        if value > self.value:
            self.value, self.center = value, self.prices
        return found[1]

    def _choose(self, rough: float = 0.0) -> bool:
        """Choose the next prices; return False if not more than a part `rough` can be gained."""
        least = max(LEAST_GAIN, rough * self.value / SCALE)
        while True:
            prices, top = self._highest()
            self.prices = np.rint(prices * SCALE).astype(np.int64)
            if top - self.value / SCALE >= least:
                return not any((self.prices == seen).all() for _, _, seen in self.planes)
            if self.box >= SMALLEST_BOX:
                return False
            self.box = 4 * SMALLEST_BOX

    def _highest(self) -> tuple[Any, float]:
        """Return where the least of the planes is highest in the box, and how high."""
        from kvopt.exact.highs import quiet_highs  # loads HiGHS

        center, best = self.center / SCALE, self.value / SCALE
        types = len(center)
        highs = quiet_highs()
        for middle in center.tolist():  # all numbers relative to the center, so they stay small
            highs.addVar(max(-middle, -self.box), self.box)
        highs.addVar(-1e15, 1e15)
        highs.changeColCost(types, -1.0)
        places = np.arange(types + 1, dtype=np.int32)
        for value, slope, prices in self.planes:
            limit = value - best + float((slope * (center - prices / SCALE)).sum())
            row = np.concatenate([-slope.astype(float), [1.0]])
            highs.addRow(-1e30, limit, types + 1, places, row)
        highs.run()
        solution = np.array(highs.getSolution().col_value)
        return center + solution[:types], best + float(solution[types])
