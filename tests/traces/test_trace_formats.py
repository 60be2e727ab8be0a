"""Importers, on small synthetic files in the formats of the real traces."""

from __future__ import annotations

import gzip
import json
import os
import threading
import tracemalloc
from collections.abc import Iterator
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
    LENGTHS_TEXT,
    MOONCAKE,
    MOONCAKE_TEXT,
    TEXTS,
    VIDUR,
    VIDUR_TEXT,
    pairs,
    read,
)

from kvopt import InputError, Instance
from kvopt.traces import FORMATS, Selection, TraceFormat, import_trace
from kvopt.traces.formats import MAX_LINE


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


def random_rows(count: int) -> Iterator[str]:
    for n in range(count):
        yield f"2031-05-06 18:15:46.1234560,{n * 7919 % 4001},{1 + n * 104729 % 997}\r\n"


def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    file, count = tmp_path / "large.csv.gz", 100_000
    with gzip.open(file, "wt", compresslevel=1, newline="") as stream:
        stream.write("TIMESTAMP,ContextTokens,GeneratedTokens\r\n")
        stream.writelines(random_rows(count))
    told: list[int] = []
    selection = Selection(skip=30_000, requests=1000, sample=1)
    tracemalloc.start()
    try:
        imported = import_trace(AZURE, file, 8192, selection, progress=told.append)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (imported.read, len(imported.instance)) == (count - 30_000, 1000)
    assert peak < 500_000  # bytes; the file has 4 million
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
        ('{"input_length": 1, "output_length": 1e999}', "line 2: .*: numbers .* got 1e999"),
        (
            '{"input_length": 1, "output_length": 1000000001}',
            "line 2: output_length: .* 1000000001",
        ),
        (
            '{"input_length": 1, "output_length": 2, "x": NaN}',
            "line 2: must be a JSON object, got .*: numbers must be finite, got NaN",
        ),
        (
            '{"input_length": 1, "output_length": 2, "input_length": 3}',
            "line 2: must be a JSON object, got .*: input_length: key appears twice",
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


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match="cannot be read"):
            import_trace(LENGTHS, path, 100, Selection())


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
