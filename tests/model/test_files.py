from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances, schedules

from kvopt import (
    InputError,
    Instance,
    Schedule,
    read_instance,
    read_schedule,
    simulate,
    write_instance,
    write_schedule,
)
from kvopt.model.files import find_instances, read_any, write_bytes

GOOD = {
    "format": "kvopt-instance/1",
    "name": "n",
    "memory": 10,
    "requests": [{"prompt": 2, "output": 3, "count": 2}, {"prompt": 0, "output": 1}],
}


INSTANCE = Instance(10, [2, 2, 0], [3, 3, 1], "n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.json"


@given(instance=instances(), texts=st.lists(st.text(max_size=8), min_size=3, max_size=3))
def test_instance_round_trip(
    tmp_path_factory: pytest.TempPathFactory, instance: Instance, texts: list[str]
) -> None:
    with contextlib.suppress(InputError):  # not printable: keep the instance without texts
        instance = Instance(instance.memory, instance.prompts, instance.outputs, *texts)
    file = tmp_path_factory.getbasetemp() / "instance.json"
    write_instance(file, instance)
    again = read_instance(file)
    assert again == instance
    text = file.read_text()
    write_instance(file, again)
    assert file.read_text() == text


@given(schedule=schedules())
def test_schedule_round_trip(tmp_path_factory: pytest.TempPathFactory, schedule: Schedule) -> None:
    file = tmp_path_factory.getbasetemp() / "schedule.json"
    write_schedule(file, schedule)
    assert read_schedule(file) == schedule
    assert read_any(file) == schedule


def test_reads_what_the_format_says(file: Path) -> None:
    file.write_text(json.dumps(GOOD))
    assert read_instance(file) == Instance(10, [2, 2, 0], [3, 3, 1], name="n")


def broken(**changes: object) -> str:
    return json.dumps({k: v for k, v in {**GOOD, **changes}.items() if v is not ...})


def request(**changes: object) -> str:
    entry = {k: v for k, v in {"prompt": 2, "output": 3, **changes}.items() if v is not ...}
    return broken(requests=[{"prompt": 1, "output": 1}, entry])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not valid JSON: Expecting value, line 1, column 1"),
        ('{"format": "kvopt-ins', "is not valid JSON: "),
        ("[]", r"file: must be an object, got \[\]"),
        ("3", "file: must be an object, got 3"),
        ("[" * 100_000, "is not valid JSON: nested too deeply"),
        ("1" * 5000, "a number has thousands of digits"),
        (
            broken(format="kvopt-instance/3"),
            "format: must be 'kvopt-instance/1' or .* got 'kvopt-inst",
        ),
        (broken(format=1), "format: must be 'kvopt-instance/1' or 'kvopt-instance/2', got 1"),
        (broken(format=...), "format: required field is missing"),
        (broken(memory=...), "memory: required field is missing"),
        (broken(requests=...), "requests: required field is missing"),
        (broken(extra=1), "extra: unknown field, got 1"),
        (broken(memory="10"), "memory: must be an integer from 1 to 1000000000, got '10'"),
        (broken(memory=10.5), "memory: .* got 10.5"),
        (broken(memory=-10), "memory: .* got -10"),
        (broken(memory=None), "memory: .* got None"),
        (broken(memory=True), "memory: .* got True"),
        (broken(memory=10**18), "memory: .* got 1000000000000000000"),
        (broken(name=7), "name: must be a printable string, got 7"),
        (broken(comment=["x"]), r"comment: must be a printable string, got \['x'\]"),
        (broken(requests={}), "requests: must be a list, got {}"),
        (broken(requests=[]), r"requests: must not be empty, got \[\]"),
        (broken(requests=[[1, 2]]), r"requests\[0\]: must be an object, got \[1, 2\]"),
        (request(output=...), r"requests\[1\].output: required field is missing"),
        (request(foo=1), r"requests\[1\].foo: unknown field, got 1"),
        (request(output=0), r"requests\[1\].output: must be an integer from 1 .* got 0"),
        (request(output=1.5), r"requests\[1\].output: .* got 1.5"),
        (request(prompt=-1), r"requests\[1\].prompt: must be an integer from 0 .* got -1"),
        (request(count=0), r"requests\[1\].count: must be an integer from 1 to 10000000, got 0"),
        (request(count=10**18), r"requests\[1\].count: .* got 1000000000000000000"),
        (request(output=9), r"requests\[1\]: prompt \+ output must be at most memory = 10"),
        (broken(memory=float("nan")), "numbers must be finite, got NaN"),
        (broken(memory=float("inf")), "numbers must be finite, got Infinity"),
        ('{"memory": 1, "memory": 2}', "memory: key appears twice in one object"),
        (
            '{"format": "kvopt-instance/1", "memory": 5, "requests": [{"prompt": 1, "prompt": 1}]}',
            "prompt: key appears twice",
        ),
    ],
)
def test_refuses_bad_instances(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(InputError, match=f"file.json: .*{message}") as error:
        read_instance(file)
    assert "\n" not in str(error.value)


def test_refuses_what_is_no_readable_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_instance(tmp_path)
    with pytest.raises(InputError, match="missing: cannot be read: No such file"):
        read_instance(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\x1f\x8b\x80\xff")
    with pytest.raises(InputError, match="binary: is a damaged gzip file"):
        read_instance(tmp_path / "binary")


def test_refuses_without_permission(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: str) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))  # as for anybody but root

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="cannot be read: Permission denied"):
        read_instance(file)


