"""Types of arrays that the engines share, and copying in compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kvopt.solver.compiling import lean

__all__ = ["FloatArray", "Int32Array", "copy_into"]

FloatArray = NDArray[np.float64]
Int32Array = NDArray[np.int32]


@lean
def copy_into(target: Any, source: Any, begin: int, end: int) -> None:
    """Copy a part of an array of shape (n,), or list, to the same places of another one.

    In a kernel it stands for `target[begin:end] = source[begin:end]`, which takes numba two seconds
    to compile, for its message about shapes that differ; it ends where one of them does, too.
    """
    for i in range(begin, min(end, len(target), len(source))):
        target[i] = source[i]
