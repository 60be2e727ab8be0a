"""Lower bounds and optima from what running requests hold.

Look at a schedule through the tokens that each running request holds, but forget which
requests have been there before.  A round adds one token to each and must leave no more
than M together, a start adds one request that holds its prompt, and one that holds s + o
may complete as a request of type (s, o).  So a schedule is a path through the states
(time, what is held), and all that such a path lacks is that every type completes as often
as it has requests.  That is priced: a completion of a type is worth so much, and the
cheapest path, plus what all requests are worth together, is a lower bound for any prices.
The best ones, one number for each type, are found by a bundle method.

The costs of cheapest paths from all states on ("labels") then bound a search that counts
completions too.  Its nodes are (time, what is held, completions of each type); it leaves out
those whose cost and label exceed a limit, so it either finds the cheapest schedule or
proves that all cost more than the limit, which is raised step by step.

proofs/holdings.md has the argument.  What takes the time is in
`kvopt.solver.relaxations.batch_state_kernel`; it needs `pip install kvopt[fast]`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kvopt.model.instance import Instance, IntArray, Request
from kvopt.model.stopping import Stopping
from kvopt.solver.dual_ascent.bundle import Bundle
from kvopt.solver.relaxations.aggregate_state_kernel import FloatArray
from kvopt.solver.relaxations.batch_state_kernel import (
    OVERFLOW,
    Functions,
    Index,
    Pool,
    Table,
    compiled,
)
from kvopt.solver.relaxations.fluid_duals import fluid_duals
from kvopt.solver.result import Bound, Result
from kvopt.solver.sizes import batch_states_fit, longest_outputs
from kvopt.solver.stage import Incumbent, run_alone

__all__ = [
    "SCALE",
    "BatchState",
    "Holdings",
    "Labels",
    "ascend",
    "search",
    "solve_by_holdings",
]

SCALE = 1 << 10
"""Prices are multiples of 1 / SCALE."""

WHO_BITS = 62
"""The numbers of completions fit into one integer of so many bits, or nothing is searched."""

NODES, NODES_A_TIME = 50_000_000, 4_000_000
"""Most nodes of a search, of which 8 bytes each are kept, and most at one time."""

FIRST_BEAM = (0.003, 4_000)
BEAMS = ((0.0005, 100_000), (0.0015, 100_000), (0.005, 50_000))
"""How a good schedule is looked for: how much it may cost above the bound, in parts of it, and
how many nodes of each time are kept; before the search, and if it does not end."""

CLIMB_SHARE = 0.7
"""Part of the time left for the search, before beams are tried again."""

BEAM_SHARE = 0.3
"""Part of the time left for each."""

FIRST_POOL = 1 << 14
"""Room for so many nodes at one time at first."""

FEW_LABELS = 4_000_000
"""With more labels, most steps of the ascent look at promising states only."""

MARGINS = (0.015, 0.002)
"""States are promising if a path through them costs at most so much more than the cheapest, in
parts of the bound: at first, and at least.  It is halved if that was enough, else doubled."""

CHOSEN_SHARE = 4
"""At most one in so many labels is looked at then."""

TINY = 2e-5
"""The ascent ends when a full look raises the bound by less than this part."""

CHOSEN_STEPS = 20
"""Steps until all states are looked at again."""

ASCENT_SHARE = 0.5
"""Part of the time for prices, if they are not found before."""

GROWTH = 5.0
"""The limit is raised by so much that the next search is expected to be so many times larger."""


class Holdings:
    """All that may be held after a round, and how one leads to another.

    Parameters
    ----------
    instance
        The instance.

    Attributes
    ----------
    kinds
        The types as (prompt, output), in the order of `RequestTypes`.
    counts
        Requests of each type, shape (types,).
    held
        The states: multisets of (tokens held, prompt), sorted.
    table
        The states as the kernel wants them.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.types = instance.request_types()
        self.kinds = [(r.prompt, r.output) for r in self.types.requests]
        self.counts = self.types.counts
        longest = longest_outputs(instance)
        parts = sorted((s + j, s) for s, o in longest.items() for j in range(1, o + 1))
        kind_of = {(s + o, s): k for k, (s, o) in enumerate(self.kinds)}
        level: list[tuple[tuple[tuple[int, int], ...], int]] = [((), 0)]
        held: list[tuple[tuple[int, int], ...]] = []
        while level:
            held.extend(state for state, _ in level)
            longer = []
            for state, tokens in level:
                for part in parts:
                    if tokens + part[0] > instance.memory:
                        break
                    if not state or part >= state[-1]:
                        longer.append(((*state, part), tokens + part[0]))
            level = longer
        place = {state: i for i, state in enumerate(held)}
        none = len(held)
        joined = np.full((len(longest), none), -1, dtype=np.int32)
        grown = np.full(none, -1, dtype=np.int32)
        first, left, kind = [0], [], []
        for i, state in enumerate(held):
            grown[i] = place.get(tuple((b + 1, s) for b, s in state), -1)
            for p, s in enumerate(longest):
                joined[p, i] = place.get(tuple(sorted((*state, (s + 1, s)))), -1)
            for j, part in enumerate(state):
                if part in kind_of and (j == 0 or part != state[j - 1]):
                    left.append(place[state[:j] + state[j + 1 :]])
                    kind.append(kind_of[part])
            first.append(len(left))
        self.held = held
        self.table = Table(
            np.array([len(state) for state in held], dtype=np.int32),
            grown,
            joined,
            np.array(first, dtype=np.int32),
            np.array(left, dtype=np.int32),
            np.array(kind, dtype=np.int32),
        )

    def first_worth(self) -> FloatArray:
        """Return a first guess of the prices (rounds), shape (types,)."""
        requests = [Request(s, o) for s, o in self.kinds]
        return fluid_duals(requests, self.counts.tolist(), self.instance.memory)


