"""Fuzz the stand-alone checker of certificates, and see what the fuzzing would find.

    python scripts/fuzz_checker.py run   [--seconds N] [--processor N] [--seed K] [--fresh N]
                                         [--rules NAME...] [--out FILE]
    python scripts/fuzz_checker.py plant [--each N] [--by hand|operators|all] [--sample N]
                                         [--module NAME] [--seed K] [--out FILE]
    python scripts/fuzz_checker.py replay NAME
    python scripts/fuzz_checker.py seeds [--seconds N] [--seed K] [--rules NAME...] [--add]
    python scripts/fuzz_checker.py page  [--run FILE] [--plant FILE...]

run looks for the largest bound that each rule grants on instances with a known optimum, and tries
structural mutants of certificates.  Whatever the checker accepts must be true; if something is not,
it is printed, and the exit code is 1.  Ctrl-C ends with the counts so far.  Each case has a name,
as "largest blocks 0 17", from which replay makes it again.  Rules that end with "+releases", as in
"largest exhaustive+releases 0 17", are about instances with release times.

plant puts one known fault after the other into a copy of the checker, and runs the cases of the
rules that the fault can matter to, for a few seconds of processor time.  seeds makes the proofs
that cases begin with (tests/fuzzing/seeds.jsonl), of some rules or of all; page writes
docs/results/checker-fuzzing.md from what run and plant have stored with --out.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from math import inf
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from fuzzing import page  # noqa: E402
from fuzzing.asking import Finding, Ledger  # noqa: E402
from fuzzing.bugs import StaleBug, hand_written  # noqa: E402
from fuzzing.campaign import Corpus, case_names, honest, run_case  # noqa: E402
from fuzzing.loading import load, reach, sources  # noqa: E402
from fuzzing.operators import Plant, plants  # noqa: E402
from fuzzing.planting import KINDS, Result, run_plants  # noqa: E402
from fuzzing.report import (  # noqa: E402
    as_json,
    counts_table,
    plants_table,
    rows_of,
    uncaught_reasons,
)
from fuzzing.seeds import FILE, fresh_seeds, read_seeds, write_seeds  # noqa: E402

EVERY = 120
"""Seconds between two tables on the way."""


def run(given: argparse.Namespace) -> int:
    """Run cases until the time is over."""
    checker = load(sources())
    rules = chosen_rules(given, list(checker.rules))
    processor = inf if given.processor is None else given.processor
    seconds = (60 if processor == inf else inf) if given.seconds is None else given.seconds
    seeds = read_seeds()
    if given.fresh:
        for rule, some in fresh_seeds(checker, given.seed, given.fresh, rules=rules).items():
            seeds[rule] += some
    corpus = Corpus.read(checker, seeds)
    findings: list[dict[str, str]] = []
    case = "honest"

    def report(finding: Finding) -> None:
        if finding.kind == "slow":
            return
        findings.append({"case": case, **vars(finding)})
        print(f"FOUND in {case}: {finding.kind}: {finding.what}\n{finding.text}", flush=True)

    ledger = Ledger(checker, report)
    began = shown = time.monotonic()
    cases = 0

    def table() -> str:
        spent = f"{time.monotonic() - began:.0f} s ({time.process_time():.0f} s of processor time)"
        head = f"{spent}, {cases} cases, {len(findings)} findings"
        return f"{head}\n{counts_table(rows_of(ledger.tallies), corpus.shipped)}"

    try:
        honest(ledger, corpus.certificates, rules)
        for case in case_names(rules, given.seed, heavy=True):
            run_case(ledger, case, corpus)
            cases += 1
            now = time.monotonic()
            if now - began > seconds or time.process_time() > processor:
                break
            if now - shown > EVERY:
                shown = now
                print(table(), flush=True)
    except KeyboardInterrupt:
        print("interrupted")
    print(table(), flush=True)
    if given.out:
        store(given.out, run_content(given, cases, time.monotonic() - began, ledger, findings))
    return int(bool(findings))


def run_content(
    given: argparse.Namespace, cases: int, seconds: float, ledger: Ledger, findings: list[Any]
) -> dict[str, Any]:
    return {
        "seconds": round(seconds),
        "processor": round(time.process_time()),
        "limit": given.processor,
        "seed": given.seed,
        "fresh": given.fresh,
        "cases": cases,
        "rules": rows_of(ledger.tallies),
        "findings": findings,
    }


def chosen_rules(given: argparse.Namespace, known: list[str]) -> list[str]:
    """Return the rules that are asked for.

    Raises
    ------
    SystemExit
        If there is no such rule.
    """
    if unknown := sorted({*given.rules} - {*known}):
        print(f"--rules: must be of {known}, got {unknown}", file=sys.stderr)
        raise SystemExit(2)
    return given.rules or known


def chosen_plants(given: argparse.Namespace, source: dict[str, str]) -> list[Plant]:
    """Return the faults that are asked for."""
    found = hand_written(source) if given.by != "operators" else []
    if given.by != "hand":
        found += [one for module, text in source.items() for one in plants(module, text)]
    if given.module:
        found = [one for one in found if one.module == given.module]
    if given.key:
        found = [one for one in found if given.key in one.key]
    if given.sample and given.sample < len(found):
        found = random.Random(given.seed).sample(found, given.sample)
    return found


def plant(given: argparse.Namespace) -> int:
    """Plant faults, and say which were caught."""
    source = sources()
    corpus = Corpus.read(load(source))
    rules = reach(source)
    chosen = chosen_plants(given, source)
    results: list[Result] = []
    began = time.monotonic()
    reasons = uncaught_reasons()
    try:
        for one in run_plants(chosen, source, corpus, rules, given.each, given.seed):
            results.append(one)
            why = ": ".join(reasons.get(one.key, ("gap", "not read yet")))
            end = f"  [{why}]" if one.kind not in KINDS[:3] else f"  {one.rule} {one.seconds:.1f} s"
            print(f"{len(results)}/{len(chosen)} {one.kind:14} {one.module}:{one.line}{end}")
            print(f"    {one.key}", flush=True)
    except KeyboardInterrupt:
        print("interrupted")
    sizes = {module: text.count("\n") for module, text in source.items()}
    print(plants_table(results, reasons, sizes, {name: len(some) for name, some in rules.items()}))
    print(f"{time.monotonic() - began:.0f} s")
    if given.out:
        content = {"each": given.each, "by": given.by, "sample": given.sample, "seed": given.seed}
        content["key"] = given.key
        content["module"] = given.module
        store(given.out, {**content, "results": as_json(results)})
    missed = [one for one in results if one.kind == "not caught"]
    return int(any(reasons.get(one.key, ("gap", ""))[0] == "gap" for one in missed))


def replay(given: argparse.Namespace) -> int:
    """Run one case, and show what it finds."""
    checker = load(sources())
    found: list[Finding] = []
    ledger = Ledger(checker, found.append)
    run_case(ledger, given.name, Corpus.read(checker))
    for finding in found:
        print(f"{finding.kind}: {finding.what}\n{finding.text}")
    print(json.dumps(rows_of(ledger.tallies), indent=1))
    return int(any(finding.kind != "slow" for finding in found))


def seeds(given: argparse.Namespace) -> int:
    """Make the proofs that cases begin with."""
    checker = load(sources())
    rules = chosen_rules(given, list(checker.rules))
    found = fresh_seeds(checker, given.seed, given.seconds, rules=rules)
    before = read_seeds()
    for rule, some in found.items():
        before[rule] = before[rule] + some if given.add else some
    write_seeds(FILE, before)
    print({rule: len(some) for rule, some in found.items()})
    return 0


def write_page(given: argparse.Namespace) -> int:
    """Write the page of results."""
    page.write(given.run, given.plant)
    return 0


def store(file: Path, content: dict[str, Any]) -> None:
    beside = file.with_name(file.name + ".new")
    beside.write_text(json.dumps(content, indent=1) + "\n")
    beside.replace(file)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("run")
    one.set_defaults(function=run)
    one.add_argument("--seconds", type=float, help="at most; 60 if --processor is not given")
    one.add_argument("--processor", type=float, help="processor seconds, at most")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--fresh", type=float, default=0, help="seconds a rule for more seeds")
    one.add_argument("--rules", nargs="*", default=[])
    one.add_argument("--out", type=Path)
    one = commands.add_parser("plant")
    one.set_defaults(function=plant)
    one.add_argument("--each", type=float, default=5, help="processor seconds for a fault")
    one.add_argument("--by", choices=["hand", "operators", "all"], default="all")
    one.add_argument("--sample", type=int, default=0)
    one.add_argument("--module")
    one.add_argument("--key", help="only faults with this text in their key")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--out", type=Path)
    one = commands.add_parser("replay")
    one.set_defaults(function=replay)
    one.add_argument("name")
    one = commands.add_parser("seeds")
    one.set_defaults(function=seeds)
    one.add_argument("--seconds", type=float, default=30, help="processor seconds a rule")
    one.add_argument("--rules", nargs="*", default=[])
    one.add_argument("--add", action="store_true", help="to those that there are")
    one.add_argument("--seed", type=int, default=0)
    one = commands.add_parser("page")
    one.set_defaults(function=write_page)
    one.add_argument("--run", type=Path, help="what run has stored")
    one.add_argument("--plant", type=Path, nargs="*", help="what plant has stored")
    return parser


def main() -> int:
    """Do what the command line says; exit code 0 if nothing was found."""
    given = arguments().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        return int(given.function(given))
    except StaleBug as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
