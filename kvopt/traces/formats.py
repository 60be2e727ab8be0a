"""The trace formats: who publishes them, in which columns, with which quirks.

A trace is read line by line, so it may be larger than memory.  Columns are
found by name, the others are ignored, and blank lines are passed over; gzip
files are recognised by their content.

Adding a format: enter it into `FORMATS`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from kvopt.model.errors import InputError
from kvopt.model.files import opened
from kvopt.model.formats import parsed
from kvopt.model.instance import MAX_TOKENS, abridged, check_integer
from kvopt.traces.timestamps import TimeReader, date_and_time, number_of

__all__ = ["FORMATS", "MAX_LINE", "Row", "TraceFormat", "csv_rows", "json_rows"]

MAX_LINE = 2**20
"""Longest line accepted (bytes); those of the published traces have a few thousand."""

MAX_BLANK = 1_000_000
"""So many blank lines may follow each other: a small compressed file may hold them for ever."""

Row = tuple[int, int, int, object]
"""Line number (1-based), prompt length and output length (tokens), and what is written as the
time of arrival, None if there is no such column, or more than one."""


def csv_rows(lines: Iterator[str], prompt: str, output: str, arrival: str) -> Iterator[Row]:
    """Read comma-separated values with a header.

    Parameters
    ----------
    lines
        The lines of the file.
    prompt, output
        Names of the columns with the prompt and output lengths.
    arrival
        Name of the column with the time of arrival, which need not be there.

    Raises
    ------
    InputError
        If there is no such column or more than one, a row has another number of
        fields than the header, or a length is not written as a plain integer.
    """
    table = csv.reader(lines, strict=True)
    try:
        header = [column.strip() for column in next(table, [])]
        for name in (prompt, output):
            if header.count(name) != 1:
                raise InputError(
                    f"line 1: must have one column {name!r}, got {abridged(','.join(header))}"
                )
        p, o = header.index(prompt), header.index(output)
        a = header.index(arrival) if header.count(arrival) == 1 else None
        for row in table:
            if not row:
                continue
            line = table.line_num
            if len(row) != len(header):
                raise InputError(f"line {line}: must have {len(header)} fields, got {len(row)}")
            lengths = _tokens(row[p], line, prompt), _tokens(row[o], line, output)
            yield line, *lengths, None if a is None else row[a]
    except csv.Error as error:
        raise InputError(f"line {table.line_num}: is not valid CSV: {error}") from None


def json_rows(lines: Iterator[str], prompt: str, output: str, arrival: str) -> Iterator[Row]:
    """Read JSON Lines, one object a line.

    Parameters
    ----------
    lines
        The lines of the file.
    prompt, output
        Keys of the prompt and output lengths.
    arrival
        Key of the time of arrival, which need not be there.

    Raises
    ------
    InputError
        If a line is not a JSON object, has a key twice, lacks a length, or a
        length is not an integer.
    """
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        entry = _json_object(text, number)
        for key in (prompt, output):
            if key not in entry:
                raise InputError(f"line {number}: {key}: required field is missing")
        yield (
            number,
            check_integer(entry[prompt], f"line {number}: {prompt}", 0),
            check_integer(entry[output], f"line {number}: {output}", 0),
            entry.get(arrival),
        )


@dataclass(frozen=True, slots=True)
class TraceFormat:
    """A trace format.

    Parameters
    ----------
    name
        Name on the command line.
    prompt, output
        Names of the columns with the prompt and output lengths (tokens).
    arrival
        Name of the column with the time of arrival.
    time
        Reads a time of arrival.
    about
        Where the format comes from.
    reader
        How rows are written: `csv_rows` or `json_rows`.
    failures
        Whether an output of 0 tokens means that the request failed, so that the
        row is left out; otherwise such a row is an error.
    """

    name: str
    prompt: str
    output: str
    arrival: str
    time: TimeReader
    about: str
    reader: Callable[[Iterator[str], str, str, str], Iterator[Row]] = csv_rows
    failures: bool = False

    def rows(self, path: str | Path) -> Generator[Row, None, None]:
        """Yield the rows of a file, plain or gzip, reading no further than asked.

        Raises
        ------
        InputError
            If the file cannot be read or a row is malformed; without the name of
            the file.
        """
        with opened(path) as file:
            yield from self.reader(_lines(file), self.prompt, self.output, self.arrival)


_SECONDS = number_of(1_000_000, "seconds")
_MILLISECONDS = number_of(1_000, "milliseconds")

FORMATS = (
    TraceFormat(
        "lengths",
        "prompt_tokens",
        "output_tokens",
        "arrival_ms",
        _MILLISECONDS,
        "plain lengths, one row a request, with a column of arrival times or without",
    ),
    TraceFormat(
        "azure",
        "ContextTokens",
        "GeneratedTokens",
        "TIMESTAMP",
        date_and_time,
        "Azure LLM inference traces of 2023 (Patel et al., Splitwise, ISCA 2024) and 2024"
        " (Stojkovic et al., DynamoLLM, HPCA 2025), and others with these columns",
    ),
    TraceFormat(
        "burstgpt",
        "Request tokens",
        "Response tokens",
        "Timestamp",
        _SECONDS,
        "BurstGPT (Wang et al., KDD 2025); its files with failures say that a response of"
        " 0 tokens is one",
        failures=True,
    ),
    TraceFormat(
        "mooncake",
        "input_length",
        "output_length",
        "timestamp",
        _MILLISECONDS,
        "Mooncake (Qin et al., FAST 2025), one JSON object a line",
        reader=json_rows,
    ),
    TraceFormat(
        "vidur",
        "num_prefill_tokens",
        "num_decode_tokens",
        "arrived_at",
        _SECONDS,
        "the processed traces of Vidur (Agrawal et al., MLSys 2024), Sarathi-Serve and Etalon",
    ),
)
"""Every format that can be named on the command line."""


def _lines(file: BinaryIO) -> Iterator[str]:
    """Yield the lines of a text file in UTF-8, line ends kept, a byte order mark not."""
    number = blank = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        blank = 0 if line.strip() else blank + 1
        if blank > MAX_BLANK:
            raise InputError(f"line {number}: must not follow {MAX_BLANK} blank lines")
        if len(line) > MAX_LINE:
            raise InputError(f"line {number}: must have at most {MAX_LINE} bytes, got more")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            byte = line[error.start : error.start + 1]
            raise InputError(
                f"line {number}: must be text in UTF-8, got {byte!r} at byte {error.start}"
            ) from None
        yield text if number > 1 else text.removeprefix("\ufeff")


def _tokens(text: str, line: int, column: str) -> int:
    """Return a number of tokens written in a CSV file as an int."""
    digits = text.strip()
    if digits.isascii() and digits.isdigit() and len(digits) <= 20:
        tokens = int(digits)
        if tokens <= MAX_TOKENS:
            return tokens
    raise InputError(
        f"line {line}: {column}: must be an integer from 0 to {MAX_TOKENS}, got {abridged(text)}"
    )


def _json_object(text: str, number: int) -> dict[str, Any]:
    """Return the JSON object on a line."""
    try:
        entry = parsed(text)
    except InputError as error:
        reason = str(error).removeprefix("is not valid JSON: ")
        reason = reason.replace(", line 1, column ", ", column ")
    else:
        if isinstance(entry, dict):
            return entry
        reason = "not an object"
    raise InputError(
        f"line {number}: must be a JSON object, got {abridged(text.rstrip())}: {reason}"
    )
