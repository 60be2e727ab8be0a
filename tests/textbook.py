"""Slow, literal versions of the model and of four policies, for checking fast ones.

An instance is ``(memory, requests)``, where ``requests`` is a list of pairs (prompt, output).
A schedule is a list of attempts ``(request, start, end, killed)`` sorted by (start, request).
An attempt that starts at time p uses prompt + j units of memory in its j-th round, round p + j.

Sources: Feng, Yang, Zhang 2026 (arXiv 2601.22996) for the model, GSA and GBA;
arXiv 2502.07115 for MC-SF; vLLM for FCFS.
"""

from fractions import Fraction
from functools import cache
from itertools import count
from math import isqrt

Request = tuple[int, int]
Attempt = tuple[int, int, int, bool]

# Irrational alphas (a + b * sqrt(c)) / d, as (a, b, c, d).
SURDS = {"phi": (1, 1, 5, 2), "(7+sqrt(13))/6": (7, 1, 13, 6)}


def total_completion_time(attempts: list[Attempt]) -> int:
    """Add up the completion times; killed attempts do not count."""
    return sum(end for _, _, end, killed in attempts if not killed)


def memory_by_round(memory: int, requests: list[Request], attempts: list[Attempt]) -> list[int]:
    """Return the memory used in rounds 1, 2, ..., whether or not it is within the budget.

    The budget itself plays no part; it is there because it belongs to the instance.
    """
    used = [0] * max((end for _, _, end, _ in attempts), default=0)
    for request, start, end, _ in attempts:
        prompt, _ = requests[request]
        for round_ in range(start + 1, end + 1):
            used[round_ - 1] += prompt + round_ - start
    return used


# --- GSA and GBA ------------------------------------------------------------------------------


def floor_power(alpha: Fraction | int | str, exponent: int, beta: Fraction | int = 1) -> int:
    """Return floor(beta * alpha ** exponent) exactly.

    alpha = (a + b sqrt(c)) / d gives alpha^p = (A + B sqrt(c)) / d^p with integers A, B >= 0.
    For integers x, y >= 0 and n >= 1, floor((x + sqrt(y)) / n) = (x + isqrt(y)) // n, because
    the multiples of n are integers. So there is no rounding anywhere.

    >>> [floor_power("phi", p) for p in range(8)]
    [1, 1, 2, 4, 6, 11, 17, 29]
    """
    if isinstance(alpha, str):
        a, b, c, d = SURDS[alpha]
    else:
        a, b, c, d = Fraction(alpha).numerator, 0, 0, Fraction(alpha).denominator
    whole, root = 1, 0
    for _ in range(exponent):
        whole, root = a * whole + b * c * root, b * whole + a * root
    top, bottom = Fraction(beta).numerator, Fraction(beta).denominator
    return (top * whole + isqrt(c * (top * root) ** 2)) // (bottom * d**exponent)


