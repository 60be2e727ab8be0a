"""Costs-to-go of memory profiles at every time, as far as there is room for them.

Those of all times together may be billions.  Then only every so many are kept on the way back, and
those between are computed again when they are asked for: twice the work in a hundredth of the room.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.relaxations.demand_duals import DemandDualRelaxation, Phase

__all__ = ["CostsToGo", "ProfileCosts"]

LIMIT = (1 << 31) - 1
"""What is kept of a cost-to-go is at most so large; the checker keeps as much."""


LONGEST = 1024
"""At least one time in so many is kept."""


class CostsToGo(NamedTuple):
    """Costs-to-go at a time: `base` and more (1 / SCALE), of the first profiles of a phase."""

    base: int
    above: NDArray[np.int32]

    def of(self, profiles: IntArray) -> IntArray:
        """Return those of some profiles (1 / SCALE)."""
        found = np.full(len(profiles), LIMIT, dtype=np.int64)  # lemma 5: all are in the core then
        known = profiles < len(self.above)
        found[known] = self.above[profiles[known]]
        return found + self.base


class _Piece(NamedTuple):
    """Times low..high - 1 of a phase, the profiles that count, and costs-to-go at `high`."""

    phase: Phase
    nodes: int
    low: int
    high: int
    values: IntArray


class ProfileCosts:
    """Costs-to-go for some duals of the demands.

    Parameters
    ----------
    relaxation
        The relaxation, with all types in one block.
    duals
        The duals (1 / SCALE), shape (types,).
    phases
        In which any start may be made.
    room
        So many are kept.

    Attributes
    ----------
    first
        The cost-to-go of the idle machine at the beginning (1 / SCALE).
    kept
        Whether all are, or those between are computed again.
    fits
        Whether there is room for even that.
    """

    def __init__(
        self, relaxation: DemandDualRelaxation, duals: IntArray, phases: list[Phase], room: int
    ) -> None:
        self.relaxation, self.duals, self.phases = relaxation, duals, phases
        self.first = 0
        sizes = [(nodes, high - low) for phase in phases for nodes, low, high in phase.sections()]
        self.kept = sum(nodes * times for nodes, times in sizes) <= room
        self._every = 1
        while not self.kept and self._every < LONGEST and self._needed(sizes) > room:
            self._every += 1 + self._every // 8
        self.fits = self.kept or self._needed(sizes) <= room
        self._rows: dict[int, CostsToGo] = {}
        self._pieces: list[_Piece] = []  # the first times first
        last = len(phases[-1].graph.profiles)
        self._none = CostsToGo(0, np.zeros(last, dtype=np.int32))

    def _needed(self, sizes: list[tuple[int, int]]) -> int:
        """Return how many are kept at a time, those of 8 bytes counting twice."""
        every = self._every
        most = max(nodes for nodes, _ in sizes)
        return every * most + sum(2 * nodes * -(-times // every) for nodes, times in sizes)

    def prepare(self, stop: Stopping) -> bool:
        """Go back from the end to the beginning; tell whether there was time."""
        phases = self.phases
        values = np.zeros(len(phases[-1].graph.profiles), dtype=np.int64)
        for number in range(len(phases) - 1, -1, -1):
            if number + 1 < len(phases):
                values = values[phases[number + 1].graph.entry]
            phase = phases[number]
            for nodes, low, high in phase.sections():
                if high <= phase.end:
                    values[phase.graph.core :] = -(1 << 61)
                size = high - low if self.kept else self._every
                for end in range(high, low, -max(1, size)):
                    after = values[:nodes]
                    piece = _Piece(phase, nodes, max(low, end - size), end, after.copy())
                    if not self.kept:
                        self._pieces.insert(0, piece)
                    if not self._pass(piece, after, stop, keep=self.kept):
                        return False
        self.first = int(values[phases[0].graph.entry[0]])
        return True

    def _pass(self, piece: _Piece, values: IntArray, stop: Stopping, keep: bool) -> bool:
        """Change costs-to-go after a piece into those at its begin; tell whether there was time."""
        graph, nodes, low = piece.phase.graph, piece.nodes, piece.low
        kind: Any = np.uint8 if np.diff(graph.first).max() < 1 << 8 else np.uint32
        edges = int(graph.first[nodes])
        parts = graph.first[: nodes + 1], graph.target[:edges], graph.group[:edges]
        other, choices = np.empty(nodes, dtype=np.int64), np.empty((1, nodes), dtype=kind)
        costs = self.relaxation.costs(self.duals, low, piece.high)
        for t in range(piece.high - 1, low - 1, -1):
            if stop.over():
                return False
            one = costs[t - low : t - low + 1]
            self.relaxation.descend(*parts, graph.groups, one, values, other, choices)
            if keep:
                above = np.clip(values - values[0], -LIMIT - 1, LIMIT).astype(np.int32)
                self._rows[t] = CostsToGo(int(values[0]), above)
        return True

    def at(self, t: int, stop: Stopping) -> CostsToGo | None:
        """Return those at a time; it is best to ask for them in ascending order.

        Parameters
        ----------
        t
            The time.
        stop
            None is returned if it is over before they are computed again.
        """
        if t > self.phases[-1].end:
            return self._none
        if t not in self._rows:
            piece = next(piece for piece in self._pieces if piece.low <= t < piece.high)
            self._rows = {}
            if not self._pass(piece, piece.values.copy(), stop, keep=True):
                self._rows = {}
                return None
        return self._rows[t]
