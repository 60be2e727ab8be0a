"""The adversary: search for instances on which a policy does badly."""

from kvopt.adversary.candidate import Candidate, Limits
from kvopt.adversary.configuration import (
    METHODS,
    Record,
    SearchConfiguration,
    WorkUnit,
    improvements,
)
from kvopt.adversary.run import number_of_units, prepare, run_unit, search

__all__ = [
    "METHODS",
    "Candidate",
    "Limits",
    "Record",
    "SearchConfiguration",
    "WorkUnit",
    "improvements",
    "number_of_units",
    "prepare",
    "run_unit",
    "search",
]
