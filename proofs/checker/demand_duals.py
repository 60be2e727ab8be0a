"""Rule "demand-duals": the cheapest path over profiles (text/demand_duals.md, profile_paths).

And a search through profiles and numbers, if there are `nodes` (profile_search).
"""

from __future__ import annotations

from typing import Any

import profile_search
from budget import Budget
from instances import Types
from limits import MAX_NUMBER
from profile_paths import bound_of_blocks
from reading import fields, integer, read_duals

MAX_NODES = 50_000_000  # kept in a search, all times together


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return the bound that duals of the demands give, rounded up, or `low` by a search."""
    if "nodes" not in proof:
        fields(proof, "proof", ("rule", "scale", "duals"))
        block = read_duals(types, proof["duals"], "proof.duals")
        return bound_of_blocks(memory, types, proof["scale"], [block], [], budget)
    fields(proof, "proof", ("rule", "scale", "duals", "slack", "nodes"))
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    slack = integer(proof["slack"], 0, MAX_NUMBER, "proof.slack")
    limit = integer(proof["nodes"], 1, MAX_NODES, "proof.nodes")
    block = read_duals(types, proof["duals"], "proof.duals")
    return profile_search.prove(memory, types, low, block, scale, slack, limit, budget)
