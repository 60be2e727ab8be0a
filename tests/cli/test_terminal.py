"""What is shown on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from command_line import Run

from kvopt import Instance, read_instance, write_instance
from kvopt.cli.terminal import folded, width
from kvopt.comparison.standing import Standing
from kvopt.report.tables import standing_table
from kvopt.theory.guarantee import Guarantee

CODE = """
import logging, sys
from kvopt.cli import main
main({arguments})
logging.getLogger("kvopt.compiling").info("compiling the state search, once")
logging.getLogger("kvopt.other").info("something else")
"""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["policies"], "kvopt: compiling the state search, once"),
        (["-v", "policies"], "kvopt.compiling: compiling the state search, once"),
    ],
)
def test_compiling_is_announced_on_a_terminal(arguments: list[str], shown: str) -> None:
    main, other = pty.openpty()
    code = [sys.executable, "-c", CODE.format(arguments=arguments)]
    subprocess.run(code, check=True, stdout=subprocess.DEVNULL, stderr=other)
    os.close(other)
    text = os.read(main, 10_000).decode()
    os.close(main)
    assert text.count("compiling the state search") == 1
    assert shown in text
    assert ("something else" in text) == ("-v" in arguments)


def test_compiling_is_not_announced_elsewhere() -> None:
    code = [sys.executable, "-c", CODE.format(arguments=["policies"])]
    done = subprocess.run(code, check=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_the_name_of_a_file_moves_no_cursor(tmp_path: Path) -> None:
    name = "a\x1b[2Jb\nc\u202e.json"
    (tmp_path / name).write_text(
        '{"format": "kvopt-instance/1", "memory": 3, "requests": [{"prompt": 1, "output": 2}]}'
    )
    main, other = pty.openpty()
    code = [sys.executable, "-c", CODE.format(arguments=["solve", name])]
    subprocess.run(code, check=True, stdout=subprocess.DEVNULL, stderr=other, cwd=tmp_path)
    os.close(other)
    text = os.read(main, 100_000).decode()
    os.close(main)
    assert r"a\x1b[2Jb\nc\u202e.json" in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "93")
    assert width(wide=False) is None  # a pipe
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert (width(wide=False), width(wide=True)) == (93, None)


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_the_terminal(
    run: Run, small: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    name = "a-name-of-fifty-characters-which-is-rather-long-for-one"
    Path("set").mkdir()
    groups = [(7, 4000, 40), (7, 1, 300)]
    write_instance(Path("set/a.json"), Instance.from_groups(5000, groups, name))
    write_instance(Path("set/b.json"), read_instance(small))
    Path("set/c.json").write_text("{}")
    options = ("--policy", "gsa:alpha=2,gba,mc-sf,fcfs", "--time-limit", 0.5)
    for command in (("ratio", "set"), ("audit", "set", "--no-search")):
        shown = {}
        for most in (None, columns):
            monkeypatch.setattr(
                f"kvopt.cli.{'auditing' if command[0] == 'audit' else 'comparing'}.width",
                lambda wide, most=most: None if wide else most,
            )
            shown[most] = run(*command, *options)[1].splitlines()
            if command[0] == "audit" and most is None:
                assert "proved" in shown[most].pop()  # a sentence in one line
        assert max(map(len, shown[None])) > columns
        assert max(map(len, shown[columns])) <= columns
        assert [line for line in shown[columns] if line.startswith(name[:20])]
        assert "set/c.json: cannot be read" in shown[columns]
        wide = run(*command, *options, "--wide")[1].splitlines()
        assert wide[0].split() == shown[None][0].split()


def test_the_end_says_how_gsa_and_gba_stand(run: Run, small: Path) -> None:
    policies = ("--policy", "gsa,gba,fcfs,gsa:beta=2", "--time-limit", 20)
    code, out, _ = run("ratio", small, *policies, "--json")
    assert code == 0
    rows = {row["policy"]: row for row in json.loads(out)["rows"]}
    gsa, gba = json.loads(out)["standings"]
    for one, policy, published in ((gsa, "gsa", 61.9148), (gba, "gba", 10.6667)):
        assert (one["policy"], one["instance"]) == (policy, "twelve")
        assert one["ratio_low"] == rows[policy]["ratio_low"]
        assert one["published_bound_float"] == pytest.approx(published, abs=1e-4)
        assert one["proved_bound_float"] < published
        assert 1 < one["worst_known_float"] < one["proved_bound_float"]
        assert one["worst_known_instance"].startswith(f"{policy}--")
    assert gba["published_bound"] == "32/3"
    code, out, _ = run("ratio", small, *policies)
    lines = out.splitlines()
    assert [line.split()[0] for line in lines if " twelve " in line] == ["gsa", "gba"]
    assert [line.split()[-3] for line in lines if " twelve " in line] == ["61.92", "10.67"]
    answer = json.loads(run("audit", small, "--no-search", "--json")[1])
    specs = [one["policy"] for one in answer["standings"]]
    assert specs == ["gba", "gba:alpha=2", "gsa", "gsa:alpha=2"]


def test_the_instance_of_the_largest_ratio_is_named_whole_or_told_from_others(
    tmp_path: Path, run: Run
) -> None:
    name = "instances-of-one-long-name-that-differ-at-the-end-007"
    file = tmp_path / f"{name}.json"
    write_instance(file, Instance(12, [1] * 4, [3, 2, 5, 1], name))
    code, out, _ = run("ratio", file, "--policy", "gsa")
    assert code == 0
    assert name in out.split("largest ratio")[1]
    standing = Standing("gsa", name, None, Guarantee(Fraction(20), "derived", "test"), None)
    narrow = standing_table([standing], 80)
    assert name not in narrow
    assert "-007" in narrow
    assert max(map(len, narrow.splitlines())) <= 80


def test_a_sentence_is_folded_on_a_terminal_only() -> None:
    text = "a sentence of words, " * 9
    assert folded(text, None) == text
    assert max(map(len, folded(text, 40).splitlines())) <= 40
    assert folded(text, 40).split() == text.split()
