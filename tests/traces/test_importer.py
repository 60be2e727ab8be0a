"""Which rows become requests."""

from __future__ import annotations

import gzip
from collections import Counter
from itertools import combinations
from math import comb
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_texts import (
    AZURE,
    BURSTGPT,
    BURSTGPT_TEXT,
    LENGTHS,
    LENGTHS_TEXT,
    MOONCAKE,
    TEXTS,
    VIDUR,
    lengths,
    pairs,
    read,
)

from kvopt import InputError
from kvopt.traces import Selection, TraceFormat


def test_selection(tmp_path: Path) -> None:
    imported = read(tmp_path, LENGTHS_TEXT, requests=2, prompt=79, min_output=2, max_prompt=300)
    assert imported.instance.prompts.tolist() == [79, 79]
    assert imported.instance.outputs.tolist() == [15, 140]
    assert (imported.read, imported.skipped) == (4, 2)
    assert imported.instance.source == (
        "lengths trace trace.csv: 2 of the first 4 rows, every prompt set to 79,"
        " prompts 0..300, outputs 2..1000000000, 2 outside these lengths"
    )


def test_reads_no_further_than_needed(tmp_path: Path) -> None:
    assert len(read(tmp_path, LENGTHS_TEXT + "broken line\n", requests=4).instance) == 4
    with pytest.raises(InputError, match="line 6: must have 2 fields, got 1"):
        read(tmp_path, LENGTHS_TEXT + "broken line\n")


def test_oversize_rows_are_refused_or_dropped(tmp_path: Path) -> None:
    message = r"trace.csv: line 3: prompt \+ output must be at most memory = 500, got 396 \+ 513"
    with pytest.raises(InputError, match=message):
        read(tmp_path, LENGTHS_TEXT, memory=500)
    imported = read(tmp_path, LENGTHS_TEXT, memory=500, oversize="drop")
    assert imported.instance.outputs.tolist() == [15, 1, 140]
    assert imported.dropped == 1
    assert "1 too large for the memory dropped" in imported.instance.source
    # The prompt that counts is the one that is used.
    assert read(tmp_path, LENGTHS_TEXT, memory=600, prompt=79).dropped == 0


@pytest.mark.parametrize("format", [LENGTHS, AZURE, MOONCAKE, VIDUR], ids=lambda f: f.name)
def test_outputs_of_zero_are_refused_or_skipped(tmp_path: Path, format: TraceFormat) -> None:
    header = TEXTS[format].split("\n")[0].strip()
    cells = [str(7 if column == format.prompt else 0) for column in header.split(",")]
    row = '{"input_length": 7, "output_length": 0}' if format is MOONCAKE else ",".join(cells)
    text = TEXTS[format].rstrip() + "\n" + row
    line = text.count("\n") + 1
    with pytest.raises(
        InputError, match=f"line {line}: {format.output}: must be at least 1, got 0"
    ):
        read(tmp_path, text, format)
    assert read(tmp_path, text, format, min_output=1).skipped == 1


def test_outputs_are_rounded_up_to_powers_of_two(tmp_path: Path) -> None:
    text = lengths([(5, o) for o in (1, 2, 3, 4, 5, 1023, 1024, 1025)])
    imported = read(tmp_path, text, round_up_pow2=True, memory=2053)
    assert imported.instance.outputs.tolist() == [1, 2, 4, 4, 8, 1024, 1024, 2048]
    assert imported.instance.source.endswith("8 rows, outputs rounded up to powers of two")
    # The rounded output is what has to fit; the filters see the one of the trace.
    message = r"line 9: .* memory = 2052, got 5 \+ 2048, rounded up from 1025 \(--oversize drop"
    with pytest.raises(InputError, match=message):
        read(tmp_path, text, round_up_pow2=True, memory=2052)
    assert read(tmp_path, text, round_up_pow2=True, memory=2052, oversize="drop").dropped == 1
    assert read(tmp_path, text, round_up_pow2=True, max_output=1024).skipped == 1
    huge = lengths([(0, 1), (0, 10**9)])  # 2**30 is more than any memory
    imported = read(tmp_path, huge, round_up_pow2=True, memory=10**9, oversize="drop")
    assert imported.dropped == 1


