"""Commands that compare: ratio, bounds, slices, policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kvopt.cli import options
from kvopt.cli.options import (
    DONE,
    FAILED,
    INTERRUPTED,
    PATH,
    TOKENS,
    as_csv,
    as_json,
    complain,
    output_file,
    policies_option,
    print_json,
    read_instances,
    time_limit_option,
)
from kvopt.cli.terminal import interruptible, progress_bar
from kvopt.model.errors import InputError
from kvopt.policies import POLICIES, Policy
from kvopt.policies.policy import parameter_text, parameters
from kvopt.theory.pipeline import SPACINGS
from kvopt.theory.quadratic import Exact

__all__ = ["bounds", "policies", "ratio", "slices"]


@click.command()
@click.argument("paths", type=PATH, nargs=-1, required=True)
@policies_option()
@time_limit_option(10, "for an instance")
@as_json
@as_csv
def ratio(
    paths: tuple[Path, ...], policies: list[Policy], time_limit: float, as_json: bool, as_csv: bool
) -> int:
    """Compare policies to the optimum, and their ratios to what is proved."""
    from kvopt.comparison.ratio import Verdict, compare
    from kvopt.report.tables import (
        bound_texts,
        optimum_text,
        ratio_row,
        ratio_text,
        text_table,
        to_csv,
    )

    instances = read_instances(paths)
    rows: list[dict[str, Any]] = []
    table, failures, violated = [], [], False
    with interruptible() as stop, progress_bar("comparing", len(instances)) as advance_to:
        for i, (name, instance) in enumerate(instances):
            comparison = compare(
                instance,
                policies,
                time_limit,
                stop=stop,
                on_error=lambda error, name=name: failures.append(f"{name}: {error}"),  # type: ignore[misc]
            )
            if stop.interrupted:
                break
            for r in comparison.ratios:
                rows.append(ratio_row(name, r))
                violated |= r.verdict is Verdict.VIOLATES
                facts = [name, r.policy, str(r.cost), optimum_text(comparison.optimum)]
                table.append([*facts, ratio_text(r), *bound_texts(r), r.verdict.value])
            advance_to(i + 1)
    if as_json:
        print_json({"rows": rows})
    elif as_csv:
        click.echo(to_csv(rows), nl=False)
    else:
        heads = ("instance", "policy", "cost", "optimum", "ratio", "bound", "from", "verdict")
        click.echo(text_table(heads, table, right="llrrrrll"))
    for failure in failures:
        complain(failure, FAILED)
    if stop.interrupted:
        return complain(f"interrupted; {len(rows)} rows were done", INTERRUPTED)
    return FAILED if violated or failures else DONE


@click.command()
@click.option("--alpha", type=options.alpha, help="Evaluate the bounds that depend on alpha here.")
@as_json
@as_csv
def bounds(alpha: Exact | None, as_json: bool, as_csv: bool) -> int:
    """List every proved bound on a competitive ratio, with source and scope."""
    from kvopt.report.tables import bound_row, text_table, to_csv
    from kvopt.theory.bounds import THEOREMS

    rows = [bound_row(theorem, alpha) for theorem in THEOREMS]
    if as_json:
        print_json({"bounds": rows})
    elif as_csv:
        click.echo(to_csv(rows), nl=False)
    else:
        heads = ("policy", "bound", "value", "alpha", "regime", "formula", "status", "source")
        table = [
            [
                row["policy"],
                "at most" if row["kind"] == "upper" else "at least",
                "-" if row["bound"] is None else f"{row['bound_float']:.4f}",
                (row["alpha"] or "-").removesuffix("/1"),
                row["regime"],
                row["formula"],
                row["status"],
                row["source"],
            ]
            for row in rows
        ]
        click.echo(text_table(heads, table, right="llr"))
    return DONE


@click.command()
@click.option("--memory", type=TOKENS, required=True, help="Memory budget in tokens.")
@click.option("--prompt", type=click.IntRange(0), default=0, help="Common prompt length in tokens.")
@click.option(
    "--spacing", type=click.Choice(list(SPACINGS)), default="sps", help="Distance of starts."
)
@click.option("-o", "--output", type=output_file, help="Write the certificate to this file.")
@as_json
def slices(memory: int, prompt: int, spacing: str, output: Path | None, as_json: bool) -> int:
    """Find slices for GSA with a proved ratio, and certify it.

    These are the slices of gsa:slices=certified; `kvopt verify` checks the certificate.
    """
    from kvopt.model.files import laid_out, write_text
    from kvopt.theory.slice_plans import best_plan, plan_to_json

    if prompt >= memory:
        raise InputError(f"prompt: must be less than the memory {memory}, got {prompt}")
    plan = best_plan(prompt, memory, spacing)
    content = plan_to_json(plan)
    if output is not None:
        write_text(output, laid_out(content, "") + "\n")
    if as_json:
        print_json({**content, "bound_float": float(plan.bound)})
    else:
        click.echo(f"slices       {', '.join(map(str, plan.slices))}")
        click.echo(f"ratio        at most {float(plan.bound)}")
        click.echo(f"area weight  {plan.area_weight}")
    return DONE


@click.command()
@as_json
def policies(as_json: bool) -> int:
    """List the policies and their parameters."""
    rows: list[dict[str, Any]] = [
        {
            "name": policy.name,
            "clairvoyant": policy().clairvoyant,
            "about": (policy.__doc__ or "").strip().splitlines()[0],
            "parameters": {
                key: {"default": parameter_text(field.default), "about": field.metadata["doc"]}
                for key, field in parameters(policy).items()
            },
        }
        for policy in POLICIES
    ]
    if as_json:
        print_json({"policies": rows})
        return DONE
    for row in rows:
        kind = "clairvoyant" if row["clairvoyant"] else "non-clairvoyant"
        click.echo(f"{row['name']:<8} {kind}")
        click.echo(f"    {row['about']}")
        for key, about in row["parameters"].items():
            click.echo(f"    {key}: {about['about']}; default {about['default']}")
    return DONE
