"""Slow, literal versions of the further policies, for checking fast ones.

Written like `textbook`, whose model they share: an instance is ``(memory, requests)``, and a
schedule is a list of attempts ``(request, start, end, killed)`` sorted by (start, request).
At a time t, that is after t rounds, completions and kills at the end of a slice come first, then
starts.

Sources: Feng, Yang, Zhang 2026 (arXiv 2601.22996) for GSA, GBA, GBA-D and GSA-Spec;
arXiv 2508.14544 for A-Max and A-Min; vLLM for what alpha-protection adds to; arXiv 2508.06133 for
Sorted-F; arXiv 2606.22327 for SVF; arXiv 2607.09248 for Rect, Response and Route.
"""

from fractions import Fraction
from functools import cache
from itertools import combinations, count
from math import ceil, floor

from textbook import (
    Attempt,
    Request,
    by_start,
    check,
    floor_power,
    gba,
    gsa,
    memory_by_round,
    pipeline_slots,
    run_one_by_one,
    run_pipeline,
)


def within_budget(memory: int, requests: list[Request], attempts: list[Attempt]) -> bool:
    """Tell whether no round uses more than the budget."""
    return max(memory_by_round(memory, requests, attempts), default=0) <= memory


def slot(requests: list[Request], i: int, start: int, length: int) -> Attempt:
    """Return the attempt of a request that is killed after `length` rounds if it still runs."""
    output = requests[i][1]
    return (i, start, start + min(output, length), output > length)


def area(prompt: int, output: int) -> int:
    """Return what a whole run uses, added up over its rounds."""
    return sum(prompt + j for j in range(1, output + 1))


def largest_prompt(requests: list[Request], members: list[int] | None = None) -> int:
    """Return the largest prompt of some requests, or of all."""
    return max(requests[i][0] for i in range(len(requests)) if members is None or i in members)


# --- How far apart a pipeline's starts are -----------------------------------------------------


@cache
def tight(memory: int, prompt: int, length: int) -> Fraction:
    """Return the smallest spacing d with which starts floor(0), floor(d), floor(2d), ... fit.

    The peak only changes where some j * d passes an integer a <= length, so d is one of the
    fractions a / j. At most memory // (prompt + 1) attempts run at a time, and length / d or more
    do, which limits j and d. Each candidate is run through two turns, round by round. (The peak
    is in round `length`: the attempt that started at 0 ends, and later gaps are never smaller.)
    """
    most = memory // (prompt + 1)
    candidates = {Fraction(a, j) for a in range(1, length + 1) for j in range(1, most + 1)}
    for spacing in sorted(candidates):
        if length / spacing > most:
            continue
        starts = [floor(i * spacing) for i in range(ceil(2 * length / spacing))]
        attempts = [(i, start, start + length, False) for i, start in enumerate(starts)]
        if within_budget(memory, [(prompt, length)] * len(starts), attempts):
            return spacing
    raise ValueError("not even one attempt fits")


@cache
def spacing_of(memory: int, prompt: int, length: int, rule: str) -> Fraction:
    """Return the distance between two starts of a pipeline, by one of the three rules."""
    if rule == "tight":
        return tight(memory, prompt, length)
    slots = pipeline_slots(memory, prompt, length)
    if rule == "sps2" and slots == 1:
        return Fraction(min(length, 2 * prompt + 2 * length - memory))
    if rule in ("sps", "sps2"):
        return Fraction(length, slots)
    raise ValueError(f"unknown spacing {rule}")


def slice_length(
    requests: list[Request],
    number: int,
    alpha: Fraction | int | str,
    beta: Fraction | int,
    rule: str,
) -> int:
    """Return slice or class end `number` (from 0), before it is capped.

    By the rule "area" it is the longest output whose area is at most (prompt + 1) * alpha ** number
    for the largest prompt of the instance; beta plays no part in it.
    """
    if rule == "alpha":
        return floor_power(alpha, number, beta)
    if rule != "area":
        raise ValueError(f"unknown slices {rule}")
    prompt = largest_prompt(requests)
    limit = floor_power(alpha, number, prompt + 1)
    length = 1
    while area(prompt, length + 1) <= limit:
        length += 1
    return length


