"""The command that writes a study as a page to send to others: report."""

from __future__ import annotations

import shlex
import time
from functools import partial
from pathlib import Path

import click

from kvopt.cli.batches import entries_in
from kvopt.cli.interrupts import BAD_INPUT, DONE, FAILED, Limit, exit_code, interruptible
from kvopt.cli.options import (
    PATH,
    complain,
    output_file,
    policies_option,
    reports_beside,
    time_limit_option,
)
from kvopt.cli.terminal import progress_bar
from kvopt.comparison.study import Studied, Study, Unstudied, study_instance
from kvopt.model.breaking_off import run_within
from kvopt.model.errors import InputError, StoppedError
from kvopt.model.files import STDOUT, write_text
from kvopt.model.instance import abridged
from kvopt.model.text import NAME, one_line
from kvopt.policies import Policy, spec_of

__all__ = ["report"]

REPORT_POLICIES = "gba,gsa,gsa:alpha=2,mc-sf,fcfs"


@click.command(short_help="Write a page about policies and optima, to send to others.")
@click.argument("paths", type=PATH, nargs=-1, required=True)
@click.option(
    "-o", "--output", type=output_file, metavar="PAGE", required=True, help="The page, .html."
)
@policies_option(REPORT_POLICIES)
@time_limit_option(10, "for an instance, the policies included")
def report(paths: tuple[Path, ...], output: Path, policies: list[Policy], time_limit: float) -> int:
    """Compare policies to the optimum, and write a page about it.

    PATH is an instance file or a folder of them.  The page is one file that loads nothing: what
    was found in words, a table of ratios to sort and filter, schedules to look at, certificates
    to download, and how each number was made.
    """
    began = time.perf_counter()
    beside = reports_beside(False, output)
    if output != STDOUT and output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--output: must end in .html, got {abridged(str(output))}")
    chosen = tuple({spec_of(policy): policy for policy in policies}.values())
    instances = entries_in(paths)
    found: list[Studied | Unstudied] = []
    with interruptible() as limit, progress_bar("studying", len(instances)) as advance_to:
        for name, _, instance, file in instances:
            if isinstance(instance, InputError):
                found.append(Unstudied(name, file, str(instance)))
            else:
                try:
                    arguments = (name, file, instance, chosen, time_limit, limit)
                    one = run_within(limit, partial(study_instance, *arguments))
                except StoppedError:
                    break
                if limit.interrupted:
                    break
                found.append(one)
            advance_to(len(found))
        study = Study(
            chosen,
            _command(paths, output, chosen, time_limit),
            time_limit,
            tuple(one for one in found if isinstance(one, Studied)),
            tuple(one for one in found if isinstance(one, Unstudied)),
            tuple(entry.name for entry in instances[len(found) :]),
            time.perf_counter() - began,
            time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        )
        return _written(study, output, beside, limit)


def _written(study: Study, output: Path, beside: bool, limit: Limit) -> int:
    """Write the page, say what is in it, and return the exit code."""
    from kvopt.plot.study_page import study_page
    from kvopt.report.studies import summary, worst_sentence

    codes = [limit.code]
    if study.studied or not limit.interrupted:
        write_text(output, study_page(study))
        said = [*summary(study), *(f"{w.policy}: {worst_sentence(w)}" for w in study.worst())]
        click.echo("\n".join(said), err=beside)
    if limit.interrupted:
        done = len(study.studied) + len(study.unstudied)
        what = f"{done} of {done + len(study.left_out)} instances are in the page"
        complain(f"{limit.what}; {what if study.studied else 'nothing was written'}", limit.code)
    for lost in study.unstudied:
        prefix = f"{one_line(lost.name, NAME)}: " if lost.readable else ""
        codes.append(complain(f"{prefix}{lost.reason}", FAILED if lost.readable else BAD_INPUT))
    problems = [(one.name, problem) for one in study.studied for problem in one.problems]
    codes += [complain(f"{one_line(name, NAME)}: {text}", FAILED) for name, text in problems]
    return exit_code(*codes, DONE)


def _command(
    paths: tuple[Path, ...], output: Path, policies: tuple[Policy, ...], time_limit: float
) -> str:
    """Return the command line, with the defaults spelled out."""
    words = ["kvopt", "report", *map(str, paths), "-o", str(output)]
    words += ["--policy", ",".join(map(spec_of, policies)), "--time-limit", f"{time_limit:g}"]
    return shlex.join(words)
