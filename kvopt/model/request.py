"""One request: what it holds, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["IntArray", "Request"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """One request: a prompt to hold and an output to generate.

    Parameters
    ----------
    prompt
        Prompt length s >= 0 (tokens), in memory as long as an attempt runs.
    output
        Output length o >= 1 (tokens); an attempt completes after o rounds.
    """

    prompt: int
    output: int

    @property
    def peak(self) -> int:
        """Memory in the last round, s + o (tokens)."""
        return self.prompt + self.output

    @property
    def area(self) -> int:
        """Memory summed over the rounds of a whole run, s*o + o(o+1)/2 (token-rounds)."""
        return self.prompt * self.output + self.output * (self.output + 1) // 2
