"""From a cold start the search finds instances about as bad as the worst that are known."""

from __future__ import annotations

import pytest

from kvopt import Budget, compare, policy_from_spec
from kvopt.adversary import Hunt, Limits, improvements, search

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("spec", "ratio"),
    [("gsa:alpha=2", 7.1), ("gsa:alpha=phi", 6.8), ("gsa", 6.9), ("gba:alpha=2", 4.4)],
)
def test_finds_bad_instances(spec: str, ratio: float) -> None:
    """At most 12 requests and 24 tokens; 64 restarts take about a minute."""
    units = search(Hunt(spec, None, Limits(12, 24), seed=1), Budget(), units=64)
    worst = improvements(units)[-1].candidate.instance()
    found = compare(worst, [policy_from_spec(spec)], Budget(60)).ratios[0]
    assert float(found.low) >= ratio
