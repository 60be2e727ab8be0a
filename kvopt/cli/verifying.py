"""The command that checks schedules and certificates: verify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kvopt.cli.interrupts import BAD_INPUT, DONE, FAILED, Ended, exit_code, interruptible
from kvopt.cli.options import PATH, as_json, complain, print_json
from kvopt.model.errors import InputError
from kvopt.model.files import CertificateText, read_any
from kvopt.model.instance import Instance
from kvopt.model.text import file_text, one_line

__all__ = ["verify"]


@click.command()
@click.argument("files", type=PATH, nargs=-1, required=True)
@as_json
def verify(files: tuple[Path, ...], as_json: bool) -> int:
    """Check schedules against the model, listing every violation, and certificates.

    Certificates go through the stand-alone checker, which runs without kvopt too.
    """
    checked: list[dict[str, Any]] = []
    ended = DONE
    try:
        with interruptible(at_once=True):
            for file in files:
                checked.append(_checked(file))  # noqa: PERF401 - what is done must be kept
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


def _checked(file: Path) -> dict[str, Any]:
    """Check a file; return its row of the report."""
    from kvopt.certificates.checker import refusal
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
        claim, reason = refusal(content)
        row["kind"] = "certificate"
        return row | ({"ok": False, "violations": [reason]} if reason else {"claim": claim})
    row["kind"] = "schedule"
    if found := [str(violation) for violation in violations(content)]:
        return row | {"ok": False, "violations": found}
    return row | {"total_completion_time": content.total_completion_time()}


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
        state = "ok" if row["ok"] else "FAILED"
        click.echo(f"{file_text(row['file'])}: {state}: {row['kind']}{one_line(note)}")
        for violation in row["violations"]:
            click.echo(f"  {one_line(violation)}")
