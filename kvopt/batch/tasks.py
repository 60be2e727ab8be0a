"""What is done with one instance of many: solve, ratio or audit, as a process can be handed it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from kvopt.batch.outcome import Outcome
from kvopt.certificates.solve import solve_certified
from kvopt.certificates.write import (
    certificate,
    certificate_text,
    certified_instance,
    checked,
    seconds_to_solve,
    stop_of_check,
)
from kvopt.comparison.audit import audit_instance
from kvopt.comparison.ratio import compare
from kvopt.model.breaking_off import run_within
from kvopt.model.errors import KvoptError, SolverError, StoppedError
from kvopt.model.instance import Instance
from kvopt.model.schedule import Schedule
from kvopt.model.stopping import Stopping
from kvopt.parallel.code_version import OF_NO_RATIO, code_version
from kvopt.parallel.items import BROKEN_OFF
from kvopt.policies import policies_of, policy_from_spec, source_digest
from kvopt.solver.params import SolverParams
from kvopt.solver.result import Result
from kvopt.solver.solve import solve

__all__ = ["Found", "Solved", "Task", "Work", "code_of", "do"]

GRACE_SECONDS = 3.0
"""So long after an interruption an instance may take to end in good order."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is done with each instance.

    Parameters
    ----------
    command
        "solve", "ratio" or "audit".
    time_limit
        How long an instance may take (seconds).
    policies
        The policies of ratio and audit, as they are written on the command line.
    node_limit, params
        Of solve: nodes after which the searches of an instance stop, and tuning numbers.
    certificates
        Of solve: whether to write certificates of what is proved, and have them checked.
    certify
        Of solve: whether to go on until the bracket is proved.
    """

    command: Literal["solve", "ratio", "audit"]
    time_limit: float
    policies: tuple[str, ...] = ()
    node_limit: float = math.inf
    params: SolverParams = field(default_factory=SolverParams)
    certificates: bool = False
    certify: bool = False

    def key(self, instance: Instance) -> dict[str, Any]:
        """Return all that the result on an instance depends on, in values that JSON knows."""
        own = {key: _plain(value) for key, value in asdict(self).items()}
        return {**own, "instance": instance.digest(), "code": code_of(self)}

    def closed_key(self, instance: Instance) -> dict[str, Any]:
        """Return what a bracket depends on that has closed: no limit and no tuning number."""
        own = {"command": self.command, "closed": True, "certificates": self.certificates}
        return {**own, "certify": self.certify, "instance": instance.digest()}


@dataclass(frozen=True, slots=True)
class Task:
    """What is done with one instance."""

    work: Work
    instance: Instance


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """What `solve` found on one instance.

    Parameters
    ----------
    facts
        The result as `Result.to_dict` gives it.
    schedule
        Its schedule.
    certificate
        The text of its certificate; empty if none was asked for.
    note
        What is to be said of the certificate; empty if all is well.
    """

    facts: Mapping[str, Any]
    schedule: Schedule
    certificate: str = ""
    note: str = ""

    @classmethod
    def read(cls, instance: Instance, content: Mapping[str, Any]) -> Solved:
        """Return what `do` found on an instance; its cost is recomputed in integers.

        Raises
        ------
        TypeError, ValueError, KeyError, KvoptError
            If it is not that.
        """
        facts = {**content["facts"], "instance": instance.name}
        starts = np.array(facts["starts"], dtype=np.int64)
        schedule = Schedule.from_starts(instance, starts)
        result = (facts["objective"], facts["lower_bound"], facts["digest"])
        lower = facts["certified_lower_bound"]
        if any(type(number) is not int for number in (*result[:2], lower)):
            raise TypeError("no whole number")
        if result[0] != schedule.total_latency() or result[2] != instance.digest():
            raise ValueError("not of this instance")
        if not 0 < lower <= result[1] <= result[0]:
            raise ValueError("no bracket")
        text = ""
        if content["certificate"] is not None:
            own = {**content["certificate"], "instance": certified_instance(instance)}
            text = certificate_text(own)
        return cls(facts, schedule, text, str(content["note"]))


class Found(NamedTuple):
    """What was found on one instance.

    Parameters
    ----------
    content
        In values that JSON knows: of solve what `Solved.read` reads, else what
        `Outcome.from_dict` reads.
    complete
        Whether it was not cut short by an interruption.
    """

    content: dict[str, Any]
    complete: bool


def do(task: Task, stop: Stopping) -> Found:
    """Do what is to be done with one instance.

    Raises
    ------
    StoppedError
        If an interruption has ended a checker or a solver, or has broken the work off that did
        not end soon after it, so that nothing was found.
    KvoptError
        If something else is wrong with the instance.
    """
    work = {"solve": _solve, "ratio": _ratio, "audit": _audit}[task.work.command]
    try:
        interrupted = Stopping(stopped=lambda: stop.interrupted)
        content = run_within(interrupted, lambda: work(task, stop), GRACE_SECONDS)
    except KvoptError:
        if stop.interrupted:  # the signal may have ended a checker or solver, too
            raise StoppedError(BROKEN_OFF) from None
        raise
    return Found(content, not stop.interrupted)


def _ratio(task: Task, stop: Stopping) -> dict[str, Any]:
    problems: list[str] = []
    found = compare(
        task.instance,
        policies_of(",".join(task.work.policies)),
        task.work.time_limit,
        stop=stop,
        on_error=lambda error: problems.append(str(error)),
    )
    return Outcome.of(found, tuple(problems)).to_dict()


def _audit(task: Task, stop: Stopping) -> dict[str, Any]:
    policies = policies_of(",".join(task.work.policies))
    found = audit_instance(task.instance, policies, stop.part(task.work.time_limit))
    return Outcome.of(found).to_dict()


def _solve(task: Task, stop: Stopping) -> dict[str, Any]:
    work = task.work
    limited = stop.part(math.inf, work.node_limit)
    solver = solve_certified if work.certify else solve
    seconds = work.time_limit
    if work.certificates:
        seconds = seconds_to_solve(seconds, len(task.instance))
    result = solver(task.instance, seconds, stop=limited, params=work.params)
    content, note = None, ""
    if work.certificates:
        content, note = _certificate(result, stop_of_check(stop, work.time_limit))
    return {"facts": result.to_dict(), "certificate": content, "note": note}


def _certificate(result: Result, stop: Stopping) -> tuple[dict[str, Any] | None, str]:
    """Return the certificate of what is proved, and what is to be said of it."""
    content = certificate(result)
    verdict, limits = checked(content, stop)
    if verdict.stopped:
        return content, "its check was stopped: kvopt verify repeats it"
    if not verdict.holds:
        raise SolverError(f"the checker refuses its certificate: {verdict.reason}")
    return content, f"takes more than usual: kvopt verify {' '.join(limits)}" if limits else ""


def code_of(work: Work) -> str:
    """Return the version of kvopt and of the user's own policies."""
    for spec in work.policies:
        policy_from_spec(spec)  # loads the user's own
    digests = map(source_digest, work.policies)
    return " ".join(filter(None, (code_version(OF_NO_RATIO), *digests)))


def _plain(value: Any) -> Any:
    """Return a value without what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return str(value) if isinstance(value, float) and math.isinf(value) else value
