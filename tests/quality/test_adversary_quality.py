"""From a cold start the search finds instances at least as bad as the worst that were known."""

from __future__ import annotations

import pytest

from kvopt import Stopping, compare, policy_from_spec
from kvopt.adversary import Limits, SearchConfiguration, improvements, search
from kvopt.adversary.families import growth

pytestmark = pytest.mark.slow

UNITS = 60
"""Half a minute to a minute."""


@pytest.mark.parametrize(
    ("spec", "ratio"),
    [("gsa:alpha=2", 7.5), ("gsa:alpha=phi", 7.1), ("gsa", 7.3), ("gba:alpha=2", 4.6)],
)
def test_finds_bad_instances(spec: str, ratio: float) -> None:
    """At most 12 requests and 24 tokens."""
    configuration = SearchConfiguration(spec, None, Limits(12, 24), seed=1, exact=True)
    worst = improvements(search(configuration, Stopping(), units=UNITS))[-1].candidate.instance()
    found = compare(worst, [policy_from_spec(spec)], 60).ratios[0]
    assert float(found.low) >= ratio


@pytest.mark.parametrize(
    ("spec", "requests", "memory", "ratio"),
    [
        ("gsa:alpha=2", 60_000, 1600, 14.5),
        ("gsa", 60_000, 800, 12.0),
        ("gba", 5_000, 400, 3.9),
    ],
)
def test_finds_bad_families(spec: str, requests: int, memory: int, ratio: float) -> None:
    configuration = SearchConfiguration(
        spec, None, Limits(requests, memory), seed=1, method="families"
    )
    assert float(improvements(search(configuration, Stopping()))[-1].ratio) >= ratio


def test_finds_that_fcfs_is_bad_without_limit() -> None:
    configuration = SearchConfiguration("fcfs", None, Limits(500, 16), seed=1, method="families")
    worst = improvements(search(configuration, Stopping(), units=10))[-1].candidate
    grown = growth(configuration, worst, 4)
    assert grown.unlimited
    assert float(grown.ratios[-1]) > 100
