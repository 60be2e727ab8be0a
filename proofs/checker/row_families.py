"""Families of rows of a node, in linear_duals and propagation: one key for each kind of rows.

The rows of a family differ in their round only (round_duals).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import first_completion
import knapsacks
from budget import Budget
from instances import Types
from reading import Refused, listed
from round_duals import Family

MAX_FAMILIES = 10_000  # of each kind, of a node

FAMILIES: dict[str, Callable[[Any, int, Types, Budget, str], Family]] = {
    "first_completion": first_completion.read,
    "knapsacks": knapsacks.read,
}
"""Keys, and what reads an entry."""


def read_families(
    memory: int, types: Types, given: Any, budget: Budget, place: str
) -> list[Family]:
    """Return the families of rows of a node."""
    found: list[Family] = []
    for key, read in FAMILIES.items():
        entries = listed(given.get(key, []), f"{place}.{key}")
        if len(entries) > MAX_FAMILIES:
            most = f"must be at most {MAX_FAMILIES} families"
            raise Refused(f"{place}.{key}: {most}, got {len(entries)}")
        for i, entry in enumerate(entries):
            found.append(read(entry, memory, types, budget, f"{place}.{key}[{i}]"))
    return found
