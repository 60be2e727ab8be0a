"""Print the public names of kvopt as a table, each with its first line and where it is documented.

It fails if a public name, a policy, or a public name of the certificates, the parameters or the
theory is on no page of docs/reference.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path

import kvopt
import kvopt.theory

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
ROOMS = ("kvopt.certificates", "kvopt.theory")
PARAMS = ("schedule_params", "search_params", "relaxation_params", "state_params")


def documented() -> dict[str, str]:
    """Return the page of each name or module that is documented."""
    return {
        name: page.name
        for page in sorted(REFERENCE.glob("*.md"))
        for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
    }


def expected() -> list[str]:
    """Return everything that has to be documented."""
    names = [f"kvopt.{name}" for name in kvopt.__all__]
    names += [f"{policy.__module__}.{policy.__qualname__}" for policy in kvopt.POLICIES]
    names += ["kvopt.solver.params.SolverParams", *(f"kvopt.solver.{name}" for name in PARAMS)]
    for room in ROOMS:
        package = importlib.import_module(room)
        names += [f"{room}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    return names


def place(name: str, pages: dict[str, str]) -> tuple[str, str] | None:
    """Return (page, anchor) where a name is documented, by this name or by another it has."""
    value = getattr(kvopt, name.removeprefix("kvopt."), None)
    home = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
    others = [f"kvopt.{other}" for other in kvopt.__all__ if getattr(kvopt, other) is value]
    return next(((pages[known], known) for known in (name, home, *others) if known in pages), None)


def first_line(name: str) -> str:
    """Return the first line of what a public name says of itself."""
    value = getattr(kvopt, name)
    if name == "Budget":
        return "The old name of `Stopping`."
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return {
            "POLICIES": "Every policy that can be named on the command line.",
            "Decisions": "What `Policy.run` returns.",
        }[name]
    return " ".join(inspect.getdoc(value).split("\n\n")[0].split())


def main() -> None:
    pages = documented()
    missing = [name for name in expected() if place(name, pages) is None]
    if missing:
        sys.exit(f"on no page of docs/reference: {', '.join(missing)}")
    print("| name | what it is |\n|---|---|")
    for name in sorted(kvopt.__all__, key=str.lower):
        page, anchor = place(f"kvopt.{name}", pages)
        print(f"| [`{name}`]({page}#{anchor}) | {first_line(name)} |")


if __name__ == "__main__":
    main()
