"""The stage of the demand-dual relaxation, on one graph of profiles or on blocks of types."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.params import DemandDualParams
from kvopt.solver.primal.list_schedules import pulled_forward
from kvopt.solver.primal.path_repair import Starts, start_times
from kvopt.solver.primal.relax_and_fix import relax_and_fix
from kvopt.solver.relaxations.blocks import Partition, partition
from kvopt.solver.relaxations.coarse_batch_state.stage import grids_to_certify
from kvopt.solver.relaxations.demand_dual_ascent import DemandDualAscent
from kvopt.solver.relaxations.demand_dual_kernel import KERNEL, Descend
from kvopt.solver.relaxations.demand_duals import (
    SCALE,
    CheckCost,
    DemandDualRelaxation,
    DualSolution,
)
from kvopt.solver.relaxations.profile_graph import number_of_sets
from kvopt.solver.relaxations.profile_search import ProfileSearch
from kvopt.solver.result import Bound
from kvopt.solver.sizes import batch_states_fit
from kvopt.solver.stage import Incumbent

__all__ = ["DemandDuals", "demand_dual_bound"]


class DemandDuals:
    """The stage of the demand-dual relaxation.

    Parameters
    ----------
    many
        Whether it applies to many requests, or to few.
    """

    name = "demand-duals"

    def __init__(self, many: bool) -> None:
        self.many = many

    def applies(self, state: Incumbent) -> bool:
        """Tell whether there are few enough types; with many profiles batch states come first."""
        instance, params = state.instance, state.params.demand_duals
        if (len(instance) > params.many_requests) is not self.many:
            return False
        if len(state.types) > params.most_types or len(instance) > params.most_requests:
            return False
        if not self.many:
            return not state.proved("batch-state")
        if "profile sets" not in state.cache:
            types = range(len(state.types))
            most = params.most_sets_before_batch_states
            state.cache["profile sets"] = number_of_sets(instance, types, most, params)
        return not (state.cache["profile sets"] == math.inf and batch_states_fit(state))

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove the bounds, and offer the schedules that are met."""
        if stop.over():
            return

        def keep(found: DualSolution) -> None:
            if found.starts is not None:
                state.offer(found.starts)
            if found.demand_duals:
                proof = found.content(state.instance) if found.checked else None
                state.prove(Bound(found.bound, found.rule, proof))

        smaller = not (state.certify and grids_to_certify(state))
        params = state.params.demand_duals
        demand_dual_bound(state.instance, state.starts, stop, keep, params, state.certify, smaller)


def demand_dual_bound(
    instance: Instance,
    starts: IntArray,
    stop: Stopping,
    report: Callable[[DualSolution], None] = lambda solution: None,
    params: DemandDualParams | None = None,
    certify: bool = False,
    smaller_blocks: bool = True,
) -> DualSolution | None:
    """Seek duals that prove a good bound, and schedules on the way.

    Parameters
    ----------
    instance
        The instance.
    starts
        Starts of a good schedule (rounds), shape (n,).
    stop
        How long it may take.
    report
        Called whenever bound or schedule have become better; without duals if there are none
        yet.
    params
        The tuning numbers.
    certify
        Whether it ends earlier if the checker does not take what is found, so that there is time
        for something that it takes.
    smaller_blocks
        Whether that is smaller blocks, which are tried then, or something else.

    Returns
    -------
    DualSolution or None
        None if the graphs of profiles are too large, or no duals were evaluated in time.
    """
    return _Search(instance, starts, stop, report, params or DemandDualParams()).run(
        certify, smaller_blocks
    )