SCHEDULE = {"format": "kvopt-schedule/1", "instance": GOOD, "attempts": [[0, 0, 3, False]]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "kvopt-schedule/9"}, "format: must be 'kvopt-schedule/1'"),
        ({"instance": {**GOOD, "memory": 1}}, r"instance.requests\[0\]: prompt \+ output"),
        ({"instance": {**GOOD, "format": "x"}}, "instance.format: must be 'kvopt-instance/1'"),
        ({"instance": {"memory": 1}}, "instance.requests: required field is missing"),
        ({"instance": 4}, "instance: must be an object, got 4"),
        ({"attempts": 4}, "attempts: must be a list, got 4"),
        ({"attempts": [[0, 0, 3]]}, r"attempts\[0\]: must be \[request, start, end, killed\]"),
        ({"attempts": [[0, 0.5, 3, False]]}, r"attempts\[0\].start: must be an integer"),
        ({"attempts": [[0, 0, 3, 1]]}, r"attempts\[0\].killed: must be true or false, got 1"),
        ({"attempts": [[0, 0, 10**18, True]]}, r"attempts\[0\].end: must be an integer from -"),
    ],
)
def test_refuses_bad_schedules(file: Path, changes: dict[str, object], message: str) -> None:
    file.write_text(json.dumps({**SCHEDULE, **changes}))
    with pytest.raises(InputError, match=f"file.json: {message}"):
        read_schedule(file)


def test_schedule_may_leave_out_the_format_of_its_instance(file: Path) -> None:
    bare = {k: v for k, v in GOOD.items() if k != "format"}
    file.write_text(json.dumps({**SCHEDULE, "instance": bare}))
    assert read_schedule(file).instance == Instance(10, [2, 2, 0], [3, 3, 1], name="n")


def test_read_any_names_the_formats(file: Path) -> None:
    file.write_text('{"format": "kvopt-other/1"}')
    with pytest.raises(InputError, match="format: must be .* got 'kvopt-other/1'"):
        read_any(file)
    file.write_text("[]")
    with pytest.raises(InputError, match="format: must be .* got None"):
        read_any(file)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["kvopt-instance/1", "kvopt-schedule/1"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["format", "memory", "requests", "prompt", "output", "count", "name",
                         "instance", "attempts", "x"]),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(value=json_values)
def test_any_json_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    file = tmp_path_factory.getbasetemp() / "garbage.json"
    file.write_text(json.dumps(value))
    for read in (read_instance, read_schedule, read_any):
        try:
            read(file)
        except InputError as error:
            assert str(error).startswith(str(file))
            assert "\n" not in str(error)


