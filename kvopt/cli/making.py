"""Commands that make files: import, generate, plot."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from kvopt.cli.options import DONE, PATH, TOKENS, complain
from kvopt.errors import InputError
from kvopt.files import write_instance
from kvopt.instance import MAX_REQUESTS, MAX_TOKENS

__all__ = ["generate", "import_", "plot"]

LENGTH = click.IntRange(0, MAX_TOKENS)


@click.command("import")
@click.argument("format_name", metavar="FORMAT")
@click.argument("file", type=PATH)
@click.option("--memory", type=TOKENS, required=True, help="Memory budget in tokens.")
@click.option("--requests", type=click.IntRange(1, MAX_REQUESTS), help="Keep the first so many.")
@click.option("--prompt", type=LENGTH, help="Use this prompt length for all.")
@click.option("--min-prompt", type=LENGTH, default=0, help="Skip rows with shorter prompts.")
@click.option("--max-prompt", type=LENGTH, default=MAX_TOKENS, help="Skip rows with longer ones.")
@click.option("--min-output", type=LENGTH, default=0, help="Skip rows with shorter outputs.")
@click.option("--max-output", type=LENGTH, default=MAX_TOKENS, help="Skip rows with longer ones.")
@click.option(
    "--oversize",
    type=click.Choice(["refuse", "drop"]),
    default="refuse",
    show_default=True,
    help="What to do about a row that exceeds the memory even alone.",
)
@click.option("--name", default="", help="Name of the instance; by default that of the file.")
@click.option("-o", "--output", type=PATH, required=True, help="The instance file to write.")
def import_(
    format_name: str,
    file: Path,
    memory: int,
    requests: int | None,
    prompt: int | None,
    min_prompt: int,
    max_prompt: int,
    min_output: int,
    max_output: int,
    oversize: Literal["refuse", "drop"],
    name: str,
    output: Path,
) -> int:
    """Make an instance of a request trace: FORMAT is lengths or azure, FILE plain or gzip."""
    from kvopt.traces import FORMATS, Selection, import_trace

    known = {format.name: format for format in FORMATS}
    if format_name not in known:
        raise InputError(f"FORMAT: must be one of {', '.join(known)}, got {format_name!r}")
    selection = Selection(
        requests, prompt, min_prompt, max_prompt, min_output, max_output, oversize
    )
    imported = import_trace(known[format_name], file, memory, selection, name)
    write_instance(output, imported.instance)
    return complain(
        f"{output}: {len(imported.instance)} requests from {imported.read} rows read,"
        f" {imported.skipped} skipped by the filters,"
        f" {imported.dropped} dropped as too large for the memory",
        DONE,
    )


@click.command()
@click.argument("family")
@click.option("--count", type=click.IntRange(1, 100_000), default=1, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option(
    "-o", "--output", type=PATH, required=True, help="A file for one instance, a folder for more."
)
def generate(family: str, count: int, seed: int, output: Path) -> int:
    """Make instances of a FAMILY.

    Random families: tiny, small, model1, long, alike.  Parametric ones, written
    NAME:key=value:...: two-point, identical, slice-boundary.
    """
    from kvopt.generate import family_from_spec, generate_random

    found = family_from_spec(family)
    if not isinstance(found, str):
        if count != 1:
            raise InputError(f"--count: must be 1 for {family}, got {count}")
        write_instance(output / f"{found.name}.json" if output.is_dir() else output, found)
        return DONE
    instances = [generate_random(found, seed, number) for number in range(count)]
    if count == 1 and not output.is_dir():
        write_instance(output, instances[0])
        return DONE
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be made a folder: {error.strerror}") from None
    for instance in instances:
        write_instance(output / f"{instance.name}.json", instance)
    return DONE


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def plot(arguments: tuple[str, ...]) -> int:
    """Draw schedules (not in this version)."""
    raise InputError("plot: this version of kvopt cannot draw plots yet")
