"""Rect, Response and Route, literally (arXiv 2607.09248)."""

from collections.abc import Callable
from fractions import Fraction
from itertools import count
from math import floor

from oracles.batches import Batch, in_batches
from oracles.model import Attempt, Request, by_start, check, largest_prompt, slot
from oracles.pipelines import pipeline_slots, run_pipeline


def prompt_dominates(prompt: int, rung: int) -> bool:
    """Tell whether the prompt is still what a request mostly uses memory for."""
    return prompt >= 1 if rung == 0 else 2 ** (rung - 1) < prompt


def rectangle(memory: int, prompt: int, rung: int) -> tuple[int, int, int]:
    """Return the width reserved for an attempt, the age at which it is killed, and its key."""
    if prompt_dominates(prompt, rung):
        width = min(2 * prompt, memory)
        return width, min(2**rung, prompt, memory - prompt), 2 * prompt * 2**rung
    age = min(2**rung, memory - prompt)
    return prompt + age, age, (prompt + age) * 2**rung


def rect(memory: int, requests: list[Request], releases: list[int]) -> list[Attempt]:
    """Run Rect: pack rectangles, the smallest first, and double the age of what is killed."""
    check(memory, requests)
    attempts: list[Attempt] = []
    rungs = [0] * len(requests)
    waiting = set(range(len(requests)))
    running: list[Attempt] = []
    for now in count():
        for attempt in [attempt for attempt in running if attempt[2] == now]:
            running.remove(attempt)
            end_attempt(attempt, attempts, waiting, rungs)
        widths = {
            i: rectangle(memory, prompt, rungs[i])[0] for i, (prompt, _) in enumerate(requests)
        }
        released = {i for i in waiting if releases[i] <= now}
        for i in in_key_order(memory, requests, released, rungs):
            if sum(widths[other] for other, _, _, _ in running) + widths[i] <= memory:
                age = rectangle(memory, requests[i][0], rungs[i])[1]
                running.append(slot(requests, i, now, age))
                waiting.remove(i)
        if not running and not waiting:
            return by_start(attempts)
    raise AssertionError("unreachable")


def in_key_order(
    memory: int, requests: list[Request], waiting: set[int], rungs: list[int]
) -> list[int]:
    """Sort waiting requests by the key of their next rectangle."""
    return sorted(waiting, key=lambda i: (rectangle(memory, requests[i][0], rungs[i])[2], i))


def end_attempt(
    attempt: Attempt,
    attempts: list[Attempt],
    waiting: set[int],
    rungs: list[int],
) -> None:
    """Take note of the end of an attempt; a killed one makes its request wait, a rung higher."""
    i, _, _, killed = attempt
    attempts.append(attempt)
    if killed:
        rungs[i] += 1
        waiting.add(i)


def response(memory: int, requests: list[Request], releases: list[int]) -> list[Attempt]:
    """Run Response, batch by batch."""
    return in_batches(requests, releases, lambda batch: response_batch(memory, batch))


def response_batch(memory: int, requests: list[Request]) -> Batch:
    """Run slices 1, 2, 4, ..., each for the unfinished with a prompt below it."""
    check(memory, requests)
    attempts: list[Attempt] = []
    unfinished = list(range(len(requests)))
    now = 0
    for phase in count():
        if not unfinished:
            return by_start(attempts), now
        length = 2**phase
        members = [i for i in unfinished if requests[i][0] < length]
        if not members:
            continue
        if length <= memory - largest_prompt(requests, members):
            ran, now = run_pipeline(memory, requests, members, now, length)
        else:
            ran = []
            for i in members:
                alone = min(length, memory - requests[i][0])
                ran.append(slot(requests, i, now, alone))
                now += alone
        attempts += ran
        completed = {i for i, _, _, killed in ran if not killed}
        unfinished = [i for i in unfinished if i not in completed]
    raise AssertionError("unreachable")


