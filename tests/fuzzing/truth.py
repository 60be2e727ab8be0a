"""Judge a file that the checker has accepted, without anything of the checker.

The layout is read again from FORMAT.md, the hash, the cost and the memory of a schedule are
computed literally, and the lower bound is compared with an optimum or with a schedule.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from oracles.model import Request
from oracles.released_optimum import optimum as optimum_with_releases
from oracles.uniform_cost import TooManyStates, optimum

from fuzzing.knapsacks import fits
from fuzzing.layout import Malformed, proof_layout, slices_layout, strict_json
from fuzzing.layout import exact as exact_keys
from fuzzing.layout import whole as integer
from fuzzing.slices_theorem import slices_problem

__all__ = [
    "RULES_WITH_RELEASES",
    "best_known",
    "cost_if_feasible",
    "hash_of",
    "judged",
    "known_optimum",
    "latency_if_feasible",
    "layout_of",
    "released_optimum",
    "repacked",
]

RULES_WITH_RELEASES = (
    *("busy-time", "exhaustive", "linear-duals", "demand-duals", "batch-state", "event-order"),
    "dominance",
)
"""The rules that FORMAT.md says are proved for releases after time 0."""

MOST_STATES = 3_000
"""Of a search for an optimum; with more, a schedule has to do."""


def judged(text: str | bytes) -> str:
    """Return "true", "plausible" (no schedule refutes it), or what is wrong with a file.

    What is wrong begins with "malformed: " (FORMAT.md says refused) or "false: ".
    """
    try:
        content = strict_json(text)
        if isinstance(content, dict) and content.get("format") == "kvopt-slices/1":
            slices_layout(content)
            problem = slices_problem(content)
            return f"false: {problem}" if problem else "true"
        return judged_certificate(content)
    except Malformed as error:
        return f"malformed: {error}"


def judged_certificate(content: Any) -> str:
    """Return the same for a certificate that has been read."""
    required = ("format", "instance", "instance_sha256", "lower_bound", "proof")
    exact_keys(content, required, ("upper_bound", "starts"))
    if content["format"] != "kvopt-certificate/2":
        raise Malformed("format")
    memory, requests = read_instance(content["instance"])
    if content["instance_sha256"] != hash_of(memory, requests):
        return "false: the hash is of another instance"
    low = integer(content["lower_bound"], 0)
    layout_of(content["proof"], requests)
    if fits(memory, [(s, o) for s, o, _ in requests], content["proof"]) is False:
        raise Malformed("requests that fit count more than a limit")
    if ("starts" in content) != ("upper_bound" in content):
        raise Malformed("starts without upper_bound, or the reverse")
    high = None
    if "starts" in content:
        high = latency_if_feasible(memory, requests, content["starts"])
        if high is None:
            return "false: the starts are no schedule"
        if integer(content["upper_bound"], 0) != high:
            return f"false: the starts cost {high}"
    if any(release for _, _, release in requests):
        return judged_with_releases(memory, requests, low, high)
    return judged_bound(memory, [(s, o) for s, o, _ in requests], low, high)


def layout_of(proof: Any, requests: list[tuple[int, int, int]]) -> None:
    """Ask for a proof as FORMAT.md describes it."""
    if any(release for _, _, release in requests):
        proof = without_releases(proof, requests)
    proof_layout(proof, {(s, o) for s, o, _ in requests})


def without_releases(proof: Any, requests: list[tuple[int, int, int]]) -> Any:
    """Return the proof as it would be without releases, so that its layout can be checked."""
    if not isinstance(proof, dict) or proof.get("rule") not in RULES_WITH_RELEASES:
        raise Malformed("the rule is not proved for releases")
    if "duals" not in proof:
        return proof
    names = sorted(set(requests))
    kinds = sorted({name[:2] for name in names})
    if proof["rule"] != "dominance":
        most = largest_dual(proof["duals"], names)
        return {**proof, "duals": [[s, o, most] for s, o in kinds]}
    if not isinstance(proof["duals"], list):
        raise Malformed("no sets of duals")
    sets = []
    for one in proof["duals"]:
        if not isinstance(one, dict) or "duals" not in one:
            raise Malformed("a set without duals")
        most = largest_dual(one["duals"], names)
        sets.append({**one, "duals": [[s, o, 0, most] for s, o in kinds]})
    return {**proof, "duals": sets}


def largest_dual(rows: Any, names: list[tuple[int, int, int]]) -> int:
    """Ask for a dual of each name, and return the largest."""
    if not isinstance(rows, list) or len(rows) != len(names):
        raise Malformed("duals of other requests")
    for row, name in zip(rows, names, strict=True):
        if not isinstance(row, list) or len(row) != 4 or tuple(row[:3]) != name:
            raise Malformed("duals of other requests")
        for value in row:
            integer(value, -(10**40))
    return max(row[3] for row in rows)


def judged_with_releases(
    memory: int, requests: list[tuple[int, int, int]], low: int, high: int | None
) -> str:
    """Do what `judged_bound` does."""
    if high is not None and low > high:
        return f"false: a schedule costs {high}"
    if (best := released_optimum(memory, tuple(sorted(requests)))) is not None:
        return "true" if low <= best else f"false: the optimum is {best}"
    cost = now = 0
    for release, output in sorted((release, output) for _, output, release in requests):
        now = max(now, release) + output
        cost += now - release
    return f"false: a schedule costs {cost}" if cost < low else "plausible"


@functools.lru_cache(maxsize=10_000)
def released_optimum(memory: int, requests: tuple[tuple[int, int, int], ...]) -> int | None:
    """Return the optimum by trying everything, or None if that is too much."""
    rounds = max(release for _, _, release in requests) + sum(o for _, o, _ in requests)
    if len(requests) > 5 or rounds > 60:
        return None
    return optimum_with_releases(memory, list(requests))


def judged_bound(memory: int, shapes: list[Request], low: int, high: int | None) -> str:
    """Compare a lower bound with a schedule's cost, and with the optimum if that is found."""
    if high is not None and low > high:
        return f"false: a schedule costs {high}"
    ordered = tuple(sorted(shapes))
    best = known_optimum(memory, ordered)
    if best is not None:
        return "true" if low <= best else f"false: the optimum is {best}"
    if (cost := best_known(memory, ordered)) < low:
        return f"false: a schedule costs {cost}"
    return "plausible"


