"""The stage of the batch-state relaxation: duals, costs-to-go, searches with a rising cutoff."""

from __future__ import annotations

import math

from kvopt.model.stopping import Stopping
from kvopt.solver.relaxations.batch_state.costs_to_go import SCALE, CostsToGo, DualAscent
from kvopt.solver.relaxations.batch_state.rate_kernel import RATE_KERNEL
from kvopt.solver.relaxations.batch_state.rates import rate_duals
from kvopt.solver.relaxations.batch_state.search import Found, can_search, search
from kvopt.solver.relaxations.batch_state.search_duals import fewer_nodes, sampled
from kvopt.solver.relaxations.batch_state.search_kernel import BATCH_STATE_KERNEL, Functions
from kvopt.solver.relaxations.batch_state.states import BatchStates
from kvopt.solver.releases.exact import search_starts
from kvopt.solver.result import Bound
from kvopt.solver.sizes import batch_states_fit
from kvopt.solver.stage import Incumbent

__all__ = ["BatchState"]


class BatchState:
    """The batch-state relaxation, and the search that it bounds.

    Parameters
    ----------
    functions
        The functions to use; by default the compiled ones.
    """

    name = "batch-state"
    with_releases = True

    def __init__(self, functions: Functions | None = None) -> None:
        self.functions = functions

    def applies(self, state: Incumbent) -> bool:
        """Tell whether all batch states and their costs-to-go fit."""
        return batch_states_fit(state)

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Close the bracket, or nearly so."""
        functions = self.functions or BATCH_STATE_KERNEL.compiled(stop)
        if stop.over():
            return
        states = BatchStates(state.instance)
        params = state.params.batch_state
        horizon = params.horizon(state.makespan)
        guesses = [states.first_duals(state.starts)]
        if state.instance.has_releases and len(state.instance) >= params.rate_requests:
            rates = RATE_KERNEL.compiled(stop)
            part = stop.part(params.rate_share * stop.left())
            found = rate_duals(states, horizon, rates, params, part)
            guesses += [] if found is None else [found]
        scale = SCALE
        while scale > 0 and not stop.over():
            costs = CostsToGo(states, horizon, functions, scale)
            ascent = DualAscent(costs, params, state.params.bundle)
            value = ascent.run(guesses, stop.part(params.ascent_share * stop.left()))
            if value is not None:
                bound = -(-value // costs.scale) - state.instance.total_release
                climb = _Climb(state, costs, max(0, bound))
                if state.instance.has_releases:
                    search_starts(state, costs, climb.bound, stop)
                climb.run(stop)
                return
            scale //= 4  # costs-to-go do not fit into 32 bits


class _Climb:
    """Raising the lower bound by searches, and lowering the upper one by beams.

    Parameters
    ----------
    state
        The incumbent.
    costs
        The costs-to-go.
    bound
        What the duals alone prove (rounds).
    """

    def __init__(self, state: Incumbent, costs: CostsToGo, bound: int) -> None:
        self.state = state
        self.costs = costs
        self.params = state.params.batch_state
        self.bound = bound
        self.next_sample = self.params.first_sample
        self.prove(bound, 0)

    def prove(self, bound: int, nodes: int) -> None:
        """Prove a bound by the duals and a search of so many nodes."""
        self.bound = bound
        self.state.prove(Bound(bound, "batch-state", self.costs.content(nodes)))

    @property
    def open(self) -> bool:
        """Whether the bracket is open as far as this stage can prove."""
        return max(self.bound, self.state.certified.value) < self.state.objective

    def search(self, cutoff: int, stop: Stopping, width: int | None = None) -> Found:
        """Search below a cutoff."""
        completion = cutoff + self.state.instance.total_release
        return search(self.costs, completion, stop, width, self.params)

    def beam(self, gap: float, width: int, stop: Stopping) -> bool:
        """Look for a schedule that costs little more than the bound."""
        cutoff = min(self.state.objective, self.bound + 2 + int(gap * self.bound))
        found = self.search(cutoff, stop.part(self.params.beam_share * stop.left()), width)
        return found.starts is not None and self.state.offer(found.starts)

    def run(self, stop: Stopping) -> None:
        """Go on until the bracket has closed, or time or memory are used up."""
        if not can_search(self.costs):
            return
        params = self.params
        if self.open:
            self.beam(params.first_beam_gap, params.first_beam_width, stop)
        self.climb(stop.part(params.climb_share * stop.left()))
        for gap, width in (
            (params.near_beam_gap, params.near_beam_width),
            (params.middle_beam_gap, params.middle_beam_width),
            (params.far_beam_gap, params.far_beam_width),
        ):
            if not self.open or stop.over() or self.beam(gap, width, stop):
                break
        if self.open and not stop.over():
            self.finish(self.search(self.state.objective, stop))  # it may just do

    def climb(self, stop: Stopping) -> None:
        """Raise the cutoff step by step, each search about `growth` times the one before."""
        step, nodes = 1, 0
        while self.open and not stop.over():
            cutoff = min(self.bound + step, self.state.objective)
            found = self.search(cutoff, stop)
            if found.finished and found.starts is not None:
                self.finish(found)
            elif found.finished:
                self.prove(cutoff, found.nodes)
                if nodes:
                    ratio = max(1.01, (found.nodes / nodes) ** (1 / step))
                    fitting = int(math.log(max(self.params.growth, 1)) / math.log(ratio))
                    step = max(1, min(2 * step, fitting))  # small searches predict little
                    nodes = self.change_duals(cutoff, found, ratio, stop)
                else:
                    nodes = found.nodes
            elif step > 1:
                step = (step + 1) // 2
            else:
                break

    def change_duals(self, cutoff: int, found: Found, growth: float, stop: Stopping) -> int:
        """Look for duals with which searches keep fewer nodes, where many more are to come.

        Returns how many nodes a search with that cutoff keeps then.
        """
        params, costs = self.params, self.costs
        missing = self.state.objective - cutoff
        many = found.nodes * growth ** min(missing, 100) > params.many_nodes
        if self.state.instance.has_releases or not many or found.nodes < self.next_sample:
            return found.nodes
        self.next_sample = params.sample_growth * found.nodes
        part = stop.part(params.search_dual_share * stop.left())
        sample = sampled(costs, cutoff, found, part, params)
        before = costs.duals
        if sample is None:
            return found.nodes
        fewer_nodes(costs, sample, growth, part, params)
        again = self.search(cutoff, stop)
        if again.finished and again.nodes < found.nodes:
            self.prove(cutoff, again.nodes)
            return again.nodes
        costs.settle(before)
        return found.nodes

    def finish(self, found: Found) -> None:
        """Take over what a search up to the best schedule has found, if it came to its end."""
        if found.finished:
            if found.starts is not None:
                self.state.offer(found.starts)
            self.prove(self.state.objective, found.nodes)
