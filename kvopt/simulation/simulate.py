"""The simulator: one event-driven engine for every policy.

It owns the output lengths.  A policy decides through a `Machine`, which does not
know them, and pauses; the engine works out when each attempt really ends, moves
the clock to the next event the policy wants to hear of, and tells the machine
what completed.  Time without events costs nothing, and a commitment of a million
attempts is resolved by array operations.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from kvopt.model.breaking_off import BrokenOff, run_within
from kvopt.model.errors import KvoptError, PolicyError, StoppedError, raised_text
from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import Events, first_overflow
from kvopt.model.schedule import Schedule, kept_tokens, order_by
from kvopt.model.stopping import Stopping
from kvopt.model.text import counted
from kvopt.simulation.decisions import (
    LATEST,
    NEVER,
    Commitment,
    Decisions,
    Foreseen,
    InOrder,
    Until,
    Wait,
)
from kvopt.simulation.machine import NOBODY, Machine
from kvopt.simulation.policy import Policy
from kvopt.theory.released_order import ordered_starts

__all__ = ["World", "run_policy", "simulate"]

IDLE_PAUSES = 100_000
"""A policy that pauses so often in a row with nothing running or planned will never end."""

logger = logging.getLogger(__name__)


def simulate(
    instance: Instance,
    policy: Policy,
    progress: Callable[[int], None] | None = None,
    *,
    stop: Stopping | None = None,
) -> Schedule:
    """Run a policy on an instance and return what it did.

    Parameters
    ----------
    instance
        The instance.
    policy
        The policy.  If it is not clairvoyant it gets no output lengths.
    progress
        Called now and then with the number of requests completed so far.
    stop
        When it is over, the simulation is broken off, even within the policy; None for no limit.

    Returns
    -------
    Schedule
        All attempts, killed ones included; feasible.

    Raises
    ------
    PolicyError
        If the policy takes a decision the model does not allow, exceeds the
        memory in any round, waits for ever, stops before all is done, or raises
        an exception of its own.
    StoppedError
        If it was broken off.
    """
    return run_policy(World(instance, policy), policy, progress, stop)


def run_policy(
    world: World,
    policy: Policy,
    progress: Callable[[int], None] | None = None,
    stop: Stopping | None = None,
) -> Schedule:
    """Run a policy in a world and return what it did; see `simulate`."""
    instance = world.instance
    machine = _machine_for(policy, world)
    if stop is None:
        return _simulated(world, policy, machine, progress)
    try:
        return run_within(stop, lambda: _simulated(world, policy, machine, progress))
    except StoppedError as error:
        done = machine.number_completed()
        raise StoppedError(
            f"policy {policy.name}, round {machine.now + 1}: {error};"
            f" {done} of {len(instance)} requests were done"
        ) from None


def _simulated(
    world: World, policy: Policy, machine: Machine, progress: Callable[[int], None] | None
) -> Schedule:
    """Return what a policy does through a machine."""
    instance = world.instance
    world.release(machine)
    decisions: Decisions | None = None
    completed = NOBODY
    pauses = idle = 0
    while True:
        try:
            if decisions is None:
                decisions = policy.run(machine)
                pause = next(decisions)
            else:
                pause = decisions.send(completed)
        except StopIteration:
            break
        except (KvoptError, KeyboardInterrupt, BrokenOff):
            raise
        except BaseException as error:  # the exit of the program is not for a policy to decide
            reason = f"the policy raises {raised_text(error)}"
            raise PolicyError(policy.name, None, machine.now + 1, reason) from error
        idle = idle + 1 if world.idle(machine) else 0
        if idle > IDLE_PAUSES:
            raise PolicyError(policy.name, None, machine.now + 1, "pauses for ever, nothing runs")
        world.accept(machine)
        if world.completed == len(instance) or world.in_order or world.waits_for_nothing(pause):
            break
        completed = world.pass_time(machine, pause)
        pauses += 1
        if progress and pauses % 1024 == 0:
            progress(world.completed)
    world.accept(machine)
    schedule = world.schedule()
    logger.debug("%s on %r: %d pauses, %d attempts", policy.name, instance, pauses, len(schedule))
    return schedule


def _machine_for(policy: Policy, world: World) -> Machine:
    """Return the machine that a policy sees, before anything is released."""
    if not isinstance(policy.clairvoyant, bool):
        reason = f"clairvoyant must be True or False, got {policy.clairvoyant!r}"
        raise PolicyError(str(policy.name), None, 1, reason)
    return Machine(
        policy.name,
        world.instance.memory,
        world.clairvoyant,
        world.keeps_tokens,
        world.takes_orders,
    )


class World:
    """The truth about a simulation: what is to come, and how every attempt ends."""

    takes_orders: ClassVar[bool] = True
    """Whether it is known when what is to come is released."""

    def __init__(self, instance: Instance, policy: Policy) -> None:
        self.instance = instance
        self.policy = policy.name
        self.clairvoyant = bool(policy.clairvoyant)
        self.keeps_tokens = bool(getattr(policy, "keeps_tokens", False))
        self.now = 0
        self.completed = 0  # so many requests
        self.to_come = np.argsort(instance.releases, kind="stable")
        self.times_to_come = instance.releases[self.to_come]
        self.released = 0  # so many requests
        self.next_release = int(self.times_to_come[0])  # `LATEST` if there is none
        self.singles = _Singles(instance, self.keeps_tokens)
        self.foreseen: Foreseen | None = None
        self.in_order = False  # whether all starts were left to an order
        self.killed: list[tuple[IntArray, IntArray, IntArray]] = []  # as was foreseen
        self.batches: list[_Batch] = []
        self.active: list[_Batch] = []  # the batches with attempts still to end

    def accept(self, machine: Machine) -> None:
        """Take over the decisions made since the last pause."""
        if not machine.undelivered():
            return
        if machine.take_withdrawal():
            self.withdraw()
        self.carry_out(*machine.take_decisions())
        self.foreseen = machine.take_foreseen()
        if (order := machine.take_order()) is not None:
            self.start_in_order(order)

    def start_in_order(self, given: InOrder) -> None:
        """Start everything in an order; see `Machine.start_in_order`."""
        truth = self.instance
        releases = np.maximum(truth.releases, self.now)
        starts = ordered_starts(
            given.order, truth.prompts, truth.outputs, releases, truth.memory, given.width
        )
        everything = Commitment(np.arange(len(truth)), starts, np.full(len(truth), NEVER))
        self.batches.append(_Batch(truth, everything))
        self.in_order = True

    def withdraw(self) -> None:
        """Forget what is planned and has not started."""
        for batch in self.active:
            batch.withdraw(self.now)

    def carry_out(
        self, kills: list[int], starts: list[tuple[int, int]], commitments: list[Commitment]
    ) -> None:
        """Kill, start and plan attempts; see `Machine.take_decisions`."""
        for request in kills:
            if not self.singles.kill(request, self.now):
                batch = next(b for b in self.active if b.runs(request, self.now))
                batch.kill(request, self.now)
        for request, kill_at in starts:
            self.singles.start(request, self.now, kill_at)
        for commitment in commitments:
            self.batches.append(_Batch(self.instance, commitment))
            self.active.append(self.batches[-1])

    def idle(self, machine: Machine) -> bool:
        """Tell whether nothing runs, is planned, to come, or was decided since the last pause."""
        return not (
            machine.running
            or self.active
            or self.released < len(self.to_come)
            or machine.undelivered()
        )

    def waits_for_nothing(self, pause: Wait | Until) -> bool:
        """Tell whether a pause is for releases alone, and nothing is to come."""
        return (
            isinstance(pause, Wait)
            and (pause.until, pause.completions, pause.releases) == (None, False, True)
            and self.released == len(self.to_come)
        )

    def release(self, machine: Machine) -> None:
        """Tell the machine what has been released since it was last told."""
        if self.next_release > self.now:
            return
        times, count = self.times_to_come, self.released + 1
        total = len(times)
        if count < total and times[count] <= self.now:
            count = int(times.searchsorted(self.now, side="right"))
        # Copies of these alone: the policy can reach whatever the machine is handed.
        new, instance = self.to_come[self.released : count].copy(), self.instance
        outputs = instance.outputs[new] if self.clairvoyant else None
        machine.arrive(new, instance.prompts[new], instance.releases[new], outputs)
        self.released = count
        self.next_release = int(times[count]) if count < total else LATEST

    def pass_time(self, machine: Machine, pause: Wait | Until) -> IntArray:
        """Move to the end of a pause, release, and return what completed on the way.

        The requests come in order of (completion time, request), in an array of their own: a view
        would show a policy the array behind it, which says what completes later.
        """
        if self.foreseen is not None:
            self._follow(self.foreseen, machine, pause)
            self.foreseen = None
        self.now = self._wake(pause)
        done = self.singles.completed_until(self.now)
        completed = np.array([request for _, request in done], dtype=np.int64) if done else NOBODY
        constant, running = self.singles.constant, self.singles.running
        if self.active:
            completed = self._completed_of_batches(done, completed)
            self.active = [batch for batch in self.active if batch.last > self.now]
            for batch in self.active:
                batch_constant, batch_running = batch.memory_after(self.now)
                constant += batch_constant
                running += batch_running
        machine.advance(self.now, completed, constant, running)
        self.completed += len(completed)
        self.release(machine)
        return completed

    def _completed_of_batches(self, done: list[tuple[int, int]], completed: IntArray) -> IntArray:
        """Return what completed, that of batches included; `done` is what was started singly."""
        ends = np.array([end for end, _ in done], dtype=np.int64)
        for batch in self.active:
            more_ends, more = batch.completed_until(self.now)
            if not len(completed):  # those of one batch are in order
                ends, completed = more_ends, more
            elif len(more):
                ends, completed = np.append(ends, more_ends), np.append(completed, more)
                order = order_by(ends, completed)
                ends, completed = ends[order], completed[order]
        return completed.copy()

    def _follow(self, foreseen: Foreseen, machine: Machine, pause: Wait | Until) -> None:
        """Do what was foreseen up to the end of a pause; what then runs has no end planned."""
        match pause:
            case Wait(until=int() | np.integer() as until, completions=True, releases=True):
                limit = int(until)
            case _:
                raise self._error(f"yields {pause!r} after what it foresees")
        if self.active:
            raise self._error("foresees what is to run beside commitments")
        requests, starts, ends = foreseen.requests, foreseen.starts, foreseen.ends
        limit = self.first_event(foreseen, limit)
        over = ends < limit
        for request, end in zip(
            requests[over & foreseen.running].tolist(),
            ends[over & foreseen.running].tolist(),
            strict=True,
        ):
            self.singles.kill(request, end)
        new = over & ~foreseen.running
        self.killed.append((requests[new], starts[new], ends[new]))
        on = ~over & (starts < limit)
        for request, start in zip(
            requests[on & ~foreseen.running].tolist(),
            starts[on & ~foreseen.running].tolist(),
            strict=True,
        ):
            self.singles.start(request, start, NEVER)
        machine.run_on(requests[over], requests[on], starts[on])

    def first_event(self, foreseen: Foreseen, limit: int) -> int:
        """Return when something is released or completes of what is foreseen, at most `limit`."""
        done = foreseen.starts + self.instance.outputs[foreseen.requests]
        return int(done[done <= foreseen.ends].min(initial=min(limit, self.next_release)))

    def _wake(self, pause: Wait | Until) -> int:
        """Return the time at which a pause ends."""
        match pause:
            case Until(time=int() | np.integer()):
                time = pause.time
            case Wait(until=bool()):
                raise self._error(f"yields {pause!r} instead of a Wait or Until")
            case Wait(until=None | int() | np.integer()):
                time = self.next_event(LATEST if pause.until is None else pause.until, pause)
                if pause.until is None and time == LATEST:
                    raise self._error("waits for a completion, but nothing that runs completes")
            case _:
                raise self._error(f"yields {pause!r} instead of a Wait or Until")
        if not self.now < time <= LATEST:
            raise self._error(f"pauses until {time} at time {self.now}")
        return int(time)

    def next_event(self, limit: int, pause: Wait) -> int:
        """Return when the first thing happens that ends a pause, at most `limit` (time)."""
        if pause.releases:
            limit = min(limit, self.next_release)
        time = limit
        if pause.completions:
            for batch in self.active:
                time = min(time, batch.next_completion(limit))
            time = self.singles.next_completion(time)
        return time

    def schedule(self) -> Schedule:
        """Let everything that runs end, and return all attempts, verified."""
        parts = [self.singles.record(), *(batch.record() for batch in self.batches)]
        parts += ((*columns, np.ones(len(columns[0]), np.bool_)) for columns in self.killed)
        request, start, end, killed = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        completions = np.bincount(request[~killed], minlength=len(self.instance))
        if (completions > 1).any():
            twice = int(np.argmax(completions))
            raise PolicyError(self.policy, twice, self.now + 1, "completes more than once")
        if (completions < 1).any():
            missing = np.flatnonzero(completions == 0)
            raise PolicyError(
                self.policy,
                int(missing[0]),
                self.now + 1,
                f"the policy stops with {counted(len(missing), 'request')} unfinished",
            )
        tokens = kept_tokens(request, start, end) if self.keeps_tokens else None
        held = self.instance.prompts[request] + (0 if tokens is None else tokens)
        if overflow := first_overflow(start, end, held, self.instance.memory):
            round, i = overflow
            raise PolicyError(
                self.policy,
                int(request[i]),
                round,
                f"memory overflows, budget is {self.instance.memory} tokens",
            )
        return Schedule(self.instance, request, start, end, killed, tokens)

    def _error(self, reason: str) -> PolicyError:
        return PolicyError(self.policy, None, self.now + 1, f"the policy {reason}")


class _Singles:
    """The attempts that were started one by one."""

    def __init__(self, instance: Instance, keeps_tokens: bool) -> None:
        self.keeps_tokens = keeps_tokens
        # What a request holds when it starts, and the rounds it then needs.
        self.prompts = instance.prompts.copy() if keeps_tokens else instance.prompts
        self.outputs = instance.outputs.copy() if keeps_tokens else instance.outputs
        self.request: list[int] = []
        self.start_time: list[int] = []
        self.end: list[int] = []
        self.killed: list[bool] = []
        self.position: dict[int, int] = {}  # of what runs, in the lists above
        # Ends to come as (end, request, position); stale if the attempt was killed before.
        self.ends: list[tuple[int, int, int]] = []
        # Memory in round r of what runs: constant + running * r.
        self.constant = 0
        self.running = 0

    def start(self, request: int, now: int, kill_at: int) -> None:
        output = int(self.outputs[request])
        end = now + min(output, kill_at)
        position = len(self.request)
        self.request.append(request)
        self.start_time.append(now)
        self.end.append(end)
        self.killed.append(kill_at < output)
        self.position[request] = position
        heapq.heappush(self.ends, (end, request, position))
        self.constant += int(self.prompts[request]) - now
        self.running += 1

    def kill(self, request: int, now: int) -> bool:
        """Kill the running attempt of a request; False if there is none here."""
        if request not in self.position:
            return False
        position = self.position[request]
        self.end[position] = now
        self.killed[position] = True
        self._stop(request)
        if self.keeps_tokens:
            rounds = now - self.start_time[position]
            self.prompts[request] += rounds
            self.outputs[request] -= rounds
        return True

    def next_completion(self, limit: int) -> int:
        """Return the time of the next completion if it is before `limit`, else `limit`."""
        while self.ends and self.ends[0][0] < limit:
            end, request, position = self.ends[0]
            if self.end[position] == end and not self.killed[position]:
                return end
            heapq.heappop(self.ends)
            if self.end[position] == end:  # a kill that was planned when it started
                self._stop(request)
        return limit

    def completed_until(self, now: int) -> list[tuple[int, int]]:
        """Return (completion time, request) of what completed up to `now`, in this order."""
        done: list[tuple[int, int]] = []
        while self.ends and self.ends[0][0] <= now:
            end, request, position = heapq.heappop(self.ends)
            if self.end[position] != end:
                continue
            self._stop(request)
            if not self.killed[position]:
                done.append((end, request))
        return done

    def record(self) -> tuple[IntArray, IntArray, IntArray, NDArray[np.bool_]]:
        """Return request, start, end and killed of every attempt."""
        return (
            np.array(self.request, dtype=np.int64),
            np.array(self.start_time, dtype=np.int64),
            np.array(self.end, dtype=np.int64),
            np.array(self.killed, dtype=np.bool_),
        )

    def _stop(self, request: int) -> None:
        position = self.position.pop(request)
        self.constant -= int(self.prompts[request]) - self.start_time[position]
        self.running -= 1


class _Batch:
    """A commitment, resolved."""

    def __init__(self, instance: Instance, commitment: Commitment) -> None:
        self.request = commitment.requests
        self.start = commitment.starts
        self.prompt = instance.prompts[self.request]
        output = instance.outputs[self.request]
        self.end = self.start + np.minimum(output, commitment.kill_at)
        self.killed = commitment.kill_at < output
        self._sort_completions(0)

    def _sort_completions(self, now: int) -> None:
        """Line up the completions after `now`."""
        done = np.flatnonzero(~self.killed & (self.end > now))
        done = done[order_by(self.end[done], self.request[done])]
        self.done_end, self.done_request = self.end[done], self.request[done]
        self.reported = 0
        self.last = int(self.end.max(initial=0))
        self.events: Events | None = None

    def withdraw(self, now: int) -> None:
        """Forget the attempts that would start now or later."""
        kept = self.start < now
        self.request, self.start, self.prompt = (
            column[kept] for column in (self.request, self.start, self.prompt)
        )
        self.end, self.killed = self.end[kept], self.killed[kept]
        self._sort_completions(now)

    def runs(self, request: int, now: int) -> bool:
        """Tell whether an attempt of a request runs in round `now` and goes on."""
        mine = self.request == request
        return bool((mine & (self.start < now) & (now < self.end)).any())

    def kill(self, request: int, now: int) -> None:
        """Kill the running attempt of a request."""
        i = int(np.argmax(self.request == request))
        self.end[i], self.killed[i] = now, True
        self._sort_completions(now)

    def next_completion(self, limit: int) -> int:
        """Return the time of the next completion if it is before `limit`, else `limit`."""
        if self.reported == len(self.done_end):
            return limit
        return min(limit, int(self.done_end[self.reported]))

    def completed_until(self, now: int) -> tuple[IntArray, IntArray]:
        """Return (completion times, requests) of what completed since the last call."""
        new = slice(self.reported, int(np.searchsorted(self.done_end, now, side="right")))
        self.reported = new.stop
        return self.done_end[new], self.done_request[new]

    def memory_after(self, now: int) -> tuple[int, int]:
        """Return constant and number of what runs in round `now` + 1, as `_Singles` has them."""
        if self.events is None:
            self.events = Events(self.start, self.end, self.prompt)
        used, running = self.events.memory(np.array([now + 1]))
        return int(used[0] - running[0] * (now + 1)), int(running[0])

    def record(self) -> tuple[IntArray, IntArray, IntArray, NDArray[np.bool_]]:
        """Return request, start, end and killed of every attempt."""
        return self.request, self.start, self.end, self.killed
