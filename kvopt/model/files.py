"""Reading and writing files: instances, schedules, and any text or bytes, whole or not at all.

Everything that kvopt writes goes through `write_text` or `write_bytes`.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar

from kvopt.model.errors import InputError
from kvopt.model.formats import (
    CERTIFICATE_FORMAT,
    INSTANCE_FORMATS,
    SCHEDULE_FORMATS,
    SLICES_FORMAT,
    instance_from_json,
    instance_to_json,
    parsed,
    schedule_from_json,
    schedule_to_json,
    text_of,
)
from kvopt.model.instance import Instance, abridged
from kvopt.model.schedule import Schedule

__all__ = [
    "CERTIFICATES",
    "STDOUT",
    "WORST",
    "CertificateText",
    "PathLike",
    "check_writable",
    "curated_instances",
    "files_in",
    "find_certificates",
    "find_instances",
    "opened",
    "read_any",
    "read_instance",
    "read_json",
    "read_schedule",
    "read_text",
    "write_bytes",
    "write_instance",
    "write_schedule",
    "write_text",
]

PathLike: TypeAlias = str | os.PathLike[str]
"""A path as people have it: a str or a Path."""

CERTIFICATES = "certificates"
"""Name of the subfolder of a folder of instances that holds certificates of theirs."""

WORST = "worst"
"""Name of the subfolder of the curated instances that holds the worst ones known."""

STDOUT = Path("/dev/stdout")
"""What is written there goes to stdout behind what was printed before."""

T = TypeVar("T")

MAX_BYTES = 2**30
"""Largest JSON file accepted (bytes)."""


def read_instance(path: PathLike) -> Instance:
    """Read an instance file.

    Raises
    ------
    TypeError
        If the path is neither a str nor a Path.
    InputError
        If the file cannot be read or is not a valid "kvopt-instance/1" or
        "kvopt-instance/2" file.
    """
    path = _path(path)
    return _located(path, lambda: instance_from_json(read_json(path)))


def read_schedule(path: PathLike) -> Schedule:
    """Read a schedule file; it may be infeasible, but it must be well formed.

    Raises
    ------
    TypeError
        If the path is neither a str nor a Path.
    InputError
        If the file cannot be read or is not a valid "kvopt-schedule/1" or
        "kvopt-schedule/2" file.
    """
    path = _path(path)
    return _located(path, lambda: schedule_from_json(read_json(path)))


class CertificateText(str):
    """The text of a file whose format says that it is a certificate; not checked yet.

    Of a bracket of an optimum, or of slices.
    """

    __slots__ = ()


def read_any(path: PathLike) -> Instance | Schedule | CertificateText:
    """Read an instance, schedule or certificate file, whichever its format says it is.

    Raises
    ------
    TypeError
        If the path is neither a str nor a Path.
    InputError
        If the file cannot be read or is none of these.
    """
    path = _path(path)
    text = _located(path, lambda: read_text(path, packed=True))
    content = _located(path, lambda: parsed(text))
    kind = content.get("format") if isinstance(content, dict) else None
    if kind in (CERTIFICATE_FORMAT, SLICES_FORMAT):
        return CertificateText(_located(path, lambda: read_text(path)))  # as the checker reads it
    if kind in SCHEDULE_FORMATS:
        return _located(path, lambda: schedule_from_json(content))
    if kind in INSTANCE_FORMATS:
        return _located(path, lambda: instance_from_json(content))
    formats = [*SCHEDULE_FORMATS, *INSTANCE_FORMATS, CERTIFICATE_FORMAT, SLICES_FORMAT]
    known = f"{', '.join(map(repr, formats[:-1]))} or {formats[-1]!r}"
    raise InputError(f"{path}: format: must be {known}, got {abridged(kind)}")


def write_instance(path: PathLike, instance: Instance) -> None:
    """Write an instance file; reading it again gives an equal instance.

    Parameters
    ----------
    path
        The file.
    instance
        The instance.

    Raises
    ------
    TypeError
        If the path is neither a str nor a Path, or the instance is no Instance, as where the
        two are in the wrong order.
    InputError
        If the file cannot be written.
    """
    _check_pair("write_instance", path, instance, Instance)
    write_text(path, text_of(instance_to_json(instance)))


def write_schedule(path: PathLike, schedule: Schedule) -> None:
    """Write a schedule file; reading it again gives an equal schedule.

    Parameters
    ----------
    path
        The file.
    schedule
        The schedule.

    Raises
    ------
    TypeError
        If the path is neither a str nor a Path, or the schedule is no Schedule.
    InputError
        If the file cannot be written.
    """
    _check_pair("write_schedule", path, schedule, Schedule)
    write_text(path, text_of(schedule_to_json(schedule)))


def find_instances(path: PathLike) -> list[Path]:
    """Return the instance files meant by a file or folder, in name order.

    Hidden files and folders, such as a virtual environment's, are ignored, and so are
    subfolders of certificates.

    Raises
    ------
    InputError
        If there is no such file or folder, or the folder has no JSON file, plain or gzip.
    """
    path = _path(path)
    try:
        if not path.is_dir():
            return [path]
        found = sorted(
            file
            for file in path.rglob("*.json*")
            if file.name.endswith((".json", ".json.gz"))
            and file.is_file()
            and not any(n[0] == "." for n in file.relative_to(path).parts)
            and CERTIFICATES not in file.relative_to(path).parent.parts
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if not found:
        raise InputError(f"{path}: folder holds no .json or .json.gz file")
    return found


def find_certificates(path: PathLike) -> list[Path]:
    """Return the certificates that come with a folder of instances, in name order.

    Raises
    ------
    InputError
        If one of them is no file, but a folder or a pipe.
    """
    return files_in(_path(path) / CERTIFICATES)


def files_in(folder: Path) -> list[Path]:
    """Return the JSON files right in a folder, in name order; none if it does not exist.

    Raises
    ------
    InputError
        If one of them is no file: reading a pipe or a device may never end.
    """
    found = sorted(folder.glob("*.json"))
    for file in found:
        if not file.is_file():
            raise InputError(f"{file}: is not a file")
    return found


def curated_instances() -> Path:
    """Return the folder of the instances that come with kvopt."""
    package = Path(__file__).parent.parent
    installed = package / "_instances"
    return installed if installed.is_dir() else package.parent / "instances"


def read_json(path: PathLike) -> object:
    """Read a JSON file strictly: no duplicate keys, no NaN, no infinities, no -0.

    It may be packed by gzip, and begin with a byte order mark.

    Raises
    ------
    TypeError
        If the path is neither a str nor a Path.
    InputError
        If the file cannot be read or is not such JSON.
    """
    return parsed(read_text(path, packed=True))


def read_text(path: PathLike, packed: bool = False) -> str:
    """Read a text file in UTF-8.

    Parameters
    ----------
    path
        The file.
    packed
        Whether it may be packed by gzip, and begin with a byte order mark, which is left out.

    Raises
    ------
    TypeError
        If the path is neither a str nor a Path.
    InputError
        If the file cannot be read, is too large or not such text.
    """
    with opened(path, packed) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"is too large: more than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8").removeprefix("\ufeff" if packed else "")
    except UnicodeDecodeError as error:
        raise InputError(f"is not a text file in UTF-8: byte {error.start}") from None


@contextmanager
def opened(path: PathLike, packed: bool = True) -> Iterator[BinaryIO]:
    """Open a file to read, unpacked if it may be packed by gzip and is.

    Raises
    ------
    TypeError
        If the path is neither a str nor a Path.
    InputError
        If the file cannot be read, also later on; without its name.
    """
    try:
        with _path(path).open("rb") as raw:
            is_packed = packed and raw.peek(2)[:2] == b"\x1f\x8b"
            # Buffered once more, for GzipFile is slow to hand out single lines.
            yield io.BufferedReader(gzip.GzipFile(fileobj=raw)) if is_packed else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"is a damaged gzip file: {error}") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None
    except ValueError:  # a NUL, or what no file system can encode
        raise InputError("cannot be read: no file can have this name") from None


def check_writable(path: PathLike) -> None:
    """Refuse a file that cannot be written, before the work for it is done.

    Raises
    ------
    InputError
        If its folder is missing or not writable, or it is a folder itself.
    """
    path = _path(path)
    reason = None
    try:
        if path == STDOUT:
            return
        if path.is_symlink() and not path.exists():
            path.stat()  # says of links in a circle that they are
        if path.is_dir():
            reason = "Is a directory"
        elif not path.parent.is_dir():
            reason = "No such folder"
        elif not os.access(path if _in_place(path) else path.parent, os.W_OK):
            reason = "Permission denied"
    except FileNotFoundError:
        reason = None if path.resolve().parent.is_dir() else "No such folder"
    except OSError as error:
        reason = error.strerror
    except ValueError:  # a NUL, or what no file system can encode
        reason = "No file can have this name"
    if reason:
        raise InputError(f"{path}: cannot be written: {reason}")


def write_text(path: PathLike, text: str) -> None:
    """Write a text file in UTF-8 whole or not at all; see `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: PathLike, data: bytes) -> None:
    """Write a file whole or not at all: beside the old one, which it then replaces.

    Raises
    ------
    TypeError
        If the path is neither a str nor a Path.
    InputError
        If the file cannot be written.
    """
    path = _path(path)
    check_writable(path)
    if path == STDOUT and hasattr(sys.stdout, "buffer"):
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        if _in_place(path):
            path.write_bytes(data)
            return
        path = path.resolve()
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(name, 0o666 & ~mask)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def _in_place(path: Path) -> bool:
    """Tell whether a path names a device, a pipe or an open file, which cannot be replaced."""
    for _ in range(40):  # as many links as systems follow
        if path.absolute().parts[1:2] in (("dev",), ("proc",)):
            return True
        if not path.is_symlink():
            break
        path = path.parent / os.readlink(path)
    return path.exists() and not path.is_file()


def _located(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except InputError as error:
        raise error.within(str(path)) from None


def _path(path: PathLike) -> Path:
    """Return a path as a Path.

    Raises
    ------
    TypeError
        If it is neither a str nor a Path.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path: must be a str or a Path, got {_described(path)}")
    return Path(path)


def _check_pair(function: str, path: object, value: object, kind: type) -> None:
    """Refuse a path and what is to be written there if they are not that."""
    if not isinstance(path, str | os.PathLike) or not isinstance(value, kind):
        name = kind.__name__
        raise TypeError(
            f"{function}(path, {name.lower()}): must be a str or a Path and a value of {name},"
            f" got {_described(path)}, then {_described(value)}"
        )


def _described(value: object) -> str:
    return f"{abridged(value)} ({type(value).__name__})"
