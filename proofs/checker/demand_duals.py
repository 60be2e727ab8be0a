"""Rule "demand-duals": the cheapest path over profiles (text/demand_duals.md, profile_graph)."""

from __future__ import annotations

from typing import Any

from budget import Budget
from instances import Types
from profile_graph import bound_of_blocks
from reading import fields, read_duals


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return the bound that duals of the demands give, rounded up."""
    fields(proof, "proof", ("rule", "scale", "duals"))
    block = read_duals(types, proof["duals"], "proof.duals")
    return bound_of_blocks(memory, types, proof["scale"], [block], [], budget)
