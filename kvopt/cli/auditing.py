"""The command that audits a set of instances: audit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kvopt.adversary.brief import BriefSearch, brief_search
from kvopt.cli.batches import (
    STOPPED_EARLY,
    Entry,
    complain_broken_off,
    entries_in,
    finished_in,
    output_folder,
    run_all,
    workers_options,
    workers_spec,
    write_tables,
)
from kvopt.cli.interrupts import BAD_INPUT, DONE, FAILED, Limit, exit_code, interruptible
from kvopt.cli.options import (
    PATH,
    as_wide,
    complain,
    note,
    policies_option,
    print_json,
    table_form,
    table_forms,
    time_limit_option,
)
from kvopt.cli.terminal import folded, progress_bar, width
from kvopt.comparison.ratio import Verdict
from kvopt.comparison.records import ClaimedRecord, problems_with, read_records, worst_known
from kvopt.comparison.rows import ratio_row, ratio_rows, reason_row
from kvopt.comparison.standing import Standing, standings
from kvopt.model.errors import InputError, KvoptError, StoppedError
from kvopt.model.files import curated_instances, find_certificates
from kvopt.model.formats import instance_to_json
from kvopt.model.rows import to_csv
from kvopt.model.text import NAME, counted, file_text, one_line
from kvopt.policies import Policy, is_built_in, policies_of, policy_from_spec, spec_of

if TYPE_CHECKING:
    from kvopt.batch.outcome import Outcome
    from kvopt.batch.run import Done
    from kvopt.report.markup import Table

__all__ = ["audit"]

AUDIT_POLICIES = "gba,gba:alpha=2,gsa,gsa:alpha=2,mc-sf,fcfs"
HEADS = ("instance", "n", "M", "optimum", "proofs")
COLUMNS = ("policy", "ratio", "bound", "from", "verdict")
"""Columns of the table: of an instance, and of a policy on it."""

SEARCHED_POLICIES = ("gsa:alpha=2", "gba:alpha=2")


@click.command(short_help="Audit instances: optima, ratios, certificates, worst cases.")
@click.argument("paths", type=PATH, nargs=-1)
@policies_option(AUDIT_POLICIES, str)
@click.option("--search/--no-search", "searching", default=True, help="Search for bad instances.")
@time_limit_option(5, "for an instance, the policies included")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True)
@output_folder
@workers_options
@table_forms
@as_wide
def audit(
    paths: tuple[Path, ...],
    policies: str,
    searching: bool,
    time_limit: float,
    seed: int,
    output: Path | None,
    jobs: int | None,
    executor: str | None,
    wide: bool,
) -> int:
    """Audit instances: exact optima, ratios against their bounds, a short worst-case search.

    PATH is an instance file or a folder of them; without any, the instances that
    come with kvopt are audited.  Every schedule is checked independently, and
    every optimum that is small enough is proved by a second solver.  Certificates
    in a subfolder "certificates" are checked too, and so are the claims of the worst
    instances known, in a subfolder "worst"; a claim about a policy module:Class only if
    --policy names that policy too.  The search is for instances on which GSA(2) and
    GBA(2) do badly.  --output DIR keeps what is done with the instances, so that the same
    command goes on where it ended.
    """
    from kvopt.batch.tasks import Work

    began = time.perf_counter()
    spec = workers_spec(jobs, executor)
    chosen = policies_of(policies)
    curated = curated_instances()
    files = paths or tuple(sorted(curated.glob("*.json")))
    paths = paths or (curated,)
    finished = finished_in(output)
    entries = entries_in(files, output)
    work = Work("audit", time_limit, tuple(map(spec_of, chosen)))
    records = [record for path in paths for record in read_records(path)]
    certificates = [file for path in paths for file in find_certificates(path)]
    searched = SEARCHED_POLICIES if searching else ()
    audit = _Audit()
    steps = len(searched) + len(records) + len(certificates)
    with interruptible() as limit:
        found = run_all(work, entries, limit, spec, finished)
        for place, entry in enumerate(entries):
            audit.take(entry, found.get(place))
        with progress_bar("searching and checking", steps) as advance_to:
            audit.search(searched, seed, limit, advance_to)
            audit.check_records(records, _own(policies), limit, advance_to)
            audit.check_certificates(certificates, limit, advance_to)
        audit.show(chosen, time.perf_counter() - began, output, width(wide))
        if limit.interrupted:
            complain_broken_off(limit, entries, found, "audited", output)
    for _, reason in audit.refused:
        complain(reason, BAD_INPUT)
    return exit_code(
        limit.code, FAILED if audit.problems else DONE, BAD_INPUT if audit.refused else DONE
    )


def _own(policies: str) -> list[str]:
    """Return the policies of the user's own among those that the command line names."""
    own = [spec for spec in policies.split(",") if spec != "all" and not is_built_in(spec)]
    return [":".join(spec.split(":")[:2]) for spec in own]


