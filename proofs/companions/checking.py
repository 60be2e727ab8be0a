"""The checker's modules, loaded into this process, so that companions and tests can ask one rule.

What kvopt believes is what the checker says when it runs alone (`kvopt.certificates.checker`).
"""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

from kvopt.certificates.checker import folder

__all__ = ["checker", "modules"]


@functools.cache
def modules() -> dict[str, ModuleType]:
    """Return the checker's modules by name; they leave no trace in `sys.modules`.

    Raises
    ------
    KvoptError
        If the checker is missing from the installation.
    """
    place = folder()
    names = sorted(file.stem for file in place.glob("*.py") if file.stem != "__main__")
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(place))
    try:
        return {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(place))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


@functools.cache
def checker() -> SimpleNamespace:
    """Return what the companions and the tests ask of the checker."""
    found = modules()
    rules, budget = found["claims"].RULES, found["budget"].Budget

    def bound(memory: int, types: dict[tuple[int, int], int], proof: Any, low: int = 0) -> int:
        """Return the bound that the object "proof" of a certificate gives."""
        return int(rules[proof["rule"]](memory, types, low, proof, budget()))

    def fitting(memory: int, types: Any, domains: Any, above: Any) -> Any:
        """Return the start-time domains that propagation leaves."""
        return found["propagation"].fitting(memory, types, domains, above, budget())

    def profile_graph(*arguments: Any) -> Any:
        """Return a graph of profiles."""
        return found["profile_graph"].profile_graph(*arguments, budget())

    def searched(memory: int, types: dict[tuple[int, int], int], low: int, limit: int) -> int:
        """Return how many states a search takes to prove `low`."""
        return int(found["exhaustive"].searched(memory, types, low, limit, budget()))

    def first_completion(memory: int, s: int, o: int, heights: Any) -> Any:
        """Return the coefficients of a request in first-completion rows, by rounds to go."""
        return found["first_completion"].coefficients(memory, s, o, heights, {})

    def least_tokens(
        memory: int, types: dict[tuple[int, int], int], steps: list[list[int]], count: int
    ) -> int:
        """Return how few tokens requests hold that count so much, by steps [s, o, j, c]."""
        own: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for s, o, j, c in steps:
            own.setdefault((s, o), []).append((j, c))
        return int(found["knapsacks"].least_tokens(memory, types, own, count, budget()))

    return SimpleNamespace(
        Refused=found["reading"].Refused,
        MAX_STATES=found["exhaustive"].MAX_STATES,
        bound=bound,
        busy_time=found["busy_time"].busy_time,
        check=found["claims"].check,
        first_completion=first_completion,
        fitting=fitting,
        least_tokens=least_tokens,
        profile_graph=profile_graph,
        searched=searched,
    )
