"""Build the certificates in instances/certificates/, or check that they are up to date.

python scripts/build_certificates.py [--check] [INSTANCE...]

Each says what kvopt proves of a curated instance in a minute.  How far an open bracket
closes depends on the machine, so --check asks only that each certificate holds, is about
the instance as it is now, and that none is missing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kvopt.certificates.checker import refusal
from kvopt.certificates.solve import solve_certified
from kvopt.certificates.write import checked_certificate, write_certificate
from kvopt.model.files import CERTIFICATES, curated_instances, find_certificates
from kvopt.model.files import read_instance as read

FOLDER = curated_instances()
SECONDS = 30


def build(file: Path) -> None:
    instance = read(file)
    result = solve_certified(instance, SECONDS)
    new = checked_certificate(result)
    target = FOLDER / CERTIFICATES / file.name
    if target.exists():
        old = json.loads(target.read_text())
        same = old["instance_sha256"] == new["instance_sha256"]
        if same and (old["lower_bound"], -old["upper_bound"]) >= (
            new["lower_bound"],
            -new["upper_bound"],
        ):
            print(f"{file.stem}: no better than before")
            return
    target.parent.mkdir(exist_ok=True)
    write_certificate(target, new)
    print(f"{file.stem}: {result.certified_lower_bound}..{result.objective}")


def problems() -> list[str]:
    files = {file.name: read(file) for file in sorted(FOLDER.glob("*.json"))}
    certificates = {file.name: file for file in find_certificates(FOLDER)}
    found = [f"{name}: has no certificate" for name in files.keys() - certificates.keys()]
    found += [f"{name}: has no instance" for name in certificates.keys() - files.keys()]
    for name in sorted(files.keys() & certificates.keys()):
        text = certificates[name].read_text()
        if reason := refusal(text)[1]:
            found.append(f"{name}: {reason}")
        elif json.loads(text)["instance_sha256"] != files[name].digest():
            found.append(f"{name}: is about another instance")
    return found


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(problems()) or 0)
    for file in sorted(FOLDER.glob("*.json")):
        if not sys.argv[1:] or file.stem in sys.argv[1:]:
            build(file)


if __name__ == "__main__":
    main()
