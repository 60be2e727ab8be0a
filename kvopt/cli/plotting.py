"""The command that draws: plot."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from kvopt.cli.completion import PolicyText
from kvopt.cli.interrupts import DONE, FAILED, interruptible
from kvopt.cli.options import PATH, complain, label, note, output_file, time_limit_option
from kvopt.cli.picture_options import check_looks, format_of, picture_options
from kvopt.cli.terminal import progress_bar
from kvopt.model.errors import InputError, KvoptError
from kvopt.model.files import read_json, write_bytes, write_text
from kvopt.model.formats import (
    INSTANCE_FORMATS,
    SCHEDULE_FORMAT,
    instance_from_json,
    schedule_from_json,
)
from kvopt.model.instance import Instance, abridged
from kvopt.model.schedule import Schedule
from kvopt.model.stopping import Stopping
from kvopt.model.text import NAME, one_line
from kvopt.policies import Policy, policies_of, spec_of
from kvopt.theory.quadratic import Exact, parse_exact

if TYPE_CHECKING:
    from kvopt.plot.figures import Format
    from kvopt.plot.ratio_pictures import Group
    from kvopt.plot.shapes import RatioBar, Run

    Content: TypeAlias = Instance | Schedule | list[RatioBar]

__all__ = ["plot"]

PICTURES = (".png", ".svg", ".pdf")
PAGE = ".html"
TRACE = ".trace.json"

KINDS = ("memory", "gantt", "completions", "queue", "latency", "ratios")

PICTURES_ONLY = ("queue", "latency")
"""Kinds that a page does not have."""

MAX_RUNS = 24
"""Up to this many schedules fit into a picture."""

MAX_RATIOS = 300
"""Up to this many ratios fit into a picture."""

MAX_RATIO = 10**15
"""Largest ratio or bound accepted in a file."""

FRACTION = re.compile(r"[0-9]{1,1000}/0*[1-9][0-9]{0,1000}")


@click.command()
@click.argument("files", type=PATH, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=output_file,
    metavar="PATH",
    required=True,
    help="What to write: .png, .svg, .pdf, .html or .trace.json.",
)
@click.option(
    "--policy",
    "policies",
    type=PolicyText(policies_of),
    help="Policies to run on the instances, separated by commas.",
)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="What to draw; by default gantt for one schedule and completions for several.",
)
@picture_options
@time_limit_option(None, "for an instance; by default 10 with --kind ratios, else no limit")
def plot(
    files: tuple[Path, ...],
    output: Path,
    policies: list[Policy] | None,
    kind: str | None,
    time_limit: float | None,
    **looks: Any,
) -> int:
    """Draw schedules, or ratios.

    FILE is a schedule, an instance to run policies on, or the output of kvopt
    ratio --json.  PNG, SVG and PDF are pictures of one kind; HTML is a page to
    explore, with memory, gantt and completions unless one kind is chosen;
    .trace.json opens in ui.perfetto.dev, one round shown as 1 ms.
    """
    file_type = _file_type(output)
    form = format_of(looks, file_type)
    if file_type == TRACE and kind is not None:
        raise InputError(f"--kind: does not apply to {TRACE}, which holds everything, got {kind}")
    if file_type == PAGE and kind in PICTURES_ONLY:
        paged = ", ".join(known for known in KINDS if known not in PICTURES_ONLY)
        raise InputError(f"--kind: must be one of {paged} for a page, got {kind}")
    contents = [(file, _read(file)) for file in files]
    instances = [file for file, content in contents if isinstance(content, Instance)]
    ratios = [file for file, content in contents if isinstance(content, list)]
    if instances and policies is None:
        raise InputError(f"{instances[0]}: is an instance: say with --policy what to run on it")
    if policies is not None and not instances:
        raise InputError("--policy: must come with an instance to run on, got none among the files")
    if kind == "ratios" or (ratios and kind is None and file_type != TRACE):
        check_looks(looks, "ratios", file_type)
        bars, code = _ratios(contents, policies or [], 10.0 if time_limit is None else time_limit)
        if not code:
            _draw_ratios(bars, looks, form, output, file_type)
        return code
    if ratios:
        what = f"--kind {kind}" if kind else TRACE
        raise InputError(f"{ratios[0]}: holds ratios: {what} needs schedules")
    if file_type in PICTURES and kind is None:
        count = sum(len(policies or []) if isinstance(c, Instance) else 1 for _, c in contents)
        kind = "gantt" if count == 1 else "completions"
    check_looks(looks, kind, file_type)
    runs = _runs(contents, policies or [], math.inf if time_limit is None else time_limit)
    if file_type == TRACE:
        from kvopt.plot.trace_events import trace_text

        write_text(output, trace_text(runs))
    elif file_type == PAGE:
        from kvopt.plot.page import runs_page

        write_text(output, runs_page(runs, kind))
    else:
        from kvopt.plot.figures import figure_of, rendered

        assert kind is not None
        if kind == "latency":
            _check_complete(runs)
        write_bytes(output, rendered(figure_of(kind, runs=runs), file_type[1:], form, note))
    return DONE


def _ratios(
    contents: Sequence[tuple[Path, Content]], policies: Sequence[Policy], time_limit: float
) -> tuple[list[RatioBar], int]:
    """Return the rows given, and those of the policies on the instances given; and exit code."""
    from kvopt.comparison.ratio import compare
    from kvopt.comparison.rows import reasons_of
    from kvopt.plot.shapes import ratio_bar

    bars: list[RatioBar] = []
    with interruptible() as limit, progress_bar("comparing", len(contents)) as advance_to:
        for i, (file, content) in enumerate(contents):
            if isinstance(content, Schedule):
                raise InputError(f"{file}: is a schedule: ratios need its instance and --policy")
            if isinstance(content, Instance):
                comparison = compare(content, policies, time_limit, stop=limit)
                if limit.interrupted:
                    return [], complain(f"{limit.what}; nothing was drawn", limit.code)
                name = label(content, file)
                bars += [ratio_bar(name, r) for r in comparison.ratios]
                for reason in reasons_of(comparison.ratios, comparison.unfinished):
                    complain(f"{name}: {reason}", DONE)
            else:
                bars += content
            advance_to(i + 1)
    if not bars:
        return [], complain("no ratio is known; nothing was drawn", FAILED)
    if len(bars) > MAX_RATIOS:
        raise InputError(f"FILE: must hold at most {MAX_RATIOS} ratios together, got {len(bars)}")
    return bars, DONE


def _draw_ratios(
    bars: Sequence[RatioBar], looks: dict[str, Any], form: Format, output: Path, file_type: str
) -> None:
    from kvopt.plot.ratio_pictures import arranged

    group: Group = looks["group"] or "instance"
    bars = arranged(bars, group, looks["sort"] or "given")
    if file_type == PAGE:
        from kvopt.plot.page import ratios_page

        write_text(output, ratios_page(bars))
    else:
        from kvopt.plot.figures import figure_of, rendered

        make = figure_of("ratios", bars=bars, group=group)
        write_bytes(output, rendered(make, file_type[1:], form, note))


def _runs(
    contents: Sequence[tuple[Path, Content]],
    policies: Sequence[Policy],
    time_limit: float,
) -> list[Run]:
    """Return the schedules given, and those of the policies on the instances given.

    The policies get so much time (seconds) for each instance.
    """
    from kvopt.plot.shapes import Run, instances_of
    from kvopt.simulation.simulate import simulate

    count = sum(len(policies) if isinstance(c, Instance) else 1 for _, c in contents)
    if count > MAX_RUNS:
        raise InputError(f"FILE: must make at most {MAX_RUNS} schedules together, got {count}")
    runs: list[Run] = []
    for file, content in contents:
        if isinstance(content, Schedule):
            runs.append(Run(_stem(file), _renamed(content, file)))
        elif isinstance(content, Instance):
            stop = Stopping(time_limit)
            for policy in policies:
                what = f"simulating {spec_of(policy)}"
                with (
                    interruptible(at_once=True),
                    progress_bar(what, len(content)) as advance_to,
                ):
                    schedule = simulate(content, policy, progress=advance_to, stop=stop)
                runs.append(Run(spec_of(policy), _renamed(schedule, file)))
    if len(instances_of(runs)) > 1:
        runs = [Run(f"{r.schedule.instance.name}, {r.label}", r.schedule) for r in runs]
    return runs


def _check_complete(runs: Sequence[Run]) -> None:
    """Refuse schedules in which a request does not complete once: they have no latency."""
    for run in runs:
        try:
            run.schedule.completion_times()
        except KvoptError as error:
            raise InputError(f"{run.label}: {error}") from None


def _renamed(schedule: Schedule, file: Path) -> Schedule:
    """Give the instance of a schedule a name if it has none."""
    instance = schedule.instance
    if instance.name:
        return schedule
    named = instance.renamed(label(instance, file))
    columns = (schedule.request, schedule.start, schedule.end, schedule.killed, schedule.tokens)
    return Schedule(named, *columns)


def _read(path: Path) -> Content:
    """Read an instance, a schedule or the output of kvopt ratio --json."""
    from kvopt.plot.shapes import check_drawable

    try:
        content = read_json(path)
        kind = content.get("format") if isinstance(content, dict) else None
        if isinstance(content, dict) and kind is None and "rows" in content:
            return _ratio_bars(content)
        if kind in INSTANCE_FORMATS:
            return instance_from_json(content)
        if kind == SCHEDULE_FORMAT:
            schedule = schedule_from_json(content)
            check_drawable(schedule)
            return schedule
        raise InputError(
            f"format: must be {', '.join(map(repr, (SCHEDULE_FORMAT, *INSTANCE_FORMATS)))}"
            f" or that of kvopt ratio --json, got {abridged(kind)}"
        )
    except InputError as error:
        raise error.within(str(path)) from None


def _ratio_bars(content: dict[str, Any]) -> list[RatioBar]:
    from kvopt.comparison.ratio import Verdict
    from kvopt.plot.shapes import RatioBar

    rows = content["rows"]
    if not isinstance(rows, list) or not rows:
        raise InputError(f"rows: must be a list of ratios, got {abridged(rows)}")
    bars = []
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InputError(f"rows[{i}]: must be an object, got {abridged(row)}")

        def refuse(field: str, rule: str, row: dict[str, Any] = row, i: int = i) -> InputError:
            got = abridged(row[field]) if field in row else "none"
            return InputError(f"rows[{i}].{field}: must be {rule}, got {got}")

        if row.get("ratio_low", "") is None and isinstance(row.get("reason"), str):
            continue  # a policy that did not end, or a file that could not be read
        for field in ("instance", "policy"):
            text = row.get(field)
            if not isinstance(text, str) or not text.isprintable():
                raise refuse(field, "a printable string")
        ends: list[Fraction] = []
        for field in ("ratio_low", "ratio_high"):
            text = row.get(field)
            end = Fraction(text) if isinstance(text, str) and FRACTION.fullmatch(text) else None
            if end is None or not max([Fraction(1), *ends]) <= end <= MAX_RATIO:
                raise refuse(field, 'a fraction "p/q", at least 1 and at least ratio_low')
            ends.append(end)
        bound = _bound(row.get("bound"))
        if row.get("bound") is not None and (bound is None or not 1 <= bound <= MAX_RATIO):
            raise refuse("bound", 'null or a number of at least 1, "p/q" or in a square root')
        verdicts = {verdict.value: verdict for verdict in Verdict}
        verdict = row.get("verdict")
        if not isinstance(verdict, str) or verdict not in verdicts:
            raise refuse("verdict", f"one of {', '.join(verdicts)}")
        bars.append(
            RatioBar(row["instance"], row["policy"], ends[0], ends[1], bound, verdicts[verdict])
        )
    return bars


def _bound(text: object) -> Exact | None:
    """Return a bound as `kvopt ratio --json` writes it, or None if it is something else."""
    if not isinstance(text, str):
        return None
    if FRACTION.fullmatch(text):
        return Fraction(text)
    try:
        return parse_exact(text)
    except InputError:
        return None


def _file_type(output: Path) -> str:
    """Return what kind of file to write; refuse what could only fail later."""
    name = output.name.lower()
    file_type = next((end for end in (*PICTURES, PAGE, TRACE) if name.endswith(end)), None)
    if file_type is None:
        known = ", ".join((*PICTURES, PAGE, TRACE))
        raise InputError(f"--output: must end in one of {known}, got {abridged(str(output))}")
    if file_type in PICTURES and find_spec("matplotlib") is None:
        raise InputError(
            f"{output}: {file_type} needs matplotlib, which is not installed:"
            " pip install 'kvopt[plot]' (or pip install matplotlib)"
        )
    return file_type


def _stem(file: Path) -> str:
    return one_line(file.stem, NAME)
