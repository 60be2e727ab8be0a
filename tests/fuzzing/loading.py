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

from fuzzing.truth import RULES_WITH_RELEASES

__all__ = ["FOLDER", "RELEASED", "Checker", "imports", "label", "load", "reach", "sources"]

FOLDER = Path(__file__).parents[2] / "proofs" / "checker"


RELEASED = "+releases"
"""Ends the name of a rule where instances have releases; "other" are the rules that refuse them."""

MODULES_WITH_RELEASES = {"exhaustive": "release_search", "demand-duals": "release_duals"}
"""Where a rule is with releases, if not in its own module; "releases" has something for each."""


def label(content: Any) -> str:
    """Return the rule of a certificate, as it is counted."""
    rule: str = content["proof"]["rule"]
    return rule + RELEASED * any(one.get("release") for one in content["instance"]["requests"])


class Checker:
    """A checker: its entry `check`, its refusals, the names of its rules.

    Only what FORMAT.md promises is used, so what is inside may change freely.
    """

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self.modules = modules
        self.check = modules["claims"].check
        self.refused: type[Exception] = modules["reading"].Refused
        with_releases = [rule + RELEASED for rule in (*RULES_WITH_RELEASES, "other")]
        self.rules: tuple[str, ...] = (*modules["claims"].RULES, "slices", *with_releases)


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

    A module of a rule has its name, with "_" for "-", if MODULES_WITH_RELEASES does not say
    another one.  Those that read every file run for all.
    """
    rules = load(source).rules
    direct = imports(source)
    found: dict[str, list[str]] = {name: [] for name in source}
    for rule in rules:
        base, released, _ = rule.partition(RELEASED)
        own = MODULES_WITH_RELEASES.get(base, base) if released else base
        todo, seen = [own.replace("-", "_")] if base != "other" else [], set()
        if released and base == "busy-time":
            todo.append("fluid")
        while todo:
            if (name := todo.pop()) not in seen:
                seen.add(name)
                todo += direct[name]
        for name in seen:
            found[name].append(rule)
    for name in ("claims", *direct["claims"]):
        if name == "releases":
            found[name] = [rule for rule in rules if rule.endswith(RELEASED)]
        elif not found[name] or name.replace("_", "-") not in rules:
            found[name] = list(rules)
    for name in direct:  # what reads files, too
        found[name] = found[name] or list(rules)
    return found
