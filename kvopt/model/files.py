"""Instances and schedules as versioned JSON files, with an exact round trip.

Readers accept exactly what the format says and refuse everything else with one
line that names the file, the field and the value.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kvopt.model.errors import InputError
from kvopt.model.instance import Instance, abridged, check_integer
from kvopt.model.schedule import Schedule

__all__ = [
    "CERTIFICATES",
    "CERTIFICATE_FORMAT",
    "HALL",
    "INSTANCE_FORMAT",
    "SCHEDULE_FORMAT",
    "SLICES_FORMAT",
    "CertificateText",
    "attempt_rows",
    "check_writable",
    "curated_instances",
    "find_certificates",
    "find_instances",
    "instance_from_json",
    "instance_to_json",
    "laid_out",
    "read_any",
    "read_instance",
    "read_json",
    "read_schedule",
    "read_text",
    "schedule_from_json",
    "schedule_to_json",
    "write_instance",
    "write_schedule",
    "write_text",
]

INSTANCE_FORMAT = "kvopt-instance/1"
SCHEDULE_FORMAT = "kvopt-schedule/1"
CERTIFICATE_FORMAT = "kvopt-certificate/2"
SLICES_FORMAT = "kvopt-slices/1"

CERTIFICATES = "certificates"
"""Name of the subfolder of a folder of instances that holds certificates of theirs."""

HALL = "worst"
"""Name of the subfolder of the curated instances that holds the worst ones known."""

T = TypeVar("T")

MAX_BYTES = 2**30
"""Largest JSON file accepted (bytes)."""

MAX_TIME = 10**15
"""Largest start or end time accepted in a schedule file (rounds)."""


def read_instance(path: Path) -> Instance:
    """Read an instance file.

    Raises
    ------
    InputError
        If the file cannot be read or is not a valid "kvopt-instance/1" file.
    """
    return _located(path, lambda: instance_from_json(read_json(path)))


def read_schedule(path: Path) -> Schedule:
    """Read a schedule file; it may be infeasible, but it must be well formed.

    Raises
    ------
    InputError
        If the file cannot be read or is not a valid "kvopt-schedule/1" file.
    """
    return _located(path, lambda: schedule_from_json(read_json(path)))


class CertificateText(str):
    """The text of a file whose format says that it is a certificate; not checked yet.

    Of a bracket of an optimum, or of slices.
    """

    __slots__ = ()


def read_any(path: Path) -> Instance | Schedule | CertificateText:
    """Read an instance, schedule or certificate file, whichever its format says it is.

    Raises
    ------
    InputError
        If the file cannot be read or is none of these.
    """
    text = _located(path, lambda: read_text(path))
    content = _located(path, lambda: _parsed(text))
    kind = content.get("format") if isinstance(content, dict) else None
    if kind in (CERTIFICATE_FORMAT, SLICES_FORMAT):
        return CertificateText(text)
    if kind == SCHEDULE_FORMAT:
        return _located(path, lambda: schedule_from_json(content))
    if kind == INSTANCE_FORMAT:
        return _located(path, lambda: instance_from_json(content))
    formats = [SCHEDULE_FORMAT, INSTANCE_FORMAT, CERTIFICATE_FORMAT, SLICES_FORMAT]
    known = f"{', '.join(map(repr, formats[:-1]))} or {formats[-1]!r}"
    raise InputError(f"{path}: format: must be {known}, got {abridged(kind)}")


def write_instance(path: Path, instance: Instance) -> None:
    """Write an instance file; reading it again gives an equal instance."""
    write_text(path, _layout(instance_to_json(instance)))


def write_schedule(path: Path, schedule: Schedule) -> None:
    """Write a schedule file; reading it again gives an equal schedule."""
    write_text(path, _layout(schedule_to_json(schedule)))


def find_instances(path: Path) -> list[Path]:
    """Return the instance files meant by a file or folder, in name order.

    Hidden files and folders, such as a virtual environment's, are left alone, and so
    are subfolders of certificates.

    Raises
    ------
    InputError
        If there is no such file or folder, or the folder has no JSON file.
    """
    if not path.is_dir():
        return [path]
    try:
        found = sorted(
            file
            for file in path.rglob("*.json")
            if file.is_file()
            and not any(n[0] == "." for n in file.relative_to(path).parts)
            and CERTIFICATES not in file.relative_to(path).parent.parts
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if not found:
        raise InputError(f"{path}: folder holds no .json file")
    return found


def find_certificates(path: Path) -> list[Path]:
    """Return the certificates that come with a folder of instances, in name order."""
    return sorted((path / CERTIFICATES).glob("*.json"))


def curated_instances() -> Path:
    """Return the folder of the instances that come with kvopt."""
    package = Path(__file__).parent.parent
    installed = package / "_instances"
    return installed if installed.is_dir() else package.parent / "instances"


def instance_to_json(instance: Instance) -> dict[str, Any]:
    """Return the content of an instance file as a JSON object."""
    result: dict[str, Any] = {"format": INSTANCE_FORMAT}
    for key in ("name", "comment", "source"):
        if text := getattr(instance, key):
            result[key] = text
    result["memory"] = instance.memory
    result["requests"] = [
        {"prompt": p, "output": o} if count == 1 else {"prompt": p, "output": o, "count": count}
        for p, o, count in instance.groups()
    ]
    return result


def instance_from_json(content: object, prefix: str = "") -> Instance:
    """Build an instance from the JSON object of an instance file.

    Parameters
    ----------
    content
        What `read_json` returned.
    prefix
        Where the object stands in its file, for messages ("instance." in a
        schedule); an object that stands inside another may leave out "format".

    Raises
    ------
    InputError
        If anything is missing, unknown, of the wrong type or out of range.
    """
    required = {"memory", "requests"} | (set() if prefix else {"format"})
    _check_format(content, INSTANCE_FORMAT, prefix)
    given = _object(content, prefix, required, {"format", "name", "comment", "source"})
    groups = []
    for g, entry in enumerate(_list(given["requests"], f"{prefix}requests")):
        place = f"{prefix}requests[{g}]."
        entry = _object(entry, place, {"prompt", "output"}, {"count"})
        groups.append((entry["prompt"], entry["output"], entry.get("count", 1)))
    texts = {key: given.get(key, "") for key in ("name", "comment", "source")}
    try:
        return Instance.from_groups(given["memory"], groups, **texts)
    except InputError as error:
        raise InputError(f"{prefix}{error}") from None


def schedule_to_json(schedule: Schedule) -> dict[str, Any]:
    """Return the content of a schedule file as a JSON object."""
    return {
        "format": SCHEDULE_FORMAT,
        "instance": instance_to_json(schedule.instance),
        "attempts": attempt_rows(schedule),
    }


def attempt_rows(schedule: Schedule) -> list[list[Any]]:
    """Return the attempts as rows [request, start, end, killed]."""
    columns = (schedule.request, schedule.start, schedule.end, schedule.killed)
    return [list(row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def schedule_from_json(content: object) -> Schedule:
    """Build a schedule from the JSON object of a schedule file.

    Raises
    ------
    InputError
        If anything is missing, unknown, of the wrong type, or out of the range
        -10^15..10^15.  Integers in that range are accepted even where they make
        the schedule infeasible: that is for `kvopt.model.feasibility` to say.
    """
    _check_format(content, SCHEDULE_FORMAT)
    given = _object(content, "", {"format", "instance", "attempts"}, set())
    instance = instance_from_json(given["instance"], "instance.")
    rows = _list(given["attempts"], "attempts")
    for a, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != 4:
            raise InputError(
                f"attempts[{a}]: must be [request, start, end, killed], got {abridged(row)}"
            )
        for field, value in zip(("request", "start", "end"), row, strict=False):
            check_integer(value, f"attempts[{a}].{field}", -MAX_TIME, MAX_TIME)
        if not isinstance(row[3], bool):
            raise InputError(f"attempts[{a}].killed: must be true or false, got {abridged(row[3])}")
    request, start, end, killed = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Schedule(instance, request, start, end, killed)


def read_json(path: Path) -> object:
    """Read a JSON file strictly: no duplicate keys, no NaN, no infinities.

    Raises
    ------
    InputError
        If the file cannot be read or is not such JSON.
    """
    return _parsed(read_text(path))


def read_text(path: Path) -> str:
    """Read a text file in UTF-8.

    Raises
    ------
    InputError
        If the file cannot be read, is too large or not such text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InputError(f"is too large: more than {MAX_BYTES} bytes")
        return data.decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"is not a text file in UTF-8: byte {error.start}") from None


