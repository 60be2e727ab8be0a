"""The command that checks schedules and certificates: verify."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import click

from kvopt.cli.interrupts import BAD_INPUT, DONE, FAILED, Ended, exit_code, interruptible
from kvopt.cli.options import PATH, as_json, complain, print_json, seconds
from kvopt.cli.terminal import progress_bar
from kvopt.model.errors import InputError, KvoptError
from kvopt.model.files import CertificateText, read_any
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.model.text import file_text, one_line

__all__ = ["verify"]

LARGE = "For large certificates of your own: the checker (python) may take so many"


class Ask(NamedTuple):
    """How certificates are to be checked."""

    time_limit: float  # seconds, for each
    checker: str
    limits: tuple[str, ...]  # options of the checker


@click.command(short_help="Check schedules and certificates.")
@click.argument("files", type=PATH, nargs=-1, required=True)
@click.option(
    "--checker",
    type=click.Choice(["python", "verified"]),
    default="python",
    show_default=True,
    help="What checks certificates: verified is the program extracted from the proofs in Coq.",
)
@click.option(
    "--time-limit",
    type=seconds,
    default=600.0,
    show_default=True,
    help="Seconds that checking a certificate may take.",
)
@click.option("--max-steps", type=click.IntRange(1, 10**18 - 1), help=f"{LARGE} elementary steps.")
@click.option("--max-memory", type=click.IntRange(1, 10**9), help=f"{LARGE} megabytes.")
@as_json
def verify(
    files: tuple[Path, ...],
    checker: str,
    time_limit: float,
    max_steps: int | None,
    max_memory: int | None,
    as_json: bool,
) -> int:
    """Check schedules against the model, listing every violation, and certificates.

    Certificates go through the stand-alone checker, which runs without kvopt too, or through
    the verified one, kvopt-verified: KVOPT_VERIFIED says where it is, if it is not on the PATH.
    """
    from kvopt.certificates.checker import command

    limits = []
    for option, value in (("--max-steps", max_steps), ("--max-memory", max_memory)):
        if value is not None:
            limits += [option, str(value)]
    try:
        command(checker)
    except KvoptError as error:
        return complain(str(error), BAD_INPUT)
    ask = Ask(time_limit, checker, tuple(limits))
    checked: list[dict[str, Any]] = []
    ended = DONE
    try:
        with interruptible(at_once=True), progress_bar("verifying", len(files)) as progress:
            for number, file in enumerate(files, 1):
                checked.append(_checked(file, ask))
                progress(number)
    except Ended as end:
        ended = complain(f"{end}; {len(checked)} of {len(files)} files were checked", end.code)
    ok = all(row["ok"] for row in checked) and not ended
    if as_json:
        print_json({"ok": ok, "files": checked})
    else:
        _print(checked)
    kinds = {row["kind"] for row in checked if not row["ok"]}
    codes = [BAD_INPUT if kind == "unreadable" else FAILED for kind in kinds]
    return exit_code(DONE, ended, *codes)


def _checked(file: Path, ask: Ask) -> dict[str, Any]:
    """Check a file; return its row of the report."""
    from kvopt.certificates.checker import verdicts
    from kvopt.model.feasibility import violations

    row: dict[str, Any] = {"file": str(file), "kind": "", "ok": True, "violations": []}
    try:
        content = read_any(file)
    except InputError as error:
        complain(str(error), BAD_INPUT)
        return row | {"kind": "unreadable", "ok": False}
    if isinstance(content, Instance):
        return row | {"kind": "instance"}
    if isinstance(content, CertificateText):
        row["kind"] = "certificate"
        stop = Stopping(ask.time_limit)
        (verdict,) = verdicts([content], stop, ask.checker, ask.limits)
        if verdict.holds:
            return row | {"claim": verdict.claim}
        late = f"checking takes more than {ask.time_limit:g} s (--time-limit)"
        return row | {"ok": False, "violations": [late if verdict.stopped else verdict.reason]}
    row["kind"] = "schedule"
    if found := [str(violation) for violation in violations(content)]:
        return row | {"ok": False, "violations": found}
    row["total_completion_time"] = content.total_completion_time()
    if content.instance.has_releases:
        row["total_latency"] = content.total_latency()
    return row


def _print(checked: list[dict[str, Any]]) -> None:
    """Print a line for each file, and each of its violations.

    A line is "FILE: ok: ..." or "FILE: FAILED: ...", whatever the name of the file.
    """
    for row in checked:
        if row["kind"] == "unreadable":  # that was said already
            continue
        note = f", {row['claim']}" if "claim" in row else ""
        if "total_completion_time" in row:
            note = f", total completion time {row['total_completion_time']}"
        if "total_latency" in row:
            note = f", total latency {row['total_latency']}{note}"
        state = "ok" if row["ok"] else "FAILED"
        click.echo(f"{file_text(row['file'])}: {state}: {row['kind']}{one_line(note)}")
        for violation in row["violations"]:
            click.echo(f"  {one_line(violation)}")