# --- GSA and GBA with options ------------------------------------------------------------------


def run_spaced(
    memory: int,
    requests: list[Request],
    members: list[int],
    begin: int,
    length: int,
    spacing: str,
) -> tuple[list[Attempt], int]:
    """Give each member one slice of `length` rounds; return the attempts and the phase's end."""
    distance = spacing_of(memory, largest_prompt(requests, members), length, spacing)
    starts = [begin + floor(turn * distance) for turn in range(len(members))]
    attempts = [slot(requests, i, start, length) for i, start in zip(members, starts, strict=True)]
    return attempts, starts[-1] + length


def gsa_with(
    memory: int,
    requests: list[Request],
    alpha: Fraction | int | str,
    beta: Fraction | int = 1,
    spacing: str = "sps",
    slices: str = "alpha",
    drain: bool = True,
) -> list[Attempt]:
    """Run GSA(alpha, beta) with another spacing, other slices, or phases that overlap."""
    check(memory, requests, alpha)
    if not requests:
        return []
    if not drain:
        return gsa_undrained(memory, requests, alpha, beta, spacing, slices)
    attempts: list[Attempt] = []
    unfinished = list(range(len(requests)))
    now = previous = 0
    for phase in count():
        if not unfinished:
            break
        longest = memory - largest_prompt(requests, unfinished)
        length = min(slice_length(requests, phase, alpha, beta, slices), longest)
        if length == previous:
            continue
        ran, now = run_spaced(memory, requests, unfinished, now, length, spacing)
        attempts += ran
        unfinished = [i for i in unfinished if requests[i][1] > length]
        previous = length
        if length == longest:
            attempts += run_one_by_one(memory, requests, unfinished, now)
            break
    return by_start(attempts)


def gsa_undrained(
    memory: int,
    requests: list[Request],
    alpha: Fraction | int | str,
    beta: Fraction | int,
    spacing: str,
    slices: str,
) -> list[Attempt]:
    """Run GSA with each phase following on the one before.

    A request whose turn comes while its last slot lasts is waited for, until it completes or
    until the slot ends. One that completes exactly then has completed.
    """
    prompt = largest_prompt(requests)
    longest = memory - prompt
    lengths: list[int] = []
    for phase in count():
        length = min(slice_length(requests, phase, alpha, beta, slices), longest)
        if length > 0 and length not in lengths:
            lengths.append(length)
        if length == longest:
            break

    attempts: list[Attempt] = []
    last_start: dict[int, int] = {}
    completion: dict[int, int] = {}  # known to the policy from that time on
    x = Fraction(0)
    previous = last_slot = 0
    for length in lengths:
        for i in range(len(requests)):
            if i in completion and completion[i] <= floor(x):
                continue
            if i in last_start:
                slot_end = last_start[i] + previous
                if slot_end > floor(x):
                    if i in completion:
                        x = max(x, Fraction(completion[i]))
                        continue
                    x = max(x, Fraction(slot_end))
            start = floor(x)
            attempts.append(slot(requests, i, start, length))
            last_start[i] = start
            last_slot = max(last_slot, start + length)
            if requests[i][1] <= length:
                completion[i] = start + requests[i][1]
            x += spacing_of(memory, prompt, length, spacing)
        previous = length
    # What is left had a slot in the last phase, and no slot of an earlier phase ends later.
    left = [i for i in range(len(requests)) if i not in completion]
    attempts += run_one_by_one(memory, requests, left, last_slot)
    return by_start(attempts)


