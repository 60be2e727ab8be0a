"""Regenerate what README.md claims, or check that it is up to date.

    python scripts/readme.py [--check]

A block between "<!-- COMMAND -->" and "<!-- end -->" is the output of that command, and one between
"<!-- FILE: NAME -->" and "<!-- end -->" what stands in that file between "<!-- NAME -->" and
"<!-- end NAME -->".
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- (kvopt [^\n]*) -->\n.*?<!-- end -->", re.DOTALL)
QUOTE = re.compile(r"<!-- (docs/[^\n]*\.md): (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def output(command: str) -> str:
    """Return what a kvopt command prints (run in the root of the repository)."""
    arguments = [sys.executable, "-m", "kvopt", *shlex.split(command)[1:]]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def block(match: re.Match[str]) -> str:
    """Return a block with fresh output."""
    command = match[1]
    return f"<!-- {command} -->\n```console\n$ {command}\n{output(command)}\n```\n<!-- end -->"


def quoted(match: re.Match[str]) -> str:
    """Return a block with what stands in a file."""
    file, name = match[1], match[2]
    text = (ROOT / file).read_text()
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    if begin not in text or end not in text:
        sys.exit(f"{file}: has no part {name}")
    part = text.partition(begin)[2].partition(end)[0].strip()
    return f"<!-- {file}: {name} -->\n{part}\n<!-- end -->"


def main() -> None:
    old = README.read_text()
    new = QUOTE.sub(quoted, BLOCK.sub(block, old))
    if sys.argv[1:] == ["--check"]:
        if new != old:
            sys.exit("README.md is not up to date: run scripts/readme.py")
    elif not sys.argv[1:]:
        README.write_text(new)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
