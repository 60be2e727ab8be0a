"""Commands that say what is proved and what there is: bounds, slices, policies."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import click

from kvopt.cli import options
from kvopt.cli.interrupts import DONE, interruptible
from kvopt.cli.options import (
    TOKENS,
    as_json,
    as_wide,
    complain,
    output_file,
    print_json,
    table_form,
    table_forms,
)
from kvopt.model.breaking_off import run_within
from kvopt.model.errors import InputError, StoppedError
from kvopt.model.rows import to_csv
from kvopt.policies import POLICIES
from kvopt.policies.policy import parameter_text, parameters
from kvopt.theory.pipeline import SPACINGS
from kvopt.theory.quadratic import Exact

__all__ = ["bounds", "policies", "slices"]


@click.command(short_help="List every proved bound on a competitive ratio.")
@click.option("--alpha", type=options.alpha, help="Evaluate the bounds that depend on alpha here.")
@table_forms
@as_wide
def bounds(alpha: Exact | None, wide: bool) -> int:
    """List every proved bound on a competitive ratio, with source and scope.

    Bounds are upper bounds unless ">=" says otherwise. With --wide there are formulas
    and sources too.
    """
    from kvopt.report.markup import Table
    from kvopt.report.tables import bound_cells, bound_row, bound_table
    from kvopt.theory.theorems import THEOREMS

    form = table_form()
    if form == "json":
        print_json({"bounds": [bound_row(theorem, alpha) for theorem in THEOREMS]})
    elif form == "csv":
        click.echo(to_csv([bound_row(theorem, alpha) for theorem in THEOREMS]), nl=False)
    elif form == "text":
        click.echo(bound_table(THEOREMS, alpha, wide))
    else:
        click.echo(Table(*bound_cells(THEOREMS, alpha, wide), "lr").markup(form))
    return DONE


@click.command()
@click.option("--memory", type=TOKENS, required=True, help="Memory budget in tokens.")
@click.option("--prompt", type=click.IntRange(0), default=0, help="Common prompt length in tokens.")
@click.option(
    "--spacing", type=click.Choice(list(SPACINGS)), default="sps", help="Distance of starts."
)
@options.time_limit_option(None, "the computation may take; no limit by default")
@click.option("-o", "--output", type=output_file, help="Write the certificate to this file.")
@as_json
def slices(
    memory: int,
    prompt: int,
    spacing: str,
    time_limit: float | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Find slices for GSA with a proved ratio, and certify it.

    These are the slices of gsa:slices=certified; `kvopt verify` checks the certificate.
    """
    from kvopt.model.files import write_text
    from kvopt.model.formats import text_of
    from kvopt.theory.decimals import rounded_up
    from kvopt.theory.slice_plans import best_plan, plan_to_json

    if prompt >= memory:
        raise InputError(f"prompt: must be less than the memory {memory}, got {prompt}")
    with interruptible(time_limit, at_once=True) as limit:
        try:
            plan = run_within(limit, lambda: best_plan(prompt, memory, spacing))
        except StoppedError:
            what, code = limit.end
            return complain(f"{what}; no slices were found", code)
    content = plan_to_json(plan)
    if output is not None:
        write_text(output, text_of(content))
    if as_json:
        print_json({**content, "bound_float": float(plan.bound)})
    else:
        click.echo(f"slices       {', '.join(map(str, plan.slices))}")
        click.echo(f"ratio        at most {rounded_up(plan.bound, 6)}")
        click.echo(f"area weight  {plan.area_weight}")
    return DONE


@click.command()
@table_forms
@as_wide
def policies(wide: bool) -> int:
    """List the policies and their parameters."""
    form = table_form()
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
    if form == "json":
        print_json({"policies": rows})
        return DONE
    if form != "text":
        _print_policies(rows, form)
        return DONE
    width = sys.maxsize if wide else 80
    for row in rows:
        kind = "clairvoyant" if row["clairvoyant"] else "non-clairvoyant"
        click.echo(f"{row['name']:<16} {kind}")
        about = [
            f"{key}: {a['about']}; default {a['default']}" for key, a in row["parameters"].items()
        ]
        for text in (row["about"], *about):
            click.echo(
                textwrap.fill(
                    text,
                    width,
                    initial_indent="    ",
                    subsequent_indent="        ",
                    break_on_hyphens=False,
                    break_long_words=False,
                )
            )
    return DONE


def _print_policies(rows: list[dict[str, Any]], form: str) -> None:
    """Print the policies as a table in which a row is a parameter; without any, a policy."""
    from kvopt.report.markup import Table

    columns = ("policy", "kind", "parameter", "default", "about")
    cells = []
    for row in rows:
        kind = "clairvoyant" if row["clairvoyant"] else "non-clairvoyant"
        cells.append([row["name"], kind, "", "", row["about"]])
        for key, a in row["parameters"].items():
            cells.append([row["name"], kind, key, str(a["default"]), a["about"]])
    if form == "csv":
        click.echo(to_csv([dict(zip(columns, one, strict=True)) for one in cells]), nl=False)
    else:
        click.echo(Table(columns, cells).markup(form))
