"""Importers, on small synthetic files in the formats of the real traces."""

from __future__ import annotations

import gzip
import json
import os
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from math import comb
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvopt import InputError, Instance
from kvopt.traces import FORMATS, Import, Selection, TraceFormat, import_trace
from kvopt.traces.formats import MAX_LINE

LENGTHS, AZURE, BURSTGPT, MOONCAKE, VIDUR = FORMATS

LENGTHS_TEXT = "prompt_tokens,output_tokens\n107,15\n396,513\n20,1\n8,140\n"
AZURE_TEXT = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    "2031-05-06 18:15:46.1234560,374,44\r\n"
    "2031-05-06 18:15:50.9951230,396,109\r\n"
    "2031-05-06 18:15:51.2225670,879,55"
)
BURSTGPT_TEXT = (
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "3,ChatGPT,12,34,46,Conversation log\n"
    "3,GPT-4,0,0,0,API log\n"
    "9,ChatGPT,56,0,56,Conversation log\n"
    "12,GPT-4,0,78,78,API log\n"
)
MOONCAKE_TEXT = (
    '{"timestamp": 0, "input_length": 700, "output_length": 20, "hash_ids": [0, 1]}\n'
    '{"timestamp": 0, "input_length": 300, "output_length": 1, "hash_ids": [0]}\n'
    '{"output_length": 33, "input_length": 0}\n'
)
VIDUR_TEXT = (
    "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n90,30,120,3.0\n10,40,50,0.25\n"
)
TEXTS = {
    LENGTHS: LENGTHS_TEXT,
    AZURE: AZURE_TEXT,
    BURSTGPT: BURSTGPT_TEXT,
    MOONCAKE: MOONCAKE_TEXT,
    VIDUR: VIDUR_TEXT,
}


def read(
    tmp_path: Path,
    content: str | bytes,
    format: TraceFormat = LENGTHS,
    memory: int = 2000,
    **selection: object,
) -> Import:
    file = tmp_path / "trace.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return import_trace(format, file, memory, Selection(**selection))  # type: ignore[arg-type]


def pairs(imported: Import) -> list[tuple[int, int]]:
    return [(request.prompt, request.output) for request in imported.instance]


def lengths(rows: list[tuple[int, int]]) -> str:
    return "prompt_tokens,output_tokens\n" + "".join(f"{p},{o}\n" for p, o in rows)


# Formats


def test_lengths(tmp_path: Path) -> None:
    imported = read(tmp_path, LENGTHS_TEXT)
    assert imported.instance == Instance(
        2000,
        [107, 396, 20, 8],
        [15, 513, 1, 140],
        name="trace",
        source="lengths trace trace.csv: 4 of the first 4 rows",
    )
    assert (imported.read, imported.skipped, imported.dropped, imported.failures) == (4, 0, 0, 0)


def test_azure_has_crlf_and_no_final_newline(tmp_path: Path) -> None:
    assert pairs(read(tmp_path, AZURE_TEXT, AZURE)) == [(374, 44), (396, 109), (879, 55)]


def test_azure_columns_without_times(tmp_path: Path) -> None:
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\nXXX,14,1\nXXX,15,9\n"
    assert pairs(read(tmp_path, text, AZURE)) == [(14, 1), (15, 9)]


def test_burstgpt_failures_are_left_out_and_counted(tmp_path: Path) -> None:
    imported = read(tmp_path, BURSTGPT_TEXT, BURSTGPT)
    assert pairs(imported) == [(12, 34), (0, 78)]
    assert (imported.read, imported.failures, imported.skipped) == (4, 2, 0)
    assert imported.instance.source == (
        "burstgpt trace trace.csv: 2 of the first 4 rows, 2 failures left out"
    )
    # They are failures whatever the filters say of them.
    filtered = read(tmp_path, BURSTGPT_TEXT, BURSTGPT, min_output=50, min_prompt=0)
    assert (filtered.failures, filtered.skipped) == (2, 1)


def test_burstgpt_with_sessions(tmp_path: Path) -> None:
    text = (
        "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,"
        "Log Type\n5,,1.5,GPT-4,7,8,15,API log\n"
    )
    assert pairs(read(tmp_path, text, BURSTGPT)) == [(7, 8)]


def test_mooncake_ignores_other_keys(tmp_path: Path) -> None:
    assert pairs(read(tmp_path, MOONCAKE_TEXT, MOONCAKE)) == [(700, 20), (300, 1), (0, 33)]
    text = "\ufeff" + MOONCAKE_TEXT.replace("\n", "\r\n\r\n").rstrip()
    assert pairs(read(tmp_path, text, MOONCAKE)) == [(700, 20), (300, 1), (0, 33)]