def gba_with(
    memory: int,
    requests: list[Request],
    alpha: Fraction | int | str,
    spacing: str = "sps",
    slices: str = "alpha",
    drain: bool = True,
) -> list[Attempt]:
    """Run GBA(alpha) with another spacing, other classes, or classes that overlap."""
    check(memory, requests, alpha)
    if not requests:
        return []
    if not drain:
        return gba_undrained(memory, requests, alpha, spacing, slices)
    attempts: list[Attempt] = []
    waiting = list(range(len(requests)))
    now = 0
    for number in count():
        if not waiting:
            break
        class_end = slice_length(requests, number, alpha, 1, slices)
        members = [i for i in waiting if requests[i][1] <= class_end]
        if not members:
            continue
        longest = memory - largest_prompt(requests, members)
        length = min(class_end, longest)
        members = [i for i in members if requests[i][1] <= length]
        ran, now = run_spaced(memory, requests, members, now, length, spacing)
        attempts += ran
        waiting = [i for i in waiting if i not in members]
        if length == longest:
            attempts += run_one_by_one(memory, requests, waiting, now)
            break
    return by_start(attempts)


def gba_undrained(
    memory: int,
    requests: list[Request],
    alpha: Fraction | int | str,
    spacing: str,
    slices: str,
) -> list[Attempt]:
    """Run GBA with each class following on the one before."""
    prompt = largest_prompt(requests)
    longest = memory - prompt
    attempts: list[Attempt] = []
    waiting = [i for i, (_, output) in enumerate(requests) if output <= longest]
    x = Fraction(0)
    last_slot = 0
    for number in count():
        if not waiting:
            break
        class_end = slice_length(requests, number, alpha, 1, slices)
        length = min(class_end, longest)
        for i in [i for i in waiting if requests[i][1] <= class_end]:
            start = floor(x)
            attempts.append((i, start, start + requests[i][1], False))
            last_slot = max(last_slot, start + length)
            x += spacing_of(memory, prompt, length, spacing)
            waiting.remove(i)
    left = [i for i, (_, output) in enumerate(requests) if output > longest]
    attempts += run_one_by_one(memory, requests, left, last_slot)
    return by_start(attempts)


# --- Runs that are never killed ----------------------------------------------------------------


def gba_d(memory: int, requests: list[Request], alpha: Fraction | int | str) -> list[Attempt]:
    """Run GBA-D(alpha): pull each request of GBA forward to where it fits beside all others."""
    plan = {attempt[0]: attempt for attempt in gba(memory, requests, alpha)}
    for i in sorted(plan, key=lambda i: (plan[i][1], i)):
        others = [plan[other] for other in plan if other != i]
        for start in count():
            plan[i] = (i, start, start + requests[i][1], False)
            if within_budget(memory, requests, [*others, plan[i]]):
                break
    return by_start(list(plan.values()))


