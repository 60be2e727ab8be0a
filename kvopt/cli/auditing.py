"""The command that audits a set of instances: audit."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from kvopt.adversary.brief import BriefSearch, brief_search
from kvopt.cli import options
from kvopt.cli.interrupts import BAD_INPUT, DONE, FAILED, Limit, exit_code, interruptible
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
from kvopt.comparison.audit import Audited, audit_instance
from kvopt.comparison.ratio import Comparison, Verdict
from kvopt.comparison.records import ClaimedRecord, problems_with, read_records, worst_known
from kvopt.comparison.standing import Standing, standings
from kvopt.model.errors import InputError, KvoptError, StoppedError
from kvopt.model.files import curated_instances, find_certificates
from kvopt.model.formats import instance_to_json
from kvopt.model.instance import Instance
from kvopt.model.text import NAME, file_text, one_line
from kvopt.policies import Policy, is_built_in, policy_from_spec

__all__ = ["audit"]

AUDIT_POLICIES = "gba,gba:alpha=2,gsa,gsa:alpha=2,mc-sf,fcfs"
SEARCHED_POLICIES = ("gsa:alpha=2", "gba:alpha=2")


@click.command(short_help="Audit instances: optima, ratios, certificates, worst cases.")
@click.argument("paths", type=PATH, nargs=-1)
@policies_option(AUDIT_POLICIES, str)
@click.option("--search/--no-search", "searching", default=True, help="Search for bad instances.")
@time_limit_option(5, "for an instance, the policies included")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True)
@as_json
@as_csv
@as_wide
def audit(
    paths: tuple[Path, ...],
    policies: str,
    searching: bool,
    time_limit: float,
    seed: int,
    as_json: bool,
    as_csv: bool,
    wide: bool,
) -> int:
    """Audit instances: exact optima, ratios against their bounds, a short worst-case search.

    PATH is an instance file or a folder of them; without any, the instances that
    come with kvopt are audited.  Every schedule is checked independently, and
    every optimum that is small enough is proved by a second solver.  Certificates
    in a subfolder "certificates" are checked too, and so are the claims of the worst
    instances known, in a subfolder "worst"; a claim about a policy module:Class only if
    --policy names that policy too.  The search is for instances on which GSA(2) and
    GBA(2) do badly.
    """
    began = time.perf_counter()
    chosen = options.policies(policies)
    curated = curated_instances()
    files = paths or sorted(curated.glob("*.json"))
    paths = paths or (curated,)
    instances = read_instances(files)
    records = [record for path in paths for record in read_records(path)]
    certificates = [file for path in paths for file in find_certificates(path)]
    searched = SEARCHED_POLICIES if searching else ()
    audit = _Audit()
    steps = len(instances) + len(searched) + len(records) + len(certificates)
    with interruptible() as limit:
        with progress_bar("auditing", steps) as advance_to:
            audit.run(instances, chosen, limit, time_limit, advance_to)
            audit.search(searched, seed, limit, advance_to)
            audit.check_records(records, _own(policies), limit, advance_to)
            audit.check_certificates(certificates, limit, advance_to)
        audit.show(chosen, time.perf_counter() - began, as_json, as_csv, width(wide))
        if limit.interrupted:
            number = f"{len(audit.audited)} of {len(instances)}"
            complain(f"{limit.what}; {number} instances were audited", limit.code)
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
        Each instance's name and what was found.
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
        self.audited: list[tuple[str, Audited]] = []
        self.refused: list[tuple[str, str]] = []
        self.searched: list[BriefSearch] = []
        self.problems: list[str] = []
        self.certificates = self.records = 0
        self._steps = 0

    def _advance(self, advance_to: Callable[[int], None]) -> None:
        self._steps += 1
        advance_to(self._steps)

    def run(
        self,
        instances: Sequence[tuple[str, Instance | InputError]],
        policies: Sequence[Policy],
        limit: Limit,
        time_limit: float,
        advance_to: Callable[[int], None],
    ) -> None:
        """Audit instances, each within the time limit (seconds)."""
        for name, instance in instances:
            if isinstance(instance, InputError):
                self.refused.append((name, str(instance)))
                self._advance(advance_to)
                continue
            try:
                result = audit_instance(instance, policies, limit.part(time_limit))
            except InputError:
                raise
            except KvoptError as error:
                if limit.interrupted:
                    return
                self.problems.append(f"{one_line(name, NAME)}: {error}")
                continue
            if limit.interrupted:
                return
            self.audited.append((name, result))
            self.problems += [f"{one_line(name, NAME)}: {problem}" for problem in result.problems]
            self._advance(advance_to)

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
        self,
        policies: Sequence[Policy],
        seconds: float,
        as_json: bool,
        as_csv: bool,
        width: int | None,
    ) -> None:
        """Print what was found on these policies in so many seconds.

        Tables are as wide as that (characters), None for any width.
        """
        from kvopt.report.tables import reason_row, to_csv

        summary = self._summary(seconds)
        seen = [(name, r) for name, result in self.audited for r in result.comparison.ratios]
        seen += [(f"search for {found.ratio.policy}", found.ratio) for found in self.searched]
        standing = standings(policies, seen, worst_known())
        if as_json:
            print_json(self._as_object(summary, standing))
        elif as_csv:
            rows = [row for name, r in self.audited for row in _rows(name, r.comparison)]
            rows += [reason_row(name, reason) for name, reason in self.refused]
            click.echo(to_csv(rows), nl=False)
            complain(_sentence(summary), DONE)
        else:
            self._print(standing, width)
            click.echo(_sentence(summary))

    def _summary(self, seconds: float) -> dict[str, Any]:
        results = [result for _, result in self.audited]
        ratios = [ratio for result in results for ratio in result.comparison.ratios]
        verdicts = [r.verdict.value for r in ratios + [found.ratio for found in self.searched]]
        unfinished = [one for result in results for one in result.comparison.unfinished]
        verdicts += [Verdict.UNDECIDED.value] * len(unfinished)
        return {
            "instances": len(results),
            "optimal": sum(r.comparison.optimum.status.value == "optimal" for r in results),
            "proved_twice": sum(len(result.witnesses) > 1 for result in results),
            "schedules_checked": sum(result.schedules for result in results),
            "certificates": self.certificates,
            "records": self.records,
            "verdicts": {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))},
            "refused": len(self.refused),
            "problems": len(self.problems),
            "seconds": round(seconds, 1),
        }

    def _print(self, standing: Sequence[Standing], width: int | None) -> None:
        """Print the table of ratios, what the search found, the problems, and how GSA stands."""
        from kvopt.report.tables import ratio_text, standing_table

        click.echo(self._laid_out(width))
        for found in self.searched:
            groups = ", ".join(f"{o} x {count}" for _, o, count, *_ in found.instance.groups())
            click.echo(
                f"\nworst of {found.evaluations} instances for {found.ratio.policy}:"
                f" ratio {ratio_text(found.ratio)}, {found.ratio.verdict.value}"
                f"\n  M = {found.instance.memory}, s = {found.instance.prompts[0]},"
                f" outputs {groups}"
            )
        if standing and self.audited:
            click.echo(f"\n{standing_table(standing)}")
        if self.problems:
            click.echo("\nproblems:")
            for problem in self.problems:
                click.echo(f"  {one_line(problem)}")
        click.echo()

    def _laid_out(self, width: int | None) -> str:
        """Return the table of ratios: with a block for each instance if it would be too wide."""
        from kvopt.report.tables import grouped_table, optimum_text, text_table

        heads = ("instance", "n", "M", "optimum", "proofs")
        columns = ("policy", "ratio", "bound", "from", "verdict")
        table, groups = [], []
        for name, result in self.audited:
            optimum = result.comparison.optimum
            n, memory = len(optimum.instance), optimum.instance.memory
            proofs = len(result.witnesses)
            facts = [name, str(n), str(memory), optimum_text(optimum), str(proofs)]
            rows = _shown(result.comparison)
            table += [[*(facts if i == 0 else [""] * 5), *row] for i, row in enumerate(rows)]
            title = f"{name}: n = {n}, M = {memory}, optimum {optimum_text(optimum)}"
            groups.append((f"{title}, {proofs} {'proof' if proofs == 1 else 'proofs'}", rows))
        table += [[name, *["-"] * 7, "", "cannot be read"] for name, _ in self.refused]
        groups += [(f"{name}: cannot be read", []) for name, _ in self.refused]
        text = text_table((*heads, *columns), table, right="lrrrrlrrll")
        if width is None or max(map(len, text.splitlines())) <= width:
            return text
        return grouped_table(columns, groups, "lrrll", width, ("from",))

    def _as_object(self, summary: dict[str, Any], standing: Sequence[Standing]) -> dict[str, Any]:
        from kvopt.report.tables import ratio_row, solve_object

        return {
            "instances": [
                {
                    **solve_object(result.comparison.optimum),
                    "instance": name,
                    "requests": len(result.comparison.instance),
                    "memory": result.comparison.instance.memory,
                    "witnesses": list(result.witnesses),
                    "ratios": _rows(name, result.comparison),
                    "problems": list(result.problems),
                }
                for name, result in self.audited
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


def _shown(comparison: Comparison) -> list[list[str]]:
    """Return policy, ratio, bound, where that is from, and verdict of each policy, as text."""
    from kvopt.report.tables import bound_texts, ratio_text

    ended = [[r.policy, ratio_text(r), *bound_texts(r), r.verdict.value] for r in comparison.ratios]
    undecided = Verdict.UNDECIDED.value
    return ended + [[one.policy, "-", "-", "", undecided] for one in comparison.unfinished]


def _rows(name: str, comparison: Comparison) -> list[dict[str, Any]]:
    """Return the ratios on an instance as JSON objects."""
    from kvopt.report.tables import ratio_row, reason_row

    rows = [ratio_row(name, ratio) for ratio in comparison.ratios]
    optimum = comparison.optimum
    return rows + [reason_row(name, u.reason, u.policy, optimum) for u in comparison.unfinished]


def _sentence(summary: dict[str, Any]) -> str:
    """Return the summary as one line."""
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in summary["verdicts"].items())
    certificates = summary["certificates"]
    held = f", {certificates} certificates hold" if certificates else ""
    records = summary["records"]
    held += f", {records} worst instances are as bad as they say" if records else ""
    found = {"PROBLEMS": summary["problems"], "files cannot be read": summary["refused"]}
    result = ", ".join(f"{number} {what}" for what, number in found.items() if number)
    result = result or "all well"
    return (
        f"{summary['instances']} instances, {summary['optimal']} optima proved"
        f" ({summary['proved_twice']} in more than one way),"
        f" {summary['instances'] - summary['optimal']} bracketed,"
        f" {summary['schedules_checked']} schedules checked{held};"
        f" ratios: {verdicts}; {result}, {summary['seconds']} s"
    )
