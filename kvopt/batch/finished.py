"""A folder that keeps what is finished of some work on many instances, one file for each.

A file is written whole when its instance is done.  So whenever the process dies, what was done
is there.  Whoever wants to do the same again finds it under all that it depends on.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kvopt.model.errors import InputError
from kvopt.model.files import read_json, write_bytes

__all__ = ["Finished"]

FORMAT = "kvopt-finished/1"

DAMAGE = (TypeError, ValueError, KeyError, ArithmeticError, RecursionError, AttributeError)
"""What goes wrong while values are read that are not as they were written."""

T = TypeVar("T")


class Finished:
    """Finished work in a folder, which is made if it does not exist.

    Parameters
    ----------
    folder
        The folder.

    Attributes
    ----------
    damaged
        The files that were not as they were written, and are taken for absent.

    Raises
    ------
    InputError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[Path] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be made a folder: {error.strerror}") from None

    def get(self, key: Mapping[str, Any], read: Callable[[Any], T]) -> T | None:
        """Return what is kept under a key, read by a function; None if it is absent or damaged.

        Parameters
        ----------
        key
            All that the work depends on, in values that JSON knows.
        read
            Makes something of it; what it raises says that it is damaged.
        """
        file = self._file(key)
        if not file.exists():
            return None
        try:
            content: Any = read_json(file)
            if content["format"] != FORMAT or content["key"] != json.loads(_canonical(key)):
                raise ValueError
            if content["sha256"] != _digest(content["found"]):
                raise ValueError
            return read(content["found"])
        except (*DAMAGE, InputError):
            self.damaged.append(file)
            return None

    def put(self, key: Mapping[str, Any], found: Any) -> None:
        """Keep something under a key, in place of what was there.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        content = {"format": FORMAT, "key": key, "sha256": _digest(found), "found": found}
        packed = gzip.compress(json.dumps(content).encode(), mtime=0)
        write_bytes(self._file(key), packed)

    def _file(self, key: Mapping[str, Any]) -> Path:
        return self.folder / f"{_digest(key)[:40]}.json.gz"


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest(value: Any) -> str:
    return hashlib.sha256(_canonical(value).encode()).hexdigest()
