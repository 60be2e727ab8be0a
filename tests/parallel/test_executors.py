"""Executors: the same result everywhere, and nothing is lost when a worker dies."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvopt import InputError, Stopping
from kvopt.adversary import Limits, SearchConfiguration, search
from kvopt.adversary.store import Store
from kvopt.model.errors import WorkerError
from kvopt.parallel import executors as executors_module
from kvopt.parallel.executors import Workers, workers_from_spec

CELLS = SearchConfiguration(
    "fcfs", "mc-sf", Limits(requests=3, memory=5), seed=0, method="exhaustive"
)
LONG = SearchConfiguration("gsa", "mc-sf", Limits(200, 2000), seed=0)
"""A unit of it takes minutes."""

search_module = importlib.import_module("kvopt.adversary.run")

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="distributed is not installed"
)


def test_same_units_whatever_the_executor() -> None:
    here = search(CELLS, Stopping())
    with ThreadPoolExecutor(3) as threads:
        assert here == search(CELLS, Stopping(), workers=Workers(threads, 3))
    with workers_from_spec("local") as workers:
        assert here == search(CELLS, Stopping(), workers=workers)
    with workers_from_spec("processes=2") as workers:
        assert here == search(CELLS, Stopping(), workers=workers)


@pytest.mark.parametrize(
    "spec",
    [
        *("", "threads", "processes", "processes=0", "processes=x"),
        *("dask", "dask=", "dask=x", "dask=x:", "dask=foo://x:1", "dask=x:123456", "dask=:1"),
    ],
)
def test_refuses_unknown_executors(spec: str) -> None:
    with pytest.raises(InputError, match="executor: ") as caught, workers_from_spec(spec):
        pass
    assert "\n" not in str(caught.value)


def test_what_is_not_needed_is_not_loaded() -> None:
    code = (
        "import sys, kvopt.cli, kvopt.adversary.store, kvopt.parallel.executors, kvopt.adversary\n"
    )
    code += "with kvopt.parallel.executors.workers_from_spec('local'): print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"numba", "dask", "distributed"} & set(loaded)


# Processes.


def test_a_process_that_dies_is_replaced_and_takes_no_other_with_it() -> None:
    with workers_from_spec("processes=2") as workers:
        assert workers.executor is not None
        first = workers.executor.submit(os.getpid).result()
        assert workers.executor.submit(os.getpid).result() == first != os.getpid()
        dies = workers.executor.submit(time.sleep, 60)
        lives = workers.executor.submit(pow, 2, 10)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(BrokenExecutor):
            dies.result()
        assert lives.result() == 1024
        pid = workers.executor.submit(os.getpid).result()
        os.kill(pid, signal.SIGKILL)  # while it has nothing to do
        time.sleep(0.5)
        assert workers.executor.submit(os.getpid).result() not in (first, pid)


KILLER = """
import os
from pathlib import Path
from kvopt import FCFS

class Killer(FCFS):
    name = "killer"

    def run(self, *arguments, **more):
        deaths = Path({path!r})
        if len(deaths.read_text()) < {times}:
            deaths.write_text(deaths.read_text() + "x")
            os.kill(os.getpid(), 9)
        return super().run(*arguments, **more)
"""


def killer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> tuple[SearchConfiguration, Path]:
    """Return a hunt whose units kill their worker so many times, and the list of deaths."""
    module, deaths = f"killer{times}", folder / "deaths"
    deaths.touch()
    (folder / f"{module}.py").write_text(KILLER.format(path=str(deaths), times=times))
    monkeypatch.syspath_prepend(folder)
    return SearchConfiguration(f"{module}:Killer", "mc-sf", Limits(2, 3), 0, "exhaustive"), deaths


@pytest.mark.parametrize(("times", "records"), [(2, True), (3, False)])
def test_a_unit_whose_worker_dies_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, records: bool
) -> None:
    configuration, deaths = killer(tmp_path, monkeypatch, times)
    store = Store(tmp_path / "finds.db")
    with workers_from_spec("processes=1") as workers, store.ledger(configuration) as ledger:
        if records:
            units = search(configuration, Stopping(), workers=workers, ledger=ledger)
            assert [unit.number for unit in units] == list(range(6))
            assert all(unit.complete for unit in units)
        else:
            with pytest.raises(WorkerError, match="unit 0: its worker died"):
                search(configuration, Stopping(), workers=workers, ledger=ledger)
    assert len(deaths.read_text()) == times


def test_a_worker_with_other_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with workers_from_spec("processes=1") as workers:
        monkeypatch.setattr(search_module, "code_version", lambda: "0.0+other")
        with pytest.raises(WorkerError, match=r"a worker has other code: .*, not 0.0\+other"):
            search(CELLS, Stopping(), workers=workers)


def test_an_error_does_not_wait_for_what_runs(tmp_path: Path) -> None:
    def on_unit(unit: object) -> None:
        raise InputError("the disk is full")

    began = time.monotonic()
    with workers_from_spec("processes=2") as workers:
        assert workers.executor is not None
        busy = workers.executor.submit(_sleeps_until_stopped)
        with pytest.raises(InputError, match="full"):
            search(CELLS, Stopping(), workers=workers, on_unit=on_unit)
        workers.stop()
        assert busy.result()
    assert time.monotonic() - began < 50


def _sleeps_until_stopped() -> bool:
    while not executors_module.stopped():
        time.sleep(0.05)
    return True


ORPHANS = """
import os, time
from kvopt.parallel.executors import workers_from_spec
if __name__ == "__main__":
    with workers_from_spec("processes=2") as workers:
        futures = [workers.executor.submit(os.getpid) for _ in range(2)]
        print(*(future.result() for future in futures), flush=True)
        workers.executor.submit(time.sleep, 600)
        time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(ORPHANS)
    process = subprocess.Popen([sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE)
    assert process.stdout
    workers = process.stdout.readline().decode().split()
    assert len(set(workers)) == 2
    process.kill()
    process.communicate()
    end = time.monotonic() + 20
    while any(_alive(pid) for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.05)


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# Dask.


@needs_dask
def test_a_scheduler_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors_module, "CONNECT_SECONDS", 0.3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    message = f"executor: dask={address}: cannot be reached: "
    with pytest.raises(InputError, match=message) as caught, workers_from_spec(f"dask={address}"):
        pass
    assert "\n" not in str(caught.value)


def test_dask_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(InputError, match=r"pip install 'kvopt\[dask\]'"),
        workers_from_spec("dask=x:1"),
    ):
        pass


