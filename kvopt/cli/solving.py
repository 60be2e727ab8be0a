"""Commands about one file: solve, simulate, verify."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import click

from kvopt.cli.options import (
    BAD_INPUT,
    DONE,
    FAILED,
    INTERRUPTED,
    PATH,
    as_json,
    complain,
    label,
    output_file,
    print_json,
    time_limit_option,
)
from kvopt.cli.terminal import interruptible, progress_bar, status_line
from kvopt.model.errors import InputError
from kvopt.model.files import CertificateText, attempt_rows, read_any, read_instance, write_schedule
from kvopt.model.instance import Instance
from kvopt.policies import policy_from_spec, spec_of
from kvopt.solver.result import Result, Status

__all__ = ["simulate", "solve", "verify"]

ATTEMPTS_SHOWN = 10_000
"""Up to this many attempts are printed without being asked for."""


@click.command()
@click.argument("file", type=PATH)
@time_limit_option(60, "altogether")
@click.option(
    "--node-limit",
    type=click.IntRange(1),
    metavar="N",
    help="Stop after N nodes of searches: states, labels, nodes of trees.",
)
@click.option(
    "--certificate",
    type=output_file,
    help="Write a certificate of the bracket, and go on until the bracket is proved.",
)
@click.option("-o", "--output", type=output_file, help="Write the best schedule to this file.")
@as_json
def solve(
    file: Path,
    time_limit: float,
    node_limit: int | None,
    certificate: Path | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Bracket the optimal total completion time of an instance."""
    from kvopt.certificates.solve import solve_certified
    from kvopt.certificates.write import checked_certificate, write_certificate
    from kvopt.report.tables import optimum_text, solve_object
    from kvopt.solver.solve import solve as solve_bracket

    run = solve_bracket if certificate is None else solve_certified

    instance = read_instance(file)
    began = time.perf_counter()
    history: list[tuple[float, int, int]] = []
    nodes = math.inf if node_limit is None else node_limit
    with interruptible(time_limit, nodes) as stop, status_line(f"solving {file.name}") as status:

        def report(bracket: Result) -> None:
            gap = 100 * (1 - bracket.lower_bound / bracket.objective)
            found = f"{optimum_text(bracket)}, gap {gap:.2f} %"
            status(f"{found}, {bracket.rule}, {stop.nodes} nodes")
            ends = (bracket.lower_bound, bracket.objective)
            if not history or history[-1][1:] != ends:
                history.append((round(time.perf_counter() - began, 3), *ends))

        result = run(instance, time_limit, stop=stop, report=report)
        report(result)
    certified = None
    if certificate is not None:
        certified = result.certified_lower_bound
        write_certificate(certificate, checked_certificate(result))
        if certified < result.lower_bound:
            complain(
                f"{certificate}: proves the lower bound {certified}; that of {result.lower_bound}"
                f" is the word of {result.rule}",
                DONE,
            )
    if output is not None:
        write_schedule(output, result.schedule)
    if as_json:
        answer = {**solve_object(result), "instance": label(instance, file), "history": history}
        if certified is not None:
            answer["certified_lower_bound"] = certified
        print_json(answer)
    else:
        click.echo(f"status       {result.status.value}")
        click.echo(f"objective    {result.objective}")
        click.echo(f"lower bound  {result.lower_bound} ({result.rule})")
        if result.status is Status.BRACKET:
            click.echo(f"gap          {100 * (1 - result.lower_bound / result.objective):.2f} %")
        if certified is not None:
            click.echo(f"certified    {certified}")
        click.echo(f"seconds      {result.seconds:.2f}")
    return INTERRUPTED if stop.interrupted else DONE


@click.command()
@click.argument("file", type=PATH)
@click.option("--policy", "spec", required=True, help="NAME or NAME:key=value:key=value.")
@click.option("--param", "params", multiple=True, metavar="K=V", help="A parameter of the policy.")
@click.option("--attempts", "show", is_flag=True, help="Print the attempts, however many.")
@click.option("-o", "--output", type=output_file, help="Write the schedule to this file.")
@as_json
def simulate(
    file: Path, spec: str, params: tuple[str, ...], show: bool, output: Path | None, as_json: bool
) -> int:
    """Run a policy on an instance."""
    from kvopt.report.tables import text_table
    from kvopt.simulation.simulate import simulate as run

    policy = policy_from_spec(":".join((spec, *params)))
    instance = read_instance(file)
    with progress_bar(f"simulating {spec_of(policy)}", len(instance)) as advance_to:
        schedule = run(instance, policy, progress=advance_to)
    if output is not None:
        write_schedule(output, schedule)
    summary: dict[str, Any] = {
        "instance": label(instance, file),
        "policy": spec_of(policy),
        "total_completion_time": schedule.total_completion_time(),
        "peak_memory": schedule.peak_memory(),
        "kills": schedule.kills,
    }
    if as_json:
        summary["completion_times"] = schedule.completion_times().tolist()
        if show or len(schedule) <= ATTEMPTS_SHOWN:
            summary["attempts"] = attempt_rows(schedule)
        print_json(summary)
        return DONE
    for key, value in summary.items():
        click.echo(f"{key.replace('_', ' '):<22} {value}")
    click.echo(f"{'attempts':<22} {len(schedule)}")
    if show:
        rows = [[*map(str, row[:3]), "killed" if row[3] else ""] for row in attempt_rows(schedule)]
        click.echo(text_table(("request", "start", "end", ""), rows, right="rrr"))
    return DONE


@click.command()
@click.argument("files", type=PATH, nargs=-1, required=True)
@as_json
def verify(files: tuple[Path, ...], as_json: bool) -> int:
    """Check schedules against the model, listing every violation, and certificates.

    Certificates go through proofs/check.py, a file that runs without kvopt too.
    """
    from kvopt.certificates.checker import refusal
    from kvopt.model.feasibility import violations

    checked: list[dict[str, Any]] = []
    refused = False
    for file in files:
        try:
            content = read_any(file)
        except InputError as error:
            refused = True
            checked.append({"file": str(file), "kind": "unreadable", "ok": False, "violations": []})
            complain(str(error), BAD_INPUT)
            continue
        if isinstance(content, Instance):
            checked.append({"file": str(file), "kind": "instance", "ok": True, "violations": []})
            continue
        row: dict[str, Any]
        if isinstance(content, CertificateText):
            claim, reason = refusal(content)
            row = {
                "file": str(file),
                "kind": "certificate",
                "ok": not reason,
                "violations": [reason] if reason else [],
            }
            if not reason:
                row["claim"] = claim
            checked.append(row)
            continue
        found = [str(violation) for violation in violations(content)]
        row = {
            "file": str(file),
            "kind": "schedule",
            "ok": not found,
            "violations": found,
        }
        if not found:
            row["total_completion_time"] = content.total_completion_time()
        checked.append(row)
    ok = all(row["ok"] for row in checked)
    code = BAD_INPUT if refused else DONE if ok else FAILED
    if as_json:
        print_json({"ok": ok, "files": checked})
        return code
    for row in checked:
        if row["kind"] == "unreadable":  # that was said already
            continue
        note = f", {row['claim']}" if "claim" in row else ""
        if "total_completion_time" in row:
            note = f", total completion time {row['total_completion_time']}"
        state = "ok" if row["ok"] else "FAILED"
        click.echo(f"{row['file']}: {state}: {row['kind']}{note}")
        for violation in row["violations"]:
            click.echo(f"  {violation}")
    return code
