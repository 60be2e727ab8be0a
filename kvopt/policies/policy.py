"""What makes a policy (see `kvopt.simulation.policy`), and how one is written."""

from __future__ import annotations

from kvopt.simulation.policy import (
    Compiler,
    Cost,
    Policy,
    facts_of,
    parameter,
    parameter_text,
    parameters,
)

__all__ = [
    "Compiler",
    "Cost",
    "Policy",
    "facts_of",
    "parameter",
    "parameter_text",
    "parameters",
    "spec_of",
]


def spec_of(policy: Policy) -> str:
    """Return how a policy is written on the command line, defaults left out.

    A user's own policy is module:Class, whatever it calls itself.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from kvopt.policies import GSA
    >>> spec_of(GSA(alpha=Fraction(2)))
    'gsa:alpha=2'
    """
    kind = type(policy)
    own = not kind.__module__.startswith("kvopt.")
    parts = [f"{kind.__module__}:{kind.__qualname__}" if own else policy.name]
    for key, field in parameters(type(policy)).items():
        value = getattr(policy, key)
        if value != field.default:
            parts.append(f"{key}={parameter_text(value)}")
    return ":".join(parts)
