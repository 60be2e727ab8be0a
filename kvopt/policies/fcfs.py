"""FCFS: first come, first served, with preemption by recomputation as in vLLM."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from kvopt.policies.policy import Policy
from kvopt.simulation.machine import Decisions, Machine, Wait

__all__ = ["FCFS", "run_fcfs"]


@dataclass(frozen=True, slots=True)
class FCFS(Policy):
    """FCFS: admit in request order while the next round fits; on overflow kill the latest.

    At each time completions come first, then kills: while the next round would
    overflow, the request admitted last is killed and put back at the front of the
    queue.  Then requests are admitted from the front while the next round fits;
    a request that was just killed may be admitted again at once.

    Guarantee: none; the ratio is unbounded.  With short prompts and long outputs it
    kills a great deal more than it completes.  Source: the scheduler of vLLM (Kwon et al.
    2023, arXiv 2309.06180), in the model of arXiv 2601.22996.
    """

    name: ClassVar[str] = "fcfs"
    clairvoyant: ClassVar[bool] = False

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        return run_fcfs(machine, machine.memory)


def run_fcfs(machine: Machine, limit: int, clear: Callable[[], bool] | None = None) -> Decisions:
    """Admit requests in order up to a limit on the memory, and kill on overflow.

    Between completions the memory only grows, so nothing can be admitted, and the
    next kill is due when it reaches the budget.

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
    queue = deque(range(len(machine)))
    admitted: list[int] = []  # in order of admission; finished ones are dropped lazily
    prompts = machine.prompts.tolist()
    while True:
        while machine.memory_next_round() > machine.memory:
            admitted = [i for i in admitted if not machine.finished[i]] if clear else admitted
            cleared = [i for i in admitted if clear()] if clear else [admitted.pop()]
            if clear:
                admitted = [i for i in admitted if i not in cleared]
            for i in sorted(cleared, reverse=True):
                if not machine.finished[i]:
                    machine.kill(i)
                    queue.appendleft(i)
        while queue and (
            machine.memory_next_round() + prompts[queue[0]] < limit or not machine.running
        ):
            admitted.append(queue.popleft())
            machine.start(admitted[-1])
        rounds = machine.rounds_until_overflow()
        if rounds is None:
            return
        yield Wait(until=machine.now + rounds)
