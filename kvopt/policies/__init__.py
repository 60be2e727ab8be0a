"""The policies of the field, each in a file of its own, and how to name one.

Adding a policy: write its class (see `Policy`) and enter it into `POLICIES`.
"""

from __future__ import annotations

import importlib
from typing import cast

from kvopt.errors import InputError
from kvopt.instance import abridged
from kvopt.policies.fcfs import FCFS
from kvopt.policies.gba import GBA
from kvopt.policies.gsa import GSA
from kvopt.policies.mc_sf import MCSF
from kvopt.policies.policy import Policy, parameters, spec_of
from kvopt.spec import parse_values, split_spec

__all__ = ["FCFS", "GBA", "GSA", "MCSF", "POLICIES", "Policy", "policy_from_spec", "spec_of"]

POLICIES: tuple[type[Policy], ...] = (GBA, GSA, MCSF, FCFS)
"""Every policy that can be named on the command line."""


def policy_from_spec(spec: str) -> Policy:
    """Make a policy from how it is written on the command line.

    Parameters
    ----------
    spec
        NAME or NAME:key=value:key=value, NAME being one of `POLICIES` or a
        dotted path module:Class of a user's own.

    Raises
    ------
    InputError
        If the name or a parameter is unknown or a value unacceptable.

    Examples
    --------
    >>> policy_from_spec("gba:alpha=3/2")
    GBA(alpha=Fraction(3, 2))
    """
    module, colon, rest = spec.partition(":")
    if module in (known := {policy.name: policy for policy in POLICIES}):
        policy, place = known[module], spec
    elif colon and "=" not in (name := rest.partition(":")[0]):
        policy, place = _users_own(module, name), rest
    else:
        names = ", ".join(known)
        raise InputError(f"policy: must be one of {names} or module:Class, got {abridged(module)}")
    _, given = split_spec(place, "policy")
    parsers = {key: field.metadata["parse"] for key, field in parameters(policy).items()}
    return policy(**parse_values(given, parsers, f"policy {module}"))


def _users_own(module: str, name: str) -> type[Policy]:
    place = f"policy {module}:{name}"
    try:
        policy = getattr(importlib.import_module(module), name)
    except AttributeError:
        raise InputError(f"{place}: module has no such class") from None
    except Exception as error:  # whatever the user's module does on import
        reason = " ".join(str(error).split())
        raise InputError(f"{place}: cannot be imported: {reason}") from None
    needed = ("name", "clairvoyant", "run", "guarantee")
    if not isinstance(policy, type) or not all(hasattr(policy, a) for a in needed):
        raise InputError(f"{place}: must be a class with {', '.join(needed)}; see kvopt.Policy")
    return cast("type[Policy]", policy)
