"""Families as they are named on the command line."""

from __future__ import annotations

from kvopt.generate.parametric import PARAMETRIC
from kvopt.generate.random_families import RANDOM, canonical_spec
from kvopt.model.errors import InputError
from kvopt.model.instance import Instance, abridged
from kvopt.model.spec import parse_values, split_spec

__all__ = ["family_from_spec"]


def family_from_spec(spec: str) -> str | Instance:
    """Read a family with its parameters.

    Parameters
    ----------
    spec
        NAME or NAME:key=value:... of a random or parametric family.

    Returns
    -------
    str or Instance
        The canonical spec of a random family (see `kvopt.generate.generate_random`), or the one
        instance that the parameters of a parametric one define.

    Raises
    ------
    InputError
        If there is no such family, or a parameter is missing, unknown or unacceptable.

    Examples
    --------
    >>> family_from_spec("slice-boundary:alpha=2:memory=23:counts=2+7+3").groups()
    [(0, 17, 2), (0, 9, 7), (0, 5, 3)]
    >>> family_from_spec("small:requests=3")
    'small:requests=3'
    """
    name, given = split_spec(spec, "family")
    if name in RANDOM:
        return canonical_spec(spec)
    for family in PARAMETRIC:
        if family.name == name:
            values = parse_values(given, family.parameters, f"family {name}")
            for key in family.required:
                if key not in values:
                    raise InputError(f"family {name}: {key}: required parameter is missing")
            return family.build(**values)
    names = ", ".join([*RANDOM, *(family.name for family in PARAMETRIC)])
    raise InputError(f"family: must be one of {names}, got {abridged(name)}")
