"""Rule "dominance": a search through time over what has started (text/release_times.md).

Some cheapest schedule starts requests of one prompt and output by release and has no idle
round after the last release.  A node says, for a time, how many of each prompt and output have
started and which of these run.  From a node all choices of starts are looked at, and nodes are
left out
- from which no schedule below `low` goes on, by a bound (theorem 9): D times the completion times
  so far, plus the duals of those who have yet to complete, plus the cost-to-go of the batch, as
  in batch_state.py: the cheapest path from there on, a completion at t costing D t less the
  largest dual of those who may have started at t - o; from the horizon on, where no
  completion costs less than nothing, 0.  There may be several sets of duals, each of them
  from some time on; the last two that have begun are used;
- beside which another node can do all that they can, for no more (lemma 8): the memory that its
  runs will use is nowhere more; whoever waits can take the place of one who waits there, with the
  same prompt and no less output; and its starts add up to no more, those who wait starting now.
  With `usable` memory that nobody can use there counts as used there.
"""

from __future__ import annotations

from typing import Any

from batch_table import MAX_COST, BatchTable, costs_to_go
from budget import Budget
from charges import Charges
from instances import Arrivals, Types
from limits import MAX_NUMBER
from reading import Refused, fields, integer, listed
from release_duals import duals_in_order, read_prices
from start_search import Search

MAX_HORIZON = 10**6
MAX_NODES = 20_000_000
MAX_SETS = 100  # of duals
MAX_SEARCHED = 1_000  # requests


def prove_at_once(
    memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget
) -> int:
    """Return `low` if the proof holds; all are released at time 0."""
    arrivals = {kind: [(0, count)] for kind, count in types.items()}
    return prove(memory, arrivals, low, proof, budget)


def prove(memory: int, arrivals: Arrivals, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return `low`, a bound on the sum of the completion times, if the proof holds."""
    fields(proof, "proof", ("rule", "scale", "horizon", "duals", "nodes"), ("usable",))
    usable = integer(proof.get("usable", 0), 0, 1, "proof.usable") == 1
    requests = sum(n for groups in arrivals.values() for _, n in groups)
    if requests > MAX_SEARCHED:
        raise Refused("proof: the instance is too large for this rule")
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    horizon = integer(proof["horizon"], 1, MAX_HORIZON, "proof.horizon")
    limit = integer(proof["nodes"], 0, MAX_NODES, "proof.nodes")
    if max(groups[-1][0] for groups in arrivals.values()) > horizon:
        raise Refused("proof.horizon: is before the last release")
    kinds = sorted(arrivals, key=lambda kind: (kind[0], -kind[1]))
    begins: list[int] = []
    charges: list[Charges] = []
    sets = listed(proof["duals"], "proof.duals")
    if not 1 <= len(sets) <= MAX_SETS:
        raise Refused(f"proof.duals: must have 1 to {MAX_SETS} sets")
    for j, one in enumerate(sets):
        place = f"proof.duals[{j}]"
        fields(one, place, ("from", "duals"))
        least, most = (begins[-1] + 1, MAX_HORIZON) if begins else (0, 0)
        begins.append(integer(one["from"], least, most, f"{place}.from"))
        budget.spend(50 * requests)
        budget.hold(400 * requests)
        prices, _ = read_prices(arrivals, one["duals"], f"{place}.duals")
        charges.append(Charges(kinds, scale, prices, duals_in_order(arrivals, one["duals"])))
        if max(charges[-1].most) > scale * horizon:
            raise Refused(f"{place}: is more than a completion at the horizon costs")
    if (horizon + 1) * memory * scale * (horizon + 1) > MAX_COST:
        raise Refused("proof.horizon: is too large for the scale")
    table = BatchTable(memory, kinds, budget)
    ends = [*begins[2:], horizon + 1, horizon + 1][: len(begins)]
    rows = [
        costs_to_go(table, charge, horizon, begin, end, budget)
        for charge, begin, end in zip(charges, begins, ends)
    ]
    search = Search(memory, kinds, table, charges, begins, rows, usable, budget)
    search.run(low, horizon, limit)
    return low
