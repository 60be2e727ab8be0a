"""Run the units of a search, here or on an executor.

Every unit of work depends on the hunt and its number alone.  So a search can be spread
over processes, stopped and resumed, and finds the same things.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait

from kvopt.adversary import exhaustive, families, local, quick, scan
from kvopt.adversary.hunt import Hunt, Unit
from kvopt.budget import Budget
from kvopt.errors import WorkerError
from kvopt.exact import kernel
from kvopt.executors import Workers, stopped

__all__ = ["number_of_units", "prepare", "run_unit", "search"]

RUN_UNIT: Mapping[str, Callable[[Hunt, int, Budget], Unit]] = {
    "local": local.run_unit,
    "exhaustive": exhaustive.run_unit,
    "families": families.run_unit,
}
"""How a unit is run, for each of `kvopt.adversary.hunt.METHODS`."""

POLL_SECONDS = 0.2
"""How often it is asked whether the work of other processes is to end."""


def run_unit(hunt: Hunt, number: int, budget: Budget) -> Unit:
    """Run one unit of a hunt by its method.

    Parameters
    ----------
    hunt
        What is searched for.
    number
        Number of the unit.
    budget
        When it is over, the unit is cut short.
    """
    return RUN_UNIT[hunt.method](hunt, number, budget)


def prepare(hunt: Hunt) -> None:
    """Load or compile what a hunt runs on, which may take half a minute the first time."""
    quick.compiled()
    if hunt.exact or hunt.method == "exhaustive":
        kernel.compiled()
        scan.compiled()


def number_of_units(hunt: Hunt) -> int | None:
    """Return how many units a hunt has, or None if it never ends."""
    if hunt.method == "exhaustive":
        return len(exhaustive.cells(hunt.limits))
    return families.number_of_units(hunt) if hunt.method == "families" else None


def search(
    hunt: Hunt,
    budget: Budget,
    *,
    units: int | None = None,
    done: Iterable[Unit] = (),
    on_unit: Callable[[Unit], None] = lambda unit: None,
    workers: Workers | None = None,
) -> list[Unit]:
    """Run restarts until the budget is over.

    Parameters
    ----------
    hunt
        What is searched for.
    budget
        How long it may go on.
    units
        Stop once the units 0, ..., units - 1 are complete; None for all there are.
    done
        Complete units of an earlier run of the same hunt; they are not run again.
    on_unit
        Called with every unit as it ends.
    workers
        Where to run units; None for this thread.

    Returns
    -------
    list of Unit
        All units, those of `done` included, by number.

    Raises
    ------
    PolicyError
        If a policy misbehaves.
    WorkerError
        If a worker process dies.
    """
    ended = {unit.number: unit for unit in done}
    most = number_of_units(hunt)
    if most is not None:
        units = most if units is None else min(units, most)
    numbers = (n for n in itertools.count() if n not in ended)
    todo = itertools.takewhile(lambda n: units is None or n < units, numbers)
    run = (
        _runs_on(hunt, budget, workers)
        if workers and workers.executor
        else _runs_here(hunt, budget)
    )
    for unit in run(todo):
        ended[unit.number] = unit
        on_unit(unit)
    return [ended[number] for number in sorted(ended)]


Run = Callable[[Iterator[int]], Iterator[Unit]]


def _runs_here(hunt: Hunt, budget: Budget) -> Run:
    def run(numbers: Iterator[int]) -> Iterator[Unit]:
        while not budget.over() and (number := next(numbers, None)) is not None:
            yield run_unit(hunt, number, budget)

    return run


def _runs_on(hunt: Hunt, budget: Budget, workers: Workers) -> Run:
    def run(numbers: Iterator[int]) -> Iterator[Unit]:
        assert workers.executor is not None
        running: set[Future[Unit]] = set()
        while True:
            while len(running) < workers.count and not budget.over():
                if (number := next(numbers, None)) is None:
                    break
                running.add(workers.executor.submit(_run_unit_for, hunt, number, budget.left()))
            if not running:
                return
            if budget.interrupted:
                workers.stop()
            ended, running = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in ended:
                try:
                    yield future.result()
                except BrokenExecutor:
                    raise WorkerError("a worker process died; what was stored is safe") from None

    return run


def _run_unit_for(hunt: Hunt, number: int, seconds: float) -> Unit:
    return run_unit(hunt, number, Budget(seconds, stopped))
