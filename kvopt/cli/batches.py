"""What the commands share that do the same with many instances: solve, ratio, audit."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kvopt.cli.interrupts import BAD_INPUT, FAILED
from kvopt.cli.options import complain, label, note, output_path
from kvopt.cli.terminal import progress_bar
from kvopt.model.errors import InputError, KvoptError
from kvopt.model.files import STDOUT, find_instances, read_instance, write_text
from kvopt.model.instance import Instance
from kvopt.model.text import NAME, one_line
from kvopt.parallel.executors import workers_from_spec

if TYPE_CHECKING:
    from kvopt.batch.finished import Finished
    from kvopt.batch.run import Done
    from kvopt.batch.tasks import Work
    from kvopt.cli.interrupts import Limit
    from kvopt.report.markup import Table

__all__ = [
    "STOPPED_EARLY",
    "Entry",
    "complain_broken_off",
    "entries_in",
    "exit_code_for",
    "finished_in",
    "output_folder",
    "run_all",
    "workers_options",
    "workers_spec",
    "write_tables",
]

PRELOADED = ["kvopt.batch.tasks"]

DOING = {"solve": "solving", "ratio": "comparing", "audit": "auditing"}
"""What is said of the work of each command while it goes on."""

STOPPED_EARLY = "stopped early"
"""What is said of an instance that an interruption has cut short."""

FINISHED = "finished"
"""Subfolder of an output folder that keeps what is done."""


class Entry(NamedTuple):
    """A file among those a command is given."""

    name: str  # what to call its instance
    stem: str  # what to call the files made from it
    content: Instance | InputError
    file: Path


def output_folder(command: Any) -> Any:
    """Give a command the option --output, a folder to be taken by `finished_in`."""
    text = "Write tables into this folder, and resume from what it keeps."
    return click.option("-o", "--output", metavar="DIR", type=output_path, help=text)(command)


def workers_options(command: Any) -> Any:
    """Give a command the options --jobs and --executor, to be read by `workers_spec`."""
    command = click.option(
        "--executor",
        metavar="E",
        help="Where instances are worked on: local, processes=N or dask=ADDRESS.",
    )(command)
    text = "Work on N instances at a time; in solve, of one file: run N searches for schedules."
    return click.option("--jobs", type=click.IntRange(1, 1024), metavar="N", help=text)(command)


def workers_spec(jobs: int | None, executor: str | None) -> str:
    """Return the executor that --jobs or --executor ask for.

    Raises
    ------
    click.UsageError
        If both are given.
    """
    if jobs is not None and executor is not None:
        raise click.UsageError("--jobs and --executor: must not be given together")
    if executor is not None:
        return executor
    return "local" if jobs in (None, 1) else f"processes={jobs}"


def entries_in(paths: Sequence[Path], output: Path | None = None) -> list[Entry]:
    """Read the instances in files and folders.

    Of several files those that cannot be read have an error in place of the instance.

    Parameters
    ----------
    paths
        The files and folders.
    output
        Where results go; files in it are no instances.

    Raises
    ------
    InputError
        If there is one file only and it cannot be read, a folder holds no instances, the
        output folder holds the instances, or two files would have the same names of outputs.
    """
    files: list[tuple[Path, str]] = []
    made: dict[str, Path] = {}
    for path in paths:
        for file in _given(path, output):
            place = file.relative_to(path) if path.is_dir() else Path(file.name)
            stem = "--".join(place.parts).removesuffix(".gz").removesuffix(".json")
            before = made.setdefault(stem, file)
            if before != file and output is not None:
                raise InputError(f"{file}: its outputs would have the names of those of {before}")
            files.append((file, stem))
    found = []
    for file, stem in files:
        try:
            instance = read_instance(file)
        except InputError as error:
            if len(files) == 1:
                raise
            found.append(Entry(one_line(file, NAME), stem, error, file))
        else:
            found.append(Entry(label(instance, file), stem, instance, file))
    return found


def _given(path: Path, output: Path | None) -> list[Path]:
    """Return the instance files meant by a path, without those of an output folder."""
    files = find_instances(path)
    if output is None or output == STDOUT:
        return files
    inside = output.resolve()
    if path.resolve().is_relative_to(inside):
        raise InputError(f"--output: must be another folder than that of {path}, got {output}")
    files = [file for file in files if not file.resolve().is_relative_to(inside)]
    if not files:
        raise InputError(f"{path}: folder holds no .json or .json.gz file beside the output")
    return files


def finished_in(output: Path | None) -> Finished | None:
    """Return what is finished in an output folder, which is made if it does not exist.

    Raises
    ------
    InputError
        If it is no folder, or cannot be made or written to.
    """
    from kvopt.batch.finished import Finished

    if output is None:
        return None
    if output == STDOUT or (output.exists() and not output.is_dir()):
        raise InputError(f"--output: must be a folder, got {'-' if output == STDOUT else output}")
    finished = Finished(output / FINISHED)
    for folder in (output, finished.folder):
        if not os.access(folder, os.W_OK):
            raise InputError(f"{folder}: cannot be written to: Permission denied")
    return finished


def run_all(
    work: Work,
    entries: Sequence[Entry],
    limit: Limit,
    executor: str,
    finished: Finished | None = None,
    on_done: Callable[[Done], None] = lambda done: None,
) -> dict[int, Done]:
    """Do the same with all instances that could be read; return what came of each, by its place.

    Parameters
    ----------
    work
        What to do.
    entries
        The files.
    limit
        When it is interrupted, the work ends.
    executor
        Where it is done.
    finished
        Keeps what is finished.
    on_done
        Called with what came of each instance as it ends, its number being its place.
    """
    from kvopt.batch.run import run_batch

    places = [place for place, entry in enumerate(entries) if isinstance(entry.content, Instance)]
    instances = [e.content for e in entries if isinstance(e.content, Instance)]
    found: dict[int, Done] = {}
    with (
        workers_from_spec(executor, PRELOADED) as workers,
        progress_bar(DOING[work.command], len(instances)) as advance_to,
    ):
        for done in run_batch(work, instances, limit, workers, finished):
            done = done._replace(number=places[done.number])
            found[done.number] = done
            on_done(done)
            advance_to(len(found))
    if resumed := sum(done.resumed for done in found.values()):
        note(f"{resumed} of {len(instances)} instances were finished before")
    for file in finished.damaged if finished else ():
        note(f"{file}: is damaged, its instance was worked on again")
    return found


def exit_code_for(error: KvoptError) -> int:
    """Return the exit code for what went wrong with an instance."""
    return BAD_INPUT if isinstance(error, InputError) else FAILED


def complain_broken_off(
    limit: Limit,
    entries: Sequence[Entry],
    found: Mapping[int, Done],
    what: str,
    output: Path | None,
) -> None:
    """Say what ended the work, how much was done, and which folder keeps that, if any.

    Parameters
    ----------
    limit
        What a signal has ended.
    entries, found
        The files, and what came of each by its place.
    what
        What was done with an instance, as a participle.
    output
        The folder that keeps what was done.
    """
    done = sum(one.complete for one in found.values())
    whole = sum(isinstance(entry.content, Instance) for entry in entries)
    cut = len(found) - done
    text = f"{limit.what}; {done} of {whole} instances were {what}"
    text += f", {cut} stopped early" if cut else ""
    complain(text + ("" if output is None else f"; {output} keeps what was done"), limit.code)


def write_tables(output: Path, name: str, csv: str, table: Table) -> None:
    """Write a table into the output folder: NAME.csv, NAME.md and NAME.tex."""
    write_text(output / f"{name}.csv", csv)
    write_text(output / f"{name}.md", table.markup("markdown") + "\n")
    write_text(output / f"{name}.tex", table.markup("latex") + "\n")
