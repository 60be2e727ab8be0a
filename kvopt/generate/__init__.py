"""Instances by recipe: seeded random sets, and parametric families known to be hard."""

from kvopt.generate.arrival_processes import ArrivalProcess
from kvopt.generate.parametric import (
    PARAMETRIC,
    ParametricFamily,
    equal_areas,
    identical,
    slice_boundary,
    two_point,
)
from kvopt.generate.random_families import RANDOM, RandomFamily, generate_random
from kvopt.generate.spec import family_from_spec

__all__ = [
    "PARAMETRIC",
    "RANDOM",
    "ArrivalProcess",
    "ParametricFamily",
    "RandomFamily",
    "equal_areas",
    "family_from_spec",
    "generate_random",
    "identical",
    "slice_boundary",
    "two_point",
]
