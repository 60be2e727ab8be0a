"""The tuning numbers of relaxations by duals of demands, and by linear programs over starts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "DemandDualParams",
    "GridProgramParams",
    "TimeIndexedParams",
]


@dataclass(frozen=True, slots=True)
class DemandDualParams:
    """Lagrange multipliers of the demand rows on the graph of memory profiles.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    many_requests
        With more requests than this it comes before the searches over states.
    most_requests
        With more requests repairing schedules takes too long.
    most_types
        With more types of requests there are too many profiles, nearly always.
    most_sets, most_block_sets, most_relax_and_fix_sets
        With more sets of requests that can run together a graph is too large to be tried: that of
        all types, that of a block, and that of a block where one starts after the other.
    most_sets_before_batch_states
        With more sets of all types the batch-state relaxation comes first, if its states fit.
    counting_work
        So many additions counting those sets may take.
    block_requests_per_type
        With fewer requests of a type, in the mean, there is no partition into blocks.
    most_edges
        Most edges of a graph.
    most_steps
        Most edges of all graphs together, times the rounds for which they are needed.
    most_choices
        Most choices to keep, one for each node and time: nearly always a byte each.
    pipeline_share
        How much the spacing in a pipeline counts in the first duals, from 0 (the share of the
        memory alone) to 1.
    linking_knots
        The duals that link blocks are linear between so many times, of which more are early.
    linking_reach
        They are 0 from that multiple on of the time up to which a type of a block that is not
        the last may pay.
    first_box
        Half the side of the first box, as a part of the largest demand dual.
    smallest_box
        A box at least so wide may end the ascent (rounds).
    least_gain
        It ends if less than this can be gained in the box (rounds).
    repaired_share
        Up to this part of the requests in excess or missing, a path is repaired into a schedule.
    relax_and_fix_share, blocks_share
        Which part of the stage's time goes into relax and fix, if there are several blocks; and
        which part of what is left after it into their duals.
    ascent_share, left_for_search
        Which part goes into the duals of a single block, before searches; the ascent ends sooner if
        so many evaluations would take longer than what is left.
    search_reach
        Searches through profiles prove at most so much more than the duals (rounds).
    most_kept
        Costs-to-go that they may keep, 4 bytes each; of more only some, and the others are computed
        again.
    prepare_share
        Part of the time left for finding these.
    search_nodes, time_nodes
        Most nodes of a search, and those of one time.
    beam_width, wide_beam_width, beam_share
        Nodes of a time that beams keep, before and after the searches, and the part of the time
        left for each.
    first_share
        If certificates count, and the checker does not take what the graphs prove, the part of the
        time left that they have; the rest is for coarse batch states, or for smaller blocks.
    smaller_blocks
        Those have so many times fewer sets of requests that can run together, step by step.
    room_to_climb
        Smaller blocks are chosen so that the checker would accept so many times the work that their
        first duals take; better ones take more.
    checked_steps, checked_bytes
        A bound has no certificate that takes the checker more; by default it stops after 800
        million steps, and at 900 million bytes.
    """

    share: float = 0.9
    many_requests: int = 20
    most_requests: int = 5_000
    most_types: int = 12
    most_sets: int = 10_000_000
    most_block_sets: int = 1_000_000
    most_relax_and_fix_sets: int = 100_000
    most_sets_before_batch_states: int = 500_000
    counting_work: int = 500_000_000
    block_requests_per_type: int = 10
    most_edges: int = 6_000_000
    most_steps: int = 4_000_000_000
    most_choices: int = 1_500_000_000
    pipeline_share: float = 0.8
    linking_knots: int = 8
    linking_reach: float = 1.25
    first_box: float = 1 / 32
    smallest_box: float = 1.0
    least_gain: float = 0.01
    repaired_share: float = 0.1
    relax_and_fix_share: float = 0.25
    blocks_share: float = 0.6
    ascent_share: float = 0.7
    left_for_search: float = 3.5
    search_reach: int = 128
    most_kept: int = 150_000_000
    prepare_share: float = 0.5
    search_nodes: int = 20_000_000
    time_nodes: int = 1_000_000
    beam_width: int = 1_000
    wide_beam_width: int = 10_000
    beam_share: float = 0.4
    first_share: float = 0.65
    smaller_blocks: float = 3.0
    room_to_climb: float = 1.3
    checked_steps: int = 795_000_000
    checked_bytes: int = 880_000_000


@dataclass(frozen=True, slots=True)
class TimeIndexedParams:
    """The time-indexed linear relaxation at the root.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    most_types
        With more types of requests it does not apply.
    most_entries
        Nor with more nonzero coefficients.
    second_level_entries
        Up to so many nonzero coefficients there are window cover cuts of level 2 as well.
    """

    share: float = 0.4
    most_types: int = 12
    most_entries: int = 3_000_000
    second_level_entries: int = 1_500_000


@dataclass(frozen=True, slots=True)
class GridProgramParams:
    """The linear program with rows on a grid of times.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    beside_share, before_states_share
        The same if other jobs look for schedules; and of that, where coarse aggregate states
        follow.
    levels
        Window cover cuts have the levels 1, 2, ..., up to this.
    piecewise_columns
        The program with rows at exact times has so many columns, roughly.
    piecewise_bits
        Its duals are multiples of 2 to the power of minus this, or integers.
    most_places
        The program with smoothed rows does not run where rounds of all types, and the knots'
        distances, add up to more than this.
    most_types, clusters
        With more types than that, so many clusters of them stand for them while duals are
        looked for.
    released_types
        With release times there are so many types or clusters at most.
    first_knots, most_knots
        How many knots the first program has, roughly, or half as many as there are requests;
        each further one has twice as many, up to the latter.
    even, doublings
        Part of the knots that are spaced evenly, and how often the smallest distance of knots
        is doubled at most.
    first_columns
        How many starts of each type the first program has, and stretches of time each of which
        may give another.
    columns_each
        Starts of a type that join at a time.
    passes
        How often columns join at most before rows are looked for.
    precision, last_precision
        They no longer do when they would gain less than this part of the value; the latter when
        no more rows are looked for.
    rounds, least_rounds
        How often rows are looked for, at most and at least.
    least_rise
        They are no longer looked for when a round raises the bound by less than this part.
    cover_violation, violation
        Window cover cuts and first-completion rows join if they are violated by more than this
        part of their right-hand side.
    windows
        First-completion rows are looked for in so many windows of time, and thrice as many.
    look_ahead
        Their heights fall up to so many times the mean time between completions ahead.
    groups, near_groups
        Numbers of tokens held that they tell apart, if the last height counts, and at each
        step before.
    height_passes
        How often heights are looked for again without requests that do not count.
    height_scale, highest
        The last height, an integer, and how many times that the first one is at most.
    most_behind
        It ends if another relaxation has proved more by this part.
    knapsack_rounds
        Knapsack rows are looked for so many times at most.
    knapsack_rise
        They are no longer looked for when that raises the bound by less than this part.
    knapsack_violation
        They join if they are violated by more than this part of their right-hand side.
    checked_steps
        Bounds have no certificate that takes the checker more steps than this; it refuses what
        takes more than 400,000,000.
    chunk
        Costs of so many starts are computed at a time; 8 bytes each.
    """

    share: float = 0.5
    beside_share: float = 0.95
    before_states_share: float = 0.6
    levels: int = 4
    piecewise_columns: int = 8_000
    piecewise_bits: int = 20
    most_places: int = 20_000_000
    most_types: int = 200
    clusters: int = 100
    released_types: int = 1_000
    first_knots: int = 100
    most_knots: int = 800
    even: float = 0.3
    doublings: int = 5
    first_columns: int = 40
    columns_each: int = 4
    passes: int = 60
    precision: float = 0.0005
    last_precision: float = 0.0001
    rounds: int = 40
    least_rounds: int = 4
    least_rise: float = 0.0003
    cover_violation: float = 0.01
    violation: float = 0.001
    windows: int = 48
    look_ahead: float = 4.0
    groups: int = 120
    near_groups: int = 16
    height_passes: int = 3
    height_scale: int = 256
    highest: float = 20.0
    most_behind: float = 0.03
    knapsack_rounds: int = 200
    knapsack_rise: float = 0.0003
    knapsack_violation: float = 0.002
    checked_steps: int = 350_000_000
    chunk: int = 10_000_000
