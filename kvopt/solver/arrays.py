"""Types of arrays that the engines share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "Int32Array"]

FloatArray = NDArray[np.float64]
Int32Array = NDArray[np.int32]
