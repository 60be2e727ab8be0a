"""Certificates: brackets that a stranger can check with proofs/checker alone.

A certificate holds the instance, the schedule whose cost is the upper bound, and a proof of
the lower bound; proofs/checker/FORMAT.md describes the file.  A proof is found with the
checker's own functions, and what is written has been checked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvopt.certificates.inprocess import checker
from kvopt.model.errors import SolverError
from kvopt.model.files import CERTIFICATE_FORMAT, instance_to_json, laid_out, write_text
from kvopt.model.stopping import Stopping
from kvopt.solver.branch_and_bound.tree import branch_and_bound
from kvopt.solver.facts import has_few_long_runs
from kvopt.solver.relaxations.aggregate_state import PathPrices, path_bound
from kvopt.solver.relaxations.batch_state import has_room, solve_by_holdings
from kvopt.solver.relaxations.time_indexed import PriceTree, root_prices
from kvopt.solver.result import PROGRAM, Result, Status

__all__ = [
    "Certified",
    "Proof",
    "busy_time_proof",
    "certificate",
    "certificate_text",
    "certify",
    "exhaustive_proof",
    "paths_proof",
    "prices_proof",
    "write_certificate",
]

SEARCHED_REQUESTS = 20
"""A bracket of more requests that has a proof is not searched for a better one."""

FIRST_STATES = 2_000
MORE_STATES = 4
"""A search that is not through after so many states is tried with so many times as many."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof of a lower bound.

    Parameters
    ----------
    lower_bound
        What it proves (rounds).
    content
        The object "proof" of a certificate.
    """

    lower_bound: int
    content: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Certified:
    """A result and a certificate of it.

    Parameters
    ----------
    result
        The result; its lower bound is better than before if the proof found gives more.
    lower_bound
        The lower bound that is certified (rounds), at most that of the result.
    content
        The certificate, a JSON object.
    """

    result: Result
    lower_bound: int
    content: dict[str, Any]


def certificate(result: Result, proof: Proof) -> dict[str, Any]:
    """Return the certificate of a result's schedule and of a proof, a JSON object."""
    return {
        "format": CERTIFICATE_FORMAT,
        "instance": instance_to_json(result.instance),
        "instance_sha256": result.instance.digest(),
        "lower_bound": proof.lower_bound,
        "upper_bound": result.objective,
        "starts": result.starts.tolist(),
        "proof": proof.content,
    }


def busy_time_proof(result: Result, slots: bool) -> Proof:
    """Return the proof by busy time, with memory or slot weights.

    Raises
    ------
    checker().Refused
        If the checker has no slot weights for so many requests at once.
    """
    types = _types(result)
    value = checker().busy_time(result.instance.memory, types, slots)
    value = max(value, result.instance.total_output)
    return Proof(value, {"rule": "busy-time", "weights": "slots" if slots else "memory"})


def prices_proof(result: Result, tree: PriceTree) -> Proof:
    """Return the proof by a tree of prices; its bound is the one that the checker finds.

    Raises
    ------
    checker().Refused
        If the tree is not sound.
    """
    nodes = list(tree.nodes)
    content = {"rule": "linear-duals", "scale": tree.scale, "tree": nodes}
    return _proved(result, content)


def paths_proof(result: Result, prices: PathPrices) -> Proof:
    """Return the proof by prices on paths; its bound is the one that the checker finds.

    Raises
    ------
    checker().Refused
        If there are too many states for the checker.
    """
    return _proved(result, prices.content(result.instance))


def exhaustive_proof(result: Result, lower_bound: int, stop: Stopping) -> Proof | None:
    """Return the proof of a bound by the checker's own search over states.

    Parameters
    ----------
    result
        What is known of the instance.
    lower_bound
        The bound to prove (rounds).
    stop
        How long it may take; it is over when the next attempt would take longer.

    Returns
    -------
    Proof or None
        None if that takes too long, or the bound does not hold.
    """
    limit = FIRST_STATES
    while not stop.over():
        began = time.perf_counter()
        try:
            states = checker().searched(result.instance.memory, _types(result), lower_bound, limit)
        except checker().Refused as refused:
            limit *= MORE_STATES
            expected = MORE_STATES * (time.perf_counter() - began)
            if (
                not str(refused).startswith("proof.states")  # it is not the limit that failed
                or limit > checker().MAX_STATES
                or expected > stop.left()
            ):
                return None
            continue
        return Proof(lower_bound, {"rule": "exhaustive", "states": states})
    return None


