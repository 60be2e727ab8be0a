"""A store that cannot be used, or is none, is refused with one line and stays as it is."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from store_contents import CONFIGURATION, UNIT, shell

from kvopt import InputError
from kvopt.adversary import WorkUnit
from kvopt.adversary.store import Store


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
