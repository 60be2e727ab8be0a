"""Files that commands are told to read and to write."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from command_line import Run, kvopt_process

from kvopt import read_instance, read_schedule

REQUIRED = [
    (("solve",), "PATHS"),
    (("simulate", "x.json"), "--policy"),
    (("simulate",), "FILE"),
    (("ratio", "x.json"), "--policy"),
    (("ratio", "--policy", "fcfs"), "PATHS"),
    (("search",), "--policy"),
    (("verify",), "FILES"),
    (("import", "azure", "x.csv", "-o", "y.json"), "--memory"),
    (("import", "azure", "x.csv", "--memory", "9"), "--output"),
    (("import", "azure", "--memory", "9", "-o", "y.json"), "FILE"),
    (("generate", "tiny"), "--output"),
    (("generate", "-o", "y.json"), "FAMILY"),
    (("slices",), "--memory"),
    (("plot", "x.json"), "--output"),
    (("plot", "-o", "x.png"), "FILES"),
    (("report", "x.json"), "--output"),
    (("report", "-o", "x.html"), "PATHS"),
]


@pytest.mark.parametrize(("arguments", "missing"), REQUIRED)
def test_what_is_required_is_asked_for(run: Run, arguments: tuple[str, ...], missing: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("kvopt: Missing ")
    assert missing in err
    assert err.count("\n") == 1


def outputs(file: Path) -> list[tuple[object, ...]]:
    """Return the commands that write a file, without the file."""
    return [
        ("solve", file, "-o"),
        ("solve", file, "--certificate"),
        ("simulate", file, "--policy", "fcfs", "-o"),
        ("search", "--policy", "gsa", "--time-limit", 1, "-o"),
        ("search", "--policy", "gsa", "--time-limit", 1, "--plot"),
        ("import", "lengths", "x.csv", "--memory", 9, "-o"),
        ("generate", "tiny", "-o"),
        ("plot", file, "--policy", "fcfs", "-o"),
        ("report", file, "-o"),
    ]


@pytest.mark.parametrize("number", range(9))
def test_links_in_a_circle_and_empty_names_are_refused(run: Run, small: Path, number: int) -> None:
    Path("a.png").symlink_to("b.png")
    Path("b.png").symlink_to("a.png")
    Path("x.csv").write_text("prompt_tokens,output_tokens\n1,2\n")
    command = outputs(small)[number]
    code, out, err = run(*command, "a.png")
    assert (code, out) == (2, "")
    assert err == "kvopt: a.png: cannot be written: Too many levels of symbolic links\n"
    code, out, err = run(*command, "")
    assert (code, out) == (2, "")
    assert "must not be empty" in err


def test_a_minus_is_stdout(tmp_path: Path, small: Path) -> None:
    (tmp_path / "x.csv").write_text("prompt_tokens,output_tokens\n1,2\n")
    for command, read in [
        (("solve", small, "-o", "-"), read_schedule),
        (("simulate", small, "--policy", "fcfs", "-o", "-"), read_schedule),
        (("generate", "tiny", "-o", "-"), read_instance),
        (("import", "lengths", "x.csv", "--memory", 9, "-o", "-"), read_instance),
    ]:
        process = kvopt_process(*command, cwd=tmp_path)  # type: ignore[misc]
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        (tmp_path / "out.json").write_text(out)
        read(tmp_path / "out.json")
        assert not (tmp_path / "-").exists()


def test_stdout_takes_one_thing(run: Run, small: Path) -> None:
    for command in (
        ("solve", small, "--json", "-o", "-"),
        ("solve", small, "--certificate", "-", "-o", "-"),
        ("simulate", small, "--policy", "fcfs", "--json", "-o", "-"),
        ("ratio", small, "--policy", "fcfs", "--json", "--csv"),
        ("audit", small, "--csv", "--json"),
    ):
        code, out, err = run(*command)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1


def test_marks_and_gzip_are_read(run: Run, small: Path) -> None:
    data = small.read_bytes()
    Path("set").mkdir()
    Path("set/mark.json").write_bytes(b"\xef\xbb\xbf" + data)
    Path("set/packed.json.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + data))
    code, out, _ = run("ratio", "set", "--policy", "fcfs", "--json")
    assert code == 0
    assert len(json.loads(out)["rows"]) == 2
    assert read_instance("set/packed.json.gz") == read_instance(small)
    Path("set/packed.json.gz").write_bytes(gzip.compress(data)[:-9])
    code, _, err = run("solve", "set/packed.json.gz")
    assert code == 2
    assert "is a damaged gzip file" in err


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": {"b": [0, {"c": 1, "d": 2, "c": 3}]}}', "a.b[1].c"),
        ('{"memory": 5, "memory": 6}', "memory"),
        ('{"a": {"b": 1, "b": 2}, "a": 3}', "a.b"),
    ],
)
def test_a_key_that_is_there_twice_is_named_with_its_place(run: Run, text: str, place: str) -> None:
    Path("twice.json").write_text(text)
    code, _, err = run("solve", "twice.json")
    assert code == 2
    assert f"twice.json: {place}: key appears twice in one object" in err


def test_blank_lines_without_end_are_refused(run: Run) -> None:
    text = b"prompt_tokens,output_tokens\n1,2\n" + b"\n" * 1_100_000
    Path("blank.csv.gz").write_bytes(gzip.compress(text))
    code, _, err = run("import", "lengths", "blank.csv.gz", "--memory", 9, "-o", "o.json")
    assert code == 2
    assert "must not follow 1000000 blank lines" in err
