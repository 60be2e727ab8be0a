"""Which code this is: what a search found with other code is not taken for done."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
from importlib import resources
from importlib.resources.abc import Traversable

import kvopt

__all__ = ["NO_MATTER", "OF_NO_RATIO", "code_version", "versions"]

NO_MATTER = frozenset(
    {
        *("__main__.py", "adversary/attribution.py", "adversary/brief.py"),
        *("adversary/progress.py", "adversary/store.py", "batch", "certificates"),
        *("cli", "comparison", "generate", "parallel", "plot", "report", "traces"),
    }
)
"""Files and folders of the package that what a search finds does not depend on.

A new file counts until it is entered here, so that the mistake to make is a search too many.
"""

OF_NO_RATIO = frozenset(
    {"__main__.py", "adversary", "cli", "generate", "parallel", "plot", "report", "traces"}
)
"""Likewise, for what is found on a given instance."""

PACKAGES = ("numpy", "scipy", "numba", "highspy", "pulp", "networkx")
"""What numbers depend on besides kvopt."""


@functools.cache
def code_version(without: frozenset[str] = NO_MATTER) -> str:
    """Return the version of kvopt and a digest of the sources that the work depends on.

    Parameters
    ----------
    without
        Files and folders that it does not depend on; by default those of a search.

    Examples
    --------
    >>> code_version().partition("+")[0] == kvopt.__version__
    True
    """
    digest = hashlib.sha256()
    for name, file in sorted(_files(resources.files(kvopt), "", without)):
        digest.update(f"{name}\n".encode() + file.read_bytes())
    return f"{kvopt.__version__}+{digest.hexdigest()[:12]}"


def versions() -> list[tuple[str, str]]:
    """Return what numbers depend on: programs and packages with their versions, the machine."""
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    found = [("kvopt", code_version()), ("Python", python)]
    found += [(name, importlib.metadata.version(name)) for name in PACKAGES]
    return [*found, ("machine", f"{platform.system()}, {platform.machine()}")]


def _files(
    folder: Traversable, path: str, without: frozenset[str]
) -> list[tuple[str, Traversable]]:
    """Return the Python files in a folder that matter, with their paths."""
    found = []
    for entry in folder.iterdir():
        if path + entry.name in without or entry.name.startswith(("_", ".")):
            continue
        if entry.is_dir():
            found += _files(entry, f"{path}{entry.name}/", without)
        elif entry.name.endswith(".py"):
            found.append((path + entry.name, entry))
    return found
