"""Small instances, fast: best-first search over states, in code that numba can compile.

The states are those of `kvopt.solver.state_search.reference`: how many requests of each type still
wait, and the memory that the running ones will use in each coming round.  What
differs is that free memory nobody can use is taken away, the lower bounds, the
order in which states come up, and that everything is a number in an array.  The
proofs are in proofs/state_search.md.

The functions in `KERNEL` are plain Python on integer arrays.  numba compiles them
where it is installed (`pip install kvopt[fast]`), and the tests run the same
source both ways.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.errors import InputError, SolverError
from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.compiling import jitted, working
from kvopt.solver.result import Bound, Result
from kvopt.solver.sizes import batch_states_fit, has_few_long_runs
from kvopt.solver.stage import Incumbent, recomputed, run_alone

__all__ = [
    "PLAIN",
    "Functions",
    "Problem",
    "StateSearch",
    "accepts",
    "compiled",
    "optima",
    "optimum",
    "solve_by_kernel",
]

MOST_MEMORY = 4095
MOST_REQUESTS = 63
MOST_OUTPUT = 32767
MOST_KEYS = 1 << 20
"""Largest memory budget (tokens), number of requests, sum of outputs (rounds), and number of
ways to say who waits.  Then no number here reaches 2^63 (proofs/state_search.md, section 5)."""

SCALE_BITS = 16
"""Mean busy times are rounded down to multiples of 2^-16 rounds."""

FORMS = 3
"""Weightings of rounds that give a lower bound: see `round_weight`."""

WORD_BITS = 62
"""Bits of a word of a memory profile that are used: sums stay below 2^63."""

PRICE_BITS = 16
"""Prices are multiples of 2^-16."""

MOST_PRICE = 1 << 28
"""Prices are cut off at 4096 rounds."""

STEP_START, PATIENCE, SHARE = 256, 20, 10
"""First length of a subgradient step and share of the new direction, in 256ths and 16ths; the
step shrinks after so many steps without gain."""

NARROW, WIDE = 8, 50
"""States kept at each time when good schedules are looked for, before and with prices."""

QUICK_CHILDREN = 3_000
"""So many children are generated before prices are worth their time."""

WORK_A_STEP = 2_000_000
"""Rounds of children generated between two looks at the budget, roughly: about 0.1 s."""

PRICE_STEPS = 1_000
PRICE_WORK = 50_000_000
"""Subgradient steps at most, and rounds of types looked at in all of them."""

POOL_BYTES = 1 << 24
MANY_ROWS = 4096
"""Size of the first pool of one search (bytes), and of the pool for many (states)."""

DONE, MORE, FULL = 0, 1, 2
STATES, BUCKET, CEILING, LAST, BASE, SKIP = 0, 1, 2, 3, 4, 5
"""Places in the array `numbers`: states kept; lower bound of the states that are looked at, and
the smallest sum of starts known (rounds); the state from which it is reached or -1; lower bound
of the root (rounds); how many children the state that is next has got already."""


class Kinds(NamedTuple):
    """The types of requests of an instance, sorted by output, and what the bound needs."""

    memory: NDArray[np.int64]
    """The memory budget (tokens), shape (1,)."""
    prompts: NDArray[np.int64]
    """Prompt lengths (tokens), shape (types,)."""
    outputs: NDArray[np.int64]
    """Output lengths (rounds), shape (types,)."""
    counts: NDArray[np.int64]
    """Requests of each type, shape (types,)."""
    windows: NDArray[np.int64]
    """Staircase windows of levels 1 and 2 (rounds), shape (2, types)."""
    place: NDArray[np.int64]
    """Place values of the counts in the key that says who waits, shape (types,)."""
    order: NDArray[np.int64]
    """Types by weight, shape (forms, types)."""
    weight: NDArray[np.int64]
    """Sum of the weights of a request's rounds, shape (forms, types)."""
    delta: NDArray[np.int64]
    """Completion minus mean busy time, scaled, rounded down, shape (forms, types)."""
    room: NDArray[np.int64]
    """Most that rounds which fit into the free memory weigh together, if some running attempt
    is in its window [0] or none is [1]; shape (forms, 2, memory + 1)."""
    runs: NDArray[np.int64]
    """Memory of a run in its rounds, packed, shape (types, words)."""
    tops: NDArray[np.int64]
    """The top bit of every field, shape (words,)."""
    offsets: NDArray[np.int64]
    """What sets the top bit of a field that exceeds the memory, shape (words,)."""
    packing: NDArray[np.int64]
    """Bits of a field, fields of a word."""


class Prices(NamedTuple):
    """Prices of the memory and the staircase windows in each round, and what follows from them."""

    price: NDArray[np.int64]
    """Of a token, of a place in a window of level 1 and of level 2, scaled, shape (3, rounds)."""
    least: NDArray[np.int64]
    """The least of t + price over all starts t of a type from some time on, scaled,
    shape (types, rounds + 1)."""
    rest: NDArray[np.int64]
    """What all that there is from some time on costs, scaled, shape (rounds + 1,)."""


class Pool(NamedTuple):
    """States, a row each."""

    key: NDArray[np.int64]
    """Who waits: the sum of counts times place values."""
    profile: NDArray[np.int64]
    """Memory that the running ones will use in each coming round, packed, shape (rows, words)."""
    cost: NDArray[np.int64]
    """Number of waiting requests, summed over the rounds so far."""
    open: NDArray[np.int32]
    """Rounds until windows of running requests close, shape (rows, 3): the last of level 1,
    the last of level 2, the one before it."""
    time: NDArray[np.int32]
    """Rounds so far."""
    parent: NDArray[np.int32]
    """The state one round earlier, or -1."""
    rival: NDArray[np.int32]
    """Next state with the same requests waiting, or -1."""
    below: NDArray[np.int32]
    """Next state with the same bound, or -1."""
    dropped: NDArray[np.bool_]
    """True once another state was found to be at least as good."""


def round_weight(form: int, kinds: Kinds, k: int, j: int) -> int:
    """Return the weight of round j of a request of type k.

    By form: 0 the memory in use; 1 or 2 whether it is in its staircase window of that level.
    """
    if form == 0:
        return int(kinds.prompts[k]) + j
    return 1 if j <= kinds.windows[form - 1, k] else 0


