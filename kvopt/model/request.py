"""One request: what it holds, for how long, and since when it is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["IntArray", "Request"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, order=True, repr=False)
class Request:
    """One request: a prompt to hold and an output to generate, from its release on.

    Parameters
    ----------
    prompt
        Prompt length s >= 0 (tokens), in memory as long as an attempt runs.
    output
        Output length o >= 1 (tokens); an attempt completes after o rounds.
    release
        Release time a >= 0 (rounds): an attempt starts at a or later.
    """

    prompt: int
    output: int
    release: int = 0

    def __repr__(self) -> str:
        release = f", release={self.release}" if self.release else ""
        return f"Request(prompt={self.prompt}, output={self.output}{release})"

    @property
    def peak(self) -> int:
        """Memory in the last round, s + o (tokens)."""
        return self.prompt + self.output

    @property
    def area(self) -> int:
        """Memory summed over the rounds of a whole run, s*o + o(o+1)/2 (token-rounds)."""
        return self.prompt * self.output + self.output * (self.output + 1) // 2
