"""The worst instances known for each policy, and a check of what is claimed of them.

A record is an instance whose comment says for which policy it is bad and how bad, as in

    gsa:alpha=2: at least 2301/303 = 7.594 times the optimum

Beside it a certificate holds a schedule to compare to.  So a record can be checked without
solving anything: the policy is simulated, the certificate goes through the stand-alone
checker.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from kvopt.certificates.checker import refusal
from kvopt.model.errors import InputError, KvoptError
from kvopt.model.feasibility import violations
from kvopt.model.files import CERTIFICATES, WORST, read_instance, read_text
from kvopt.model.instance import Instance
from kvopt.policies import policy_from_spec
from kvopt.simulation.simulate import simulate
from kvopt.theory.quadratic import format_exact

__all__ = ["ClaimedRecord", "claim", "problem_with", "read_records"]

CLAIM = re.compile(r"(\S+): at least (\d+/\d+) = [\d.]+ times the optimum")


@dataclass(frozen=True, slots=True, eq=False)
class ClaimedRecord:
    """An instance that is bad for a policy.

    Parameters
    ----------
    file
        The file of the instance.
    instance
        The instance.
    policy
        The policy as written on the command line.
    ratio
        The claim: the policy's cost is at least so many times the optimum.
    """

    file: Path
    instance: Instance
    policy: str
    ratio: Fraction

    @property
    def certificate(self) -> Path:
        """The certificate that holds a schedule to compare to."""
        return self.file.parent / CERTIFICATES / self.file.name


def claim(policy: str, ratio: Fraction) -> str:
    """Return the comment of a record."""
    return f"{policy}: at least {format_exact(ratio)} = {float(ratio):.3f} times the optimum"


def read_records(folder: Path) -> list[ClaimedRecord]:
    """Return the records in a folder of instances, in name order.

    A subfolder without certificates holds no records.

    Raises
    ------
    InputError
        If a file is no instance or claims nothing.
    """
    records: list[ClaimedRecord] = []
    if not (folder / WORST / CERTIFICATES).is_dir():
        return records
    for file in sorted((folder / WORST).glob("*.json")):
        instance = read_instance(file)
        match = CLAIM.fullmatch(instance.comment)
        if match is None:
            raise InputError(f"{file}: comment: must be POLICY: at least P/Q = R times the optimum")
        records.append(ClaimedRecord(file, instance, match[1], Fraction(match[2])))
    return records


def problem_with(record: ClaimedRecord) -> str:
    """Check a record; return what is wrong with it, or nothing.

    The policy's schedule goes through the independent checker, and the schedule it is
    compared to through the checker of certificates.
    """
    try:
        schedule = simulate(record.instance, policy_from_spec(record.policy))
        text = read_text(record.certificate)
    except KvoptError as error:
        return f"{record.certificate.name}: {error}"
    if found := violations(schedule):
        return f"{record.policy}: {found[0]}"
    if reason := refusal(text)[1]:
        return f"{record.certificate}: {reason}"
    certificate = json.loads(text)
    if certificate["instance_sha256"] != record.instance.digest():
        return f"{record.certificate}: instance_sha256: is of another instance"
    ratio = Fraction(schedule.total_completion_time(), certificate["upper_bound"])
    if ratio < record.ratio:
        return f"{record.policy}: the ratio is {format_exact(ratio)}, not {record.ratio}"
    return ""
