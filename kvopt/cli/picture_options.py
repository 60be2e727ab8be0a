"""Options of pictures: size, fineness, time axis, and order of ratios."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from kvopt.model.errors import InputError

if TYPE_CHECKING:
    from kvopt.plot.figures import Format

__all__ = ["check_looks", "format_of", "picture_options"]

LEAST_INCHES, MOST_INCHES = 1.0, 100.0

MOST_DOTS = 20_000
"""A PNG is at most so wide and high (pixels)."""

SIZE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)x([0-9]{1,3}(?:\.[0-9]{1,3})?)")

TIMED = ("memory", "gantt", "completions", "queue")
"""Kinds of pictures that have a time axis."""


def _size(text: str) -> tuple[float, float]:
    """Read WIDTHxHEIGHT; for click."""
    found = SIZE.fullmatch(text)
    size = tuple(map(float, found.groups())) if found else ()
    if len(size) != 2 or not all(LEAST_INCHES <= inches <= MOST_INCHES for inches in size):
        raise click.BadParameter(
            f"must be WIDTHxHEIGHT in inches, {LEAST_INCHES:g} to {MOST_INCHES:g} each, as in"
            f" 6.5x4, got {text!r}"
        )
    return size[0], size[1]


def picture_options(command: Any) -> Any:
    """Give a command the options of pictures: size, dpi, time_axis, until, group, sort."""
    options = (
        click.option(
            "--size", type=_size, metavar="WxH", help="Width and height of a picture in inches."
        ),
        click.option(
            "--dpi", type=click.IntRange(10, 2400), help="Dots per inch of a PNG; by default 160."
        ),
        click.option(
            "--time-axis",
            type=click.Choice(("linear", "log")),
            help="How time runs in a picture; by default linear.",
        ),
        click.option(
            "--until", type=click.IntRange(1), metavar="ROUND", help="Last round in a picture."
        ),
        click.option(
            "--group",
            type=click.Choice(("instance", "policy")),
            help="What ratios stand together by; by default instance.",
        ),
        click.option(
            "--sort",
            type=click.Choice(("given", "ratio", "name")),
            help="Order of ratios and their groups; by default given.",
        ),
    )
    for add in reversed(options):
        command = add(command)
    return command


def check_looks(looks: Mapping[str, Any], kind: str | None, file_type: str) -> None:
    """Refuse options that do not apply to what is drawn.

    Raises
    ------
    InputError
        If one does not.
    """
    if kind != "ratios":
        for name in ("group", "sort"):
            if looks[name] is not None:
                raise InputError(f"--{name}: is for --kind ratios, got {looks[name]}")
    if kind not in TIMED or file_type in (".html", ".trace.json"):
        for name in ("time_axis", "until"):
            if looks[name] is not None:
                option = name.replace("_", "-")
                kinds = ", ".join(TIMED)
                raise InputError(f"--{option}: is for pictures of {kinds}, got {looks[name]}")


def format_of(looks: Mapping[str, Any], file_type: str) -> Format:
    """Return size, fineness and time axis of a picture.

    Raises
    ------
    InputError
        If the type of the file has no such thing, or the picture would be too large.
    """
    from kvopt.plot.figures import Format
    from kvopt.plot.look import DPI

    size, dpi = looks["size"], looks["dpi"]
    if size is not None and file_type in (".html", ".trace.json"):
        raise InputError(f"--size: is for pictures, got {size[0]:g}x{size[1]:g} for {file_type}")
    if dpi is not None and file_type != ".png":
        raise InputError(f"--dpi: is for .png, got {dpi} for {file_type}")
    dots = max(size or (0, 0)) * (dpi or DPI)
    if file_type == ".png" and dots > MOST_DOTS:
        raise InputError(f"--size: must give at most {MOST_DOTS} pixels, got {dots:.0f}")
    return Format(size, dpi or DPI, looks["time_axis"] == "log", looks["until"])
