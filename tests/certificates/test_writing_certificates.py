"""Certificates of one's own may take the checker longer than those of strangers."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from kvopt import Instance, Stopping
from kvopt.certificates import write
from kvopt.certificates.checker import Verdict, verdicts
from kvopt.certificates.solve import solve_certified
from kvopt.generate import generate_random


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checker may usually take 100 steps only."""

    def with_little(
        texts: Sequence[str], stop: Stopping | None = None, limits: Sequence[str] = ()
    ) -> list[Verdict]:
        return verdicts(texts, stop, limits=limits or ("--max-steps", "100"))

    monkeypatch.setattr(write, "verdicts", with_little)


@pytest.mark.usefixtures("poor")
def test_it_may_take_more_for_what_is_ones_own() -> None:
    result = solve_certified(generate_random("tiny", 0, 6), 60)
    content = write.checked_certificate(result)
    verdict, limits = write.checked(content)
    assert verdict.holds
    assert limits == write.LARGER_LIMITS
    verdict, _ = write.checked({**content, "lower_bound": content["lower_bound"] + 1})
    assert not verdict.holds
    assert not verdict.over_budget


def test_the_usual_budget_does_for_most() -> None:
    content = write.certificate(solve_certified(generate_random("tiny", 0, 6), 60))
    assert write.checked(content)[1] == ()
    assert write.checked(content, Stopping(0))[0].stopped


def test_starts_may_be_after_the_latest_release_there_can_be() -> None:
    instance = Instance(4, [1, 1], [3, 3], releases=[10**15, 10**15])
    content = write.checked_certificate(solve_certified(instance))
    assert (content["lower_bound"], content["upper_bound"]) == (9, 9)
    assert max(content["starts"]) == 10**15 + 3


@pytest.mark.parametrize("releases", [[0, 2], [0, 0]])
def test_arrival_times_stay_out(releases: list[int]) -> None:
    instance = Instance(6, [1, 2], [3, 2], releases=releases).with_arrivals([0, 41_500])
    result = solve_certified(instance)
    assert result.certified.value == result.objective
    content = write.checked_certificate(result)
    assert write.checked(content)[0].holds
    assert "arrival_ms" not in write.certificate_text(content)
    assert content["instance_sha256"] == instance.digest()


def test_large_trees_have_no_spaces() -> None:
    """They say the same, a node in each line, and take less."""
    content = write.certificate(solve_certified(generate_random("tiny", 0, 6), 60))
    texts = []
    for number in (write.MOST_SPACED, write.MOST_SPACED + 1):
        nodes = [{"rows": [[2, "gap", 0, 1], [3, "memory", 1, 0]]}, {"at": [0, 1]}] * number
        content["proof"] = {"rule": "event-order", "scale": 8, "tree": nodes[:number]}
        texts.append(write.certificate_text(content))
        assert json.loads(texts[-1]) == content
        assert texts[-1].count("\n") > number
    assert '[2, "gap", 0, 1]' in texts[0]
    assert '\n{"rows":[[2,"gap",0,1],[3,"memory",1,0]]},\n{"at":[0,1]},\n' in texts[1]
    assert len(texts[1]) < 0.8 * len(texts[0])
