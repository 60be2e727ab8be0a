from __future__ import annotations

from pathlib import Path

import pytest

from kvopt import InputError
from kvopt.solver.params import AnnealingParams, SolverParams


def test_a_file_changes_some_numbers(tmp_path: Path) -> None:
    file = tmp_path / "params.toml"
    file.write_text("[annealing]\nseconds = 5\n\n[state_search]\nstate_bytes = 1_000\n")
    params = SolverParams.from_toml(file)
    assert (params.annealing.seconds, params.state_search.state_bytes) == (5, 1000)
    assert params.batch_state == SolverParams().batch_state
    assert SolverParams.from_toml(str(file)) == params


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[anealing]\nseconds = 5", "anealing: unknown section"),
        ("[annealing]\nsecond = 5", "annealing.second: unknown number, known: share"),
        ("[annealing]\nseconds = 'x'", "annealing.seconds: must be a number >= 0, got 'x'"),
        ("[annealing]\nseconds = true", "annealing.seconds: must be a number >= 0, got True"),
        ("[annealing]\nseconds = -1", "annealing.seconds: must be a number >= 0, got -1"),
        ("[annealing]\nseconds = nan", "annealing.seconds: must be a number >= 0, got nan"),
        ("[annealing]\nmost_requests = 1.5", "must be an integer >= 0, got 1.5"),
        ("annealing = 3", "annealing: must be a section"),
        ("[annealing", "is not valid TOML"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "params.toml"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        SolverParams.from_toml(file)
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        SolverParams.from_toml(tmp_path / "none.toml")


def test_constructors_validate_too() -> None:
    with pytest.raises(InputError, match="annealing.seconds"):
        SolverParams(annealing=AnnealingParams(seconds=-1))
