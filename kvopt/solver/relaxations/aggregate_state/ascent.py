"""Looking for the duals of the aggregate-state relaxation.

The smoothed bound is concave and has a gradient; L-BFGS climbs it, at temperatures that fall step
by step (Byrd, Lu, Nocedal and Zhu 1995, "A limited memory algorithm for bound constrained
optimization").  After each temperature the duals are rounded, and their bound is computed in
integers: floats decide only how good it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray
from kvopt.solver.params import AggregateStateParams
from kvopt.solver.relaxations.aggregate_state.kernel import FAR
from kvopt.solver.relaxations.aggregate_state.relaxation import AggregateDuals, AggregateRelaxation

__all__ = ["ascend"]


class _Over(Exception):  # noqa: N818
    """There is no time left."""


def ascend(
    relaxation: AggregateRelaxation,
    objective: int,
    stop: Stopping,
    params: AggregateStateParams | None = None,
    linear: Mapping[str, Any] | None = None,
    report: Callable[[AggregateDuals], None] = lambda duals: None,
) -> AggregateDuals:
    """Look for duals that prove a good lower bound; return the best.

    Parameters
    ----------
    relaxation
        The relaxation.
    objective
        Cost of a good schedule (rounds); a bound as high ends the ascent.
    stop
        How long it may take.
    params
        Tuning numbers; by default the usual ones.
    linear
        A proof by the rule "linear-duals" to start from, if there is one.
    report
        Called with the best duals whenever a temperature is done.
    """
    params = params or AggregateStateParams()
    x = relaxation.area_duals()
    began = time.perf_counter()
    best = relaxation.rounded(x)
    path_seconds = time.perf_counter() - began
    temperature = params.first_temperature * objective / len(relaxation.instance)
    y = relaxation.from_linear_proof(linear) if linear is not None else None
    if y is not None and (better := relaxation.rounded(y)).bound > best.bound:
        x, best = y, better
        temperature *= params.linear_temperature / params.first_temperature
    report(best)
    climb = _Climb(relaxation, params, params.box * objective, stop, path_seconds)
    for _ in range(params.temperatures):
        if climb.is_over():
            break
        x = climb.at(temperature, x)
        before = best.bound
        best = max(best, relaxation.rounded(x), key=lambda duals: duals.bound)
        report(best)
        little = before < best.bound < before * (1 + params.least_rise)
        if best.bound >= objective or little:
            break
        temperature *= params.cooling
    return best


class _Climb:
    """L-BFGS on the smoothed bound, within a box.

    An evaluation stops for nobody, so none begins without the time for it and for the bound of the
    duals that it leads to, a shortest path.
    """

    def __init__(
        self,
        relaxation: AggregateRelaxation,
        params: AggregateStateParams,
        size: float,
        stop: Stopping,
        path_seconds: float,
    ) -> None:
        self.relaxation = relaxation
        self.params = params
        self.stop = stop
        self.path_seconds = path_seconds
        self.box = relaxation.box(size)
        self.states = relaxation.room()
        self.seconds = 0.0  # for one evaluation, once it is known
        self.last: FloatArray | None = None

    def is_over(self) -> bool:
        """Tell whether there is no time for another evaluation."""
        evaluation = self.seconds or self.params.paths_each * self.path_seconds
        return self.stop.over() or self.stop.left() < evaluation + self.path_seconds

    def at(self, temperature: float, x: FloatArray) -> FloatArray:
        """Climb from `x` at one temperature; return where that leads, shape (size,)."""
        from scipy.optimize import minimize

        params, self.last = self.params, x
        if not self.seconds:
            began = time.perf_counter()
            self.relaxation.smoothed(x, temperature, self.states)
            self.seconds = time.perf_counter() - began
        affordable = params.step_share * self.stop.left() / self.seconds
        steps = int(min(params.most_steps_each, max(params.least_steps_each, affordable)))
        try:
            found: FloatArray = minimize(
                self._falling,
                x,
                args=(temperature,),
                jac=True,
                method="L-BFGS-B",
                bounds=self.box,
                callback=self._keep,
                options={"maxiter": steps, "maxfun": 2 * steps, "maxcor": params.remembered_steps},
            ).x
        except _Over:
            return self.last
        return found

    def _falling(self, x: FloatArray, temperature: float) -> tuple[float, FloatArray]:
        """Return minus the smoothed bound, and the gradient of that."""
        if self.is_over():
            raise _Over
        value, slope = self.relaxation.smoothed(x, temperature, self.states)
        return (-value, -slope) if abs(value) < FAR / 1e4 else (FAR, 0 * slope)

    def _keep(self, x: FloatArray) -> None:
        self.last = x.copy()
