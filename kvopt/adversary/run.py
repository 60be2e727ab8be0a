"""Run the units of a search, here or on an executor.

Every unit of work depends on the search and its number alone.  So a search can be spread
over processes, stopped and resumed, and finds the same things.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from typing import Protocol

from kvopt.adversary import enumerate as exhaustive
from kvopt.adversary import enumeration_kernel as enumeration
from kvopt.adversary import families, local
from kvopt.adversary.candidate import Candidate
from kvopt.adversary.cells import cells
from kvopt.adversary.closed_forms import compiled, released_upper_bound, upper_bound
from kvopt.adversary.configuration import SearchConfiguration, WorkUnit
from kvopt.model.errors import WorkerError
from kvopt.model.stopping import Stopping
from kvopt.parallel.code_version import code_version
from kvopt.parallel.executors import Workers, stopped
from kvopt.policies import policy_from_spec, source_digest
from kvopt.policies.policy import facts_of
from kvopt.solver.state_search.kernel import STATE_SEARCH

__all__ = ["Ledger", "number_of_units", "prepare", "run_unit", "search"]

RUN_UNIT: Mapping[str, Callable[[SearchConfiguration, int, Stopping], WorkUnit]] = {
    "local": local.run_unit,
    "exhaustive": exhaustive.run_unit,
    "families": families.run_unit,
}
"""How a unit is run, for each of `kvopt.adversary.configuration.METHODS`."""

POLL_SECONDS = 0.2
"""How often it is asked whether work is to end, and what other processes have done."""

TRIES = 3
"""A unit is run so often until it is taken for what kills its workers."""

GRACE_SECONDS = 5.0
"""How long after the end of the time units may take to notice."""


def run_unit(configuration: SearchConfiguration, number: int, stop: Stopping) -> WorkUnit:
    """Run one unit of a search by its method.

    Parameters
    ----------
    configuration
        What is searched for.
    number
        Number of the unit.
    stop
        When it is over, the unit is cut short.
    """
    return RUN_UNIT[configuration.method](configuration, number, stop)


def prepare(configuration: SearchConfiguration) -> None:
    """Load or compile what a search runs on, which may take half a minute the first time."""
    specs = filter(None, (configuration.policy, configuration.against))
    formulas = [facts_of(policy_from_spec(spec)).cost_formula(compiled) for spec in specs]
    for groups in ((0, 1, 2),), ((0, 1, 1), (1, 1, 1)):  # a common prompt, and others
        lengths = Candidate(3, groups).arrays()
        upper_bound(3, *lengths)
        for formula in filter(None, formulas):
            formula(3, *lengths)
    if configuration.limits.arrivals:
        released_upper_bound(Candidate(3, ((0, 1, 1), (0, 2, 1, 1))))
    if configuration.exact or configuration.method == "exhaustive":
        STATE_SEARCH.compiled()
        enumeration.compiled()


def number_of_units(configuration: SearchConfiguration) -> int | None:
    """Return how many units a search has, or None if it never ends."""
    if configuration.method == "exhaustive":
        return len(cells(configuration.limits))
    return families.number_of_units(configuration) if configuration.method == "families" else None


class Ledger(Protocol):
    """What is done of a search, and which process is at what: `kvopt.adversary.store.Ledger`."""

    def units(self, numbers: Collection[int] | None = None) -> list[WorkUnit]:
        """Return the complete units, or those of them with these numbers."""

    def claim(self, number: int) -> bool:
        """Reserve a unit; False if it is complete, or another process is at it."""

    def add(self, unit: WorkUnit) -> None:
        """Keep a complete unit."""


def search(
    configuration: SearchConfiguration,
    stop: Stopping,
    *,
    units: int | None = None,
    done: Iterable[WorkUnit] = (),
    on_unit: Callable[[WorkUnit], None] = lambda unit: None,
    workers: Workers | None = None,
    ledger: Ledger | None = None,
) -> list[WorkUnit]:
    """Run units until it is to stop.

    Parameters
    ----------
    configuration
        What is searched for.
    stop
        How long it may go on.
    units
        Stop once the units 0, ..., units - 1 are complete; None for all there are.
    done
        Complete units of an earlier run of the same search, which are not run again; by
        default those of the ledger.
    on_unit
        Called with every unit that was run here, as it ends.
    workers
        Where to run units; None for this thread.
    ledger
        Where complete units are kept and looked up; it keeps processes that search at the
        same time from running the same units.

    Returns
    -------
    list of WorkUnit
        All units, those of `done` and the ledger included, by number.

    Raises
    ------
    PolicyError
        If a policy misbehaves.
    WorkerError
        If a unit's worker dies, and dies again when it is run once more, or the workers
        have other code.
    InputError
        If the ledger cannot be written to.
    """
    ended = {unit.number: unit for unit in done}
    if ledger is not None and not ended:
        ended = {unit.number: unit for unit in ledger.units()}
    most = number_of_units(configuration)
    if most is not None:
        units = most if units is None else min(units, most)
    todo = _Todo(ended, units, ledger)
    run = (
        _runs_on(configuration, stop, workers)
        if workers and workers.executor
        else _runs_here(configuration, stop)
    )
    with closing(run(todo)) as results:
        for unit in results:
            if ledger is not None and unit.complete:
                ledger.add(unit)
            ended[unit.number] = unit
            on_unit(unit)
    todo.look_elsewhere()
    return [ended[number] for number in sorted(ended)]


class _Todo:
    """The units that are still to be run, smallest numbers first.

    Parameters
    ----------
    ended
        Units that have ended, by number; those that other processes complete are added.
    units
        How many there are; None if they never end.
    ledger
        Tells what other processes are at.
    """

    def __init__(
        self, ended: dict[int, WorkUnit], units: int | None, ledger: Ledger | None
    ) -> None:
        self._ended = ended
        self._ledger = ledger
        numbers = (n for n in itertools.count() if n not in ended)
        self._fresh = itertools.takewhile(lambda n: units is None or n < units, numbers)
        self._elsewhere: set[int] = set()

    def next(self) -> int | None:
        """Return the number of a unit to run now, or None if there is none at present."""
        for number in self._fresh:
            if self._ledger is None or self._ledger.claim(number):
                return number
            self._elsewhere.add(number)
        self.look_elsewhere()
        for number in sorted(self._elsewhere):
            assert self._ledger is not None
            if self._ledger.claim(number):  # whoever was at it is gone
                self._elsewhere.remove(number)
                return number
        return None

    def look_elsewhere(self) -> None:
        """Take over what other processes have completed."""
        if self._ledger is not None and self._elsewhere:
            for unit in self._ledger.units(self._elsewhere):
                self._ended[unit.number] = unit
            self._elsewhere -= self._ended.keys()

    def waits(self) -> bool:
        """Tell whether other processes are at the units that are left."""
        return bool(self._elsewhere)


Run = Callable[[_Todo], Generator[WorkUnit, None, None]]


def _runs_here(configuration: SearchConfiguration, stop: Stopping) -> Run:
    def run(todo: _Todo) -> Generator[WorkUnit, None, None]:
        while not stop.over():
            if (number := todo.next()) is not None:
                yield run_unit(configuration, number, stop)
            elif todo.waits():
                time.sleep(POLL_SECONDS)
            else:
                return

    return run


def _runs_on(configuration: SearchConfiguration, stop: Stopping, workers: Workers) -> Run:
    def run(todo: _Todo) -> Generator[WorkUnit, None, None]:
        crew = _Crew(configuration, stop, workers)
        try:
            while crew.start_from(todo) or (todo.waits() and not stop.over()):
                yield from crew.results()
        finally:
            crew.stop()

    return run


class _Crew:
    """The units that workers are running.

    Parameters
    ----------
    configuration
        What is searched for.
    stop
        How long it may go on.
    workers
        Who runs the units.
    """

    def __init__(
        self, configuration: SearchConfiguration, stop: Stopping, workers: Workers
    ) -> None:
        self._configuration = configuration
        self._until = stop
        self._workers = workers
        self._running: dict[Future[WorkUnit], int] = {}
        self._again: list[int] = []
        self._deaths: Counter[int] = Counter()
        self._code = _code(configuration)
        self._over_since = math.inf

    def start_from(self, todo: _Todo) -> int:
        """Start units while there is room, and return how many are running."""
        assert self._workers.executor is not None
        places = self._workers.places()
        while len(self._running) < places and not self._until.over():
            number = self._again.pop() if self._again else todo.next()
            if number is None:
                break
            arguments = (self._code, self._configuration, number, self._until.left())
            self._running[self._workers.executor.submit(_run_unit_for, *arguments)] = number
        return len(self._running)

    def results(self) -> Iterator[WorkUnit]:
        """Wait a moment, and yield the units that have ended."""
        now = time.monotonic()
        if self._until.over():
            self._over_since = min(self._over_since, now)
        if self._until.interrupted or now > self._over_since + GRACE_SECONDS:
            self._workers.stop()
        if not self._running:
            time.sleep(POLL_SECONDS)
        ended, _ = wait(self._running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in ended:
            number = self._running.pop(future)
            try:
                unit = future.result()
            except self._workers.deaths:
                self._count_death(number)
            except self._workers.hopeless:
                raise _died(number) from None
            except ImportError as error:
                raise WorkerError(f"a worker cannot run kvopt: {error}") from None
            else:
                yield unit

    def stop(self) -> None:
        """Stop what is still running, if anything."""
        if self._running:
            self._workers.stop()

    def _count_death(self, number: int) -> None:
        """See to it that the unit is run again, unless its workers keep dying."""
        if self._until.over():  # cancelled, or too late anyway
            return
        self._deaths[number] += 1
        if self._deaths[number] >= TRIES:
            raise _died(number)
        self._again.append(number)


def _died(number: int) -> WorkerError:
    text = "its worker died, and so did those that tried again; what was stored is safe"
    return WorkerError(f"unit {number}: {text}")


def _run_unit_for(
    code: str, configuration: SearchConfiguration, number: int, seconds: float
) -> WorkUnit:
    """Run a unit in a worker, which has to have the same code."""
    if (own := _code(configuration)) != code:
        raise WorkerError(f"a worker has other code: {own}, not {code}")
    return run_unit(configuration, number, Stopping(seconds, stopped))


def _code(configuration: SearchConfiguration) -> str:
    """Return the version of kvopt and of the user's own policies."""
    policies = [spec for spec in (configuration.policy, configuration.against) if spec]
    for spec in policies:
        policy_from_spec(spec)  # loads the user's own
    return " ".join(filter(None, (code_version(), *map(source_digest, policies))))
