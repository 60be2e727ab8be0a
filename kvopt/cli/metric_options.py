"""The options of simulate that are about metrics."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kvopt.cli.options import output_file
from kvopt.model.errors import InputError
from kvopt.model.instance import abridged
from kvopt.report.metric_tables import check_metrics_file
from kvopt.simulation.clock import Clock, clock_from_spec, spec_of_clock
from kvopt.simulation.metrics import limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvopt.model.instance import Instance
    from kvopt.model.schedule import Schedule
    from kvopt.model.stopping import Stopping
    from kvopt.policies import Policy
    from kvopt.simulation.metrics import Metrics

__all__ = ["MetricOptions", "metric_options"]

Limits = tuple[Fraction, Fraction]


def metrics_file(text: str) -> Path:
    """Read the name of a file for metrics, refused at once if it cannot be written; for click."""
    path = output_file(text)
    check_metrics_file(path)
    return path


def goodput_limits(text: str) -> Limits:
    """Read TTFT,TPOT; for click."""
    parts = text.split(",")
    if len(parts) != 2:
        raise InputError(f"--goodput: must be TTFT,TPOT, got {abridged(text)}")
    ttft, tpot = (
        limit(part, f"--goodput: {name}")
        for part, name in zip(parts, ("TTFT", "TPOT"), strict=True)
    )
    return ttft, tpot


OPTIONS = (
    click.option(
        "--metrics",
        "metrics",
        is_flag=True,
        help="Measure latency, time to first token and per output token, slowdown.",
    ),
    click.option(
        "--metrics-output",
        "metrics_output",
        type=metrics_file,
        metavar="FILE",
        help="Write these for each request to a .csv or .parquet file.",
    ),
    click.option(
        "--goodput",
        type=goodput_limits,
        metavar="TTFT,TPOT",
        help="Give the share of requests that keep both limits, in rounds or, by a clock, ms.",
    ),
    click.option(
        "--clock",
        type=clock_from_spec,
        metavar="SPEC",
        help="Let rounds take time: linear:c0=..:c1=..:c2=..:c3=.. or tiled:c=..:a=..:b0=.. in ms.",
    ),
)


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """What is asked for about metrics.

    Parameters
    ----------
    shown
        Whether to show them.
    output
        The file to write a row for each request to, or None.
    goodput
        Limits of the time to first token and per output token, or None.
    clock
        How long rounds take, or None to count rounds.
    """

    shown: bool
    output: Path | None
    goodput: Limits | None
    clock: Clock | None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> MetricOptions:
        """Take the values of the options out of all."""
        output, goodput = given.pop("metrics_output"), given.pop("goodput")
        shown = given.pop("metrics") or goodput is not None
        return cls(shown, output, goodput, given.pop("clock"))

    def run(
        self,
        instance: Instance,
        policy: Policy,
        progress: Callable[[int], None],
        stop: Stopping,
    ) -> tuple[Schedule, Metrics]:
        """Run a policy, by the clock if there is one, and measure what it did."""
        from kvopt.simulation.by_clock import simulate_by_clock
        from kvopt.simulation.metrics import metrics
        from kvopt.simulation.simulate import simulate

        if self.clock is None:
            schedule = simulate(instance, policy, progress, stop=stop)
            return schedule, metrics(schedule)
        schedule, times = simulate_by_clock(instance, policy, self.clock, progress, stop)
        return schedule, metrics(schedule, times)

    def totals(self, schedule: Schedule, measured: Metrics) -> dict[str, Any]:
        """Return the total latency, where that is not the total completion time."""
        if self.clock is None:
            has_releases = schedule.instance.has_releases
            return {"total_latency": schedule.total_latency()} if has_releases else {}
        return {
            "clock": spec_of_clock(self.clock),
            "total_latency_ms": float(measured.total_latency),
            "makespan_ms": float(measured.makespan),
        }

    def summary(self, measured: Metrics) -> dict[str, Any]:
        """Return what to say of a schedule, as one JSON object."""
        summary = measured.summary()
        if self.goodput is not None:
            ttft, tpot = self.goodput
            summary["goodput"] = measured.goodput(ttft, tpot)
            summary["goodput_limits"] = {"ttft": float(ttft), "tpot": float(tpot)}
        return summary

    def show(self, measured: Metrics, beside: bool) -> None:
        """Print it as a table; on stderr if stdout is taken."""
        from kvopt.report.metric_tables import metrics_table

        click.echo(err=beside)
        click.echo(metrics_table(measured), err=beside)
        summary = self.summary(measured)
        click.echo(err=beside)
        click.echo(f"{'wasted token-rounds':<22} {summary['wasted_token_rounds']}", err=beside)
        click.echo(f"{'memory utilisation':<22} {summary['memory_utilisation']:.3f}", err=beside)
        if self.goodput is not None:
            ttft, tpot = map(float, self.goodput)
            words = f"TTFT <= {ttft:g} and TPOT <= {tpot:g} {measured.unit}"
            click.echo(f"{'goodput':<22} {summary['goodput']:.3f} ({words})", err=beside)


def metric_options(command: Any) -> Any:
    """Give a command the options on metrics."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
