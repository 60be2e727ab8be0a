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
from kvopt.simulation.metrics import limit

if TYPE_CHECKING:
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
    """

    shown: bool
    output: Path | None
    goodput: Limits | None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> MetricOptions:
        """Take the values of the options out of all."""
        output, goodput = given.pop("metrics_output"), given.pop("goodput")
        return cls(given.pop("metrics") or goodput is not None, output, goodput)

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
