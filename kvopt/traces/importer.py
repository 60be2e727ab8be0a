"""Instances from traces: which rows become requests, and with which lengths.

A trace is read once, as a stream and only as far as needed; what is kept in
memory is the chosen requests.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from kvopt.model.errors import InputError
from kvopt.model.instance import (
    MAX_REQUESTS,
    MAX_TOKENS,
    Instance,
    IntArray,
    Request,
    check_integer,
    does_not_fit,
)
from kvopt.model.milliseconds import ms_text
from kvopt.model.text import NAME, one_line
from kvopt.traces.arrivals import Arrivals, Times, told, with_arrivals
from kvopt.traces.formats import Row, TraceFormat

__all__ = ["Import", "Selection", "import_trace"]

MAX_ROWS = MAX_SEED = 2**63 - 1

ROWS_A_STEP = 10_000
"""How often progress is reported (rows)."""


Kept = tuple[int, int, int]
"""Prompt and output length of a row that is kept (tokens), and its time relative to the first row
(microseconds; 0 where times are ignored)."""

Columns = tuple[IntArray, IntArray, IntArray]
"""The same of several rows, shape (n,) each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which rows of a trace to keep, and how; in the order in which it is applied.

    Parameters
    ----------
    skip
        Pass over the first so many rows.
    start_tokens
        Take so many tokens off the prompt and the output of each row, for traces
        that count a start-of-sequence token in both.  All that follows is about
        the lengths that remain; an output of 0 (an empty answer) is as in a trace
        that says 0: an error, unless `min_output` skips it.  Failures are found
        before.
    min_prompt, max_prompt, min_output, max_output
        Skip rows whose lengths are outside (tokens, inclusive).
    prompt
        Use this prompt length for all (tokens); None for those of the trace.
    round_up_pow2
        Round outputs up to powers of two.
    oversize
        What to do with a row that exceeds the memory even alone, as it is after
        all this: "refuse" the trace or "drop" the row.
    requests
        Keep the first so many acceptable rows; None for all.
    sample
        Keep so many rows at random instead: a uniform sample, without
        replacement and in file order, of all acceptable rows to the end of the
        file, drawn with this seed.
    arrivals
        What to do with the arrival times; None to ignore them.  Its window comes right after
        `skip`.

    Raises
    ------
    InputError
        If a number is out of range, or there is a seed without `requests`.
    """

    skip: int = 0
    start_tokens: int = 0
    min_prompt: int = 0
    max_prompt: int = MAX_TOKENS
    min_output: int = 0
    max_output: int = MAX_TOKENS
    prompt: int | None = None
    round_up_pow2: bool = False
    oversize: Literal["refuse", "drop"] = "refuse"
    requests: int | None = None
    sample: int | None = None
    arrivals: Arrivals | None = None

    def __post_init__(self) -> None:
        for field in ("min_prompt", "max_prompt", "min_output", "max_output", "start_tokens"):
            check_integer(getattr(self, field), field, 0)
        check_integer(self.skip, "skip", 0, MAX_ROWS)
        if self.prompt is not None:
            check_integer(self.prompt, "prompt", 0)
        if self.requests is not None:
            check_integer(self.requests, "requests", 1, MAX_REQUESTS)
        if self.sample is not None:
            check_integer(self.sample, "sample", 0, MAX_SEED)
            if self.requests is None:
                raise InputError(
                    f"sample: must come with requests, its size, got seed {self.sample}"
                )


@dataclass(frozen=True, slots=True, eq=False)
class Import:
    """What came out of a trace.

    Parameters
    ----------
    instance
        The instance; its source says where it came from and with which options.
    read
        Rows read, without those passed over at the beginning.
    skipped
        Rows skipped by the length filters.
    dropped
        Rows dropped because they exceed the memory even alone.
    failures
        Rows left out because they are failures of the trace.
    times
        What was done with the arrival times, in words; empty if the trace has none.
    """

    instance: Instance
    read: int
    skipped: int
    dropped: int
    failures: int
    times: str


def import_trace(
    format: TraceFormat,
    path: str | Path,
    memory: int,
    selection: Selection,
    name: str = "",
    progress: Callable[[int], None] | None = None,
) -> Import:
    """Make an instance of a trace, requests in file order or, with arrival times, by these.

    Parameters
    ----------
    format
        How to read the file.
    path
        The file, plain or gzip.
    memory
        Memory budget M (tokens).
    selection
        Which rows to keep, and how.
    name
        Name of the instance; by default that of the file.
    progress
        Called now and then with the number of rows read so far.

    Raises
    ------
    InputError
        If the file cannot be read, a row is not acceptable or does not fit (see
        `Selection`), there are fewer rows than wanted, or arrival times are wanted that are not
        there.
    """
    check_integer(memory, "memory", 1)
    path, tally = Path(path), _Tally(Times(format.time, format.arrival))
    rows = format.rows(path)
    try:
        prompts, outputs, times = _chosen(
            format,
            rows if progress is None else _reporting(rows, progress),
            memory,
            selection,
            tally,
        )
    except InputError as error:
        raise error.within(str(path)) from None
    finally:
        rows.close()
    shown = one_line(path.name, NAME)
    notes = ", ".join(_notes(selection, tally, len(prompts)))
    source = f"{format.name} trace {shown}: {notes}"
    instance = Instance(memory, prompts, outputs, name or shown.split(".")[0], source=source)
    words = ""
    if selection.arrivals is not None:
        try:
            instance = with_arrivals(instance, times, selection.arrivals)
        except InputError as error:
            raise error.within(str(path)) from None
        words = told(instance, selection.arrivals, tally.times, tally.outside)
    elif tally.has_times:
        words = (
            f"arrival times ignored (column {format.arrival}), all released at time 0;"
            " --arrivals keeps them"
        )
    return Import(instance, tally.read, tally.skipped, tally.dropped, tally.failures, words)


@dataclass(slots=True)
class _Tally:
    """What has become of the rows so far; see `Import`."""

    times: Times
    has_times: bool = False
    outside: int = 0
    read: int = 0
    skipped: int = 0
    dropped: int = 0
    failures: int = 0

    def left_out(self) -> str:
        """Return in brackets why rows were not acceptable; empty if all were."""
        reasons = {
            "outside the window": self.outside,
            "failed": self.failures,
            "outside the lengths": self.skipped,
            "too large for the memory": self.dropped,
        }
        said = ", ".join(f"{rows} {why}" for why, rows in reasons.items() if rows)
        return f" ({said})" if said else ""


def _reporting(rows: Iterator[Row], progress: Callable[[int], None]) -> Iterator[Row]:
    """Pass on rows, and report now and then how many."""
    for number, row in enumerate(rows, start=1):
        if number % ROWS_A_STEP == 0:
            progress(number)
        yield row


def _chosen(
    format: TraceFormat, rows: Iterator[Row], memory: int, selection: Selection, tally: _Tally
) -> Columns:
    """Return the rows that are kept.

    Raises
    ------
    InputError
        If a row is not acceptable or does not fit, or there are fewer rows than wanted.
    """
    wanted = selection.requests
    passed = sum(1 for _ in islice(rows, selection.skip))
    if passed < selection.skip:
        raise InputError(f"must have more rows than the {selection.skip} to skip, got {passed}")
    requests = _requests(format, rows, memory, selection, tally)
    if wanted is not None and selection.sample is not None:
        columns = _sampled(requests, wanted, selection.sample)
    else:
        columns = _first(requests, MAX_REQUESTS if wanted is None else wanted)
    kept = len(columns[0])
    after = (f" after the first {passed}" if passed else "") + tally.left_out()
    if wanted is not None and kept < wanted:
        raise InputError(f"must have {wanted} acceptable rows, got {kept} of {tally.read}{after}")
    if wanted is None and next(requests, None):
        raise InputError(f"must have at most {MAX_REQUESTS} rows, got more (see --requests)")
    if not kept:
        raise InputError(f"must have an acceptable row, got none of {tally.read}{after}")
    return columns


def _requests(
    format: TraceFormat, rows: Iterator[Row], memory: int, selection: Selection, tally: _Tally
) -> Iterator[Kept]:
    """Yield each acceptable row."""
    start, arrivals, time = selection.start_tokens, selection.arrivals, 0
    for line, prompt, output, arrival in rows:
        tally.read += 1
        if arrivals is None:
            tally.has_times = tally.has_times or arrival is not None
        elif not arrivals.within(time := tally.times.of(line, arrival)):
            tally.outside += 1
            continue
        if format.failures and output == 0:
            tally.failures += 1
            continue
        if start:
            for column, tokens in ((format.prompt, prompt), (format.output, output)):
                if tokens < start:
                    raise InputError(
                        f"line {line}: {column}: must be at least {start} (--start-tokens),"
                        f" got {tokens}"
                    )
            prompt -= start
            output -= start
        if not (
            selection.min_prompt <= prompt <= selection.max_prompt
            and selection.min_output <= output <= selection.max_output
        ):
            tally.skipped += 1
            continue
        if output < 1:
            raise InputError(
                f"line {line}: {format.output}: must be at least {1 + start},"
                f" got {output + start} (--min-output 1 skips such rows)"
            )
        if selection.prompt is not None:
            prompt = selection.prompt
        exact = output
        if selection.round_up_pow2:
            output = 1 << (output - 1).bit_length()
        if prompt + output > memory:
            if selection.oversize == "refuse":
                rounded = f", rounded up from {exact}" if output != exact else ""
                raise InputError(
                    f"line {line}: {does_not_fit(Request(prompt, output), memory)}{rounded}"
                    " (--oversize drop leaves such rows out)"
                )
            tally.dropped += 1
            continue
        yield prompt, output, time


def _first(requests: Iterable[Kept], size: int) -> Columns:
    """Return the first so many requests as columns."""
    prompts, outputs, times = array("q"), array("q"), array("q")
    for prompt, output, time in islice(requests, size):
        prompts.append(prompt)
        outputs.append(output)
        times.append(time)
    return np.array(prompts), np.array(outputs), np.array(times)


def _sampled(requests: Iterable[Kept], size: int, seed: int) -> Columns:
    """Return a uniform random sample, in order, as columns; all if there are fewer.

    Algorithm R (Vitter, ACM Transactions on Mathematical Software 11(1), 1985):
    request number n enters with probability size / n and takes the place of one
    of those in the sample, each with the same chance; exact, as the chances are
    drawn in integers.
    """
    rng = random.Random(seed)
    columns = prompts, outputs, times, numbers = array("q"), array("q"), array("q"), array("q")
    for number, (prompt, output, time) in enumerate(requests):
        if number < size:
            for column, value in zip(columns, (prompt, output, time, number), strict=True):
                column.append(value)
        elif (place := rng.randrange(number + 1)) < size:
            prompts[place], outputs[place], times[place] = prompt, output, time
            numbers[place] = number
    order = np.argsort(np.array(numbers))
    return np.array(prompts)[order], np.array(outputs)[order], np.array(times)[order]


def _notes(selection: Selection, tally: _Tally, kept: int) -> Iterator[str]:
    """Yield what the source of an instance says of how it was imported."""
    sampled = "" if selection.sample is None else f" sampled with seed {selection.sample}"
    if selection.skip:
        yield f"{kept}{sampled} of the {tally.read} rows after the first {selection.skip}"
    else:
        yield f"{kept}{sampled} of the first {tally.read} rows"
    if selection.start_tokens:
        yield f"{selection.start_tokens} taken off every length for start tokens"
    if selection.prompt is not None:
        yield f"every prompt set to {selection.prompt}"
    if (selection.min_prompt, selection.max_prompt) != (0, MAX_TOKENS):
        yield f"prompts {selection.min_prompt}..{selection.max_prompt}"
    if (selection.min_output, selection.max_output) != (0, MAX_TOKENS):
        yield f"outputs {selection.min_output}..{selection.max_output}"
    if selection.round_up_pow2:
        yield "outputs rounded up to powers of two"
    if selection.arrivals is not None:
        yield from selection.arrivals.notes()
        if selection.arrivals.round_length is not None:
            yield f"rounds of {ms_text(selection.arrivals.round_length)} ms"
        if tally.outside:
            yield f"{tally.outside} outside the window"
        if tally.times.out_of_order:
            yield f"{tally.times.out_of_order} out of order, sorted"
    if tally.failures:
        yield f"{tally.failures} failures left out"
    if tally.skipped:
        yield f"{tally.skipped} outside these lengths"
    if tally.dropped:
        yield f"{tally.dropped} too large for the memory dropped"