def _parsed(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"is not valid JSON: {error.msg}, {where}") from None
    except RecursionError:
        raise InputError("is not valid JSON: nested too deeply") from None
    except ValueError:  # an integer beyond Python's limit of digits
        raise InputError("is not acceptable: a number has thousands of digits") from None


def check_writable(path: Path) -> None:
    """Find out that a file cannot be written before the work for it is done.

    Raises
    ------
    InputError
        If its folder is missing or not writable, or it is a folder itself.
    """
    reason = None
    if path.is_dir():
        reason = "Is a directory"
    elif not path.parent.is_dir():
        reason = "No such folder"
    elif not os.access(path if _in_place(path) else path.parent, os.W_OK):
        reason = "Permission denied"
    if reason:
        raise InputError(f"{path}: cannot be written: {reason}")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    check_writable(path)
    try:
        if _in_place(path):
            path.write_text(text, encoding="utf-8")
            return
        path = path.resolve()
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
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


def _layout(content: Mapping[str, Any]) -> str:
    """Return the text of a file that holds an object."""
    return laid_out(content, "") + "\n"


def laid_out(value: object, indent: str) -> str:
    """Return JSON with one line for each key and each element of a list."""
    inner = indent + "  "
    if isinstance(value, list) and value:
        lines = [inner + json.dumps(v) for v in value]
        return "[\n" + ",\n".join(lines) + "\n" + indent + "]"
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(k)}: {laid_out(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + indent + "}"
    return json.dumps(value)


def _object(
    value: object, place: str, required: Iterable[str], optional: Iterable[str]
) -> dict[str, Any]:
    """Return `value` if it is an object with the required and no unknown keys."""
    if not isinstance(value, dict):
        raise InputError(f"{place[:-1] or 'file'}: must be an object, got {abridged(value)}")
    required, optional = set(required), set(optional)
    for key in value:
        if key not in required | optional:
            raise InputError(
                f"{place}{abridged(key)[1:-1]}: unknown field, got {abridged(value[key])}"
            )
    for key in sorted(required):
        if key not in value:
            raise InputError(f"{place}{key}: required field is missing")
    return value


def _list(value: object, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{place}: must be a list, got {abridged(value)}")
    return value


def _check_format(content: object, expected: str, prefix: str = "") -> None:
    """Refuse another format, or none, before its unknown fields cause confusion."""
    if isinstance(content, dict) and (given := content.get("format", expected)) != expected:
        raise InputError(f"{prefix}format: must be {expected!r}, got {abridged(given)}")
    if isinstance(content, dict) and not prefix and "format" not in content:
        raise InputError("format: required field is missing")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f"{abridged(twice)[1:-1]}: key appears twice in one object")
    return result


def _no_constant(name: str) -> float:
    raise InputError(f"is not valid JSON: numbers must be finite, got {name}")
