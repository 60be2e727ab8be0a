"""The command that searches for bad instances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import kvopt
from kvopt.cli import options
from kvopt.cli.options import (
    DONE,
    FAILED,
    INTERRUPTED,
    PATH,
    as_json,
    complain,
    output_file,
    print_json,
)
from kvopt.cli.terminal import interruptible, status_line
from kvopt.files import instance_to_json, write_instance
from kvopt.instance import Instance
from kvopt.policies import policy_from_spec
from kvopt.quadratic import format_exact

__all__ = ["search"]

VERIFY_SECONDS, VERIFY_SECONDS_INTERRUPTED = 60, 3
"""How long the exact solver may take on the worst instance found, the latter after Ctrl-C."""


@click.command()
@click.option("--policy", "spec", required=True, help="The policy that is to do badly.")
@click.option("--against", help="Compare it to this policy instead of the optimum.")
@click.option(
    "--requests",
    type=click.IntRange(1, 1000),
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
@click.option(
    "--budget",
    "seconds",
    type=options.seconds,
    default=30,
    show_default=True,
    help="Seconds to search; up to a minute is added to verify the worst instance found.",
)
@click.option("--restarts", type=click.IntRange(1), help="Stop after this many restarts.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--store", "store_path", type=PATH, help="Keep restarts in this file, and resume.")
@click.option("--executor", default="local", show_default=True, help="local or processes=N.")
@click.option("-o", "--output", type=output_file, help="Write the worst instance to this file.")
@as_json
def search(
    spec: str,
    against: str | None,
    requests: int,
    memory: int,
    seconds: float,
    restarts: int | None,
    seed: int,
    store_path: Path | None,
    executor: str,
    output: Path | None,
    as_json: bool,
) -> int:
    """Search for an instance on which a policy does badly, and verify the worst found."""
    from kvopt.adversary import Hunt, Limits, Unit, improvements
    from kvopt.adversary import search as run
    from kvopt.executors import workers_from_spec
    from kvopt.store import Store

    for text in filter(None, (spec, against)):
        policy_from_spec(text)
    hunt = Hunt(spec, against, Limits(requests, memory), seed)
    store = Store(store_path, kvopt.__version__) if store_path else None
    done = store.units(hunt) if store else []
    seen = list(done)
    with (
        workers_from_spec(executor) as workers,
        interruptible(seconds) as budget,
        status_line(f"searching the worst for {spec}") as status,
    ):

        def on_unit(unit: Unit) -> None:
            if store and unit.complete:
                store.add(hunt, unit)
            seen.append(unit)
            if finds := improvements(seen):
                status(f"{len(seen)} restarts, ratio {float(finds[-1].ratio):.4f}")

        units = run(
            hunt,
            budget,
            units=restarts,
            done=done,
            on_unit=on_unit,
            workers=workers,
        )
    finds = improvements(units)
    if not finds:
        code = INTERRUPTED if budget.interrupted else FAILED
        return complain("the budget was over before anything was found", code)
    worst = finds[-1].candidate.instance(name=f"worst for {spec}")
    facts: dict[str, Any] = {"policy": spec, "against": against, "seed": seed}
    if against is None:
        limit = VERIFY_SECONDS_INTERRUPTED if budget.interrupted else VERIFY_SECONDS
        text = _verify(worst, spec, facts, limit)
    else:
        facts |= {"cost": finds[-1].cost, "against_cost": finds[-1].reference}
        facts |= {"ratio": format_exact(finds[-1].ratio), "ratio_float": float(finds[-1].ratio)}
        text = f"{facts['ratio']} = {facts['ratio_float']:.4f} times {against}"
    if output is not None:
        write_instance(output, worst)
    evaluations = sum(unit.evaluations for unit in units)
    if as_json:
        facts |= {"restarts": len(units), "evaluations": evaluations}
        facts["instance"] = instance_to_json(worst)
        facts["history"] = [
            {
                "restart": find.unit,
                "evaluation": find.evaluation,
                "ratio": format_exact(find.ratio),
                "ratio_float": float(find.ratio),
                "instance": instance_to_json(find.candidate.instance()),
            }
            for find in finds
        ]
        print_json(facts)
    else:
        groups = ", ".join(f"{o} x {c}" for _, o, c in worst.groups())
        click.echo(f"worst ratio  {text}")
        click.echo(f"instance     M = {worst.memory}, s = {worst.prompts[0]}, outputs {groups}")
        click.echo(f"searched     {evaluations} instances in {len(units)} restarts")
    return INTERRUPTED if budget.interrupted else DONE


def _verify(worst: Instance, spec: str, facts: dict[str, Any], limit: float) -> str:
    """Bracket the ratio on the worst instance; add it to the facts and return it as text."""
    from kvopt.ratio import compare
    from kvopt.report import ratio_row, ratio_text

    with interruptible(limit) as budget, status_line("verifying"):
        comparison = compare(worst, [policy_from_spec(spec)], budget)
    ratio = comparison.ratios[0]
    facts |= {"ratio": format_exact(ratio.low), "ratio_float": float(ratio.low)}
    row = ratio_row(worst.name, ratio)
    facts |= {key: value for key, value in row.items() if key not in ("instance", "policy")}
    facts["status"] = comparison.optimum.status.value
    return f"{format_exact(ratio.low)} = {ratio_text(ratio)} times the optimum"
