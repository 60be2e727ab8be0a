"""Rule "event-order": a tree of what runs at completions, with linear rows (text/event_order.md).

Let p_i be the start of request i, of prompt s_i and output o_i, and C_i = p_i + o_i.  At the
completion of j another request k is in exactly one of three states:
  before    C_k < C_j               p_j - p_k >= o_k - o_j + 1
  running   p_k < C_j <= C_k        p_j - p_k >= 1 - o_j  and  p_k - p_j >= o_j - o_k
  after     C_j <= p_k              p_k - p_j >= o_j
so a node that asks for it has three parts, which miss no schedule.  One that asks for a start has
two, p_i <= t and p_i >= t + 1.  Requests that are alike (prompt, output and release) may swap
their starts, so only schedules are looked at in which they start in the order of their numbers.

Heads h_i <= p_i are the least solution of p_i >= release, the parts p_i >= t + 1 above a node and
the gaps p_b - p_a >= d of its path; without one nothing is in the part.  Rows of a leaf, a p >= b:
  gap a, b        p_b - p_a >= the largest such d
  end i           - p_i >= - t of the least part p_i <= t above
  memory j, k...  what the k that run use in round C_j, with j itself:
                  sum of (s_k + C_j - p_k) + s_j + o_j <= M
  area e, i...    for requests with h_i >= e.  Count every token in use in a round r as r: that is
                  sum of v_i p_i + w_i, with v_i = sum over x = 1..o_i of s_i + x and w_i = sum of
                  (s_i + x) x.  The V = sum of v_i tokens come after round e, at most M in each,
                  so they count at least as much as if they filled rounds e + 1, e + 2, ...
  cover m, e, i.. the same for the window covers of level m (linear_duals), of which at most m
                  are in use in a round: a request uses 1 in each of its first d_i rounds
For multipliers y >= 1 let c_i be the sum of y a_i, value that of y b.  Where c_i <= S,
  S * sum of p_i  >=  value + sum of (S - c_i) p_i  >=  value + sum of (S - c_i) h_i.
A row may also be a price k: convex_costs has sum of g_i(p_i) <= P for some convex g_i.  With y
times that of all prices of a leaf, G_i the sum of y g_i,
  S * sum of p_i  >=  value - sum of y P + sum over i of the least (S - c_i) t + G_i(t), t >= h_i.
"""

from __future__ import annotations

from typing import Any

import convex_costs
from budget import Budget
from instances import Group
from limits import MAX_NUMBER, MAX_START
from linear_duals import cover_window
from reading import Refused, fields, integer, listed, series, short

MAX_ORDERED = 64  # requests
MAX_LEVEL = 64  # of window covers
BEFORE, RUNNING, AFTER = range(3)

Part = tuple[str, int, int, int]
"""("at", k, j, state) or ("start", i, t, side); states and sides are numbered as they follow."""


