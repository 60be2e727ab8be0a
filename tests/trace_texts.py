"""Small traces in every format, and reading them."""

from __future__ import annotations

from pathlib import Path

from kvopt.traces import FORMATS, Import, Selection, TraceFormat, import_trace

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
