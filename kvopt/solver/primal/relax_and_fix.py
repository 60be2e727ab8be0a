"""Relax and fix: blocks of types one after the other, each after the fixed ones before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.params import DemandDualParams
from kvopt.solver.primal.path_repair import Starts, estimated_cost
from kvopt.solver.relaxations.demand_dual_ascent import DemandDualAscent
from kvopt.solver.relaxations.demand_dual_kernel import Descend
from kvopt.solver.relaxations.demand_duals import DemandDualRelaxation

__all__ = ["relax_and_fix"]


def relax_and_fix(
    instance: Instance,
    descend: Descend,
    blocks: Sequence[Sequence[int]],
    stop: Stopping,
    params: DemandDualParams | None = None,
) -> tuple[Starts, IntArray] | None:
    """Start one block after the other, each as well as can be after those before it.

    Parameters
    ----------
    instance
        The instance.
    descend
        The recursion of the demand-dual relaxation, compiled or not.
    blocks
        The types of each block.
    stop
        How long it may take.
    params
        The tuning numbers.

    Returns
    -------
    pair of list and ndarray, or None
        The starts, and the demand duals of the last block (1 / SCALE, 0 for others), shape
        (types,); None if it was not finished.
    """
    fixed: Starts = []
    for number, block in enumerate(blocks):
        relaxation = DemandDualRelaxation(instance, descend, [block], fixed, params)
        ascent = DemandDualAscent(relaxation)
        own = stop.part(stop.left() / (len(blocks) - number))
        best: Starts | None = None
        going = True
        while going:
            going = ascent.step(own)
            if ascent.repaired is not None:
                best = min(
                    best or ascent.repaired,
                    ascent.repaired,
                    key=lambda starts: estimated_cost(starts, len(instance)),
                )
        if best is None:
            return None
        fixed = best
    return fixed, np.where(relaxation.demand > 0, relaxation.demand_duals(ascent.duals), 0)
