"""The tuning numbers of the solver, one section for each stage.

They decide how long things take and how far they get, never whether a result is right.  A file
in TOML changes some of them:

    [annealing]
    seconds = 120

    [state_search]
    state_bytes = 1_000_000_000
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kvopt.model.errors import InputError
from kvopt.model.files import read_text
from kvopt.model.instance import abridged

__all__ = [
    "AggregateStateParams",
    "AnnealingParams",
    "BatchStateParams",
    "BranchAndBoundParams",
    "DemandDualParams",
    "ExhaustiveParams",
    "ListScheduleParams",
    "MilpParams",
    "ReferenceSearchParams",
    "SolverParams",
    "StateSearchParams",
    "TimeIndexedParams",
]


@dataclass(frozen=True, slots=True)
class ListScheduleParams:
    """List schedules: requests placed one after another, then moved to earlier starts.

    Parameters
    ----------
    gap_filling_requests
        Up to this many requests gaps in schedules are looked for.
    """

    gap_filling_requests: int = 3_000


@dataclass(frozen=True, slots=True)
class AnnealingParams:
    """Simulated annealing over (order, delays).

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
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

    share: float = 0.15
    brief_share: float = 0.03
    seconds: float = 60.0
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
class BatchStateParams:
    """The batch-state relaxation, and the search that it bounds.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    least_seconds
        With less time left it does not apply (seconds).
    """

    share: float = 0.9
    least_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class DemandDualParams:
    """Lagrange multipliers of the demand rows on the graph of memory profiles.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    many_requests
        With more requests than this it comes before the searches over states.
    """

    share: float = 0.9
    many_requests: int = 20


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
    """

    share: float = 0.9
    most_requests: int = 20
    least_makespan: int = 200
    most_makespan: int = 10_000


@dataclass(frozen=True, slots=True)
class TimeIndexedParams:
    """The time-indexed linear relaxation at the root.

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    most_types
        With more types of requests it does not apply.
    """

    share: float = 0.4
    most_types: int = 12


@dataclass(frozen=True, slots=True)
class AggregateStateParams:
    """The aggregate-state relaxation: shortest paths through (t, K, W).

    Parameters
    ----------
    share
        Part of the time left that it takes where other stages follow.
    least_seconds
        With less time left it does not apply (seconds).
    """

    share: float = 0.6
    least_seconds: float = 2.0


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
    """

    share: float = 1.0
    most_types: int = 12
    most_entries: int = 1_500_000
    most_rounds: int = 10_000
    entries_per_second: int = 400_000
    variables_per_second: int = 10_000


@dataclass(frozen=True, slots=True)
class SolverParams:
    """All tuning numbers of the solver.

    Parameters
    ----------
    list_schedules, annealing, reference_search, state_search, exhaustive, batch_state,
    demand_duals, branch_and_bound, time_indexed, aggregate_state, milp
        The section of each stage.

    Examples
    --------
    >>> SolverParams(annealing=AnnealingParams(seconds=5)).annealing.seconds
    5
    """

    list_schedules: ListScheduleParams = field(default_factory=ListScheduleParams)
    annealing: AnnealingParams = field(default_factory=AnnealingParams)
    reference_search: ReferenceSearchParams = field(default_factory=ReferenceSearchParams)
    state_search: StateSearchParams = field(default_factory=StateSearchParams)
    exhaustive: ExhaustiveParams = field(default_factory=ExhaustiveParams)
    batch_state: BatchStateParams = field(default_factory=BatchStateParams)
    demand_duals: DemandDualParams = field(default_factory=DemandDualParams)
    branch_and_bound: BranchAndBoundParams = field(default_factory=BranchAndBoundParams)
    time_indexed: TimeIndexedParams = field(default_factory=TimeIndexedParams)
    aggregate_state: AggregateStateParams = field(default_factory=AggregateStateParams)
    milp: MilpParams = field(default_factory=MilpParams)

    def __post_init__(self) -> None:
        for section in dataclasses.fields(self):
            values = getattr(self, section.name)
            for one in dataclasses.fields(values):
                _check(getattr(values, one.name), one.default, f"{section.name}.{one.name}")

    @classmethod
    def from_toml(cls, path: str | Path) -> SolverParams:
        """Read some of the numbers from a file; the others stay as they are by default.

        Raises
        ------
        InputError
            If the file cannot be read, or names a section or number that does not exist, or
            gives a value that is not acceptable.
        """
        try:
            content = tomllib.loads(read_text(Path(path)))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path}: is not valid TOML: {error}") from None
        except InputError as error:
            raise error.within(str(path)) from None
        try:
            return cls.from_mapping(content)
        except InputError as error:
            raise error.within(str(path)) from None

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> SolverParams:
        """Make parameters from sections of numbers by name; see `from_toml`."""
        usual = cls()
        sections = {}
        for name, values in content.items():
            known = [section.name for section in dataclasses.fields(cls)]
            if name not in known:
                raise InputError(f"{abridged(name)[1:-1]}: unknown section, known: {known}")
            section = getattr(usual, name)
            if not isinstance(values, Mapping):
                raise InputError(f"{name}: must be a section [{name}], got {abridged(values)}")
            numbers = {one.name: one.default for one in dataclasses.fields(section)}
            for key, value in values.items():
                if key not in numbers:
                    raise InputError(
                        f"{name}.{abridged(key)[1:-1]}: unknown number, known: {', '.join(numbers)}"
                    )
                _check(value, numbers[key], f"{name}.{key}")
            sections[name] = dataclasses.replace(section, **values)
        return cls(**sections)


def _check(value: Any, usual: Any, place: str) -> None:
    """Refuse a value that is not of the kind of the usual one, or negative, or not finite."""
    kinds = (int,) if isinstance(usual, int) else (int, float)
    wrong = isinstance(value, bool) or not isinstance(value, kinds)
    if wrong or not 0 <= value < math.inf:
        what = "an integer" if kinds == (int,) else "a number"
        raise InputError(f"{place}: must be {what} >= 0, got {abridged(value)}")
