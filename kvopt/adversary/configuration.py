"""What is searched for, and what is found: the words that all searches share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from kvopt.adversary.candidate import Candidate, Limits

__all__ = ["METHODS", "Record", "SearchConfiguration", "WorkUnit", "improvements"]

METHODS = ("local", "exhaustive", "families")
"""How instances are looked for; each has a file of its own."""


@dataclass(frozen=True, slots=True)
class SearchConfiguration:
    """What is searched for; the trajectory depends on this alone.

    Parameters
    ----------
    policy
        The policy that is to do badly, as written on the command line.
    against
        The policy it is compared to, or None to compare it to the optimum.
    limits
        How large the instances may get.
    seed
        Seed of all randomness.
    method
        One of `METHODS`.
    exact
        Whether the local search compares promising small instances to their optimum, not just to
        a good schedule.  It finds worse instances, and wants compiled code.
    """

    policy: str
    against: str | None
    limits: Limits
    seed: int
    method: str = "local"
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """An instance worth keeping.

    Parameters
    ----------
    unit, evaluation
        When it was found: number of the unit, and of the instance in the unit.
    cost
        Total completion time of the policy, or total latency with releases (rounds).
    reference
        The same of a feasible schedule, or of the other policy
        (rounds).
    candidate
        The instance.
    """

    unit: int
    evaluation: int
    cost: int
    reference: int
    candidate: Candidate

    @property
    def ratio(self) -> Fraction:
        """Cost / reference; without another policy, a lower bound on the true ratio."""
        return Fraction(self.cost, self.reference)


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """What one unit of work found.

    Parameters
    ----------
    number
        Number of the unit.
    evaluations
        How many instances were evaluated.
    records
        What it found, in order.
    complete
        False if it was cut short; a complete unit is the same whenever it is run.
    """

    number: int
    evaluations: int
    records: tuple[Record, ...]
    complete: bool


def improvements(units: Iterable[WorkUnit]) -> list[Record]:
    """Return the records that were better than all before them, by unit number.

    Which ones these are does not depend on the order in which the units were run.
    The last one is the best record.
    """
    best: list[Record] = []
    for unit in sorted(units, key=lambda unit: unit.number):
        for record in unit.records:
            if not best or record.ratio > best[-1].ratio:
                best.append(record)
    return best