@given(output=st.integers(1, 10**8))
def test_rounding_is_to_the_next_power(
    tmp_path_factory: pytest.TempPathFactory, output: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    imported = read(folder, lengths([(0, output)]), memory=10**9, round_up_pow2=True)
    (rounded,) = imported.instance.outputs.tolist()
    assert rounded.bit_count() == 1
    assert output <= rounded < 2 * output


def test_start_tokens_are_taken_off_before_anything_else(tmp_path: Path) -> None:
    text = lengths([(3, 5), (1, 1), (9, 2)])
    message = r"line 3: output_tokens: must be at least 2, got 1 \(--min-output 1 skips"
    with pytest.raises(InputError, match=message):
        read(tmp_path, text, start_tokens=1)
    imported = read(tmp_path, text, start_tokens=1, min_output=1, round_up_pow2=True)
    assert pairs(imported) == [(2, 4), (8, 1)]
    assert imported.instance.source == (
        "lengths trace trace.csv: 2 of the first 3 rows, 1 taken off every length for start"
        " tokens, outputs 1..1000000000, outputs rounded up to powers of two,"
        " 1 outside these lengths"
    )
    assert pairs(read(tmp_path, text, start_tokens=1, min_output=1, prompt=0)) == [(0, 4), (0, 1)]
    # A row that does not have them was not counted that way.
    for start, column in ((2, "prompt_tokens"), (1, "output_tokens")):
        broken = lengths([(3, 5), (1, 0)])
        message = rf"line 3: {column}: must be at least {start} \(--start-tokens\), got"
        with pytest.raises(InputError, match=message):
            read(tmp_path, broken, start_tokens=start, min_output=1)
    # A failure is one by what the trace says.
    imported = read(tmp_path, BURSTGPT_TEXT.replace(",0,78,", ",1,78,"), BURSTGPT, start_tokens=1)
    assert pairs(imported) == [(11, 33), (0, 77)]


def test_skip_counts_rows_before_any_filter(tmp_path: Path) -> None:
    imported = read(tmp_path, LENGTHS_TEXT, skip=1, requests=1, max_output=200)
    assert pairs(imported) == [(20, 1)]
    assert (imported.read, imported.skipped) == (2, 1)
    assert imported.instance.source == (
        "lengths trace trace.csv: 1 of the 2 rows after the first 1, outputs 0..200,"
        " 1 outside these lengths"
    )
    imported = read(tmp_path, BURSTGPT_TEXT, BURSTGPT, skip=2)
    assert (pairs(imported), imported.failures) == ([(0, 78)], 1)
    # What is passed over need not be acceptable.
    assert pairs(read(tmp_path, LENGTHS_TEXT, skip=2, memory=148)) == [(20, 1), (8, 140)]
    with pytest.raises(InputError, match="acceptable row, got none of 0 after the first 4"):
        read(tmp_path, LENGTHS_TEXT, skip=4)
    with pytest.raises(InputError, match="must have more rows than the 5 to skip, got 4"):
        read(tmp_path, LENGTHS_TEXT, skip=5)


@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=30),
    skip=st.integers(0, 5),
    requests=st.none() | st.integers(1, 10),
    max_prompt=st.integers(0, 9),
    min_output=st.integers(0, 4),
    memory=st.integers(1, 25),
    round_up_pow2=st.booleans(),
)
def test_selection_is_what_it_says(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, int]],
    skip: int,
    requests: int | None,
    max_prompt: int,
    min_output: int,
    memory: int,
    round_up_pow2: bool,
) -> None:
    power = {o: next(2**k for k in range(5) if 2**k >= o) for o in range(1, 10)}
    judged = [
        (number, p, power[o] if round_up_pow2 else o)
        for number, (p, o) in enumerate(rows[skip:], start=1)
        if p <= max_prompt and o >= min_output
    ]
    fitting = [row for row in judged if row[1] + row[2] <= memory]
    expected = fitting[:requests]
    try:
        imported = read(
            tmp_path_factory.getbasetemp(),
            lengths(rows),
            memory=memory,
            skip=skip,
            requests=requests,
            max_prompt=max_prompt,
            min_output=min_output,
            round_up_pow2=round_up_pow2,
            oversize="drop",
        )
    except InputError:
        assert not expected or (requests or 0) > len(expected)
        return
    assert pairs(imported) == [(p, o) for _, p, o in expected]
    assert imported.read == (len(rows) - skip if requests is None else expected[-1][0])
    assert imported.read == len(imported.instance) + imported.skipped + imported.dropped


