"""Rule "demand-duals": the cheapest path over profiles (text/demand_duals.md, profile_graph)."""

from __future__ import annotations

from typing import Any

from budget import Budget
from instances import Arrivals, Types
from profile_graph import bound_of_blocks
from reading import fields, read_duals
from release_duals import bound_with_releases, read_prices


def prove(
    memory: int,
    types: Types,
    low: int,
    proof: dict[str, Any],
    budget: Budget,
    arrivals: Arrivals | None = None,
) -> int:
    """Return the bound that duals of the demands give, rounded up."""
    fields(proof, "proof", ("rule", "scale", "duals"))
    if arrivals:
        prices, total = read_prices(arrivals, proof["duals"], "proof.duals")
        return bound_with_releases(memory, prices, total, proof["scale"], budget)
    block = read_duals(types, proof["duals"], "proof.duals")
    return bound_of_blocks(memory, types, proof["scale"], [block], [], budget)
