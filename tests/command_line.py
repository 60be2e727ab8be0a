"""Running the command line, and reading what it says."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., tuple[int, str, str]]


def parsed(result: tuple[int, str, str], code: int = 0) -> Any:
    assert result[0] == code, result
    assert result[1].count("\n") == 1
    return json.loads(result[1])


def kvopt_process(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kvopt", *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_a_unit(store: Path) -> None:
    """Wait until a search has put something into its store."""
    for _ in range(600):
        time.sleep(0.2)
        with contextlib.suppress(sqlite3.Error):
            db = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
            with contextlib.closing(db):
                if db.execute("SELECT count(*) FROM unit").fetchone()[0]:
                    return
    raise AssertionError("nothing was found in two minutes")


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("nothing happened in a minute")
