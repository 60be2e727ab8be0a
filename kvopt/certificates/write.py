"""Certificates: brackets that a stranger can check with the stand-alone checker alone.

A certificate holds the instance, the schedule whose cost is the upper bound, and a proof of
the lower bound; proofs/checker/FORMAT.md describes the file.  It is written from what the stages
of the solver have proved, and the checker has accepted what is written.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from kvopt.certificates.checker import Verdict, verdicts
from kvopt.model.errors import SolverError
from kvopt.model.files import write_text
from kvopt.model.formats import CERTIFICATE_FORMAT, instance_to_json, laid_out
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.solver.result import Bound, Result

__all__ = [
    "LARGER_LIMITS",
    "LEAST_CHECK_SECONDS",
    "certificate",
    "certificate_text",
    "certified_instance",
    "checked",
    "checked_certificate",
    "seconds_to_solve",
    "stop_of_check",
    "write_certificate",
]

LARGER_LIMITS = ("--max-steps", "20000000000", "--max-memory", "8000")
"""What the checker may take for a certificate of one's own, if its usual budget does not do."""

LEAST_CHECK_SECONDS = 2.0
"""So long the check of a certificate may take, however short the limit of an instance is."""

MOST_SPACED = 1_000
"""A list with more elements in a proof, as the nodes of a tree, is written without spaces."""

CHECK_SHARE = 0.05
"""Part of a time limit that is kept for the check of a certificate."""

CHECK_SECONDS_EACH = 3e-5
"""So much more of it is kept for each request (seconds), up to half of the limit in all."""


def seconds_to_solve(time_limit: float, requests: int) -> float:
    """Return how long a solver may take, so that most checks end within the limit (seconds).

    Parameters
    ----------
    time_limit
        How long it may take together (seconds).
    requests
        Number of requests, on which the time of the check depends.
    """
    if math.isinf(time_limit):
        return time_limit
    kept = CHECK_SHARE * time_limit + CHECK_SECONDS_EACH * requests
    return time_limit - min(time_limit / 2, kept)


def stop_of_check(stop: Stopping, time_limit: float) -> Stopping:
    """Return when the check of one of many certificates is to end.

    A certificate that nobody has checked is worth little, so it may go on beyond the time limit,
    for as long again and `LEAST_CHECK_SECONDS` at least.

    Parameters
    ----------
    stop
        Further limits.
    time_limit
        That of the instance (seconds).
    """
    return stop.part(max(time_limit, LEAST_CHECK_SECONDS))


def certified_instance(instance: Instance) -> dict[str, Any]:
    """Return an instance as a certificate holds it: without arrival times.

    They are for simulation by a clock, and enter neither optima nor the hash.
    """
    return instance_to_json(instance.with_arrivals(None))


def certificate(result: Result, bound: Bound | None = None) -> dict[str, Any]:
    """Return the certificate of a result's schedule and of a bound, a JSON object.

    Parameters
    ----------
    result
        The result.
    bound
        The lower bound, with its proof; by default the best certified one of the result.

    Raises
    ------
    SolverError
        If there is no proof.
    """
    bound = result.certified if bound is None else bound
    if bound.proof is None:
        raise SolverError(f"{result.instance!r}: no stage has proved a lower bound")
    return {
        "format": CERTIFICATE_FORMAT,
        "instance": certified_instance(result.instance),
        "instance_sha256": result.instance.digest(),
        "lower_bound": bound.value,
        "upper_bound": result.objective,
        "starts": result.starts.tolist(),
        "proof": dict(bound.proof),
    }


def checked_certificate(result: Result) -> dict[str, Any]:
    """Return the certificate of a result, accepted by the checker.

    Raises
    ------
    SolverError
        If the checker refuses it, whatever it may take.
    """
    content = certificate(result)
    verdict, _ = checked(content)
    if not verdict.holds:
        raise SolverError(f"{result.instance!r}: the checker says: {verdict.reason}")
    return content


def checked(
    content: dict[str, Any], stop: Stopping | None = None
) -> tuple[Verdict, tuple[str, ...]]:
    """Have a certificate checked; return the verdict, and the limits beyond the usual ones.

    Parameters
    ----------
    content
        A certificate.
    stop
        When to give up; it is refused as stopped then.
    """
    text = certificate_text(content)
    (verdict,) = verdicts([text], stop)
    if not verdict.over_budget:
        return verdict, ()
    (verdict,) = verdicts([text], stop, limits=LARGER_LIMITS)
    return verdict, LARGER_LIMITS


def write_certificate(path: Path, content: dict[str, Any]) -> None:
    """Write a certificate file, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    write_text(path, certificate_text(content))


def certificate_text(content: dict[str, Any]) -> str:
    """Return the text of a certificate file: a line for each request and node of a tree.

    Nodes of a large tree have no spaces, of which there would be one for each number.
    """
    lines = []
    for key, value in content.items():
        if key == "proof":
            text = laid_out(value, "  ", MOST_SPACED)
        else:
            text = laid_out(value, "  ") if key == "instance" else json.dumps(value)
        lines.append(f'  "{key}": {text}')
    return "{\n" + ",\n".join(lines) + "\n}\n"