def certify(result: Result, stop: Stopping, tree: PriceTree | None = None) -> Certified:
    """Find a proof of a result's lower bound, or the best there is, and certify it.

    Parameters
    ----------
    result
        The result.
    stop
        How long it may take.
    tree
        A tree of prices that a branch and bound has left, if any.

    Raises
    ------
    SolverError
        If the checker refuses the certificate.
    """
    best: Proof | None = None
    for proof in _proofs(result, stop, tree):
        if best is None or proof.lower_bound > best.lower_bound:
            best = proof
        if best.lower_bound == result.objective:
            break
    assert best is not None
    content = certificate(result, best)
    try:
        checker().check(certificate_text(content))
    except checker().Refused as refused:
        raise SolverError(f"{result.instance!r}: the checker says: {refused}") from None
    believed = result.lower_bound + (result.bound_from != PROGRAM)  # a proof beats a solver's word
    if best.lower_bound >= believed:
        rule = f"certificate, {best.content['rule']}"
        result = Result.checked(
            result.instance, result.starts, best.lower_bound, rule, result.seconds, best.content
        )
    return Certified(result, best.lower_bound, content)


def _proofs(result: Result, stop: Stopping, tree: PriceTree | None) -> Iterator[Proof]:
    """Yield proofs of the lower bound or more, or of less: its own, then the cheap ones first."""
    best = 0
    if result.proof is not None:
        best = result.lower_bound
        yield Proof(best, result.proof)
    for slots in (False, True):
        try:
            proof = busy_time_proof(result, slots)
        except checker().Refused:
            continue
        best = max(best, proof.lower_bound)
        yield proof
    if tree is not None:
        proof = prices_proof(result, tree)
        best = max(best, proof.lower_bound)
        yield proof
    if result.status is Status.OPTIMAL:
        searched = exhaustive_proof(result, result.objective, stop.part(stop.left() / 2))
        if searched is not None:
            yield searched
    horizon = int((result.starts + result.instance.outputs).max())
    if result.proof is None and not stop.over() and has_room(result.instance, horizon):
        part = stop.part(stop.left() / 2)
        held = solve_by_holdings(result.instance, result.starts, part)
        if held.proof is not None and held.lower_bound > best:
            best = held.lower_bound
            yield Proof(best, held.proof)
    few = has_few_long_runs(result.instance, horizon)
    if result.proof is None and best < result.objective and few and not stop.over():
        part = stop.part(stop.left() / 2)
        grown = branch_and_bound(result.instance, result.starts, part)
        if grown is not None and grown.lower_bound > best:
            best = grown.lower_bound
            yield Proof(best, grown.content())
    large = result.proof is not None and len(result.instance) > SEARCHED_REQUESTS
    if result.proof is None and not stop.over():
        root = root_prices(result.instance, stop.part(stop.left() / 2), horizon)
        if root is not None:
            proof = prices_proof(result, root)
            best = max(best, proof.lower_bound)
            yield proof
        prices = path_bound(result.instance, result.starts, stop.part(stop.left() / 2))
        if prices is not None and prices.bound > best:
            proof = paths_proof(result, prices)
            best = max(best, proof.lower_bound)
            yield proof
    if result.status is Status.BRACKET and not large:
        # The search may close the bracket, or else prove what a solver says.
        for bound in (result.objective, result.lower_bound):
            if bound > best:
                part = stop.part(stop.left() / 2)
                searched = exhaustive_proof(result, bound, part)
                if searched is not None:
                    best = bound
                    yield searched


def write_certificate(path: Path, content: dict[str, Any]) -> None:
    """Write a certificate file, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    write_text(path, certificate_text(content))


def certificate_text(content: dict[str, Any]) -> str:
    """Return the text of a certificate file: a line for each request and node of a tree."""
    lines = []
    for key, value in content.items():
        text = laid_out(value, "  ") if key in ("instance", "proof") else json.dumps(value)
        lines.append(f'  "{key}": {text}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _proved(result: Result, content: dict[str, Any]) -> Proof:
    return Proof(checker().bound(result.instance.memory, _types(result), content), content)


def _types(result: Result) -> dict[tuple[int, int], int]:
    return {(r.prompt, r.output): count for r, count in result.instance.types()}
