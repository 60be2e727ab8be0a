"""What makes a policy: how it decides, its parameters, and what is known about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

from kvopt.model.errors import InputError
from kvopt.model.instance import Instance, IntArray
from kvopt.model.spec import Parser
from kvopt.simulation.decisions import Decisions
from kvopt.simulation.machine import Machine
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.orders import RequestType, distinct_orders
from kvopt.theory.phases import Phases
from kvopt.theory.quadratic import Exact, format_exact

__all__ = [
    "Compiler",
    "Cost",
    "Policy",
    "facts_of",
    "parameter",
    "parameter_text",
    "parameters",
]

Compiler = Callable[[Callable[..., int]], Callable[..., int]]
"""Returns a compiled version of a plain function on integers and arrays of them, or itself.

Functions of its own module that it calls are compiled with it."""

Cost = Callable[[int, IntArray, IntArray], int | None]
"""(memory, prompts, outputs) -> total completion time (rounds); prompts and outputs (n,).

None where the formula does not apply."""


class Policy(Protocol):
    """A scheduling policy; subclass it, or just have `name`, `clairvoyant`, `run`, `guarantee`.

    A policy is an immutable description, usually a frozen dataclass whose fields
    are its parameters, which are checked when it is made.  All state of a run lives in
    `run`.

    The methods after `guarantee` say what is known about the policy.  The adversary works
    without them, only more slowly.  What they say holds for the class that defines them: of
    a class that inherits them nothing is taken to be known.

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

    @property
    def keeps_tokens(self) -> bool:
        """True if a killed request keeps the tokens it has, which is another model.

        It goes on from there: with g tokens it holds s + g + j in its j-th further round, and
        needs o - g more.
        """
        return False

    def __post_init__(self) -> None:
        """Check the parameters as the command line does, and make them exact.

        Raises
        ------
        InputError
            If a value is not acceptable.
        """
        for key, field in parameters(type(self)).items():
            if (value := getattr(self, key)) is not field.default:
                name = f"policy {self.name}: {key}"
                object.__setattr__(self, key, _checked(value, field.metadata["parse"], name))

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests of a machine.

        A generator: decide through the machine's methods, then ``yield`` a
        `Wait` or an `Until` to let time pass; the value of the yield expression
        is the array of requests that completed meanwhile.  Attempts that still
        run when it returns run on to their ends.

        A policy is online if until a time T it decides the same whatever is released after T.
        The machine shows nothing of that but gaps: a request is known by its number in the
        instance, and a number below one that is released, but not released itself, belongs to
        a request still to come, of which it tells nothing else.  So numbers may break ties among
        released requests, and must serve for nothing else.  There are no gaps where the
        requests stand in order of release, as imports and generated arrivals have them.
        """
        ...

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return what is proved about the policy on such an instance, or None."""
        return None

    def cost_formula(self, compiled: Compiler) -> Cost | None:
        """Return a function that gives the cost of small instances fast, or None.

        Parameters
        ----------
        compiled
            Compiles what the formula is made of.
        """
        return None

    def phases(self, memory: int, prompt: int) -> Phases | None:
        """Return the phases in which requests with a common prompt are run, if it has any.

        Parameters
        ----------
        memory, prompt
            Memory budget M and common prompt length s (tokens).
        """
        return None

    def slice_lengths(self, memory: int, prompt: int) -> Sequence[int]:
        """Return lengths at which the policy changes what it does (rounds), ascending.

        The searches try output lengths at them and just above.  Parameters are as for
        `phases`.
        """
        return ()

    def outlived_slices(self, memory: int, requests: Sequence[RequestType]) -> Sequence[int] | None:
        """Return the slice that each request outlives before the one in which it completes.

        That is 0 in the first.  With any output that exceeds this number, but not the
        next slice, a request completes in the same phase or class, and no other
        request notices (proofs/text/worst_cases.md).

        Parameters
        ----------
        memory
            Memory budget M (tokens).
        requests
            The requests, shape (n,).

        Returns
        -------
        sequence of int or None
            Shape (n,) (rounds); None if the policy has no such phases or classes.
        """
        return None

    def worst_orders(
        self, memory: int, requests: Sequence[RequestType]
    ) -> Iterator[Sequence[RequestType]]:
        """Yield distinct orders of requests, one on which the cost is largest among them.

        For parameters see `outlived_slices`.
        """
        return distinct_orders(requests)

    def worst_order(
        self, memory: int, requests: Sequence[RequestType], compiled: Compiler
    ) -> tuple[int, Sequence[RequestType]] | None:
        """Return the largest cost over all orders (rounds), and the order, or None.

        None if `worst_orders` are to be tried one by one.  For parameters see
        `outlived_slices` and `cost_formula`.
        """
        return None

    def general_bound(self) -> Guarantee | None:
        """Return the best bound for these parameters on all instances with one prompt length."""
        return None

    def never_cheaper(self) -> Policy | None:
        """Return a policy that with a common prompt length never costs less, if one is known."""
        return None


class _NothingKnown(Policy):
    """Stands for a policy about which nothing is known."""

    name: ClassVar[str] = ""
    clairvoyant: ClassVar[bool] = False

    def run(self, machine: Machine) -> Decisions:
        """Decide nothing."""
        yield from ()


FACTS = (
    "cost_formula",
    "phases",
    "slice_lengths",
    "outlived_slices",
    "worst_orders",
    "worst_order",
    "never_cheaper",
    "general_bound",
)


def facts_of(policy: Policy) -> Policy:
    """Return the policy to ask what is known about a policy: itself, if its class says so.

    A class that inherits a statement of another may have changed what it is about.
    """
    own = vars(type(policy))
    for name in FACTS:
        if name not in own and getattr(type(policy), name, None) is not getattr(Policy, name):
            return _NothingKnown()
    return policy


def parameter(default: Any, parse: Parser, doc: str) -> Any:
    """Declare a parameter: a dataclass field that can be given on the command line.

    Parameters
    ----------
    default
        Its default value.
    parse
        How its value is read from text; it must read what `parameter_text` writes.
    doc
        What it means, one line.
    """
    return dataclasses.field(default=default, metadata={"parse": parse, "doc": doc})


def parameters(policy: type) -> dict[str, dataclasses.Field[Any]]:
    """Return the parameters of a policy: fields whose metadata hold "parse" and "doc"."""
    fields = dataclasses.fields(policy) if dataclasses.is_dataclass(policy) else ()
    return {f.name: f for f in fields if "parse" in f.metadata}


def parameter_text(value: object) -> str:
    """Return the value of a parameter as it is written on the command line."""
    if isinstance(value, Exact):
        return format_exact(value).removesuffix("/1")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _checked(value: object, parse: Parser, name: str) -> Any:
    """Return the value of a parameter, given as a value or as text, as its parser makes it."""
    if isinstance(value, float):
        raise InputError(f"{name}: must be exact, a Fraction or a text, got the float {value!r}")
    return parse(parameter_text(value), name)
