"""Predicted output lengths, as intervals: what A-Max and A-Min go by."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.simulation.machine import Machine

__all__ = ["predicted"]


def predicted(
    machine: Machine, requests: IntArray, width: Fraction | None
) -> tuple[IntArray, IntArray]:
    """Return lower and upper ends of the predicted output lengths (tokens), shape (n,) each.

    Parameters
    ----------
    machine
        The machine.
    requests
        Which requests, shape (n,).
    width
        None for no prediction: 1 and M - s_i.  Else w >= 1: the true length o_i is
        known to lie in [ceil(o_i / w), floor(o_i * w)], within 1 and M - s_i.
    """
    longest = machine.memory - machine.prompts_of(requests)
    if width is None:
        return np.ones(len(requests), dtype=np.int64), longest
    p, q = width.numerator, width.denominator
    outputs = machine.outputs_of(requests).tolist()
    lower = [max(1, -(-o * q // p)) for o in outputs]
    upper = [o * p // q for o in outputs]
    return np.array(lower, dtype=np.int64), np.minimum(np.array(upper, dtype=np.int64), longest)
