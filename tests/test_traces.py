"""Importers, on small synthetic files in the formats of the real traces."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvopt import InputError, Instance
from kvopt.traces import FORMATS, Import, Selection, TraceFormat, import_trace

LENGTHS, AZURE = FORMATS

AZURE_TEXT = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    "2023-11-16 18:15:46.6805900,374,44\r\n"
    "2023-11-16 18:15:50.9951690,396,109\r\n"
    "2023-11-16 18:15:51.2225670,879,55"
)
LENGTHS_TEXT = "prompt_tokens,output_tokens\n107,15\n396,513\n20,1\n8,140\n"


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


def test_lengths(tmp_path: Path) -> None:
    imported = read(tmp_path, LENGTHS_TEXT)
    assert imported.instance == Instance(
        2000,
        [107, 396, 20, 8],
        [15, 513, 1, 140],
        name="trace",
        source="lengths trace trace.csv: 4 of the first 4 rows",
    )
    assert (imported.read, imported.skipped, imported.dropped) == (4, 0, 0)


def test_azure_has_crlf_and_no_final_newline(tmp_path: Path) -> None:
    imported = read(tmp_path, AZURE_TEXT, AZURE)
    assert imported.instance.prompts.tolist() == [374, 396, 879]
    assert imported.instance.outputs.tolist() == [44, 109, 55]


def test_gzip_is_recognised_by_content(tmp_path: Path) -> None:
    packed = read(tmp_path, gzip.compress(AZURE_TEXT.encode()), AZURE)
    assert packed.instance == read(tmp_path, AZURE_TEXT, AZURE).instance


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    text = '\ufeffoutput_tokens, model ,prompt_tokens\n15,"a,b",107\n\n1,x,20\n'
    assert read(tmp_path, text).instance.prompts.tolist() == [107, 20]


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


def test_rows_of_zeros_are_refused_or_skipped(tmp_path: Path) -> None:
    text = LENGTHS_TEXT + "0,0\n"
    with pytest.raises(InputError, match="line 6: output_tokens: must be at least 1, got 0"):
        read(tmp_path, text)
    assert read(tmp_path, text, min_output=1).skipped == 1


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
        ("prompt_tokens,output_tokens\n1," + "9" * 18, "line 2: output_tokens: must be an integer"),
        (b"prompt_tokens,output_tokens\n\xff\xfe,2\n", "is not a text file in UTF-8"),
        (b"\x1f\x8b\x08garbage", "is a damaged gzip file"),
        (gzip.compress(LENGTHS_TEXT.encode(), mtime=0)[:-12], "is a damaged gzip file"),
        ('prompt_tokens,output_tokens\n1,"2\n' + "x" * 200_000, "is not valid CSV"),
    ],
)
def test_refuses_bad_files(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"trace.csv: {message}") as error:
        read(tmp_path, content)
    assert "\n" not in str(error.value)


def test_refuses_too_few_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must have 5 acceptable rows, got 4 of 4"):
        read(tmp_path, LENGTHS_TEXT, requests=5)


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match="cannot be read"):
            import_trace(LENGTHS, path, 100, Selection())


@given(data=st.binary(max_size=300), packed=st.booleans(), header=st.booleans())
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, packed: bool, header: bool
) -> None:
    content = b"prompt_tokens,output_tokens\n" * header + data
    try:
        read(tmp_path_factory.getbasetemp(), gzip.compress(content) if packed else content)
    except InputError as error:
        assert "\n" not in str(error)
