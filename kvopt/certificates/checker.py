"""The stand-alone checkers of certificates, proofs/check.py and check_slices.py, as modules.

Each stays one file that imports nothing of kvopt, so that somebody who trusts nothing of
kvopt can read and run it; here they are loaded by their paths.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path
from types import ModuleType

from kvopt.model.errors import KvoptError
from kvopt.model.formats import SLICES_FORMAT

__all__ = ["checker", "refusal"]


def checker(name: str = "check") -> ModuleType:
    """Return a checker: "check" for brackets of optima, "check_slices" for slices.

    Raises
    ------
    KvoptError
        If it is missing from the installation.
    """
    return _loaded(name)


@functools.cache
def _loaded(name: str) -> ModuleType:
    here = Path(__file__).parent.parent
    for folder in (here / "_proofs", here.parent / "proofs"):
        file = folder / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"kvopt_certificate_{name}", file)
        if file.is_file() and spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise KvoptError(f"the checker of certificates, proofs/{name}.py, is missing")


def refusal(data: str | bytes) -> tuple[str, str]:
    """Check the content of a certificate file.

    Returns
    -------
    claim, reason
        What it proves, in words, and an empty reason; or no claim, and why it is refused.
    """
    module = checker("check_slices" if _is_of_slices(data) else "check")
    try:
        return str(module.check(data)), ""
    except module.Refused as error:
        return "", str(error)


def _is_of_slices(data: str | bytes) -> bool:
    """Return whether the format says so; whatever is no JSON goes to the other checker."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("format") == SLICES_FORMAT
