"""The command that compares policies to the optimum: ratio."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kvopt.cli.interrupts import BAD_INPUT, DONE, FAILED, exit_code, interruptible
from kvopt.cli.options import (
    PATH,
    as_csv,
    as_json,
    as_wide,
    complain,
    policies_option,
    print_json,
    read_instances,
    time_limit_option,
)
from kvopt.cli.terminal import progress_bar, width
from kvopt.model.errors import InputError, KvoptError, StoppedError
from kvopt.model.text import NAME, one_line
from kvopt.policies import Policy

if TYPE_CHECKING:
    from kvopt.comparison.ratio import Comparison, Ratio

__all__ = ["ratio"]


@click.command(short_help="Compare policies to the optimum and to proved bounds.")
@click.argument("paths", type=PATH, nargs=-1, required=True)
@policies_option()
@time_limit_option(10, "for an instance, the policies included")
@as_json
@as_csv
@as_wide
def ratio(
    paths: tuple[Path, ...],
    policies: list[Policy],
    time_limit: float,
    as_json: bool,
    as_csv: bool,
    wide: bool,
) -> int:
    """Compare policies to the optimum, and their ratios to what is proved."""
    from kvopt.comparison.ratio import compare

    instances = read_instances(paths)
    compared = _Compared()
    with interruptible() as limit, progress_bar("comparing", len(instances)) as advance_to:
        for i, (name, instance) in enumerate(instances):
            if isinstance(instance, InputError):
                compared.refuse(name, instance)
                advance_to(i + 1)
                continue
            with suppress(StoppedError):
                comparison = compare(
                    instance,
                    policies,
                    time_limit,
                    stop=limit,
                    on_error=lambda error, name=name: compared.fail(name, error),  # type: ignore[misc]
                )
            if limit.interrupted:
                break
            compared.add(name, comparison)
            advance_to(i + 1)
        compared.show(policies, as_json, as_csv, width(wide))
        if limit.interrupted:
            complain(f"{limit.what}; {len(compared.rows)} rows were done", limit.code)
    return exit_code(limit.code, *compared.codes)


@dataclass
class _Compared:
    """The rows so far."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    table: list[Sequence[str]] = field(default_factory=list)
    ratios: list[tuple[str, Ratio]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=lambda: [DONE])

    def add(self, name: str, comparison: Comparison) -> None:
        """Add the rows of an instance of a given name."""
        from kvopt.comparison.ratio import Verdict
        from kvopt.report.tables import (
            bound_texts,
            optimum_text,
            ratio_row,
            ratio_text,
            reason_row,
        )

        for r in comparison.ratios:
            self.rows.append(ratio_row(name, r))
            self.ratios.append((name, r))
            if r.verdict is Verdict.VIOLATES:
                self.codes.append(FAILED)
            facts = [name, r.policy, str(r.cost), optimum_text(comparison.optimum)]
            self.table.append([*facts, ratio_text(r), *bound_texts(r), r.verdict.value])

        for one in comparison.unfinished:
            row = reason_row(name, one.reason, one.policy, comparison.optimum)
            self.rows.append(row)
            facts = [name, one.policy, "-", optimum_text(comparison.optimum)]
            self.table.append([*facts, "-", "-", "", row["verdict"]])
            self.notes.append(f"{one_line(name, NAME)}: {one.reason}")

    def refuse(self, name: str, error: InputError) -> None:
        """Take a file that cannot be read, and its name."""
        from kvopt.report.tables import reason_row

        self.rows.append(reason_row(name, str(error)))
        self.table.append([name, *["-"] * 5, "", "cannot be read"])
        self.notes.append(str(error))
        self.codes.append(BAD_INPUT)

    def fail(self, name: str, error: KvoptError) -> None:
        """Take what went wrong with an instance of a given name."""
        self.notes.append(f"{one_line(name, NAME)}: {error}")
        self.codes.append(FAILED)

    def show(self, policies: list[Policy], as_json: bool, as_csv: bool, width: int | None) -> None:
        """Print the rows, and on stderr what failed or was broken off.

        The table is as wide as that (characters), None for any width.
        """
        from kvopt.comparison.records import worst_known
        from kvopt.comparison.standing import standings
        from kvopt.report.tables import standing_table, to_csv

        standing = standings(policies, self.ratios, worst_known())
        if as_json:
            print_json({"rows": self.rows, "standings": [one.to_dict() for one in standing]})
        elif as_csv:
            click.echo(to_csv(self.rows), nl=False)
        else:
            click.echo(self._laid_out(width))
            if standing and self.ratios:
                click.echo(f"\n{standing_table(standing)}")
        for note in self.notes:
            complain(note, DONE)

    def _laid_out(self, width: int | None) -> str:
        """Return the table: with a block for each instance if it would be too wide."""
        from kvopt.report.tables import grouped_table, text_table

        heads = ("instance", "policy", "cost", "optimum", "ratio", "bound", "from", "verdict")
        text = text_table(heads, self.table, right="llrrrrll")
        if width is None or max(map(len, text.splitlines())) <= width:
            return text
        groups: list[tuple[str, list[list[str]]]] = []
        for (name, optimum), rows in itertools.groupby(self.table, lambda row: (row[0], row[3])):
            if optimum == "-":  # a file that cannot be read
                groups.append((f"{name}: {next(rows)[-1]}", []))
            else:
                shown = [[row[1], row[2], *row[4:]] for row in rows]
                groups.append((f"{name}: optimum {optimum}", shown))
        return grouped_table(
            (heads[1], heads[2], *heads[4:]), groups, "lrrrll", width, ("from", "cost")
        )
