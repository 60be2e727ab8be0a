"""SIGINT and SIGTERM end every command in good order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import kvopt_process, wait_for_a_unit

from kvopt.model.files import curated_instances


def test_ctrl_c_gives_a_bracket(tmp_path: Path) -> None:
    model1 = curated_instances() / "model1.json"
    process = kvopt_process("solve", model1, "--time-limit", 600, "--json", cwd=tmp_path)
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    answer = json.loads(out)
    assert answer["status"] == "bracket"
    assert answer["lower_bound"] < answer["objective"]


def test_ctrl_c_ends_a_search_with_what_it_has(tmp_path: Path) -> None:
    arguments = ["search", "--policy", "gsa", "--budget", 600, "--store", "s.db", "--json"]
    process = kvopt_process(*arguments, cwd=tmp_path)
    wait_for_a_unit(tmp_path / "s.db")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["ratio_float"] > 1


@pytest.mark.parametrize("interrupts", [1, 2])
def test_ctrl_c_ends_a_search_in_processes(tmp_path: Path, interrupts: int) -> None:
    process = subprocess.Popen(
        [
            *[sys.executable, "-m", "kvopt", "search", "--policy", "gsa", "--budget", "600"],
            *["--requests", "100", "--memory", "2000", "--executor", "processes=2"],
            *["--store", "s.db"],
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for_a_unit(tmp_path / "s.db")
    for _ in range(interrupts):  # as a terminal does: to the whole process group
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
