"""Instances from request traces: who publishes them, in which columns, with which quirks.

A trace is read as a stream and only as far as needed, so it may be larger than
memory.  Columns are found by name; gzip files are recognised by their content.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kvopt.errors import InputError
from kvopt.instance import (
    MAX_REQUESTS,
    MAX_TOKENS,
    Instance,
    Request,
    abridged,
    check_integer,
    does_not_fit,
)

__all__ = ["FORMATS", "Import", "Selection", "TraceFormat", "import_trace"]


@dataclass(frozen=True, slots=True)
class TraceFormat:
    """A trace format: comma-separated values with a header.

    Parameters
    ----------
    name
        Name on the command line.
    prompt, output
        Names of the columns with the prompt and output lengths (tokens).
    about
        Where the format comes from.
    """

    name: str
    prompt: str
    output: str
    about: str


FORMATS = (
    TraceFormat("lengths", "prompt_tokens", "output_tokens", "plain lengths, one row a request"),
    TraceFormat(
        "azure",
        "ContextTokens",
        "GeneratedTokens",
        "Azure LLM inference traces 2023 (Patel et al., Splitwise, ISCA 2024)",
    ),
)
"""Every format that can be named on the command line."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a trace to keep, and how.

    Parameters
    ----------
    requests
        Keep the first so many acceptable rows; None for all.
    prompt
        Use this prompt length for all (tokens); None for those of the trace.
    min_prompt, max_prompt, min_output, max_output
        Skip rows whose lengths in the trace are outside (tokens, inclusive).
    oversize
        What to do with a row that exceeds the memory even alone: "refuse" the
        trace or "drop" the row.
    """

    requests: int | None = None
    prompt: int | None = None
    min_prompt: int = 0
    max_prompt: int = MAX_TOKENS
    min_output: int = 0
    max_output: int = MAX_TOKENS
    oversize: Literal["refuse", "drop"] = "refuse"


@dataclass(frozen=True, slots=True, eq=False)
class Import:
    """What came out of a trace.

    Parameters
    ----------
    instance
        The instance; its source says where it came from and with which options.
    read
        Rows read.
    skipped
        Rows skipped by the length filters.
    dropped
        Rows dropped because they exceed the memory even alone.
    """

    instance: Instance
    read: int
    skipped: int
    dropped: int


def import_trace(
    format: TraceFormat, path: Path, memory: int, selection: Selection, name: str = ""
) -> Import:
    """Make an instance of a trace, requests in file order, all released at time 0.

    Parameters
    ----------
    format
        How to read the file.
    path
        The file, plain or gzip.
    memory
        Memory budget M (tokens).
    selection
        Which rows to keep.
    name
        Name of the instance; by default that of the file.

    Raises
    ------
    InputError
        If the file cannot be read, a row is not acceptable or does not fit (see
        `Selection`), or there are fewer rows than wanted.
    """
    check_integer(memory, "memory", 1)
    prompts: list[int] = []
    outputs: list[int] = []
    read = skipped = dropped = 0
    wanted = MAX_REQUESTS if selection.requests is None else selection.requests
    rows = _rows(format, path)
    try:
        while len(prompts) < wanted and (row := next(rows, None)):
            line, prompt, output = row
            read += 1
            if not (
                selection.min_prompt <= prompt <= selection.max_prompt
                and selection.min_output <= output <= selection.max_output
            ):
                skipped += 1
                continue
            if output < 1:
                raise InputError(
                    f"line {line}: {format.output}: must be at least 1, got {output}"
                    " (--min-output 1 skips such rows)"
                )
            request = Request(prompt if selection.prompt is None else selection.prompt, output)
            if request.peak > memory:
                if selection.oversize == "refuse":
                    raise InputError(
                        f"line {line}: {does_not_fit(request, memory)}"
                        " (--oversize drop leaves such rows out)"
                    )
                dropped += 1
                continue
            prompts.append(request.prompt)
            outputs.append(request.output)
        if selection.requests is not None and len(prompts) < selection.requests:
            raise InputError(
                f"must have {selection.requests} acceptable rows, got {len(prompts)} of {read}"
            )
        if selection.requests is None and next(rows, None):
            raise InputError(f"must have at most {MAX_REQUESTS} rows, got more (see --requests)")
        if not prompts:
            raise InputError(f"must have an acceptable row, got none of {read}")
    except InputError as error:
        raise error.within(str(path)) from None
    finally:
        rows.close()
    source = _provenance(format, path, selection, len(prompts), read, skipped, dropped)
    instance = Instance(memory, prompts, outputs, name or path.name.split(".")[0], source=source)
    return Import(instance, read, skipped, dropped)


def _provenance(
    format: TraceFormat,
    path: Path,
    selection: Selection,
    kept: int,
    read: int,
    skipped: int,
    dropped: int,
) -> str:
    notes = [f"{kept} of the first {read} rows"]
    if selection.prompt is not None:
        notes.append(f"every prompt set to {selection.prompt}")
    if (selection.min_prompt, selection.max_prompt) != (0, MAX_TOKENS):
        notes.append(f"prompts {selection.min_prompt}..{selection.max_prompt}")
    if (selection.min_output, selection.max_output) != (0, MAX_TOKENS):
        notes.append(f"outputs {selection.min_output}..{selection.max_output}")
    if skipped:
        notes.append(f"{skipped} outside these lengths")
    if dropped:
        notes.append(f"{dropped} too large for the memory dropped")
    shown = "".join(c if c.isprintable() else "?" for c in path.name)
    return f"{format.name} trace {shown}: {', '.join(notes)}"


def _rows(format: TraceFormat, path: Path) -> Generator[tuple[int, int, int], None, None]:
    """Yield (line number, prompt length, output length) of each row of a trace."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            data = gzip.GzipFile(fileobj=raw) if packed else raw
            text = io.TextIOWrapper(data, encoding="utf-8-sig", newline="")
            table = csv.reader(text)
            header = [column.strip() for column in next(table, [])]
            columns = []
            for name in (format.prompt, format.output):
                if header.count(name) != 1:
                    raise InputError(
                        f"line 1: must have one column {name!r}, got {abridged(','.join(header))}"
                    )
                columns.append((name, header.index(name)))
            for row in table:
                if not row:
                    continue
                if len(row) != len(header):
                    raise InputError(
                        f"line {table.line_num}: must have {len(header)} fields, got {len(row)}"
                    )
                prompt, output = (
                    _tokens(row[i], f"line {table.line_num}: {name}") for name, i in columns
                )
                yield table.line_num, prompt, output
    except UnicodeDecodeError:
        raise InputError("is not a text file in UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"is a damaged gzip file: {error}") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None
    except csv.Error as error:
        raise InputError(f"is not valid CSV: {error}") from None


def _tokens(text: str, place: str) -> int:
    """Return a number of tokens as an int."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise InputError(
            f"{place}: must be an integer from 0 to {MAX_TOKENS}, got {abridged(text)}"
        )
    return check_integer(int(digits), place, 0)