class Path:
    """What the decisions above a node say of each request and each pair of them.

    `heads` are None where the part is empty.  What a part changes is undone on the way back.
    """

    def __init__(self, requests: list[Group], budget: Budget) -> None:
        self.outputs = [group.output for group in requests]
        self.budget = budget
        self.gaps: list[dict[int, int]] = [{} for _ in requests]  # of a: b, and d of p_b - p_a >= d
        self.states: dict[tuple[int, int], int] = {}  # of (k, j)
        self.ends: dict[int, int] = {}
        self.heads: list[int] | None = [group.release for group in requests]
        self.undo: list[tuple[dict[Any, int], Any, int | None]] = []
        last: dict[tuple[int, int, int], int] = {}
        for i, (prompt, output, release, _) in enumerate(requests):
            if (prompt, output, release) in last:
                self.gaps[last[prompt, output, release]][i] = 0
            last[prompt, output, release] = i

    def put(self, table: dict[Any, int], key: Any, value: int) -> None:
        """Set an entry until it is undone."""
        self.undo.append((table, key, table.get(key)))
        table[key] = value

    def back(self, length: int, heads: list[int] | None) -> None:
        """Undo all but so many changes; the heads were these."""
        while len(self.undo) > length:
            table, key, old = self.undo.pop()
            if old is None:
                del table[key]
            else:
                table[key] = old
        self.heads = heads

    def enter(self, part: Part) -> None:
        """Add what one part of a node says."""
        asked, k, j, number = part
        if asked == "start" and number == 0:
            self.put(self.ends, k, min(j, self.ends.get(k, j)))
        elif asked == "start":
            if self.heads is not None and self.heads[k] <= j:
                self.raise_head(k, j + 1, -1)
        else:
            self.put(self.states, (k, j), number)
            mine, others = self.outputs[j], self.outputs[k]
            if number == BEFORE:
                self.add_gap(k, j, others - mine + 1)
            elif number == RUNNING:
                self.add_gap(k, j, 1 - mine)
                self.add_gap(j, k, mine - others)
            else:
                self.add_gap(j, k, mine)

    def add_gap(self, a: int, b: int, d: int) -> None:
        """Add p_b - p_a >= d."""
        if d <= self.gaps[a].get(b, d - 1):
            return
        self.put(self.gaps[a], b, d)
        if self.heads is not None and self.heads[a] + d > self.heads[b]:
            self.raise_head(b, self.heads[a] + d, a)

    def raise_head(self, i: int, head: int, source: int) -> None:
        """Raise a head and all that follow from it; the part is empty if `source` is among them.

        Without the gap that is new, from `source` to i, there is a solution.  So if there is none
        now, that gap is on a cycle of gaps with a sum above 0, which raises `source`.
        """
        heads = (self.heads or []).copy()
        heads[i] = head
        queue, waiting = [i], {i}
        for a in queue:
            self.budget.spend(10 + 3 * len(self.gaps[a]))
            waiting.remove(a)
            for b, d in self.gaps[a].items():
                if heads[a] + d > heads[b]:
                    if b == source:
                        self.heads = None
                        return
                    heads[b] = heads[a] + d
                    if b not in waiting:
                        waiting.add(b)
                        queue.append(b)
        self.heads = heads


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


def prove(memory: int, groups: list[Group], low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return the bound of a tree, written in preorder, on the total latency.

    The requests are numbered in the order of the groups.
    """
    fields(proof, "proof", ("rule", "scale", "tree"), ("prices",))
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    number = sum(group.count for group in groups)
    if number > MAX_ORDERED:
        raise Refused(f"proof: is for at most {MAX_ORDERED} requests, the instance has {number}")
    requests = [group for group in groups for _ in range(group.count)]
    prices = convex_costs.read(memory, requests, proof.get("prices", []), budget, "proof.prices")
    rows, path = Rows(memory, requests, prices), Path(requests, budget)
    open_parts: list[tuple[int, list[int] | None, Part | None]] = [(0, path.heads, None)]
    lowest = None
    for i, node in enumerate(listed(proof["tree"], "proof.tree")):
        place = f"proof.tree[{i}]"
        if not open_parts:
            raise Refused(f"{place}: is left over, the tree ended before it")
        length, heads, part = open_parts.pop()
        budget.spend(60 + 5 * number)
        budget.use((len(open_parts) + len(path.undo) + 4) * (300 + 40 * number))
        path.back(length, heads)
        if part is not None:
            path.enter(part)
        if isinstance(node, dict) and "rows" in node:
            fields(node, place, ("rows",))
            bound = rows.bound(path, scale, listed(node["rows"], f"{place}.rows"), place)
            if bound is not None and (lowest is None or bound < lowest):
                lowest = bound
        else:
            parts = parts_of(node, number, path, place)
            open_parts += [(len(path.undo), path.heads, part) for part in reversed(parts)]
    if open_parts or lowest is None:
        raise Refused(f"proof.tree: ends with {len(open_parts)} subtrees missing")
    return lowest + sum(group.count * (group.output - group.release) for group in groups)


def parts_of(node: Any, number: int, path: Path, place: str) -> list[Part]:
    """Return the parts of a node that is no leaf, in the order in which they follow."""
    if isinstance(node, dict) and "start" in node:
        i, t = series(fields(node, place, ("start",))["start"], 2, 0, f"{place}.start")
        integer(i, 0, number - 1, f"{place}.start", 0)
        integer(t, 0, MAX_START, f"{place}.start", 1)
        return [("start", i, t, side) for side in range(2)]
    k, j = series(fields(node, place, ("at",))["at"], 2, 0, f"{place}.at")
    integer(k, 0, number - 1, f"{place}.at", 0)
    integer(j, 0, number - 1, f"{place}.at", 1)
    if k == j or (k, j) in path.states:
        raise Refused(f"{place}.at: must be two requests, not decided above, got {short([k, j])}")
    return [("at", k, j, state) for state in (BEFORE, RUNNING, AFTER)]