class _Audit:
    """What an audit has found so far.

    Attributes
    ----------
    audited
        Each instance's name, what was found, and what is to be said of all of it, if anything.
    lost
        The instances of which nothing is known: name, in a word why, and why.
    searched
        What the searches found.
    refused
        The files that cannot be read, and why.
    problems
        Everything that is wrong, one line each.
    certificates, records
        Number of certificates that hold, and of worst instances that are as bad as they say.
    """

    def __init__(self) -> None:
        self.audited: list[tuple[str, Outcome, str | None]] = []
        self.lost: list[tuple[str, str, str]] = []
        self.refused: list[tuple[str, str]] = []
        self.searched: list[BriefSearch] = []
        self.problems: list[str] = []
        self.certificates = self.records = 0
        self._steps = 0

    def _advance(self, advance_to: Callable[[int], None]) -> None:
        self._steps += 1
        advance_to(self._steps)

    def take(self, entry: Entry, done: Done | None) -> None:
        """Take what came of a file; None if the command was interrupted before."""
        from kvopt.batch.outcome import Outcome

        shown = one_line(entry.name, NAME)
        if isinstance(entry.content, InputError):
            self.refused.append((entry.name, str(entry.content)))
        elif done is not None and isinstance(done.found, Outcome):
            reason = None if done.complete else STOPPED_EARLY
            self.audited.append((entry.name, done.found, reason))
            self.problems += [f"{shown}: {problem}" for problem in done.found.problems]
        elif done is not None:
            what = "failed" if done.complete else STOPPED_EARLY
            self.lost.append((entry.name, what, str(done.found)))
            if done.complete:
                self.problems.append(f"{shown}: {done.found}")

    def search(
        self, specs: Sequence[str], seed: int, limit: Limit, advance_to: Callable[[int], None]
    ) -> None:
        """Search for bad instances of policies."""
        for spec in specs:
            if limit.interrupted:
                return
            found = None
            with suppress(StoppedError):
                found = brief_search(policy_from_spec(spec), seed, limit)
            if found:
                self.searched.append(found)
                self.problems += [f"search: {problem}" for problem in found.problems]
            self._advance(advance_to)

    def check_records(
        self,
        records: Sequence[ClaimedRecord],
        own: Collection[str],
        limit: Limit,
        advance_to: Callable[[int], None],
    ) -> None:
        """Check the worst instances known, which may name these policies of the user's own."""
        if limit.interrupted:
            return
        try:
            found = problems_with(records, own, limit)
        except KvoptError:
            if limit.interrupted:  # the signal has ended the checker, too
                return
            raise
        for problem in found:
            if not problem:
                self.records += 1
            elif not limit.interrupted:
                self.problems.append(problem)
            self._advance(advance_to)

    def check_certificates(
        self, files: Sequence[Path], limit: Limit, advance_to: Callable[[int], None]
    ) -> None:
        """Check certificates."""
        from kvopt.certificates.checker import verdicts_of_files

        if limit.interrupted:
            return
        try:
            found = verdicts_of_files(files, limit)
        except KvoptError:
            if limit.interrupted:
                return
            raise
        for file, verdict in zip(files, found, strict=True):
            if verdict.holds:
                self.certificates += 1
            elif not limit.interrupted:
                self.problems.append(f"{file_text(file)}: {verdict.reason}")
            self._advance(advance_to)

    def show(
        self, policies: Sequence[Policy], seconds: float, output: Path | None, width: int | None
    ) -> None:
        """Print what was found on these policies in so many seconds; write the table, too.

        Tables are as wide as that (characters), None for any width.
        """
        form, table = table_form(), self._table()
        rows = [row for one in self.audited for row in _rows(*one)]
        rows += [reason_row(name, reason) for name, _, reason in self.without_ratio()]
        if output is not None:
            write_tables(output, "audit", to_csv(rows), table)
        summary = self._summary(seconds)
        seen = [(name, r) for name, found, _ in self.audited for r in found.ratios]
        seen += [(f"search for {found.ratio.policy}", found.ratio) for found in self.searched]
        standing = standings(policies, seen, worst_known())
        if form == "json":
            print_json(self._as_object(summary, standing))
        elif form == "text":
            self._print(standing, table, width)
            click.echo(folded(_sentence(summary), width))
        else:
            click.echo(to_csv(rows) if form == "csv" else table.markup(form), nl=form != "csv")
            for problem in self.problems:
                complain(problem, FAILED)
            note(_sentence(summary))

    def without_ratio(self) -> list[tuple[str, str, str]]:
        """Return what no ratio is known of: name, in a word why, and why."""
        return [*self.lost, *((name, "cannot be read", reason) for name, reason in self.refused)]

    def _summary(self, seconds: float) -> dict[str, Any]:
        results = [result for _, result, _ in self.audited]
        ratios = [ratio for result in results for ratio in result.ratios]
        verdicts = [r.verdict.value for r in ratios + [found.ratio for found in self.searched]]
        unfinished = [one for result in results for one in result.unfinished]
        verdicts += [Verdict.UNDECIDED.value] * len(unfinished)
        return {
            "instances": len(results),
            "open": _counted(r.optimum["termination"] for r in results if r.gap),
            "optimal": sum(r.optimum["status"] == "optimal" for r in results),
            "proved_twice": sum(len(result.witnesses) > 1 for result in results),
            "schedules_checked": sum(result.schedules for result in results),
            "certificates": self.certificates,
            "records": self.records,
            "verdicts": _counted(verdicts),
            "refused": len(self.refused),
            "stopped_early": sum(reason is not None for *_, reason in self.audited)
            + sum(what == STOPPED_EARLY for _, what, _ in self.lost),
            "problems": len(self.problems),
            "seconds": round(seconds, 1),
        }

    def _print(self, standing: Sequence[Standing], table: Table, width: int | None) -> None:
        """Print the table of ratios, what the search found, the problems, and how GSA stands."""
        from kvopt.report.tables import ratio_text, standing_table

        click.echo(self._laid_out(table, width))
        for found in self.searched:
            groups = ", ".join(f"{o} x {count}" for _, o, count, *_ in found.instance.groups())
            click.echo(
                f"\nworst of {found.evaluations} instances for {found.ratio.policy}:"
                f" ratio {ratio_text(found.ratio)}, {found.ratio.verdict.value}"
                f"\n  M = {found.instance.memory}, s = {found.instance.prompts[0]},"
                f" outputs {groups}"
            )
        if standing and self.audited:
            click.echo(f"\n{standing_table(standing, width)}")
        if self.problems:
            click.echo("\nproblems:")
            for problem in self.problems:
                click.echo(f"  {one_line(problem)}")
        click.echo()

    def _table(self) -> Table:
        """Return the table of ratios; facts of an instance stand in the first of its rows."""
        from kvopt.report.markup import Table
        from kvopt.report.tables import optimum_text

        cells = []
        for name, found, reason in self.audited:
            optimum = found.optimum
            size = [str(optimum["requests"]), str(optimum["memory"])]
            facts = [name, *size, optimum_text(found), str(len(found.witnesses))]
            shown = enumerate(_shown(found, reason))
            cells += [[*(facts if i == 0 else [""] * 5), *row] for i, row in shown]
        cells += [[name, *["-"] * 7, "", what] for name, what, _ in self.without_ratio()]
        return Table((*HEADS, *COLUMNS), cells, "lrrrrlrrll")

    def _laid_out(self, table: Table, width: int | None) -> str:
        """Return the table of ratios: with a block for each instance if it would be too wide."""
        from kvopt.report.tables import grouped_table, optimum_text

        text = table.text()
        if width is None or max(map(len, text.splitlines())) <= width:
            return text
        groups = []
        for name, found, reason in self.audited:
            optimum, proofs = found.optimum, len(found.witnesses)
            title = f"{name}: n = {optimum['requests']}, M = {optimum['memory']}"
            title += f", optimum {optimum_text(found)}"
            groups.append((f"{title}, {counted(proofs, 'proof')}", _shown(found, reason)))
        groups += [(f"{name}: {what}", []) for name, what, _ in self.without_ratio()]
        return grouped_table(COLUMNS, groups, "lrrll", width, ("from",))

    def _as_object(self, summary: dict[str, Any], standing: Sequence[Standing]) -> dict[str, Any]:
        return {
            "instances": [
                {
                    **result.optimum,
                    "instance": name,
                    "witnesses": list(result.witnesses),
                    "ratios": _rows(name, result, reason),
                    "problems": list(result.problems),
                    "reason": reason,
                }
                for name, result, reason in self.audited
            ],
            "lost": [
                {"instance": name, "status": what, "reason": reason}
                for name, what, reason in self.lost
            ],
            "search": [
                {
                    **ratio_row(found.instance.name, found.ratio),
                    "evaluations": found.evaluations,
                    "instance": instance_to_json(found.instance),
                }
                for found in self.searched
            ],
            "refused": [{"file": name, "reason": reason} for name, reason in self.refused],
            "standings": [one.to_dict() for one in standing],
            "problems": self.problems,
            "summary": summary,
        }


