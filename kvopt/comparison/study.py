"""A study: policies on many instances, with all that a reader needs to check each number."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from kvopt.certificates.checker import Verdict as CheckerVerdict
from kvopt.certificates.write import (
    certificate,
    certificate_text,
    checked,
    seconds_to_solve,
    stop_of_check,
)
from kvopt.comparison.audit import problems_of
from kvopt.comparison.ratio import Comparison, Ratio, compare
from kvopt.comparison.records import worst_known
from kvopt.comparison.standing import Standing, standings
from kvopt.model.errors import KvoptError, PolicyError, StoppedError
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.policies import Policy, spec_of
from kvopt.solver.result import Status

__all__ = ["Certified", "Studied", "Study", "Unstudied", "Worst", "study_instance"]


@dataclass(frozen=True, slots=True, eq=False)
class Certified:
    """The certificate of a bracket, and what the stand-alone checker says of it.

    Parameters
    ----------
    text
        The content of its file.
    lower_bound
        What it proves (rounds), at most the lower end of the bracket.
    rule
        By which rule.
    verdict
        What the checker says; it may have been stopped by the time limit.
    limits
        Options that the checker needs beyond its usual budget.
    seconds
        How long the check took (seconds).
    """

    text: str
    lower_bound: int
    rule: str
    verdict: CheckerVerdict
    limits: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Studied:
    """What a study found on one instance.

    Parameters
    ----------
    name, file
        What the instance is called, and where it is from.
    comparison
        Optimum, schedules and ratios.
    certificate
        The certificate of the bracket; None if there is none that the checker would accept.
    problems
        Everything that is wrong, one line each.
    """

    name: str
    file: Path
    comparison: Comparison
    certificate: Certified | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unstudied:
    """An instance of which nothing was found.

    Parameters
    ----------
    name, file
        What it is called, and where it is from.
    reason
        Why.
    readable
        Whether its file could be read, so that something else went wrong.
    """

    name: str
    file: Path
    reason: str
    readable: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Worst:
    """The largest ratio of a policy in a study, itself a bracket.

    Parameters
    ----------
    policy
        The policy as written on the command line.
    runs, all_runs
        How many of its runs came to their end, and of how many.
    instance
        Where the lower end of a ratio is largest.
    low, high
        The largest lower and the largest upper end of all its ratios.
    """

    policy: str
    runs: int
    all_runs: int
    instance: str
    low: Fraction
    high: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Policies on many instances.

    Parameters
    ----------
    policies
        The policies.
    command
        The command that made it.
    time_limit
        How long an instance could take (seconds).
    studied, unstudied
        The instances.
    left_out
        The names of the instances that an interruption has left undone.
    seconds
        How long everything took (seconds).
    made
        When it was made, in UTC.
    """

    policies: tuple[Policy, ...]
    command: str
    time_limit: float
    studied: tuple[Studied, ...]
    unstudied: tuple[Unstudied, ...]
    left_out: tuple[str, ...]
    seconds: float
    made: str

    @property
    def specs(self) -> list[str]:
        """The policies as written on the command line, each once."""
        return list(dict.fromkeys(map(spec_of, self.policies)))

    @property
    def ratios(self) -> list[tuple[str, Ratio]]:
        """Every ratio, with the name of its instance."""
        return [(one.name, ratio) for one in self.studied for ratio in one.comparison.ratios]

    @property
    def proved(self) -> int:
        """Number of optima that are proved."""
        return sum(one.comparison.optimum.status is Status.OPTIMAL for one in self.studied)

    def worst(self) -> list[Worst]:
        """Return the largest ratio of each policy that came to its end at least once."""
        found = []
        for spec in self.specs:
            seen = [pair for pair in self.ratios if pair[1].policy == spec]
            if seen:
                name, largest = max(seen, key=lambda pair: pair[1].low)
                high = max(ratio.high for _, ratio in seen)
                runs = (len(seen), len(self.studied))
                found.append(Worst(spec, *runs, name, largest.low, high))
        return found

    def standings(self) -> list[Standing]:
        """Return how GSA and GBA stand against what is published, proved and known."""
        return standings(self.policies, self.ratios, worst_known())


def study_instance(
    name: str,
    file: Path,
    instance: Instance,
    policies: Sequence[Policy],
    time_limit: float,
    stop: Stopping,
) -> Studied | Unstudied:
    """Compare policies to the optimum of an instance, and certify its bracket.

    Every schedule is checked by independent code, and the certificate by the stand-alone
    checker.

    Parameters
    ----------
    name, file
        What to call it, and where it is from.
    instance
        The instance.
    policies
        The policies.
    time_limit
        How long it may take (seconds); most checks of certificates end within it, and one may
        take as long again (`kvopt.certificates.write.stop_of_check`).
    stop
        Further limits, an end from outside among them.

    Raises
    ------
    StoppedError
        If it was interrupted before it was done.
    """
    problems: list[str] = []

    def misbehaved(error: PolicyError) -> None:
        problems.append(str(error))

    seconds = seconds_to_solve(time_limit, len(instance))
    try:
        comparison = compare(
            instance, policies, seconds, stop=stop, on_error=misbehaved, certify=True
        )
        problems += problems_of(comparison)
        certified = _certified(comparison, stop_of_check(stop, time_limit))
    except KvoptError as error:
        if stop.interrupted:  # the signal may have ended the checker, too
            raise StoppedError("interrupted") from None
        return Unstudied(name, file, str(error), readable=True)
    if certified.verdict.holds or certified.verdict.stopped:
        return Studied(name, file, comparison, certified, tuple(problems))
    problems.append(f"the checker refuses the certificate: {certified.verdict.reason}")
    return Studied(name, file, comparison, None, tuple(problems))


def _certified(comparison: Comparison, stop: Stopping) -> Certified:
    """Write the certificate of a bracket, and have it checked."""
    optimum = comparison.optimum
    content = certificate(optimum)
    began = time.perf_counter()
    verdict, limits = checked(content, stop)
    seconds = time.perf_counter() - began
    bound = optimum.certified
    return Certified(certificate_text(content), bound.value, bound.rule, verdict, limits, seconds)
