"""Instances with release times, with schedules found by other means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from policy_runs import run

from kvopt import Instance

CASES = json.loads((Path(__file__).parents[1] / "cases" / "online.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_mc_sf_and_fcfs_as_known(case: dict[str, Any]) -> None:
    prompts, outputs, releases = zip(*case["requests"], strict=True)
    instance = Instance(case["M"], prompts, outputs, releases=releases)
    mcsf, fcfs = run("mc-sf", instance), run("fcfs", instance)
    assert mcsf.completion_times().tolist() == case["mcsf_completions"]
    assert fcfs.completion_times().tolist() == case["fcfs_completions"]
    assert (mcsf.total_latency(), fcfs.total_latency()) == (case["mcsf"], case["fcfs"])
    assert (mcsf.kills, fcfs.kills) == (0, case["fcfs_kills"])
    assert min(mcsf.total_latency(), fcfs.total_latency()) >= case["opt"]
