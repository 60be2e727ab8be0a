"""Instances by recipe: seeded random sets, and parametric families known to be hard."""

from kvopt.generate import (
    PARAMETRIC,
    RANDOM,
    ParametricFamily,
    family_from_spec,
    generate_random,
    identical,
    slice_boundary,
    two_point,
)

__all__ = [
    "PARAMETRIC",
    "RANDOM",
    "ParametricFamily",
    "family_from_spec",
    "generate_random",
    "identical",
    "slice_boundary",
    "two_point",
]
