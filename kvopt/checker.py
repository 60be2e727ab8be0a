"""The stand-alone checker of certificates, proofs/check.py, as a module.

It stays one file that imports nothing of kvopt, so that somebody who trusts nothing of
kvopt can read and run it; here it is loaded by its path.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from types import ModuleType

from kvopt.errors import KvoptError

__all__ = ["checker", "refusal"]


@functools.cache
def checker() -> ModuleType:
    """Return the checker.

    Raises
    ------
    KvoptError
        If it is missing from the installation.
    """
    here = Path(__file__).parent
    for file in (here / "_proofs" / "check.py", here.parent / "proofs" / "check.py"):
        spec = importlib.util.spec_from_file_location("kvopt_certificate_checker", file)
        if file.is_file() and spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise KvoptError("the checker of certificates, proofs/check.py, is missing")


def refusal(data: str | bytes) -> tuple[str, str]:
    """Check the content of a certificate file.

    Returns
    -------
    claim, reason
        What it proves, in words, and an empty reason; or no claim, and why it is refused.
    """
    try:
        return str(checker().check(data)), ""
    except checker().Refused as error:
        return "", str(error)