def test_vidur(tmp_path: Path) -> None:
    assert pairs(read(tmp_path, VIDUR_TEXT, VIDUR)) == [(90, 30), (10, 40)]
    text = ",arrived_at,num_prefill_tokens,num_decode_tokens\n0,0.0,5,6\n1,4.5e-05,7,8\n"
    assert pairs(read(tmp_path, text, VIDUR)) == [(5, 6), (7, 8)]


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_gzip_is_recognised_by_content(tmp_path: Path, format: TraceFormat) -> None:
    plain = read(tmp_path, TEXTS[format], format)
    assert read(tmp_path, gzip.compress(TEXTS[format].encode()), format).instance == plain.instance
    members = b"".join(gzip.compress(c.encode()) for c in TEXTS[format])
    assert read(tmp_path, members, format).instance == plain.instance


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    text = '\ufeffoutput_tokens, model ,prompt_tokens\n15,"a,b",107\n\n1,"x\ny",20\n'
    assert read(tmp_path, text).instance.prompts.tolist() == [107, 20]


def test_a_pipe_will_do(tmp_path: Path) -> None:
    pipe = tmp_path / "trace.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(AZURE_TEXT.encode()),))
    writer.start()
    imported = import_trace(AZURE, pipe, 2000, Selection())
    writer.join()
    assert imported.read == 3


# Selection


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


# Samples


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


# Size


def random_rows(count: int) -> Iterator[str]:
    for n in range(count):
        yield f"2031-05-06 18:15:46.1234560,{n * 7919 % 4001},{1 + n * 104729 % 997}\r\n"


def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    file, count = tmp_path / "large.csv.gz", 300_000
    with gzip.open(file, "wt", compresslevel=1, newline="") as stream:
        stream.write("TIMESTAMP,ContextTokens,GeneratedTokens\r\n")
        stream.writelines(random_rows(count))
    told: list[int] = []
    selection = Selection(skip=100_000, requests=1000, sample=1)
    tracemalloc.start()
    try:
        imported = import_trace(AZURE, file, 8192, selection, progress=told.append)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (imported.read, len(imported.instance)) == (count - 100_000, 1000)
    assert peak < 500_000  # bytes; the file has 12 million
    assert told == list(range(10_000, count + 1, 10_000))


@pytest.mark.parametrize("format", [LENGTHS, MOONCAKE], ids=lambda format: format.name)
def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, format: TraceFormat
) -> None:
    bomb = gzip.compress(b"[" * (50 * MAX_LINE))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=f"line 1: must have at most {MAX_LINE} bytes"):
            read(tmp_path, bomb, format)
        assert tracemalloc.get_traced_memory()[1] < 10 * MAX_LINE
    finally:
        tracemalloc.stop()


# What is refused


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: must have one column 'prompt_tokens', got ''"),
        ("a,b\n1,2\n", "line 1: must have one column 'prompt_tokens', got 'a,b'"),
        ("prompt_tokens,prompt_tokens,output_tokens\n", "line 1: must have one column"),
        ("prompt_tokens,output_tokens\n", "must have an acceptable row, got none of 0"),
        ("prompt_tokens,output_tokens\n1,2,3\n", "line 2: must have 2 fields, got 3"),
        ("prompt_tokens,output_tokens\n1,x\n", "line 2: output_tokens: must be an integer .* 'x'"),
        ("prompt_tokens,output_tokens\n1,2.0\n", "line 2: output_tokens: .* got '2.0'"),
        ("prompt_tokens,output_tokens\n-1,2\n", "line 2: prompt_tokens: .* got '-1'"),
        ("prompt_tokens,output_tokens\n1,nan\n", "line 2: output_tokens: .* got 'nan'"),
        ("prompt_tokens,output_tokens\n1,\n", "line 2: output_tokens: .* got ''"),
        ("prompt_tokens,output_tokens\n1,1_0\n", "line 2: output_tokens: .* got '1_0'"),
        ("prompt_tokens,output_tokens\n1,\u0663\n", "line 2: output_tokens: .* got '\u0663'"),
        ("prompt_tokens,output_tokens\n1," + "9" * 18, "line 2: output_tokens: must be an integer"),
        ("prompt_tokens,output_tokens\n1,1000000001\n", "line 2: output_tokens: .* '1000000001'"),
        (
            b"prompt_tokens,output_tokens\n1,2\n\xff\xfe,2\n",
            r"line 3: must be text in UTF-8, got b'\\xff' at byte 0",
        ),
        (b"\x1f\x8b\x08garbage", "is a damaged gzip file"),
        (gzip.compress(LENGTHS_TEXT.encode(), mtime=0)[:-12], "is a damaged gzip file"),
        (gzip.compress(LENGTHS_TEXT.encode(), mtime=0) + b"x", "is a damaged gzip file"),
        ('prompt_tokens,output_tokens\n1,"2\n', "line 2: is not valid CSV: unexpected end"),
        ('prompt_tokens,output_tokens\n1,"2"3\n', "line 2: is not valid CSV"),
        ('prompt_tokens,output_tokens\n1,"2\n' + "x" * 200_000, "line 3: is not valid CSV"),
        ("prompt_tokens,output_tokens\r1,2\r", "line 1: is not valid CSV"),
    ],
)
def test_refuses_bad_files(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"trace.csv: {message}") as error:
        read(tmp_path, content)
    assert "\n" not in str(error.value)


