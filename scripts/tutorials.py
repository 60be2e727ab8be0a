"""Run a tutorial as a reader would, and put what is printed into its page.

The page is run from top to bottom in one new folder, which has `instances` and `proofs` of the
repository in it:

    ```python                       runs, in one namespace for the page; the block ```text
    ```                             that follows it is what it prints
    ```python title="mine.py"       is written into the folder as a file
    <!-- kvopt ... -->              a command, shown with what it prints as a console session,
    <!-- python ... -->             up to <!-- end -->; "; echo $?" at its end shows the exit code,
                                    and without it a command must not fail

Pictures that the page shows and that are made in the folder are kept beside the page.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent

STEP = re.compile(
    r'^```python(?: title="(?P<file>[^"]+)")?\n(?P<code>.*?)^```\n(?:\n```text\n.*?^```\n)?'
    r"|^<!-- (?P<program>kvopt|python) (?P<arguments>[^\n]*) -->\n.*?^<!-- end -->\n",
    re.DOTALL | re.MULTILINE,
)
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)/:]+)\)")
EXIT_CODE = "; echo $?"


class Session:
    """What runs the steps of a page, in a folder.

    Parameters
    ----------
    page
        The name of the page, for errors.
    folder
        The current folder of everything that runs.
    """

    def __init__(self, page: str, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.module = ModuleType("tutorial")

    def step(self, match: re.Match[str]) -> str:
        """Run a step, and return it with what it printed."""
        if match["program"]:
            shown = self._command(match["program"], match["arguments"])
            return f"<!-- {match['program']} {match['arguments']} -->\n{shown}\n<!-- end -->\n"
        if match["file"]:
            (self.folder / match["file"]).write_text(match["code"])
            return match[0]
        code = f"```python\n{match['code']}```\n"
        printed = self._python(match["code"])
        return f"{code}\n```text\n{printed}\n```\n" if printed else code

    def _python(self, code: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, self.page, "exec"), self.module.__dict__)
        return _tidy(printed.getvalue())

    def _command(self, program: str, arguments: str) -> str:
        words = shlex.split(arguments.removesuffix(EXIT_CODE))
        command = [sys.executable, *(["-m", "kvopt"] if program == "kvopt" else []), *words]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        text = done.stderr + done.stdout
        if arguments.endswith(EXIT_CODE):
            text += f"{done.returncode}\n"
        elif done.returncode != 0:
            raise RuntimeError(f"{self.page}: {program} {arguments}: {text}")
        lines = [f"$ {program} {arguments}", *filter(None, [_tidy(text)])]
        return "```console\n" + "\n".join(lines) + "\n```"


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Make the folder in which a page runs the current one, and the first on Python's path."""
    with tempfile.TemporaryDirectory(prefix="kvopt-tutorial-") as name:
        folder = Path(name)
        for shared in ("instances", "proofs"):
            (folder / shared).symlink_to(ROOT / shared)
        paths, modules, here = list(sys.path), set(sys.modules), Path.cwd()
        sys.path.insert(0, name)
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(here)
            sys.path[:] = paths
            for module in set(sys.modules) - modules:
                if (getattr(sys.modules[module], "__file__", None) or "").startswith(name):
                    del sys.modules[module]


def run_page(page: Path, keep: Callable[[Path], None] = lambda picture: None) -> str:
    """Run a tutorial.

    Parameters
    ----------
    page
        The page.
    keep
        Called with each picture that the page shows, as it was made.

    Returns
    -------
    str
        The page with what its steps printed.

    Raises
    ------
    RuntimeError
        If a command fails, or a picture of the page is not made.
    """
    source = page.read_text()
    with _folder() as folder:
        text = STEP.sub(Session(page.name, folder).step, source)
        for name in PICTURE.findall(text):
            if not (folder / name).is_file():
                raise RuntimeError(f"{page.name}: nothing makes the picture {name}")
            keep(folder / name)
    return text