def test_a_sample_is_in_file_order_and_the_same_for_a_seed(tmp_path: Path) -> None:
    text = lengths([(n, 1) for n in range(500)])
    imported = read(tmp_path, text, requests=50, sample=7)
    chosen = imported.instance.prompts.tolist()
    assert chosen == sorted(set(chosen))
    assert len(chosen) == 50
    assert imported.read == 500
    assert imported.instance.source == (
        "lengths trace trace.csv: 50 sampled with seed 7 of the first 500 rows"
    )
    packed = read(tmp_path, gzip.compress(text.encode()), requests=50, sample=7)
    assert packed.instance == imported.instance
    other = read(tmp_path, text, requests=50, sample=8)
    assert other.instance.prompts.tolist() != chosen
    # Drawn once and for all: a sample that has been published stays the same.
    assert chosen[:8] == [22, 49, 52, 57, 63, 64, 82, 93]


def test_a_sample_of_all_is_all(tmp_path: Path) -> None:
    assert pairs(read(tmp_path, LENGTHS_TEXT, requests=4, sample=1)) == pairs(
        read(tmp_path, LENGTHS_TEXT)
    )
    with pytest.raises(InputError, match="must have 5 acceptable rows, got 4 of 4"):
        read(tmp_path, LENGTHS_TEXT, requests=5, sample=1)


def test_a_sample_is_of_the_acceptable_rows(tmp_path: Path) -> None:
    text = lengths([(n, 1 + n % 3) for n in range(300)])
    imported = read(
        tmp_path, text, requests=30, sample=3, skip=100, max_output=2, memory=250, oversize="drop"
    )
    chosen = imported.instance.prompts.tolist()
    assert all(100 <= n < 250 and n % 3 < 2 for n in chosen)
    assert (imported.read, imported.skipped, imported.dropped) == (200, 67, 33)
    # All of them are looked at, not only those in the sample.
    with pytest.raises(InputError, match="line 250: prompt"):
        read(tmp_path, text, requests=1, sample=3, memory=250)


def test_every_sample_is_as_likely_as_any_other(tmp_path: Path) -> None:
    text, draws = lengths([(n, 1) for n in range(6)]), 2000
    counts = Counter(
        tuple(read(tmp_path, text, requests=3, sample=seed).instance.prompts.tolist())
        for seed in range(draws)
    )
    assert set(counts) == set(combinations(range(6), 3))
    mean = draws / comb(6, 3)
    chi_square = sum((count - mean) ** 2 / mean for count in counts.values())
    assert chi_square < 43.8  # 19 degrees of freedom: exceeded with probability 0.001


def test_refuses_too_few_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must have 5 acceptable rows, got 4 of 4"):
        read(tmp_path, LENGTHS_TEXT, requests=5)
    text = lengths([(1, 2), (90, 2), (1, 7), (2, 3)])
    reasons = r"got 2 of 4 \(1 outside the lengths, 1 too large for the memory\)"
    with pytest.raises(InputError, match=reasons):
        read(tmp_path, text, requests=3, max_output=5, memory=50, oversize="drop")


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"sample": 1}, "sample: must come with requests, its size, got seed 1"),
        ({"sample": -1, "requests": 1}, "sample: must be an integer from 0 to .*, got -1"),
        ({"requests": 0}, "requests: must be an integer from 1 to .*, got 0"),
        ({"prompt": -1}, "prompt: must be an integer from 0 to .*, got -1"),
        ({"skip": 1.5}, "skip: must be an integer from 0 to .*, got 1.5"),
        ({"start_tokens": True}, "start_tokens: must be an integer from 0 to .*, got True"),
        ({"min_output": -1}, "min_output: must be an integer from 0 to .*, got -1"),
    ],
)
def test_refuses_bad_selections(selection: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        Selection(**selection)  # type: ignore[arg-type]
