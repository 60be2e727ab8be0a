"""Clocks: how many milliseconds a round takes.

A clock tells the length of a round from what happens in it.  Between two events (starts and
ends of attempts) the number of running attempts does not change and the memory grows by it each
round, so the time is a quadratic function of the round, and no round is looked at singly.

All is exact: times are whole numbers of ticks, of which a millisecond has as many as the
constants of the clock and microseconds need.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import NamedTuple, Protocol

import numpy as np

from kvopt.model.errors import InputError
from kvopt.model.instance import MAX_TOKENS, IntArray, abridged
from kvopt.model.milliseconds import decimal_text, exact_number
from kvopt.model.spec import Parser, integer, parse_values, split_spec

__all__ = [
    "Clock",
    "LinearClock",
    "Pace",
    "RoundTimes",
    "TiledClock",
    "clock_from_spec",
    "spec_of_clock",
]

LARGEST = 10**9
"""Largest constant of a clock accepted (milliseconds)."""

DECIMALS = 6
"""So many decimals the constants of a clock may have."""

LATEST_TICK = 2**62


class Pace(NamedTuple):
    """How long rounds take while nothing starts or ends, in ticks.

    Round number j of such a stretch, j = 1, 2, ..., takes base + slope j, and the first one
    `first` more.
    """

    base: int
    slope: int
    first: int


class Clock(Protocol):
    """How long a round takes."""

    @property
    def ticks(self) -> int:
        """So many ticks make a millisecond."""
        ...

    def pace(self, running: int, memory: int, prompt_tokens: int) -> Pace:
        """Return how long the rounds of a stretch take.

        Parameters
        ----------
        running
            Number of running requests K.
        memory
            Memory in use in the round before the stretch if it had been the same requests
            (tokens): round j uses memory + K j.
        prompt_tokens
            Prompt tokens of the attempts that start with the stretch.
        """
        ...


class _Constants:
    """What both clocks have in common: their constants in milliseconds, checked and exact."""

    name = ""
    constants: tuple[str, ...] = ()
    """The constants in milliseconds."""
    needed: tuple[str, ...] = ()
    """One of these must be positive, or rounds would take no time."""
    ticks: int
    """So many ticks make a millisecond."""
    scaled: tuple[int, ...]
    """The constants in ticks."""

    def __post_init__(self) -> None:
        """Check the constants as the command line does, and make them exact.

        Raises
        ------
        InputError
            If one is not a decimal number >= 0, or rounds would take no time.
        """
        for key in self.constants:
            value = _milliseconds(getattr(self, key), f"clock {self.name}: {key}")
            object.__setattr__(self, key, value)
        if not any(getattr(self, key) for key in self.needed):
            words = " and ".join(self.needed)
            raise InputError(f"clock {self.name}: {words} must not all be 0: rounds take time")
        values = [getattr(self, key) for key in self.constants]
        ticks = lcm(1000, *(value.denominator for value in values))
        object.__setattr__(self, "ticks", ticks)
        object.__setattr__(self, "scaled", tuple(int(value * ticks) for value in values))


@dataclass(frozen=True)
class LinearClock(_Constants):
    """A round takes c0 + c1 K + c2 W + c3 b milliseconds.

    K is the number of running requests, W the memory in use (tokens), and b the number of prompt
    tokens of the attempts that start with the round, with the tokens that a request has kept
    [reading]: an engine computes both anew.  An empty round takes c0.

    Parameters
    ----------
    c0, c1, c2, c3
        The constants, exact numbers >= 0 (milliseconds); not all of c0, c1 and c2 are 0.
    """

    name = "linear"
    constants = ("c0", "c1", "c2", "c3")
    needed = ("c0", "c1", "c2")

    c0: Fraction = Fraction(0)
    c1: Fraction = Fraction(0)
    c2: Fraction = Fraction(0)
    c3: Fraction = Fraction(0)

    def pace(self, running: int, memory: int, prompt_tokens: int) -> Pace:
        """Return how long rounds take; see `Clock.pace`."""
        c0, c1, c2, c3 = self.scaled
        return Pace(c0 + c1 * running + c2 * memory, c2 * running, c3 * prompt_tokens)


@dataclass(frozen=True)
class TiledClock(_Constants):
    """A round takes c + a ceil(tokens processed / b0) milliseconds.

    Tokens processed are the prompt tokens of the attempts that start with the round, and one for
    each running request: as many as enter the memory.  With 11.28 + 35.47 ceil(b / 128) it is the
    clock of arXiv 2504.07347.

    Parameters
    ----------
    c, a
        The constants, exact numbers >= 0, not both 0 (milliseconds).
    b0
        Size of a tile (tokens), >= 1.
    """

    name = "tiled"
    constants = ("c", "a")
    needed = ("c", "a")

    c: Fraction
    a: Fraction
    b0: int

    def __post_init__(self) -> None:
        """Check the constants; see `_Constants`."""
        _Constants.__post_init__(self)
        if not isinstance(self.b0, int) or isinstance(self.b0, bool) or self.b0 < 1:
            raise InputError(
                f"clock tiled: b0: must be an integer of at least 1, got {abridged(self.b0)}"
            )

    def pace(self, running: int, memory: int, prompt_tokens: int) -> Pace:
        """Return how long rounds take; see `Clock.pace`."""
        c, a = self.scaled
        tiles = -(-running // self.b0)
        at_first = -(-(running + prompt_tokens) // self.b0)
        return Pace(c + a * tiles, 0, a * (at_first - tiles))


def clock_from_spec(spec: str) -> LinearClock | TiledClock:
    """Make a clock from how it is written on the command line.

    Parameters
    ----------
    spec
        linear:c0=11.3:c1=0.2:c2=0.001:c3=0.05, constants not given being 0, or
        tiled:c=11.28:a=35.47:b0=128.

    Raises
    ------
    InputError
        If it is something else, a constant is negative, or rounds would take no time.

    Examples
    --------
    >>> clock_from_spec("linear:c0=11.5:c3=0.25")
    LinearClock(c0=Fraction(23, 2), c1=Fraction(0, 1), c2=Fraction(0, 1), c3=Fraction(1, 4))
    """
    name, given = split_spec(spec, "clock")
    if name == "linear":
        known: dict[str, Parser] = dict.fromkeys(LinearClock.constants, _milliseconds)
        return LinearClock(**parse_values(given, known, "clock linear"))
    if name == "tiled":
        known = {"c": _milliseconds, "a": _milliseconds, "b0": integer(1, MAX_TOKENS)}
        values = parse_values(given, known, "clock tiled")
        for key in known:
            if key not in values:
                raise InputError(f"clock tiled: {key}: required parameter is missing")
        return TiledClock(**values)
    raise InputError(f"clock: must be linear:... or tiled:..., got {abridged(name)}")


def spec_of_clock(clock: Clock) -> str:
    """Return a clock as it is written on the command line; another kind by its repr.

    Examples
    --------
    >>> spec_of_clock(TiledClock("11.28", 35, 128))
    'tiled:c=11.28:a=35:b0=128'
    """
    if not isinstance(clock, LinearClock | TiledClock):
        return repr(clock)
    constants = [f"{key}={decimal_text(getattr(clock, key))}" for key in clock.constants]
    tile = [f"b0={clock.b0}"] if isinstance(clock, TiledClock) else []
    return ":".join([clock.name, *constants, *tile])


class RoundTimes:
    """When rounds end, in ticks: the record that a simulation by a clock writes.

    Parameters
    ----------
    ticks
        So many ticks make a millisecond.
    arrivals
        When requests arrive (ticks), shape (n,).
    memory
        Memory budget M (tokens).
    """

    unit = "ms"

    def __init__(self, ticks: int, arrivals: IntArray, memory: int) -> None:
        self.ticks = ticks
        self._arrivals = arrivals
        self._memory = memory
        # A stretch begins at the end of a round: (round, tick, memory, running, pace).
        self._stretches: list[tuple[int, int, int, int, Pace]] = []
        self.round = 0
        self.tick = 0

    def go_on(self, stop: int, target: int | None, running: int, memory: int, pace: Pace) -> bool:
        """Let rounds pass in which nothing starts or ends.

        Parameters
        ----------
        stop
            The last of these rounds.
        target
            Stop earlier, after the first round that ends then or later (tick); None not to.
        running, memory, pace
            Of the stretch: see `Clock.pace`.

        Returns
        -------
        bool
            Whether the target was reached.
        """
        rounds = stop - self.round
        reached = target is not None and self.tick + _elapsed(pace, rounds) >= target
        if target is not None and reached:
            rounds = _rounds_until(target - self.tick, pace, rounds)
        self._stretches.append((self.round, self.tick, memory, running, pace))
        self.round += rounds
        self.tick += _elapsed(pace, rounds)
        return reached

    def jump(self, target: int) -> None:
        """Let an empty round last until a time (tick) that lies ahead."""
        self._stretches.append((self.round, self.tick, 0, 0, Pace(target - self.tick, 0, 0)))
        self.round += 1
        self.tick = target

    def first_end(self, target: int) -> int:
        """Return the first round, up to the current one, that ends at a time (tick) or later."""
        if target <= 0:
            return 0
        i = bisect_left(self._stretches, target, key=lambda stretch: stretch[1]) - 1
        begin, tick, _, _, pace = self._stretches[i]
        return begin + _rounds_until(target - tick, pace, self.round - begin)

    def at(self, rounds: IntArray) -> IntArray:
        """Return when some rounds end (ticks), shape (a,); time 0 is the end of round 0.

        Raises
        ------
        InputError
            If times exceed 64 bits.
        """
        if self.tick >= LATEST_TICK:
            raise InputError("clock: must keep times within 64 bits, got longer ones")
        if not self._stretches:
            return np.zeros_like(rounds)
        begin, tick, base, slope, first = (
            np.array(column, dtype=np.int64)
            for column in zip(*((r, t, *pace) for r, t, _, _, pace in self._stretches), strict=True)
        )
        i = np.maximum(np.searchsorted(begin, rounds) - 1, 0)
        passed = rounds - begin[i]
        growth = slope[i] * (passed * (passed + 1) // 2)
        times: IntArray = tick[i] + base[i] * passed + growth + first[i] * (passed > 0)
        return times

    def arrivals(self) -> IntArray:
        """Return when requests arrive (ticks), shape (n,)."""
        return self._arrivals

    def memory_share(self, last: int) -> Fraction:
        """Return the mean over time of the memory in use, as a share of the budget.

        Parameters
        ----------
        last
            Time counts from the first arrival to the end of this round.
        """
        total = 0
        ends = [*(stretch[0] for stretch in self._stretches[1:]), self.round]
        for (begin, _, memory, running, pace), end in zip(self._stretches, ends, strict=True):
            if (m := min(end, last) - begin) <= 0:
                break
            ones, squares = m * (m + 1) // 2, m * (m + 1) * (2 * m + 1) // 6
            total += memory * pace.base * m + pace.first * (memory + running)
            total += (memory * pace.slope + running * pace.base) * ones
            total += running * pace.slope * squares
        time = int(self.at(np.array([last]))[0]) - int(self._arrivals.min())
        return Fraction(total, self._memory * time)


def _elapsed(pace: Pace, rounds: int) -> int:
    """Return how long the first rounds of a stretch take (ticks)."""
    return pace.base * rounds + pace.slope * (rounds * (rounds + 1) // 2) + pace.first


def _rounds_until(time: int, pace: Pace, most: int) -> int:
    """Return the first of the rounds 1..most of a stretch that ends at a time (ticks) or later."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if _elapsed(pace, middle) >= time:
            high = middle
        else:
            low = middle + 1
    return low


def _milliseconds(value: object, name: str) -> Fraction:
    """Return a constant of a clock, given as text or an exact number."""
    exact = exact_number(value)
    if exact is None or not 0 <= exact <= LARGEST or 10**DECIMALS % exact.denominator:
        raise InputError(
            f"{name}: must be a decimal number from 0 to {LARGEST} (milliseconds) with at most"
            f" {DECIMALS} decimals, got {abridged(value)}"
        )
    return exact
