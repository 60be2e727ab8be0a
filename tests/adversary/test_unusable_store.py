"""A store that cannot be used, or is none, is refused with one line and stays as it is."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from store_contents import CANDIDATE, CONFIGURATION, UNIT, shell

from kvopt import InputError
from kvopt.adversary import Candidate, Record, WorkUnit
from kvopt.adversary.score import check_costs, cost_function
from kvopt.adversary.store import Store
from kvopt.policies import policy_from_spec


def snapshot(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("journal", ["", "-journal", "-wal"])
def test_store_refuses_what_is_damaged_and_leaves_it_untouched(
    tmp_path: Path, journal: str
) -> None:
    file = tmp_path / "finds.db"
    store = Store(file, "1.0")
    for number in range(60):
        store.add(CONFIGURATION, replace(UNIT, number=number, records=UNIT.records * 3))
    good = file.read_bytes()
    assert len(good) > 3 * 4096
    wal = bytearray(good)
    wal[18:20] = b"\2\2"
    middle = len(good) // 2
    for bad in (
        b"garbage" * 1000,
        good[:1500],
        good[:4096],
        good[:100] + b"\xff" * (len(good) - 100),
        good[:middle] + b"\xff" * 4096 + good[middle + 4096 :],
        bytes(wal[:5000]),
    ):
        file.write_bytes(bad)
        if journal:
            (tmp_path / f"finds.db{journal}").write_bytes(b"\xd9\xd5\x05\xf9" + bytes(range(200)))
        before = snapshot(tmp_path)
        with pytest.raises(InputError, match="finds.db: ") as caught:
            Store(file, "1.0")
        assert "\n" not in str(caught.value)
        assert snapshot(tmp_path) == before


def test_a_journal_of_a_killed_process_is_used(tmp_path: Path) -> None:
    file = tmp_path / "finds.db"
    Store(file, "1.0").add(CONFIGURATION, UNIT)
    code = (
        "import os, sqlite3; db = sqlite3.connect('finds.db', isolation_level=None);"
        "db.execute('PRAGMA cache_size = 1'); db.execute('BEGIN IMMEDIATE');"
        "db.execute('DELETE FROM find');"
        "db.execute('CREATE TABLE x AS WITH RECURSIVE c(n) AS"
        " (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 99999) SELECT n FROM c');"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert (tmp_path / "finds.db-journal").stat().st_size > 0
    before = snapshot(tmp_path)
    assert Store(file, "1.0").units(CONFIGURATION) == [UNIT]
    assert snapshot(tmp_path) != before


def test_store_refuses_what_is_none(tmp_path: Path) -> None:
    file = tmp_path / "finds.db"
    Store(file, "1.0").add(CONFIGURATION, UNIT)
    for version, message in (
        (99, "version: must be at most 2, got 99; it was made by a newer kvopt"),
        (1, "version: must be 2, got 1; it was made by an older kvopt, take another file"),
    ):
        shell(file, f"PRAGMA user_version = {version}")
        other = file.read_bytes()
        with pytest.raises(InputError, match=message):
            Store(file, "1.0")
        assert file.read_bytes() == other
    foreign = tmp_path / "other.db"
    shell(foreign, "CREATE TABLE unit (x)")
    with pytest.raises(InputError, match="is a database, but not a store of kvopt"):
        Store(foreign, "1.0")
    for path, message in (
        (tmp_path / "missing" / "finds.db", "no such folder"),
        (tmp_path, "cannot be used: not a file"),
        (foreign / "finds.db", "no such folder"),
        (tmp_path / ("x" * 300), "cannot be used: "),
    ):
        with pytest.raises(InputError, match=message):
            Store(path, "1.0")
    (tmp_path / "empty.db").touch()  # what is left of a process killed early
    assert Store(tmp_path / "empty.db", "1.0").units(CONFIGURATION) == []


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM find WHERE position = 1",
        "UPDATE find SET ratio = '7/2' WHERE position = 1",
        "UPDATE find SET reference = 0",
        "UPDATE find SET cost = 'x'",
        "UPDATE find SET instance = '[[1'",
        "UPDATE find SET instance = '{}'",
        "UPDATE find SET instance = '[]'",
        "UPDATE find SET instance = 'null'",
        "UPDATE unit SET finds = 1",
        "DELETE FROM unit",
    ],
)
def test_store_reports_unreadable_units(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "finds.db"
    store = Store(file, "1.0")
    store.add(CONFIGURATION, UNIT)
    shell(file, damage)
    with pytest.raises(InputError, match="is damaged: a unit cannot be read"):
        store.units(CONFIGURATION)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the rights of an administrator, who may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("file_mode", "folder_mode"), [(0o444, 0o777), (0o666, 0o555), (0o000, 0o777), (0o666, 0o000)]
)
def test_a_store_that_cannot_be_written_to_is_refused_at_once(
    file_mode: int, folder_mode: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "folder"
        Path(name).chmod(0o755)
        folder.mkdir()
        file = folder / "finds.db"
        Store(file).add(CONFIGURATION, UNIT)
        before = snapshot(folder)
        file.chmod(file_mode)
        folder.chmod(folder_mode)
        try:
            with as_nobody(), pytest.raises(InputError, match="finds.db: cannot be ") as caught:
                Store(file)
            assert "\n" not in str(caught.value)
        finally:
            folder.chmod(0o755)
            file.chmod(0o644)
        assert snapshot(folder) == before


def test_a_full_disk_is_reported_and_nothing_is_lost(tmp_path: Path) -> None:
    store = Store(tmp_path / "finds.db", "1.0")
    store.add(CONFIGURATION, UNIT)
    size = store.path.stat().st_size
    many = WorkUnit(
        1, 1, tuple(replace(UNIT.records[0], unit=1) for _ in range(2000)), complete=True
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10_000, hard))  # as good as full
    try:
        with pytest.raises(InputError, match="finds.db: cannot be used: "):
            store.add(CONFIGURATION, many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert Store(store.path, "1.0").units(CONFIGURATION) == [UNIT]


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TRIGGER t AFTER INSERT ON unit BEGIN DELETE FROM find; END",
        'CREATE TRIGGER "\x1b[2J\n" AFTER INSERT ON unit BEGIN DELETE FROM find; END',
        "ALTER TABLE unit ADD COLUMN more",
        "DROP TABLE claim",
        "ALTER TABLE find RENAME TO lost",
    ],
)
def test_store_refuses_tables_that_are_not_its_own(tmp_path: Path, change: str) -> None:
    file = tmp_path / "finds.db"
    Store(file, "1.0").add(CONFIGURATION, UNIT)
    shell(file, change)
    before = file.read_bytes()
    with pytest.raises(InputError, match=r"finds.db: (must have no triggers|.* is different)") as e:
        Store(file, "1.0")
    assert str(e.value).isprintable()
    assert file.read_bytes() == before


def test_a_view_in_the_place_of_a_table_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "finds.db"
    Store(file, "1.0").add(CONFIGURATION, UNIT)
    shell(file, "ALTER TABLE unit RENAME TO units")
    shell(file, "CREATE VIEW unit AS SELECT * FROM units")
    with pytest.raises(InputError, match="table (unit|find) is different"):
        Store(file, "1.0")


@pytest.mark.parametrize(
    "change", ["process = '../self'", "renewed = 'now'", "renewed = 9e999", "process = -1"]
)
def test_a_claim_that_nobody_can_have_made_is_void(tmp_path: Path, change: str) -> None:
    file = tmp_path / "finds.db"
    store = Store(file, "1.0")
    with store.ledger(CONFIGURATION) as theirs, store.ledger(CONFIGURATION) as ours:
        assert theirs.claim(1)
        assert not ours.claim(1)
        shell(file, f"UPDATE claim SET {change}")
        assert ours.claim(1)


def test_whatever_byte_is_changed_a_store_is_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "finds.db"
    Store(file, "1.0").add(CONFIGURATION, UNIT)
    good = file.read_bytes()
    places = [i for i, byte in enumerate(good) if byte]
    rng = random.Random(1)
    refused = 0
    for _ in range(200):
        data = bytearray(good)
        data[rng.choice(places)] = rng.choice((0, 255, rng.randrange(256)))
        file.write_bytes(data)
        try:
            Store(file, "1.0").units(CONFIGURATION)
        except InputError as error:
            assert str(error).startswith(f"{file}: ")
            assert str(error).isprintable()
            refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    "instance",
    [
        '{"memory": 8.0, "requests": [{"prompt": 1, "output": 2, "count": 3}]}',
        '{"memory": true, "requests": [{"prompt": 1, "output": 2, "count": 3}]}',
        '{"memory": 8, "requests": [{"prompt": "1", "output": 2, "count": 3}]}',
        '{"memory": 8, "memory": 9, "requests": [{"prompt": 1, "output": 2, "count": 3}]}',
        '{"memory": 1e400, "requests": [{"prompt": 1, "output": 2, "count": 3}]}',
        '{"memory": NaN, "requests": [{"prompt": 1, "output": 2, "count": 3}]}',
        '{"memory": -0, "requests": [{"prompt": 1, "output": 2, "count": 3}]}',
        '{"memory": ' + "9" * 100_000 + ', "requests": []}',
        "[" * 100_000,
        "\\",
    ],
)
def test_store_reads_instances_strictly(tmp_path: Path, instance: str) -> None:
    file = tmp_path / "finds.db"
    store = Store(file, "1.0")
    store.add(CONFIGURATION, UNIT)
    shell(file, f"UPDATE find SET instance = '{instance}'")
    with pytest.raises(InputError, match="is damaged: a unit cannot be read"):
        store.units(CONFIGURATION)


MIXED = replace(CONFIGURATION, limits=replace(CONFIGURATION.limits, mixed=True))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Record(0, 0, 20, 10, CANDIDATE), "cost: must be "),
        (Record(0, 0, 10**40, 1, CANDIDATE), "cost: must be "),
        (Record(0, 0, 20, 1, Candidate(8, ((0, 9, 1),))), "within the limits"),
        (Record(0, 0, 20, 1, Candidate(8, ((0, 1, 10**15),))), "within the limits"),
    ],
)
def test_what_a_store_says_of_costs_is_computed_anew(found: Record, message: str) -> None:
    with pytest.raises(InputError, match=f"unit 0, instance 0: .*{message}"):
        check_costs(MIXED, [found])


def test_what_a_store_compares_to_is_no_less_than_a_bound() -> None:
    cost = cost_function(policy_from_spec(CONFIGURATION.policy))(CANDIDATE)
    check_costs(MIXED, [Record(0, 0, cost, cost, CANDIDATE)])
    for reference in (0, 1, cost + 1):
        with pytest.raises(InputError, match="reference: must be from "):
            check_costs(MIXED, [Record(0, 0, cost, reference, CANDIDATE)])
