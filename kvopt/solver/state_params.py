"""The tuning numbers of relaxations by states: batches, aggregates, and the bundle method."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "AggregateStateParams",
    "BatchStateParams",
    "BundleParams",
    "CoarseAggregateStateParams",
    "CoarseBatchStateParams",
]


@dataclass(frozen=True, slots=True)
class BundleParams:
    """The bundle method that looks for dual values.

    Parameters
    ----------
    kept
        The latest planes that are kept even if they do not touch the model at its maximum.
    first_step
        By so much the first step may raise the function, as a part of its value.
    accepted
        Part of the expected rise from which on the centre moves.
    good
        Part of the expected rise from which on steps grow.
    longer, shorter
        Factors for the length of steps.
    patience
        Steps without success before they shrink.
    most_vain
        So many steps without success in a row end the ascent.
    least_rise
        It ends, too, where less than this part of the value is to be gained.
    """

    kept: int = 30
    first_step: float = 0.01
    accepted: float = 0.1
    good: float = 0.5
    longer: float = 1.5
    shorter: float = 0.6
    patience: int = 4
    most_vain: int = 40
    least_rise: float = 2e-5

    @classmethod
    def bold(cls) -> BundleParams:
        """Return numbers for duals that have to be the best: no search follows that mends them."""
        return cls(
            kept=60, first_step=0.05, good=0.3, longer=3.0, shorter=0.7, patience=8, most_vain=60
        )


@dataclass(frozen=True, slots=True)
class BatchStateParams:
    """The batch-state relaxation, and the search that it bounds.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    released_share
        The same with release times, where the bound is weaker and its beams find less.
    most_states
        With more batch states it does not apply; the checker takes no more than 400,000.
    most_costs
        Nor with more costs-to-go, states times rounds; 4 bytes each.
    horizon_factor
        The horizon, in makespans of the best schedule known.  No dual may exceed the horizon: with
        factor 1 the best duals can be out of reach, and a bound that is weaker by few rounds makes
        the searches many times larger.
    most_horizon
        The horizon is not raised beyond this (rounds); the checker takes no more.
    ascent_share
        Part of its time for the demand duals, if they are not found before.
    few_costs
        With more costs-to-go than this, most steps of the ascent look at promising states only.
    first_margin, least_margin, most_margin
        States are promising if a path through them costs at most so much more than the cheapest
        one, in parts of the bound: at first, at least, and at most.
    promising_share
        At most one in so many costs-to-go is looked at then.
    promising_steps
        Steps of the ascent until all states are looked at again.
    misled_looks
        How often promising states may mislead the ascent before it goes on with all of them.
    least_rise
        The ascent ends when a look at all states raises the bound by less than this part.
    rate_requests
        With release times and so many requests or more a program over completion rates looks for
        the first duals.
    rate_share
        Part of the stage's time for that program.
    rate_knots, rate_groups
        It has so many knots at most, evenly spaced, and tells so many releases between two of them
        apart.
    rate_rounds
        Rounds of batch states that it looks at for each knot.
    rate_passes, rate_least_rise
        How often it looks at all knots at most; it ends when four times raise the bound by less
        than this part.
    first_pool
        Room for so many nodes of one time at first (nodes), a power of two.
    search_nodes
        Most nodes of a search; 8 bytes each are kept.
    time_nodes
        Most nodes of a search at one time; 32 bytes each.
    growth
        The cutoff is raised by so much that the next search is expected to be so many times larger.
    climb_share
        Part of the time left for searches with a rising cutoff, before beams are tried again.
    many_nodes
        Where a search up to the best schedule is expected to keep more nodes than this, other
        duals are looked for with which it keeps fewer,
    first_sample, sample_growth
        once a search has kept so many nodes, and again after one with so many times as many,
    sampled_nodes
        for so many of its nodes, roughly,
    sample_margin
        with states through which a path costs at most so much more than the cheapest one, in parts
        of the bound, if there are more than few costs-to-go,
    search_dual_steps, search_dual_share, remembered_steps
        in so many steps of L-BFGS and this part of the time left at most; L-BFGS remembers so many.
    beam_share
        Part of the time left for each beam.
    first_beam_gap, first_beam_width
        The beam before the searches: schedules may cost so much above the bound, in parts of it,
        and so many nodes of each time are kept.
    near_beam_gap, near_beam_width, middle_beam_gap, middle_beam_width, far_beam_gap, far_beam_width
        The same for the three beams if the searches do not end.
    """

    share: float = 0.9
    released_share: float = 0.75
    most_states: int = 400_000
    most_costs: int = 165_000_000
    horizon_factor: float = 17 / 16
    most_horizon: int = 1_000_000
    ascent_share: float = 0.5
    few_costs: int = 4_000_000
    first_margin: float = 0.015
    least_margin: float = 0.002
    most_margin: float = 0.06
    promising_share: int = 4
    promising_steps: int = 20
    misled_looks: int = 1_000
    least_rise: float = 2e-5
    rate_requests: int = 30
    rate_share: float = 0.3
    rate_knots: int = 32
    rate_groups: int = 4
    rate_rounds: int = 100
    rate_passes: int = 24
    rate_least_rise: float = 0.002
    first_pool: int = 1 << 14
    search_nodes: int = 50_000_000
    time_nodes: int = 4_000_000
    growth: float = 5.0
    climb_share: float = 0.7
    many_nodes: int = 3_000_000
    first_sample: int = 200_000
    sample_growth: int = 5
    sampled_nodes: int = 4_000
    sample_margin: float = 0.015
    search_dual_steps: int = 60
    search_dual_share: float = 0.4
    remembered_steps: int = 20
    beam_share: float = 0.3
    first_beam_gap: float = 0.003
    first_beam_width: int = 4_000
    near_beam_gap: float = 0.0005
    near_beam_width: int = 100_000
    middle_beam_gap: float = 0.0015
    middle_beam_width: int = 100_000
    far_beam_gap: float = 0.005
    far_beam_width: int = 50_000

    def horizon(self, makespan: int) -> int:
        """Return the horizon for a best known schedule with this makespan (rounds)."""
        longer = math.ceil(self.horizon_factor * makespan)
        return max(makespan, min(longer, self.most_horizon))


@dataclass(frozen=True, slots=True)
class CoarseBatchStateParams:
    """Batch states seen every g-th round, where there are too many of them in all rounds.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    late_share
        The same for few requests, where event order comes first and branch and bound follows.
    most_states
        A grid with more batch states is not used; the checker takes no more than 4,000,000.
    most_costs
        Nor one with more states times steps of the grid and types, as it takes more rounds with
        more duals.  About a tenth of states and steps are looked at.
    most_steps, most_bytes
        The finest grid becomes wider until the checker needs no more steps and bytes than this with
        the first duals there.
    checked_steps, checked_bytes
        A bound is not proved that takes the checker more; by default it stops after 800 million
        steps, and at 900 million bytes.
    most_counting
        Nor one with more marks, looks and prompts, times tokens of memory: counting the states
        takes some 40 nanoseconds for each.
    most_lost
        Looks see half a step of the grid less than a request holds; it is not run where that is
        more than this part of the tokens that a request holds on average.
    most_lost_to_certify
        The same where certificates count and the checker does not take the bound of demand duals.
    growth
        The next grid has at least so many times as many costs-to-go.
    least_rise, early_rise
        The ascent on a grid ends when the bound rises by less than this part: on the finest one,
        and on the others, whose duals are only a beginning.  They go before that of the bundle.
    first_costs
        Grids with fewer costs-to-go are not used to begin with.
    few_costs
        Where more are looked at than this, most steps of the ascent look at promising ones only.
    """

    share: float = 0.8
    late_share: float = 0.3
    most_states: int = 1_500_000
    most_costs: int = 9_500_000_000
    most_steps: int = 720_000_000
    most_bytes: int = 830_000_000
    checked_steps: int = 780_000_000
    checked_bytes: int = 880_000_000
    most_counting: int = 2_000_000
    most_lost: float = 0.04
    most_lost_to_certify: float = 0.08
    growth: float = 4.0
    least_rise: float = 6e-5
    early_rise: float = 4e-4
    first_costs: int = 100_000
    few_costs: int = 1_000_000


@dataclass(frozen=True, slots=True)
class CoarseAggregateStateParams:
    """Aggregate states seen every g-th round: how many run, and for how many looks.

    Parameters
    ----------
    share, late_share
        Part of the time left that it takes where other stages follow, before and after the grid
        program.
    first_looks
        On the widest grid the longest request is seen at so many looks; each further grid has half
        the width.
    horizon_factor
        No dual of a request exceeds the makespan of the best schedule times this.
    knots, last_knots
        The prices of starts are linear between so many times, of which more are early; on the
        finest grid there are more.
    most_states
        A grid with more states times looks is not used.
    most_costs
        Nor one with more of these times variants of requests.  A few hundredths are looked at.
    most_lost
        Looks see half a step of the grid less than a request holds; it is not run where on the
        finest grid what they miss is more than this part of the tokens that a request holds on
        average.  Prompts differ if more than this part of them is of prompts beyond the shortest.
    most_prompts
        It is not run if more than this part of them is: who has which prompt is forgotten.
    least_running, most_running
        Nor where memory has room for fewer or more requests on average: of few, too much is
        forgotten, and with many the grid program proves more in the same time.
    most_requests
        Nor for more requests: schedules are so long that only wide grids come to their end.
    most_times_running
        Nor if requests times those who run on average are more: the checker takes only wide grids.
    most_mixed_times_running
        The same where prompts differ.
    grid_share
        Part of its time left that a grid gets where a finer one follows.
    least_evaluations
        None follows if there is not even the time for so many evaluations on this one; one there
        takes some five times as long.
    early_rise, least_rise
        The ascent on a grid ends when the bound rises by less than this part: on all grids but the
        finest, whose duals are only a beginning, and there.  They go before that of the bundle.
    enough_lost
        The grid program is left out where a grid has proved something on which they miss less.
    checked_steps, checked_bytes
        A bound is not proved that takes the checker more; by default it stops after 800 million
        steps, and at 900 million bytes.
    """

    share: float = 0.65
    late_share: float = 0.5
    first_looks: int = 32
    horizon_factor: float = 1.6
    knots: int = 64
    last_knots: int = 128
    most_states: int = 100_000_000
    most_costs: int = 40_000_000_000
    most_lost: float = 0.02
    most_prompts: float = 0.75
    least_running: float = 5.0
    most_running: float = 20.0
    most_requests: int = 150
    most_times_running: float = 1_200.0
    most_mixed_times_running: float = 450.0
    enough_lost: float = 0.01
    grid_share: float = 0.4
    least_evaluations: float = 20.0
    early_rise: float = 1e-4
    least_rise: float = 2e-5
    checked_steps: int = 780_000_000
    checked_bytes: int = 880_000_000


@dataclass(frozen=True, slots=True)
class AggregateStateParams:
    """The aggregate-state relaxation: shortest paths through (t, K, W).

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    most_states
        With more states, times by numbers of requests by numbers of tokens, it does not apply;
        8 bytes each.
    most_steps
        Nor with more steps of one evaluation, states times types and prompts; the checker takes
        no more than 2,000,000,000.
    first_temperature
        The first temperature of the smoothed bound, in parts of the mean completion time.
    linear_temperature
        The same where it starts from the duals of the linear relaxation.
    cooling
        Each temperature is so many times the one before.
    temperatures
        So many temperatures at most.
    least_rise
        The ascent ends when a temperature raises the bound by less than this part.
    most_steps_each, least_steps_each
        Steps of L-BFGS at each temperature at most, and at least if the former would take more than
    step_share
        this part of the time left.
    paths_each
        An evaluation of the smoothed bound takes as long as so many shortest paths, roughly; the
        first one is not begun without the time for it.
    remembered_steps
        Steps that L-BFGS remembers.
    box
        No dual value exceeds so many times the cost of the best schedule.
    """

    share: float = 0.6
    most_states: int = 24_000_000
    most_steps: int = 2_000_000_000
    first_temperature: float = 0.05
    linear_temperature: float = 0.0125
    cooling: float = 0.5
    temperatures: int = 10
    least_rise: float = 0.00025
    most_steps_each: int = 200
    least_steps_each: int = 25
    step_share: float = 0.2
    paths_each: int = 20
    remembered_steps: int = 20
    box: float = 8.0
