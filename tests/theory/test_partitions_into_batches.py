"""Batches of Sorted-F, a few requests at a time."""

from __future__ import annotations

import random

import numpy as np
import pytest

from kvopt.theory.batches import batch_order, clusters


@pytest.mark.parametrize("seed", range(60))
def test_clusters_are_the_batches_in_pieces(seed: int) -> None:
    rng = random.Random(seed)
    memory = rng.choice([20, 60, 300])
    n = rng.choice([1, 2, 9, 10, 11, 12, 30, 90])
    prompts = [rng.randint(0, memory // rng.choice([2, 8])) for _ in range(n)]
    outputs = [rng.randint(1, min(memory - s, rng.choice([5, memory]))) for s in prompts]
    rows = sorted(zip(outputs, prompts, range(n), strict=True))
    found = [i for cluster in clusters(rows, memory) for i in cluster]
    assert found == batch_order(np.array(prompts), np.array(outputs), memory)
    assert sorted(found) == list(range(n))


def test_what_waits_may_change_once_the_first_were_asked_for() -> None:
    rows = [(o, 1, i) for i, o in enumerate([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])]
    expected = [i for cluster in clusters(rows, 20) for i in cluster]
    ahead = clusters(rows, 20)
    found = next(ahead)
    del rows[0]
    found += [i for cluster in ahead for i in cluster]
    assert found == expected
