"""What a certificate claims, and which rule proves it.

The model.  A schedule gives every request i, of prompt s_i, output o_i and release a_i, a start
t_i >= a_i.  The request uses s_i + j tokens of memory in round t_i + j, for j = 1..o_i, and
completes at C_i = t_i + o_i.  In every round the memory in use is at most M.  The cost is the
total latency, the sum of the C_i - a_i.  (Runs that are killed help nobody: without them memory
only falls and no completion moves.)  A certificate claims that every schedule costs at least
`lower_bound`, and, if it has `starts`, that these are a schedule of cost exactly `upper_bound`.
The layout of the file is in FORMAT.md.  Anything that is not exactly so is refused.

Why the claim follows from what is tested is said at the head of each rule's file, and at
`instances.cost_of` for the upper bound.  Bounds and duals are integers throughout; there is no
floating point number in this folder.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import aggregate_state
import batch_state
import blocks
import busy_time
import coarse_aggregate_state
import coarse_batch_state
import demand_duals
import dominance
import event_order
import exhaustive
import linear_duals
import propagation
import releases
import slices
from budget import Budget
from instances import Instance, cost_of, digest, read_instance
from limits import MAX_NUMBER
from reading import Refused, fields, integer, listed, parsed, short

FORMAT = "kvopt-certificate/2"
OLD_FORMAT = "kvopt-certificate/1"
MOST_BYTES = 32  # of memory for a byte of JSON

RULES: dict[str, Any] = {  # (memory, types, claimed bound, proof, budget) -> a lower bound
    "busy-time": busy_time.prove,
    "linear-duals": linear_duals.prove,
    "propagation": propagation.prove,
    "aggregate-state": aggregate_state.prove,
    "batch-state": batch_state.prove,
    "coarse-batch-state": coarse_batch_state.prove,
    "coarse-aggregate-state": coarse_aggregate_state.prove,
    "dominance": dominance.prove_at_once,
    "demand-duals": demand_duals.prove,
    "blocks": blocks.prove,
    "event-order": event_order.prove,  # takes groups instead of types
    "exhaustive": exhaustive.prove,  # -> how many states it looked at; it proves what is claimed
}


class Claim(NamedTuple):
    """What a certificate has proved; `states` is how many an exhaustive search looked at."""

    requests: int
    memory: int
    lower_bound: int
    upper_bound: int | None
    rule: str
    states: int | None = None

    def __str__(self) -> str:
        low, high = self.lower_bound, self.upper_bound
        if low == high:
            return f"the optimum is {low} ({self.rule})"
        end = "" if high is None else f" and at most {high}"
        return f"the optimum is at least {low}{end} ({self.rule})"


def check(data: str | bytes, budget: Budget | None = None) -> Claim | slices.Claim:
    """Return what a file proves within a budget, or raise `Refused`, and nothing else."""
    budget = budget or Budget()
    try:
        budget.spend(len(data))
        budget.use(MOST_BYTES * len(data))
        given = parsed(data)
        kind = given.get("format", FORMAT) if isinstance(given, dict) else FORMAT
        if kind == OLD_FORMAT:
            raise Refused(f"format: {OLD_FORMAT!r} is the old format, must be {FORMAT!r}")
        if kind == slices.FORMAT:
            return slices.check(given, budget)
        if kind != FORMAT:
            raise Refused(f"format: must be {FORMAT!r} or {slices.FORMAT!r}, got {short(kind)}")
        return check_certificate(given, budget)
    except MemoryError:
        raise Refused(f"takes more than {budget.megabytes} MB of memory to check") from None
    except (RecursionError, OverflowError):
        raise Refused("has numbers or lists that are too large") from None


def check_certificate(content: Any, budget: Budget) -> Claim:
    """Return what a certificate proves."""
    required = ("format", "instance", "instance_sha256", "lower_bound", "proof")
    given = fields(content, "certificate", required, ("upper_bound", "starts"))
    instance = read_instance(given["instance"])
    requests = sum(group.count for group in instance.groups)
    budget.spend(requests)
    if given["instance_sha256"] != (right := digest(instance)):
        raise Refused(f"instance_sha256: the instance has {right}")
    low = integer(given["lower_bound"], 0, MAX_NUMBER, "lower_bound")
    high = None
    if ("upper_bound" in given) != ("starts" in given):
        raise Refused("upper_bound and starts: must both be there, or neither")
    if "starts" in given:
        high = integer(given["upper_bound"], 0, MAX_NUMBER, "upper_bound")
        budget.spend(20 * requests)
        budget.use(500 * requests)
        cost = cost_of(instance, listed(given["starts"], "starts"))
        if high != cost:
            raise Refused(f"upper_bound: is {high}, the starts cost {cost}")
        if low > high:
            raise Refused(f"lower_bound: is {low}, the starts cost {cost}")
    rule, states = proved_by(instance, low, given["proof"], budget)
    return Claim(requests, instance.memory, low, high, rule, states)


def proved_by(instance: Instance, low: int, proof: Any, budget: Budget) -> tuple[str, int | None]:
    """Return the rule that proves `low` and the states that it needed; refuse if it does not."""
    rule = proof.get("rule") if isinstance(proof, dict) else None
    if not isinstance(rule, str) or rule not in RULES:
        raise Refused(f"proof.rule: must be one of {', '.join(RULES)}, got {short(rule)}")
    if rule == "event-order":  # there, releases are no more than first starts
        found = RULES[rule](instance.memory, instance.groups, low, proof, budget)
    elif instance.has_releases:
        return rule, releases.prove(rule, instance, low, proof, budget)
    else:
        found = RULES[rule](instance.memory, instance.types, low, proof, budget)
    if rule == "exhaustive":
        return rule, found
    if found < low:
        raise Refused(f"lower_bound: is {low}, the proof gives {found}")
    return rule, None
