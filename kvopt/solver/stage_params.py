"""The tuning numbers of each stage of the solver, one class for each."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "AggregateStateParams",
    "AnnealingParams",
    "BatchStateParams",
    "BranchAndBoundParams",
    "BundleParams",
    "DemandDualParams",
    "ExhaustiveParams",
    "GridProgramParams",
    "ListScheduleParams",
    "MilpParams",
    "ReferenceSearchParams",
    "StateSearchParams",
    "TimeIndexedParams",
    "WindowParams",
]


@dataclass(frozen=True, slots=True)
class ListScheduleParams:
    """List schedules: requests placed one after another, then moved to earlier starts.

    Parameters
    ----------
    share
        Part of the time that they take where other stages follow.
    gap_filling_requests
        Up to this many requests gaps in schedules are looked for one by one.
    compiled_requests
        From so many requests on lists are placed by compiled code, if it has room.
    passes
        At most so often a schedule is gone through to move requests to earlier starts.
    bisected_types
        With more types of requests the spacing of the pipeline stands for the tightest one.
    bisections
        Steps of the bisection for the tightest spacing of a request's copies.
    most_copies
        With more copies than this at a time their spacing is that of the pipeline.
    """

    share: float = 0.3
    gap_filling_requests: int = 3_000
    compiled_requests: int = 1_000
    passes: int = 5
    bisected_types: int = 1_000
    bisections: int = 20
    most_copies: int = 10_000


@dataclass(frozen=True, slots=True)
class AnnealingParams:
    """Simulated annealing over (order, delays).

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    released_share
        The same with release times.
    brief_share
        The same before a stage that finds good schedules by itself.
    seconds
        It takes no longer than this at a time (seconds).
    most_requests, most_rounds
        Beyond so many requests, or rounds if they ran one at a time, it does not apply.
    chain_work, draws
        Rounds looked at and random numbers drawn for a chain at one temperature, between two looks
        at the limits: about a millisecond; at least 1 and 8.
    first_cycle, last_cycle
        Schedules decoded in a cycle of cooling: in the first, and doubled up to the last.
    hottest, coldest
        Temperatures at both ends of a cycle, in mean output lengths for each request...
    counted_requests
        ...of the first so many.
    delay_moves, block_moves, swap_moves
        How many of 100 moves change a delay, move two to four requests in a row, or swap two; the
        others move one.
    largest_delay
        The largest delay that moves give (rounds); those of the first schedule may be larger.
    long_output, long_requests
        If an output is so long (rounds) and there are no more requests, delays may be as long as
        it, ...
    long_delay_moves
        ...and so many of 100 moves change one: the memory in use at an end is often just right
        only because several starts before it wait.
    """

    share: float = 0.1
    released_share: float = 0.4
    brief_share: float = 0.03
    seconds: float = 1e9
    most_requests: int = 2_000
    most_rounds: int = 1_000_000
    chain_work: int = 250_000
    draws: int = 4_096
    first_cycle: int = 10_000
    last_cycle: int = 800_000
    hottest: float = 1 / 200
    coldest: float = 1 / 1000
    counted_requests: int = 50
    delay_moves: int = 3
    block_moves: int = 10
    swap_moves: int = 30
    largest_delay: int = 8
    long_output: int = 100
    long_requests: int = 50
    long_delay_moves: int = 25


@dataclass(frozen=True, slots=True)
class WindowParams:
    """Simulated annealing of windows, for many requests.

    Parameters
    ----------
    least_requests, most_requests, most_rounds
        It takes the place of annealing of the whole order for numbers of requests in this range,
        up to so many rounds.
    swept_requests
        Up to so many requests there are sweeps from left to right.
    first_lines, most_lines
        So many sweeps go side by side at first, and after they were doubled again and again.
    sweep_moves
        So many moves are tried in a window of a sweep; doubled after the lines are not.
    sweep_steps
        After so many windows the worst quarter of the sweeps is replaced by the best.
    least_width, most_width
        Ends of the number of places in a window of a sweep, else the number of requests that run.
    polish_moves
        So many moves are tried in a window of the best schedule.
    width, ahead
        So many places such a window has, and so many more are placed anew.
    completed_requests, reach
        Up to so many requests all that comes after it is placed; of more so many places.
    tail
        The mean shift of so many places counts for those beyond.
    hottest, coldest
        Temperatures at both ends of a window, in mean output lengths for each request to come.
    delay_moves, block_moves, swap_moves, largest_delay
        As in `AnnealingParams`.
    """

    least_requests: int = 31
    most_requests: int = 200_000
    most_rounds: int = 40_000_000
    swept_requests: int = 500
    first_lines: int = 2
    most_lines: int = 16
    sweep_moves: int = 500
    sweep_steps: int = 2
    least_width: int = 20
    most_width: int = 60
    polish_moves: int = 200
    width: int = 50
    ahead: int = 60
    completed_requests: int = 10_000
    reach: int = 500
    tail: int = 25
    hottest: float = 1 / 350
    coldest: float = 1 / 7_000
    delay_moves: int = 8
    block_moves: int = 10
    swap_moves: int = 40
    largest_delay: int = 8


@dataclass(frozen=True, slots=True)
class ReferenceSearchParams:
    """The plain search over states, in Python integers.

    Parameters
    ----------
    most_requests
        Up to this many requests it comes first.
    first_states
        So many states are kept before the compiled search is worth its time to load.
    most_bits
        It does not apply if a memory profile has more bits.
    beam_width
        States that the beam search for a first good schedule keeps at each time.
    """

    most_requests: int = 12
    first_states: int = 8_000
    most_bits: int = 50_000
    beam_width: int = 30


@dataclass(frozen=True, slots=True)
class StateSearchParams:
    """The compiled search over states.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    most_requests
        Up to this many requests it applies.
    few_requests, small_memory
        With more requests or memory (tokens) than this the batch-state relaxation takes its place,
        if its states fit.
    long_output
        With an output as long as this (rounds) branch and bound takes its place, if it applies.
    state_bytes
        Memory for states (bytes).
    pool_bytes
        Memory for states at the beginning (bytes); it is doubled when it is full.
    beam_width, wide_beam_width
        States that a beam search keeps at each time, before and with duals; at least 1.
    first_children
        So many children of states are generated before duals are worth their time.
    rounds_between_looks
        Rounds of children generated between two looks at the limits, roughly; 2,000,000 take
        about 0.1 s.
    dual_steps, dual_work
        Subgradient steps at most, and rounds of types looked at in all of them.
    dual_step_length
        First length of a subgradient step, in 256ths of Polyak's; at most 256.
    dual_patience
        After so many steps without gain they become a quarter shorter.
    dual_share
        Share of the new subgradient in the direction, in 16ths; at most 16.
    many_states
        States that there is room for where many instances are solved together.
    """

    share: float = 0.3
    most_requests: int = 20
    few_requests: int = 12
    small_memory: int = 30
    long_output: int = 100
    state_bytes: int = 1 << 29
    pool_bytes: int = 1 << 24
    beam_width: int = 8
    wide_beam_width: int = 50
    first_children: int = 3_000
    rounds_between_looks: int = 2_000_000
    dual_steps: int = 1_000
    dual_work: int = 50_000_000
    dual_step_length: int = 256
    dual_patience: int = 20
    dual_share: int = 10
    many_states: int = 4_096


@dataclass(frozen=True, slots=True)
class ExhaustiveParams:
    """The checker's own search, which completes the proof of a bound.

    Parameters
    ----------
    share
        Part of the time left that it takes.
    most_requests
        Beyond so many requests it does not apply.
    """

    share: float = 0.5
    most_requests: int = 256


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
    least_rise
        The ascent ends when a look at all states raises the bound by less than this part.
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
    most_costs: int = 130_000_000
    horizon_factor: float = 17 / 16
    most_horizon: int = 1_000_000
    ascent_share: float = 0.5
    few_costs: int = 4_000_000
    first_margin: float = 0.015
    least_margin: float = 0.002
    most_margin: float = 0.06
    promising_share: int = 4
    promising_steps: int = 20
    least_rise: float = 2e-5
    first_pool: int = 1 << 14
    search_nodes: int = 50_000_000
    time_nodes: int = 4_000_000
    growth: float = 5.0
    climb_share: float = 0.7
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


@dataclass(frozen=True, slots=True)
class BranchAndBoundParams:
    """Branch and bound on start times, for few requests with long runs.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    most_requests
        Up to this many requests it applies.
    least_makespan, most_makespan
        It applies to makespans in this range (rounds).
    grid_rows
        The program begins with so many rows of each family, on a grid of times.
    most_rows
        With so many rows no more are added.
    violation
        Rows are added that are violated by more than this part of their right-hand side.
    root_passes, root_rows
        At the root, how often rows are separated, and how many of a family at a time.
    node_passes, node_rows
        The same at other nodes.
    hard_passes, hard_rows, hard_violation
        The same, and the least violation, where a node's program proves nothing new.
    exact_passes, exact_rows
        The same, however little rows are violated, where a solution is nearly a schedule.
    early_share
        A start is branched on that is spread most for its time, plus this part of the horizon.
    least_spread
        With less spread than this it is not branched on (rounds).
    """

    share: float = 0.9
    most_requests: int = 20
    least_makespan: int = 200
    most_makespan: int = 10_000
    grid_rows: int = 96
    most_rows: int = 500
    violation: float = 0.05
    root_passes: int = 2
    root_rows: int = 6
    node_passes: int = 0
    node_rows: int = 0
    hard_passes: int = 1
    hard_rows: int = 4
    hard_violation: float = 0.02
    exact_passes: int = 20
    exact_rows: int = 6
    early_share: float = 0.03
    least_spread: float = 1e-3


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
    remembered_steps: int = 20
    box: float = 8.0


@dataclass(frozen=True, slots=True)
class MilpParams:
    """The hindsight integer program, solved by HiGHS.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    most_types
        With more types of requests it hardly ever finishes, and does not apply.
    most_entries, most_rounds
        Nor with more nonzero coefficients or rounds.
    entries_per_second, variables_per_second
        How fast a program is written down, roughly; without the time for it, it does not apply.
    presolved_entries, presolved_rounds
        With more nonzero coefficients or rounds there is no presolve, which may take a minute
        and stops for nobody.
    """

    share: float = 1.0
    most_types: int = 12
    most_entries: int = 1_500_000
    most_rounds: int = 10_000
    entries_per_second: int = 400_000
    variables_per_second: int = 10_000
    presolved_entries: int = 200_000
    presolved_rounds: int = 5_000


@dataclass(frozen=True, slots=True)
class GridProgramParams:
    """The linear program with rows on a grid of times.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    levels
        Window cover cuts have the levels 1, 2, ..., up to this.
    piecewise_columns
        The program with rows at exact times has so many columns, roughly.
    piecewise_bits
        Its duals are multiples of 2 to the power of minus this, or integers.
    most_places
        The program with smoothed rows does not run where rounds of all types, and the knots'
        distances, add up to more than this.
    most_types
        With more types clusters of them stand for them while duals are looked for.
    released_types
        The same with release times.
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
    checked_steps
        Bounds have no certificate that takes the checker more steps than this; it refuses what
        takes more than 400,000,000.
    chunk
        Costs of so many starts are computed at a time; 8 bytes each.
    """

    share: float = 0.5
    levels: int = 4
    piecewise_columns: int = 8_000
    piecewise_bits: int = 20
    most_places: int = 20_000_000
    most_types: int = 100
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
    windows: int = 12
    look_ahead: float = 4.0
    groups: int = 120
    near_groups: int = 16
    height_passes: int = 3
    height_scale: int = 256
    highest: float = 20.0
    checked_steps: int = 350_000_000
    chunk: int = 10_000_000
