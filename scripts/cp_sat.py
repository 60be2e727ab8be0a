"""CP-SAT on instances without releases, in a process of its own.

ortools and highspy cannot be loaded in one process: `CpSat` starts this file and talks to it in
lines of JSON. There are two models. In the first a request is an interval of one round for each
token, with growing demands on a cumulative resource. In the second nothing depends on rounds: for
each pair a literal says whether one runs at the completion of the other, and memory is asked for
at completions only (proofs/text/model.md, lemma 3).
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kvopt import Instance
    from kvopt.model.instance import IntArray
    from kvopt.solver.result import Result

__all__ = ["CpSat"]

Pairs = list[list[int]]
"""Prompt and output of each request (tokens)."""


class CpSat:
    """CP-SAT in another process, which reads instances and writes starts and bounds.

    Parameters
    ----------
    model
        "rounds" or "completions".
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, instance: Instance, known: IntArray, limit: float) -> Result:
        """Send the instance over, and check what comes back.

        Parameters
        ----------
        instance
            The instance.
        known
            Starts of a feasible schedule (rounds), shape (n,).
        limit
            Seconds of processor time.
        """
        from kvopt.solver.params import SolverParams
        from kvopt.solver.result import Bound
        from kvopt.solver.stage import Incumbent

        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, __file__], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pairs = [[r.prompt, r.output] for r in instance]
        task = {"model": self.model, "memory": instance.memory, "pairs": pairs, "limit": limit}
        print(json.dumps(task | {"known": known.tolist()}), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        starts, bound, seconds = answer["starts"], answer["bound"], answer["seconds"]
        state = Incumbent(instance, SolverParams())
        state.offer(starts or known)
        state.prove(Bound(bound, "cp-sat"))
        return replace(state.result(), seconds=seconds)


def start_variables(model: Any, pairs: Pairs, known: list[int]) -> list[Any]:
    """Return a start for each request, with hints; identical requests start in order."""
    horizon = sum(output for _, output in pairs)
    starts = []
    last: dict[tuple[int, int], Any] = {}
    hints: dict[tuple[int, int], list[int]] = {}
    for (prompt, output), start in zip(pairs, known, strict=True):
        hints.setdefault((prompt, output), []).append(start)
    for times in hints.values():
        times.sort(reverse=True)
    for prompt, output in pairs:
        start = model.new_int_var(0, horizon - output, "")
        model.add_hint(start, hints[prompt, output].pop())
        if (prompt, output) in last:
            model.add(last[prompt, output] <= start)
        last[prompt, output] = start
        starts.append(start)
    return starts


def memory_in_rounds(model: Any, pairs: Pairs, starts: list[Any], memory: int) -> None:
    """Require that memory suffices in every round: an interval for every round of a request."""
    intervals, demands = [], []
    for (prompt, output), start in zip(pairs, starts, strict=True):
        for j in range(output):
            intervals.append(model.new_fixed_size_interval_var(start + j, 1, ""))
            demands.append(prompt + j + 1)
    model.add_cumulative(intervals, demands, memory)


def memory_at_completions(model: Any, pairs: Pairs, starts: list[Any], memory: int) -> None:
    """Require that memory suffices in the round of each completion, which is enough."""
    for j, (prompt, output) in enumerate(pairs):
        held = []
        for k, (other_prompt, other_output) in enumerate(pairs):
            if k == j:
                continue
            before, running, after = (model.new_bool_var("") for _ in range(3))
            model.add_exactly_one(before, running, after)
            ahead = starts[j] + output - starts[k]  # rounds of k by the completion of j
            model.add(ahead >= other_output + 1).only_enforce_if(before)
            model.add(ahead >= 1).only_enforce_if(running)
            model.add(ahead <= other_output).only_enforce_if(running)
            model.add(ahead <= 0).only_enforce_if(after)
            tokens = model.new_int_var(0, other_prompt + other_output, "")
            model.add(tokens >= other_prompt + ahead).only_enforce_if(running)
            held.append(tokens)
        model.add(sum(held) <= memory - prompt - output)


def answer_to(task: dict[str, Any]) -> dict[str, Any]:
    """Solve one instance with one worker, and return starts, bound and seconds of the processor."""
    from ortools.sat.python import cp_model

    began = time.process_time()
    model = cp_model.CpModel()
    starts = start_variables(model, task["pairs"], task["known"])
    constrain = {"rounds": memory_in_rounds, "completions": memory_at_completions}[task["model"]]
    constrain(model, task["pairs"], starts, task["memory"])
    model.minimize(sum(starts) + sum(output for _, output in task["pairs"]))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            if time.process_time() - began > task["limit"]:
                solver.stop_search()

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = solver.solve(model)
    ended.set()
    watcher.join()
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return {
        "starts": [solver.value(start) for start in starts] if found else None,
        "bound": max(0, math.ceil(solver.best_objective_bound - 1e-6)),
        "seconds": time.process_time() - began,
    }


def main() -> None:
    """Solve what comes in on standard input, a line each."""
    for line in sys.stdin:
        print(json.dumps(answer_to(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
