"""The store: nothing finished is lost or repeated."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from store_contents import CANDIDATE, CONFIGURATION, UNIT, shell

import kvopt
from kvopt import Stopping, read_instance
from kvopt.adversary import Candidate, Limits, Record, SearchConfiguration, WorkUnit, search
from kvopt.adversary.progress import Progress, progress_text
from kvopt.adversary.store import Store
from kvopt.parallel import code_version as sources_module
from kvopt.parallel import store as store_module
from kvopt.parallel.code_version import NO_MATTER, code_version
from kvopt.parallel.executors import Workers

ROOT = Path(__file__).parent.parent.parent
CELLS = SearchConfiguration(
    "fcfs", "mc-sf", Limits(requests=3, memory=5), seed=0, method="exhaustive"
)


def test_a_store_gives_back_what_it_got(tmp_path: Path) -> None:
    store = Store(tmp_path / "finds.db", "1.0")
    assert store.units(CONFIGURATION) == []
    store.add(CONFIGURATION, UNIT)
    huge = Record(2, 0, 3 * 10**30, 10**30, Candidate(10**9, ((1, 10**8, 10**15),)))
    other = WorkUnit(2, 1, (huge,), complete=True)
    store.add(CONFIGURATION, other)
    store.add(CONFIGURATION, replace(UNIT, records=()))  # is there already
    again = Store(tmp_path / "finds.db", "1.0")
    assert again.units(CONFIGURATION) == [UNIT, other]
    assert again.units(CONFIGURATION, [2, 7]) == [other]
    assert again.units(CONFIGURATION, []) == []
    with pytest.raises(ValueError, match="unit 3 was cut short"):
        store.add(CONFIGURATION, WorkUnit(3, 1, (), complete=False))


def test_a_person_can_ask_a_store(tmp_path: Path) -> None:
    file = tmp_path / "finds.db"
    Store(file, "1.0").add(CONFIGURATION, UNIT)
    query = "SELECT policy, against, method, seed, unit, evaluation, ratio, ratio_real FROM "
    row = ("gsa:alpha=2", None, "local", 3, 0)
    assert shell(file, query + "found") == [(*row, 4, "3/2", 1.5), (*row, 5, "5/2", 2.5)]
    assert shell(file, query + "worst") == [(*row, 5, "5/2", 2.5)]
    ((text,),) = shell(file, "SELECT instance FROM worst")
    (tmp_path / "worst.json").write_text(str(text))
    assert read_instance(tmp_path / "worst.json") == CANDIDATE.instance()


def test_a_store_written_before_is_read(tmp_path: Path) -> None:
    """The file format stays: this one was written when the tables were made first."""
    file = tmp_path / "finds.db"
    with closing(sqlite3.connect(file)) as db:
        db.executescript((Path(__file__).parent / "store_version_2.sql").read_text())
    store = Store(file, "1.0")
    huge = Record(2, 0, 3 * 10**30, 10**30, Candidate(10**9, ((1, 10**8, 10**15),)))
    assert store.units(CONFIGURATION) == [UNIT, WorkUnit(2, 1, (huge,), complete=True)]
    other = SearchConfiguration("fcfs", "mc-sf", Limits(3, 5, True), 2**70, "exhaustive")
    assert store.units(other) == [WorkUnit(7, 3, (), complete=True)]
    bracket, optimal = store.verified(CONFIGURATION)
    assert (bracket.lower_bound, bracket.upper_bound, bracket.seconds) == (20, 25, 1.5)
    assert (optimal.status, optimal.starts) == ("optimal", (0, 1, 2, 3))
    tables = "SELECT name, sql FROM sqlite_master ORDER BY name"
    new = Store(tmp_path / "new.db", "1.0")
    new.add(CONFIGURATION, UNIT)
    assert shell(new.path, tables) == shell(file, tables)
    rows = "SELECT * FROM hunt WHERE seed = 3"
    assert shell(new.path, rows) == shell(file, rows)


def test_a_store_keeps_brackets(tmp_path: Path) -> None:
    file = tmp_path / "finds.db"
    store = Store(file, "1.0")
    store.add_verified(CONFIGURATION, CANDIDATE, 20, 25, 100, seconds=1.5)
    store.add_verified(CONFIGURATION, CANDIDATE, 20, 25, 100, seconds=9)  # nothing new
    store.add_verified(CONFIGURATION, CANDIDATE, 24, 24, 100, starts=[0, 1, 2, 3])
    bracket, optimal = Store(file, "1.0").verified(CONFIGURATION)
    assert (bracket.status, bracket.ratio_low, bracket.ratio_high) == ("bracket", 4, 5)
    assert (bracket.candidate, bracket.seconds, bracket.starts) == (CANDIDATE, 1.5, None)
    assert (optimal.status, optimal.ratio_low) == ("optimal", Fraction(25, 6))
    assert optimal.starts == (0, 1, 2, 3)
    assert store.verified(replace(CONFIGURATION, seed=4)) == []
    query = "SELECT policy, status, ratio_low, ratio_high, version FROM proved"
    assert shell(file, query)[0] == ("gsa:alpha=2", "bracket", "4/1", "5/1", "1.0")
    for lower, upper in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="is no bracket"):
            store.add_verified(CONFIGURATION, CANDIDATE, lower, upper, 100)


def test_store_keeps_searches_apart(tmp_path: Path) -> None:
    store = Store(tmp_path / "finds.db", "1.0")
    store.add(CONFIGURATION, UNIT)
    for other in (
        replace(CONFIGURATION, policy="gsa"),
        replace(CONFIGURATION, against="fcfs"),
        replace(CONFIGURATION, limits=Limits(7, 12)),
        replace(CONFIGURATION, limits=Limits(6, 12, mixed=True)),
        replace(CONFIGURATION, seed=4),
        replace(CONFIGURATION, method="exhaustive"),
        replace(CONFIGURATION, exact=True),
    ):
        assert store.units(other) == []
    assert Store(tmp_path / "finds.db", "2.0").units(CONFIGURATION) == []
    assert Store(tmp_path / "finds.db").units(CONFIGURATION) == []
    assert store.units(CONFIGURATION) == [UNIT]


def test_the_code_version_knows_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = []
    for code in ("a = 1", "a = 2"):
        (tmp_path / "policies").mkdir(exist_ok=True)
        (tmp_path / "policies" / "own.py").write_text(code)
        (tmp_path / "store.py").write_text(code)
        monkeypatch.setattr(sources_module.resources, "files", lambda package: tmp_path)
        versions.append(code_version.__wrapped__())
        (tmp_path / "cli").mkdir(exist_ok=True)
        (tmp_path / "cli/store.py").write_text("something else")
        assert code_version.__wrapped__() == versions[-1]
    assert versions[0] != versions[1]
    assert all(version.startswith(f"{kvopt.__version__}+") for version in versions)


def test_no_search_depends_on_what_does_not_count() -> None:
    code = "import sys; sys.modules['kvopt'] = type(sys)('kvopt')\n"  # not the public names
    code += f"sys.modules['kvopt'].__path__ = [{str(ROOT / 'kvopt')!r}]\n"
    code += "sys.modules['kvopt'].__version__ = ''\n"
    files = [
        p
        for p in (ROOT / "kvopt/adversary").glob("[a-z]*.py")
        if f"adversary/{p.name}" not in NO_MATTER
    ]
    code += "".join(f"import kvopt.adversary.{p.stem}\n" for p in files)
    code += "print(*(m for m in sys.modules if m.startswith('kvopt.')))"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "kvopt.policies.gsa" in loaded
    paths = {module.removeprefix("kvopt.").replace(".", "/") for module in loaded}
    matter_not = {name.removesuffix(".py") for name in NO_MATTER}
    # Units are run by executors, which do not change what they find.
    assert not {p for p in paths if {p, p.split("/")[0]} & matter_not and "parallel" not in p}


def test_store_resumes_without_repeating(tmp_path: Path) -> None:
    whole = search(CELLS, Stopping())
    store = Store(tmp_path / "finds.db")
    ran: list[int] = []
    for units in (4, None):
        with store.ledger(CELLS) as ledger:
            on_unit: Callable[[WorkUnit], None] = lambda unit: ran.append(unit.number)  # noqa: E731
            found = search(CELLS, Stopping(), units=units, ledger=ledger, on_unit=on_unit)
        assert found == whole[:units] == store.units(CELLS)
    assert ran == list(range(len(whole)))
    done = store.units(CELLS)  # without a ledger, too
    assert search(CELLS, Stopping(), done=done, on_unit=lambda unit: ran.append(-1)) == whole
    assert -1 not in ran
    assert shell(store.path, "SELECT * FROM claim") == []


# Killed at any moment.

SCRIPT = """
import os, sys
from pathlib import Path

