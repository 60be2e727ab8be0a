"""Copies of the checker in this process, with some source changed."""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["FOLDER", "Checker", "imports", "load", "reach", "sources"]

FOLDER = Path(__file__).parents[2] / "proofs" / "checker"


class Checker:
    """A checker: its entry `check`, its refusals, the names of its rules.

    Only what FORMAT.md promises is used, so what is inside may change freely.
    """

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self.modules = modules
        self.check = modules["claims"].check
        self.refused: type[Exception] = modules["reading"].Refused
        self.rules: tuple[str, ...] = (*modules["claims"].RULES, "slices")


def sources(folder: Path = FOLDER) -> dict[str, str]:
    """Return the source of each module of the checker, but not of its command line."""
    files = sorted(folder.glob("*.py"))
    return {file.stem: file.read_text() for file in files if file.stem != "__main__"}


def load(source: Mapping[str, str]) -> Checker:
    """Return the checker that these sources make; `sys.modules` is left as it was.

    Modules are run in the order in which they import each other.
    """
    own: dict[str, ModuleType] = {}

    def get(name: str) -> ModuleType:
        if name not in own:
            own[name] = module = ModuleType(name)
            module.__dict__["__builtins__"] = {**vars(builtins), "__import__": bring}
            sys.modules[name] = module  # NamedTuple and dataclass look their module up
            exec(compile(source[name], f"checker/{name}.py", "exec"), module.__dict__)
        return own[name]

    def bring(name: str, *rest: Any) -> Any:
        return get(name) if name in source else importlib.__import__(name, *rest)

    hidden = {name: sys.modules.pop(name) for name in source if name in sys.modules}
    try:
        for name in source:
            get(name)
    finally:
        for name in source:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)
    return Checker(own)


def imports(source: Mapping[str, str]) -> dict[str, set[str]]:
    """Return which modules of the checker each of them imports."""
    found: dict[str, set[str]] = {}
    for name, text in source.items():
        names: set[str] = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
        found[name] = names & source.keys()
    return found


def reach(source: Mapping[str, str]) -> dict[str, list[str]]:
    """Return for each module the rules that run it, by what imports what.

    A module of a rule has its name, with "_" for "-".  Those that read every file run for all.
    """
    rules = load(source).rules
    direct = imports(source)
    found: dict[str, list[str]] = {name: [] for name in source}
    for rule in rules:
        todo, seen = [rule.replace("-", "_")], set()
        while todo:
            if (name := todo.pop()) not in seen:
                seen.add(name)
                todo += direct[name]
        for name in seen:
            found[name].append(rule)
    for name in ("claims", *direct["claims"]):
        if not found[name] or name.replace("_", "-") not in rules:
            found[name] = list(rules)
            for inner in direct[name]:  # what reads files, or does the same with release times
                found[inner] = found[inner] or list(rules)
    return found
