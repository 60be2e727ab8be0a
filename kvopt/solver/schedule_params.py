"""The tuning numbers of the stages that look for schedules."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AnnealingParams",
    "ListScheduleParams",
    "NeighbourhoodParams",
    "ReleaseBeamParams",
    "ReleaseExactParams",
    "RestartParams",
    "StaggeringParams",
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
    beside_share
        In place of `share` and `released_share` if other jobs look for schedules as well.
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
    beside_share: float = 0.03
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
    candidates
        So many of the schedules that sweeps end with are gone on from.
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
    candidates: int = 4
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
class NeighbourhoodParams:
    """Large-neighbourhood search: a few requests are placed anew, in the best order.

    Parameters
    ----------
    smallest, largest
        So many requests are taken out at a time.
    span, long_span
        They are drawn from so many neighbours in a list, or from all.
    nodes
        Most nodes of a search for the best order.
    times
        So often requests are taken out between two looks at the limits.
    exploring
        How often what to take out is drawn without regard to what has paid.
    forgetting
        How much what has been gained last counts for what pays.
    turn, least_gain
        It goes on for so many rounds looked at, and for as many again if that has gained this part
        of the cost, or as much as annealing has for its work.
    first_requests
        With more requests it goes on for as long as it gains anything before annealing begins.
    """

    smallest: int = 2
    largest: int = 6
    span: int = 24
    long_span: int = 80
    nodes: int = 500
    times: int = 32
    exploring: float = 0.2
    forgetting: float = 0.1
    turn: int = 50_000_000
    least_gain: float = 0.0003
    first_requests: int = 10_000


@dataclass(frozen=True, slots=True)
class StaggeringParams:
    """Staggering of copies of a request.

    Parameters
    ----------
    least_requests, most_requests
        It applies to numbers of requests in this range...
    least_share
        ...if this part of them or more are of types that have many, ...
    least_copies, least_part
        ...which are so many requests and so large a part of all, or more.
    tightest, widest
        A type's spacing is its mean distance of starts so far times a number in this range.
    times
        So often spacings are drawn between two looks at the limits.
    turn
        A turn looks at so many rounds; there is another one if that has gained as much as
        annealing has for its work.
    most_work
        After annealing it has a turn if it has done no more than this part of annealing's work.
    """

    least_requests: int = 100
    most_requests: int = 10_000
    least_share: float = 0.2
    least_copies: int = 4
    least_part: float = 0.02
    tightest: float = 0.6
    widest: float = 1.1
    times: int = 8
    turn: int = 300_000_000
    most_work: float = 0.3


@dataclass(frozen=True, slots=True)
class RestartParams:
    """Searches for schedules that begin anew with another random seed.

    Parameters
    ----------
    work
        A new search looks at so many rounds, times the square of the number of requests...
    growth
        ...and this factor more each time.
    leading
        The search with the best schedule goes on for this part of it after each.
    most_requests
        Of more requests there is one search.
    """

    work: int = 600_000
    growth: float = 1.05
    leading: float = 0.3
    most_requests: int = 80


@dataclass(frozen=True, slots=True)
class ReleaseBeamParams:
    """Beam searches through time, where requests are released over time.

    Parameters
    ----------
    share
        Part of the time left that they take where other stages follow.
    most_memory, most_requests, most_rounds
        They apply up to this memory (tokens), number of requests, and makespan (rounds).
    first_width, widening, most_width
        Nodes of a time that are kept: at first, so many times more each time, and at most.
    most_choices
        Choices of what starts that are looked at for a node.
    speed
        Part of the memory that the fluid takes that estimates what is left.
    ahead
        It looks at so many requests that are released later.
    """

    share: float = 0.15
    most_memory: int = 128
    most_requests: int = 2_000
    most_rounds: int = 50_000
    first_width: int = 30
    widening: int = 3
    most_width: int = 10_000
    most_choices: int = 1_000
    speed: float = 0.8
    ahead: int = 64


@dataclass(frozen=True, slots=True)
class ReleaseExactParams:
    """Exact searches through time, where requests are released over time.

    Parameters
    ----------
    searches
        Searches at most; each time one does not come to its end, the next one has a lower cutoff.
    share
        Part of the time left of the batch-state relaxation that each search gets.
    retunings
        Duals are found again so many times at most, at times that are evenly spaced.
    retuned_nodes
        They are not if fewer nodes are left.
    steps, retuning_share
        Steps of the bundle method each time, and part of the search's time left for them.
    most_nodes, most_sets
        Most nodes of one time, and sets of requests that wait there.
    checked_steps, node_steps
        A search must take the checker no more than so many steps; a node takes about so many; half
        of the steps may go into costs-to-go of more duals.
    set_share
        Costs-to-go of duals that are found again may take so large a part of the steps each.
    more_nodes
        The checker may keep twice as many nodes as the search, and so many more.
    """

    searches: int = 2
    share: float = 0.45
    retunings: int = 24
    retuned_nodes: int = 2_000
    steps: int = 60
    retuning_share: float = 0.04
    most_nodes: int = 200_000
    most_sets: int = 6_000
    checked_steps: int = 780_000_000
    node_steps: int = 1_100
    set_share: float = 0.04
    more_nodes: int = 1_000