def fill_forms(kinds: Kinds) -> None:
    """Fill in the weightings: `order`, `weight`, `delta` and `room`."""
    memory = kinds.memory[0]
    types = kinds.outputs.shape[0]
    heaviest = np.zeros((2, memory + 1), dtype=np.int64)
    for form in range(FORMS):
        order, weight = kinds.order[form], kinds.weight[form]
        heaviest[:] = 0
        for k in range(types):
            output = kinds.outputs[k]
            total, moment = 0, 0
            for j in range(1, output + 1):
                w = round_weight(form, kinds, k, j)
                total += w
                moment += w * (2 * j - 1)
                inside = 1 if j <= kinds.windows[0, k] else 0
                used = kinds.prompts[k] + j
                heaviest[inside, used] = max(heaviest[inside, used], w)
            weight[k] = total
            kinds.delta[form, k] = output << SCALE_BITS
            if total > 0:
                late = 2 * output * total - moment
                whole = late // (2 * total)
                rest = late - whole * 2 * total
                kinds.delta[form, k] = (whole << SCALE_BITS) + (rest << SCALE_BITS) // (2 * total)
            place = k
            while place > 0 and weight[order[place - 1]] > total:
                order[place] = order[place - 1]
                place -= 1
            order[place] = k
        outside, one = kinds.room[form, 0], kinds.room[form, 1]
        for free in range(1, memory + 1):
            most = outside[free - 1]
            for used in range(1, free + 1):
                most = max(most, heaviest[0, used] + outside[free - used])
            outside[free] = most
        for free in range(1, memory + 1):
            most = outside[free]
            for used in range(1, free + 1):
                most = max(most, heaviest[1, used] + outside[free - used])
            one[free] = most
        for free in range(memory + 1) if form == 2 else range(0):
            outside[free] = min(outside[free], 2)
            one[free] = min(one[free], 2)


