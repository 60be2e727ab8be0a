"""Whatever stands in a file, a name or an option: one line that can be shown, and an exit code.

Every command meets every text that could move the cursor, forge a line, fill a screen or crash
what shows it, wherever a text may stand.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Run

from kvopt.certificates.checker import folder

TEXTS = {
    "line": "a\nkvopt: forged",
    "return": "a\rforged",
    "clear": "\x1b[2Jx",
    "direction": "\u202ex",
    "surrogate": "\udc80x",
    "separator": "a\u2028b",
    "nul": "a\0b",
    "long": "x" * 10**6,
    "verdict": "a.json: ok: certificate, the optimum is 1",
    "formula": "=1+1",
    "markup": "[bold]x</script><img src=x>$\\frac{$",
}
GOOD: dict[str, Any] = {
    "format": "kvopt-instance/1",
    "memory": 5,
    "requests": [{"prompt": 1, "output": 2}, {"prompt": 1, "output": 3}],
}
SCHEDULE = {
    "format": "kvopt-schedule/1",
    "instance": GOOD,
    "attempts": [[0, 0, 2, False], [1, 2, 5, False]],
}
BRACKET = {
    "format": "kvopt-certificate/2",
    "instance": GOOD,
    "instance_sha256": "",
    "lower_bound": 1,
    "proof": {"rule": "busy-time"},
}
SLICES = {
    "format": "kvopt-slices/1",
    "prompt": 0,
    "memory": 4,
    "phases": [[1, "1/1"]],
    "area_weight": "1/1",
    "factor": "1/1",
    "bound": "2/1",
}
LINE = 1100
TABLE = 2000

READERS = (
    ("simulate", "--policy", "fcfs"),
    ("ratio", "--policy", "fcfs"),
    ("audit", "--no-search", "--policy", "fcfs"),
    ("verify",),
    ("plot", "--policy", "fcfs", "-o", "x.trace.json"),
    ("report", "--policy", "fcfs", "-o", "x.html"),
)
"""Commands that read an instance, without the file."""

each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


@pytest.fixture
def shown(run: Run) -> Run:
    """Run a command; what it prints can be shown, and an error is one line."""

    def shown(*arguments: object) -> tuple[int, str, str]:
        code, out, err = run(*arguments)
        assert code in (0, 1, 2), arguments
        for line in out.splitlines() if "\r" not in out else [out]:
            assert line.isprintable(), arguments
            assert len(line) <= TABLE, arguments
        assert err.replace("\n", "").isprintable(), arguments
        assert all(line.startswith("kvopt: ") for line in err.splitlines()), arguments
        assert all(len(line) <= LINE for line in err.splitlines()), arguments
        assert "Traceback" not in out + err
        if code == 2:
            assert err.count("\n") == 1, arguments
        return code, out, err

    return shown


def put(name: str, content: object) -> str:
    """Write a file in the current folder; return its name."""
    text = content if isinstance(content, str) else json.dumps(content)
    Path(name).write_bytes(text.encode("utf-8", "surrogatepass"))
    return name


def replaced(content: Any, text: str) -> Iterator[Any]:
    """Yield a JSON value with a text for each of its parts in turn, and for each key."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield content | {key: text}
            yield {**{k: v for k, v in content.items() if k != key}, text: value}
            for other in replaced(value, text):
                yield content | {key: other}
    elif isinstance(content, list):
        for i, value in enumerate(content):
            yield [*content[:i], text, *content[i + 1 :]]
            for other in replaced(value, text):
                yield [*content[:i], other, *content[i + 1 :]]


@each_text
def test_paths_of_files_that_are_not_there(shown: Run, text: str) -> None:
    for command in (*READERS, ("solve",)):
        assert shown(command[0], text + ".json", *command[1:])[0] == 2
    good, nowhere = put("good.json", GOOD), f"nowhere/{text}"
    for arguments in (
        ["import", "lengths", text, "--memory", 5, "-o", "o.json"],
        ["solve", good, "--params", text],
        ["solve", good, "-o", nowhere],
        ["solve", good, "--certificate", nowhere],
        ["simulate", good, "--policy", "fcfs", "-o", nowhere],
        ["plot", put("schedule.json", SCHEDULE), "-o", f"{nowhere}.svg"],
        ["generate", "tiny", "-o", nowhere],
        ["search", "--policy", "fcfs", "--restarts", 1, "--store", nowhere],
        ["slices", "--memory", 5, "-o", nowhere],
    ):
        assert shown(*arguments)[0] == 2, arguments


