"""The rows at a leaf of a tree of event-order, and the bound that they prove (event_order.py)."""

from __future__ import annotations

from typing import Any

import convex_costs
from event_paths import RUNNING, Path
from instances import Group
from limits import MAX_NUMBER
from linear_duals import cover_window
from reading import Refused, integer, short

MAX_LEVEL = 64  # of window covers


class Rows:
    """The rows of an instance."""

    def __init__(
        self, memory: int, requests: list[Group], prices: list[convex_costs.Prices]
    ) -> None:
        self.memory = memory
        self.requests = requests
        self.prices = prices
        self.priced: dict[int, int] = {}  # multipliers of the prices of a leaf
        self.covers: dict[int, list[tuple[int, int]]] = {}  # areas of windows, by level
        self.areas = []
        for s, o, _, _ in requests:
            moment = s * o * (o + 1) // 2 + o * (o + 1) * (2 * o + 1) // 6
            self.areas.append((s * o + o * (o + 1) // 2, moment))

    def bound(self, path: Path, scale: int, given: list[Any], place: str) -> int | None:
        """Return the bound of a leaf on the sum of starts, rounded up; None if it is empty."""
        coefficients = [0] * len(self.requests)
        self.priced = {}
        value = 0
        for number, row in enumerate(given):
            if type(row) is not list or len(row) < 3 or type(row[1]) is not str:
                raise Refused(f"{place}.rows[{number}]: must be a row, got {short(row)}")
            y, kind, *numbers = row
            if kind not in READ:
                kinds = ", ".join(READ)
                raise Refused(f"{place}.rows[{number}][1]: must be {kinds}, got {short(kind)}")
            path.budget.spend(15 + 5 * len(row))
            if type(y) is not int or not 1 <= y <= MAX_NUMBER:
                integer(y, 1, MAX_NUMBER, f"{place}.rows[{number}]", 0)
            for i in numbers[BEFORE_REQUESTS.get(kind, 0) :]:
                if type(i) is not int or not 0 <= i < len(coefficients):
                    integer(i, 0, len(coefficients) - 1, f"{place}.rows[{number}]")
            try:
                value += y * READ[kind](self, path, numbers, y, coefficients)
            except Refused as error:
                raise Refused(f"{place}.rows[{number}]: {error}") from None
        if path.heads is None:
            return None
        for i, (c, head) in enumerate(zip(coefficients, path.heads)):
            if c > scale:
                raise Refused(f"{place}.rows: the coefficient of {i} is {c}, above {scale}")
            if not self.priced:
                value += (scale - c) * head
        if self.priced:
            value += self.least_costs(path, scale, coefficients)
        return -(-value // scale)

    def least_costs(self, path: Path, scale: int, coefficients: list[int]) -> int:
        """Return what all starts cost at least at the prices of a leaf."""
        longest = max(len(g) for k in self.priced for g in self.prices[k].values.values())
        each = 30 + 12 * longest.bit_length() * (1 + len(self.priced))
        path.budget.spend(each * len(coefficients))
        total = 0
        for group, c, head in zip(self.requests, coefficients, path.heads or []):
            kind = group.prompt, group.output
            terms = [(y, self.prices[k].values[kind]) for k, y in self.priced.items()]
            total += convex_costs.least(scale - c, head, terms)
        return total

    def gap(self, path: Path, numbers: list[int], y: int, coefficients: list[int]) -> int:
        """Return d of p_b - p_a >= d, and add y times the coefficients of the row."""
        if len(numbers) != 2 or numbers[1] not in path.gaps[numbers[0]]:
            raise Refused(f"the path has no gap {short(numbers)}")
        a, b = numbers
        coefficients[a] -= y
        coefficients[b] += y
        return path.gaps[a][b]

    def end(self, path: Path, numbers: list[int], y: int, coefficients: list[int]) -> int:
        """Do the same for the latest start of a request."""
        if len(numbers) != 1 or numbers[0] not in path.ends:
            raise Refused(f"the path has no end of {short(numbers)}")
        coefficients[numbers[0]] -= y
        return -path.ends[numbers[0]]

    def in_use(self, path: Path, numbers: list[int], y: int, coefficients: list[int]) -> int:
        """Do the same for the memory at a completion."""
        j, *running = numbers
        if not running or len(set(running)) < len(running):
            raise Refused("must name requests that run, each once")
        s, o, _, _ = self.requests[j]
        right = s + o - self.memory
        coefficients[j] -= y * len(running)
        for k in running:
            if path.states.get((k, j)) != RUNNING:
                raise Refused(f"{k} is not decided to run at the completion of {j}")
            right += self.requests[k].prompt + o
            coefficients[k] += y
        return right

    def area(self, path: Path, numbers: list[int], y: int, coefficients: list[int]) -> int:
        """Do the same for the tokens that requests hold after a round."""
        e, *chosen = numbers
        return self.filled(path, e, chosen, (self.memory, self.areas), y, coefficients)

    def cover(self, path: Path, numbers: list[int], y: int, coefficients: list[int]) -> int:
        """Do the same for the window covers that requests use after a round."""
        if len(numbers) < 3:
            raise Refused("must name requests, each once")
        m, e, *chosen = numbers
        integer(m, 1, MAX_LEVEL, "its level")
        if m not in self.covers:
            path.budget.spend(20 * len(self.requests))
            smallest = min(group.prompt for group in self.requests)
            kinds = [(group.prompt, group.output) for group in self.requests]
            windows = [cover_window(self.memory, smallest, kind, m) for kind in kinds]
            self.covers[m] = [(d, d * (d + 1) // 2) for d in windows]
        return self.filled(path, e, chosen, (m, self.covers[m]), y, coefficients)

    def filled(
        self,
        path: Path,
        e: int,
        chosen: list[int],
        used: tuple[int, list[tuple[int, int]]],
        y: int,
        coefficients: list[int],
    ) -> int:
        """Do the same for what requests use after a round, of which there is so much in each."""
        integer(e, 0, MAX_NUMBER, "its round")
        if not chosen or len(set(chosen)) < len(chosen):
            raise Refused("must name requests, each once")
        limit, areas = used
        total = moments = 0
        for i in chosen:
            if path.heads is not None and path.heads[i] < e:
                raise Refused(f"the head of {i} is {path.heads[i]}, less than {e}")
            area, moment = areas[i]
            coefficients[i] += y * area
            total += area
            moments += moment
        full, rest = divmod(total, limit)
        filled = limit * (e * full + full * (full + 1) // 2) + rest * (e + full + 1)
        return filled - moments

    def price(self, path: Path, numbers: list[int], y: int, coefficients: list[int]) -> int:
        """Return what the starts cost at most at some prices, less than 0, and note y."""
        if len(numbers) != 1:
            raise Refused("must name prices")
        k = integer(numbers[0], 0, len(self.prices) - 1, "its prices")
        self.priced[k] = self.priced.get(k, 0) + y
        return -self.prices[k].limit


READ = {
    "gap": Rows.gap,
    "end": Rows.end,
    "memory": Rows.in_use,
    "area": Rows.area,
    "cover": Rows.cover,
    "price": Rows.price,
}
BEFORE_REQUESTS = {"area": 1, "cover": 2, "price": 1}  # numbers that are no requests
