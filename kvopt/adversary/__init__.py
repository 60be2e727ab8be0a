"""The adversary: search for instances on which a policy does badly."""

from kvopt.adversary.candidate import Candidate, Limits
from kvopt.adversary.configuration import METHODS, Find, Hunt, Unit, improvements
from kvopt.adversary.run import number_of_units, prepare, run_unit, search

__all__ = [
    "METHODS",
    "Candidate",
    "Find",
    "Hunt",
    "Limits",
    "Unit",
    "improvements",
    "number_of_units",
    "prepare",
    "run_unit",
    "search",
]
