"""The command that runs one policy on one instance: simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kvopt.cli.completion import PolicyText
from kvopt.cli.interrupts import DONE, FAILED, interruptible
from kvopt.cli.metric_options import MetricOptions, metric_options
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
from kvopt.cli.terminal import progress_bar
from kvopt.model.errors import InputError, StoppedError
from kvopt.model.files import read_instance, write_schedule
from kvopt.model.formats import attempt_rows
from kvopt.model.text import NAME, one_line
from kvopt.policies import policy_from_spec, spec_of

__all__ = ["simulate"]

ATTEMPTS_SHOWN = 10_000
"""Up to this many attempts are printed without being asked for."""


@click.command()
@click.argument("file", type=PATH)
@click.option(
    "--policy",
    "spec",
    type=PolicyText(several=False),
    required=True,
    help="NAME or NAME:key=value:key=value.",
)
@click.option("--param", "params", multiple=True, metavar="K=V", help="A parameter of the policy.")
@click.option("--attempts", "show", is_flag=True, help="Print the attempts, however many.")
@click.option("-o", "--output", type=output_file, help="Write the schedule to this file.")
@time_limit_option(None, "the policy may take; no limit by default")
@metric_options
@as_json
def simulate(
    file: Path,
    spec: str,
    params: tuple[str, ...],
    show: bool,
    output: Path | None,
    time_limit: float | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Run a policy on an instance.

    With --clock, requests arrive at their arrival_ms (see import --arrivals), each is seen at
    the first end of a round at or after that, and metrics are in ms.
    """
    from kvopt.report.metric_tables import write_metrics
    from kvopt.report.tables import text_table

    wanted = MetricOptions.taken_from(options)
    beside = reports_beside(as_json, output)
    policy = policy_from_spec(":".join((spec, *params)))
    instance = read_instance(file)
    what = f"simulating {spec_of(policy)}"
    try:
        with (
            interruptible(time_limit) as limit,
            progress_bar(what, len(instance)) as advance_to,
        ):
            schedule, measured = wanted.run(instance, policy, advance_to, limit)
    except InputError as error:
        raise error.within(str(file)) from None
    except StoppedError as error:
        if limit.interrupted:
            return complain(limit.what, limit.code)
        if as_json:
            facts = {"instance": label(instance, file), "policy": spec_of(policy)}
            totals = {"total_completion_time": None}
            if instance.has_releases and wanted.clock is None:
                totals["total_latency"] = None
            print_json({**facts, **totals, "reason": str(error)})
        return complain(str(error), FAILED)
    if output is not None:
        write_schedule(output, schedule)
    if wanted.output is not None:
        write_metrics(wanted.output, measured)
    summary: dict[str, Any] = {
        "instance": label(instance, file),
        "policy": spec_of(policy),
        "total_completion_time": schedule.total_completion_time(),
        **wanted.totals(schedule, measured),
        "peak_memory": schedule.peak_memory(),
        "kills": schedule.kills,
    }
    if as_json:
        if wanted.shown:
            summary["metrics"] = wanted.summary(measured)
        summary["completion_times"] = schedule.completion_times().tolist()
        if wanted.clock is not None:
            summary["completion_ms"] = measured.rows()["completion"].tolist()
        if show or len(schedule) <= ATTEMPTS_SHOWN:
            summary["attempts"] = attempt_rows(schedule)
        print_json(summary)
        return DONE
    for key, value in summary.items():
        click.echo(f"{key.replace('_', ' '):<22} {one_line(value, NAME)}", err=beside)
    click.echo(f"{'attempts':<22} {len(schedule)}", err=beside)
    if wanted.shown:
        wanted.show(measured, beside)
    if show:
        rows = [[*map(str, row[:3]), "killed" if row[3] else ""] for row in attempt_rows(schedule)]
        click.echo(text_table(("request", "start", "end", ""), rows, right="rrr"), err=beside)
    return DONE