GOOD = '{"input_length": 1, "output_length": 2}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must have an acceptable row, got none of 0"),
        ('{"output_length": 2}', "line 2: input_length: required field is missing"),
        ('{"input_length": 2}', "line 2: output_length: required field is missing"),
        ('{"input_length": 2.0, "output_length": 2}', "line 2: input_length: .* got 2.0"),
        ('{"input_length": "2", "output_length": 2}', "line 2: input_length: .* got '2'"),
        ('{"input_length": true, "output_length": 2}', "line 2: input_length: .* got True"),
        ('{"input_length": null, "output_length": 2}', "line 2: input_length: .* got None"),
        ('{"input_length": 1, "output_length": -2}', "line 2: output_length: .* got -2"),
        ('{"input_length": 1, "output_length": 1e999}', "line 2: output_length: .* got inf"),
        (
            '{"input_length": 1, "output_length": 1000000001}',
            "line 2: output_length: .* 1000000001",
        ),
        (
            '{"input_length": 1, "output_length": 2, "x": NaN}',
            "line 2: must be a JSON object, got .*: NaN is not a number",
        ),
        (
            '{"input_length": 1, "output_length": 2, "input_length": 3}',
            "line 2: must be a JSON object, got .*: a key appears twice",
        ),
        ('{"input_length": 1,', "line 2: must be a JSON object, got '{.*': .*, column 20"),
        ('{"input_length": 1} {}', "line 2: must be a JSON object, got .*: Extra data"),
        ("[1, 2]", r"line 2: must be a JSON object, got '\[1, 2\]': not an object"),
        ('{"x": ' + "[" * 100_000, "line 2: must be a JSON object, got .*: nested too deeply"),
        ('{"input_length": ' + "9" * 5000 + "}", "line 2: must be a JSON object, got .*: "),
        (b"\xff", r"line 2: must be text in UTF-8, got b'\\xff'"),
    ],
)
def test_refuses_bad_lines_of_json(tmp_path: Path, content: str | bytes, message: str) -> None:
    data = content.encode() if isinstance(content, str) else content
    with pytest.raises(InputError, match=f"trace.csv: {message}") as error:
        read(tmp_path, GOOD.encode() + data if data else b"", MOONCAKE)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


def test_refuses_too_few_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must have 5 acceptable rows, got 4 of 4"):
        read(tmp_path, LENGTHS_TEXT, requests=5)


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match="cannot be read"):
            import_trace(LENGTHS, path, 100, Selection())


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


# Cells and lines that are nearly right find more than bytes alone do.
CELLS = st.sampled_from(["", "0", "1", "12", " 3 ", "-1", "2.0", "1e3", '"', '"4"', "\ufeff", "\0"])
LINES = st.one_of(
    st.lists(CELLS, max_size=4).map(",".join).map(str.encode),
    st.dictionaries(
        st.sampled_from(["input_length", "output_length", "x"]),
        st.sampled_from([0, 1, 700, -1, 2.5, True, None, "1", [1], {"a": []}, 10**400]),
    ).map(lambda entry: json.dumps(entry).encode()),
    st.binary(max_size=40),
)


@given(
    format=st.sampled_from(FORMATS),
    lines=st.lists(LINES, max_size=8),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    packed=st.booleans(),
    header=st.booleans(),
    selection=st.fixed_dictionaries(
        {},
        optional={
            "skip": st.integers(0, 3),
            "start_tokens": st.integers(0, 2),
            "min_output": st.integers(0, 2),
            "round_up_pow2": st.booleans(),
            "requests": st.integers(1, 3),
            "oversize": st.sampled_from(["refuse", "drop"]),
        },
    ),
)
def test_anything_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory,
    format: TraceFormat,
    lines: list[bytes],
    end: bytes,
    packed: bool,
    header: bool,
    selection: dict[str, object],
) -> None:
    first = f"{format.prompt},{format.output}".encode()
    content = end.join([first] * header + lines)
    data = gzip.compress(content) if packed else content
    try:
        imported = read(tmp_path_factory.getbasetemp(), data, format, **selection)
    except InputError as error:
        assert str(error).startswith(str(tmp_path_factory.getbasetemp()))
        assert "\n" not in str(error)
        assert str(error).isprintable()
    else:
        left = imported.read - imported.skipped - imported.dropped - imported.failures
        assert len(imported.instance) == left


@given(data=st.binary(max_size=60), cut=st.integers(0, 40))
def test_damaged_gzip_is_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int
) -> None:
    packed = gzip.compress(LENGTHS_TEXT.encode(), mtime=0)
    try:
        read(tmp_path_factory.getbasetemp(), packed[: 2 + cut] + data)
    except InputError as error:
        assert "\n" not in str(error)
