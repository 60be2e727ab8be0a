"""The command line: kvopt COMMAND ...

Results go to stdout, everything else to stderr.  Exit codes: 0 done, 1 a check
failed, 2 bad usage or bad input, 130 ended by SIGINT, 143 by SIGTERM; where several
apply, 143, 130, 2, 1 in this order.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

import kvopt
from kvopt.cli import (
    auditing,
    comparing,
    listing,
    making,
    plotting,
    reporting,
    searching,
    simulating,
    solving,
    verifying,
)
from kvopt.cli.interrupts import BAD_INPUT, DONE, FAILED, INTERRUPTED, Ended, ending
from kvopt.cli.options import complain
from kvopt.cli.terminal import announce_compiling, quiet_option
from kvopt.model.errors import InputError, KvoptError

__all__ = ["cli", "main"]

logger = logging.getLogger(__name__)


class Commands(click.Group):
    """The commands; a signal that ends one at once makes a line and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(context)
        except Ended as end:
            return complain(str(end), end.code)
        except KeyboardInterrupt:
            return complain("interrupted", INTERRUPTED)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(kvopt.__version__, prog_name="kvopt")
@click.option("-v", "--verbose", is_flag=True, help="Log to stderr what is being done.")
@click.pass_context
def cli(context: click.Context, verbose: bool) -> int:
    """Exact optima, competitive ratios and worst cases of KV-cache scheduling."""
    if verbose:
        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s")
    else:
        announce_compiling()
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        return BAD_INPUT
    return DONE


for command in (
    auditing.audit,
    solving.solve,
    simulating.simulate,
    comparing.ratio,
    searching.search,
    verifying.verify,
    making.import_,
    making.generate,
    listing.bounds,
    listing.slices,
    listing.policies,
    plotting.plot,
    reporting.report,
):
    command.params.append(quiet_option())
    cli.add_command(command)
cli.params.append(quiet_option())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments
        Arguments without the program name; None for those of the process.
    """
    if sys.stdout is None:  # closed by whoever started us
        return complain("stdout is closed", BAD_INPUT)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that the terminal cannot show is no error
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        code = FAILED
    except OSError as error:  # a full disk under stdout, a current folder that is gone
        code = complain(error.strerror or str(error), BAD_INPUT)
    else:
        return code
    # Keep Python from trying, and complaining, once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        with ending():
            code = cli.main(arguments, prog_name="kvopt", standalone_mode=False)
        return code if isinstance(code, int) else DONE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        return complain(error.format_message() + hint, BAD_INPUT)
    except InputError as error:
        return complain(str(error), BAD_INPUT)
    except KvoptError as error:
        logger.debug("the error in full", exc_info=True)  # with -v
        return complain(str(error), FAILED)
    except Ended as end:
        return complain(str(end), end.code)
    except (KeyboardInterrupt, click.Abort):
        return complain("interrupted", INTERRUPTED)
