"""Commands that make instances: import, generate."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from kvopt.cli.arrival_options import arrival_options, arrivals_from
from kvopt.cli.completion import families, formats
from kvopt.cli.interrupts import DONE, Limit, interruptible
from kvopt.cli.options import (
    PATH,
    TOKENS,
    complain,
    note,
    output_file,
    output_path,
    time_limit_option,
)
from kvopt.cli.terminal import status_line
from kvopt.model.breaking_off import run_within
from kvopt.model.errors import InputError, StoppedError
from kvopt.model.files import write_instance
from kvopt.model.instance import MAX_REQUESTS, MAX_TOKENS

__all__ = ["generate", "import_"]

LENGTH = click.IntRange(0, MAX_TOKENS)
COUNT = click.IntRange(0, 2**63 - 1)


@click.command("import", short_help="Make an instance of a request trace.")
@click.argument("format_name", metavar="FORMAT", shell_complete=formats)
@click.argument("file", type=PATH)
@click.option("--memory", type=TOKENS, required=True, help="Memory budget in tokens.")
@click.option("--requests", type=click.IntRange(1, MAX_REQUESTS), help="Keep the first so many.")
@click.option(
    "--sample",
    type=COUNT,
    metavar="SEED",
    help="Keep --requests rows drawn at random from all acceptable ones, in file order.",
)
@click.option("--skip", type=COUNT, default=0, help="Pass over the first so many rows.")
@click.option("--prompt", type=LENGTH, help="Use this prompt length for all.")
@click.option("--min-prompt", type=LENGTH, default=0, help="Skip rows with shorter prompts.")
@click.option("--max-prompt", type=LENGTH, default=MAX_TOKENS, help="Skip rows with longer ones.")
@click.option("--min-output", type=LENGTH, default=0, help="Skip rows with shorter outputs.")
@click.option("--max-output", type=LENGTH, default=MAX_TOKENS, help="Skip rows with longer ones.")
@click.option(
    "--start-tokens",
    type=LENGTH,
    default=0,
    help="Take so many off both lengths of each row, before anything looks at them.",
)
@click.option("--round-up-pow2", is_flag=True, help="Round outputs up to powers of two.")
@click.option(
    "--oversize",
    type=click.Choice(["refuse", "drop"]),
    default="refuse",
    show_default=True,
    help="What to do about a row that exceeds the memory even alone.",
)
@arrival_options
@click.option("--name", default="", help="Name of the instance; by default that of the file.")
@time_limit_option(None, "reading may take; no limit by default")
@click.option("-o", "--output", type=output_file, required=True, help="The instance file to write.")
def import_(
    format_name: str,
    file: Path,
    memory: int,
    name: str,
    time_limit: float | None,
    output: Path,
    **selection: Any,
) -> int:
    """Make an instance of a request trace: FILE, plain or gzip, of any size.

    FORMAT is one of

    \b
    lengths   CSV: prompt_tokens, output_tokens
              and, optional, arrival_ms
    azure     CSV: ContextTokens, GeneratedTokens
              TIMESTAMP (date and time)
    burstgpt  CSV: Request tokens, Response tokens
              Timestamp (seconds)
    mooncake  JSON Lines: input_length, output_length
              timestamp (milliseconds)
    vidur     CSV: num_prefill_tokens, num_decode_tokens
              arrived_at (seconds)

    Columns are found by name.  A row with an output of 0 tokens is an error that
    --min-output 1 avoids; in burstgpt it is a failed request, left out and counted.
    Where a trace counts a start-of-sequence token in both lengths, as that of
    LMSYS-Chat-1M does, --start-tokens 1 takes it off.

    Times of arrival are used with --arrivals only.  They are kept in ms after the first row,
    sorted, and with --round-ms a request is released at the first end of a round at or
    after its arrival.

    The options work in this order: --skip, --from and --until, --start-tokens, the
    filters --min-... and --max-..., --prompt, --round-up-pow2, --oversize, --requests or
    --sample.
    A sample is uniform and without replacement, the same for the same seed.
    """  # noqa: D301 - a backspace tells click to keep the lines that follow
    from kvopt.traces import FORMATS, Import, Selection, import_trace

    known = {format.name: format for format in FORMATS}
    if format_name not in known:
        raise InputError(f"FORMAT: must be one of {', '.join(known)}, got {format_name!r}")
    format, chosen = known[format_name], Selection(arrivals=arrivals_from(selection), **selection)
    with interruptible(time_limit, at_once=True) as limit, status_line("importing") as status:

        def read() -> Import:
            return import_trace(
                format, file, memory, chosen, name, lambda rows: status(f"{rows:,} rows read")
            )

        try:
            imported = run_within(limit, read)
        except StoppedError:
            what, code = limit.end
            return complain(f"{what}; nothing was written", code)
    write_instance(output, imported.instance)
    after = f" after the first {chosen.skip}" if chosen.skip else ""
    failures = f", {imported.failures} failures left out" if format.failures else ""
    note(
        f"{output}: {len(imported.instance)} requests from {imported.read} rows read{after},"
        f" {imported.skipped} skipped by the filters,"
        f" {imported.dropped} dropped as too large for the memory{failures}"
    )
    if imported.times:
        note(f"{output}: {imported.times}")
    return DONE


@click.command()
@click.argument("family", shell_complete=families)
@click.option("--count", type=click.IntRange(1, 100_000), default=1, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@time_limit_option(None, "for all instances; no limit by default")
@click.option(
    "-o",
    "--output",
    type=output_path,
    required=True,
    help="A file for one instance, a folder for more.",
)
def generate(family: str, count: int, seed: int, time_limit: float | None, output: Path) -> int:
    """Make instances of a FAMILY.

    Random families: tiny, small, model1, long, alike, real.  Parametric ones: two-point,
    identical, late-short, equal-areas, slice-boundary.  Both take parameters,
    NAME:key=value:...; those of the random ones are requests, memory, prompt, output and
    (alike) types, each a number or a range LOW..HIGH, as in
    model1:requests=24:memory=100..200.  Those of real are in the image of traces: its kind
    is chat, capped, code, conversation, long or mixed, as in real:kind=code:requests=100,
    and ranges of prompt and output cap the lengths.

    Every random family has release times with arrivals=poisson or arrivals=bursty (gaps
    by a Gamma distribution; cv=3 is their coefficient of variation), and load=0.9: the
    arrival rate per round times the mean area of a request over the memory.
    """
    from kvopt.generate import family_from_spec, generate_random

    one = count == 1 and not output.is_dir()
    with interruptible(time_limit, at_once=one) as limit:
        try:
            found = run_within(limit, lambda: family_from_spec(family))
            if not isinstance(found, str):
                if count != 1:
                    raise InputError(f"--count: must be 1 for {family}, got {count}")
                write_instance(output / f"{found.name}.json" if output.is_dir() else output, found)
                return DONE
            if one:
                write_instance(output, run_within(limit, lambda: generate_random(found, seed, 0)))
                return DONE
        except StoppedError:
            what, code = limit.end
            return complain(f"{what}; nothing was written", code)
        return _generate_many(found, count, seed, output, limit)


def _generate_many(family: str, count: int, seed: int, output: Path, limit: Limit) -> int:
    """Write random instances into a folder, as many as there is time for."""
    from kvopt.generate import generate_random

    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be made a folder: {error.strerror}") from None
    made = 0
    try:
        while made < count:
            instance = run_within(limit, partial(generate_random, family, seed, made))
            write_instance(output / f"{instance.name}.json", instance)
            made += 1
    except StoppedError:
        what, code = limit.end
        return complain(f"{what}; {made} of {count} files were made", code)
    return DONE
