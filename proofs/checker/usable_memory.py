"""Memory that nobody can use, for rule "dominance" (text/release_times.md, lemma 8).

Of those who have yet to start, some runs fit alone beside a profile, and all that run do.  Let
U(r) bound what they use in round r.  It is 0 where no such run passes.  Those whose run may end in
r take no more than all of these together; the others run in r + 1, too, and use one more each
there, so no more than U(r + 1) - 1 in r.  And whoever runs takes more than the smallest prompt.
"""

from __future__ import annotations

from itertools import groupby

from budget import Budget

MOST_BYTES = 30_000_000  # of what is kept about profiles

User = tuple[int, int, int, int]  # prompt, output, how many rounds until it may start, how many
Fits = list[tuple[int, int]]
"""Rounds with which a run of some prompt may begin, and how long it may be."""
Room = tuple[list[int], int, dict[int, Fits]]
"""What is free beside a profile in each round, that with all memory used, what fits of prompts."""


class UsableMemory:
    """Profiles of an instance, as `packed` writes them, with what nobody can use added.

    What is free beside a profile, and how long runs fit there, is kept for the next time.
    """

    def __init__(self, memory: int, least: int, width: int, budget: Budget) -> None:
        self.memory, self.least, self.width, self.budget = memory, least, width, budget
        self.field = (1 << width) - 1
        self.rooms: dict[int, Room] = {}
        self.bytes = 0

    def filled(self, profile: int, users: list[User]) -> int:
        """Return the profile with the memory that none of the users, by output, can use."""
        free, full, lengths = self.rooms.get(profile) or self.beside(profile)
        last = len(free)
        ending, passing = [0] * last, [0] * (last + 1)
        self.budget.spend(10 + 4 * last + 3 * len(users) + last * (last * self.width // 10_000))
        for s, group in groupby(users, key=lambda user: user[0]):
            own, visited = list(group), 0
            fits = lengths.get(s)
            if fits is None:
                fits = lengths[s] = self.fits(free, s)
            shortest = own[0][1]
            for begin, most in fits:
                if most < shortest:
                    continue
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
            self.budget.spend(3 + len(fits) + 5 * visited // 2)
        for r in range(1, last):
            passing[r] += passing[r - 1]
        least, width, usable = self.least, self.width, self.memory
        for r in range(last - 1, -1, -1):
            if passing[r]:
                usable = (usable - 1 if usable else 0) + ending[r]
                if usable > free[r]:
                    usable = free[r]
                if usable <= least:
                    usable = 0
                else:
                    full -= usable << (width * r)
            else:
                usable = 0
        return full

    def beside(self, profile: int) -> Room:
        """Find out what is free beside a profile."""
        number, bits = profile, profile.bit_length()
        rounds = bits // self.width + 1
        self.budget.spend(20 + rounds * (3 + bits // 5_000))
        free, full = [], 0
        while profile:
            free.append(self.memory - (profile & self.field))
            profile >>= self.width
            full = full << self.width | self.memory
        self.keep(600 + 40 * rounds + bits // 3)
        room = self.rooms[number] = (free, full, {})
        return room

    def fits(self, free: list[int], prompt: int) -> Fits:
        """Return how long runs fit that begin with a round; no limit if to the end."""
        last, r, found = len(free), 0, []
        self.budget.spend(5 * last)
        for begin in range(last):
            if r < begin:
                r = begin
            while r < last and prompt + r - begin + 1 <= free[r]:
                r += 1
            if r > begin:
                found.append((begin, r - begin if r < last else self.memory))
        self.keep(200 + 150 * len(found))
        return found

    def keep(self, size: int) -> None:
        """Count bytes that are kept; what has been kept before is given up if it is too much."""
        self.bytes += size
        if self.bytes > MOST_BYTES:
            self.rooms, self.bytes = {}, size
        self.budget.use(self.bytes)
