"""The command that searches for bad instances."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kvopt.cli import options
from kvopt.cli.completion import PolicyText
from kvopt.cli.interrupts import DONE, FAILED, Limit, exit_code, interruptible
from kvopt.cli.options import PATH, as_json, complain, output_file, print_json, reports_beside
from kvopt.cli.search_report import Report, check_picture
from kvopt.cli.terminal import status_line
from kvopt.model.breaking_off import run_within
from kvopt.model.errors import InputError
from kvopt.model.files import write_instance
from kvopt.model.text import counted
from kvopt.policies import policy_from_spec

if TYPE_CHECKING:
    from kvopt.adversary import Record, SearchConfiguration, WorkUnit
    from kvopt.adversary.store import Store

__all__ = ["search"]

CHECK_SECONDS = 60
"""How long it may take to compute anew what is reported of a store."""

METHODS = ("local", "exhaustive", "families")


@click.command(short_help="Search for an instance on which a policy does badly.")
@click.option(
    "--policy",
    "spec",
    type=PolicyText(several=False),
    required=True,
    help="The policy that is to do badly.",
)
@click.option(
    "--against",
    type=PolicyText(several=False),
    help="Compare it to this policy instead of the optimum.",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="local",
    show_default=True,
    help="Climb from random instances; try all there are; or mix few types in large numbers.",
)
@click.option(
    "--requests",
    type=click.IntRange(1, 1_000_000),
    default=8,
    show_default=True,
    help="Largest number of requests.",
)
@click.option(
    "--memory",
    type=click.IntRange(1, 100_000),
    default=16,
    show_default=True,
    help="Largest memory budget in tokens.",
)
@click.option("--mixed", is_flag=True, help="Let prompt lengths differ.")
@click.option(
    "--arrivals",
    type=click.IntRange(0, 1_000_000),
    default=0,
    show_default=True,
    help="Latest release time in rounds; 0: all requests are there from the start.",
)
@click.option(
    "--score",
    type=click.Choice(("exact", "feasible")),
    default="exact",
    show_default=True,
    help="What small instances are compared to while climbing: the optimum or a good schedule.",
)
@click.option(
    "--time-limit",
    "--budget",
    "seconds",
    type=options.seconds,
    default=30,
    show_default=True,
    help="Seconds to search; verifying the worst found may take as long again, 10 to 60.",
)
@click.option("--restarts", type=click.IntRange(1), help="Stop after this many units of work.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--store", "store_path", type=PATH, help="Keep units of work here, and resume.")
@click.option(
    "--executor",
    default="local",
    show_default=True,
    help="local, processes=N or dask=ADDRESS.",
)
@click.option("-o", "--output", type=output_file, help="Write the worst instance to this file.")
@click.option("--plot", "picture", type=output_file, help="Draw where its cost comes from.")
@as_json
def search(
    spec: str,
    against: str | None,
    method: str,
    requests: int,
    memory: int,
    mixed: bool,
    arrivals: int,
    score: str,
    seconds: float,
    restarts: int | None,
    seed: int,
    store_path: Path | None,
    executor: str,
    output: Path | None,
    picture: Path | None,
    as_json: bool,
) -> int:
    """Search for an instance on which a policy does badly, and verify the worst found."""
    from kvopt.adversary import Limits, SearchConfiguration, improvements, number_of_units
    from kvopt.adversary.store import Store

    beside = reports_beside(as_json, output)
    for text in filter(None, (spec, against)):
        policy_from_spec(text)
    if picture is not None:
        check_picture(picture)
    exact = against is None and score == "exact"
    limits = Limits(requests, memory, mixed, arrivals=arrivals)
    configuration = SearchConfiguration(spec, against, limits, seed, method, exact)
    store = Store(store_path) if store_path else None
    with interruptible() as limit:
        units, resumed = _run(configuration, limit, seconds, restarts, store, executor)
        records = improvements(units)
        if not records:
            code = exit_code(limit.code, FAILED)
            ended = limit.what if limit.interrupted else "the time was over"
            return complain(f"{ended} before anything was found", code)
        if store:
            run_within(limit.rest(CHECK_SECONDS, 1), lambda: _check(configuration, records, store))
        complete = sum(unit.complete for unit in units)
        report = Report(
            configuration, records, number_of_units(configuration), complete, limit, seconds
        )
        report.verify()
        if store:
            report.keep(store)
        if output is not None:
            write_instance(output, report.worst)
        if picture is not None:
            report.draw(picture)
        if limit.interrupted:
            done = counted(complete, "unit of work was", "units of work were")
            complain(f"{limit.what}; {done} done", limit.code)
        evaluations = sum(unit.evaluations for unit in units)
        ended = _termination(limit, configuration, complete, restarts)
        if as_json:
            print_json(
                {
                    **report.facts,
                    "restarts": len(units),
                    "evaluations": evaluations,
                    "from_store": resumed,
                    "termination": ended,
                }
            )
        else:
            click.echo(report.text(), err=beside)
            searched = f"searched     {evaluations} instances in {counted(len(units), 'unit')}"
            if resumed:
                searched += f", {resumed} of them from the store"
            click.echo(f"{searched}; ended by: {ended}", err=beside)
    return exit_code(limit.code, DONE)


def _termination(
    limit: Limit, configuration: SearchConfiguration, complete: int, restarts: int | None
) -> str:
    """Return why a search has ended."""
    from kvopt.adversary import number_of_units

    if limit.interrupted:
        return "interrupted"
    total = number_of_units(configuration)
    if total is not None and complete >= total:
        return "all units complete"
    return "restarts" if restarts is not None and complete >= restarts else "time limit"


def _check(configuration: SearchConfiguration, records: list[Record], store: Store) -> None:
    """Compute anew what is reported of a store."""
    from kvopt.adversary.score import check_costs

    try:
        check_costs(configuration, records)
    except InputError as error:
        raise error.within(f"{store.path}: is damaged") from None


def _run(
    configuration: SearchConfiguration,
    limit: Limit,
    seconds: float,
    most: int | None,
    store: Store | None,
    executor: str,
) -> tuple[list[WorkUnit], int]:
    """Run the units of a search; return them, and how many came from the store."""
    from kvopt.adversary import number_of_units, prepare
    from kvopt.adversary import search as run
    from kvopt.adversary.progress import Progress
    from kvopt.parallel.executors import workers_from_spec

    with (
        workers_from_spec(executor, ["kvopt.adversary.run"]) as workers,
        store.ledger(configuration) if store else nullcontext() as ledger,
        status_line(f"searching the worst for {configuration.policy}") as status,
    ):
        status("preparing")
        with limit.uncharged():
            prepare(configuration)
        stop = limit.part(seconds)
        total = min(
            (n for n in (most, number_of_units(configuration)) if n is not None), default=None
        )
        done = ledger.units() if ledger else []
        progress = Progress(total, done, stop)

        here = itertools.count()

        def on_unit(unit: WorkUnit) -> None:
            next(here)
            progress.add(unit)
            status(str(progress))

        units = run(
            configuration,
            stop,
            units=most,
            done=done,
            on_unit=on_unit,
            workers=workers,
            ledger=ledger,
        )
        return units, len(units) - next(here)
