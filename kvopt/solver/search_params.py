"""The tuning numbers of the stages that search: over states, in trees, in the integer program."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BranchAndBoundParams",
    "EventOrderParams",
    "ExhaustiveParams",
    "MilpParams",
    "ReferenceSearchParams",
    "StateSearchParams",
]


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
class EventOrderParams:
    """Branch and bound on what runs at completions, for few requests with many rounds.

    Parameters
    ----------
    share, full_share
        Parts of the time left that a brief or late run takes where other stages follow, and the one
        after annealing.
    most_requests, most_briefly, most_late
        Up to this many requests it applies, a brief run before other stages, and one after the
        grid program.
    least_output
        It applies if the outputs add up to this many rounds or more.
    brief_nodes
        A brief run takes so many nodes.
    slice_nodes
        Nodes between two looks at the clock.
    trial_pivots
        Pivots for each part of what may be branched on; a node may take twenty times as many.
    most_trials
        Pairs are tried at one completion after another until there are so many.
    most_depth
        It gives up at so many decisions on a path.
    most_records
        So many nodes are written down for a certificate.
    least_priced
        From so many requests on it has prices, and proves its bounds step by step.
    prices_share
        Part of its time that a grid program takes for prices, if there was none before.
    most_places
        There are no prices where that program would hold more numbers for each kind of rows.
    first_step
        The first target is this part of the way from the bound to the best schedule.
    least_left
        A target that is nearer to the cost of the best schedule than this part of it is that cost.
    whole_share
        Part of the time left that each run may take at first whose target is all.
    first_share, later_share
        Parts of the time left that the run with the first step's target may take, and each further
        one.
    quick
        After a run that takes less than this part of the time left, steps are twice as long.
    short_enough
        A certificate that would be longer (bytes, roughly) is shortened, if one is asked for.
    shorten_share
        Part of the time left that this may take.
    """

    share: float = 0.5
    full_share: float = 0.75
    most_requests: int = 16
    most_briefly: int = 24
    least_output: int = 150
    brief_nodes: int = 80_000
    slice_nodes: int = 500
    trial_pivots: int = 10
    most_trials: int = 4
    most_depth: int = 600
    most_records: int = 400_000
    most_late: int = 24
    least_priced: int = 9
    prices_share: float = 0.1
    most_places: int = 1_000_000
    first_step: float = 0.125
    least_left: float = 0.002
    whole_share: float = 0.12
    first_share: float = 0.2
    later_share: float = 0.6
    quick: float = 0.1
    short_enough: int = 700_000
    shorten_share: float = 0.8


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
