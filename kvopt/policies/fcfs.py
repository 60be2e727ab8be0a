"""FCFS: first come, first served, with preemption by recomputation as in vLLM."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from kvopt.machine import Decisions, Machine, Wait
from kvopt.policies.policy import Policy

__all__ = ["FCFS"]


@dataclass(frozen=True, slots=True)
class FCFS(Policy):
    """FCFS: admit in request order while the next round fits; on overflow kill the latest.

    At each time completions come first, then kills: while the next round would
    overflow, the request admitted last is killed and put back at the front of the
    queue.  Then requests are admitted from the front while the next round fits;
    a request that was just killed may be admitted again at once.

    Between completions the memory only grows, so nothing can be admitted, and the
    next kill is due when it reaches the budget.

    Guarantee: none; the ratio is unbounded.  Source: the scheduler of vLLM (Kwon
    et al. 2023, arXiv 2309.06180), in the model of arXiv 2601.22996.
    """

    name: ClassVar[str] = "fcfs"
    clairvoyant: ClassVar[bool] = False

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        queue = deque(range(len(machine)))
        admitted: list[int] = []  # in order of admission; finished ones are dropped lazily
        prompts = machine.prompts.tolist()
        while True:
            while machine.memory_next_round() > machine.memory:
                latest = admitted.pop()
                if not machine.finished[latest]:
                    machine.kill(latest)
                    queue.appendleft(latest)
            while queue and machine.memory_next_round() + prompts[queue[0]] < machine.memory:
                admitted.append(queue.popleft())
                machine.start(admitted[-1])
            rounds = machine.rounds_until_overflow()
            if rounds is None:
                return
            yield Wait(until=machine.now + rounds)
