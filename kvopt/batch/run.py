"""Doing the same with many instances: by several processes, and what is done is not done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from kvopt.batch.finished import Finished
from kvopt.batch.outcome import Outcome
from kvopt.batch.tasks import Found, Solved, Task, Work, code_of, do
from kvopt.model.errors import KvoptError, StoppedError
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.parallel.executors import Workers
from kvopt.parallel.items import results

__all__ = ["Done", "run_batch"]


class Done(NamedTuple):
    """What came of one instance.

    Parameters
    ----------
    number
        Its place among the instances.
    found
        What was found, or the error; a `StoppedError` if it was cut short before that.
    resumed
        Whether it had been found before.
    complete
        Whether it was not cut short by an interruption.
    """

    number: int
    found: Solved | Outcome | KvoptError
    resumed: bool = False
    complete: bool = True


def run_batch(
    work: Work,
    instances: Sequence[Instance],
    stop: Stopping,
    workers: Workers | None = None,
    finished: Finished | None = None,
) -> Iterator[Done]:
    """Do the same with many instances, and yield what came of each, in the order they end.

    What is finished already comes first.  Equal instances are done once.  After an
    interruption what was being done is yielded as far as it is known, not complete, or as a
    `StoppedError` if nothing is known of it; and nothing more.

    Parameters
    ----------
    work
        What to do.
    instances
        The instances.
    stop
        When it is interrupted, the work ends.
    workers
        Where it is done; by default here.
    finished
        Keeps what is finished.

    Raises
    ------
    WorkerError
        If a worker has other code, or cannot run kvopt.
    InputError
        If the folder of what is finished cannot be written to.
    """
    equal: dict[str, list[int]] = {}
    for number, instance in enumerate(instances):
        before = None if finished is None else _kept(finished, work, instance)
        if before is not None:
            yield Done(number, before, resumed=True)
        else:
            equal.setdefault(instance.digest(), []).append(number)
    groups = list(equal.values())
    tasks = [Task(work, instances[numbers[0]]) for numbers in groups]
    code = partial(code_of, work)
    for place, found in results(do, tasks, stop, workers or Workers(), code):
        if isinstance(found, KvoptError):
            complete = not isinstance(found, StoppedError)
            yield from (Done(number, found, complete=complete) for number in groups[place])
            continue
        if finished is not None and found.complete:
            _keep(finished, tasks[place], found)
        for number in groups[place]:
            read = _reader(work, instances[number])
            yield Done(number, read(found.content), complete=found.complete)


def _reader(work: Work, instance: Instance) -> Callable[[Any], Solved | Outcome]:
    """Return the function that reads what was found on an instance."""
    return partial(Solved.read, instance) if work.command == "solve" else Outcome.from_dict


def _kept(finished: Finished, work: Work, instance: Instance) -> Solved | Outcome | None:
    """Return what is finished: for the same work, or a bracket that has closed before."""
    read = _reader(work, instance)
    before = finished.get(work.key(instance), read)
    if before is None and work.command == "solve":
        return finished.get(work.closed_key(instance), read)
    return before


def _keep(finished: Finished, task: Task, found: Found) -> None:
    work, instance, content = task.work, task.instance, found.content
    closed = "facts" in content and content["facts"]["termination"] == "closed"
    finished.put(work.closed_key(instance) if closed else work.key(instance), content)