class _Search:
    """What `demand_dual_bound` works with: partitions to try, the best schedule and bound."""

    def __init__(
        self,
        instance: Instance,
        starts: IntArray,
        stop: Stopping,
        report: Callable[[DualSolution], None],
        params: DemandDualParams,
    ) -> None:
        self.instance, self.params, self.stop, self.report = instance, params, stop, report
        self.types = instance.request_types()
        self.cost = int(starts.sum())
        self.best = DualSolution((), 0, None)
        self.certified = 0  # the best bound so far that the checker takes

    def run(self, certify: bool, smaller_blocks: bool) -> DualSolution | None:
        """Try the partitions, and climb on the first that fits; then on one that is checked."""
        whole = self.stop
        found = self._run(certify)
        self.stop = whole
        if certify and smaller_blocks and not self.certified:
            self._certify()
        return found or (self.best if self.best.demand_duals else None)

    def _run(self, certify: bool) -> DualSolution | None:
        """Try the partitions, and climb on the first that fits.

        If certificates count, and the checker does not take its bounds, some time is left over.
        """
        partitions = self._partitions()
        if not partitions:
            return None
        descend = KERNEL.compiled(self.stop).descend
        duals = self._relax_and_fix(descend) if len(partitions[-1]) > 1 else None
        ascent = self._first_ascent(partitions, descend, duals)
        if ascent is None:
            return None
        to_check = ascent.relaxation.to_check
        if certify and not self._is_checked(to_check(ascent.duals, self.stop)):
            self.stop = self.stop.part(self.params.first_share * self.stop.left())
        self._climb(ascent)
        if len(ascent.relaxation.blocks) == 1 and self.best.demand_duals:
            self._search(ascent.relaxation, certify)
        return self.best if self.best.demand_duals else None

    def _partitions(self) -> list[Partition]:
        """Return one block of all types, and several blocks, as far as they are worth trying."""
        instance, params = self.instance, self.params
        if len(self.types) > params.most_types or len(instance) > params.most_requests:
            return []
        whole = tuple(range(len(self.types)))
        fits = number_of_sets(instance, whole, params.most_sets, params) < math.inf
        partitions: list[Partition] = [(whole,)] if fits else []
        blocks = partition(instance, params.most_block_sets, params)
        if blocks is not None and len(blocks) > 1:
            partitions.append(blocks)
        return partitions

    def _relax_and_fix(self, descend: Descend) -> IntArray | None:
        """Look for a schedule by relax and fix; return demand duals, 0 where there are none."""
        blocks = partition(self.instance, self.params.most_relax_and_fix_sets, self.params)
        if blocks is None:
            return None
        part = self.stop.part(self.params.relax_and_fix_share * self.stop.left())
        found = relax_and_fix(self.instance, descend, blocks, part, self.params)
        if found is None:
            return None
        self._keep(found[0])
        self._report()
        return found[1]

    def _first_ascent(
        self, partitions: list[Partition], descend: Descend, duals: IntArray | None
    ) -> DemandDualAscent | None:
        """Return the ascent on the first partition whose graphs are not too large."""
        for blocks in partitions:
            relaxation = DemandDualRelaxation(self.instance, descend, blocks, params=self.params)
            first = relaxation.first_duals.copy()
            if duals is not None:
                own = relaxation.demand_duals(first)
                own[:] = np.where(duals > 0, duals, own)
            if relaxation.phases(first, self.stop) is not None:
                return DemandDualAscent(relaxation, first)
        return None

    def _climb(self, ascent: DemandDualAscent) -> None:
        """Raise the bound in a part of the time left."""
        several = len(ascent.relaxation.blocks) > 1
        share = self.params.blocks_share if several else self.params.ascent_share
        self._climb_until(ascent, self.stop.part(share * self.stop.left()))

    def _climb_until(self, ascent: DemandDualAscent, stop: Stopping) -> None:
        """Raise the bound until nothing can be gained, or the bracket is closed."""
        single = len(ascent.relaxation.blocks) == 1
        going = True
        while going and self.objective > self.best.bound:
            before, left = self.best, self.stop.left()
            going = ascent.step(stop)
            step = left - self.stop.left()
            going &= not (single and self.stop.left() < self.params.left_for_search * step)
            if ascent.repaired is not None:
                self._keep(ascent.repaired)
            if ascent.bound > self.best.bound:
                cost = ascent.relaxation.to_check(ascent.duals, stop)
                self.best = ascent.solution(self.best.starts, self._is_checked(cost))
            if self.best is not before:
                self._report()

    def _search(self, relaxation: DemandDualRelaxation, certify: bool) -> None:
        """Close the bracket by searches through profiles and numbers, or nearly so."""
        params, reach = self.params, self.params.search_reach
        search: ProfileSearch | None = None
        cost: CheckCost | None = None
        while self.objective > self.best.bound and search is None and reach > 0:
            reach = min(reach, self.objective - self.best.bound)
            duals = np.array(self.best.demand_duals, dtype=np.int64)
            search = ProfileSearch(relaxation, duals, SCALE * reach, params)
            if not search.prepare(self.stop.part(params.prepare_share * self.stop.left())):
                search, reach = None, reach // 4
            else:
                cost = relaxation.to_check(duals, self.stop, search.slack)
        if search is None:
            return
        most = self.best.bound + reach
        for width in (params.beam_width, None, params.wide_beam_width):
            if width is None:
                costs = self._raise(search, most, cost, certify)
                if certify and costs:
                    self._search_with_less(search, costs)
            elif self.objective > self.best.bound:
                part = self.stop.part(params.beam_share * self.stop.left())
                found = search.run(self.objective, part, width)
                if found.starts is not None:
                    self._keep(found.starts)
                    self._report()

    def _search_with_less(self, search: ProfileSearch, costs: Sequence[CheckCost | None]) -> None:
        """Repeat a search with the least slack that proves as much, as that is checked sooner.

        If that does not come to its end, what has been found stays, at its own costs.
        """
        best, relaxation = self.best, search.relaxation
        slack = max(0, SCALE * (best.bound - 1) - search.value)  # no start costs more on the way
        least = ProfileSearch(relaxation, search.duals, slack, self.params)
        if least.prepare(self.stop) and (found := least.run(best.bound, self.stop)).finished:
            costs = (relaxation.to_check(search.duals, self.stop, slack), found.to_check)
            best = dataclasses.replace(best, slack=slack, nodes=max(1, found.nodes))
        self.best = dataclasses.replace(best, checked=self._is_checked(*costs))
        self._report()

    def _raise(
        self, search: ProfileSearch, most: int, cost: CheckCost | None, certify: bool
    ) -> Sequence[CheckCost | None]:
        """Raise the bound step by step, each twice as long, or half if that was too much.

        Return what the checker takes for it, nothing if it is not raised.  If certificates count,
        it counts as unchecked until there is a better one.
        """
        step = 1
        costs: Sequence[CheckCost | None] = ()
        while self.best.bound < min(self.objective, most) and not self.stop.over():
            cutoff = min(self.best.bound + step, self.objective, most)
            found = search.run(cutoff, self.stop)
            if found.starts is not None:
                self._keep(found.starts)
            if found.finished:
                costs = (cost, found.to_check)
                self.best = dataclasses.replace(
                    self.best,
                    bound=min(found.cost, self.objective),
                    slack=search.slack,
                    nodes=max(1, found.nodes),
                    checked=not certify and self._is_checked(*costs),
                )
            elif step == 1:
                break
            self._report()
            step = 2 * step if found.finished else step // 2
        return costs

    def _certify(self) -> None:
        """Climb on blocks so small that the checker takes what they prove."""
        params, best = self.params, self.best
        most = float(params.most_block_sets)
        tried: set[Partition] = {best.blocks}
        while most >= 1 and not self.stop.over():
            blocks = partition(self.instance, int(most), params)
            if blocks is None:
                return
            most /= params.smaller_blocks
            if blocks in tried or len(blocks) < 2:
                continue
            tried.add(blocks)
            descend = KERNEL.compiled(self.stop).descend
            relaxation = DemandDualRelaxation(self.instance, descend, blocks, params=params)
            cost = relaxation.to_check(relaxation.first_duals, self.stop)
            more = params.room_to_climb
            if cost and self._is_checked(CheckCost(int(more * cost.steps), int(more * cost.size))):
                self.best = DualSolution((), 0, best.starts)
                self._climb_until(DemandDualAscent(relaxation), self.stop)
                return

    def _is_checked(self, *costs: CheckCost | None) -> bool:
        """Tell whether the checker takes so much, all together."""
        known = [cost for cost in costs if cost is not None]
        steps, size = sum(cost.steps for cost in known), sum(cost.size for cost in known)
        params = self.params
        fits = steps <= params.checked_steps and size <= params.checked_bytes
        return len(known) == len(costs) and fits

    def _report(self) -> None:
        """Report what is best."""
        if self.best.checked:
            self.certified = max(self.certified, self.best.bound)
        self.report(self.best)

    @property
    def objective(self) -> int:
        """The cost of the best schedule so far (rounds)."""
        return self.cost + self.instance.total_output

    def _keep(self, starts: Starts) -> None:
        """Move starts earlier where they can, and keep them if they are the best so far."""
        times = start_times(self.types, starts)
        times = pulled_forward(self.instance, times, self.stop.part(1.0))
        if times.sum() < self.cost:
            self.cost = int(times.sum())
            self.best = dataclasses.replace(self.best, starts=times)
