"""The command that brackets the optimum: solve."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kvopt.cli.batches import workers_options, workers_spec
from kvopt.cli.interrupts import interruptible
from kvopt.cli.options import (
    PATH,
    complain,
    label,
    note,
    output_path,
    print_json,
    reports_beside,
    table_form,
    table_forms,
    time_limit_option,
)
from kvopt.cli.solving_many import solve_many
from kvopt.cli.terminal import status_line
from kvopt.model.errors import SolverError
from kvopt.model.files import check_writable, read_instance, write_schedule
from kvopt.model.stopping import Stopping
from kvopt.solver.result import Result, Status
from kvopt.theory.decimals import gap_text

if TYPE_CHECKING:
    from kvopt.batch.tasks import Work

__all__ = ["solve"]


@click.command(short_help="Bracket the optimal total completion time of instances.")
@click.argument("paths", type=PATH, nargs=-1, required=True)
@time_limit_option(60, "for an instance, without compiling")
@click.option(
    "--node-limit",
    type=click.IntRange(1),
    metavar="N",
    help="Stop after N nodes of searches: states, costs-to-go, nodes of trees.",
)
@click.option(
    "--params", "params_file", type=PATH, metavar="FILE", help="Tuning numbers of the stages, TOML."
)
@click.option(
    "--certificate",
    type=output_path,
    help="Write a certificate of the bracket, and go on until the bracket is proved;"
    " of several instances into this folder.",
)
@click.option(
    "-o",
    "--output",
    type=output_path,
    help="Write the best schedule to this file; of several instances schedules, certificates"
    " and tables into this folder, from which the work is resumed.",
)
@workers_options
@table_forms
def solve(
    paths: tuple[Path, ...],
    time_limit: float,
    node_limit: int | None,
    params_file: Path | None,
    certificate: Path | None,
    output: Path | None,
    jobs: int | None,
    executor: str | None,
) -> int:
    """Bracket the optimal total completion time of instances.

    With release times it is the total latency.  Of several files, or a folder, each instance
    is a row; --output DIR keeps what is done, so that the same command goes on where it ended.
    """
    from kvopt.batch.tasks import Work
    from kvopt.solver.params import SolverParams

    spec = workers_spec(jobs, executor)
    work = Work(
        "solve",
        time_limit,
        node_limit=math.inf if node_limit is None else node_limit,
        params=SolverParams() if params_file is None else SolverParams.from_toml(params_file),
        certify=certificate is not None,
    )
    if len(paths) == 1 and not paths[0].is_dir():
        if executor is not None:
            raise click.UsageError("--executor: is for several instances, got one file")
        return _solve_one(paths[0], work, certificate, output, jobs or 1)
    return solve_many(paths, work, certificate, output, spec)


def _solve_one(
    file: Path, work: Work, certificate: Path | None, output: Path | None, jobs: int
) -> int:
    """Solve one instance, and tell how it went."""
    from kvopt.certificates.write import seconds_to_solve
    from kvopt.cli.solving_many import show_row
    from kvopt.report.tables import solve_object, stage_rows

    form = table_form()
    for path in filter(None, (output, certificate)):
        check_writable(path)
    beside = reports_beside(form != "text", output, certificate)
    instance = read_instance(file)
    with interruptible(node_limit=work.node_limit) as limit:
        seconds = work.time_limit
        if certificate is not None:
            seconds = seconds_to_solve(seconds, len(instance))
        with status_line(f"solving {file.name}") as status:
            history = _History(status, limit)
            result = _solver(work.certify)(
                instance,
                seconds,
                stop=limit,
                params=work.params,
                report=history.add,
                jobs=jobs,
            )
            history.add(result)
        if output is not None:
            write_schedule(output, result.schedule)
        if certificate is not None:
            _write_certificate(certificate, result, limit)
        if form == "json":
            answer = {**solve_object(result), "instance": label(instance, file)}
            print_json({**answer, "stages": stage_rows(result), "history": history.rows})
        elif form != "text":
            show_row(label(instance, file), instance, result, form)
        else:
            _print(result, beside)
        if limit.interrupted:
            complain(f"{limit.what}; the bracket is that of {result.seconds:.1f} s", limit.code)
    return limit.code


def _solver(certified: bool) -> Callable[..., Result]:
    """Return the function that solves; it goes on until the bracket is proved if asked to."""
    if certified:
        from kvopt.certificates.solve import solve_certified

        return solve_certified
    from kvopt.solver.solve import solve

    return solve


class _History:
    """The brackets so far, shown on the terminal.

    Parameters
    ----------
    status
        Shows the latest news.
    stop
        Counts the nodes of searches.

    Attributes
    ----------
    rows
        Seconds, lower bound and objective (rounds) each time the bracket became narrower.
    """

    def __init__(self, status: Callable[[str], None], stop: Stopping) -> None:
        self.rows: list[tuple[float, int, int]] = []
        self._status = status
        self._stop = stop
        self._began = time.perf_counter()

    def add(self, bracket: Result) -> None:
        """Take a bracket."""
        from kvopt.report.tables import optimum_text

        ends = (bracket.lower_bound, bracket.objective)
        found = f"{optimum_text(bracket)}, gap {gap_text(*ends)}"
        self._status(f"{found}, {bracket.rule}, {self._stop.nodes} nodes")
        if not self.rows or self.rows[-1][1:] != ends:
            self.rows.append((round(time.perf_counter() - self._began, 3), *ends))


def _write_certificate(file: Path, result: Result, stop: Stopping) -> None:
    """Write what the stages proved; say if that is less than they found, or takes long to check."""
    from kvopt.certificates.write import certificate, checked, write_certificate

    content = certificate(result)
    with status_line("checking the certificate"):
        verdict, limits = checked(content, stop)
    if not verdict.holds and not verdict.stopped:
        raise SolverError(f"{file}: is not written, the checker says: {verdict.reason}")
    write_certificate(file, content)
    if verdict.stopped:
        note(f"{file}: is written, but its check was stopped: kvopt verify repeats it")
    elif limits:
        note(f"{file}: takes more than usual to check: kvopt verify {' '.join(limits)}")
    if result.certified_lower_bound < result.lower_bound:
        note(
            f"{file}: proves the lower bound {result.certified_lower_bound};"
            f" that of {result.lower_bound} is the word of {result.rule}"
        )


def _totals(result: Result) -> dict[str, int]:
    """Return both totals where the objective is not the total completion time."""
    if not result.instance.has_releases:
        return {}
    return {
        "total latency": result.total_latency,
        "total completion time": result.total_completion_time,
    }


def _status(result: Result) -> str:
    """Return whether the bracket has closed, and if not, why the solver has ended."""
    if result.status is Status.OPTIMAL:
        return "optimal"
    return f"{result.status.value}, ended by: {result.termination}"


def _print(result: Result, err: bool) -> None:
    """Print a bracket and how it came about, on stderr if asked to."""
    from kvopt.report.tables import stage_table

    facts: dict[str, Any] = {
        "status": _status(result),
        "objective": result.objective,
        **_totals(result),
        "lower bound": f"{result.lower_bound} ({result.rule})",
        "certified": f"{result.certified_lower_bound} ({result.certified.rule})",
    }
    if result.status is Status.BRACKET:
        facts["gap"] = gap_text(result.lower_bound, result.objective)
    facts["seconds"] = f"{result.seconds:.2f}"
    if result.compile_seconds >= 0.01:
        facts["compiling"] = f"{result.compile_seconds:.2f} s more, once"
    width = max(map(len, facts))
    for key, value in facts.items():
        click.echo(f"{key:<{width}}  {value}", err=err)
    click.echo(err=err)
    click.echo(stage_table(result), err=err)
