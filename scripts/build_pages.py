"""Regenerate the generated blocks of README.md, docs/ and proofs/README.md, or check them.

    python scripts/build_pages.py [--check] [FILE...]

A block lies between "<!-- COMMAND -->" and "<!-- end -->". COMMAND is one of

    kvopt ...                   the command and its output are shown as a console session
    python scripts/NAME.py ...  its output is Markdown and is put there as it is (also proofs/)

so every such number and table names the command that made it. Tutorials are run from top to bottom
(tutorials.py), which makes their pictures, too. Without FILE all pages are treated. With --check
nothing is written, and the exit code is 1 if a page is out of date; pictures are not compared. The
seconds that `kvopt solve` reports differ from run to run and do not count.
"""

from __future__ import annotations

import argparse
import functools
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tutorials import run_page

from kvopt.model.files import write_text

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"<!-- (kvopt|python (?:scripts|proofs)/\S+\.py)((?: [^\n]*)?) -->\n.*?<!-- end -->", re.DOTALL
)
DECIMAL = re.compile(r" +[0-9]+\.[0-9]+(?= |$)", re.MULTILINE)


def without_times(match: re.Match[str]) -> str:
    """Return a block without what differs from run to run: how many seconds solving takes."""
    return DECIMAL.sub("", match[0]) if match[2].startswith(" solve ") else match[0]


def pages() -> list[Path]:
    """Return the pages that may have generated blocks."""
    return [ROOT / "README.md", ROOT / "proofs" / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


@functools.cache
def output(program: str, arguments: str) -> str:
    """Return what a command prints when it is run in the root of the repository."""
    words = ["-m", "kvopt"] if program == "kvopt" else [program.removeprefix("python ")]
    command = [sys.executable, *words, *shlex.split(arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{program}{arguments}: exit code {done.returncode}\n{done.stderr}")
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def block(match: re.Match[str]) -> str:
    """Return a block with fresh output."""
    program, arguments = match[1], match[2]
    text = output(program, arguments)
    if program == "kvopt":
        text = f"```console\n$ {program}{arguments}\n{text}\n```"
    return f"<!-- {program}{arguments} -->\n{text}\n<!-- end -->"


def is_tutorial(page: Path) -> bool:
    """Tell whether a page is run from top to bottom."""
    return page.parent.name == "tutorials"


def fresh(page: Path, keep: Callable[[Path], None]) -> str:
    """Return a page with fresh output; `keep` gets the pictures of a tutorial."""
    return run_page(page, keep) if is_tutorial(page) else BLOCK.sub(block, page.read_text())


def copy_to(folder: Path, picture: Path) -> None:
    """Keep a picture."""
    shutil.copy(picture, folder)


def nothing(picture: Path) -> None:
    """Leave a picture alone."""


def same(old: str, new: str) -> bool:
    """Tell whether a page is up to date, times apart."""
    return BLOCK.sub(without_times, new) == BLOCK.sub(without_times, old)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if stale")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="pages; default all")
    options = parser.parse_args()
    stale = []
    for page in options.files or pages():
        old = page.read_text()
        new = fresh(
            page, nothing if options.check else functools.partial(copy_to, page.resolve().parent)
        )
        if not same(old, new):
            stale.append(str(page))
            if not options.check:
                write_text(page, new)
    if stale and options.check:
        sys.exit(f"out of date: {', '.join(stale)}; run scripts/build_pages.py")


if __name__ == "__main__":
    main()
