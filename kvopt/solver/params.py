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
import functools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kvopt.model.errors import InputError
from kvopt.model.files import read_text
from kvopt.model.instance import abridged
from kvopt.solver.relaxation_params import (
    DemandDualParams,
    GridProgramParams,
    TimeIndexedParams,
)
from kvopt.solver.schedule_params import (
    AnnealingParams,
    ListScheduleParams,
    NeighbourhoodParams,
    ReleaseBeamParams,
    ReleaseExactParams,
    RestartParams,
    StaggeringParams,
    WindowParams,
)
from kvopt.solver.search_params import (
    BranchAndBoundParams,
    EventOrderParams,
    ExhaustiveParams,
    MilpParams,
    ReferenceSearchParams,
    StateSearchParams,
)
from kvopt.solver.state_params import (
    AggregateStateParams,
    BatchStateParams,
    BundleParams,
    CoarseAggregateStateParams,
    CoarseBatchStateParams,
)

__all__ = [
    "AggregateStateParams",
    "AnnealingParams",
    "BatchStateParams",
    "BranchAndBoundParams",
    "BundleParams",
    "CoarseAggregateStateParams",
    "CoarseBatchStateParams",
    "DemandDualParams",
    "EventOrderParams",
    "ExhaustiveParams",
    "GridProgramParams",
    "ListScheduleParams",
    "MilpParams",
    "NeighbourhoodParams",
    "ReferenceSearchParams",
    "ReleaseBeamParams",
    "ReleaseExactParams",
    "RestartParams",
    "SolverParams",
    "StaggeringParams",
    "StateSearchParams",
    "TimeIndexedParams",
    "WindowParams",
]


@dataclass(frozen=True, slots=True)
class SolverParams:
    """All tuning numbers of the solver.

    Parameters
    ----------
    list_schedules, annealing, windows, neighbourhoods, staggering, restarts, release_beam,
    release_exact
        The sections of the stages that make schedules.
    event_order, reference_search, state_search, exhaustive, branch_and_bound, milp
        Those of the searches.
    batch_state, coarse_aggregate_state, coarse_batch_state, demand_duals, time_indexed,
    grid_program, aggregate_state
        Those of the relaxations.
    bundle, coarse_bundle
        Those of the bundle method, the second for coarse batch and aggregate states.

    Examples
    --------
    >>> SolverParams(annealing=AnnealingParams(seconds=5)).annealing.seconds
    5
    """

    list_schedules: ListScheduleParams = field(default_factory=ListScheduleParams)
    annealing: AnnealingParams = field(default_factory=AnnealingParams)
    windows: WindowParams = field(default_factory=WindowParams)
    neighbourhoods: NeighbourhoodParams = field(default_factory=NeighbourhoodParams)
    staggering: StaggeringParams = field(default_factory=StaggeringParams)
    restarts: RestartParams = field(default_factory=RestartParams)
    release_beam: ReleaseBeamParams = field(default_factory=ReleaseBeamParams)
    release_exact: ReleaseExactParams = field(default_factory=ReleaseExactParams)
    event_order: EventOrderParams = field(default_factory=EventOrderParams)
    reference_search: ReferenceSearchParams = field(default_factory=ReferenceSearchParams)
    state_search: StateSearchParams = field(default_factory=StateSearchParams)
    exhaustive: ExhaustiveParams = field(default_factory=ExhaustiveParams)
    batch_state: BatchStateParams = field(default_factory=BatchStateParams)
    coarse_aggregate_state: CoarseAggregateStateParams = field(
        default_factory=CoarseAggregateStateParams
    )
    coarse_batch_state: CoarseBatchStateParams = field(default_factory=CoarseBatchStateParams)
    bundle: BundleParams = field(default_factory=BundleParams)
    coarse_bundle: BundleParams = field(default_factory=BundleParams.bold)
    demand_duals: DemandDualParams = field(default_factory=DemandDualParams)
    branch_and_bound: BranchAndBoundParams = field(default_factory=BranchAndBoundParams)
    time_indexed: TimeIndexedParams = field(default_factory=TimeIndexedParams)
    grid_program: GridProgramParams = field(default_factory=GridProgramParams)
    aggregate_state: AggregateStateParams = field(default_factory=AggregateStateParams)
    milp: MilpParams = field(default_factory=MilpParams)

    def __post_init__(self) -> None:
        for section in dataclasses.fields(self):
            values = getattr(self, section.name)
            for one in dataclasses.fields(values):
                _check(getattr(values, one.name), one.default, f"{section.name}.{one.name}")

    @staticmethod
    @functools.cache
    def usual() -> SolverParams:
        """Return the numbers as they are by default."""
        return SolverParams()

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
        except RecursionError:
            raise InputError(f"{path}: is not valid TOML: nested too deeply") from None
        except ValueError:  # an integer beyond Python's limit of digits, a date that does not exist
            raise InputError(f"{path}: is not valid TOML: a value is out of range") from None
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
