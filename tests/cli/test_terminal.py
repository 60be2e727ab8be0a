"""What is shown on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

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
