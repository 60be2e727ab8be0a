"""The main job: audit a set of instances."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from kvopt.adversary.brief import BriefSearch, brief_search
from kvopt.cli.options import (
    DONE,
    FAILED,
    INTERRUPTED,
    PATH,
    as_csv,
    as_json,
    complain,
    policies_option,
    print_json,
    read_instances,
    time_limit_option,
)
from kvopt.cli.terminal import interruptible, progress_bar
from kvopt.comparison.audit import Audited, audit_instance
from kvopt.comparison.records import problem_with, read_records
from kvopt.model.errors import InputError, KvoptError
from kvopt.model.files import curated_instances, find_certificates, instance_to_json, read_text
from kvopt.policies import Policy, policy_from_spec

__all__ = ["audit"]

AUDIT_POLICIES = "gba,gba:alpha=2,gsa,gsa:alpha=2,mc-sf,fcfs"
HUNTED_POLICIES = ("gsa:alpha=2", "gba:alpha=2")


@click.command()
@click.argument("paths", type=PATH, nargs=-1)
@policies_option(AUDIT_POLICIES)
@click.option("--search/--no-search", "hunting", default=True, help="Search for bad instances.")
@time_limit_option(5, "for an instance")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True)
@as_json
@as_csv
def audit(
    paths: tuple[Path, ...],
    policies: list[Policy],
    hunting: bool,
    time_limit: float,
    seed: int,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Audit instances: exact optima, ratios against their bounds, a short worst-case search.

    PATH is an instance file or a folder of them; without any, the instances that
    come with kvopt are audited.  Every schedule is checked independently, and
    every optimum that is small enough is proved by a second solver.  Certificates
    in a subfolder "certificates" are checked too, and so are the claims of the worst
    instances known, in a subfolder "worst".  The search is for instances on
    which GSA(2) and GBA(2) do badly.
    """
    from kvopt.certificates.checker import refusal
    from kvopt.report.tables import ratio_row, to_csv

    began = time.perf_counter()
    curated = curated_instances()
    files = paths or sorted(curated.glob("*.json"))
    paths = paths or (curated,)
    instances = read_instances(files)
    records = [record for path in paths for record in read_records(path)]
    audited: list[tuple[str, Audited]] = []
    hunted: list[BriefSearch] = []
    problems: list[str] = []
    hunted_policies = HUNTED_POLICIES if hunting else ()
    certificates = [file for path in paths for file in find_certificates(path)]
    held = fame = 0
    steps = len(instances) + len(hunted_policies) + len(records)
    with interruptible() as stop, progress_bar("auditing", steps) as advance_to:
        for name, instance in instances:
            try:
                result = audit_instance(instance, policies, stop.part(time_limit))
            except InputError:
                raise
            except KvoptError as error:
                problems.append(f"{name}: {error}")
                continue
            if stop.interrupted:
                break
            audited.append((name, result))
            problems += [f"{name}: {problem}" for problem in result.problems]
            advance_to(len(audited))
        for spec in hunted_policies:
            if not stop.interrupted and (found := brief_search(policy_from_spec(spec), seed, stop)):
                hunted.append(found)
                problems += [f"search: {problem}" for problem in found.problems]
            advance_to(len(audited) + len(hunted))
        for number, record in enumerate(records, start=1):
            if stop.interrupted:
                break
            if problem := problem_with(record):
                problems.append(f"{record.file}: {problem}")
            else:
                fame += 1
            advance_to(len(audited) + len(hunted) + number)
        for file in certificates:
            if stop.interrupted:
                break
            if reason := refusal(read_text(file))[1]:
                problems.append(f"{file}: {reason}")
            else:
                held += 1
    summary = _summary(audited, hunted, held, fame, problems, time.perf_counter() - began)
    if as_json:
        print_json(_as_object(audited, hunted, problems, summary))
    elif as_csv:
        rows = [ratio_row(n, ratio) for n, r in audited for ratio in r.comparison.ratios]
        click.echo(to_csv(rows), nl=False)
        complain(_sentence(summary), DONE)
    else:
        _print(audited, hunted, problems)
        click.echo(_sentence(summary))
    if stop.interrupted:
        return complain(
            f"interrupted; {len(audited)} of {len(instances)} instances were audited", INTERRUPTED
        )
    return FAILED if problems else DONE


