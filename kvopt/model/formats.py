"""Instances and schedules as JSON objects of versioned formats, with an exact round trip.

Readers accept exactly what the format says and refuse everything else with one line that names
the field and the value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kvopt.model.errors import InputError
from kvopt.model.instance import (
    MAX_END,
    MAX_REQUESTS,
    MAX_TIME,
    MAX_TOKENS,
    Instance,
    IntArray,
    abridged,
    check_integer,
    runs,
)
from kvopt.model.milliseconds import checked_ms, ms_number
from kvopt.model.schedule import Schedule

__all__ = [
    "CERTIFICATE_FORMAT",
    "INSTANCE_FORMATS",
    "SCHEDULE_FORMATS",
    "SLICES_FORMAT",
    "attempt_rows",
    "instance_from_json",
    "instance_to_json",
    "laid_out",
    "parsed",
    "schedule_from_json",
    "schedule_to_json",
    "text_of",
]

INSTANCE_FORMAT = "kvopt-instance/1"
INSTANCE_FORMAT_WITH_RELEASES = "kvopt-instance/2"
INSTANCE_FORMATS = (INSTANCE_FORMAT, INSTANCE_FORMAT_WITH_RELEASES)
SCHEDULE_FORMAT = "kvopt-schedule/1"
SCHEDULE_FORMAT_WITH_TOKENS = "kvopt-schedule/2"
SCHEDULE_FORMATS = (SCHEDULE_FORMAT, SCHEDULE_FORMAT_WITH_TOKENS)
CERTIFICATE_FORMAT = "kvopt-certificate/2"
SLICES_FORMAT = "kvopt-slices/1"


def instance_to_json(instance: Instance) -> dict[str, Any]:
    """Return the content of an instance file as a JSON object.

    Its format is "kvopt-instance/2" if some request is released after time 0 or arrival times
    are known, else "kvopt-instance/1".
    """
    newer = instance.has_releases or instance.arrivals is not None
    result: dict[str, Any] = {"format": INSTANCE_FORMATS[newer]}
    for key in ("name", "comment", "source"):
        if text := getattr(instance, key):
            result[key] = text
    result["memory"] = instance.memory
    result["requests"] = _entries(instance)
    return result


def _entries(instance: Instance) -> list[dict[str, Any]]:
    """Return the requests of an instance file; where arrival times are known, each has one."""
    if instance.arrivals is None:
        return [_entry(*group) for group in instance.groups()]
    columns = (instance.prompts, instance.outputs, instance.releases, instance.arrivals)
    first, counts = runs(*columns)
    prompts, outputs, releases, arrivals = (c[first].tolist() for c in columns)
    groups = zip(prompts, outputs, counts.tolist(), releases, strict=True)
    return [
        {**_entry(*group), "arrival_ms": ms_number(time)}
        for group, time in zip(groups, arrivals, strict=True)
    ]


def _entry(prompt: int, output: int, count: int, release: int = 0) -> dict[str, int]:
    """Return an element of the requests of an instance file."""
    entry = {"prompt": prompt, "output": output}
    if release:
        entry["release"] = release
    if count > 1:
        entry["count"] = count
    return entry


def instance_from_json(content: object, prefix: str = "") -> Instance:
    """Build an instance from the JSON object of an instance file.

    Parameters
    ----------
    content
        What `kvopt.model.files.read_json` returned.
    prefix
        Where the object stands in its file, for messages ("instance." in a
        schedule); an object that stands inside another may leave out "format", which
        then is "kvopt-instance/1".

    Raises
    ------
    InputError
        If anything is missing, unknown, of the wrong type or out of range.
    """
    required = {"memory", "requests"} | (set() if prefix else {"format"})
    _check_format(content, INSTANCE_FORMATS, prefix)
    given = _object(content, prefix, required, {"format", "name", "comment", "source"})
    latest = MAX_TIME if given.get("format") == INSTANCE_FORMAT_WITH_RELEASES else 0
    texts = {key: given.get(key, "") for key in ("name", "comment", "source")}
    entries = _list(given["requests"], f"{prefix}requests")
    columns = _columns(entries, given["memory"], latest)
    if columns is not None:
        prompts, outputs, releases = columns
        try:
            return Instance(given["memory"], prompts, outputs, **texts, releases=releases)
        except InputError as error:
            raise InputError(f"{prefix}{error}") from None
    optional = {"count", "release", "arrival_ms"}
    groups, arrivals, arrive = [], [], False
    for g, entry in enumerate(entries):
        place = f"{prefix}requests[{g}]."
        entry = _object(entry, place, {"prompt", "output"}, optional)
        _check_release(release := entry.get("release", 0), f"{place}release", latest)
        if not latest and "arrival_ms" in entry:
            raise InputError(
                f"{place}arrival_ms: must be in a file of format"
                f" {INSTANCE_FORMAT_WITH_RELEASES!r}, not {INSTANCE_FORMAT!r}"
            )
        groups.append((entry["prompt"], entry["output"], entry.get("count", 1), release))
        arrive = arrive or "arrival_ms" in entry
        arrivals.append(checked_ms(entry.get("arrival_ms", 0), f"{place}arrival_ms"))
    try:
        instance = Instance.from_groups(given["memory"], groups, **texts)
    except InputError as error:
        raise InputError(f"{prefix}{error}") from None
    if not arrive:
        return instance
    return instance.with_arrivals(np.repeat(arrivals, [count for _, _, count, _ in groups]))


def _columns(
    entries: list[Any], memory: object, latest: int
) -> tuple[IntArray, IntArray, IntArray] | None:
    """Return prompts, outputs and releases of the requests of an instance file, shape (n,) each.

    None where each entry has to be looked at: some number may be out of range, a field be missing
    or unknown, or there are arrival times.  So whoever has many requests need not wait.

    Parameters
    ----------
    entries
        The requests.
    memory
        The memory budget (tokens).
    latest
        The latest release that the format of the file allows (rounds).
    """
    if set(map(type, entries)) != {dict} or type(memory) is not int:
        return None
    try:
        lengths = [(entry["prompt"], entry["output"]) for entry in entries]
    except KeyError:
        return None
    columns = list(zip(*lengths, strict=True))
    fields = 2 * len(entries)
    for name, usual in (("count", 1), ("release", 0)):
        columns.append(tuple([entry.get(name, usual) for entry in entries]))
        fields += sum([name in entry for entry in entries])
    if sum(map(len, entries)) != fields or any(set(map(type, c)) != {int} for c in columns):
        return None
    ranges = ((0, MAX_TOKENS), (1, MAX_TOKENS), (1, MAX_REQUESTS), (0, latest))
    if any(min(c) < low or max(c) > high for c, (low, high) in zip(columns, ranges, strict=True)):
        return None
    prompts, outputs, counts, releases = (np.array(c, dtype=np.int64) for c in columns)
    if sum(columns[2]) > MAX_REQUESTS or int((prompts + outputs).max()) > memory:
        return None
    prompts, outputs, releases = (np.repeat(c, counts) for c in (prompts, outputs, releases))
    return prompts, outputs, releases


def schedule_to_json(schedule: Schedule) -> dict[str, Any]:
    """Return the content of a schedule file as a JSON object.

    Its format is "kvopt-schedule/2" if kills keep tokens, else "kvopt-schedule/1".
    """
    return {
        "format": SCHEDULE_FORMATS[schedule.keeps_tokens],
        "instance": instance_to_json(schedule.instance),
        "attempts": attempt_rows(schedule),
    }


def attempt_rows(schedule: Schedule) -> list[list[Any]]:
    """Return the attempts as rows [request, start, end, killed].

    Where kills keep tokens, as rows [request, start, end, killed, tokens at start].
    """
    columns = [schedule.request, schedule.start, schedule.end, schedule.killed]
    columns += [] if schedule.tokens is None else [schedule.tokens]
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
    _check_format(content, SCHEDULE_FORMATS)
    given = _object(content, "", {"format", "instance", "attempts"}, set())
    instance = instance_from_json(given["instance"], "instance.")
    rows = _list(given["attempts"], "attempts")
    keeps = given["format"] == SCHEDULE_FORMAT_WITH_TOKENS
    fields = ["request", "start", "end", "killed", *(["tokens_at_start"] if keeps else [])]
    for a, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(fields):
            names = f"[{', '.join(fields)}]"
            raise InputError(f"attempts[{a}]: must be {names}, got {abridged(row)}")
        for field, value in zip(fields, row, strict=True):
            if field != "killed":
                check_integer(value, f"attempts[{a}].{field}", -MAX_END, MAX_END)
        if not isinstance(row[3], bool):
            raise InputError(f"attempts[{a}].killed: must be true or false, got {abridged(row[3])}")
    columns = zip(*rows, strict=True) if rows else [()] * len(fields)
    return Schedule(instance, *columns)


def parsed(text: str) -> object:
    """Parse JSON strictly: no duplicate keys, no NaN, no infinities, no -0.

    Raises
    ------
    InputError
        If the text is not such JSON.
    """
    try:
        return (_DECODER_OF_ZEROS if "-0" in text else _DECODER).decode(text)
    except _TwiceError as twice:
        place = _place_of_twin(json.loads(text, object_pairs_hook=_Pairs)) or str(twice)
        raise InputError(f"{place}: key appears twice in one object") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"is not valid JSON: {error.msg}, {where}") from None
    except RecursionError:
        raise InputError("is not valid JSON: nested too deeply") from None
    except ValueError:  # an integer beyond Python's limit of digits
        raise InputError("is not acceptable: a number has thousands of digits") from None


def text_of(content: Mapping[str, Any]) -> str:
    """Return the text of a file that holds an object."""
    return laid_out(content, "") + "\n"


def laid_out(value: object, indent: str, most_spaced: int | None = None) -> str:
    """Return JSON with one line for each key and each element of a list.

    Parameters
    ----------
    value
        What is written.
    indent
        Stands before the last line.
    most_spaced
        A list of more elements has no spaces; None if there are always some.
    """
    inner = indent + "  "
    if isinstance(value, list) and value:
        spaced = most_spaced is None or len(value) <= most_spaced
        before = inner if spaced else ""
        return f"[\n{before}{_lines(value, before, spaced)}\n{indent}]"
    if isinstance(value, dict):
        rows = [
            (json.dumps(key), laid_out(each, inner, most_spaced)) for key, each in value.items()
        ]
        lines = [f"{inner}{key}: {text}" for key, text in rows]
        return "{\n" + ",\n".join(lines) + "\n" + indent + "}"
    return json.dumps(value)


def _lines(values: list[Any], indent: str, spaced: bool) -> str:
    """Return the elements of a list as JSON, a line for each, all but the first indented.

    Where every element is an object, or every one a list, and none holds another, all are written
    at once: then each bracket that opens one begins an element.
    """
    comma, colon = (", ", ": ") if spaced else (",", ":")
    for kind, opens, closes in ((dict, "{", "}"), (list, "[", "]")):
        if all(isinstance(value, kind) for value in values):
            text = json.dumps(values, separators=(comma, colon))[1:-1]
            if text.count(opens) == len(values):
                return text.replace(f"{closes}{comma}{opens}", f"{closes},\n{indent}{opens}")
    return f",\n{indent}".join([json.dumps(each, separators=(comma, colon)) for each in values])


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


def _check_release(value: object, place: str, latest: int) -> None:
    """Refuse a release time above the latest that the format of the file allows."""
    if check_integer(value, place, 0, MAX_TIME) > latest:
        raise InputError(
            f"{place}: must be 0 in a file of format {INSTANCE_FORMAT!r}, got {value}; "
            f"{INSTANCE_FORMAT_WITH_RELEASES!r} has release times"
        )


def _check_format(content: object, expected: Sequence[str], prefix: str = "") -> None:
    """Refuse another format, or none, before its unknown fields cause confusion."""
    if not isinstance(content, dict):
        return
    if (given := content.get("format", expected[0])) not in expected:
        formats = " or ".join(map(repr, expected))
        raise InputError(f"{prefix}format: must be {formats}, got {abridged(given)}")
    if not prefix and "format" not in content:
        raise InputError("format: required field is missing")


class _TwiceError(InputError):
    """A key appears twice in one object."""


class _Pairs(list[tuple[str, Any]]):
    """The keys and values of an object, as they stand in the text."""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise _TwiceError(abridged(_twin(pairs))[1:-1])
    return result


def _twin(pairs: list[tuple[str, Any]]) -> str | None:
    """Return the first key that appears a second time."""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    return None


def _place_of_twin(value: object) -> str | None:
    """Return where a key appears twice, as in "requests[3].output"; the innermost place first."""
    if isinstance(value, _Pairs):
        for key, inner in value:
            if place := _place_of_twin(inner):
                name = abridged(key)[1:-1]
                return name + place if place.startswith("[") else f"{name}.{place}"
        twin = _twin(value)
        return None if twin is None else abridged(twin)[1:-1]
    if isinstance(value, list):
        for number, inner in enumerate(value):
            if place := _place_of_twin(inner):
                return f"[{number}]{place}" if place.startswith("[") else f"[{number}].{place}"
    return None


def _integer(digits: str) -> int:
    if digits == "-0":
        raise InputError("is not acceptable: a number is written -0")
    return int(digits)


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise InputError(f"is not acceptable: numbers must be finite, got {digits[:40]}")
    return value


def _no_constant(name: str) -> float:
    raise InputError(f"is not valid JSON: numbers must be finite, got {name}")


_STRICT: dict[str, Any] = {
    "object_pairs_hook": _no_duplicates,
    "parse_float": _finite,
    "parse_constant": _no_constant,
}
_DECODER = json.JSONDecoder(**_STRICT)
_DECODER_OF_ZEROS = json.JSONDecoder(**_STRICT, parse_int=_integer)  # slower
