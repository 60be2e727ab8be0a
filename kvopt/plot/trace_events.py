"""Schedules as trace events, for ui.perfetto.dev and other viewers of traces.

The format is the JSON object form of the Trace Event Format (Google; the
document "Trace Event Format" of the Catapult project).  Viewers know seconds,
not rounds: **one round is shown as 1 ms**.  Each schedule is a process and each
lane a thread; attempts are complete events (ph "X"), memory in use, its budget
and the completed requests are counters (ph "C").  With release times, each release is an instant
event (ph "i"), and the number of waiting requests a counter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.memory_profile import MemoryProfile
from kvopt.model.schedule import Schedule
from kvopt.plot.shapes import Run, completion_curve, instances_of, lanes, queue_curve, summary

__all__ = ["trace_text"]

MICROSECONDS = 1000
"""Microseconds, the unit of the format, that stand for one round."""

MAX_ROUNDS = 200_000
"""Up to this many rounds the memory is given for each; else for the ends of its pieces."""


def trace_text(runs: Sequence[Run]) -> str:
    """Return a trace file with the attempts, memory and completions of schedules."""
    events = (event for pid, run in enumerate(runs, 1) for event in _events(run, pid))
    about = {
        "producer": "kvopt",
        "unit": "1 round is shown as 1 ms",
        "instances": [instance.name for instance in instances_of(runs)],
    }
    lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in events)
    head = f'{{"displayTimeUnit":"ms","otherData":{json.dumps(about)},"traceEvents":[\n'
    return head + lines + "\n]}\n"


def _events(run: Run, pid: int) -> Iterator[dict[str, Any]]:
    schedule, instance = run.schedule, run.schedule.instance

    def named(kind: str, tid: int, **args: Any) -> dict[str, Any]:
        return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "ts": 0, "args": args}

    def counter(name: str, time: int, **args: int) -> dict[str, Any]:
        time *= MICROSECONDS
        return {"ph": "C", "name": name, "pid": pid, "tid": 0, "ts": time, "args": args}

    yield named("process_name", 0, name=f"{run.label}: {summary(schedule)}")
    yield named("process_sort_index", 0, sort_index=pid)
    lane = lanes(schedule.start, schedule.end)
    for i in range(int(lane.max(initial=-1)) + 1):  # thread 0 is special to some viewers
        yield named("thread_name", i + 1, name=f"lane {i}")
        yield named("thread_sort_index", i + 1, sort_index=i + 1)

    prompts = instance.prompts[schedule.request].tolist()
    outputs = instance.outputs[schedule.request].tolist()
    releases = instance.releases
    for attempt, i, prompt, output in zip(schedule, lane.tolist(), prompts, outputs, strict=True):
        yield {
            "ph": "X",
            "name": f"request {attempt.request}" + (" (killed)" if attempt.killed else ""),
            "cat": "killed" if attempt.killed else "completed",
            "pid": pid,
            "tid": i + 1,
            "ts": attempt.start * MICROSECONDS,
            "dur": (attempt.end - attempt.start) * MICROSECONDS,
            "args": {
                "request": attempt.request,
                "prompt": prompt,
                "output": output,
                "killed": attempt.killed,
                "start": attempt.start,
                "end": attempt.end,
                **({"tokens_at_start": attempt.tokens} if schedule.keeps_tokens else {}),
                **({"release": int(releases[attempt.request])} if instance.has_releases else {}),
            },
        }
    if instance.has_releases:
        yield from _arrivals(schedule, pid)

    profile = schedule.memory_profile()
    rounds, used = _memory(profile)
    for round, tokens in zip(rounds.tolist(), used.tolist(), strict=True):
        yield counter("memory in use (tokens)", round - 1, tokens=tokens)
    for time in (0, schedule.makespan):
        yield counter("memory budget (tokens)", time, tokens=instance.memory)
    times, counts = completion_curve(schedule, len(schedule) + 2)
    for time, count in zip(times.tolist(), counts.tolist(), strict=True):
        yield counter("completed (requests)", time, requests=count)


def _arrivals(schedule: Schedule, pid: int) -> Iterator[dict[str, Any]]:
    """Yield an instant event for each release, and a counter of the requests that wait."""
    for request, release in enumerate(schedule.instance.releases.tolist()):
        yield {
            "ph": "i",
            "s": "p",
            "name": f"request {request} released",
            "cat": "released",
            "pid": pid,
            "tid": 0,
            "ts": release * MICROSECONDS,
            "args": {"request": request},
        }
    for time, waiting in zip(*(c.tolist() for c in queue_curve(schedule)), strict=True):
        yield {
            "ph": "C",
            "name": "waiting (requests)",
            "pid": pid,
            "tid": 0,
            "ts": time * MICROSECONDS,
            "args": {"requests": waiting},
        }


def _memory(profile: MemoryProfile) -> tuple[IntArray, IntArray]:
    """Return rounds, and the memory in use from each of them on (tokens)."""
    first, last = profile.times[:-1] + 1, profile.times[1:]
    if not len(first):
        return first, last
    if last[-1] - first[0] < MAX_ROUNDS:
        rounds = np.arange(first[0], last[-1] + 1)
        piece = np.searchsorted(last, rounds)
        used = profile.last[piece] - profile.running[piece] * (last[piece] - rounds)
    else:
        longer = first < last
        rounds = np.concatenate((first, last[longer]))
        used = np.concatenate((profile.first, profile.last[longer]))
        order = np.argsort(rounds, kind="stable")
        rounds, used = rounds[order], used[order]
    return np.append(rounds, last[-1] + 1), np.append(used, 0)
