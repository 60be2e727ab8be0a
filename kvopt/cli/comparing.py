"""The command that compares policies to the optimum: ratio."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kvopt.cli.batches import (
    STOPPED_EARLY,
    Entry,
    complain_broken_off,
    entries_in,
    exit_code_for,
    finished_in,
    output_folder,
    run_all,
    workers_options,
    workers_spec,
    write_tables,
)
from kvopt.cli.interrupts import BAD_INPUT, DONE, FAILED, exit_code, interruptible
from kvopt.cli.options import (
    PATH,
    as_wide,
    complain,
    policies_option,
    print_json,
    table_form,
    table_forms,
    time_limit_option,
)
from kvopt.cli.terminal import folded, width
from kvopt.model.errors import InputError, KvoptError
from kvopt.model.rows import to_csv
from kvopt.model.text import NAME, one_line
from kvopt.policies import Policy, spec_of

if TYPE_CHECKING:
    from kvopt.batch.outcome import Outcome
    from kvopt.batch.run import Done
    from kvopt.comparison.ratio import Ratio

__all__ = ["ratio"]

COLUMNS = ("instance", "policy", "cost", "optimum", "ratio", "bound", "from", "verdict")
ALIGNMENT = "llrrrrll"


@click.command(short_help="Compare policies to the optimum and to proved bounds.")
@click.argument("paths", type=PATH, nargs=-1, required=True)
@policies_option()
@time_limit_option(10, "for an instance, the policies included")
@output_folder
@workers_options
@table_forms
@as_wide
def ratio(
    paths: tuple[Path, ...],
    policies: list[Policy],
    time_limit: float,
    output: Path | None,
    jobs: int | None,
    executor: str | None,
    wide: bool,
) -> int:
    """Compare policies to the optimum, and their ratios to what is proved.

    --output DIR keeps what is done, so that the same command goes on where it ended.
    """
    from kvopt.batch.tasks import Work

    spec = workers_spec(jobs, executor)
    finished = finished_in(output)
    entries = entries_in(paths, output)
    work = Work("ratio", time_limit, tuple(map(spec_of, policies)))
    compared = _Compared()
    with interruptible() as limit:
        found = run_all(work, entries, limit, spec, finished)
        for place, entry in enumerate(entries):
            compared.take(entry, found.get(place))
        compared.show(policies, output, width(wide))
        if limit.interrupted:
            complain_broken_off(limit, entries, found, "compared", output)
    return exit_code(limit.code, *compared.codes)


@dataclass
class _Compared:
    """The rows so far."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    table: list[Sequence[str]] = field(default_factory=list)
    ratios: list[tuple[str, Ratio]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=lambda: [DONE])
    open: Counter[str] = field(default_factory=Counter)
    """Why brackets did not close, and how many."""

    def take(self, entry: Entry, done: Done | None) -> None:
        """Take what came of a file; None if the command was interrupted before."""
        from kvopt.batch.outcome import Outcome

        if isinstance(entry.content, InputError):
            self._without_ratio(entry.name, "cannot be read", str(entry.content))
            self.notes.append(str(entry.content))
            self.codes.append(BAD_INPUT)
        elif done is not None and isinstance(done.found, Outcome):
            self._add(entry.name, done.found, done.complete)
        elif done is not None:
            assert isinstance(done.found, KvoptError)
            what = "failed" if done.complete else STOPPED_EARLY
            self._without_ratio(entry.name, what, str(done.found))
            if done.complete:
                self._fail(entry.name, str(done.found), exit_code_for(done.found))

    def _add(self, name: str, found: Outcome, complete: bool) -> None:
        """Add the rows of an instance of a given name, which may have been cut short."""
        from kvopt.comparison.ratio import Verdict
        from kvopt.comparison.rows import ratio_rows, reasons_of
        from kvopt.report.tables import optimum_text, ratio_cells

        optimum = optimum_text(found)
        if found.gap:
            self.open[found.optimum["termination"]] += 1
        reason = None if complete else STOPPED_EARLY
        self.rows += ratio_rows(name, found.ratios, found.unfinished, found, reason)
        for policy, cost, *rest in ratio_cells(found.ratios, found.unfinished, reason):
            self.table.append([name, policy, cost, optimum, *rest])
        self.ratios += [(name, ratio) for ratio in found.ratios]
        if any(ratio.verdict is Verdict.VIOLATES for ratio in found.ratios):
            self.codes.append(FAILED)
        if complete:
            reasons = reasons_of(found.ratios, found.unfinished)
            self.notes += [f"{one_line(name, NAME)}: {reason}" for reason in reasons]
        for problem in found.problems:
            self._fail(name, problem, FAILED)

    def _without_ratio(self, name: str, what: str, reason: str) -> None:
        """Add the row of an instance or file of which no ratio is known."""
        from kvopt.comparison.rows import reason_row

        self.rows.append(reason_row(name, reason))
        self.table.append([name, *["-"] * 5, "", what])

    def _fail(self, name: str, problem: str, code: int) -> None:
        """Take what went wrong with an instance of a given name."""
        self.notes.append(f"{one_line(name, NAME)}: {problem}")
        self.codes.append(code)

    def show(self, policies: list[Policy], output: Path | None, width: int | None) -> None:
        """Print the rows, and on stderr what failed or was broken off; write them, too.

        The table is as wide as that (characters), None for any width.
        """
        from kvopt.comparison.records import worst_known
        from kvopt.comparison.standing import standings
        from kvopt.report.markup import Table
        from kvopt.report.tables import standing_table

        form = table_form()
        table = Table(COLUMNS, self.table, ALIGNMENT)
        if output is not None:
            write_tables(output, "ratio", to_csv(self.rows), table)
        standing = standings(policies, self.ratios, worst_known())
        if form == "json":
            print_json({"rows": self.rows, "standings": [one.to_dict() for one in standing]})
        elif form == "csv":
            click.echo(to_csv(self.rows), nl=False)
        elif form != "text":
            click.echo(table.markup(form))
        else:
            click.echo(self._laid_out(width))
            if standing and self.ratios:
                click.echo(f"\n{standing_table(standing, width)}")
            if self.open:
                ended = ", ".join(f"{n} by: {why}" for why, n in sorted(self.open.items()))
                said = f"brackets that did not close, and what ended them: {ended}"
                click.echo(f"\n{folded(said, width)}")
        for problem in self.notes:
            complain(problem, DONE)

    def _laid_out(self, width: int | None) -> str:
        """Return the table: with a block for each instance if it would be too wide."""
        from kvopt.report.tables import grouped_table, text_table

        heads = COLUMNS
        text = text_table(heads, self.table, ALIGNMENT)
        if width is None or max(map(len, text.splitlines())) <= width:
            return text
        groups: list[tuple[str, list[list[str]]]] = []
        for (name, optimum), rows in itertools.groupby(self.table, lambda row: (row[0], row[3])):
            if optimum == "-":  # no ratio is known
                groups.append((f"{name}: {next(rows)[-1]}", []))
            else:
                shown = [[row[1], row[2], *row[4:]] for row in rows]
                groups.append((f"{name}: optimum {optimum}", shown))
        return grouped_table(
            (heads[1], heads[2], *heads[4:]), groups, "lrrrll", width, ("from", "cost")
        )
