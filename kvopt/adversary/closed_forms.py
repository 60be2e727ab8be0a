"""Costs of small instances, thousands a second: formulas instead of a simulation.

A policy may know a formula for its cost (`Policy.cost_formula`).  Formulas are plain Python on
integers and arrays of them; numba compiles them, and the result is the same.  Each is
tested against the simulator, which stays the authority: what a search reports is
simulated again.
"""

from __future__ import annotations

import functools
import types
from collections import namedtuple
from collections.abc import Callable
from typing import Any, cast

from kvopt.adversary.candidate import Candidate
from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.compiling import Kernel
from kvopt.solver.primal.list_schedules import pipelined
from kvopt.solver.releases.list_schedules import dispatched
from kvopt.theory.ordering import best_layout, best_released_layout, pipeline_cost

__all__ = ["compiled", "plain", "released_upper_bound", "upper_bound"]

MOST_ROUNDS = 1 << 14
"""Instances with more output tokens than this are not laid out round by round."""

FEW = 12
"""With so few requests the SPT pipeline is hardly better than the schedules laid out."""


def plain(function: Callable[..., int]) -> Callable[..., int]:
    """Return a function as it is: a `kvopt.simulation.policy.Compiler` that does nothing."""
    return function


@functools.cache
def compiled(function: Callable[..., int]) -> Callable[..., int]:
    """Return a compiled version of a function, with those of its module that it calls.

    It is compiled, or loaded from disk, when it is called first.
    """
    assert isinstance(function, types.FunctionType)
    functions = _with_callees(function)
    make: Any = namedtuple
    # All are exported: two kernels that share a function must compile it alike, as the cache
    # on disk takes it for the same.
    exported = make("exported", [one.__name__ for one in functions])
    kernel = Kernel(
        function.__name__, functions, exported, lambda functions: None, error_model="numpy"
    )
    return cast("Callable[..., int]", kernel.compiled()[-1])


def _with_callees(function: types.FunctionType) -> list[types.FunctionType]:
    """Return a function and all of its module that it calls, those that are called first."""
    found: dict[str, types.FunctionType] = {}

    def visit(one: types.FunctionType) -> None:
        for name in one.__code__.co_names:
            callee = one.__globals__.get(name)
            if isinstance(callee, types.FunctionType) and name not in found:
                visit(callee)
        found[one.__name__] = one

    visit(function)
    return list(found.values())


def upper_bound(
    memory: int,
    prompts: IntArray,
    outputs: IntArray,
    compiler: Callable[[Callable[..., int]], Callable[..., int]] = compiled,
) -> int:
    """Return the cost of the best of some feasible schedules (rounds), quickly.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    compiler
        `compiled` or `plain`.
    """
    found = []
    if int(outputs.sum()) <= MOST_ROUNDS:
        found.append(compiler(best_layout)(memory, prompts, outputs))
    if len(outputs) > FEW and (prompts == prompts[0]).all():
        found.append(pipeline_cost(memory, int(prompts[0]), outputs))
    if not found:
        instance = Instance(memory, prompts, outputs)
        found.append(int(pipelined(instance).sum()) + instance.total_output)
    return min(found)


def released_upper_bound(
    candidate: Candidate, compiler: Callable[[Callable[..., int]], Callable[..., int]] = compiled
) -> int:
    """Return the total latency of the best of some feasible schedules with releases (rounds).

    Parameters
    ----------
    candidate
        The instance.
    compiler
        `compiled` or `plain`.
    """
    prompts, outputs = candidate.arrays()
    releases = candidate.releases()
    if int(releases.max()) + int(outputs.sum()) <= MOST_ROUNDS:
        return compiler(best_released_layout)(candidate.memory, prompts, outputs, releases)
    instance = candidate.instance()
    starts = dispatched(instance, releases + outputs, Stopping())
    assert starts is not None
    return int(starts.sum()) + instance.total_output - instance.total_release