def _print(
    audited: list[tuple[str, Audited]], hunted: list[BriefSearch], problems: list[str]
) -> None:
    """Print the table of ratios, what the search found, and the problems."""
    from kvopt.report.tables import bound_texts, optimum_text, ratio_text, text_table

    table = []
    for name, result in audited:
        optimum = result.comparison.optimum
        facts = [
            name,
            str(len(optimum.instance)),
            str(optimum.instance.memory),
            optimum_text(optimum),
            str(len(result.witnesses)),
        ]
        for ratio in result.comparison.ratios:
            shown = [ratio.policy, ratio_text(ratio), *bound_texts(ratio), ratio.verdict.value]
            table.append([*facts, *shown])
            facts = [""] * len(facts)
    heads = (
        "instance",
        "n",
        "M",
        "optimum",
        "proofs",
        "policy",
        "ratio",
        "bound",
        "from",
        "verdict",
    )
    click.echo(text_table(heads, table, right="lrrrrlrrll"))
    for found in hunted:
        groups = ", ".join(f"{o} x {count}" for _, o, count in found.instance.groups())
        click.echo(
            f"\nworst of {found.evaluations} instances for {found.ratio.policy}:"
            f" ratio {ratio_text(found.ratio)}, {found.ratio.verdict.value}"
            f"\n  M = {found.instance.memory}, s = {found.instance.prompts[0]}, outputs {groups}"
        )
    if problems:
        click.echo("\nproblems:")
        for problem in problems:
            click.echo(f"  {problem}")
    click.echo()


def _summary(
    audited: list[tuple[str, Audited]],
    hunted: list[BriefSearch],
    certificates: int,
    records: int,
    problems: list[str],
    seconds: float,
) -> dict[str, Any]:
    results = [result for _, result in audited]
    ratios = [ratio for result in results for ratio in result.comparison.ratios]
    verdicts = [ratio.verdict.value for ratio in ratios + [found.ratio for found in hunted]]
    return {
        "instances": len(results),
        "optimal": sum(result.comparison.optimum.status.value == "optimal" for result in results),
        "proved_twice": sum(len(result.witnesses) > 1 for result in results),
        "schedules_checked": sum(result.schedules for result in results),
        "certificates": certificates,
        "records": records,
        "verdicts": {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))},
        "problems": len(problems),
        "seconds": round(seconds, 1),
    }


def _sentence(summary: dict[str, Any]) -> str:
    """Return the summary as one line."""
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in summary["verdicts"].items())
    certificates = summary["certificates"]
    held = f", {certificates} certificates hold" if certificates else ""
    records = summary["records"]
    held += f", {records} worst instances are as bad as they say" if records else ""
    result = "all well" if not summary["problems"] else f"{summary['problems']} PROBLEMS"
    return (
        f"{summary['instances']} instances, {summary['optimal']} optima proved"
        f" ({summary['proved_twice']} in more than one way),"
        f" {summary['instances'] - summary['optimal']} bracketed,"
        f" {summary['schedules_checked']} schedules checked{held};"
        f" ratios: {verdicts}; {result}, {summary['seconds']} s"
    )


def _as_object(
    audited: list[tuple[str, Audited]],
    hunted: list[BriefSearch],
    problems: list[str],
    summary: dict[str, Any],
) -> dict[str, Any]:
    from kvopt.report.tables import ratio_row, solve_object

    return {
        "instances": [
            {
                **solve_object(result.comparison.optimum),
                "instance": name,
                "requests": len(result.comparison.instance),
                "memory": result.comparison.instance.memory,
                "witnesses": list(result.witnesses),
                "ratios": [ratio_row(name, ratio) for ratio in result.comparison.ratios],
                "problems": list(result.problems),
            }
            for name, result in audited
        ],
        "search": [
            {
                **ratio_row(found.instance.name, found.ratio),
                "evaluations": found.evaluations,
                "instance": instance_to_json(found.instance),
            }
            for found in hunted
        ],
        "problems": problems,
        "summary": summary,
    }