@given(data=st.binary(max_size=200) | st.text(max_size=100).map(lambda t: t.encode("utf-16")))
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "garbage.json"
    file.write_bytes(data)
    with pytest.raises(InputError) as error:
        read_any(file)
    assert "\n" not in str(error.value)


@given(data=st.data())
def test_a_truncated_or_flipped_file_is_refused_or_still_valid(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = json.dumps(SCHEDULE).encode()
    cut = data.draw(st.integers(0, len(content) - 1))
    file = tmp_path_factory.getbasetemp() / "damaged.json"
    file.write_bytes(content[:cut])
    with pytest.raises(InputError):
        read_any(file)
    file.write_bytes(
        content[:cut] + data.draw(st.binary(min_size=1, max_size=1)) + content[cut + 1 :]
    )
    try:
        read_any(file)
    except InputError as error:
        assert "\n" not in str(error)


def test_writes_whole_files_or_nothing(tmp_path: Path) -> None:
    instance = Instance(10, [2], [3])
    with pytest.raises(InputError, match="cannot be written: No such folder"):
        write_instance(tmp_path / "missing" / "file", instance)
    with pytest.raises(InputError, match="cannot be written: Is a directory"):
        write_instance(tmp_path, instance)
    write_instance(tmp_path / "file", instance)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_find_instances(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no .json or .json.gz file"):
        find_instances(tmp_path)
    (tmp_path / "b.json").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.json").touch()
    (tmp_path / "c.txt").touch()
    assert [p.name for p in find_instances(tmp_path)] == ["b.json", "a.json"]
    assert find_instances(tmp_path / "any") == [tmp_path / "any"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    link.symlink_to(target)
    write_instance(link, INSTANCE)
    assert link.is_symlink()
    assert read_instance(target) == INSTANCE
    open_file = tmp_path / "open.json"
    with open_file.open("w") as file:
        write_instance(Path(f"/proc/self/fd/{file.fileno()}"), INSTANCE)
    assert read_instance(open_file) == INSTANCE


def test_hidden_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "x.json").write_text("{}")
    write_instance(tmp_path / "a.json", INSTANCE)
    assert find_instances(tmp_path) == [tmp_path / "a.json"]


def test_paths_are_str_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_instance("a.json", INSTANCE)
    assert read_instance("a.json") == read_any("a.json") == INSTANCE
    assert find_instances(".") == [Path("a.json")]
    write_schedule("b.json", Schedule.from_starts(INSTANCE, [0, 3, 6]))
    assert read_schedule("b.json") == read_schedule(tmp_path / "b.json")
    write_bytes("c.bin", b"\x00")
    assert Path("c.bin").read_bytes() == b"\x00"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: read_instance(5), r"path: must be a str or a Path, got 5 \(int\)"),
        (lambda: read_schedule(None), r"path: must be a str or a Path, got None \(NoneType\)"),
        (lambda: read_any(b"x"), r"path: must be a str or a Path, got b'x' \(bytes\)"),
        (lambda: write_bytes(INSTANCE, b""), r"path: must be a str or a Path, got .* \(Instance\)"),
        (
            lambda: write_instance(INSTANCE, "a.json"),
            r"write_instance\(path, instance\): .* got .*\(Instance\), then 'a.json' \(str\)",
        ),
        (
            lambda: write_instance("a.json", SCHEDULE),
            r"write_instance\(path, instance\): .* got 'a.json' \(str\), then .* \(dict\)",
        ),
        (
            lambda: write_schedule("a.json", INSTANCE),
            r"write_schedule\(path, schedule\): .* \(str\), then .* \(Instance\)",
        ),
    ],
)
def test_a_wrong_type_is_a_type_error_that_says_what_is_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[], object], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("release", "message"),
    [
        (-1, r"requests\[1\].release: must be an integer from 0 to .* got -1"),
        (0.0, r"requests\[1\].release: must be an integer from 0 to .* got 0.0"),
        (2.5, r"requests\[1\].release: must be an integer from 0 to .* got 2.5"),
        (None, r"requests\[1\].release: must be an integer from 0 to .* got None"),
        (True, r"requests\[1\].release: must be an integer from 0 to .* got True"),
        (
            10**15 + 1,
            r"requests\[1\].release: must be an integer from 0 to .* got 1000000000000001",
        ),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_refuses_bad_releases(file: Path, version: int, release: Any, message: str) -> None:
    content = {**json.loads(request(release=release)), "format": f"kvopt-instance/{version}"}
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"file.json: {message}") as error:
        read_instance(file)
    assert "\n" not in str(error.value)


