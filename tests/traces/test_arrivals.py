"""Arrival times of traces: read, sorted, scaled, cut to a window, turned into releases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_texts import (
    AZURE,
    AZURE_TEXT,
    BURSTGPT,
    BURSTGPT_TEXT,
    LENGTHS,
    MOONCAKE,
    VIDUR,
    read,
)

from kvopt import InputError
from kvopt.traces import Arrivals, TraceFormat
from kvopt.traces.timestamps import date_and_time, number_of


def arrivals_in(tmp_path: Path, text: str, format: TraceFormat, **options: object) -> list[int]:
    imported = read(tmp_path, text, format, arrivals=Arrivals(**options))  # type: ignore[arg-type]
    assert imported.instance.arrivals is not None
    return imported.instance.arrivals.tolist()


def lengths_at(*times: object) -> str:
    rows = "".join(f"{n},5,{time}\n" for n, time in enumerate(times, start=1))
    return f"prompt_tokens,output_tokens,arrival_ms\n{rows}"


def test_every_format_has_its_own_unit(tmp_path: Path) -> None:
    assert arrivals_in(tmp_path, AZURE_TEXT, AZURE) == [0, 4_871_667, 5_099_111]
    assert arrivals_in(tmp_path, BURSTGPT_TEXT, BURSTGPT) == [0, 9_000_000]
    assert arrivals_in(tmp_path, lengths_at(0.25, 7), LENGTHS) == [0, 6_750]
    lines = (f'{{"timestamp": {t}, "input_length": 1, "output_length": 2}}\n' for t in (9, 9.5, 30))
    assert arrivals_in(tmp_path, "".join(lines), MOONCAKE) == [0, 500, 21_000]
    text = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.5,1,2\n1e1,1,2\n10.0000014,3,4\n"
    assert arrivals_in(tmp_path, text, VIDUR) == [0, 9_500_000, 9_500_001]


def test_the_first_row_is_time_zero_even_if_it_is_left_out(tmp_path: Path) -> None:
    text = "Timestamp,Model,Request tokens,Response tokens\n5,x,0,0\n7,x,1,1\n8,x,1,1\n"
    assert arrivals_in(tmp_path, text, BURSTGPT) == [2_000_000, 3_000_000]
    # Unless a row that is kept is earlier.
    text = "Timestamp,Model,Request tokens,Response tokens\n5,x,0,0\n7,x,1,1\n3,x,1,1\n"
    assert arrivals_in(tmp_path, text, BURSTGPT) == [0, 4_000_000]


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=30), st.data())
def test_sorted_scaled_windowed_and_released(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], data: st.DataObject
) -> None:
    """Literally, with fractions, row by row."""
    length = data.draw(st.integers(1, 10**6))
    rate = data.draw(st.fractions(Fraction(1, 50), 50, max_denominator=60))
    begin = data.draw(st.none() | st.integers(0, max(times)))
    end = data.draw(st.none() | st.integers((begin or 0) + 1, 2 * 10**7))
    kept = [
        (time - times[0], row)
        for row, time in enumerate(times, start=1)
        if (begin is None or time - times[0] >= begin) and (end is None or time - times[0] < end)
    ]
    text = lengths_at(*(f"{time // 1000}.{time % 1000:03d}" for time in times))
    folder = tmp_path_factory.mktemp("trace")
    options = Arrivals(round_length=length, rate=rate, begin=begin, end=end)
    if not kept:
        with pytest.raises(InputError, match="must have an acceptable row, got none"):
            read(folder, text, arrivals=options)
        return
    imported = read(folder, text, arrivals=options)
    kept.sort()
    zero = min(kept[0][0], begin or 0)
    scaled = [int((time - zero) / rate + Fraction(1, 2)) for time, _ in kept]
    assert imported.instance.arrivals is not None
    assert imported.instance.arrivals.tolist() == scaled
    assert imported.instance.prompts.tolist() == [row for _, row in kept]
    assert imported.instance.releases.tolist() == [ceil(Fraction(t, length)) for t in scaled]
    late = [i for i in range(len(times)) if i and times[i] < max(times[:i])]
    assert (f"the first in line {late[0] + 2}" in imported.times) if late else True
    assert ("out of order" in imported.times) == bool(late)


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
    st.none() | st.integers(-23 * 60, 23 * 60),
    st.sampled_from(" T"),
)
def test_dates_with_and_without_zones(when: datetime, offset: int | None, between: str) -> None:
    text = when.isoformat(between, "microseconds")
    utc = when.replace(tzinfo=UTC)
    if offset is not None:
        utc = when.replace(tzinfo=timezone(timedelta(minutes=offset)))
        text = utc.isoformat(between, "microseconds")
    exact = (utc - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert date_and_time(text, "") == (exact, offset is not None)


def test_zones_and_digits() -> None:
    def at(text: str) -> int:
        return date_and_time(text, "").time

    assert at("2024-05-12 00:00:00.0000004+00:00") == at("2024-05-12 00:00:00Z")
    assert at("2024-05-12 00:00:00.0000005") == at("2024-05-12 00:00:00.000001")
    assert at("2024-05-12 02:30:00+0230") == at("2024-05-11 22:00:00-02:00")
    assert number_of(1000, "ms")("0.0005", "").time == 1
    assert number_of(1000, "ms")(0.25, "").time == 250


def test_zones_must_not_be_mixed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3: TIMESTAMP: must have no offset from UTC, as"):
        arrivals_in(
            tmp_path,
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-12 00:00:00,1,1\n"
            "2024-05-12 00:00:00Z,1,1\n",
            AZURE,
        )


@pytest.mark.parametrize(
    ("format", "time"),
    [
        *(
            (AZURE, time)
            for time in ("XXX", "", "12", "2024-13-01 00:00:00", "2024-01-01 24:00:01")
        ),
        *((AZURE, time) for time in ("0000-01-01 00:00:00", "2024-01-01 00:00:00+99:00")),
        *(
            (BURSTGPT, time)
            for time in ("-1", "nan", "inf", "1e13", "9" * 40, "x", "", "1_0", "\u0663")
        ),
        *((VIDUR, time) for time in ("-0.5", "1e99", "0x1")),
        *((LENGTHS, time) for time in ("-1", "1e16", "--1", "1.2.3")),
    ],
)
def test_unacceptable_times_are_named(tmp_path: Path, format: TraceFormat, time: str) -> None:
    header = f"{format.arrival},{format.prompt},{format.output}"
    good = {AZURE: "2024-01-01 00:00:00"}.get(format, "1")
    text = f"{header}\n{good},1,1\n{time},1,1\n"
    with pytest.raises(InputError, match=f"trace.csv: line 3: {format.arrival}: must be a "):
        read(tmp_path, text, format, arrivals=Arrivals())
    assert len(read(tmp_path, text, format).instance) == 2


@pytest.mark.parametrize("time", ["-1", "true", "null", '"x"', "[1]", "1e300"])
def test_unacceptable_times_in_json(tmp_path: Path, time: str) -> None:
    text = f'{{"timestamp": {time}, "input_length": 1, "output_length": 1}}\n'
    with pytest.raises(InputError, match="trace.csv: line 1: timestamp: must be "):
        read(tmp_path, text, MOONCAKE, arrivals=Arrivals())


def test_times_too_far_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"arrivals: must be at most 1,000,000,000,000 ms after"):
        arrivals_in(tmp_path, lengths_at(0, 10**5), LENGTHS, rate=Fraction(1, 10**9))


def test_columns_that_are_missing_or_doubled(tmp_path: Path) -> None:
    for text in ("prompt_tokens,output_tokens\n1,1\n", lengths_at(1).replace("\n", ",9\n", 1)):
        with pytest.raises(InputError):
            read(tmp_path, text, arrivals=Arrivals())
    double = "arrival_ms,prompt_tokens,output_tokens,arrival_ms\n1,1,1,2\n"
    with pytest.raises(InputError, match="line 2: arrival_ms: must be one column"):
        read(tmp_path, double, arrivals=Arrivals())
    assert read(tmp_path, double).times == ""
    assert "arrival times ignored" in read(tmp_path, lengths_at(1)).times


def test_a_sample_keeps_its_times(tmp_path: Path) -> None:
    text = lengths_at(*range(100, 0, -1))
    imported = read(tmp_path, text, requests=10, sample=3, arrivals=Arrivals())
    assert imported.instance.arrivals is not None
    rows = imported.instance.prompts  # row n arrives at 101 - n ms
    assert (imported.instance.arrivals == 1000 * (rows[0] - rows)).all()
