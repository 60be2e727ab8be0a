"""The worst instances known for each policy, and a check of what is claimed of them.

A record is an instance whose comment says for which policy it is bad and how bad, as in

    gsa:alpha=2: at least 2301/303 = 7.594 times the optimum

Beside it a certificate holds a schedule to compare to.  So a record can be checked without
solving anything: the policy is simulated, the certificate goes through the stand-alone
checker, and what the comment has to say is written anew from the two costs.  A comment that is
not exactly that is false.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvopt.certificates.checker import Verdict, verdicts
from kvopt.model.errors import InputError, KvoptError
from kvopt.model.feasibility import violations
from kvopt.model.files import (
    CERTIFICATES,
    WORST,
    curated_instances,
    files_in,
    read_instance,
    read_text,
)
from kvopt.model.formats import parsed
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.model.text import one_line
from kvopt.policies import is_built_in, policy_from_spec
from kvopt.simulation.simulate import simulate
from kvopt.theory.decimals import rounded_down
from kvopt.theory.quadratic import format_exact

__all__ = ["ClaimedRecord", "claim", "problems_with", "read_records", "worst_known"]

CLAIM = re.compile(r"(\S+): at least ([0-9]{1,40}/[1-9][0-9]{0,39}) = \S+ times the optimum")


@dataclass(frozen=True, slots=True, eq=False)
class ClaimedRecord:
    """An instance that is bad for a policy.

    Parameters
    ----------
    file
        The file of the instance.
    instance
        The instance; its comment is the claim, true or not.
    """

    file: Path
    instance: Instance

    @property
    def policy(self) -> str:
        """The policy that the claim is about, as written on the command line."""
        return self._claimed()[0]

    @property
    def ratio(self) -> Fraction:
        """The claim: the policy's cost is at least so many times the optimum."""
        return self._claimed()[1]

    @property
    def certificate(self) -> Path:
        """The certificate that holds a schedule to compare to."""
        return self.file.parent / CERTIFICATES / self.file.name

    def _claimed(self) -> tuple[str, Fraction]:
        """Return policy and ratio; raise InputError if the comment claims nothing."""
        match = CLAIM.fullmatch(self.instance.comment)
        if match is None:
            raise InputError(
                f"{self.file}: comment: must be POLICY: at least P/Q = R times the optimum,"
                f" got {_quoted(self.instance.comment)}"
            )
        return match[1], Fraction(match[2])


def claim(policy: str, ratio: Fraction) -> str:
    """Return the comment of a record."""
    return f"{policy}: at least {format_exact(ratio)} = {rounded_down(ratio, 3)} times the optimum"


def read_records(folder: Path) -> list[ClaimedRecord]:
    """Return the records in a folder of instances, in name order.

    A subfolder without certificates holds no records.

    Raises
    ------
    InputError
        If a file is no instance.
    """
    if not (folder / WORST / CERTIFICATES).is_dir():
        return []
    return [ClaimedRecord(file, read_instance(file)) for file in files_in(folder / WORST)]


def worst_known() -> list[ClaimedRecord]:
    """Return the worst instances known that come with kvopt."""
    return read_records(curated_instances())


def problems_with(
    records: Sequence[ClaimedRecord], own: Collection[str] = (), stop: Stopping | None = None
) -> list[str]:
    """Check records; return what is wrong with each, a line that names its file, or nothing.

    The policy's schedule goes through the independent checker, and the schedule it is
    compared to through the checker of certificates, which runs once for all.

    Parameters
    ----------
    records
        The records.
    own
        Policies of the user's own, each module:Class, that a record may name: what a file
        names is not imported otherwise.
    stop
        When to give up; records not yet checked then have a problem.
    """
    texts: list[str] = []
    problems: dict[int, str] = {}
    for i, record in enumerate(records):
        try:
            texts.append(_text_of(record.certificate))
        except InputError as error:
            problems[i] = str(error)
    with_text = [i for i in range(len(records)) if i not in problems]
    found = verdicts(texts, stop)
    for i, text, verdict in zip(with_text, texts, found, strict=True):
        if stop is not None and stop.over():
            problems[i] = f"{records[i].file}: the check was stopped before its end"
        else:
            problems[i] = _problem(records[i], text, verdict, own, stop)
    return [one_line(problems[i]) for i in range(len(records))]


def _text_of(certificate: Path) -> str:
    """Return the text of the certificate of a record."""
    if certificate.exists() and not certificate.is_file():
        raise InputError(f"{certificate}: is not a file")
    try:
        return read_text(certificate)
    except InputError as error:
        raise error.within(str(certificate)) from None


def _problem(
    record: ClaimedRecord,
    text: str,
    verdict: Verdict,
    own: Collection[str],
    stop: Stopping | None,
) -> str:
    """Return what is wrong with a record whose certificate has this text and verdict."""
    if not verdict.holds:
        return f"{record.certificate}: {verdict.reason}"
    content: Any = parsed(text)  # which the checker has accepted
    if content.get("instance_sha256") != record.instance.digest():
        return f"{record.certificate}: instance_sha256: is of another instance"
    if not verdict.upper_bound:
        return f"{record.certificate}: upper_bound: required field is missing"
    try:
        name = record.policy
        if not is_built_in(name) and ":".join(name.split(":")[:2]) not in own:
            return (
                f"{record.file}: comment: must name a built-in policy, or one that --policy"
                f" names too, got {_quoted(name)}"
            )
        schedule = simulate(record.instance, policy_from_spec(name), stop=stop)
        if unfit := violations(schedule):
            return f"{record.file}: comment: {name}: {unfit[0]}"
    except KvoptError as error:
        place = "" if str(error).startswith(f"{record.file}: ") else f"{record.file}: comment: "
        return f"{place}{error}"
    ratio = Fraction(schedule.total_latency(), verdict.upper_bound)
    if record.instance.comment != (right := claim(name, ratio)):
        given = _quoted(record.instance.comment)
        return f"{record.file}: comment: must be {_quoted(right)}, got {given}"
    return ""


def _quoted(text: str) -> str:
    return one_line(repr(text), 120)
