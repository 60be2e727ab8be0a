"""Predicted output lengths, as intervals: what A-Max and A-Min go by."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.simulation.machine import Machine
from kvopt.theory.released_order import longest_expected

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
    prompts = machine.prompts_of(requests)
    outputs = None if width is None else machine.outputs_of(requests)
    upper = longest_expected(prompts, outputs, machine.memory, width)
    if width is None or outputs is None:
        return np.ones(len(requests), dtype=np.int64), upper
    p, q = width.numerator, width.denominator
    lower = [max(1, -(-o * q // p)) for o in outputs.tolist()]
    return np.array(lower, dtype=np.int64), upper
