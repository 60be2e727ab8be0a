"""Option types and small helpers that the commands share."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from kvopt.cli.completion import PolicyText
from kvopt.cli.interrupts import DONE
from kvopt.cli.terminal import is_quiet
from kvopt.model.errors import InputError
from kvopt.model.files import STDOUT, check_writable
from kvopt.model.instance import MAX_TOKENS, Instance
from kvopt.model.text import NAME, one_line
from kvopt.policies import policies_of
from kvopt.theory.quadratic import Exact, parse_exact

__all__ = [
    "PATH",
    "TOKENS",
    "alpha",
    "as_json",
    "as_wide",
    "complain",
    "label",
    "note",
    "output_file",
    "output_path",
    "policies_option",
    "print_json",
    "reports_beside",
    "seconds",
    "table_form",
    "table_forms",
    "time_limit_option",
]


class FilePath(click.Path):
    """A path that a file can have; the operating system is not asked for others."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; raise InputError if no file can have it."""
        if value == "":  # Path makes the current folder of it
            raise click.BadParameter("must not be empty")
        try:
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                os.lstat(value)
        except OSError as error:
            raise InputError(f"{value}: cannot be used: {error.strerror}") from None
        except ValueError:  # a NUL, or what no file system can encode
            raise InputError(f"{value}: cannot be used: no file can have this name") from None
        return Path(os.fspath(value))


PATH = FilePath(path_type=Path)
TOKENS = click.IntRange(1, MAX_TOKENS)


def output_path(text: str) -> Path:
    """Read the name of a file or folder to write, "-" being stdout; for click."""
    if not text:
        raise click.BadParameter("must not be empty")
    path = STDOUT if text == "-" else Path(text)
    if not os.path.isdir(path):
        check_writable(path)
    return path


def output_file(text: str) -> Path:
    """Read the name of a file to write, refused at once if that cannot be; for click."""
    check_writable(path := output_path(text))
    return path


def reports_beside(as_json: bool, *outputs: Path | None) -> bool:
    """Tell whether the report goes to stderr, as stdout takes an output file.

    Raises
    ------
    click.UsageError
        If stdout would have to take more than one thing.
    """
    number = outputs.count(STDOUT)
    if number + as_json > 1:
        what = "--json and an output file" if as_json else "two output files"
        raise click.UsageError(f"stdout cannot take {what} at once")
    return number > 0


def seconds(text: str | float) -> float:
    """Read a positive, finite number of seconds; an option type for click."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise click.BadParameter(f"must be a positive number of seconds, got {text!r}")
    return value


def alpha(text: str) -> Exact:
    """Read a growth factor, exact; an option type for click."""
    value = parse_exact(text, "--alpha")
    if value <= 1:
        raise InputError(f"--alpha: must be greater than 1, got {text}")
    return value


FORMATS = {
    "json": "Print one JSON object.",
    "csv": "Print comma-separated values.",
    "markdown": "Print a table in Markdown.",
    "latex": "Print a table in LaTeX.",
}
"""In which form results are printed, if not as text, and what the options say of it."""

_FORM = "kvopt.form"


def _chosen(context: click.Context, option: click.Parameter, given: bool) -> bool:
    """Keep the form that an option asks for; refuse two of them together."""
    if given:
        form = str(option.opts[0]).removeprefix("--")
        if (before := context.meta.setdefault(_FORM, form)) != form:
            names = " and ".join(f"--{one}" for one in FORMATS if one in (before, form))
            raise click.UsageError(f"{names}: must not be given together", context)
    return given


as_json = click.option("--json", "as_json", is_flag=True, callback=_chosen, help=FORMATS["json"])
as_wide = click.option("--wide", is_flag=True, help="Give all columns, however wide.")


def table_forms(command: Any) -> Any:
    """Give a command the options --json, --csv, --markdown and --latex; see `table_form`."""
    for form, text in reversed(FORMATS.items()):
        add = click.option(
            f"--{form}", is_flag=True, expose_value=False, callback=_chosen, help=text
        )
        command = add(command)
    return command


def table_form() -> str:
    """Return the form in which the running command is to print: one of `FORMATS`, or "text"."""
    return str(click.get_current_context().meta.get(_FORM, "text"))


def policies_option(
    default: str | None = None, kind: Callable[[str], Any] = policies_of
) -> Callable[[Any], Any]:
    """Return the option --policy for one or more policies, required without a default.

    Its value is what `kind` makes of the text.
    """
    rule: dict[str, Any] = {"default": default, "show_default": True}
    return click.option(
        "--policy",
        "policies",
        type=PolicyText(kind),
        help='Policies, separated by commas: NAME or NAME:key=value:key=value, or "all".',
        **({"required": True} if default is None else rule),
    )


def time_limit_option(default: float | None, what: str) -> Callable[[Any], Any]:
    """Return the option --time-limit with a default; what it limits is put after "Seconds"."""
    return click.option(
        "--time-limit",
        type=seconds,
        default=default,
        show_default=True,
        help=f"Seconds {what}.",
    )


def complain(message: str, code: int) -> int:
    """Print a message as one line on stderr and return an exit code."""
    click.echo(f"kvopt: {one_line(' '.join(message.split()))}", err=True)
    return code


def note(message: str) -> None:
    """Print a message as `complain` does, unless --quiet was given; it is no error."""
    if not is_quiet():
        complain(message, DONE)


def print_json(value: Any) -> None:
    """Print a JSON object on stdout."""
    click.echo(json.dumps(value, indent=None))


def label(instance: Instance, file: Path) -> str:
    """Return what to call an instance: its name, or that of its file."""
    return instance.name or one_line(file.stem.removesuffix(".json"), NAME)
