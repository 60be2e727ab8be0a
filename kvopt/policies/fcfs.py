"""FCFS: first come, first served, with preemption by recomputation as in vLLM."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.spec import yes_or_no
from kvopt.policies.bypass import (
    check_passes,
    fcfs_with_bypass,
    passes_parameter,
    skip_parameter,
)
from kvopt.policies.policy import Compiler, Cost, Policy, parameter
from kvopt.policies.thrashing import MANY_KILLS, course_from_now, follow, still_running
from kvopt.simulation.decisions import Decisions, Until, Wait
from kvopt.simulation.machine import Machine
from kvopt.theory.orders import RequestType

__all__ = ["FCFS", "keep_parameter", "run_fcfs"]


def keep_parameter() -> bool:
    """Declare the parameter `keep` of a policy."""
    keep: bool = parameter(False, yes_or_no, "whether killed requests keep their tokens: yes or no")
    return keep


@dataclass(frozen=True, slots=True, kw_only=True)
class FCFS(Policy):
    """FCFS: admit in order of arrival while the next round fits; on overflow kill the latest.

    The queue is ordered by (release, request).  At each time completions and releases come
    first, then kills: while the next round would overflow, the request admitted last is
    killed and put back at the front of the queue.  Then requests are admitted from the
    front while the next round fits; a request that was just killed may be admitted again
    at once.

    With skip=yes [our reading] all of the queue is gone through, and what fits in the next
    round is admitted; a request that has been passed K = passes times by later ones is not
    passed again.  With keep=yes a killed request keeps its tokens, as engines that preempt by
    recomputation do: with g tokens it goes on from s + g tokens of memory, and needs o - g
    more rounds.  That is another model, whose optimum can be lower.

    Guarantee: none; the ratio is unbounded.  With short prompts and long outputs it
    kills a great deal more than it completes.  Kills that follow each other while nothing
    else happens are worked out ahead, but not with keep=yes, as each attempt then makes
    progress and there are fewer.  Source: the scheduler of vLLM (Kwon et al. 2023, arXiv
    2309.06180), in the model of arXiv 2601.22996; the bypass is ours.

    Parameters
    ----------
    skip
        Whether later requests may pass one that does not fit.
    passes
        How often a request may be passed, with skip=yes, until it completes.
    keep
        Whether a killed request keeps its tokens.
    """

    name: ClassVar[str] = "fcfs"
    clairvoyant: ClassVar[bool] = False

    skip: bool = skip_parameter()
    passes: int = passes_parameter()
    keep: bool = keep_parameter()

    def __post_init__(self) -> None:
        Policy.__post_init__(self)
        check_passes(self.name, self.skip, self.passes)

    @property
    def keeps_tokens(self) -> bool:
        """True if a killed request keeps its tokens; see `Policy`."""
        return self.keep

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        if self.skip:
            return fcfs_with_bypass(machine, self.passes)
        return run_fcfs(machine, machine.memory)

    def cost_formula(self, compiled: Compiler) -> Cost | None:
        """Return the cost from round to round; see `Policy.cost_formula`."""
        return None if self.skip or self.keep else compiled(fcfs_cost)

    def worst_order(
        self, memory: int, requests: Sequence[RequestType], compiled: Compiler
    ) -> tuple[int, Sequence[RequestType]] | None:
        """Return the worst of all orders, tried in compiled code; see `Policy.worst_order`."""
        if self.skip or self.keep:
            return None
        types = sorted(set(requests))
        prompts, outputs = np.array(types, dtype=np.int64).T.copy()
        order = np.array(sorted(map(types.index, requests)), dtype=np.int64)
        worst = np.zeros_like(order)
        cost = compiled(worst_fcfs)(memory, prompts, outputs, worst, order)
        return int(cost), [types[k] for k in worst.tolist()]


def run_fcfs(machine: Machine, limit: int, clear: Callable[[], bool] | None = None) -> Decisions:
    """Admit requests in order up to a limit on the memory, and kill on overflow.

    Between completions the memory only grows, so nothing can be admitted, and the
    next kill is due when it reaches the budget.  When kills follow each other and nothing else
    happens, they are worked out ahead, ever more of them (see `overflow_course`).

    Parameters
    ----------
    machine
        The machine.
    limit
        A request is admitted if the next round then uses at most so much (tokens), or if
        nothing runs.
    clear
        Asked for each running request, on overflow, whether to kill it, until the next
        round fits; None to kill the one admitted last.
    """
    queue: deque[int] = deque()
    admitted: list[int] = []  # in order of admission; finished ones are dropped lazily
    kills = 0  # since something else happened
    while True:
        if len(arrivals := machine.arrivals()):
            queue.extend(arrivals.tolist())
            kills = 0
        while machine.memory_next_round() > machine.memory:
            admitted = [i for i in admitted if not machine.completed(i)] if clear else admitted
            cleared = [i for i in admitted if clear()] if clear else [admitted.pop()]
            if clear:
                admitted = [i for i in admitted if i not in cleared]
            kills += 1
            for i in sorted(cleared, key=lambda i: (machine.release(i), i), reverse=True):
                if not machine.completed(i):
                    machine.kill(i)
                    queue.appendleft(i)
        while queue and (
            machine.memory_next_round() + machine.held(queue[0]) < limit or not machine.running
        ):
            admitted.append(queue.popleft())
            machine.start(admitted[-1])
        rounds = machine.rounds_until_overflow()
        until = None if rounds is None else machine.now + rounds
        if kills < MANY_KILLS or clear or machine.keeps_tokens or not queue:
            # What arrives behind others that wait changes nothing.
            done = yield Wait(until, releases=not queue)
        else:
            admitted = [i for i in admitted if not machine.completed(i)]
            done = yield from _thrash(machine, limit, admitted, queue, kills)
            kills *= 2
        if len(done):
            kills = 0


def _thrash(
    machine: Machine, limit: int, admitted: list[int], queue: deque[int], kills: int
) -> Generator[Wait | Until, IntArray, IntArray]:
    """Foresee kills and starts, let them happen, and bring what runs and waits up to date."""
    order = np.array([*admitted, *queue], dtype=np.int64)
    course = course_from_now(machine, order, len(admitted), limit, kills)
    done = yield from follow(machine, order, course)
    running = still_running(machine, course)
    admitted[:] = order[:running].tolist()
    queue.clear()
    queue.extend(order[running:].tolist())
    return done


def fcfs_cost(memory: int, prompts: IntArray, outputs: IntArray) -> int:
    """Return the cost of FCFS: completions, kills of the latest, admissions, round by round."""
    n = outputs.shape[0]
    begun = np.zeros(n, dtype=np.int64)
    admitted = np.zeros(n, dtype=np.int64)
    queue = np.arange(n)
    head = running = total = now = used = 0  # used: memory in the next round
    while head < n or running:
        kept = 0
        for place in range(running):
            i = admitted[place]
            if begun[i] + outputs[i] == now:
                total += now
                used -= prompts[i] + outputs[i] + 1
            else:
                admitted[kept] = i
                kept += 1
        running = kept
        while used > memory:
            running -= 1
            i = admitted[running]
            used -= prompts[i] + now - begun[i] + 1
            head -= 1
            queue[head] = i
        while head < n and (used + prompts[queue[head]] < memory or running == 0):
            i = queue[head]
            admitted[running] = i
            begun[i] = now
            running += 1
            head += 1
            used += prompts[i] + 1
        now += 1
        used += running
    return total


def worst_fcfs(
    memory: int, prompts: IntArray, outputs: IntArray, worst: IntArray, order: IntArray
) -> int:
    """Return the largest cost of FCFS over all distinct orders.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    prompts, outputs
        Prompt and output lengths of each type of requests (tokens), shape (types,) each.
    worst
        Takes the types of the requests in the worst order, shape (n,).
    order
        The types of the requests, in ascending order, shape (n,); overwritten.
    """
    n = order.shape[0]
    most = -1
    while True:
        cost = fcfs_cost(memory, prompts[order], outputs[order])
        if cost > most:
            most = cost
            worst[:] = order
        # The next larger permutation, as in Knuth's algorithm L.
        i = n - 2
        while i >= 0 and order[i] >= order[i + 1]:
            i -= 1
        if i < 0:
            return most
        j = n - 1
        while order[j] <= order[i]:
            j -= 1
        order[i], order[j] = order[j], order[i]
        order[i + 1 :] = order[i + 1 :][::-1].copy()
