"""What a policy sees and may do: the clock, the memory, and its own attempts.

A `Machine` holds public knowledge only.  The output lengths stay with the
simulator, which alone knows when an attempt completes and tells the machine
afterwards; a clairvoyant policy is handed them as the requests are released.  So a
non-clairvoyant policy cannot see a length, and none can see what is not released
yet: it is out of reach.  It knows numbers of requests (`Policy.run`), but not how many come.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kvopt.model.errors import PolicyError
from kvopt.model.instance import IntArray, abridged
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.running_profile import RunningProfile
from kvopt.simulation.decisions import LATEST, NEVER, Commitment, Foreseen, InOrder
from kvopt.theory.released_order import ONE, ORDERS, Order

__all__ = ["Machine"]

NOBODY = np.zeros(0, dtype=np.int64)
"""No requests."""

UNKNOWN = "does not exist, or has not been released"


class Machine:
    """The policy's side of a simulation: public knowledge, and decisions.

    Decisions take effect at the current time; they are checked against public
    knowledge at once and against the truth by the simulator.

    Parameters
    ----------
    policy
        Name of the policy, for messages.
    memory
        Memory budget M (tokens).
    clairvoyant
        Whether it is told output lengths.
    keeps_tokens
        Whether a killed request keeps its tokens.  Attempts are then started and killed one
        by one, as they come.
    takes_orders
        Whether starts may be left to an order; see `start_in_order`.

    Attributes
    ----------
    now : int
        Current time: rounds 1..now are over.
    memory : int
        Memory budget M (tokens).
    """

    def __init__(
        self,
        policy: str,
        memory: int,
        clairvoyant: bool,
        keeps_tokens: bool = False,
        takes_orders: bool = False,
    ) -> None:
        self.policy = policy
        self._takes_orders = takes_orders
        self.memory = memory
        self.keeps_tokens = keeps_tokens
        self.now = 0
        # By request, up to the largest one that has been released; of those below it that are
        # still to come, nothing but that they are is here.
        self._prompts = NOBODY
        self._kept = NOBODY  # tokens kept from killed attempts
        self._outputs = NOBODY if clairvoyant else None
        self._release = NOBODY
        self._open = np.zeros(0, dtype=np.bool_)  # released and not completed
        self._finished = np.zeros(0, dtype=np.bool_)
        # The latest attempt of each request: when it starts and ends by announcement.
        self._start = NOBODY
        self._end = NOBODY
        self._arrivals: list[IntArray] = []  # released since the last call of `arrivals`
        # Memory in round r, of what runs: _constant + _running * r.
        self._constant = 0
        self._running = 0
        self._profile: LiveProfile | RunningProfile | None = None
        self._kills: list[int] = []
        self._starts: list[tuple[int, int]] = []
        self._commitments: list[Commitment] = []
        self._withdrawn = False
        self._foreseen: Foreseen | None = None
        self._order: InOrder | None = None

    def waiting(self) -> IntArray:
        """Return the unfinished requests that neither run nor are planned, in request order.

        Here and below, requests are those that have been released.
        """
        return np.flatnonzero(self._open & (self._end <= self.now))

    def unfinished(self, requests: IntArray | None = None) -> IntArray:
        """Return the requests that have not completed.

        Parameters
        ----------
        requests
            Which requests to look at, shape (a,); None for all, in request order.
        """
        if requests is None:
            return np.flatnonzero(self._open)
        return requests[self._open[requests]]

    def arrivals(self) -> IntArray:
        """Return the requests released since the last call, in order of (release, request).

        The first call returns all that are there.
        """
        new = self._arrivals
        if not new:
            return NOBODY
        self._arrivals = []
        return new[0] if len(new) == 1 else np.concatenate(new)

    def release(self, request: int) -> int:
        """Return when a request was released (rounds)."""
        return int(self._release[request])

    def prompt(self, request: int) -> int:
        """Return the prompt length of a request (tokens)."""
        return int(self._prompts[request])

    def held(self, request: int) -> int:
        """Return the tokens a request holds when it starts: its prompt, and what it has kept."""
        return int(self._prompts[request] + self._kept[request])

    def prompts_of(self, requests: IntArray) -> IntArray:
        """Return the prompt lengths of some requests (tokens), shape (a,)."""
        return self._prompts[requests]

    def output(self, request: int) -> int:
        """Return the output length of a request (tokens); for clairvoyant policies only.

        Raises
        ------
        PolicyError
            If the policy has not declared itself clairvoyant.
        """
        return int(self._known_outputs()[request])

    def outputs_of(self, requests: IntArray) -> IntArray:
        """Return the output lengths of some requests (tokens), shape (a,): see `output`."""
        return self._known_outputs()[requests]

    def completed(self, request: int) -> bool:
        """Tell whether a request has completed."""
        return bool(self._finished[request])

    def completed_of(self, requests: IntArray) -> NDArray[np.bool_]:
        """Tell which of some requests have completed, shape (a,)."""
        return self._finished[requests]

    @property
    def running(self) -> int:
        """Number of attempts that run in the next round."""
        return self._running

    def started(self, request: int) -> int:
        """Return when the latest attempt of a request started or is to start (rounds)."""
        return int(self._start[request])

    def memory_next_round(self) -> int:
        """Return the memory in the next round if nothing more is decided (tokens)."""
        return self._constant + self._running * (self.now + 1)

    def rounds_until_overflow(self) -> int | None:
        """Return for how many more rounds what runs now fits, should none of it end.

        Returns
        -------
        int or None
            Zero if the very next round overflows; None if nothing runs.
        """
        if not self._running:
            return None
        return (self.memory - self._constant) // self._running - self.now

    def start(self, request: int, kill_at: int | None = None) -> None:
        """Start an attempt of a request now.

        Parameters
        ----------
        request
            Index of a request that is neither finished nor running nor planned.
        kill_at
            Age at which to kill it unless it has completed (rounds, >= 1), or
            None to let it run.

        Raises
        ------
        PolicyError
            If the request may not start, or the next round would overflow.
        """
        request = self._integer(request, "request")
        self._check_startable(request)
        held = self.held(request)
        need = held + 1
        free = self.memory - self.memory_next_round()
        if need > free:
            raise self._error(request, f"start needs {need} tokens, {free} are free")
        age = NEVER if kill_at is None else self._integer(kill_at, "kill age")
        if age != NEVER and self.keeps_tokens:
            raise self._error(request, "kill ages are not for policies that keep tokens")
        if age < 1:
            raise self._error(request, f"kill at age {age}, must be at least 1")
        self._starts.append((request, age))
        if self._outputs is not None:
            age = min(age, int(self._outputs[request] - self._kept[request]))
        self._start[request] = self.now
        self._end[request] = NEVER if age == NEVER else self.now + age
        self._announce(request)
        self._constant += held - self.now
        self._running += 1

    def kill(self, request: int) -> None:
        """Kill the running attempt of a request, at the end of the current round.

        Raises
        ------
        PolicyError
            If no attempt of the request ran in the current round.
        """
        request = self._integer(request, "request")
        if not 0 <= request < len(self._open):
            raise self._error(request, "kill of a request that does not exist")
        start, end = int(self._start[request]), int(self._end[request])
        if not (self._open[request] and start < self.now < end):
            raise self._error(request, "kill of a request that is not running")
        self._kills.append(request)
        self._end[request] = self.now
        held = self.held(request)
        self._constant -= held - start
        self._running -= 1
        if self._profile:
            self._profile.remove(start, held, end)
        if self.keeps_tokens:
            self._kept[request] += self.now - start

    def commit(
        self, requests: ArrayLike, starts: ArrayLike, kill_at: ArrayLike | None = None
    ) -> None:
        """Decide on many attempts at once, now or in the future.

        What has not started can be taken back, all of it: see `withdraw`.

        Parameters
        ----------
        requests
            Distinct requests, none of them finished, running or planned, shape (a,).
        starts
            Start times, at least the current time (rounds), shape (a,).
        kill_at
            Age at which to kill each attempt unless it has completed (rounds,
            >= 1), shape (a,) or a single number; None to let them run.

        Raises
        ------
        PolicyError
            If an attempt is not allowed.
        """
        self._refuse_plans()
        requests = self._integers(requests, "requests")
        starts = self._integers(starts, "starts")
        ages = self._integers(NEVER if kill_at is None else kill_at, "kill ages")
        if len(ages) == 1:
            ages = np.repeat(ages, len(requests))
        if not len(requests) == len(starts) == len(ages):
            lengths = f"{len(requests)} requests, {len(starts)} starts, {len(ages)} kill ages"
            raise self._error(None, f"commitment of {lengths}")
        self._check_unfinished(requests)
        self._refuse(self._end[requests] > self.now, requests, "start of a running request")
        self._refuse(starts < self.now, requests, "start in the past")
        self._refuse(starts > LATEST, requests, f"start after time {LATEST}")
        self._refuse(ages < 1, requests, "kill at an age below 1")
        ages[ages > LATEST] = NEVER
        places = np.arange(len(requests))
        last = np.empty(len(self._open), dtype=np.int64)
        last[requests] = places
        if (last[requests] != places).any():
            repeated = np.ones(len(requests), dtype=np.bool_)
            repeated[np.unique(requests, return_index=True)[1]] = False
            self._refuse(repeated, requests, "committed twice at once")
        self._commitments.append(Commitment(requests, starts, ages))
        if self._outputs is not None:
            ages = np.minimum(ages, self._outputs[requests])
        self._start[requests] = starts
        self._end[requests] = np.where(ages == NEVER, NEVER, starts + ages)
        at_once = starts == self.now
        self._running += int(at_once.sum())
        self._constant += int((self._prompts[requests[at_once]] - self.now).sum())
        if isinstance(self._profile, RunningProfile) and not at_once.all():
            self._profile = None
        for request in requests.tolist() if self._profile else ():
            self._announce(request)

    def foresee(self, requests: ArrayLike, starts: ArrayLike, ends: ArrayLike) -> None:
        """Decide on attempts and kills that hold until something happens.

        Each attempt starts at its start, or runs since then, and is killed at its end.  The
        pause that follows must be a `Wait` for completions and releases with an `until`.  It
        ends at a time T: then what was to start before T and to end at T or later runs on
        with no end announced, and what was to start at T or later is forgotten.  So a policy
        that restarts what it kills a thousand times in a row need not be woken for each.

        Parameters
        ----------
        requests, starts, ends
            Request, start and end of each attempt (rounds), shape (a,) each, in any order.
            All that runs is among them, and nothing else may be planned.

        Raises
        ------
        PolicyError
            If an attempt is not allowed.
        """
        self._refuse_plans()
        requests = self._integers(requests, "requests")
        starts, ends = self._integers(starts, "starts"), self._integers(ends, "ends")
        if not len(requests) == len(starts) == len(ends):
            lengths = f"{len(requests)} requests, {len(starts)} starts, {len(ends)} ends"
            raise self._error(None, f"{lengths} are foreseen")
        self._check_unfinished(requests)
        self._refuse((ends <= starts) | (ends > LATEST), requests, "kill at an age below 1")
        order = np.lexsort((starts, requests))
        requests, starts, ends = requests[order], starts[order], ends[order]
        again = np.append(False, requests[1:] == requests[:-1])
        early = again & np.append(False, starts[1:] < ends[:-1])
        self._refuse(early, requests, "start of a running request")
        running = ~again & (self._end[requests] > self.now)
        self._refuse(running & (starts != self._start[requests]), requests, "start while it runs")
        self._refuse(~running & (starts < self.now), requests, "start in the past")
        going_on = np.flatnonzero(self._open & (self._end > self.now))
        if int(running.sum()) != len(going_on) or (self._start[going_on] > self.now).any():
            raise self._error(None, "foresees while something else runs or is planned")
        self._foreseen = Foreseen(requests, starts, ends, running)
        self._profile = None

    def start_in_order(self, order: Order, width: Fraction | None = ONE) -> bool:
        """Leave all starts to an order, those of what is still to come included.

        At every time what waits is gone through in the order; the first starts as soon as
        it fits for its whole run beside what runs, and then the next.  The order knows no more
        than a policy would: of two that agree up to a time, the later releases change
        nothing before it.  After the next pause the policy is not asked again.

        Parameters
        ----------
        order
            "length", by (output length, request); "area", by (area, request); "batches", those of
            Sorted-F, formed anew when something is released; or "area-batches", those of SVF in
            batches, formed of what has been released when all before has started.
        width
            Output lengths are known up to this factor, >= 1; until a request completes, the order
            and what fits go by the largest it may have.  None if they are not known: M - s.

        Returns
        -------
        bool
            False if the simulator cannot do it, as releases follow from the time that rounds
            take; then nothing is decided.

        Raises
        ------
        PolicyError
            If there is no such order or width, the policy keeps tokens or, with a width, is not
            clairvoyant, or something was decided before.
        """
        if width is not None:
            self._known_outputs()
        self._refuse_plans()
        if order not in ORDERS:
            names = ", ".join(ORDERS)
            raise self._error(None, f"order must be one of {names}, got {abridged(order)}")
        if width is not None and not (isinstance(width, int | Fraction) and width >= 1):
            raise self._error(None, f"width must be a Fraction >= 1, or None, got {width!r}")
        if self.undelivered() or self._end.any():
            raise self._error(None, "starts are left to an order after other decisions")
        if self._takes_orders:
            self._order = InOrder(order, width)
        return self._takes_orders

    def withdraw(self) -> None:
        """Take back all commitments that have not started, before anything else is decided.

        Raises
        ------
        PolicyError
            If something else was decided since the last pause.
        """
        if self.undelivered():
            raise self._error(None, "commitments are withdrawn after other decisions")
        planned = np.flatnonzero(self._open & (self._start >= self.now) & (self._end > self.now))
        if not len(planned):
            return
        at_once = planned[self._start[planned] == self.now]
        self._running -= len(at_once)
        self._constant -= int((self._prompts[at_once] - self.now).sum())
        self._end[planned] = self.now
        self._profile = None
        self._withdrawn = True

    def earliest_start(
        self, request: int, rounds: int | None = None, not_before: int | None = None
    ) -> int:
        """Return the earliest time at which a request fits beside all that is announced.

        Parameters
        ----------
        request
            Index of the request.
        rounds
            How long it is to run (rounds); None for its output length, which
            only a clairvoyant policy knows.
        not_before
            Earliest time to consider; None for now.

        Raises
        ------
        PolicyError
            If the request would not fit even alone, or an attempt runs or is
            planned whose end nobody has announced.
        """
        prompt = self.held(request)
        if rounds is None:
            rounds = self.output(request) - int(self._kept[request])
        if prompt + rounds > self.memory:
            raise self._error(request, f"{rounds} rounds of it never fit into the memory")
        if self._profile is None:
            others = np.flatnonzero(self._open & (self._end > self.now))
            planned = bool((self._start[others] > self.now).any())
            self._profile = (LiveProfile if planned else RunningProfile)(self.memory)
            self._profile.advance(self.now)
            for other in others.tolist():
                self._announce(other)
        if self._profile is None:
            raise self._error(request, "earliest start beside an attempt of unannounced length")
        return self._profile.earliest_start(
            prompt, rounds, self.now if not_before is None else max(self.now, not_before)
        )

    # The rest is the simulator's side.

    def number_completed(self) -> int:
        """Return how many requests have completed."""
        return int(self._finished.sum())

    def undelivered(self) -> bool:
        """Tell whether there are decisions that were not handed over."""
        return bool(
            self._kills
            or self._starts
            or self._commitments
            or self._withdrawn
            or self._foreseen is not None
            or self._order is not None
        )

    def take_withdrawal(self) -> bool:
        """Tell whether commitments were withdrawn since the last call; before all else."""
        withdrawn, self._withdrawn = self._withdrawn, False
        return withdrawn

    def take_decisions(self) -> tuple[list[int], list[tuple[int, int]], list[Commitment]]:
        """Hand over and forget the kills, starts and commitments since the last call."""
        decisions = self._kills, self._starts, self._commitments
        self._kills, self._starts, self._commitments = [], [], []
        return decisions

    def take_order(self) -> InOrder | None:
        """Hand over and forget the order that starts were left to since the last call."""
        order, self._order = self._order, None
        return order

    def take_foreseen(self) -> Foreseen | None:
        """Hand over and forget what was foreseen since the last call."""
        foreseen, self._foreseen = self._foreseen, None
        return foreseen

    def run_on(self, killed: IntArray, running: IntArray, starts: IntArray) -> None:
        """Take note of what came of the foreseen: what was killed, and what runs since when."""
        self._end[killed] = self.now
        self._start[running] = starts
        ends = NEVER if self._outputs is None else starts + self._outputs[running]
        self._end[running] = ends

    def arrive(
        self, requests: IntArray, prompts: IntArray, releases: IntArray, outputs: IntArray | None
    ) -> None:
        """Show requests that are released by now, in order of release.

        Parameters
        ----------
        requests, prompts, releases
            Their numbers, prompt lengths (tokens) and releases (rounds), shape (a,) each.  The
            policy is handed the array of numbers, which must not be a view of a larger one.
        outputs
            Output lengths (tokens), shape (a,); None for a non-clairvoyant policy.
        """
        size = 1 + (int(requests[0]) if len(requests) == 1 else int(requests.max()))
        if size > len(self._open):
            self._grow(max(size, 2 * len(self._open)) if len(self._open) else size)
        self._prompts[requests] = prompts
        self._release[requests] = releases
        if self._outputs is not None and outputs is not None:
            self._outputs[requests] = outputs
        self._open[requests] = True
        self._arrivals.append(requests)

    def advance(self, now: int, completed: IntArray, constant: int, running: int) -> None:
        """Move to time `now`, with what completed and the memory of what runs after it."""
        self.now = now
        if len(completed):
            self._open[completed] = False
            self._finished[completed] = True
        self._constant, self._running = constant, running
        if self._profile:
            for request in completed.tolist():
                start, end = int(self._start[request]), int(self._end[request])
                if end > now:  # it was announced to run longer
                    self._profile.remove(start, self.held(request), end)
            self._profile.advance(now)

    def _grow(self, size: int) -> None:
        def longer(values: IntArray) -> IntArray:
            return np.concatenate((values, np.zeros(size - len(values), dtype=values.dtype)))

        self._prompts, self._release = longer(self._prompts), longer(self._release)
        self._kept = longer(self._kept)
        self._outputs = None if self._outputs is None else longer(self._outputs)
        self._start, self._end = longer(self._start), longer(self._end)
        self._open = np.concatenate((self._open, np.zeros(size - len(self._open), np.bool_)))
        self._finished = np.concatenate(
            (self._finished, np.zeros(size - len(self._finished), np.bool_))
        )

    def _known_outputs(self) -> IntArray:
        if self._outputs is None:
            raise self._error(None, "a non-clairvoyant policy asks for the output lengths")
        return self._outputs

    def _announce(self, request: int) -> None:
        """Enter an attempt into the profile, if there is one; it must have an announced end."""
        if self._profile is None:
            return
        start, end = int(self._start[request]), int(self._end[request])
        if end == NEVER:
            self._profile = None
        else:
            self._profile.add(start, self.held(request), end)

    def _refuse_plans(self) -> None:
        if self.keeps_tokens:
            raise self._error(None, "plans are not for policies that keep tokens")

    def _check_startable(self, request: int) -> None:
        if 0 <= request < len(self._open) and self._finished[request]:
            raise self._error(request, "start of a finished request")
        if not (0 <= request < len(self._open) and self._open[request]):
            raise self._error(request, f"start of a request that {UNKNOWN}")
        if self._end[request] > self.now:
            raise self._error(request, "start of a running request")

    def _check_unfinished(self, requests: IntArray) -> None:
        unknown = (requests < 0) | (requests >= len(self._open))
        self._refuse(unknown, requests, f"start of a request that {UNKNOWN}")
        self._refuse(self._finished[requests], requests, "start of a finished request")
        self._refuse(~self._open[requests], requests, f"start of a request that {UNKNOWN}")

    def _integers(self, values: ArrayLike, what: str) -> IntArray:
        """Return a policy's numbers as a one-dimensional array of its own."""
        array = np.array(values, ndmin=1)
        if array.ndim != 1 or (array.dtype.kind not in "iu" and len(array)):
            raise self._error(None, f"{what} must be a list of integers, got {abridged(values)}")
        return array.astype(np.int64)

    def _integer(self, value: int, what: str) -> int:
        """Return a policy's number as an int."""
        if type(value) is int:
            return value
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
            raise self._error(None, f"{what} must be an integer, got {abridged(value)}")
        return int(value)

    def _refuse(self, wrong: NDArray[np.bool_], requests: IntArray, reason: str) -> None:
        if wrong.any():
            raise self._error(int(requests[np.argmax(wrong)]), reason)

    def _error(self, request: int | None, reason: str) -> PolicyError:
        return PolicyError(self.policy, request, self.now + 1, reason)
