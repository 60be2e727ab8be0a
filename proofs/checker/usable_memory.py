"""Memory that nobody can use, for rule "dominance" (text/release_times.md, lemma 8).

Of those who have yet to start, some runs fit alone beside a profile, and all that run do.  Let
U(r) bound what they use in round r.  It is 0 where no such run passes.  Those whose run may end in
r take no more than all of these together; the others run in r + 1, too, and use one more each
there, so no more than U(r + 1) - 1 in r.  And whoever runs takes more than the smallest prompt.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

from budget import Budget

User = tuple[int, int, int, int]  # prompt, output, how many rounds until it may start, how many


class UsableMemory:
    """Profiles of an instance, as `packed` writes them, with what nobody can use added."""

    def __init__(self, memory: int, least: int, width: int, budget: Budget) -> None:
        self.memory, self.least, self.width, self.budget = memory, least, width, budget
        self.field = (1 << width) - 1

    def filled(self, profile: int, users: list[User]) -> int:
        """Return the profile with the memory that none of the users, by output, can use."""
        bits = profile.bit_length()
        self.budget.spend(10 + (bits // self.width + 1) * (bits // 250))
        free = []  # in each round of the profile
        while profile:
            free.append(self.memory - (profile & self.field))
            profile >>= self.width
        last = len(free)
        ending, passing = [0] * last, [0] * (last + 1)
        self.budget.spend(9 * last + 6 * len(users))
        for s, group in groupby(users, key=itemgetter(0)):
            own, visited = list(group), 0
            for begin, most in enumerate(self.lengths(free, s)):
                for _, output, delay, count in own:
                    visited += 1
                    if output > most:
                        break
                    if delay <= begin:
                        end = begin + output
                        passing[begin] += 1
                        if end <= last:
                            ending[end - 1] += count * (s + output)
                            passing[end] -= 1
            self.budget.spend(2 * visited)
        for r in range(1, last):
            passing[r] += passing[r - 1]
        full, usable = 0, self.memory
        for r in range(last - 1, -1, -1):
            usable = min(free[r], max(0, usable - 1) + ending[r])
            if usable <= self.least or not passing[r]:
                usable = 0
            full = full << self.width | self.memory - usable
        return full

    def lengths(self, free: list[int], prompt: int) -> list[int]:
        """Return how long runs fit that begin with each round; no limit if to the end."""
        last, r, found = len(free), 0, []
        self.budget.spend(4 * last)
        for begin in range(last):
            r = max(r, begin)
            while r < last and prompt + r - begin + 1 <= free[r]:
                r += 1
            found.append(r - begin if r < last else self.memory)
        return found
