"""A queue in order of arrival, in which a request may be passed a limited number of times."""

from __future__ import annotations

import heapq

__all__ = ["ArrivalQueue"]

FAR = 1 << 62
"""More than any number of tokens or passes."""


class ArrivalQueue:
    """Places in a queue, each with the tokens it needs and how often it may still be passed.

    Places are numbered as they come; a place that is taken may be put back.  Taking one passes
    all that wait before it, and what waits behind one that must not be passed any more
    is out of reach.  Every operation takes time logarithmic in the number of places, but that
    a place can become stuck only once.

    Parameters
    ----------
    passes
        How often a place may be passed.

    Attributes
    ----------
    stuck
        Places that must not be passed any more, whether they wait or not.
    """

    def __init__(self, passes: int) -> None:
        self.stuck: set[int] = set()
        self._passes = passes
        self._number = 0
        self._size = 1
        # Trees with their root at 1 and place p at size + p. Of what waits: the fewest tokens, and
        # the fewest passes left, less those that the nodes above have lost as a whole.
        self._tokens = [FAR, FAR]
        self._left = [FAR, FAR]
        self._lost = [0, 0]
        self._passes_of: dict[int, int] = {}  # left, of what was taken and has been passed
        self._waiting_stuck: list[int] = []  # a heap; those that were taken leave late
        self._listed: set[int] = set()  # what is in that heap

    def add(self, tokens: int) -> None:
        """Enter a new last place, which needs so many tokens."""
        if self._number == self._size:
            self._double()
        self.put_back(self._number, tokens)
        self._number += 1

    def put_back(self, place: int, tokens: int) -> None:
        """Enter a place that was taken; it keeps how often it was passed."""
        self._set_tokens(place, tokens)
        if place not in self.stuck:
            self._set_left(place, self._passes_of.pop(place, self._passes))
        elif place not in self._listed:
            self._listed.add(place)
            heapq.heappush(self._waiting_stuck, place)

    def first(self, most: int = FAR - 1) -> int | None:
        """Return the first place that needs at most so many tokens, None if it is out of reach."""
        tokens, stuck = self._tokens, self._waiting_stuck
        if tokens[1] > most:
            return None
        place = self._first_of(most)
        while stuck and tokens[self._size + stuck[0]] == FAR:
            self._listed.remove(heapq.heappop(stuck))
        return None if stuck and stuck[0] < place else place

    def take(self, place: int) -> None:
        """Take out a place; all that wait before it are passed."""
        self._set_tokens(place, FAR)
        if place not in self.stuck:
            left = self._set_left(place, FAR)
            if left < self._passes:
                self._passes_of[place] = left
        if self._tokens[1] < FAR and self._first_of(FAR - 1) < place:
            self._pass_before(place)

    def waiting(self) -> list[int]:
        """Return all places that wait, in order; this takes time linear in their number."""
        leaves = self._tokens[self._size : self._size + self._number]
        return [place for place, tokens in enumerate(leaves) if tokens < FAR]

    def _first_of(self, most: int) -> int:
        """Return the first place that needs at most so many tokens; there is one."""
        tokens, node = self._tokens, 1
        while node < self._size:
            node *= 2
            node += tokens[node] > most
        return node - self._size

    def _set_tokens(self, place: int, value: int) -> None:
        tokens, node = self._tokens, self._size + place
        tokens[node] = value
        while node > 1:
            left, right = tokens[node & ~1], tokens[node | 1]
            node //= 2
            least = left if left < right else right
            if tokens[node] == least:
                return
            tokens[node] = least

    def _set_left(self, place: int, value: int) -> int:
        """Set the passes left of a place, and return what they were."""
        left, lost, leaf = self._left, self._lost, self._size + place
        above, node = 0, leaf // 2
        while node:
            above += lost[node]
            node //= 2
        before, left[leaf] = left[leaf] - above, value + above
        self._restore_left(leaf)
        return before

    def _restore_left(self, node: int) -> None:
        """Bring the nodes above a node up to date."""
        left, lost = self._left, self._lost
        while node > 1:
            first, second = left[node & ~1], left[node | 1]
            node //= 2
            left[node] = (first if first < second else second) - lost[node]

    def _pass_before(self, place: int) -> None:
        """Count a pass for all that wait before a place, and note those that are stuck now."""
        left, lost, node = self._left, self._lost, self._size + place
        while node > 1:
            if node & 1:
                left[node - 1] -= 1
                lost[node - 1] += 1
            node //= 2
        self._restore_left(self._size + place)
        while left[1] <= 0:
            node, above = 1, 0
            while node < self._size:
                above += lost[node]
                node *= 2
                node += left[node] > above
            stuck = node - self._size
            self._set_left(stuck, FAR)
            self.stuck.add(stuck)
            self._listed.add(stuck)
            heapq.heappush(self._waiting_stuck, stuck)

    def _double(self) -> None:
        """Make room for as many places again."""
        passes = [self._set_left(place, FAR) for place in range(self._size)]
        tokens = self._tokens[self._size :]
        self._size *= 2
        self._tokens, self._left = [FAR] * (2 * self._size), [FAR] * (2 * self._size)
        self._lost = [0] * (2 * self._size)
        for values, leaves in ((self._tokens, tokens), (self._left, passes)):
            values[self._size : self._size + len(leaves)] = leaves
            for node in range(self._size - 1, 0, -1):
                values[node] = min(values[2 * node], values[2 * node + 1])