class Labels:
    """Labels of the states of an instance for some prices.

    Parameters
    ----------
    holdings
        The states.
    horizon
        No type is worth more than this (rounds); beyond it labels are 0.
    functions
        Compiled or plain functions.

    Attributes
    ----------
    worth
        The prices (multiples of 1 / SCALE), shape (types,).
    label
        What the cheapest path costs from each time and state on, shape (horizon + 1, states).
    """

    def __init__(self, holdings: Holdings, horizon: int, functions: Functions) -> None:
        states = len(holdings.held)
        self.holdings = holdings
        self.horizon = horizon
        self.functions = functions
        self.worth = np.zeros(len(holdings.kinds), dtype=np.int64)
        self.label: Index = np.empty((horizon + 1, states), dtype=np.int32)
        self.room: tuple[Index, Index] = (
            np.empty(states, dtype=np.int32),
            np.empty(states, dtype=np.int32),
        )
        self._joining = np.empty(states, dtype=np.int64)
        self._begins = np.zeros(horizon + 2, dtype=np.int64)
        self._chosen: Index = np.empty(0, dtype=np.int32)

    def settle(self, worth: IntArray) -> int | None:
        """Take prices over; return the bound they prove (multiples of 1 / SCALE), if any."""
        self.worth = np.minimum(worth, SCALE * self.horizon)
        table = self.holdings.table
        return self._value(
            self.functions.label_states(table, self.worth, SCALE, self.label, self._joining)
        )

    def choose(self, margin: int) -> bool:
        """Forget paths that cost `margin` more than the cheapest, if that leaves few states."""
        if len(self._chosen) == 0:
            self._chosen = np.empty(self.label.size // CHOSEN_SHARE, dtype=np.int32)
        limit = self._cheapest + margin
        table, room = self.holdings.table, self.room
        args = (limit, self._begins, self._chosen, *room)
        return self.functions.choose(table, self.worth, SCALE, self.label, *args) >= 0

    def settle_chosen(self, worth: IntArray) -> int | None:
        """Do as `settle`, for paths through the states that were chosen; this is no bound."""
        self.worth = np.minimum(worth, SCALE * self.horizon)
        table, room = self.holdings.table, self.room
        args = (self.label, self._begins, self._chosen, *room)
        return self._value(self.functions.label_chosen(table, self.worth, SCALE, *args))

    def completions(self) -> IntArray:
        """Return how often each type completes on a cheapest path, shape (types,)."""
        done = np.zeros(len(self.worth), dtype=np.int64)
        args = (self.worth, SCALE, self.label, *self.room, done)
        self.functions.follow(self.holdings.table, *args)
        return done

    def content(self, nodes: int) -> dict[str, Any]:
        """Return the object "proof" of a certificate.

        Parameters
        ----------
        nodes
            How many nodes a search for something cheaper keeps.
        """
        return {
            "rule": "batch-state",
            "scale": SCALE,
            "horizon": self.horizon,
            "duals": self.holdings.types.rows(self.worth.tolist()),
            "nodes": nodes,
        }

    def _value(self, cheapest: int) -> int | None:
        if cheapest == OVERFLOW:
            return None
        self._cheapest = int(cheapest)
        return self._cheapest + int((self.holdings.counts * self.worth).sum())


def ascend(labels: Labels, worth: FloatArray, stop: Stopping) -> int | None:
    """Look for the prices that prove the highest bound; leave the best in `labels`, return it.

    The bound is a multiple of 1 / SCALE; None if a label does not fit.

    Parameters
    ----------
    labels
        The labels.
    worth
        First prices (rounds), shape (types,).
    stop
        How long it may take; one look at all states may overrun it.
    """
    counts = labels.holdings.counts

    def look(settle: Callable[[IntArray], int | None], y: FloatArray) -> float:
        value = settle(np.rint(y * SCALE).astype(np.int64))
        if value is None:
            return -math.inf
        slope = (counts - labels.completions()).astype(np.float64)
        bundle.add(labels.worth / SCALE, value / SCALE, slope)
        return value / SCALE

    bundle = Bundle()
    value = look(labels.settle, worth)
    best, best_worth = value, labels.worth.copy()
    if value > -math.inf:
        bundle.move(best_worth / SCALE, value)
    full = labels.label.size <= FEW_LABELS
    margin = MARGINS[0]
    while best > -math.inf and not stop.over():
        few = not full and labels.choose(int(SCALE * margin * abs(best)))
        settle = labels.settle_chosen if few else labels.settle
        before, steps = best, 0
        while (y := bundle.proposal()) is not None and not stop.over():
            if few and steps == CHOSEN_STEPS:
                break
            steps += 1
            value = look(settle, y)
            if bundle.judge(labels.worth / SCALE, value) and not few:
                best, best_worth = value, labels.worth.copy()
        if not few:
            break
        # Paths through other states may be cheaper: look again, at all.
        value = look(labels.settle, bundle.center)
        misled = value < bundle.value
        if value > best:
            best, best_worth = value, labels.worth.copy()
        else:
            labels.settle(best_worth)
        bundle.move(best_worth / SCALE, best)
        if misled:
            margin = min(2 * margin, MARGINS[0] * 4)
        elif best <= before + TINY * abs(before):
            break
        else:
            margin = max(margin / 2, MARGINS[1])
    return None if best == -math.inf else labels.settle(best_worth)


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search has found.

    Attributes
    ----------
    finished
        Whether it came to its end.
    starts
        Starts of the cheapest schedule below the limit (rounds), shape (n,), or None.
    nodes
        How many nodes it kept.
    """

    finished: bool
    starts: IntArray | None
    nodes: int


Layer = tuple[Index, Index, IntArray | None]
"""States and parents of the nodes of one time, and those from which the search went on, if
not all."""


def search(labels: Labels, below: int, stop: Stopping, width: int | None = None) -> Searched:
    """Look for the cheapest schedule that costs less than `below`.

    Parameters
    ----------
    labels
        Labels, for any prices.
    below
        All schedules are found that cost less than this, and no others (rounds).
    stop
        How long it may take; it is looked at once for each round of the schedule.
    width
        Keep only so many of the most promising nodes in each round; then a schedule may be
        found, but nothing is proved, and the search counts as unfinished.
    """
    holdings = labels.holdings
    counts = holdings.counts
    place = np.concatenate([[1], np.cumprod(counts[:-1] + 1)])
    everyone = int((place * counts).sum())
    limit = SCALE * (below - 1) - int((counts * labels.worth).sum())
    beyond: Index = np.zeros(len(holdings.held), dtype=np.int32)
    layers: list[Layer] = []
    whole = True
    pool, size = make_pool(FIRST_POOL), 1
    pool.state[0] = pool.who[0] = pool.cost[0] = pool.parent[0] = 0
    nodes, end = 0, None
    row = labels.label[0]
    while size > 0:
        t = len(layers)
        if t > 0:
            gain = SCALE * t - labels.worth
            done = _completed(labels, place, gain, row, limit, pool, size)
            if done is None:
                return Searched(False, None, nodes)
            pool, size = done
        kept = np.arange(size) if width is not None else None
        if width is not None and size > width:
            promise = pool.cost[:size] + row[pool.state[:size]]
            kept = np.sort(np.argpartition(promise, width)[:width])
            whole = False
        layers.append((pool.state[:size].copy(), pool.parent[:size].copy(), kept))
        nodes += size
        stop.count(size)
        if nodes > NODES or stop.over():
            return Searched(False, None, nodes)
        ends = np.flatnonzero((pool.who[:size] == everyone) & (pool.state[:size] == 0))
        for i in ends.tolist():  # one at most
            if pool.cost[i] <= limit:
                end, limit = (t, i), int(pool.cost[i]) - 1
        if kept is not None and len(kept) < size:
            pool, size = taken(pool, kept), len(kept)
        row = labels.label[t + 1] if t < labels.horizon else beyond
        passed = _passed(labels, row, limit, everyone, pool, size)
        if passed is None:
            return Searched(False, None, nodes)
        pool, size = passed
    return Searched(whole, None if end is None else trace(holdings, layers, end), nodes)


def _completed(
    labels: Labels, place: IntArray, gain: IntArray, row: Index, limit: int, pool: Pool, size: int
) -> tuple[Pool, int] | None:
    """Add what completions lead to, in a larger pool if need be; None if that is too large."""
    table, counts = labels.holdings.table, labels.holdings.counts
    cost, parent = pool.cost[:size].copy(), pool.parent[:size].copy()
    while True:
        slots = np.empty(2 * len(pool.state), dtype=np.int32)
        args = (gain, row, limit, pool, size, slots)
        new = labels.functions.complete(table, counts, place, *args)
        if new <= len(pool.state):
            return pool, new
        if len(pool.state) >= NODES_A_TIME:
            return None
        pool = grown(pool)  # and as it was before, for parents that are not there now
        pool.cost[:size], pool.parent[:size] = cost, parent


def _passed(
    labels: Labels,
    row: Index,
    limit: int,
    everyone: int,
    pool: Pool,
    size: int,
) -> tuple[Pool, int] | None:
    """Let requests start and a round pass; None if that leads to too many nodes."""
    room = max(FIRST_POOL, 1 << (size - 1).bit_length())
    while room <= NODES_A_TIME:
        following, slots = make_pool(room), np.empty(2 * room, dtype=np.int32)
        args = (row, limit, everyone, pool, size, following, slots, *labels.room)
        new = labels.functions.pass_round(labels.holdings.table, *args)
        if new <= room:
            return following, new
        room *= 2
    return None


def trace(holdings: Holdings, layers: list[Layer], end: tuple[int, int]) -> IntArray:
    """Return the starts of the schedule that ends in a node."""
    table = holdings.table
    times: list[list[int]] = [[] for _ in holdings.kinds]
    t, i = end
    while t > 0:
        state, parent, _ = layers[t]
        before = int(parent[i])
        if before >= 0:
            t -= 1
            kept = layers[t][2]
            i = before if kept is None else int(kept[before])
            continue
        before = -1 - before
        for e in range(table.first[state[before]], table.first[state[before] + 1]):
            if table.left[e] == state[i]:
                kind = int(table.kind[e])
                times[kind].append(t - holdings.kinds[kind][1])
        i = before
    return holdings.types.to_instance_order(times)


def make_pool(size: int) -> Pool:
    """Return room for nodes."""
    return Pool(
        np.empty(size, dtype=np.int32),
        np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.int32),
    )


def taken(pool: Pool, kept: IntArray) -> Pool:
    """Return some of the nodes."""
    return Pool(pool.state[kept], pool.who[kept], pool.cost[kept], pool.parent[kept])


def grown(pool: Pool) -> Pool:
    """Return a pool with the same nodes and room for as many more."""
    return taken(pool, np.arange(2 * len(pool.state)) % len(pool.state))


class BatchState:
    """The stage of the batch-state relaxation: duals, costs-to-go, searches with a rising cutoff.

    Parameters
    ----------
    functions
        The functions to use; by default the compiled ones.
    """

    name = "batch-state"

    def __init__(self, functions: Functions | None = None) -> None:
        self.functions = functions

    def applies(self, state: Incumbent) -> bool:
        """Tell whether all batch states and their costs-to-go fit."""
        return batch_states_fit(state)

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Close the bracket, or nearly so."""
        if stop.over():
            return
        instance = state.instance
        holdings = Holdings(instance)
        labels = Labels(holdings, state.makespan, self.functions or compiled())
        value = ascend(labels, holdings.first_worth(), stop.part(ASCENT_SHARE * stop.left()))
        if value is None:
            return
        _Climb(state, labels, min(max(0, -(-value // SCALE)), state.objective)).run(stop)


class _Climb:
    """Raising the lower bound by searches, and lowering the upper one by beams.

    Parameters
    ----------
    state
        The incumbent.
    labels
        The costs-to-go.
    bound
        What the duals alone prove (rounds).
    """

    def __init__(self, state: Incumbent, labels: Labels, bound: int) -> None:
        self.state = state
        self.labels = labels
        self.bound = bound
        self.prove(bound, 0)

    def prove(self, bound: int, nodes: int) -> None:
        """Prove a bound by the duals and a search of so many nodes."""
        self.bound = bound
        self.state.prove(Bound(bound, "batch-state", self.labels.content(nodes)))

    @property
    def open(self) -> bool:
        """Whether the bracket is open as far as this stage can prove."""
        return self.bound < self.state.objective

    def beam(self, part: float, width: int, stop: Stopping) -> bool:
        """Look for a schedule that costs little more than the bound."""
        cutoff = min(self.state.objective, self.bound + 2 + int(part * self.bound))
        found = search(self.labels, cutoff, stop.part(BEAM_SHARE * stop.left()), width)
        return found.starts is not None and self.state.offer(found.starts)

    def run(self, stop: Stopping) -> None:
        """Go on until the bracket has closed, or time or memory are used up."""
        if math.prod((self.labels.holdings.counts + 1).tolist()) >= 1 << WHO_BITS:
            return
        if self.open:
            self.beam(*FIRST_BEAM, stop)
        self.climb(stop.part(CLIMB_SHARE * stop.left()))
        for part, width in BEAMS:
            if not self.open or stop.over() or self.beam(part, width, stop):
                break
        if self.open and not stop.over():
            self.finish(search(self.labels, self.state.objective, stop))  # it may just do

    def climb(self, stop: Stopping) -> None:
        """Raise the cutoff step by step, each search about `GROWTH` times the one before."""
        state = self.state
        step, nodes = 1, 0
        while self.open and not stop.over():
            cutoff = min(self.bound + step, state.objective)
            found = search(self.labels, cutoff, stop)
            if found.finished and found.starts is not None:
                self.finish(found)
            elif found.finished:
                self.prove(cutoff, found.nodes)
                if nodes:
                    ratio = max(1.01, (found.nodes / nodes) ** (1 / step))
                    step = max(1, int(math.log(GROWTH) / math.log(ratio)))
                nodes = found.nodes
            elif step > 1:
                step = (step + 1) // 2
            else:
                break

    def finish(self, found: Searched) -> None:
        """Take over what a search up to the best schedule has found, if it came to its end."""
        if found.finished:
            if found.starts is not None:
                self.state.offer(found.starts)
            self.prove(self.state.objective, found.nodes)


def solve_by_holdings(
    instance: Instance,
    known: IntArray,
    stop: Stopping,
    report: Callable[[Result], None] = lambda result: None,
    functions: Functions | None = None,
) -> Result:
    """Bracket the optimum by the batch-state relaxation alone.

    Parameters
    ----------
    instance
        The instance; see `batch_states_have_room`.
    known
        Starts of a feasible schedule (rounds), shape (n,).
    stop
        How long it may take.
    report
        Called with the bracket whenever it has become narrower.
    functions
        The functions to use; by default the compiled ones.

    Raises
    ------
    SolverError
        If `known` is not feasible.
    """
    return run_alone(BatchState(functions), instance, known, stop, report=report)
