"""Run the stand-alone checker, the folder proofs/checker, as a process of its own.

The checker imports nothing of kvopt, so that somebody who trusts nothing of kvopt can read and
run it; an installed kvopt carries it as kvopt/_checker.  A process of its own can be stopped at
any moment, and what it prints is all that kvopt takes from it.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvopt.model.errors import KvoptError
from kvopt.model.stopping import Stopping

__all__ = ["CHECKERS", "Verdict", "command", "folder", "refusal", "verdicts", "verdicts_of_files"]

CHECKERS = ("python", "verified")
"""The stand-alone checker, and the program extracted from the proofs in Coq."""

PAUSE = 0.05
"""Seconds between two looks at the stopping rule while the checker runs."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker says of a file.

    Parameters
    ----------
    holds
        Whether the file proves its claim.
    claim
        What it proves, in words; empty if it is refused.
    reason
        Why it is refused; empty if it holds.
    rule
        The rule that proves the lower bound; "slices" for certified slices.
    lower_bound, upper_bound
        The bounds on the optimum that are proved (rounds); None if there is none.
    states
        How many states an exhaustive search needed; None with other rules.
    stopped
        Whether the check was given up before its end.
    """

    holds: bool
    claim: str = ""
    reason: str = ""
    rule: str | None = None
    lower_bound: int | None = None
    upper_bound: int | None = None
    states: int | None = None
    stopped: bool = False

    @property
    def over_budget(self) -> bool:
        """Whether it is refused for the steps or the memory that checking it takes."""
        return self.reason.startswith("takes more than ")


@functools.cache
def folder() -> Path:
    """Return the folder of the checker.

    Raises
    ------
    KvoptError
        If it is missing from the installation.
    """
    here = Path(__file__).parent.parent
    for place in (here / "_checker", here.parent / "proofs" / "checker"):
        if (place / "__main__.py").is_file():
            return place
    raise KvoptError("the checker of certificates, proofs/checker, is missing")


def command(checker: str = "python", limits: Sequence[str] = ()) -> list[str]:
    """Return how a checker is called; names of files follow.

    Parameters
    ----------
    checker
        One of `CHECKERS`.  "verified" is the program that the environment variable
        KVOPT_VERIFIED names, or else kvopt-verified on the PATH.
    limits
        Options of the checker: --max-steps N, --max-memory MB.

    Raises
    ------
    KvoptError
        If there is no such checker.
    """
    if checker == "python":
        return [sys.executable, "-I", "-S", "-B", str(folder()), "--json", *limits]
    named = os.environ.get("KVOPT_VERIFIED") or "kvopt-verified"
    found = shutil.which(named)
    if found is None:
        raise KvoptError(
            f"no program {named}: build it with `make -C proofs/coq checker`, and set"
            " KVOPT_VERIFIED to it or put it on the PATH"
        )
    return [str(Path(found).absolute()), "--json", *limits]


def verdicts_of_files(
    files: Sequence[str | Path],
    stop: Stopping | None = None,
    checker: str = "python",
    limits: Sequence[str] = (),
) -> list[Verdict]:
    """Check files, all in one process, in order.

    Parameters
    ----------
    files
        Certificates of brackets or of slices.
    stop
        When to give up; files not yet checked then are refused as stopped.
    checker
        One of `CHECKERS`.
    limits
        Options of the checker: --max-steps N, --max-memory MB.

    Raises
    ------
    KvoptError
        If the checker cannot be run, or ends without a word.
    """
    names = [str(Path(file).absolute()) for file in files]
    if not names:
        return []
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                [*command(checker, limits), *names],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        except (OSError, ValueError) as error:  # the latter where no file can have such a name
            raise KvoptError(f"the checker of certificates cannot be run: {error}") from None
        stopped = False
        try:
            stopped = not _ended(process, stop)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        out.seek(0)
        err.seek(0)
        # A line that was being written when the process was killed has no end.
        lines = out.read().decode("ascii").split("\n")[:-1]
        said = err.read().decode("utf-8", "replace").strip()
    found = [_verdict(json.loads(line)) for line in lines]
    if len(found) < len(names):
        if not stopped:
            last = said.splitlines()[-1] if said else f"exit code {process.returncode}"
            raise KvoptError(f"the checker of certificates failed at {names[len(found)]}: {last}")
        rest = Verdict(False, reason="the check was stopped before its end", stopped=True)
        found += [rest] * (len(names) - len(found))
    return found


def verdicts(
    texts: Sequence[str | bytes],
    stop: Stopping | None = None,
    checker: str = "python",
    limits: Sequence[str] = (),
) -> list[Verdict]:
    """Check the contents of certificate files, all in one process, in order.

    Parameters
    ----------
    texts
        Certificates of brackets or of slices.
    stop
        When to give up; those not yet checked then are refused as stopped.
    checker
        One of `CHECKERS`.
    limits
        Options of the checker: --max-steps N, --max-memory MB.

    Raises
    ------
    KvoptError
        If the checker cannot be run, or ends without a word.
    """
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / f"{i}.json" for i in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            file.write_bytes(raw)
        return verdicts_of_files(files, stop, checker, limits)


def refusal(data: str | bytes) -> tuple[str, str]:
    """Check the content of a certificate file.

    Returns
    -------
    claim, reason
        What it proves, in words, and an empty reason; or no claim, and why it is refused.
    """
    (verdict,) = verdicts([data])
    return verdict.claim, verdict.reason


def _ended(process: subprocess.Popen[bytes], stop: Stopping | None) -> bool:
    """Wait for the process; return False if the stopping rule comes first."""
    if stop is None:
        process.wait()
        return True
    pause = 0.001
    while process.poll() is None:
        if stop.over():
            return False
        time.sleep(pause)
        pause = min(PAUSE, 2 * pause)
    return True


def _verdict(row: dict[str, Any]) -> Verdict:
    return Verdict(**{key: value for key, value in row.items() if key != "file"})