@each_text
def test_options(shown: Run, text: str) -> None:
    good = put("good.json", GOOD)
    searching = ["search", "--policy", "fcfs", "--restarts", 1]
    for arguments in (
        [text],
        ["solve", f"--{text}"],
        ["solve", good, "--time-limit", text],
        ["simulate", good, "--policy", text],
        ["simulate", good, "--policy", f"{text}:X"],
        ["simulate", good, "--policy", f"os:{text}"],
        ["simulate", good, "--policy", f"gsa:{text}=1"],
        ["simulate", good, "--policy", f"gsa:alpha={text}"],
        ["audit", good, "--policy", text],
        ["ratio", good, "--policy", text],
        ["generate", text, "-o", "x.json"],
        ["generate", f"model1:{text}=1", "-o", "x.json"],
        ["import", text, good, "--memory", 5, "-o", "o.json"],
        [*searching, "--against", text],
        [*searching, "--method", text],
        [*searching, "--executor", text],
        ["bounds", "--alpha", text],
        ["slices", "--memory", text],
    ):
        assert shown(*arguments)[0] == 2, arguments


@each_text
def test_texts_of_an_instance(shown: Run, text: str) -> None:
    for field in ("name", "comment", "source"):
        file = put("named.json", GOOD | {field: text})
        for command in READERS:
            code, out, err = shown(command[0], file, *command[1:])
            right = text.isprintable() or (field != "name" and text.replace("\n", "").isprintable())
            assert code == (0 if right else 2)
            assert "forged" not in err or "\\n" in err or "\\r" in err
            assert "\nkvopt: forged" not in out


@each_text
@pytest.mark.parametrize("content", [GOOD, SCHEDULE], ids=["instance", "schedule"])
def test_a_text_in_the_place_of_anything(shown: Run, content: Any, text: str) -> None:
    for changed in replaced(content, text):
        assert shown("verify", put("changed.json", changed))[0] == 2


@each_text
def test_a_text_in_a_certificate(shown: Run, text: str) -> None:
    for content in (BRACKET | {"lower_bound": text}, SLICES | {"factor": text}):
        code, out, err = shown("verify", put("changed.json", content))
        assert (code, err, out.count("\n")) == (1, "", 2)


