"""The model, literally: attempts, the memory they use, and their cost.

An instance is ``(memory, requests)``, where ``requests`` is a list of pairs (prompt, output).
A schedule is a list of attempts ``(request, start, end, killed)`` sorted by (start, request).
An attempt that starts at time p uses prompt + j units of memory in its j-th round, round p + j.

Source: Feng, Yang, Zhang 2026 (arXiv 2601.22996)."""

from fractions import Fraction

Request = tuple[int, int]


Attempt = tuple[int, int, int, bool]


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


def by_start(attempts: list[Attempt]) -> list[Attempt]:
    """Sort attempts by (start, request)."""
    return sorted(attempts, key=lambda attempt: (attempt[1], attempt[0]))


def check(memory: int, requests: list[Request], alpha: Fraction | int | str = 2) -> None:
    """Refuse what would never end: a request that cannot fit, or slices that do not grow."""
    if any(prompt < 0 or output < 1 or prompt + output > memory for prompt, output in requests):
        raise ValueError("a request does not fit")
    if not isinstance(alpha, str) and alpha <= 1:
        raise ValueError("alpha must exceed 1")


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
