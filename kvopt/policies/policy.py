"""What makes a policy, and how one is written on the command line."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Protocol

from kvopt.model.instance import Instance
from kvopt.model.spec import Parser
from kvopt.simulation.machine import Decisions, Machine
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.quadratic import Exact, format_exact

__all__ = ["Policy", "parameter", "parameter_text", "parameters", "spec_of"]


class Policy(Protocol):
    """A scheduling policy; subclass it, or just have its attributes and methods.

    A policy is an immutable description, usually a frozen dataclass whose fields
    are its parameters.  All state of a run lives in `run`.

    Attributes
    ----------
    name
        Name on the command line.
    clairvoyant
        True if the policy is to be given the output lengths; may be a property
        that depends on the parameters.
    """

    name: ClassVar[str]

    @property
    def clairvoyant(self) -> bool:
        """True if the policy is to be given the output lengths."""
        ...

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests of a machine.

        A generator: decide through the machine's methods, then ``yield`` a
        `Wait` or an `Until` to let time pass; the value of the yield expression
        is the array of requests that completed meanwhile.  Attempts that still
        run when it returns run on to their ends.
        """
        ...

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return what is proved about the policy on such an instance, or None."""
        return None


def parameter(default: Any, parse: Parser, doc: str) -> Any:
    """Declare a parameter: a dataclass field that can be given on the command line.

    Parameters
    ----------
    default
        Its default value.
    parse
        How its value is read from text.
    doc
        What it means, one line.
    """
    return dataclasses.field(default=default, metadata={"parse": parse, "doc": doc})


def parameters(policy: type) -> dict[str, dataclasses.Field[Any]]:
    """Return the parameters of a policy: fields whose metadata hold "parse" and "doc"."""
    fields = dataclasses.fields(policy) if dataclasses.is_dataclass(policy) else ()
    return {f.name: f for f in fields if "parse" in f.metadata}


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


def parameter_text(value: object) -> str:
    """Return the value of a parameter as it is written on the command line."""
    if isinstance(value, Exact):
        return format_exact(value).removesuffix("/1")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
