"""Reading, fail closed: strict JSON, objects without unknown keys, integers within limits."""

from __future__ import annotations

import json
from typing import Any

from limits import MAX_BYTES, MAX_DIGITS, MAX_NUMBER


class Refused(Exception):  # noqa: N818  # a verdict, not an error
    """The file does not prove its claim; the message says why."""


def parsed(data: str | bytes) -> Any:
    """Return the JSON value, refused unless it is strict, with short integers only."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(result := dict(pairs)) < len(pairs):
            raise Refused(f"a key appears twice in {short(sorted(key for key, _ in pairs))}")
        return result

    def small(digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            raise Refused(f"a number has more than {MAX_DIGITS} digits")
        return int(digits)

    def none(text: str) -> None:
        raise Refused(f"numbers must be integers, got {short(text)}")

    if len(data) > MAX_BYTES:
        raise Refused(f"is longer than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        return json.loads(
            text, object_pairs_hook=unique, parse_int=small, parse_float=none, parse_constant=none
        )
    except ValueError as error:
        raise Refused(f"is not JSON: {short(str(error))}") from None
    except RecursionError:
        raise Refused("is not JSON that can be read: nested too deeply") from None


def fields(
    value: Any, place: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return an object, refused unless it has the required and no unknown keys."""
    if not isinstance(value, dict):
        raise Refused(f"{place}: must be an object, got {short(value)}")
    for key in value:
        if key not in required and key not in optional:
            raise Refused(f"{place}: has an unknown key {short(key)}")
    for key in required:
        if key not in value:
            raise Refused(f"{place}: has no {key!r}")
    return value


def listed(value: Any, place: str) -> list[Any]:
    """Return a list, refused unless it is one."""
    if not isinstance(value, list):
        raise Refused(f"{place}: must be a list, got {short(value)}")
    return value


def integer(value: Any, low: int, high: int, place: str, index: int | None = None) -> int:
    """Return an integer from low to high; true, false and 1.0 are none."""
    if type(value) is not int or not low <= value <= high:
        where = place if index is None else f"{place}[{index}]"
        raise Refused(f"{where}: must be an integer from {low} to {high}, got {short(value)}")
    return value


def series(value: Any, length: int, low: int, place: str) -> list[int]:
    """Return a list of so many integers, not less than `low`."""
    if len(listed(value, place)) != length:
        raise Refused(f"{place}: must hold {length} integers, got {short(value)}")
    for number in value:
        integer(number, low, MAX_NUMBER, place)
    return value


def rows(value: Any, length: int, place: str) -> list[list[int]]:
    """Return a list of lists of `length` integers >= 0."""
    for row in listed(value, place):
        if not isinstance(row, list) or len(row) != length:
            raise Refused(f"{place}: must hold lists of {length} integers, got {short(row)}")
        for number in row:
            integer(number, 0, MAX_NUMBER, place)
    return value


def increasing(table: list[list[int]], least: int, place: str) -> list[list[int]]:
    """Return the rows, refused unless all but their last entries increase from `least` on."""
    for row, following in zip([[least - 1], *table], table):
        if following[0] < least or row[:-1] >= following[:-1]:
            raise Refused(f"{place}: rows must increase from {least} on, got {short(following)}")
    return table


def read_duals(
    types: dict[tuple[int, int], int], given: Any, place: str
) -> dict[tuple[int, int], int]:
    """Return the dual value of each type's demand, from [prompt, output, dual], ascending."""
    duals = {}
    for entry in listed(given, place):
        s, o, dual = series(entry, 3, -MAX_NUMBER, place)
        duals[s, o] = dual
    if list(duals) != sorted(types) or len(duals) != len(given):
        raise Refused(f"{place}: must name each type once, ascending")
    return duals


def short(value: Any) -> str:
    """Return a value as it is shown in messages: ASCII, one line, not long."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
