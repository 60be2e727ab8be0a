"""The stage of branch and bound on start times; HiGHS is loaded when it runs."""

from __future__ import annotations

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.sizes import has_few_long_runs
from kvopt.solver.stage import Bound, Incumbent

__all__ = ["BranchAndBound"]


class BranchAndBound:
    """Branch and bound on start times, for few requests with long runs."""

    name = "branch-and-bound"

    def applies(self, state: Incumbent) -> bool:
        """Tell whether there are few requests and long runs, and no demand duals."""
        duals = state.proved("demand-duals") or state.proved("blocks")
        return has_few_long_runs(state) and not duals

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Raise the lower bound, and offer the schedules that are met.

        On the way the bounds are the stage's word; the tree that proves the last one is written
        once, at the end.
        """
        if stop.over():
            return
        from kvopt.solver.branch_and_bound.tree import branch_and_bound

        def keep(bound: int, starts: IntArray) -> None:
            state.offer(starts)
            state.prove(Bound(bound, self.name))

        params = state.params.branch_and_bound
        tree = branch_and_bound(state.instance, state.starts, stop, keep, params)
        if tree is not None:
            state.prove(Bound(tree.lower_bound, "propagation", tree.content()))