def test_a_release_above_0_needs_the_second_format(file: Path) -> None:
    file.write_text(request(release=3))
    with pytest.raises(
        InputError, match=r"requests\[1\].release: must be 0 in .*/1', got 3; .*/2'"
    ):
        read_instance(file)
    content = {**json.loads(request(release=3)), "format": "kvopt-instance/2"}
    file.write_text(json.dumps(content))
    instance = read_instance(file)
    assert instance.releases.tolist() == [0, 3]
    write_instance(file, instance)
    assert json.loads(file.read_text()) == content
    assert read_instance(file) == instance
    write_schedule(file, Schedule.from_starts(instance, [0, 3]))
    assert read_schedule(file).instance == instance


def test_a_release_of_0_is_as_none(file: Path) -> None:
    file.write_text(request(release=0))
    instance = read_instance(file)
    file.write_text(request())
    assert instance == read_instance(file)
    write_instance(file, instance)
    assert "release" not in file.read_text()


def test_bytes_are_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.png"
    write_bytes(file, b"good")
    for failing in ("os.fdopen", "os.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(failing, full_disk)
            with pytest.raises(InputError, match="x.png: cannot be written: No space left"):
                write_bytes(file, b"other")
        assert file.read_bytes() == b"good"
        assert [f.name for f in tmp_path.iterdir()] == ["x.png"]


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_arrival_times_survive_files(tmp_path: Path) -> None:
    times = [0, 0, 1, 999_999_999_999_999, 10**15, 4_314_584]
    instance = Instance(10, [2] * 6, [3] * 6).with_arrivals(times)
    write_instance(tmp_path / "a.json", instance)
    text = (tmp_path / "a.json").read_text()
    assert '"format": "kvopt-instance/2"' in text
    assert '{"prompt": 2, "output": 3, "count": 2, "arrival_ms": 0}' in text
    assert '"arrival_ms": 4314.584}' in text
    assert read_instance(tmp_path / "a.json") == instance


def test_requests_without_an_arrival_time_arrive_at_0(tmp_path: Path) -> None:
    rows = (
        '[{"prompt": 1, "output": 1}, {"prompt": 1, "output": 2, "arrival_ms": 2.50, "count": 2}]'
    )
    text = f'{{"format": "kvopt-instance/2", "memory": 9, "requests": {rows}}}'
    (tmp_path / "a.json").write_text(text)
    assert read_instance(tmp_path / "a.json").arrivals.tolist() == [0, 2500, 2500]
    (tmp_path / "a.json").write_text(text.replace("instance/2", "instance/1"))
    with pytest.raises(
        InputError, match=r"requests\[1\].arrival_ms: must be in a file of format .kvopt-instance/2"
    ):
        read_instance(tmp_path / "a.json")


@pytest.mark.parametrize("time", ["-1", "0.0001", "true", '"3"', "1e13", "null", "-0.0005"])
def test_unacceptable_arrival_times(tmp_path: Path, time: str) -> None:
    rows = f'[{{"prompt": 1, "output": 1, "arrival_ms": {time}}}]'
    (tmp_path / "a.json").write_text(
        f'{{"format": "kvopt-instance/2", "memory": 9, "requests": {rows}}}'
    )
    with pytest.raises(InputError, match=r"requests\[0\].arrival_ms: must be a number from 0 to"):
        read_instance(tmp_path / "a.json")


def test_schedules_go_on_after_the_latest_release(tmp_path: Path) -> None:
    schedule = simulate(Instance(4, [1, 1], [3, 3], releases=[10**15, 10**15]), "fcfs")
    write_schedule(tmp_path / "late.json", schedule)
    assert list(read_schedule(tmp_path / "late.json")) == list(schedule)