from kvopt import Stopping
from kvopt.adversary import Limits, SearchConfiguration
from kvopt.adversary import prepare, search
from kvopt.adversary import run as _
from kvopt.adversary.store import Store

module = sys.modules["kvopt.adversary.run"]
run_unit = module.run_unit
log = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def logged(configuration, number, budget):
    os.write(log, b"begin %d %d\\n" % (number, os.getpid()))
    return run_unit(configuration, number, budget)

module.run_unit = logged
configuration = SearchConfiguration("fcfs", "mc-sf", Limits(3, 5), 0, "exhaustive")
prepare(configuration)  # takes seconds, the first time
while True:
    if os.read(0, 1) != b"x":
        break
    if (child := os.fork()) == 0:
        with Store(Path("finds.db")).ledger(configuration) as ledger:
            search(configuration, Stopping(), ledger=ledger)
        os._exit(0)
    os.write(1, b"%d\\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"over\\n")
"""


class Searches:
    """Starts processes that search, fast: they are forked from one that has loaded kvopt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(self) -> int:
        """Start a search and return its process."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(b"x")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def kill(self, process: int, begun: int, seconds: float) -> None:
        """Kill the search that was started last some time after it has begun so many units."""
        most = len(self.begun()) + begun
        while len(self.begun()) < most and Path(f"/proc/{process}").exists():
            time.sleep(0.001)
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        """Wait for the end of the search that was started last."""
        assert self.process.stdout
        assert self.process.stdout.readline() == b"over\n"

    def close(self) -> None:
        """End the process they are forked from, after the last of them."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0
        self.process.stdout.close()

    def begun(self) -> list[int]:
        """Return the numbers of the units that were begun, in order."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [int(line.split()[1]) for line in lines]


def kill_again_and_again(folder: Path, kills: int) -> None:
    """Kill searches at random moments; nothing that is complete may be lost or repeated."""
    whole = {unit.number: unit for unit in search(CELLS, Stopping())}
    rng = random.Random(kills)
    searches = Searches(folder)
    stored: dict[int, WorkUnit] = {}
    killed_at = set()
    for _ in range(kills):
        before = len(searches.begun())
        searches.kill(searches.start(), rng.randrange(5), rng.uniform(0, 0.02))
        repeated = stored.keys() & set(searches.begun()[before:])
        assert not repeated
        if (folder / "finds.db").exists():
            units = {unit.number: unit for unit in Store(folder / "finds.db").units(CELLS)}
            assert stored.items() <= units.items() <= whole.items()
            killed_at.add(len(units))
            stored = units
        if len(stored) == len(whole):  # start afresh
            (folder / "finds.db").unlink()
            stored = {}
    searches.start()
    searches.wait()
    searches.close()
    assert {u.number: u for u in Store(folder / "finds.db").units(CELLS)} == whole
    assert len(killed_at) > 2  # at different stages


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
def test_killed_at_any_moment_it_resumes(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, 8)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
def test_killed_at_fifty_moments_it_resumes(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, 50)


@pytest.mark.slow
def test_the_command_is_killed_and_resumes(tmp_path: Path) -> None:
    arguments = ["--policy", "fcfs", "--against", "mc-sf", "--method", "exhaustive"]
    arguments += ["--requests", "4", "--memory", "7", "--json"]

    def start(*more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "kvopt", "search", *arguments, *more],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )

    began = time.monotonic()
    whole = json.loads(start().communicate()[0])
    seconds = time.monotonic() - began
    rng = random.Random(1)
    file = tmp_path / "finds.db"
    rows: set[tuple[object, ...]] = set()
    for turn in range(12):
        executor = ("local", "processes=2")[turn % 2]
        process = start("--store", file.name, "--executor", executor)
        time.sleep(rng.uniform(0.3, 1) * seconds)
        process.kill()
        process.communicate()
        if file.exists():
            Store(file)
            now = set(shell(file, "SELECT * FROM unit"))
            assert rows <= now
            rows = now
    assert rows
    resumed = json.loads(start("--store", file.name).communicate()[0])
    assert resumed["from_store"] > 0
    assert {**resumed, "from_store": 0} == whole


# Several processes.


def test_two_processes_share_the_work(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "finds.db").symlink_to(tmp_path / "a" / "finds.db")
    both = [Searches(tmp_path / name) for name in "ab"]
    for searches in both:
        searches.start()
    for searches in both:
        searches.wait()
        searches.close()
    begun = Counter(number for searches in both for number in searches.begun())
    whole = search(CELLS, Stopping())
    assert begun == Counter(range(len(whole)))
    assert Store(tmp_path / "a" / "finds.db").units(CELLS) == whole


def test_threads_may_share_a_store(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "finds.db", "1.0") for _ in range(2)]
    with ThreadPoolExecutor(8) as threads:
        futures = [
            threads.submit(stores[k % 2].add, CONFIGURATION, WorkUnit(k // 2, 1, (), complete=True))
            for k in range(60)
        ]
        for future in futures:
            future.result()
    assert [unit.number for unit in stores[0].units(CONFIGURATION)] == list(range(30))


def test_a_claim_holds_until_its_unit_is_complete_or_its_process_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "finds.db", "1.0")
    with store.ledger(CONFIGURATION) as ours, store.ledger(CONFIGURATION) as others:
        assert others.claim(0)
        assert others.claim(0)
        assert not ours.claim(0)
        others.give_up([0])
        assert ours.claim(0)
        ours.add(UNIT)
        assert not ours.claim(0)
        assert not others.claim(0)
        assert others.units([0, 1]) == [UNIT]

        assert others.claim(1)
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        for change, holds in (
            (f"process = {dead.pid}", False),
            ("started = '1'", False),  # another process had that number
            (f"process = {dead.pid}, host = 'elsewhere'", True),
            ("renewed = renewed - 1000", False),
            ("renewed = renewed + 1000", False),  # a clock was wrong
        ):
            assert others.claim(1)
            shell(store.path, f"UPDATE claim SET {change}")
            assert ours.claim(1) is not holds, change
            ours.give_up()
            others.give_up()

        assert others.claim(1)
        shell(store.path, "UPDATE claim SET renewed = 0")
        others.renew()
        assert not ours.claim(1)
    assert shell(store.path, "SELECT * FROM claim") == []

    monkeypatch.setattr(store_module, "CLAIM_SECONDS", 0.2)
    with store.ledger(CONFIGURATION) as ours, store.ledger(CONFIGURATION) as others:
        assert others.claim(1)
        time.sleep(0.5)
        assert not ours.claim(1)  # it is renewed in the background


@pytest.mark.parametrize("executor", [False, True])
@pytest.mark.parametrize("finishes", [False, True])
def test_a_search_waits_for_what_others_are_at(
    tmp_path: Path, executor: bool, finishes: bool
) -> None:
    whole = search(CELLS, Stopping())
    store = Store(tmp_path / "finds.db")
    ran: list[int] = []
    with (
        store.ledger(CELLS) as ours,
        store.ledger(CELLS) as others,
        ThreadPoolExecutor(3) as threads,
    ):
        assert others.claim(2)
        found = threads.submit(
            search,
            CELLS,
            Stopping(60),
            ledger=ours,
            workers=Workers(threads, 2) if executor else None,
            on_unit=lambda unit: ran.append(unit.number),
        )
        while len(store.units(CELLS)) < len(whole) - 1:
            time.sleep(0.05)
        assert not found.done()
        if finishes:
            others.add(whole[2])
        else:
            others.give_up()
        assert found.result() == whole
        assert (2 in ran) is not finishes


# What is no store, or cannot be used.


def test_progress_in_a_line() -> None:
    stop = Stopping(600)
    progress = Progress(10, [UNIT], stop)
    assert str(progress).startswith("1 of 10 units, worst 2.5000, 10 min left")
    progress.add(WorkUnit(1, 2000, (Record(1, 0, 4, 1, CANDIDATE),), complete=True))
    text = str(progress)
    assert text.startswith("2 of 10 units, ")
    assert "instances/s, worst 4.0000, 0 s left" in text
    stop.interrupt()
    assert str(Progress(None, [], stop)) == "0 units, 0 s left"
    text = progress_text(5, 8, None, run=2, evaluations=3000, seconds=200, budget_left=1e9)
    assert text == "5 of 8 units, 15 instances/s, 5 min left"


def test_units_are_json_of_instances(tmp_path: Path) -> None:
    store = Store(tmp_path / "finds.db", "1.0")
    store.add(CONFIGURATION, UNIT)
    ((text,),) = shell(store.path, "SELECT DISTINCT instance FROM find")
    assert json.loads(str(text))["requests"][0] == {"prompt": 1, "output": 2, "count": 3}