def stagger(begin: int, number: int, length: int, slots: int) -> list[int]:
    """Return the start times of a staggered pipeline of `number` attempts of `length` rounds."""
    return [begin + i * length // slots for i in range(number)]


@cache
def pipeline_slots(memory: int, prompt: int, length: int) -> int:
    """Return the largest number of slots whose full pipeline stays within the budget.

    Each candidate is run through several whole turns, round by round, to see its peak.
    """
    if prompt + length > memory:
        raise ValueError("not even one attempt fits")
    for slots in count(2):
        starts = stagger(0, 4 * slots, length, slots)
        attempts = [(i, start, start + length, False) for i, start in enumerate(starts)]
        if max(memory_by_round(memory, [(prompt, length)] * len(starts), attempts)) > memory:
            return slots - 1
    raise AssertionError("unreachable")


def run_pipeline(
    memory: int, requests: list[Request], members: list[int], begin: int, length: int
) -> tuple[list[Attempt], int]:
    """Give each member one slice of `length` rounds; return the attempts and the phase's end."""
    prompt = max(requests[i][0] for i in members)
    slots = pipeline_slots(memory, prompt, length)
    starts = stagger(begin, len(members), length, slots)
    attempts = [
        (i, start, start + min(requests[i][1], length), requests[i][1] > length)
        for i, start in zip(members, starts, strict=True)
    ]
    return attempts, starts[-1] + length


def run_one_by_one(
    memory: int, requests: list[Request], members: list[int], begin: int
) -> list[Attempt]:
    """Run the members one at a time, each in a slot long enough for anything that can fit."""
    attempts = []
    for i in members:
        prompt, output = requests[i]
        attempts.append((i, begin, begin + output, False))
        begin += memory - prompt
    return attempts


def by_start(attempts: list[Attempt]) -> list[Attempt]:
    """Sort attempts by (start, request)."""
    return sorted(attempts, key=lambda attempt: (attempt[1], attempt[0]))


def check(memory: int, requests: list[Request], alpha: Fraction | int | str = 2) -> None:
    """Refuse what would never end: a request that cannot fit, or slices that do not grow."""
    if any(prompt < 0 or output < 1 or prompt + output > memory for prompt, output in requests):
        raise ValueError("a request does not fit")
    if not isinstance(alpha, str) and alpha <= 1:
        raise ValueError("alpha must exceed 1")


def gsa(
    memory: int, requests: list[Request], alpha: Fraction | int | str, beta: Fraction | int = 1
) -> list[Attempt]:
    """Run GSA(alpha, beta): growing slices, and a kill for whoever does not complete in one.

    With mixed prompts, a phase reckons with the largest prompt left. After a phase with the
    longest slice for that prompt, the requests that remain run one at a time.
    """
    check(memory, requests, alpha)
    attempts: list[Attempt] = []
    unfinished = list(range(len(requests)))
    now = previous = 0
    for phase in count():
        if not unfinished:
            break
        longest = memory - max(requests[i][0] for i in unfinished)
        length = min(floor_power(alpha, phase, beta), longest)
        if length == previous:
            continue
        ran, now = run_pipeline(memory, requests, unfinished, now, length)
        attempts += ran
        unfinished = [i for i in unfinished if requests[i][1] > length]
        previous = length
        if length == longest:
            attempts += run_one_by_one(memory, requests, unfinished, now)
            break
    return by_start(attempts)


def gba(memory: int, requests: list[Request], alpha: Fraction | int | str) -> list[Attempt]:
    """Run GBA(alpha): classes of growing output length, one pipeline after another.

    With mixed prompts, a class reckons with its own largest prompt. After a class with the
    longest slice for that prompt, the requests that remain run one at a time.
    """
    check(memory, requests, alpha)
    attempts: list[Attempt] = []
    waiting = list(range(len(requests)))
    now = 0
    for number in count():
        if not waiting:
            break
        class_end = floor_power(alpha, number)
        members = [i for i in waiting if requests[i][1] <= class_end]
        if not members:
            continue
        longest = memory - max(requests[i][0] for i in members)
        length = min(class_end, longest)
        members = [i for i in members if requests[i][1] <= length]
        ran, now = run_pipeline(memory, requests, members, now, length)
        attempts += ran
        waiting = [i for i in waiting if i not in members]
        if length == longest:
            attempts += run_one_by_one(memory, requests, waiting, now)
            break
    return by_start(attempts)


# --- MC-SF and FCFS ---------------------------------------------------------------------------


def mc_sf(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run MC-SF: admit the shortest outputs first, as long as no future round overflows."""
    check(memory, requests)
    attempts: list[Attempt] = []
    waiting = sorted(range(len(requests)), key=lambda i: (requests[i][1], i))
    now = 0
    while waiting:
        while waiting:
            first = waiting[0]
            longer = [*attempts, (first, now, now + requests[first][1], False)]
            if max(memory_by_round(memory, requests, longer)) > memory:
                break
            attempts = longer
            waiting.pop(0)
        now += 1
    return by_start(attempts)


def fcfs(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run FCFS: admit by arrival while the next round fits; on overflow kill the newest."""
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
        while queue and next_round() + requests[queue[0]][0] + 1 <= memory:
            running.append((queue.pop(0), now))
        now += 1
    return by_start(attempts)


# --- The exact optimum ------------------------------------------------------------------------


def optimum(memory: int, requests: list[Request]) -> int:
    """Return the least total completion time, by trying every vector of start times.

    Some optimal schedule never idles, so no start exceeds the sum of the outputs. A branch is
    cut when its cost, plus what the rest would cost if each ran alone beside what is placed, at
    its earliest fit, is not below the best known. Equal requests start in request order.
    """
    check(memory, requests)
    order = sorted(requests)
    horizon = sum(output for _, output in order)

    def fits(used: list[int], request: Request, start: int) -> bool:
        prompt, output = request
        return all(used[start + j] + prompt + j <= memory for j in range(1, output + 1))

    def search(index: int, last_start: int, used: list[int], cost: int, best: int) -> int:
        if index == len(order):
            return min(best, cost)
        prompt, output = order[index]
        rest = sum(
            next(t for t in count() if fits(used, later, t)) + later[1]
            for later in order[index + 1 :]
        )
        equal = index > 0 and order[index] == order[index - 1]
        for start in range(last_start if equal else 0, horizon + 1):
            if cost + start + output + rest >= best:
                break
            if fits(used, order[index], start):
                beside = used.copy()
                for j in range(1, output + 1):
                    beside[start + j] += prompt + j
                best = search(index + 1, start, beside, cost + start + output, best)
        return best

    one_by_one = 0
    for done, (_, output) in enumerate(sorted(order, key=lambda request: request[1])):
        one_by_one += output * (len(order) - done)
    return search(0, 0, [0] * (3 * horizon + 1), 0, one_by_one)
