"""Rule "blocks": demand duals for blocks of types, linked by memory (text/demand_duals.md).

The types are divided into blocks.  In every schedule those of a block are a path (see
profile_paths), and in round r all together use at most M tokens: for duals q_r >= 0,
    D * cost  >=  sum of n_k w_k - sum of M q_r + the sum over all starts (k, t) of c_k(t) - w_k
where c_k(t) = D (t + o_k) + the sum of (s_k + r - t) q_r over rounds r of the run.  The last sum
is at least the sum over the blocks of what the cheapest path of each costs.
"""

from __future__ import annotations

from typing import Any

from budget import Budget
from instances import Types
from limits import MAX_NUMBER
from profile_paths import bound_of_blocks
from reading import Refused, fields, listed, read_duals, series


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return the bound that duals of the demands and of memory give, rounded up."""
    fields(proof, "proof", ("rule", "scale", "memory", "blocks"))
    rest = dict(types)
    blocks = []
    for i, block in enumerate(listed(proof["blocks"], "proof.blocks")):
        place = f"proof.blocks[{i}]"
        entries = [series(entry, 3, -MAX_NUMBER, place) for entry in listed(block, place)]
        own = {(s, o): rest.pop((s, o)) for s, o, _ in entries if (s, o) in rest}
        blocks.append(read_duals(own, block, place))
    if rest or not all(blocks):
        raise Refused("proof.blocks: must name each type once, and none may be empty")
    return bound_of_blocks(memory, types, proof["scale"], blocks, proof["memory"], budget)
