"""Solving several instances: a row each, and a folder from which the work is resumed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kvopt.cli.batches import (
    STOPPED_EARLY,
    Entry,
    complain_broken_off,
    entries_in,
    exit_code_for,
    finished_in,
    run_all,
    write_tables,
)
from kvopt.cli.interrupts import BAD_INPUT, DONE, exit_code, interruptible
from kvopt.cli.options import complain, note, print_json, table_form
from kvopt.cli.terminal import width
from kvopt.model.errors import InputError, KvoptError
from kvopt.model.files import STDOUT, read_text, write_schedule, write_text
from kvopt.model.instance import Instance
from kvopt.model.rows import to_csv
from kvopt.model.text import NAME, counted, one_line
from kvopt.theory.decimals import gap_text

if TYPE_CHECKING:
    from kvopt.batch.run import Done
    from kvopt.batch.tasks import Work
    from kvopt.report.markup import Table
    from kvopt.solver.result import Result

__all__ = ["show_row", "solve_many"]

SCHEDULE, CERTIFICATE = ".schedule.json", ".certificate.json"

COLUMNS = ("instance", "n", "M", "status", "objective", "bound", "gap", "seconds")

KEYS = (
    "instance",
    "requests",
    "memory",
    "status",
    "termination",
    "objective",
    "total_latency",
    "total_completion_time",
    "lower_bound",
    "lower_bound_from",
    "certified_lower_bound",
    "seconds",
    "digest",
    "schedule",
    "certificate",
    "reason",
)
"""The keys of a row; in `--json` there are the start times, too."""

EMPTY: dict[str, Any] = dict.fromkeys((*KEYS, "starts"))
"""A row of which nothing is known."""


def solve_many(
    paths: Sequence[Path],
    work: Work,
    certificates: Path | None,
    output: Path | None,
    executor: str,
) -> int:
    """Solve several instances; return the exit code.

    Parameters
    ----------
    paths
        Files and folders.
    work
        What is done with each.
    certificates, output
        Folders for certificates, and for schedules, tables and what is finished.
    executor
        Where it is done.
    """
    finished = finished_in(output)
    if certificates is not None and (certificates == STDOUT or not _folder(certificates)):
        raise InputError(
            f"--certificate: must be a folder for several instances, got {certificates}"
        )
    entries = entries_in(paths, output)
    folder = certificates or output
    work = replace(work, certificates=folder is not None)
    files: dict[int, dict[str, str]] = {}

    def on_done(done: Done) -> None:
        stem = entries[done.number].stem
        if not isinstance(done.found, KvoptError):
            files[done.number] = _write(done, stem, output, folder)

    with interruptible() as limit:
        found = run_all(work, entries, limit, executor, finished, on_done)
        rows = [
            _row(entry, found.get(place), files.get(place, {}))
            for place, entry in enumerate(entries)
            if place in found or isinstance(entry.content, InputError)
        ]
        _show(rows, output)
        codes = [_complained(entry, found.get(place)) for place, entry in enumerate(entries)]
        if limit.interrupted:
            complain_broken_off(limit, entries, found, "solved", output)
    return exit_code(limit.code, *codes)


def show_row(name: str, instance: Instance, result: Result, form: str) -> None:
    """Print the bracket of one instance as a table of one row."""
    facts = _facts(name, instance, result.to_dict(), {})
    row = {key: facts[key] for key in KEYS}
    click.echo(to_csv([row]) if form == "csv" else _table([row]).markup(form), nl=form != "csv")


def _folder(path: Path) -> bool:
    """Tell whether a path is a folder, which is made if there is nothing."""
    with suppress(OSError):
        path.mkdir(exist_ok=True)
    return path.is_dir()


def _write(done: Done, stem: str, output: Path | None, folder: Path | None) -> dict[str, str]:
    """Write schedule and certificate of an instance, and say what of the latter is to be said.

    Files that are there as they should be are left alone.
    """
    from kvopt.batch.tasks import Solved

    made: dict[str, str] = {}
    solved = done.found
    assert isinstance(solved, Solved)
    if output is not None:
        made["schedule"] = stem + SCHEDULE
        file = output / made["schedule"]
        if not (done.resumed and file.exists()):
            write_schedule(file, solved.schedule)
    if folder is not None and solved.certificate:
        made["certificate"] = stem + CERTIFICATE
        file = folder / made["certificate"]
        if not (done.resumed and _holds(file, solved.certificate)):
            write_text(file, solved.certificate)
        if solved.note:
            note(f"{file}: {solved.note}")
    return made


def _holds(file: Path, text: str) -> bool:
    """Tell whether a file holds a text."""
    try:
        return read_text(file) == text
    except InputError:
        return False


def _row(entry: Entry, done: Done | None, files: dict[str, str]) -> dict[str, Any]:
    """Return the row of an instance."""
    from kvopt.batch.tasks import Solved

    if isinstance(entry.content, InputError):
        own = {"instance": entry.name, "status": "cannot be read", "reason": str(entry.content)}
        return EMPTY | own
    assert done is not None
    if not isinstance(done.found, Solved):
        status = "failed" if done.complete else STOPPED_EARLY
        row = {"instance": entry.name, "status": status, "reason": str(done.found)}
        size = {"requests": len(entry.content), "memory": entry.content.memory}
        return EMPTY | row | size
    return _facts(entry.name, entry.content, done.found.facts, files)


def _facts(name: str, instance: Instance, facts: Any, files: dict[str, str]) -> dict[str, Any]:
    """Return the row of a bracket."""
    both = {"total_latency": facts["objective"]}
    both["total_completion_time"] = facts["objective"] + instance.total_release
    own = {"requests": len(instance), "memory": instance.memory}
    known = {key: facts[key] for key in EMPTY if key in facts}
    return EMPTY | known | both | own | files | {"instance": name}


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    from kvopt.report.markup import Table

    cells = []
    for row in rows:
        shown = [row["instance"], *(_or_dash(row[key]) for key in ("requests", "memory"))]
        shown += [row["status"], *(_or_dash(row[key]) for key in ("objective", "lower_bound"))]
        if row["objective"] is None:
            shown += ["-", "-"]
        else:
            gap = gap_text(row["lower_bound"], row["objective"])
            shown += [gap, f"{row['seconds']:.2f}"]
        cells.append(shown)
    return Table(COLUMNS, cells, "lrrlrrrr")


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _show(rows: list[dict[str, Any]], output: Path | None) -> None:
    """Print the rows, and write them into the output folder."""
    form, table = table_form(), _table(rows)
    csv = to_csv([{key: row[key] for key in KEYS} for row in rows])
    if output is not None:
        write_tables(output, "solve", csv, table)
    if form == "json":
        print_json({"rows": rows})
    elif form == "csv":
        click.echo(csv, nl=False)
    else:
        click.echo(table.text(width(False)) if form == "text" else table.markup(form))
        if form == "text" and rows:
            click.echo(f"\n{_summary(rows)}")


def _summary(rows: Sequence[dict[str, Any]]) -> str:
    """Say in a line how many brackets have closed, and why the others have not."""
    counts: dict[str, int] = {}
    for row in rows:
        what = row["status"]
        if what == "bracket":
            what = f"bracketed, ended by: {row['termination']}"
        counts[what] = counts.get(what, 0) + 1
    text = f"{counted(len(rows), 'instance')}: " + "; ".join(
        f"{n} {what}" for what, n in counts.items()
    )
    less = sum(
        row["certified_lower_bound"] < row["lower_bound"] for row in rows if row["certificate"]
    )
    if less:
        proves = counted(less, "certificate proves", "certificates prove")
        text += f"\n{proves} less than the bound: --certificate DIR goes on"
    return text


def _complained(entry: Entry, done: Done | None) -> int:
    """Say what went wrong with an instance, if anything; return the exit code for it."""
    if isinstance(entry.content, InputError):
        return complain(str(entry.content), BAD_INPUT)
    if done is not None and done.complete and isinstance(done.found, KvoptError):
        return complain(f"{one_line(entry.name, NAME)}: {done.found}", exit_code_for(done.found))
    return DONE
