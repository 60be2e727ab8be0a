"""What a user relies on without thinking of it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import kvopt

ROOT = Path(__file__).parent.parent
HEAVY = {"pulp", "highspy", "networkx", "rich", "click", "matplotlib", "pandas", "sqlite3", "numba"}


def test_importing_kvopt_loads_no_solver_and_no_terminal_library() -> None:
    code = "import sys, kvopt; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not HEAVY & set(loaded)


def test_every_public_name_is_found() -> None:
    code = "from kvopt import *; import kvopt; print(*(n for n in kvopt.__all__ if n in globals()))"
    found = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert found == kvopt.__all__
    assert kvopt.Budget is kvopt.Stopping
    assert {"simulate", "Budget", "__version__"} <= set(dir(kvopt))
    assert not hasattr(kvopt, "Nothing")


def imports(file: Path) -> set[str]:
    """Return the modules of kvopt that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("kvopt"):
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("kvopt")}
    return found


ROOMS = (
    ("model",),
    ("parallel",),
    ("theory",),
    ("simulation", "solver"),
    ("policies", "certificates"),
    ("generate", "traces"),
    ("comparison",),
    ("adversary", "batch"),
    ("report",),
    ("plot",),
    ("cli",),
)
"""The rooms of the package, from the lowest floor up; a room knows those below it only."""


def test_a_room_knows_only_those_below_it() -> None:
    floor = {room: number for number, rooms in enumerate(ROOMS) for room in rooms}
    assert {p.name for p in (ROOT / "kvopt").iterdir() if (p / "__init__.py").exists()} == set(
        floor
    )
    for file in (ROOT / "kvopt").glob("*/**/*.py"):
        room = file.relative_to(ROOT / "kvopt").parts[0]
        for module in imports(file):
            other = module.split(".")[1] if "." in module else ""
            if other in floor and other != room:
                assert floor[other] < floor[room], (file, module)


def test_state_search_and_state_graph_share_no_code() -> None:
    shared = imports(ROOT / "kvopt/solver/state_search/state_graph.py") & imports(
        ROOT / "kvopt/solver/state_search/reference.py"
    )
    assert {module for module in shared if module.count(".") < 3} <= {
        "kvopt.solver.result",
        "kvopt.solver.stage",
        "kvopt.model.instance",
    }


def test_public_names_exist() -> None:
    for name in ("Instance", "Schedule", "simulate", "solve", "compare", "violations", "GSA"):
        assert hasattr(kvopt, name)


def test_examples_in_the_readme_run() -> None:
    text = (ROOT / "README.md").read_text()
    blocks = text.split("```python\n")[1:]
    assert blocks
    for block in blocks:
        exec(compile(block.split("```")[0], "README.md", "exec"), {})