def read_instance(given: Any) -> tuple[int, list[tuple[int, int, int]]]:
    """Return the memory, and prompt, output and release of each request."""
    exact_keys(given, ("memory", "requests"), ("format", "name", "comment", "source"))
    if any(not isinstance(given.get(key, ""), str) for key in ("name", "comment", "source")):
        raise Malformed("a text of the instance is none")
    memory = integer(given["memory"], 1)
    requests: list[tuple[int, int, int]] = []
    if not isinstance(given["requests"], list):
        raise Malformed("requests")
    for entry in given["requests"]:
        exact_keys(entry, ("prompt", "output"), ("count", "release"))
        shape = (integer(entry["prompt"], 0), integer(entry["output"], 1))
        if sum(shape) > memory:
            raise Malformed("a request does not fit")
        shape_and_release = (*shape, integer(entry.get("release", 0), 0))
        requests += [shape_and_release] * integer(entry.get("count", 1), 1)
    if not requests:
        raise Malformed("no requests")
    version = 2 if any(release for _, _, release in requests) else 1
    if given.get("format", f"kvopt-instance/{version}") != f"kvopt-instance/{version}":
        raise Malformed("format of the instance")
    return memory, requests


def hash_of(memory: int, requests: Sequence[tuple[int, int, int]]) -> str:
    """Return the SHA-256 that FORMAT.md defines."""
    length = 3 if any(release for _, _, release in requests) else 2
    rows = [request[:length] for request in requests]
    text = json.dumps({"memory": memory, "requests": rows}, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def cost_if_feasible(memory: int, shapes: Sequence[Request], starts: Any) -> int | None:
    """Return the total completion time of starts, or None if they are no schedule.

    Memory is added up round by round over all runs that are in it, at every completion.
    """
    if not isinstance(starts, list) or len(starts) != len(shapes):
        return None
    for start in starts:
        integer(start, 0)
    runs = [(start, start + o, s) for start, (s, o) in zip(starts, shapes, strict=True)]
    for _, end, _ in runs:
        if sum(s + end - a for a, b, s in runs if a < end <= b) > memory:
            return None
    return sum(end for _, end, _ in runs)


def latency_if_feasible(
    memory: int, requests: Sequence[tuple[int, int, int]], starts: Any
) -> int | None:
    """Return the total latency of starts, or None if they are no schedule or before a release."""
    cost = cost_if_feasible(memory, [(s, o) for s, o, _ in requests], starts)
    if cost is None or any(t < a for t, (_, _, a) in zip(starts, requests, strict=True)):
        return None
    return cost - sum(release for _, _, release in requests)


@functools.lru_cache(maxsize=50_000)
def known_optimum(memory: int, shapes: tuple[Request, ...]) -> int | None:
    """Return the optimum, in closed form or by search, or None if that is too much."""
    if (closed := closed_form(memory, shapes)) is not None:
        return closed
    if len(shapes) * memory > 130:
        return None
    try:
        return optimum(memory, list(shapes), MOST_STATES)
    except TooManyStates:
        return None


def closed_form(memory: int, shapes: Sequence[Request]) -> int | None:
    """Return the optimum where memory only limits how many run, k, or None.

    If any k requests fit together for their whole runs, and never k + 1 in their first
    rounds, these are k identical machines: shortest first is optimal (Conway et al. 1967).
    """
    firsts = sorted(s + 1 for s, _ in shapes)
    peaks = sorted((s + o for s, o in shapes), reverse=True)
    k = max(k for k in range(1, len(shapes) + 1) if sum(peaks[:k]) <= memory)
    if k < len(shapes) and sum(firsts[: k + 1]) <= memory:
        return None
    ends: list[int] = []
    for i, output in enumerate(sorted(o for _, o in shapes)):
        ends.append(output + (ends[i - k] if i >= k else 0))
    return sum(ends)


@functools.lru_cache(maxsize=10_000)
def best_known(memory: int, shapes: tuple[Request, ...]) -> int:
    """Return the cost of a list schedule: by area, or by output if that is better and not slow."""
    area = [s * o + o * (o + 1) // 2 for s, o in shapes]
    orders = [sorted(range(len(shapes)), key=lambda i: area[i])]
    if len(shapes) <= 60:
        orders.append(sorted(range(len(shapes)), key=lambda i: shapes[i][1]))
    return min(sum(repacked(memory, shapes, order)) for order in orders)


def repacked(
    memory: int,
    shapes: Sequence[Request],
    order: Sequence[int],
    releases: Sequence[int] | None = None,
) -> list[int]:
    """Return the ends of runs, each started in this order where it fits, never before the last.

    Nor before its release, if there are any. Only the ends of runs need a look (model.md, lemma 3).
    """
    running: list[tuple[int, int, int]] = []
    ends, now = [], 0
    for i in order:
        s, o = shapes[i]
        now = max(now, releases[i]) if releases else now
        while True:
            running = [run for run in running if run[1] > now]
            times = {end for _, end, _ in running if end <= now + o} | {now + o}
            beside = [*running, (now, now + o, s)]
            if all(sum(p + r - a for a, b, p in beside if b >= r) <= memory for r in times):
                break
            now += 1
        running = beside
        ends.append(now + o)
    return ends
