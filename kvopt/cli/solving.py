"""The command that brackets the optimum: solve."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from kvopt.cli.interrupts import DONE, interruptible
from kvopt.cli.options import (
    PATH,
    as_json,
    complain,
    label,
    output_file,
    print_json,
    reports_beside,
    time_limit_option,
)
from kvopt.cli.terminal import status_line
from kvopt.model.errors import SolverError
from kvopt.model.files import read_instance, write_schedule
from kvopt.model.stopping import Stopping
from kvopt.solver.result import Result, Status
from kvopt.theory.decimals import rounded_up

__all__ = ["solve"]


@click.command()
@click.argument("file", type=PATH)
@time_limit_option(60, "altogether, without compiling")
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
    "--jobs",
    type=click.IntRange(1, 1024),
    default=1,
    metavar="N",
    help="Run N searches for schedules at a time, where there is annealing.",
)
@click.option(
    "--certificate",
    type=output_file,
    help="Write a certificate of the bracket, and go on until the bracket is proved.",
)
@click.option("-o", "--output", type=output_file, help="Write the best schedule to this file.")
@as_json
def solve(
    file: Path,
    time_limit: float,
    node_limit: int | None,
    params_file: Path | None,
    jobs: int,
    certificate: Path | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Bracket the optimal total completion time of an instance."""
    from kvopt.report.tables import solve_object, stage_rows
    from kvopt.solver.params import SolverParams

    beside = reports_beside(as_json, output, certificate)
    params = SolverParams() if params_file is None else SolverParams.from_toml(params_file)
    instance = read_instance(file)
    nodes = math.inf if node_limit is None else node_limit
    with interruptible(node_limit=nodes) as limit:
        with status_line(f"solving {file.name}") as status:
            history = _History(status, limit)
            result = _solver(certificate is not None)(
                instance, time_limit, stop=limit, params=params, report=history.add, jobs=jobs
            )
            history.add(result)
        if output is not None:
            write_schedule(output, result.schedule)
        if certificate is not None:
            _write_certificate(certificate, result, limit)
        if as_json:
            answer = {**solve_object(result), "instance": label(instance, file)}
            print_json({**answer, "stages": stage_rows(result), "history": history.rows})
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

        found = f"{optimum_text(bracket)}, gap {rounded_up(100 * Fraction(bracket.gap), 2)} %"
        self._status(f"{found}, {bracket.rule}, {self._stop.nodes} nodes")
        ends = (bracket.lower_bound, bracket.objective)
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
        complain(f"{file}: is written, but its check was stopped: kvopt verify repeats it", DONE)
    elif limits:
        complain(f"{file}: takes more than usual to check: kvopt verify {' '.join(limits)}", DONE)
    if result.certified_lower_bound < result.lower_bound:
        complain(
            f"{file}: proves the lower bound {result.certified_lower_bound};"
            f" that of {result.lower_bound} is the word of {result.rule}",
            DONE,
        )


def _totals(result: Result) -> dict[str, int]:
    """Return both totals where the objective is not the total completion time."""
    if not result.instance.has_releases:
        return {}
    return {
        "total latency": result.total_latency,
        "total completion time": result.total_completion_time,
    }


def _print(result: Result, err: bool) -> None:
    """Print a bracket and how it came about, on stderr if asked to."""
    from kvopt.report.tables import stage_table

    facts: dict[str, Any] = {
        "status": result.status.value,
        "objective": result.objective,
        **_totals(result),
        "lower bound": f"{result.lower_bound} ({result.rule})",
        "certified": f"{result.certified_lower_bound} ({result.certified.rule})",
    }
    if result.status is Status.BRACKET:
        facts["gap"] = f"{rounded_up(100 * Fraction(result.gap), 2)} %"
        facts["ended as"] = result.end.value if result.end else ""
    facts["seconds"] = f"{result.seconds:.2f}"
    if result.compile_seconds >= 0.01:
        facts["compiling"] = f"{result.compile_seconds:.2f} s more, once"
    width = max(map(len, facts))
    for key, value in facts.items():
        click.echo(f"{key:<{width}}  {value}", err=err)
    click.echo(err=err)
    click.echo(stage_table(result), err=err)
