"""Route and its two parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from oracles.route import rect as oracle_rect
from oracles.route import response as oracle_response
from oracles.route import route as oracle_route
from policy_runs import as_tuples, releases, rows, run
from strategies import instances

from kvopt import Instance


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [("rect", oracle_rect), ("response", oracle_response), ("route", oracle_route)],
)
@given(instance=instances(max_requests=12, latest_release=30))
def test_is_the_textbook_algorithm(
    spec: str, algorithm: Callable[[int, list[tuple[int, int]], list[int]], Any], instance: Instance
) -> None:
    assert as_tuples(run(spec, instance)) == algorithm(
        instance.memory, rows(instance), releases(instance)
    )