class Cluster:
    """A Dask scheduler and two workers, each a process of one thread."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.scheduler = self._start("scheduler", "--host", self.address)
        self.workers = [
            self._start("worker", self.address, "--nthreads", "1", "--no-nanny") for _ in range(2)
        ]

    @staticmethod
    def _start(command: str, *arguments: str) -> subprocess.Popen[bytes]:
        module = f"distributed.cli.dask_{command}"
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments, "--no-dashboard"],
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Provide a cluster once its workers are there."""
    made = Cluster()
    try:
        end = time.monotonic() + 60
        while True:
            try:
                with workers_from_spec(f"dask={made.address}") as workers:
                    if workers.places() == 2:
                        break
            except InputError:
                pass
            assert time.monotonic() < end
            time.sleep(0.2)
        yield made
    finally:
        made.close()


@needs_dask
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask_finds_the_same_though_a_worker_is_killed(tmp_path: Path) -> None:
    from distributed import LocalCluster

    configuration = SearchConfiguration("fcfs", "mc-sf", Limits(4, 7), 0, "exhaustive")
    whole = search(configuration, Stopping())
    store = Store(tmp_path / "finds.db")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        workers_from_spec(f"dask={local.scheduler_address}") as workers,
        store.ledger(configuration) as ledger,
    ):
        assert workers.places() == 2
        assert workers.executor is not None
        pids = {workers.executor.submit(os.getpid).result() for _ in range(20)}
        ran = []

        def on_unit(unit: object) -> None:
            ran.append(unit)
            if len(ran) == 5:
                os.kill(min(pids), signal.SIGKILL)

        assert (
            search(configuration, Stopping(), workers=workers, ledger=ledger, on_unit=on_unit)
            == whole
        )
        assert len(ran) == len(whole)
    assert store.units(configuration) == whole


@needs_dask
@pytest.mark.slow
def test_interrupting_cancels_what_runs_on_dask() -> None:
    with cluster() as made, workers_from_spec(f"dask={made.address}") as workers:
        assert workers.executor is not None
        stop = Stopping()
        threading.Timer(5, stop.interrupt).start()
        began = time.monotonic()
        assert all(unit.complete for unit in search(LONG, stop, workers=workers))
        assert time.monotonic() - began < 10
        # Both workers are free again.
        futures = [workers.executor.submit(time.sleep, 0.5) for _ in range(2)]
        for future in futures:
            future.result(timeout=20)


@needs_dask
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_dies_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(executors_module, "ANSWER_SECONDS", 3)
    with cluster() as made:
        threading.Timer(5, made.scheduler.kill).start()
        began = time.monotonic()
        with (
            pytest.raises(WorkerError, match=r"scheduler tcp://.* is gone"),
            workers_from_spec(f"dask={made.address}") as workers,
        ):
            search(LONG, Stopping(), workers=workers)
        assert time.monotonic() - began < 30
    assert "Traceback" not in capfd.readouterr().err


@needs_dask
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_unit_that_kills_dask_workers_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import LocalCluster

    configuration, deaths = killer(tmp_path, monkeypatch, times=99)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        workers_from_spec(f"dask={local.scheduler_address}") as workers,
        pytest.raises(WorkerError, match=r"unit \d: its worker died"),
    ):
        search(configuration, Stopping(120), workers=workers)
    assert len(deaths.read_text()) > 2
