"""What the size of an instance tells of which stage is worth running."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kvopt.model.instance import Instance
from kvopt.solver.params import BatchStateParams
from kvopt.solver.window_covers import COVER_LEVELS, cover_windows

if TYPE_CHECKING:
    from kvopt.solver.stage import Incumbent

__all__ = [
    "batch_states_fit",
    "batch_states_have_room",
    "has_few_long_runs",
    "longest_outputs",
    "number_of_batch_states",
    "plain_search_fits",
    "program_size",
]


def has_few_long_runs(state: Incumbent) -> bool:
    """Tell whether branch and bound on start times is the thing to do: few requests, long runs.

    With fewer rounds the relaxations by batch states and aggregate states are better.
    """
    params = state.params.branch_and_bound
    few = len(state.instance) <= params.most_requests
    return few and params.least_makespan <= state.makespan <= params.most_makespan


def plain_search_fits(state: Incumbent) -> bool:
    """Tell whether an instance is small enough for the searches over states in plain Python."""
    params, instance = state.params.reference_search, state.instance
    bits = int(instance.outputs.max()) * instance.memory.bit_length()
    return len(instance) <= params.most_requests and bits <= params.most_bits


def batch_states_fit(state: Incumbent) -> bool:
    """Tell whether the batch-state relaxation can handle an instance up to its makespan."""
    key = f"batch states up to {state.makespan}"
    if key not in state.cache:
        params = state.params.batch_state
        state.cache[key] = batch_states_have_room(state.instance, state.makespan, params)
    return bool(state.cache[key])


def batch_states_have_room(
    instance: Instance, horizon: int, params: BatchStateParams | None = None
) -> bool:
    """Tell whether the batch-state relaxation of an instance is of a size that can be handled.

    Parameters
    ----------
    instance
        The instance.
    horizon
        Last round with costs-to-go.
    params
        How much can be handled; by default the usual numbers.
    """
    params = params or BatchStateParams()
    if instance.memory > params.most_states:
        return False
    most = min(params.most_states, params.most_costs // (horizon + 1))
    return number_of_batch_states(instance, most) <= most


def number_of_batch_states(instance: Instance, most: float = math.inf, grid: int = 1) -> int:
    """Return how many multisets of tokens running requests may hold after a round.

    Parameters
    ----------
    instance
        The instance.
    most
        If there are more than this, some number above it is returned.
    grid
        The rounds after which the batch is seen again.
    """
    ways = [1] + [0] * instance.memory
    for prompt, longest in longest_outputs(instance).items():
        looks = -(-longest // grid)
        for held in range(prompt + 1, prompt + 1 + looks * grid, grid):
            for tokens in range(held, instance.memory + 1):
                ways[tokens] += ways[tokens - held]
            if sum(ways) > most:
                return sum(ways)
    return sum(ways)


def longest_outputs(instance: Instance) -> dict[int, int]:
    """Return the longest output of each prompt, prompts ascending."""
    types = instance.request_types()
    order = np.lexsort((types.outputs, types.prompts))
    prompts = types.prompts[order]
    last = np.append(np.diff(prompts) > 0, True)
    longest = types.outputs[order][last]
    return dict(zip(prompts[last].tolist(), longest.tolist(), strict=True))


def program_size(instance: Instance, upper_bound: int) -> tuple[int, int]:
    """Return at least the numbers of variables and of coefficients of the hindsight program.

    Parameters
    ----------
    instance
        The instance.
    upper_bound
        Cost of some feasible schedule (rounds).
    """
    windows = [cover_windows(instance, level) for level in COVER_LEVELS]
    total, latest = instance.total_output, int(instance.releases.max())
    variables = entries = 0
    for (request, _), rows in zip(instance.types(), zip(*windows, strict=True), strict=True):
        # A cruder horizon than that of `latest_starts`: the others cost their outputs.
        least = total - request.output
        last = min(upper_bound - least, latest + total - request.release) - request.output
        variables += last + 1
        entries += (last + 1) * (2 + request.output + sum(rows))
    return variables, entries
