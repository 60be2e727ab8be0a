"""The policies of the field, each in a file of its own, and how to name one.

Adding a policy: write its class (see `Policy`) and enter it into `POLICIES`.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, cast

from kvopt.model.breaking_off import BrokenOff, run_within
from kvopt.model.errors import InputError, StoppedError, raised_text
from kvopt.model.instance import abridged
from kvopt.model.spec import parse_values, split_spec
from kvopt.model.stopping import Stopping
from kvopt.policies.a_max import AMax
from kvopt.policies.a_min import AMin
from kvopt.policies.alpha_protection import AlphaProtection
from kvopt.policies.area_budget import AreaBudget
from kvopt.policies.area_phases import AreaPhases
from kvopt.policies.fcfs import FCFS
from kvopt.policies.gba import GBA
from kvopt.policies.gba_d import GBAD
from kvopt.policies.gsa import GSA
from kvopt.policies.gsa_spec import GSASpec
from kvopt.policies.level_pool import LevelPool
from kvopt.policies.mc_sf import MCSF
from kvopt.policies.policy import Policy, parameters, spec_of
from kvopt.policies.route import Rect, Response, Route
from kvopt.policies.sorted_f import SortedF
from kvopt.policies.spt_pipeline import SPTPipeline
from kvopt.policies.svf import SVF
from kvopt.policies.svf_batches import SVFBatches

__all__ = [
    "FCFS",
    "GBA",
    "GBAD",
    "GSA",
    "MCSF",
    "POLICIES",
    "SVF",
    "AMax",
    "AMin",
    "AlphaProtection",
    "AreaBudget",
    "AreaPhases",
    "GSASpec",
    "LevelPool",
    "Policy",
    "PolicyLike",
    "Rect",
    "Response",
    "Route",
    "SPTPipeline",
    "SVFBatches",
    "SortedF",
    "is_built_in",
    "policies_of",
    "policy_from_spec",
    "policy_of",
    "source_digest",
    "spec_of",
]

POLICIES: tuple[type[Policy], ...] = (
    GBA,
    GBAD,
    GSA,
    GSASpec,
    SPTPipeline,
    MCSF,
    AMax,
    AMin,
    FCFS,
    AlphaProtection,
    SortedF,
    SVF,
    SVFBatches,
    Route,
    Rect,
    Response,
    AreaPhases,
    LevelPool,
    AreaBudget,
)
"""Every policy that can be named on the command line."""

PolicyLike: TypeAlias = Policy | str
"""A policy as people have it: an object, or as it is written on the command line."""

NEEDED = ("name", "clairvoyant", "run", "guarantee")
"""What a policy has to have."""

LOADING_SECONDS = 60.0
"""So long importing and making a user's own policy may take."""


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
    TypeError
        If it is no text.

    Examples
    --------
    >>> policy_from_spec("gba-d:alpha=3/2")
    GBAD(alpha=Fraction(3, 2))
    """
    if not isinstance(spec, str):
        raise TypeError(f"policy: must be a str, got {abridged(spec)} ({type(spec).__name__})")
    name, colon, rest = spec.partition(":")
    known = {policy.name: policy for policy in POLICIES}
    if name in known:
        return _made(known[name], name, spec)
    class_name = rest.partition(":")[0]
    if not colon or "=" in class_name:
        names = ", ".join(known)
        raise InputError(f"policy: must be one of {names} or module:Class, got {abridged(name)}")
    place = f"{name}:{class_name}"
    try:
        return run_within(
            Stopping(LOADING_SECONDS), lambda: _made(_users_own(name, class_name), place, rest)
        )
    except StoppedError:
        limit = f"{LOADING_SECONDS:g} seconds"
        raise InputError(f"policy {place}: cannot be loaded within {limit}") from None


def policy_of(policy: PolicyLike) -> Policy:
    """Return a policy that is given as it is, or as it is written on the command line.

    Raises
    ------
    TypeError
        If it is neither.
    InputError
        If it is unknown.
    """
    if isinstance(policy, str):
        return policy_from_spec(policy)
    if isinstance(policy, type) or not all(hasattr(policy, a) for a in NEEDED):
        raise TypeError(
            f"policy: must be a Policy or its name as a str, got {abridged(policy)}"
            f" ({type(policy).__name__})"
        )
    return policy


def policies_of(policies: PolicyLike | Iterable[PolicyLike]) -> list[Policy]:
    """Return one or more policies, each given as an object or as text; see `policy_of`.

    A text may name several, separated by commas; "all" stands for every one of `POLICIES`.
    """
    if isinstance(policies, str):
        names = [policy.name for policy in POLICIES]
        specs = policies.split(",")
        return [policy_of(p) for spec in specs for p in (names if spec == "all" else [spec])]
    if isinstance(policies, Iterable) and not isinstance(policies, type):
        return [policy_of(policy) for policy in policies]
    return [policy_of(cast("Policy", policies))]


def is_built_in(spec: str) -> bool:
    """Tell whether a policy is named by one of `POLICIES`, so that nothing is imported for it."""
    return spec.partition(":")[0] in {policy.name for policy in POLICIES}


def _made(policy: type[Policy], name: str, spec: str) -> Policy:
    """Make a policy of a class, with the values in NAME:key=value:key=value."""
    _, given = split_spec(spec, "policy")
    parsers = {key: field.metadata["parse"] for key, field in parameters(policy).items()}
    values = parse_values(given, parsers, f"policy {name}")
    try:
        return policy(**values)
    except InputError:
        raise
    except Exception as error:  # whatever the user's constructor does
        reason = " ".join(raised_text(error).split())
        raise InputError(f"policy {name}: cannot be made: {reason}") from None


def _users_own(module: str, name: str) -> type[Policy]:
    """Import a user's own policy class, which may be in the current folder."""
    place = f"policy {module}:{name}"
    with suppress(FileNotFoundError):  # the folder may be gone
        if (here := os.getcwd()) not in sys.path:
            sys.path.append(here)
    try:
        policy = getattr(importlib.import_module(module), name)
    except AttributeError:
        raise InputError(f"{place}: module has no such class") from None
    except (KeyboardInterrupt, BrokenOff):
        raise
    except BaseException as error:  # whatever the user's module does on import
        absent = isinstance(error, ModuleNotFoundError) and error.name == module
        reason = " ".join((str(error) if absent else raised_text(error)).split())
        raise InputError(f"{place}: cannot be imported: {reason}") from None
    if not isinstance(policy, type) or not all(hasattr(policy, a) for a in NEEDED):
        raise InputError(f"{place}: must be a class with {', '.join(NEEDED)}; see kvopt.Policy")
    found = cast("type[Policy]", policy)
    if not isinstance(found.name, str):
        raise InputError(f"{place}: name: must be a string, got {abridged(found.name)}")
    return found


def source_digest(spec: str) -> str:
    """Return a hash of the file that holds a user's own policy; empty for the built-in ones."""
    module = spec.partition(":")[0]
    if is_built_in(spec) or module not in sys.modules:
        return ""
    file = getattr(sys.modules[module], "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
