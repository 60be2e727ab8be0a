"""What a user relies on without thinking of it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kvopt

ROOT = Path(__file__).parent.parent
HEAVY = {"pulp", "highspy", "networkx", "rich", "click", "matplotlib", "pandas", "sqlite3", "numba"}


def test_importing_kvopt_loads_no_solver_and_no_terminal_library() -> None:
    code = "import sys, kvopt; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not HEAVY & set(loaded)


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


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("policies/*.py", ["kvopt.exact", "kvopt.simulate", "kvopt.ratio", "kvopt.check"]),
        ("exact/*.py", ["kvopt.policies", "kvopt.simulate", "kvopt.machine", "kvopt.ratio"]),
        ("check.py", ["kvopt.policies", "kvopt.exact", "kvopt.profile", "kvopt.simulate"]),
        ("machine.py", ["kvopt.simulate", "kvopt.policies", "kvopt.schedule"]),
        ("instance.py", ["kvopt.schedule", "kvopt.policies", "kvopt.files"]),
        ("ratio.py", ["kvopt.report", "kvopt.adversary", "kvopt.cli"]),
        ("adversary/*.py", ["kvopt.store", "kvopt.audit", "kvopt.cli"]),
        ("[!c]*.py", ["kvopt.cli"]),
    ],
)
def test_lower_rooms_do_not_import_higher_ones(room: str, forbidden: list[str]) -> None:
    files = [file for file in (ROOT / "kvopt").glob(room) if file.name != "__main__.py"]
    assert files
    for file in files:
        for module in imports(file):
            assert not any(module == f or module.startswith(f + ".") for f in forbidden), file


def test_state_search_and_state_graph_share_no_code() -> None:
    shared = imports(ROOT / "kvopt/exact/stategraph.py") & imports(ROOT / "kvopt/exact/search.py")
    assert {module for module in shared if module.count(".") < 3} <= {
        "kvopt.exact.result",
        "kvopt.instance",
        "kvopt.instance.Instance",
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
