"""Progress and notices on a terminal."""

from __future__ import annotations

import logging
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from kvopt.model.text import NAME, one_line

__all__ = [
    "announce_compiling",
    "folded",
    "is_quiet",
    "progress_bar",
    "quiet_option",
    "status_line",
    "width",
]


class _Notices(logging.Handler):
    """Shows log records as lines on stderr, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        if not is_quiet():
            click.echo(f"kvopt: {one_line(record.getMessage())}", err=True)


def announce_compiling() -> None:
    """Say on stderr what is compiled at first use, if that is a terminal."""
    logger = logging.getLogger("kvopt.compiling")
    if sys.stderr.isatty() and not logger.handlers:
        logger.addHandler(_Notices())
        logger.setLevel(logging.INFO)
        logger.propagate = False


_QUIET = "kvopt.quiet"


def quieten(context: click.Context, option: click.Parameter, given: bool) -> None:
    """Remember that the command is to be quiet; the callback of --quiet."""
    if given:
        context.meta[_QUIET] = True


def is_quiet() -> bool:
    """Tell whether the running command shows neither progress nor notes."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(_QUIET))


def quiet_option() -> click.Option:
    """Return the option --quiet, which every command has."""
    return click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        callback=quieten,
        help="Show neither progress nor notes; results and errors stay.",
    )


def width(wide: bool) -> int | None:
    """Return how wide tables may be (characters): as the terminal is, or None for any width.

    Parameters
    ----------
    wide
        Whether --wide was given; then, and on a pipe or in a file, any width will do.
    """
    return None if wide or not sys.stdout.isatty() else shutil.get_terminal_size().columns


def folded(text: str, width: int | None) -> str:
    """Return a text in lines that are as wide as that (characters), None for one line."""
    return text if width is None else textwrap.fill(text, max(width, 20))


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr if that is a terminal.

    Provides the function to call with the number of steps done so far.
    """
    if is_quiet() or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(one_line(what, NAME), total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def status_line(what: str) -> Iterator[Callable[[str], None]]:
    """Show what is going on, and for how long, on stderr if that is a terminal.

    Provides the function to call with the latest news.
    """
    if is_quiet() or not sys.stderr.isatty():
        yield lambda news: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        what = one_line(what, NAME)
        task = progress.add_task(what, total=None)
        yield lambda news: progress.update(task, description=f"{what}: {one_line(news)}")
