"""The command that brackets the optimum: solve."""

from __future__ import annotations

import math
import time
from pathlib import Path

import click

from kvopt.cli.interrupts import DONE, interruptible
from kvopt.cli.options import (
    PATH,
    as_json,
    complain,
    label,
    output_file,
    print_json,
    time_limit_option,
)
from kvopt.cli.terminal import status_line
from kvopt.model.files import read_instance, write_schedule
from kvopt.solver.result import Result, Status

__all__ = ["solve"]


@click.command()
@click.argument("file", type=PATH)
@time_limit_option(60, "altogether")
@click.option(
    "--node-limit",
    type=click.IntRange(1),
    metavar="N",
    help="Stop after N nodes of searches: states, labels, nodes of trees.",
)
@click.option(
    "--certificate",
    type=output_file,
    help="Write a certificate of the bracket; to prove it may take as long again.",
)
@click.option("-o", "--output", type=output_file, help="Write the best schedule to this file.")
@as_json
def solve(
    file: Path,
    time_limit: float,
    node_limit: int | None,
    certificate: Path | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Bracket the optimal total completion time of an instance."""
    from kvopt.report.tables import optimum_text, solve_object
    from kvopt.solver.solve import solve as run

    instance = read_instance(file)
    began = time.perf_counter()
    history: list[tuple[float, int, int]] = []
    nodes = math.inf if node_limit is None else node_limit
    with interruptible(time_limit, nodes) as limit, status_line(f"solving {file.name}") as status:

        def report(bracket: Result) -> None:
            gap = 100 * (1 - bracket.lower_bound / bracket.objective)
            found = f"{optimum_text(bracket)}, gap {gap:.2f} %"
            status(f"{found}, {bracket.bound_from}, {limit.nodes} nodes")
            ends = (bracket.lower_bound, bracket.objective)
            if not history or history[-1][1:] != ends:
                history.append((round(time.perf_counter() - began, 3), *ends))

        result = run(instance, limit, report=report)
        report(result)
    certified = None
    if certificate is not None:
        from kvopt.certificates.write import certify, write_certificate

        with status_line(f"proving {optimum_text(result)}"):
            proved = certify(result, limit.rest(time_limit))
        result, certified = proved.result, proved.lower_bound
        write_certificate(certificate, proved.content)
        if certified < result.lower_bound:
            complain(
                f"{certificate}: proves the lower bound {certified}; that of {result.lower_bound}"
                f" is the word of {result.bound_from}",
                DONE,
            )
    if output is not None:
        write_schedule(output, result.schedule)
    if as_json:
        answer = {**solve_object(result), "instance": label(instance, file), "history": history}
        if certified is not None:
            answer["certified_lower_bound"] = certified
        print_json(answer)
    else:
        click.echo(f"status       {result.status.value}")
        click.echo(f"objective    {result.objective}")
        click.echo(f"lower bound  {result.lower_bound} ({result.bound_from})")
        if result.status is Status.BRACKET:
            click.echo(f"gap          {100 * (1 - result.lower_bound / result.objective):.2f} %")
        if certified is not None:
            click.echo(f"certified    {certified}")
        click.echo(f"seconds      {result.seconds:.2f}")
    return limit.code