def test_a_text_in_the_place_of_anything_in_a_certificate(tmp_path: Path) -> None:
    """The checker itself, on all of them at once."""
    contents = [
        changed
        for text in TEXTS.values()
        for content in (BRACKET, SLICES)
        for changed in replaced(content, text if len(text) < 1000 else text[:10_000])
    ]
    files = [put(str(tmp_path / f"{i}.json"), content) for i, content in enumerate(contents)]
    command = [sys.executable, "-I", "-S", "-B", str(folder()), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert len(lines) == len(files) > 300
    for file, line in zip(files, lines, strict=True):
        assert line.startswith(f"{file}: REFUSED: ")
        assert line.isprintable()
        assert len(line) < 500


@each_text
def test_ratios_to_plot(shown: Run, text: str) -> None:
    row = {"instance": "a", "policy": "b", "ratio_low": "1/1", "ratio_high": "3/2"}
    rows = {"rows": [row | {"bound": "2/1", "verdict": "within"}]}
    for changed in replaced(rows, text):
        for output in ("x.html", "x.trace.json"):
            shown("plot", put("rows.json", changed), "-o", output)
    page = Path("x.html").read_text() if Path("x.html").exists() else ""
    assert "<img src=x" not in page


@each_text
def test_traces(shown: Run, text: str) -> None:
    arguments = ["t", "--memory", 5, "-o", "o.json"]
    for content in (f"{text},output_tokens\n1,1\n", f'prompt_tokens,output_tokens\n"{text}",1\n'):
        put("t", content)
        assert shown("import", "lengths", *arguments)[0] == 2
    for line in ({"input_length": text, "output_length": 1}, {text: 1}, [text], text):
        put("t", line)
        assert shown("import", "mooncake", *arguments)[0] == 2
    put("t", "prompt_tokens,output_tokens\n1,1\n")
    code, _, _ = shown("import", "lengths", *arguments, "--name", text)
    assert code == (0 if text.isprintable() else 2)


@each_text
def test_parameters_of_the_solver(shown: Run, text: str) -> None:
    good, quoted = put("good.json", GOOD), json.dumps(text)
    for content in (
        f"{quoted} = 1\n",
        f"[{quoted}]\na = 1\n",
        f"[annealing]\n{quoted} = 1\n",
        f"[annealing]\nseconds = {quoted}\n",
        f"[annealing]\n{text}",
    ):
        assert shown("solve", good, "--params", put("p.toml", content))[0] == 2


@pytest.mark.parametrize(
    "text", [t for t in TEXTS.values() if len(t) < 100 and "\0" not in t and "/" not in t]
)
def test_names_of_files_in_a_folder(shown: Run, text: str) -> None:
    name = f"{text}.json"
    for place in ("set", "set/certificates", "set/worst", "set/worst/certificates"):
        Path(place).mkdir()
    put(f"set/{name}", GOOD)
    put(f"set/certificates/{name}", {"format": "kvopt-certificate/2"})
    put(f"set/worst/{name}", GOOD)
    code, out, err = shown("audit", "set", "--no-search", "--policy", "fcfs")
    assert (code, err) == (1, "")
    first, second = out.split("\nproblems:\n")[1].splitlines()[:2]
    assert first.startswith("  set/worst/certificates/")
    assert first.endswith(": cannot be read: No such file or directory")
    assert second.startswith("  set/certificates/")
    assert second.endswith(": certificate: has no 'instance'")
    assert shown("ratio", "set", "--policy", "fcfs")[0] == 0
    for file in (f"set/{name}", f"set/certificates/{name}"):
        code, out, _ = shown("verify", file)
        path, state, _ = out.split(": ", 2) if code == 0 else (file, "", "")
        assert state in ("ok", "")
        assert path.startswith("set/")
    for command in (*READERS, ("solve",)):
        assert shown(command[0], f"set/{name}", *command[1:])[0] == 0


def test_a_cell_is_no_formula(run: Run) -> None:
    for text in ("=1+1", "+1", "-1", "@SUM(A1)"):
        file = put("named.json", GOOD | {"name": text})
        for command in ("ratio", "audit"):
            more = ["--no-search"] if command == "audit" else []
            _, out, _ = run(command, file, "--policy", "fcfs", "--csv", *more)
            (row,) = csv.DictReader(io.StringIO(out))
            assert row["instance"] == f"'{text}"


NUMBERS = {
    "digits": '{"format": "kvopt-instance/1", "memory": %s}' % ("9" * 10**5),
    "deep": "[" * 10**5,
    "deep objects": '{"a":' * 10**5,
    "nan": json.dumps(GOOD | {"memory": float("nan")}),
    "infinity": json.dumps(GOOD | {"memory": float("inf")}),
    "beyond floats": json.dumps(GOOD).replace('"memory": 5', '"memory": 1e400'),
    "negative zero": json.dumps(GOOD).replace('"prompt": 1', '"prompt": -0'),
    "float": json.dumps(GOOD | {"memory": 5.0}),
    "boolean": json.dumps(GOOD | {"memory": True}),
    "twice": json.dumps(GOOD).replace('"memory": 5', '"memory": 5, "memory": 5'),
    "empty": "",
    "mark inside": json.dumps(GOOD).replace('"memory"', '\ufeff"memory"'),
}


@pytest.mark.parametrize("content", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("packed", ["", "gzip", "utf-16"])
def test_numbers_and_bytes(shown: Run, content: str, packed: str) -> None:
    data = content.encode()
    if packed:
        data = gzip.compress(data) if packed == "gzip" else content.encode("utf-16")
    Path("bad.json").write_bytes(data)
    for command in (*READERS, ("solve",)):
        assert shown(command[0], "bad.json", *command[1:])[0] == 2
    inside = json.dumps(SCHEDULE).replace(json.dumps(GOOD), content)
    assert shown("verify", put("bad.json", inside))[0] == 2
    line = content.replace('"memory"', '"input_length"')
    for name in ("mooncake", "lengths"):
        assert shown("import", name, put("t", line), "--memory", 5, "-o", "o.json")[0] == 2


@pytest.mark.parametrize(
    "value",
    ["9" * 10**5, "[" * 10**5, "inf", "nan", "-1", "-0.5", "true", "1e400", "2000-13-45", "'1'"],
)
def test_numbers_of_parameters(shown: Run, value: str) -> None:
    good = put("good.json", GOOD)
    file = put("p.toml", f"[annealing]\nseconds = {value}\n")
    assert shown("solve", good, "--params", file)[0] == 2
    file = put("p.toml", "[annealing]\nseconds = 1\nseconds = 1\n")
    assert shown("solve", good, "--params", file)[0] == 2


@pytest.mark.parametrize("name", ["click", "matplotlib", "kvopt", "json", "pandas", "rich"])
def test_no_module_of_the_current_folder_is_imported(run: Run, name: str) -> None:
    """Where a file of data lies, a module may lie, too."""
    put(f"{name}.py", "raise SystemExit('imported')")
    good = put("good.json", GOOD)
    for command in READERS:
        assert run(command[0], good, *command[1:])[0] == 0
    assert os.getcwd() not in sys.path


@pytest.mark.parametrize(
    "command",
    [
        ("solve",),
        ("simulate", "--policy", "gsa"),
        ("ratio", "--policy", "gsa"),
        ("audit",),
        ("report", "-o", "x.html"),
        ("verify",),
        ("plot", "-o", "x.png"),
        ("import", "lengths", "--memory", 9, "-o", "x.json"),
    ],
)
def test_an_empty_path_is_not_the_current_folder(run: Run, command: tuple[object, ...]) -> None:
    code, out, err = run(*command, "")
    assert (code, out) == (2, "")
    assert "must not be empty" in err
    assert err.count("\n") == 1
