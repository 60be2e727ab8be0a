import importlib
import os
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from coq_runs import COQ, Coq, make, table
from hypothesis import HealthCheck, settings

# Inputs that went wrong, as they were, are no tests; nor is a conftest to search for doctests.
collect_ignore = ["cases", "conftest.py"]

# Reproducible by default; HYPOTHESIS_PROFILE=search looks for new examples, and harder.
settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a copy of the theorems, compiled by their own Makefile."""
    folder = tmp_path_factory.mktemp("coq")
    for file in [*COQ.glob("*.v"), COQ / "Makefile"]:
        shutil.copy(file, folder)
    build = make(folder)
    assert build.returncode == 0, build.stdout + build.stderr
    assert f"{len(table())} theorems hold, without assumptions" in build.stdout
    return folder


@pytest.fixture(scope="session")
def coq(built: Path) -> Coq:
    return Coq(built)


@pytest.fixture
def companion(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    """Return the companion that a parameter names."""
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "proofs")
    return importlib.import_module(f"companions.{request.param}")
