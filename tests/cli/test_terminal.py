"""What is shown on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import logging, sys
from kvopt.cli import main
main({arguments})
logging.getLogger("kvopt.compiling").info("compiling the state search, once")
logging.getLogger("kvopt.other").info("something else")
"""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["policies"], "kvopt: compiling the state search, once"),
        (["-v", "policies"], "kvopt.compiling: compiling the state search, once"),
    ],
)
def test_compiling_is_announced_on_a_terminal(arguments: list[str], shown: str) -> None:
    main, other = pty.openpty()
    code = [sys.executable, "-c", CODE.format(arguments=arguments)]
    subprocess.run(code, check=True, stdout=subprocess.DEVNULL, stderr=other)
    os.close(other)
    text = os.read(main, 10_000).decode()
    os.close(main)
    assert text.count("compiling the state search") == 1
    assert shown in text
    assert ("something else" in text) == ("-v" in arguments)


def test_compiling_is_not_announced_elsewhere() -> None:
    code = [sys.executable, "-c", CODE.format(arguments=["policies"])]
    done = subprocess.run(code, check=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_the_name_of_a_file_moves_no_cursor(tmp_path: Path) -> None:
    name = "a\x1b[2Jb\nc\u202e.json"
    (tmp_path / name).write_text(
        '{"format": "kvopt-instance/1", "memory": 3, "requests": [{"prompt": 1, "output": 2}]}'
    )
    main, other = pty.openpty()
    code = [sys.executable, "-c", CODE.format(arguments=["solve", name])]
    subprocess.run(code, check=True, stdout=subprocess.DEVNULL, stderr=other, cwd=tmp_path)
    os.close(other)
    text = os.read(main, 100_000).decode()
    os.close(main)
    assert r"a\x1b[2Jb\nc\u202e.json" in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
