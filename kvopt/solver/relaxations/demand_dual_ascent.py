"""The ascent to the best duals of the demand-dual relaxation, by the boxstep method."""

from __future__ import annotations

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.dual_ascent.boxstep import Boxstep
from kvopt.solver.primal.path_repair import Starts
from kvopt.solver.relaxations.demand_duals import SCALE, DemandDualRelaxation, DualSolution

__all__ = ["DemandDualAscent"]


class DemandDualAscent:
    """Evaluates the relaxation at one point after the other.

    The bound is a concave function of the duals, and a cheapest path gives a supergradient: the
    demand less what it serves, and its use of memory less the memory.

    Parameters
    ----------
    relaxation
        The relaxation.
    duals
        The first duals (1 / SCALE); by default its first guess.

    Attributes
    ----------
    repaired
        The starts that the latest path was repaired into; None if it serves the wrong numbers.
    """

    def __init__(self, relaxation: DemandDualRelaxation, duals: IntArray | None = None) -> None:
        params = relaxation.params
        first = relaxation.first_duals if duals is None else duals
        largest = float(relaxation.demand_duals(first).max()) / SCALE
        self.relaxation = relaxation
        self.repaired: Starts | None = None
        self._boxstep = Boxstep(
            first,
            SCALE,
            relaxation.units,
            params.first_box * largest,
            params.smallest_box,
            params.least_gain,
        )

    @property
    def duals(self) -> IntArray:
        """The best duals so far (1 / SCALE)."""
        return self._boxstep.center

    @property
    def bound(self) -> int:
        """The lower bound so far (rounds); 0 before the first."""
        value = self._boxstep.value
        return 0 if value is None else -(-value // SCALE)

    def solution(self, starts: IntArray | None, checked: bool) -> DualSolution:
        """Return the best duals so far, with these starts, and whether the checker takes them."""
        relaxation = self.relaxation
        linking: tuple[int, ...] = ()
        if len(relaxation.blocks) > 1:
            linking = tuple(relaxation.linking_duals(self.duals).tolist())
        demand = tuple(relaxation.demand_duals(self.duals).tolist())
        return DualSolution(demand, self.bound, starts, relaxation.blocks, linking, checked=checked)

    def step(self, stop: Stopping) -> bool:
        """Evaluate the relaxation at the next duals; tell whether to go on."""
        relaxation, duals = self.relaxation, self._boxstep.point
        self.repaired = None
        found = relaxation.cheapest_paths(duals, stop)
        if found is None:
            return False
        value, path = found
        wrong = int(np.abs(relaxation.demand - relaxation.served(path)).sum())
        if wrong <= max(2, relaxation.params.repaired_share * relaxation.demand.sum()):
            self.repaired = relaxation.repaired(path)
        return self._boxstep.add(value + relaxation.constant(duals), relaxation.supergradient(path))