def route(memory: int, requests: list[Request], releases: list[int]) -> list[Attempt]:
    """Run Route: windows of 1, 2, 4, ... rounds for each of three classes, one after another.

    A window in which nothing starts takes no time. When all that was released has completed,
    the next release begins with windows of 1 again. What is released during a window of
    prompt-heavy or of large requests waits for the next one.
    """
    check(memory, requests)
    attempts: list[Attempt] = []
    rungs = [0] * len(requests)
    to_come = set(range(len(requests)))
    waiting: set[int] = set()
    now = number = 0

    def release(until: int) -> None:
        for i in [i for i in to_come if releases[i] <= until]:
            to_come.remove(i)
            waiting.add(i)

    while waiting or to_come:
        release(now)
        if not waiting:
            number = 0
            now += 1
            continue
        for window in (prompt_heavy_window, response_heavy_window, large_window):
            release(now)
            ran = window(memory, requests, waiting, rungs, now, now + 2**number, release)
            attempts += ran
            if ran:
                now += 2**number
        number += 1
    return by_start(attempts)


def of_class(
    memory: int, requests: list[Request], waiting: set[int], rungs: list[int], name: str
) -> list[int]:
    """Return the waiting requests that are in a class at present, in request order."""

    def class_of(i: int) -> str:
        prompt = requests[i][0]
        if 4 * prompt > memory:
            return "large"
        return "prompt-heavy" if prompt_dominates(prompt, rungs[i]) else "response-heavy"

    return [i for i in sorted(waiting) if class_of(i) == name]


def prompt_heavy_window(
    memory: int,
    requests: list[Request],
    waiting: set[int],
    rungs: list[int],
    begin: int,
    end: int,
    release: Callable[[int], None],
) -> list[Attempt]:
    """Run Rect on the prompt-heavy requests, as long as their kill ages end within the window."""
    attempts: list[Attempt] = []
    running: list[Attempt] = []
    for now in range(begin, end + 1):
        for attempt in [attempt for attempt in running if attempt[2] == now]:
            running.remove(attempt)
            end_attempt(attempt, attempts, waiting, rungs)
        members = of_class(memory, requests, waiting, rungs, "prompt-heavy")
        for i in in_key_order(memory, requests, set(members), rungs):
            width, age, _ = rectangle(memory, requests[i][0], rungs[i])
            reserved = sum(
                rectangle(memory, requests[other][0], rungs[other])[0] for other, _, _, _ in running
            )
            if reserved + width <= memory and now + age <= end:
                running.append(slot(requests, i, now, age))
                waiting.remove(i)
    return attempts


def response_heavy_window(
    memory: int,
    requests: list[Request],
    waiting: set[int],
    rungs: list[int],
    begin: int,
    end: int,
    release: Callable[[int], None],
) -> list[Attempt]:
    """Run pipelines of the response-heavy requests of one rung, the lowest that can start."""
    attempts: list[Attempt] = []
    now = begin
    while True:
        release(now)
        members = of_class(memory, requests, waiting, rungs, "response-heavy")
        slots: list[tuple[int, int, int]] = []  # (request, start, length)
        for rung in sorted({rungs[i] for i in members}):
            group = [i for i in members if rungs[i] == rung]
            length = 2**rung
            prompt = largest_prompt(requests, group)
            if length <= memory - prompt:
                distance = Fraction(length, pipeline_slots(memory, prompt, length))
                slots = [(i, now + floor(j * distance), length) for j, i in enumerate(group)]
            else:
                slots = [(group[0], now, min(length, memory - requests[group[0]][0]))]
            slots = [(i, start, alone) for i, start, alone in slots if start + alone <= end]
            if slots:
                break
        if not slots:
            return attempts
        for i, start, length in slots:
            waiting.remove(i)
            end_attempt(slot(requests, i, start, length), attempts, waiting, rungs)
        now = max(start + length for _, start, length in slots)


def large_window(
    memory: int,
    requests: list[Request],
    waiting: set[int],
    rungs: list[int],
    begin: int,
    end: int,
    release: Callable[[int], None],
) -> list[Attempt]:
    """Run large requests alone, the lowest rung first, each until it completes or is killed."""
    attempts: list[Attempt] = []
    now = begin
    while True:
        members = of_class(memory, requests, waiting, rungs, "large")
        for i in sorted(members, key=lambda i: (rungs[i], i)):
            age = min(2 ** rungs[i], memory - requests[i][0])
            if now + age <= end:
                break
        else:
            return attempts
        attempt = slot(requests, i, now, age)
        waiting.remove(i)
        end_attempt(attempt, attempts, waiting, rungs)
        now = attempt[2]