def _shown(found: Outcome, reason: str | None) -> list[list[str]]:
    """Return policy, ratio, bound, where that is from, and verdict of each policy, as text."""
    from kvopt.report.tables import ratio_cells

    cells = ratio_cells(found.ratios, found.unfinished, reason)
    return [[policy, *rest] for policy, _, *rest in cells]


def _rows(name: str, found: Outcome, reason: str | None) -> list[dict[str, Any]]:
    """Return the ratios on an instance as JSON objects."""
    return ratio_rows(name, found.ratios, found.unfinished, found, reason)


def _counted(values: Iterable[str]) -> dict[str, int]:
    """Return how often each value occurs, in alphabetical order."""
    return dict(sorted(Counter(values).items()))


def _sentence(summary: dict[str, Any]) -> str:
    """Return the summary as one line."""
    ended = ", ".join(f"{count} ended by: {why}" for why, count in summary["open"].items())
    ended = ended and f" ({ended})"
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in summary["verdicts"].items())
    verdicts = verdicts or "none"
    certificates = summary["certificates"]
    held = (
        f", {counted(certificates, 'certificate holds', 'certificates hold')}"
        if certificates
        else ""
    )
    records = summary["records"]
    held += f", {records} worst instances are as bad as they say" if records else ""
    found = {
        "PROBLEMS": summary["problems"],
        "files cannot be read": summary["refused"],
        STOPPED_EARLY: summary["stopped_early"],
    }
    result = ", ".join(f"{number} {what}" for what, number in found.items() if number)
    if not result:
        undecided = Verdict.UNDECIDED.value in summary["verdicts"]
        result = "nothing wrong, but not all decided" if undecided else "all well"
    return (
        f"{counted(summary['instances'], 'instance')},"
        f" {counted(summary['optimal'], 'optimum', 'optima')} proved"
        f" ({summary['proved_twice']} in more than one way),"
        f" {summary['instances'] - summary['optimal']} bracketed{ended},"
        f" {summary['schedules_checked']} schedules checked{held};"
        f" ratios: {verdicts}; {result}, {summary['seconds']} s"
    )