def spt_pipeline(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run the shortest first, the starts as close as a tight pipeline of that length has them."""
    check(memory, requests)
    if not requests:
        return []
    prompt = largest_prompt(requests)
    order = sorted(range(len(requests)), key=lambda i: (requests[i][1], i))
    attempts: list[Attempt] = []
    x = Fraction(0)
    for i in order:
        output = requests[i][1]
        if output <= memory - prompt:
            attempts.append((i, floor(x), floor(x) + output, False))
            x += tight(memory, prompt, output)
    now = max(end for _, _, end, _ in attempts)
    for i in order:
        output = requests[i][1]
        if output > memory - prompt:
            attempts.append((i, now, now + output, False))
            now += output
    return by_start(attempts)


def place_in_order(memory: int, requests: list[Request], order: list[int]) -> list[Attempt]:
    """Start in this order, each as early as it fits, and not before its predecessor."""
    attempts: list[Attempt] = []
    start = 0
    for i in order:
        while not within_budget(
            memory, requests, [*attempts, (i, start, start + requests[i][1], False)]
        ):
            start += 1
        attempts.append((i, start, start + requests[i][1], False))
    return by_start(attempts)


def svf(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run the smallest area first."""
    check(memory, requests)
    return place_in_order(
        memory, requests, sorted(range(len(requests)), key=lambda i: (area(*requests[i]), i))
    )


def sorted_f(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run Sorted-F: time and again the set that can start together with the least sum / number^2.

    Of up to 10 requests every subset is looked at. Of more, requests are added one by one.
    """
    check(memory, requests)

    def startable(chosen: list[int]) -> bool:
        together = [(i, 0, requests[i][1], False) for i in chosen]
        return within_budget(memory, requests, together)

    def measure(chosen: list[int]) -> Fraction:
        return Fraction(sum(requests[i][1] for i in chosen), len(chosen) ** 2)

    order: list[int] = []
    left = list(range(len(requests)))
    while left:
        if len(left) <= 10:
            subsets = [
                list(chosen)
                for size in range(1, len(left) + 1)
                for chosen in combinations(left, size)
                if startable(list(chosen))
            ]
            best = min(subsets, key=lambda chosen: (measure(chosen), -len(chosen), chosen))
        else:
            best = []
            for i in sorted(left, key=lambda i: (requests[i][1], requests[i][0], i)):
                longer = [*best, i]
                if not best or (startable(longer) and measure(longer) < measure(best)):
                    best = longer
        order += sorted(best, key=lambda i: (requests[i][1], i))
        left = [i for i in left if i not in best]
    return place_in_order(memory, requests, order)


# --- Policies with predicted intervals ---------------------------------------------------------


def interval(memory: int, request: Request, width: Fraction | int | None) -> tuple[int, int]:
    """Return the least and the greatest output a policy is told to expect."""
    prompt, output = request
    if width is None:
        return 1, memory - prompt
    return max(1, ceil(output / Fraction(width))), min(floor(output * width), memory - prompt)


def a_max(
    memory: int, requests: list[Request], width: Fraction | int | None = None
) -> list[Attempt]:
    """Run A-Max: MC-SF that takes each output to be the greatest of its interval."""
    check(memory, requests)
    greatest = [interval(memory, request, width)[1] for request in requests]
    attempts: list[Attempt] = []
    running: dict[int, int] = {}  # request -> start
    waiting = sorted(range(len(requests)), key=lambda i: (greatest[i], i))
    for now in count():
        done = [i for i, start in running.items() if start + requests[i][1] == now]
        attempts += [(i, running.pop(i), now, False) for i in done]
        while waiting:
            longer = {**running, waiting[0]: now}
            assumed = [(i, start, start + greatest[i], False) for i, start in longer.items()]
            # Rounds of the past, which these did not use alone, are within the budget anyway.
            if not within_budget(memory, requests, assumed):
                break
            running = longer
            waiting.pop(0)
        if not running:
            return by_start(attempts)
    raise AssertionError("unreachable")


def a_min(
    memory: int, requests: list[Request], width: Fraction | int | None = None
) -> list[Attempt]:
    """Run A-Min: take each output to be the least it can be, and evict when that was too little."""
    check(memory, requests)
    estimate = [interval(memory, request, width)[0] for request in requests]
    attempts: list[Attempt] = []
    running: dict[int, int] = {}  # request -> start
    waiting = set(range(len(requests)))
    for now in count():
        done = [i for i, start in running.items() if start + requests[i][1] == now]
        attempts += [(i, running.pop(i), now, False) for i in done]
        while sum(requests[i][0] + now + 1 - start for i, start in running.items()) > memory:
            i = min(running, key=lambda i: (estimate[i], i))
            start = running.pop(i)
            attempts.append((i, start, now, True))
            estimate[i] = max(estimate[i], now - start)
            waiting.add(i)
        for i in sorted(waiting, key=lambda i: (estimate[i], i)):
            longer = {**running, i: now}
            used_in = {
                round_: sum(
                    requests[other][0] + round_ - start
                    for other, start in longer.items()
                    if round_ <= start + max(estimate[other], now - start + 1)
                )
                for round_ in range(now + 1, now + memory + 1)
            }
            if max(used_in.values()) > memory:
                break
            running = longer
            waiting.remove(i)
        if not running:
            return by_start(attempts)
    raise AssertionError("unreachable")


def alpha_protection(memory: int, requests: list[Request], a: Fraction) -> list[Attempt]:
    """Run FCFS that leaves a share of the memory free when it admits, unless nothing runs."""
    check(memory, requests)
    attempts: list[Attempt] = []
    queue = list(range(len(requests)))
    running: list[tuple[int, int]] = []  # (request, start), oldest admission first
    now = 0

    def next_round() -> int:
        return sum(requests[i][0] + now + 1 - start for i, start in running)

    while queue or running:
        for i, start in running:
            if start + requests[i][1] == now:
                attempts.append((i, start, now, False))
        running = [(i, start) for i, start in running if start + requests[i][1] > now]
        while next_round() > memory:
            i, start = running.pop()
            attempts.append((i, start, now, True))
            queue.insert(0, i)
        while queue and (
            not running or next_round() + requests[queue[0]][0] + 1 <= (1 - a) * memory
        ):
            running.append((queue.pop(0), now))
        now += 1
    return by_start(attempts)


# --- Rect, Response and Route ------------------------------------------------------------------


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


def rect(memory: int, requests: list[Request]) -> list[Attempt]:
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
        for i in in_key_order(memory, requests, waiting, rungs):
            if sum(widths[other] for other, _, _, _ in running) + widths[i] <= memory:
                age = rectangle(memory, requests[i][0], rungs[i])[1]
                running.append(slot(requests, i, now, age))
                waiting.remove(i)
        if not running:
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


def response(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run Response: slices 1, 2, 4, ..., each for the unfinished with a prompt below it."""
    check(memory, requests)
    attempts: list[Attempt] = []
    unfinished = list(range(len(requests)))
    now = 0
    for phase in count():
        if not unfinished:
            return by_start(attempts)
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


def route(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run Route: windows of 1, 2, 4, ... rounds for each of three classes, one after another.

    A window in which nothing starts takes no time.
    """
    check(memory, requests)
    attempts: list[Attempt] = []
    rungs = [0] * len(requests)
    waiting = set(range(len(requests)))
    now = 0
    for number in count():
        for window in (prompt_heavy_window, response_heavy_window, large_window):
            if not waiting:
                return by_start(attempts)
            ran = window(memory, requests, waiting, rungs, now, now + 2**number)
            attempts += ran
            if ran:
                now += 2**number
    raise AssertionError("unreachable")


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
) -> list[Attempt]:
    """Run pipelines of the response-heavy requests of one rung, the lowest that can start."""
    attempts: list[Attempt] = []
    now = begin
    while True:
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


# --- GSA-Spec ----------------------------------------------------------------------------------


def gsa_spec(
    memory: int, requests: list[Request], alpha: Fraction | int | str, beta: Fraction | int = 1
) -> list[Attempt]:
    """Run GSA-Spec(alpha, beta): GSA's plan, with speculative attempts in the memory it leaves.

    The plan's attempts keep their starts. Those of a request that completed in a speculative
    attempt are left out, and nothing takes their place.
    """
    plan = gsa(memory, requests, alpha, beta)
    attempts: list[Attempt] = []
    unfinished = set(range(len(requests)))
    base: dict[int, Attempt] = {}  # running attempts of the plan
    speculative: dict[int, int] = {}  # request -> start
    now = 0

    def next_round() -> int:
        starts = {i: attempt[1] for i, attempt in base.items()} | speculative
        return sum(requests[i][0] + now + 1 - start for i, start in starts.items())

    while unfinished:
        for i, attempt in list(base.items()):
            if attempt[2] == now:
                attempts.append(base.pop(i))
                if not attempt[3]:
                    unfinished.remove(i)
        for i, start in list(speculative.items()):
            if start + requests[i][1] == now:
                attempts.append((i, speculative.pop(i), now, False))
                unfinished.remove(i)
        for attempt in plan:
            i, start, _, _ = attempt
            if start == now and i in unfinished:
                if i in speculative:
                    attempts.append((i, speculative.pop(i), now, True))
                base[i] = attempt
        while next_round() > memory:
            i = max(speculative, key=lambda i: (speculative[i], i))
            attempts.append((i, speculative.pop(i), now, True))
        for i in sorted(unfinished):
            if i not in base and i not in speculative:
                if next_round() + requests[i][0] + 1 > memory:
                    break
                speculative[i] = now
        now += 1
    return by_start(attempts)