def make_kinds(memory: int, prompts: IntArray, outputs: IntArray) -> Kinds:
    """Sort requests by type and prepare what the search needs to know about them."""
    n = prompts.shape[0]
    keys = np.zeros(n, dtype=np.int64)
    smallest = memory
    for i in range(n):
        key = outputs[i] * (MOST_MEMORY + 1) + prompts[i]
        smallest = min(smallest, prompts[i])
        place = i
        while place > 0 and keys[place - 1] > key:
            keys[place] = keys[place - 1]
            place -= 1
        keys[place] = key
    types = 1
    for i in range(1, n):
        if keys[i] != keys[i - 1]:
            types += 1
    bits = 1
    while memory >> (bits - 1) > 0:
        bits += 1
    fields = WORD_BITS // bits
    longest = keys[n - 1] // (MOST_MEMORY + 1)
    words = (longest - 1) // fields + 1
    kinds = Kinds(
        np.full(1, memory, dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros((2, types), dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros((FORMS, types), dtype=np.int64),
        np.zeros((FORMS, types), dtype=np.int64),
        np.zeros((FORMS, types), dtype=np.int64),
        np.zeros((FORMS, 2, memory + 1), dtype=np.int64),
        np.zeros((types, words), dtype=np.int64),
        np.zeros(words, dtype=np.int64),
        np.zeros(words, dtype=np.int64),
        np.zeros(2, dtype=np.int64),
    )
    kinds.packing[0] = bits
    kinds.packing[1] = fields
    k, value = -1, 1
    for i in range(n):
        if i == 0 or keys[i] != keys[i - 1]:
            if k >= 0:
                value *= kinds.counts[k] + 1
            k += 1
            kinds.place[k] = value
            output = keys[i] // (MOST_MEMORY + 1)
            prompt = keys[i] - output * (MOST_MEMORY + 1)
            kinds.prompts[k] = prompt
            kinds.outputs[k] = output
            for level in range(1, 3):
                excess = prompt + output + level * (smallest + output) - memory
                kinds.windows[level - 1, k] = max(0, min(output, -(-excess // level)))
            for j in range(output):
                kinds.runs[k, j // fields] += (prompt + j + 1) << (bits * (j % fields))
        kinds.counts[k] += 1
    for j in range(longest):
        kinds.tops[j // fields] += 1 << (bits * (j % fields) + bits - 1)
        kinds.offsets[j // fields] += ((1 << (bits - 1)) - 1 - memory) << (bits * (j % fields))
    fill_forms(kinds)
    return kinds


def pour_bound(
    waiting: IntArray,
    free: IntArray,
    length: int,
    windows: NDArray[np.int32],
    kinds: Kinds,
    enough: int,
) -> int:
    """Return a lower bound on the sum of completion times of what waits, from now on.

    Parameters
    ----------
    waiting
        How many requests of each type wait, shape (types,).
    free
        Memory that the running ones leave in each coming round (tokens).
    length
        Number of rounds in which something runs.
    windows
        Rounds until windows of running requests close, as in `Pool.open`.
    kinds
        The types of requests.
    enough
        Stop as soon as the bound reaches this (rounds).
    """
    memory = kinds.memory[0]
    types = waiting.shape[0]
    best = 0
    for form in range(FORMS):
        order, weight, delta = kinds.order[form], kinds.weight[form], kinds.delta[form]
        shut, clear = kinds.room[form, 0], kinds.room[form, 1]
        capacity = clear[memory]
        r = 0
        room = capacity
        if length > 0:
            room = shut[free[0]] if windows[0] > 0 else clear[free[0]]
            if form == 2:
                room = max(0, min(room, 2 - (windows[1] > 0) - (windows[2] > 0)))
        total = 0
        for position in range(types):
            k = order[position]
            count = waiting[k]
            if count == 0:
                continue
            total += count * delta[k]
            w = weight[k]
            mass = count * w
            moment = 0
            while mass > 0:
                if room == 0:
                    r += 1
                    if r >= length:
                        whole = mass // capacity
                        # Rounds r .. r + whole - 1, counted from 0, with middles r + 1/2.
                        moment += capacity * whole * (2 * r + whole)
                        mass -= whole * capacity
                        r += whole
                        room = capacity
                    else:
                        room = shut[free[r]] if windows[0] > r else clear[free[r]]
                        if form == 2:
                            room = max(0, min(room, 2 - (windows[1] > r) - (windows[2] > r)))
                    continue
                part = min(room, mass)
                moment += part * (2 * r + 1)
                mass -= part
                room -= part
            if w > 0:
                whole = moment // (2 * w)
                rest = moment - whole * 2 * w
                total += (whole << SCALE_BITS) + (rest << SCALE_BITS) // (2 * w)
        best = max(best, -((-total) >> SCALE_BITS))
        if best >= enough:
            break
    return best


def make_prices(types: int, rounds: int) -> Prices:
    """Return prices that are all zero."""
    return Prices(
        np.zeros((3, rounds), dtype=np.int64),
        np.zeros((types, rounds + 1), dtype=np.int64),
        np.zeros(rounds + 1, dtype=np.int64),
    )


def settle(kinds: Kinds, prices: Prices, cheapest: IntArray) -> int:
    """Bring `least` and `rest` up to date with the prices, and return the bound at the root.

    Writes the cheapest start of each type into `cheapest`, shape (types,).
    """
    price, least, rest = prices.price, prices.least, prices.rest
    memory = kinds.memory[0]
    rounds = price.shape[1]
    sums = np.zeros((4, rounds + 1), dtype=np.int64)
    for r in range(rounds):
        sums[0, r + 1] = sums[0, r] + price[0, r]
        sums[1, r + 1] = sums[1, r] + price[1, r]
        sums[2, r + 1] = sums[2, r] + price[2, r]
        sums[3, r + 1] = sums[3, r] + price[0, r] * (r + 1)
    rest[rounds] = 0
    for r in range(rounds - 1, -1, -1):
        rest[r] = rest[r + 1] + price[0, r] * memory + price[1, r] + 2 * price[2, r]
    total = -rest[0]
    for k in range(kinds.outputs.shape[0]):
        prompt, output = kinds.prompts[k], kinds.outputs[k]
        one, two = kinds.windows[0, k], kinds.windows[1, k]
        best = rounds << PRICE_BITS
        least[k, rounds] = best
        cheapest[k] = rounds
        for t in range(rounds - 1, -1, -1):
            end = min(rounds, t + output)
            cost = (
                (t << PRICE_BITS)
                + (prompt - t) * (sums[0, end] - sums[0, t])
                + sums[3, end]
                - sums[3, t]
                + sums[1, min(rounds, t + one)]
                - sums[1, t]
                + sums[2, min(rounds, t + two)]
                - sums[2, t]
            )
            if cost <= best:
                best = cost
                cheapest[k] = t
            least[k, t] = best
        total += kinds.counts[k] * best
    return int(total)


def find_prices(kinds: Kinds, prices: Prices, ceiling: int, iterations: int) -> int:
    """Find prices that give a good bound, by subgradient steps; return the bound (scaled).

    Parameters
    ----------
    kinds
        The types of requests.
    prices
        Takes the prices.
    ceiling
        Smallest sum of starts known (rounds).
    iterations
        Number of steps.
    """
    memory = kinds.memory[0]
    types = kinds.outputs.shape[0]
    price = prices.price
    rounds = price.shape[1]
    whole = np.zeros((3, rounds), dtype=np.int64)  # prices of all of the right-hand side
    best_price = np.zeros((3, rounds), dtype=np.int64)
    use = np.zeros((3, rounds), dtype=np.int64)
    direction = np.zeros((3, rounds), dtype=np.int64)
    cheapest = np.zeros(types, dtype=np.int64)
    best = -1
    step, stale = STEP_START, 0
    for _ in range(iterations):
        value = settle(kinds, prices, cheapest)
        if value > best:
            best = value
            for row in range(3):
                for r in range(rounds):
                    best_price[row, r] = price[row, r]
            stale = 0
        else:
            stale += 1
            if stale == PATIENCE:
                step, stale = step * 3 // 4, 0
        if best >> PRICE_BITS >= ceiling or step < 4:
            break
        use[:] = 0
        for k in range(types):
            start, count = cheapest[k], kinds.counts[k]
            for j in range(min(kinds.outputs[k], rounds - start)):
                use[0, start + j] += count * (kinds.prompts[k] + j + 1)
                if j < kinds.windows[0, k]:
                    use[1, start + j] += count
                if j < kinds.windows[1, k]:
                    use[2, start + j] += count
        norm = 0
        for row in range(3):
            limit = memory if row == 0 else row
            for r in range(rounds):
                slope = (use[row, r] - limit) * 256 // limit
                slope = (slope * SHARE + direction[row, r] * (16 - SHARE)) // 16
                direction[row, r] = slope
                if whole[row, r] > 0 or slope > 0:
                    norm += slope * slope
        if norm == 0:
            break
        gain = ((ceiling << PRICE_BITS) - value) * step // 256
        for row in range(3):
            limit = memory if row == 0 else row
            for r in range(rounds):
                if whole[row, r] == 0 and direction[row, r] <= 0:
                    continue
                new = whole[row, r] + gain * direction[row, r] // norm * 256
                whole[row, r] = max(0, min(MOST_PRICE, new))
                price[row, r] = whole[row, r] // limit
    for row in range(3):
        for r in range(rounds):
            price[row, r] = best_price[row, r]
    settle(kinds, prices, cheapest)
    return best


def price_bound(
    waiting: IntArray,
    free: IntArray,
    length: int,
    windows: NDArray[np.int32],
    time: int,
    kinds: Kinds,
    prices: Prices,
) -> int:
    """Return a lower bound on the sum of the starts of what waits, counted from `time` on.

    Parameters are as for `pour_bound`.
    """
    price = prices.price
    rounds = price.shape[1]
    if time >= rounds:
        return 0
    memory = kinds.memory[0]
    total = -prices.rest[time]
    here = time << PRICE_BITS
    for k in range(waiting.shape[0]):
        if waiting[k] > 0:
            total += waiting[k] * (prices.least[k, time] - here)
    for r in range(min(length, rounds - time)):
        total += price[0, time + r] * (memory - free[r])
    for r in range(min(windows[0], rounds - time)):
        total += price[1, time + r]
    for j in range(1, 3):
        for r in range(min(windows[j], rounds - time)):
            total += price[2, time + r]
    return -int((-total) >> PRICE_BITS)


def unpack(profile: IntArray, kinds: Kinds, free: IntArray) -> int:
    """Write the free memory of each coming round into `free`; return for how many rounds."""
    memory, bits, fields = kinds.memory[0], kinds.packing[0], kinds.packing[1]
    mask = (1 << bits) - 1
    r = 0
    for j in range(kinds.tops.shape[0]):
        word = profile[j]
        if word == 0:
            break
        r = j * fields
        while word > 0:
            free[r] = memory - (word & mask)
            word >>= bits
            r += 1
    return r


def tighten(
    free: IntArray,
    length: int,
    left: IntArray,
    kinds: Kinds,
    profile: IntArray,
    usable: IntArray,
) -> None:
    """Take away free memory that no waiting request could ever use, in `free` and `profile`.

    A request that starts from now on and runs in round r < o - 1 runs in round r + 1 as
    well, and uses a token more there; and one that runs alone uses at least s + 1.
    """
    memory, bits, fields = kinds.memory[0], kinds.packing[0], kinds.packing[1]
    shortest = 0
    smallest = memory
    for k in range(left.shape[0] - 1, -1, -1):
        if left[k] > 0:
            shortest = kinds.outputs[k]
            smallest = min(smallest, kinds.prompts[k])
    for r in range(length):
        usable[r] = 0
    for k in range(left.shape[0]):
        if left[k] == 0:
            continue
        prompt, output = kinds.prompts[k], kinds.outputs[k]
        start = 0
        covered = 0  # the rounds before this one are done with
        while start < length:
            end = min(start + output, length)
            fault = -1
            for r in range(end - 1, start - 1, -1):
                if prompt + r - start + 1 > free[r]:
                    fault = r
                    break
            if fault >= 0:
                # The next start that could work is not before this one.
                start = max(start + 1, min(fault + 1, prompt + fault + 1 - free[fault]))
                continue
            for r in range(max(start, covered), end):
                usable[r] += left[k] * (prompt + r - start + 1)
            covered = end
            start += 1
            if covered >= length:
                break
    following = memory
    for r in range(length - 1, -1, -1):
        unused = min(free[r], usable[r])
        if r < shortest - 1:
            unused = min(unused, following - 1)
        if unused <= smallest:
            unused = 0
        following = unused
        if unused < free[r]:
            profile[r // fields] += (free[r] - unused) << (bits * (r % fields))
            free[r] = unused


def next_choice(
    choice: IntArray, stack: IntArray, who: IntArray, last: int, waiting: IntArray, kinds: Kinds
) -> bool:
    """Go to the next set of requests that can start together; False if there is none left.

    Parameters
    ----------
    choice
        How many of each of the types in `who` start, shape (>= last,).
    stack
        Row i: the memory profile, packed, if only the first i of them start.
    who
        The types that could start.
    last
        Their number.
    waiting
        How many requests of each type wait, shape (types,).
    kinds
        The types of requests.
    """
    words = kinds.tops.shape[0]
    i = last - 1
    while i >= 0:
        k = who[i]
        if choice[i] < waiting[k]:
            over = 0
            for j in range(words):
                total = stack[i + 1, j] + kinds.runs[k, j]
                over |= (total + kinds.offsets[j]) & kinds.tops[j]
                stack[i + 1, j] = total
            if over == 0:
                choice[i] += 1
                for later in range(i + 1, last):
                    choice[later] = 0
                    for j in range(words):
                        stack[later + 1, j] = stack[i + 1, j]
                return True
        choice[i] = 0
        i -= 1
    return False


def first_choice(
    choice: IntArray,
    stack: IntArray,
    who: IntArray,
    profile: IntArray,
    waiting: IntArray,
    kinds: Kinds,
) -> int:
    """Prepare `next_choice` for a state, nothing chosen; return how many types could start."""
    words = kinds.tops.shape[0]
    last = 0
    for k in range(waiting.shape[0]):
        if waiting[k] == 0:
            continue
        over = 0
        for j in range(words):
            over |= (profile[j] + kinds.runs[k, j] + kinds.offsets[j]) & kinds.tops[j]
        if over == 0:
            who[last] = k
            choice[last] = 0
            last += 1
    for i in range(last + 1):
        for j in range(words):
            stack[i, j] = profile[j]
    return last


def who_waits(key: int, kinds: Kinds, waiting: IntArray) -> int:
    """Write how many requests of each type wait into `waiting`; return how many altogether."""
    total = 0
    for k in range(waiting.shape[0]):
        waiting[k] = key // kinds.place[k] % (kinds.counts[k] + 1)
        total += waiting[k]
    return total


def make_child(
    choice: IntArray,
    row: IntArray,
    who: IntArray,
    last: int,
    before: NDArray[np.int32],
    kinds: Kinds,
    waiting: IntArray,
    left: IntArray,
    profile: IntArray,
    after: NDArray[np.int32],
) -> int:
    """Let what was chosen start and a round pass.

    Writes who still waits into `left` and the memory profile after the round into
    `profile`, and the open windows, `before` it, into `after`; returns the change of the key.
    """
    bits, fields = kinds.packing[0], kinds.packing[1]
    words = kinds.tops.shape[0]
    for k in range(waiting.shape[0]):
        left[k] = waiting[k]
    less = 0
    one, two, three = before[0], before[1], before[2]
    for i in range(last):
        if choice[i] > 0:
            k = who[i]
            left[k] -= choice[i]
            less += choice[i] * kinds.place[k]
            one = max(one, kinds.windows[0, k])
            for _ in range(choice[i]):
                three = max(three, min(two, kinds.windows[1, k]))
                two = max(two, kinds.windows[1, k])
    after[0] = max(0, one - 1)
    after[1] = max(0, two - 1)
    after[2] = max(0, three - 1)
    mask = (1 << bits) - 1
    for j in range(words):
        word = row[j] >> bits
        if j + 1 < words:
            word |= (row[j + 1] & mask) << (bits * (fields - 1))
        profile[j] = word
    return less


def start_pool(pool: Pool, kinds: Kinds) -> None:
    """Make state 0 the one in which everything waits."""
    key = 0
    for k in range(kinds.counts.shape[0]):
        key += kinds.counts[k] * kinds.place[k]
    pool.key[0] = key
    for j in range(kinds.tops.shape[0]):
        pool.profile[0, j] = 0
    pool.cost[0] = 0
    for j in range(3):
        pool.open[0, j] = 0
    pool.time[0] = 0
    pool.parent[0] = -1
    pool.rival[0] = -1
    pool.below[0] = -1
    pool.dropped[0] = False


def trace_back(pool: Pool, kinds: Kinds, end: int, starts: IntArray) -> None:
    """Write the starts of the schedule that leads through state `end`, requests by type."""
    types = kinds.counts.shape[0]
    now = 0
    state = end
    while pool.parent[state] >= 0:
        now += 1
        state = pool.parent[state]
    state = end
    key = 0  # after the last state everything that waits starts
    while state >= 0:
        first = 0
        for k in range(types):
            n = kinds.counts[k]
            before = pool.key[state] // kinds.place[k] % (n + 1)
            after = key // kinds.place[k] % (n + 1)
            for i in range(n - before, n - after):
                starts[first + i] = now
            first += n
        key = pool.key[state]
        now -= 1
        state = pool.parent[state]


def beam(
    kinds: Kinds, prices: Prices, pool: Pool, width: int, work: int, starts: IntArray
) -> tuple[int, int]:
    """Return a lower bound on the sum of starts, and the sum of a good schedule in `starts`.

    First the requests run one after another, shortest first.  Then the search goes
    through time and keeps the `width` most promising states, as long as the pool has room
    and there are no more than `work` children.
    """
    types, words = kinds.outputs.shape[0], kinds.tops.shape[0]
    longest = kinds.outputs[types - 1]
    waiting = np.zeros(types, dtype=np.int64)
    left = np.zeros(types, dtype=np.int64)
    choice = np.zeros(types, dtype=np.int64)
    who = np.zeros(types, dtype=np.int64)
    free = np.zeros(longest + 1, dtype=np.int64)
    usable = np.zeros(longest + 1, dtype=np.int64)
    windows = np.zeros(3, dtype=np.int32)
    profile = np.zeros(words, dtype=np.int64)
    stack = np.zeros((types + 1, words), dtype=np.int64)
    score = np.zeros(width, dtype=np.int64)
    ceiling = now = place = outputs = 0
    for k in range(types):
        for _ in range(kinds.counts[k]):
            starts[place] = now
            ceiling += now
            now += kinds.outputs[k]
            outputs += kinds.outputs[k]
            place += 1
    start_pool(pool, kinds)
    who_waits(pool.key[0], kinds, waiting)
    base = (
        pour_bound(waiting, free, int(np.int64(0)), windows, kinds, int(np.int64(1 << 60)))
        - outputs
    )
    best = int(np.int64(-1))
    first, last = 0, 1
    while first < last and base < ceiling and last + width <= pool.key.shape[0]:
        kept = 0
        for state in range(first, last):
            total = who_waits(pool.key[state], kinds, waiting)
            could = first_choice(choice, stack, who, pool.profile[state], waiting, kinds)
            more = True
            if pool.profile[state, 0] == 0:
                more = next_choice(choice, stack, who, could, waiting, kinds)
            while more and work > 0:
                work -= 1
                still = total
                for i in range(could):
                    still -= choice[i]
                cost = pool.cost[state] + still
                if still == 0:
                    if cost < ceiling:
                        ceiling = cost
                        best = state
                elif cost < ceiling:
                    less = make_child(
                        choice,
                        stack[could],
                        who,
                        could,
                        pool.open[state],
                        kinds,
                        waiting,
                        left,
                        profile,
                        windows,
                    )
                    outputs = 0
                    for k in range(types):
                        outputs += left[k] * kinds.outputs[k]
                    length = unpack(profile, kinds, free)
                    tighten(free, length, left, kinds, profile, usable)
                    time = pool.time[state] + 1
                    value = cost + max(
                        0,
                        pour_bound(left, free, length, windows, kinds, ceiling - cost + outputs)
                        - outputs,
                        price_bound(left, free, length, windows, time, kinds, prices),
                    )
                    if value < ceiling:
                        # Among equals the one in which fewer wait.
                        value = value * 64 + still
                        key = pool.key[state] - less
                        slot = kept
                        if kept == width:
                            slot = 0
                            for i in range(1, width):
                                if score[i] > score[slot]:
                                    slot = i
                        if kept < width or value < score[slot]:
                            for i in range(kept):
                                same = pool.key[last + i] == key
                                for j in range(words):
                                    same = same and pool.profile[last + i, j] == profile[j]
                                if same:
                                    slot = i if value < score[i] else -1
                                    break
                            if slot >= 0:
                                score[slot] = value
                                row = last + slot
                                pool.key[row] = key
                                for j in range(words):
                                    pool.profile[row, j] = profile[j]
                                pool.cost[row] = cost
                                for j in range(3):
                                    pool.open[row, j] = windows[j]
                                pool.time[row] = pool.time[state] + 1
                                pool.parent[row] = state
                                if slot == kept:
                                    kept += 1
                more = next_choice(choice, stack, who, could, waiting, kinds)
        first, last = last, last + kept
    if best >= 0:
        trace_back(pool, kinds, best, starts)
    return base, ceiling


def best_first(
    kinds: Kinds,
    prices: Prices,
    pool: Pool,
    rivals: NDArray[np.int32],
    buckets: NDArray[np.int32],
    numbers: IntArray,
    steps: int,
) -> int:
    """Expand states, cheapest lower bound first; return DONE, MORE or FULL.

    It stops after about `steps` children, between two states, or when the pool is full.
    The state it was at is then put back, so that numbers[BUCKET] is a lower bound.

    Parameters
    ----------
    kinds
        The types of requests.
    pool
        The states.
    rivals
        First state of each key, or -1, shape (keys,).
    buckets
        First state of each lower bound, counted from numbers[BASE], or -1.
    numbers
        See the constants.
    steps
        About how many children.
    """
    types, words = kinds.outputs.shape[0], kinds.tops.shape[0]
    longest = kinds.outputs[types - 1]
    base = numbers[BASE]
    waiting = np.zeros(types, dtype=np.int64)
    left = np.zeros(types, dtype=np.int64)
    choice = np.zeros(types, dtype=np.int64)
    who = np.zeros(types, dtype=np.int64)
    free = np.zeros(longest + 1, dtype=np.int64)
    usable = np.zeros(longest + 1, dtype=np.int64)
    windows = np.zeros(3, dtype=np.int32)
    profile = np.zeros(words, dtype=np.int64)
    stack = np.zeros((types + 1, words), dtype=np.int64)
    while steps > 0:
        while numbers[BUCKET] < numbers[CEILING] and buckets[numbers[BUCKET] - base] < 0:
            numbers[BUCKET] += 1
        if numbers[BUCKET] >= numbers[CEILING]:
            return DONE
        state = buckets[numbers[BUCKET] - base]
        buckets[numbers[BUCKET] - base] = pool.below[state]
        if pool.dropped[state]:
            numbers[SKIP] = 0
            continue
        total = who_waits(pool.key[state], kinds, waiting)
        could = first_choice(choice, stack, who, pool.profile[state], waiting, kinds)
        more = True
        if pool.profile[state, 0] == 0:  # no fully idle round
            more = next_choice(choice, stack, who, could, waiting, kinds)
        for _ in range(numbers[SKIP]):
            more = next_choice(choice, stack, who, could, waiting, kinds)
        while more:
            if steps <= 0:
                pool.below[state] = buckets[numbers[BUCKET] - base]
                buckets[numbers[BUCKET] - base] = state
                return MORE
            steps -= 1
            still = total
            for i in range(could):
                still -= choice[i]
            cost = pool.cost[state] + still
            if still == 0 and cost < numbers[CEILING]:
                numbers[CEILING] = cost
                numbers[LAST] = state
            if cost < numbers[CEILING]:
                less = make_child(
                    choice,
                    stack[could],
                    who,
                    could,
                    pool.open[state],
                    kinds,
                    waiting,
                    left,
                    profile,
                    windows,
                )
                key = pool.key[state] - less
                length = unpack(profile, kinds, free)
                tighten(free, length, left, kinds, profile, usable)
                # Is there a state that is at least as good in every way?
                worse = False
                rival = rivals[key]
                while rival >= 0:
                    if pool.cost[rival] <= cost:
                        over = 0
                        for j in range(words):
                            tops = kinds.tops[j]
                            over |= ~((profile[j] | tops) - pool.profile[rival, j]) & tops
                        if over == 0:
                            worse = True
                            break
                    rival = pool.rival[rival]
                bound = numbers[CEILING]
                if not worse:
                    outputs = 0
                    for k in range(types):
                        outputs += left[k] * kinds.outputs[k]
                    enough = numbers[CEILING] - cost + outputs
                    time = pool.time[state] + 1
                    priced = cost + price_bound(left, free, length, windows, time, kinds, prices)
                    bound = max(numbers[BUCKET], priced)
                    if bound < numbers[CEILING]:
                        poured = pour_bound(left, free, length, windows, kinds, enough)
                        bound = max(bound, cost + poured - outputs)
                if bound < numbers[CEILING]:
                    new = numbers[STATES]
                    if new == pool.key.shape[0]:
                        pool.below[state] = buckets[numbers[BUCKET] - base]
                        buckets[numbers[BUCKET] - base] = state
                        return FULL
                    previous = -1
                    rival = rivals[key]
                    while rival >= 0:
                        following = pool.rival[rival]
                        over = 0
                        if pool.cost[rival] >= cost:
                            for j in range(words):
                                tops = kinds.tops[j]
                                over |= ~((pool.profile[rival, j] | tops) - profile[j]) & tops
                            if over == 0:
                                pool.dropped[rival] = True
                                if previous < 0:
                                    rivals[key] = following
                                else:
                                    pool.rival[previous] = following
                                rival = following
                                continue
                        previous = rival
                        rival = following
                    numbers[STATES] = new + 1
                    pool.key[new] = key
                    for j in range(words):
                        pool.profile[new, j] = profile[j]
                    pool.cost[new] = cost
                    for j in range(3):
                        pool.open[new, j] = windows[j]
                    pool.time[new] = pool.time[state] + 1
                    pool.parent[new] = state
                    pool.dropped[new] = False
                    pool.rival[new] = rivals[key]
                    rivals[key] = new
                    pool.below[new] = buckets[bound - base]
                    buckets[bound - base] = new
            numbers[SKIP] += 1
            more = next_choice(choice, stack, who, could, waiting, kinds)
        numbers[SKIP] = 0
    return MORE


def cost_of(kinds: Kinds, starts: IntArray) -> int:
    """Return the sum of starts (requests by type), or -1 if they exceed the memory."""
    total, end, i = 0, 0, 0
    for k in range(kinds.counts.shape[0]):
        for _ in range(kinds.counts[k]):
            total += starts[i]
            end = max(end, starts[i] + kinds.outputs[k])
            i += 1
    used = np.zeros(end, dtype=np.int64)
    i = 0
    for k in range(kinds.counts.shape[0]):
        for _ in range(kinds.counts[k]):
            for j in range(kinds.outputs[k]):
                used[starts[i] + j] += kinds.prompts[k] + j + 1
            i += 1
    for r in range(end):
        if used[r] > kinds.memory[0]:
            return -1
    return total


def prove_many(
    memories: IntArray,
    firsts: IntArray,
    prompts: IntArray,
    outputs: IntArray,
    enough: IntArray,
    pool: Pool,
    lower: IntArray,
    upper: IntArray,
) -> None:
    """Bracket the optimal sums of starts of many instances, with little work for each.

    Parameters
    ----------
    memories
        Memory budgets (tokens), shape (instances,).
    firsts
        Where the requests of each instance begin, and their number, shape (instances + 1,).
    prompts, outputs
        Prompt and output lengths of all requests (tokens).
    enough
        Larger sums of starts need not be told apart from these (rounds), shape (instances,);
        negative for no limit.
    pool
        States to work with, with words enough for every instance.
    lower, upper
        Take the brackets (rounds), shape (instances,), of the optimum or of what is enough,
        whichever is less; upper is -1 if something is wrong.
    """
    # numba compiles a function anew for a literal argument, but not for this.
    children = int(np.int64(QUICK_CHILDREN))
    numbers = np.zeros(6, dtype=np.int64)
    for i in range(memories.shape[0]):
        first, last = firsts[i], firsts[i + 1]
        kinds = make_kinds(memories[i], prompts[first:last], outputs[first:last])
        types = kinds.counts.shape[0]
        prices = make_prices(types, 0)
        starts = np.zeros(last - first, dtype=np.int64)
        work = children if enough[i] < 0 else int(np.int64(0))
        base, ceiling = beam(kinds, prices, pool, int(np.int64(NARROW)), work, starts)
        if enough[i] >= 0:
            ceiling = min(ceiling, enough[i])
            base = min(base, ceiling)
        lower[i] = base
        if base < ceiling:
            start_pool(pool, kinds)
            rivals = np.full(pool.key[0] + 1, -1, dtype=np.int32)
            buckets = np.full(ceiling - base, -1, dtype=np.int32)
            buckets[0] = 0
            numbers[STATES] = 1
            numbers[BUCKET] = base
            numbers[CEILING] = ceiling
            numbers[LAST] = -1
            numbers[BASE] = base
            numbers[SKIP] = 0
            best_first(kinds, prices, pool, rivals, buckets, numbers, children)
            lower[i] = min(numbers[BUCKET], numbers[CEILING])
            if numbers[LAST] >= 0:
                trace_back(pool, kinds, numbers[LAST], starts)
        upper[i] = cost_of(kinds, starts)
        if enough[i] >= 0:
            upper[i] = min(upper[i], enough[i])


KERNEL = (
    round_weight,
    fill_forms,
    make_kinds,
    pour_bound,
    make_prices,
    settle,
    find_prices,
    price_bound,
    unpack,
    tighten,
    next_choice,
    first_choice,
    who_waits,
    make_child,
    start_pool,
    trace_back,
    beam,
    best_first,
    cost_of,
    prove_many,
)
"""What numba compiles, each function after those it calls."""


class Functions(NamedTuple):
    """The functions of the kernel that are called from outside, compiled or not."""

    make_kinds: Callable[..., Kinds]
    find_prices: Callable[..., int]
    beam: Callable[..., tuple[int, int]]
    best_first: Callable[..., int]
    start_pool: Callable[..., None]
    trace_back: Callable[..., None]
    prove_many: Callable[..., None]


PLAIN = Functions(make_kinds, find_prices, beam, best_first, start_pool, trace_back, prove_many)
"""The functions as they stand, which take about a hundred times as long."""


@functools.cache
def compiled() -> Functions:
    """Return the compiled functions, or None if numba is not there or fails."""
    found: Functions = working(_compile)
    return found


def _compile(cache: bool) -> Functions:
    """Compile the functions for the types of arguments that they get."""

    def options(function: Callable[..., Any]) -> dict[str, Any]:
        inner = function.__name__ not in Functions._fields
        saving = {"no_cpython_wrapper": inner, "no_cfunc_wrapper": True}  # compile time
        return {"cache": cache, "error_model": "numpy", **saving}

    names = jitted(KERNEL, globals(), options)
    functions = Functions(*(names[name] for name in Functions._fields))
    # Calls with nothing to do, so that what can fail fails here.
    kinds = functions.make_kinds(2, np.ones(1, dtype=np.int64), np.ones(1, dtype=np.int64))
    prices, pool, starts = make_prices(1, 1), _make_pool(WIDE, 1), np.zeros(1, dtype=np.int64)
    functions.find_prices(kinds, prices, 0, 1)
    functions.beam(kinds, prices, pool, 1, 1, starts)
    functions.start_pool(pool, kinds)
    functions.trace_back(pool, kinds, 0, starts)
    none, bucket = np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int32)
    functions.best_first(kinds, prices, pool, bucket, bucket, np.zeros(6, dtype=np.int64), 0)
    functions.prove_many(none, none, none, none, none, pool, none, none)
    return functions


def accepts(instance: Instance) -> bool:
    """Tell whether an instance is within the limits of the kernel's arithmetic."""
    return _within_limits(instance.memory, instance.prompts, instance.outputs)


def _within_limits(memory: int, prompts: IntArray, outputs: IntArray) -> bool:
    if memory > MOST_MEMORY or len(outputs) > MOST_REQUESTS or outputs.sum() > MOST_OUTPUT:
        return False
    _, counts = np.unique((outputs << 12) | prompts, return_counts=True)
    keys: int = math.prod((counts + 1).tolist())
    return keys <= MOST_KEYS


def _bytes_a_state(words: int) -> int:
    return 8 * words + 45


def _make_pool(rows: int, words: int) -> Pool:
    return Pool(
        np.zeros(rows, dtype=np.int64),
        np.zeros((rows, words), dtype=np.int64),
        np.zeros(rows, dtype=np.int64),
        np.zeros((rows, 3), dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.bool_),
    )


def _grown(pool: Pool) -> Pool:
    """Return a pool with the same states and room for as many more."""
    larger = _make_pool(2 * len(pool.key), pool.profile.shape[1])
    for name in Pool._fields:
        old = getattr(pool, name)
        getattr(larger, name)[: len(old)] = old
    return larger


class StateSearch:
    """The stage that searches over states in compiled code.

    Parameters
    ----------
    state_bytes
        Memory for states (bytes); by default what `StateSearchParams` says.
    functions
        The functions to use; by default the compiled ones.
    """

    name = "state-search"

    def __init__(self, state_bytes: int | None = None, functions: Functions | None = None) -> None:
        self.state_bytes = state_bytes
        self.functions = functions

    def applies(self, state: Incumbent) -> bool:
        """Tell whether it is the best there is for an instance of this size."""
        params, instance = state.params.state_search, state.instance
        if len(instance) > params.most_requests or not accepts(instance):
            return False
        if state.bound.value == state.objective:
            return False
        small = len(instance) <= params.few_requests and instance.memory <= params.small_memory
        if not small and batch_states_fit(state):
            return False
        long = int(instance.outputs.max()) >= params.long_output
        return not (long and has_few_long_runs(state))

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer the best schedule found, and prove the bound that was reached.

        Raises
        ------
        InputError
            If the instance is not accepted (see `accepts`).
        """
        instance = state.instance
        if not accepts(instance):
            raise InputError(f"{instance!r}: is beyond the limits of the compiled search")
        if stop.over():
            return
        search = _Search(
            instance,
            state.starts,
            state.params.state_search.state_bytes if self.state_bytes is None else self.state_bytes,
            self.functions or compiled() or PLAIN,
        )
        search.run(stop)
        state.offer(search.starts)
        state.prove(Bound(instance.total_output + search.lower_bound, "state-search"))


def solve_by_kernel(
    instance: Instance,
    known: IntArray,
    stop: Stopping,
    state_bytes: int | None = None,
    functions: Functions | None = None,
) -> Result:
    """Solve a small instance by the compiled search over states alone.

    Parameters
    ----------
    instance
        The instance; practical up to about 16 requests and a memory of a few dozen tokens,
        more if many are identical or few run at once.
    known
        Starts of some feasible schedule (rounds), shape (n,).
    stop
        How long it may take; it is looked at about ten times a second.
    state_bytes, functions
        As for `StateSearch`.

    Raises
    ------
    InputError
        If the instance is not accepted (see `accepts`).
    SolverError
        If `known` is not feasible.
    """
    return run_alone(StateSearch(state_bytes, functions), instance, known, stop)


class _Search:
    """One instance on its way: the best schedule and the best bound so far.

    Attributes
    ----------
    starts
        Starts of the best schedule known (rounds), shape (n,).
    ceiling
        Their sum.
    lower_bound
        Proved lower bound on the sum of starts (rounds).
    """

    def __init__(
        self, instance: Instance, known: IntArray, state_bytes: int, functions: Functions
    ) -> None:
        self.functions = functions
        self.starts = known
        self.ceiling = int(known.sum())
        self.lower_bound = 0
        self.kinds = functions.make_kinds(
            instance.memory, instance.prompts.copy(), instance.outputs.copy()
        )
        self.order = np.lexsort((instance.prompts, instance.outputs))
        self.lengths = instance.outputs[self.order]
        self.row = _bytes_a_state(len(self.kinds.tops))
        self.state_bytes = state_bytes
        rows = max(WIDE, min(POOL_BYTES, state_bytes) // self.row)
        self.pool = _make_pool(rows, len(self.kinds.tops))
        self.step = max(100, WORK_A_STEP // (int(self.lengths.max()) + 20))

    def run(self, stop: Stopping) -> None:
        """Go on until the bracket has closed, the budget is over or the memory is full."""
        kinds = self.kinds
        types = len(kinds.counts)
        nothing = make_prices(types, 0)
        self._beam(nothing, NARROW, QUICK_CHILDREN)
        self._best_first(nothing, stop, QUICK_CHILDREN)
        if self.lower_bound == self.ceiling or stop.over():
            return
        rounds = int((self.starts[self.order] + self.lengths).max())
        prices = make_prices(types, rounds)
        steps = min(PRICE_STEPS, PRICE_WORK // (types * rounds))
        self.functions.find_prices(kinds, prices, self.ceiling, steps)
        self._beam(prices, WIDE, 2 * self.step)
        self._best_first(prices, stop, None)

    def _beam(self, prices: Prices, width: int, work: int) -> None:
        starts = np.zeros(len(self.order), dtype=np.int64)
        bound, ceiling = self.functions.beam(self.kinds, prices, self.pool, width, work, starts)
        self.lower_bound = max(self.lower_bound, min(int(bound), self.ceiling))
        self._take(int(ceiling), starts)

    def _take(self, ceiling: int, starts: IntArray) -> None:
        if ceiling < self.ceiling:
            self.ceiling = ceiling
            self.starts = np.empty_like(starts)
            self.starts[self.order] = starts

    def _best_first(self, prices: Prices, stop: Stopping, children: int | None) -> None:
        """Search best first; without a number of children, until something else ends it."""
        base = self.lower_bound
        if base >= self.ceiling:
            return
        kinds, functions = self.kinds, self.functions
        functions.start_pool(self.pool, kinds)
        rivals = np.full(int(self.pool.key[0]) + 1, -1, dtype=np.int32)
        buckets = np.full(self.ceiling - base, -1, dtype=np.int32)
        buckets[0] = 0
        numbers = np.array([1, base, self.ceiling, -1, base, 0], dtype=np.int64)
        while not stop.over():
            step = self.step if children is None else children
            before = int(numbers[0])
            code = functions.best_first(kinds, prices, self.pool, rivals, buckets, numbers, step)
            stop.count(int(numbers[0]) - before)
            if code == FULL and 3 * len(self.pool.key) * self.row <= self.state_bytes:
                self.pool = _grown(self.pool)
            elif code != MORE or children is not None:
                break
        self.lower_bound = int(min(numbers[BUCKET], numbers[CEILING]))
        if numbers[LAST] >= 0:
            starts = np.zeros(len(self.order), dtype=np.int64)
            functions.trace_back(self.pool, kinds, int(numbers[LAST]), starts)
            self._take(int(numbers[CEILING]), starts)


Problem = tuple[int, Sequence[int], Sequence[int]]
"""Memory budget, prompt lengths and output lengths (tokens)."""


def optimum(memory: int, prompts: Sequence[int], outputs: Sequence[int]) -> int:
    """Return the optimal total completion time of a small instance (rounds).

    Parameters and errors are as for `optima`.

    Examples
    --------
    >>> optimum(7, [1, 1, 1, 1], [2, 2, 4, 4])
    18
    """
    return optima([(memory, prompts, outputs)])[0]


def optima(
    problems: Sequence[Problem],
    functions: Functions | None = None,
    enough: Sequence[int] | None = None,
) -> list[int]:
    """Return the optimal total completion times of many small instances (rounds).

    With numba, thousands of tiny ones a second: they are handled together in compiled
    code, where every schedule is checked; only those that take longer come back out.

    Parameters
    ----------
    problems
        Memory budget, prompt lengths and output lengths of each (tokens).
    enough
        For each instance a total completion time (rounds); where the optimum is at least
        that, it may be returned instead.  It is often much easier to prove.
    functions
        The functions to use; by default the compiled ones, or `PLAIN` without numba.

    Raises
    ------
    InputError
        If an instance is not valid, or not accepted (see `accepts`).
    """
    if not problems:
        return []
    functions = functions or compiled() or PLAIN
    firsts = np.zeros(len(problems) + 1, dtype=np.int64)
    np.cumsum([len(outputs) for _, _, outputs in problems], out=firsts[1:])
    memories = np.array([memory for memory, _, _ in problems], dtype=np.int64)
    prompts = np.array([s for _, lengths, _ in problems for s in lengths], dtype=np.int64)
    outputs = np.array([o for _, _, lengths in problems for o in lengths], dtype=np.int64)
    _check_problems(problems, memories, firsts, prompts, outputs)
    bits = int(memories.max()).bit_length() + 1
    words = -(-int(outputs.max()) // (WORD_BITS // bits))
    lower, upper = np.zeros_like(memories), np.zeros_like(memories)
    pool = _make_pool(MANY_ROWS, words)
    totals = np.add.reduceat(outputs, firsts[:-1])
    limits = np.full_like(memories, -1)
    if enough is not None:
        limits = np.maximum(np.array(enough, dtype=np.int64) - totals, 0)
    functions.prove_many(memories, firsts, prompts, outputs, limits, pool, lower, upper)
    if (upper < lower).any():
        raise SolverError("the compiled search contradicts itself")
    found: list[int] = (upper + totals).tolist()
    for i in np.flatnonzero(lower < upper).tolist():
        instance = Instance(*problems[i])
        serial = np.zeros(len(instance), dtype=np.int64)
        np.cumsum(instance.outputs[:-1], out=serial[1:])
        search = _Search(instance, serial, 1 << 40, functions)
        if enough is not None:
            search.ceiling = min(search.ceiling, int(limits[i]))
        search.run(Stopping())
        found[i] = instance.total_output + search.lower_bound
        if enough is None or found[i] < enough[i]:
            found[i] = recomputed(instance, search.starts)[1]
    return found


def _check_problems(
    problems: Sequence[Problem],
    memories: IntArray,
    firsts: IntArray,
    prompts: IntArray,
    outputs: IntArray,
) -> None:
    """Refuse what is not an instance or not accepted, looking closer only where needed."""
    sizes = np.diff(firsts)
    if (
        any(len(prompts) != len(outputs) for _, prompts, outputs in problems)
        or (sizes < 1).any()
        or (prompts < 0).any()
        or (outputs < 1).any()
        or (prompts + outputs > np.repeat(memories, sizes)).any()
        or (memories > MOST_MEMORY).any()
        or (sizes > 20).any()
        or (np.add.reduceat(outputs, firsts[:-1]) > MOST_OUTPUT).any()
    ):
        for problem in problems:
            instance = Instance(*problem)
            if not accepts(instance):
                raise InputError(f"{instance!r}: is beyond the limits of the compiled search")
