"""All coarse batches of an instance, and when each may be seen (text/coarse_batch_state.md).

A batch is its `parent` and a last *mark*, no smaller than the others; marks, pairs (tokens,
prompt), are numbered, ascending.  The children of a batch follow each other by their last marks,
so a batch is found by arithmetic from its parent's number.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from budget import Budget
from reading import Refused

MAX_BATCHES = 4_000_000
BATCH_BYTES = 60  # of a batch, its looks included
RUN_BYTES = 10  # of each who runs in it, while its level and the next are looked at
ROW_BYTES = 60  # of a row of a group, beside its columns
COLUMN_BYTES = 9  # of an entry of a column
NOBODY = (0, 0)  # completes

Pay = Callable[[int, int, int], tuple[int, int]]


class Group:
    """Rows of numbers that are needed at the looks from the first to a last one, each its own.

    Attributes
    ----------
    first
        The first look.
    columns
        The columns.
    """

    def __init__(self, first: int, width: int) -> None:
        self.first = first
        self.columns: list[Any] = [array("i") for _ in range(width)]
        self._lasts: Any = array("i")

    def add(self, last: int, row: Iterable[int]) -> None:
        """Add a row that is needed until a look."""
        self._lasts.append(-last)
        for column, entry in zip(self.columns, row):
            column.append(entry)

    def sort(self) -> None:
        """Sort the rows, so that those needed longest come first."""
        order = sorted(range(len(self._lasts)), key=self._lasts.__getitem__)
        self._lasts = array("i", [self._lasts[i] for i in order])
        self.columns = [array("i", [column[i] for i in order]) for column in self.columns]

    def at(self, look: int) -> list[Any]:
        """Return the columns of the rows that are needed at a look."""
        number = bisect_right(self._lasts, -look) if self.first <= look else 0
        return [column[:number] for column in self.columns]


class Level(NamedTuple):
    """The batches of as many who run, by their first looks and numbers of completions.

    The columns of `batches`: the batch; what it is if all go on and none starts, or -1; what it is
    after each completion that may pay, and by which dual.  Those of `starts`: a batch, and what it
    is with one more in its first look.
    """

    batches: list[Group]
    starts: list[Group]


class CoarseBatches:
    """The batches by how many run, the empty one first.

    Attributes
    ----------
    marks
        The numbers of the marks.
    bounds
        Where the batches of 0, 1, 2, ... who run begin, and their number.
    """

    def __init__(self, memory: int, looks: dict[int, int], grid: int, budget: Budget) -> None:
        """Find all batches of requests of these prompts that run at so many looks at most."""
        budget.spend(10 * sum(looks.values()))
        budget.use(500 * sum(looks.values()))
        self.budget = budget
        pairs = sorted((s + 1 + grid * j, s) for s, most in looks.items() for j in range(most))
        self.marks = {pair: i for i, pair in enumerate(pairs)}
        self._looks = [1 + (b - s - 1) // grid for b, s in pairs]
        self._older = [self.marks.get((b + grid, s), -1) for b, s in pairs]
        tokens = [b for b, _ in pairs]
        parent, last, room = array("i", [0]), array("i", [0]), array("i", [memory])
        children, sizes = array("i"), array("i")
        for at, left in enumerate(room):  # which grow on the way
            begin = last[at]
            size = max(0, bisect_right(tokens, left) - begin)
            budget.spend(10 + 4 * size)
            budget.hold(BATCH_BYTES * size)
            if len(parent) + size > MAX_BATCHES:
                raise Refused(f"proof: the instance has more than {MAX_BATCHES} batches")
            children.append(len(parent))
            sizes.append(size)
            parent.extend([at] * size)
            last.extend(range(begin, begin + size))
            room.extend([left - b for b in tokens[begin : begin + size]])
        self.room = room
        self._parent, self._last, self._children, self._sizes = parent, last, children, sizes
        self.bounds = [0]
        while self.bounds[-1] < len(parent):
            self.bounds.append(children[self.bounds[-1]])

    def __len__(self) -> int:
        return len(self._parent)

    def living(self, horizon: int, pay: Pay) -> Iterator[Level]:
        """Yield for 1, 2, ... who run the batches that live at some look.

        Parameters
        ----------
        horizon
            No completion pays from this time on.
        pay
            For a mark, how many run, and what memory is left: the last time at which a completion
            pays, and the number of its dual; `NOBODY` if nobody may complete then.
        """
        looks, room, budget = self._looks, self.room, self.budget
        self._aged = array("i", [0]) * len(self)
        self._firsts = array("i", [0]) * len(self)
        lasts = array("i", [horizon]) * len(self)
        all_marks, all_rests = array("i"), array("i")
        for k in range(1, len(self.bounds) - 1):
            begin, end = self.bounds[k : k + 2]
            budget.spend((end - begin) * (40 + 12 * k))
            budget.use((end - begin) * RUN_BYTES * k)
            all_marks, all_rests = self._members(k, all_marks, all_rests)
            known: dict[tuple[int, int], tuple[int, int]] = {}
            batches: dict[tuple[int, int], Group] = {}
            starts: dict[int, Group] = {}
            for i in range(end - 1, begin - 1, -1):  # the older ones first
                place, left, before = (i - begin) * k, room[i], -1
                aged, first = self._aged[i], self._firsts[i]
                lives = lasts[aged] - 1 if aged >= 0 else 0
                row, smaller = [i, aged], []
                marks, rests = all_marks[place : place + k], all_rests[place : place + k]
                for mark, rest in zip(marks, rests):
                    if mark == before:  # those alike once
                        continue
                    before = mark
                    if looks[mark] == 1:
                        smaller.append(rest)
                    if (key := (mark, left)) not in known:
                        known[key] = pay(mark, k, left)
                    pays, dual = known[key]
                    pays = min(pays, lasts[rest])
                    lives = max(lives, pays)
                    if pays >= first:
                        row += (rest, dual)
                lasts[i] = lives
                if lives < first:
                    continue
                size = len(row) + 2 * len(smaller)
                budget.spend(20 + (lives - first + 1) * (3 + size))
                budget.hold(ROW_BYTES + COLUMN_BYTES * size)
                if (name := (first, len(row))) not in batches:
                    batches[name] = Group(*name)
                batches[name].add(lives, row)
                for rest in smaller:
                    if first not in starts:
                        starts[first] = Group(first, 2)
                    starts[first].add(lives, (rest, i))
            yield Level(list(batches.values()), list(starts.values()))

    def _members(self, k: int, above_marks: Any, above_rests: Any) -> tuple[Any, Any]:
        """Return the marks of the batches of k who run, and what each batch is without one.

        Those of the level above are given.  What the batches are a look later, and their first
        looks, are noted.
        """
        parent, last, children, sizes = self._parent, self._last, self._children, self._sizes
        aged, firsts, looks, older = self._aged, self._firsts, self._looks, self._older
        all_marks, all_rests = array("i"), array("i")
        for i in range(*self.bounds[k : k + 2]):
            p, mark = parent[i], last[i]
            place = (p - self.bounds[k - 1]) * (k - 1)
            all_marks.extend(above_marks[place : place + k - 1])
            all_marks.append(mark)
            rests = above_rests[place : place + k - 1]
            all_rests.extend([children[rest] + mark - last[rest] for rest in rests])
            all_rests.append(p)
            firsts[i] = max(firsts[p], looks[mark])
            old, place = aged[p], older[mark]
            fits = min(old, place) >= 0 and place - last[old] < sizes[old]
            aged[i] = children[old] + place - last[old] if fits else -1
        return all_marks, all_rests
