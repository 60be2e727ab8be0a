"""Copying a part of an array in compiled code does what slices do."""

from __future__ import annotations

import numpy as np
import pytest

from kvopt.solver.arrays import copy_into


@pytest.mark.parametrize(("begin", "end"), [(0, 5), (1, 3), (2, 2), (3, 1), (4, 9), (7, 9)])
def test_it_copies_what_slices_copy(begin: int, end: int) -> None:
    target, source = np.zeros(5, dtype=np.int64), np.arange(1, 6)
    expected, numbers = target.copy(), [0] * 5
    expected[begin:end] = source[begin:end]
    copy_into(target, source, begin, end)
    copy_into(numbers, source.tolist(), begin, end)
    assert target.tolist() == expected.tolist() == numbers
