"""Requests and instances: what there is to schedule."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from kvopt.model.errors import InputError
from kvopt.model.milliseconds import MAX_ARRIVAL
from kvopt.model.request import IntArray, Request
from kvopt.model.request_types import RequestTypes
from kvopt.model.text import ShownAsText, abridged_repr

__all__ = ["MAX_END", "MAX_REQUESTS", "MAX_TIME", "MAX_TOKENS", "Instance", "IntArray", "Request"]

MAX_TOKENS = 10**9
"""Largest memory budget, prompt or output length accepted (tokens)."""

MAX_TIME = 10**15
"""Largest release time accepted (rounds)."""

MAX_END = 10**17
"""Largest start or end accepted (rounds): what is released last still has to run."""

MAX_REQUESTS = 10**7
"""Largest number of requests accepted in one instance."""


@dataclass(frozen=True, slots=True, eq=False, init=False, repr=False)
class Instance(ShownAsText, Sequence[Request]):
    """A memory budget and the requests that share it, each from its release time on.

    As a sequence it holds its `Request` objects in order; the arrays are there
    for code that works on many requests at once.

    Parameters
    ----------
    memory
        Memory budget M (tokens), 1 <= M <= `MAX_TOKENS`.
    prompts
        Prompt lengths (tokens), shape (n,), 1 <= n <= `MAX_REQUESTS`.
    outputs
        Output lengths (tokens), shape (n,).
    name, comment, source
        Free text: what to call it, why it is interesting, where it came from.
    releases
        Release times (rounds), shape (n,), each from 0 to `MAX_TIME`; None for all at 0.

    Raises
    ------
    InputError
        If a number is not an integer in its range, or a request does not fit
        into the memory even alone (s + o > M).

    Examples
    --------
    >>> instance = Instance(10, prompts=[2, 2, 0], outputs=[3, 8, 1])
    >>> len(instance), instance[1], instance.common_prompt
    (3, Request(prompt=2, output=8), None)
    """

    memory: int
    prompts: IntArray
    outputs: IntArray
    releases: IntArray
    has_releases: bool
    """Whether some request is released after time 0."""
    arrivals: IntArray | None
    """Arrival times in a trace (microseconds), shape (n,), or None; see `with_arrivals`."""
    name: str
    comment: str
    source: str
    _types: RequestTypes | None

    def __init__(
        self,
        memory: int,
        prompts: ArrayLike,
        outputs: ArrayLike,
        name: str = "",
        comment: str = "",
        source: str = "",
        releases: ArrayLike | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "_types", None)
        put(self, "arrivals", None)
        put(self, "memory", check_integer(memory, "memory", 1))
        put(self, "prompts", _integers(prompts, "prompt", 0))
        put(self, "outputs", _integers(outputs, "output", 1))
        for key, text in (("name", name), ("comment", comment), ("source", source)):
            if not isinstance(text, str) or not _is_writable(text, one_line=key == "name"):
                raise InputError(f"{key}: must be a printable string, got {abridged(text)}")
            put(self, key, text)
        if len(self.prompts) != len(self.outputs):
            raise InputError(
                f"outputs: must be as many as prompts, {len(self.prompts)}, got {len(self.outputs)}"
            )
        if releases is None:
            releases = np.zeros_like(self.prompts)
        put(self, "releases", _integers(releases, "release", 0, MAX_TIME))
        put(self, "has_releases", bool(self.releases.any()))
        if len(self.releases) != len(self.prompts):
            raise InputError(
                f"releases: must be as many as prompts, {len(self.prompts)}, "
                f"got {len(self.releases)}"
            )
        if not len(self.prompts):
            raise InputError("requests: must not be empty, got []")
        if len(self.prompts) > MAX_REQUESTS:
            raise InputError(
                f"requests: must be at most {MAX_REQUESTS} in number, got {len(self.prompts)}"
            )
        peaks = self.prompts + self.outputs
        if (peaks > self.memory).any():
            i = int(np.argmax(peaks > self.memory))
            raise InputError(f"requests[{i}]: {does_not_fit(self[i], self.memory)}")

    @classmethod
    def from_groups(
        cls,
        memory: int,
        groups: Iterable[tuple[int, int, int] | tuple[int, int, int, int]],
        name: str = "",
        comment: str = "",
        source: str = "",
    ) -> Instance:
        """Build an instance from runs of identical requests.

        Parameters
        ----------
        memory
            Memory budget (tokens).
        groups
            Tuples (prompt, output, count) or (prompt, output, count, release), in request order.
        name, comment, source
            As for the class.

        Raises
        ------
        InputError
            As for the class; also if a count is not an integer >= 1, or the
            counts add up to more than `MAX_REQUESTS`.
        """
        check_integer(memory, "memory", 1)
        prompts, outputs, counts, releases = [], [], [], []
        for g, (prompt, output, count, *release) in enumerate(groups):
            prompts.append(check_integer(prompt, f"requests[{g}].prompt", 0))
            outputs.append(check_integer(output, f"requests[{g}].output", 1))
            counts.append(check_integer(count, f"requests[{g}].count", 1, MAX_REQUESTS))
            at = release[0] if release else 0
            releases.append(check_integer(at, f"requests[{g}].release", 0, MAX_TIME))
            if prompt + output > memory:
                raise InputError(f"requests[{g}]: {does_not_fit(Request(prompt, output), memory)}")
        if sum(counts) > MAX_REQUESTS:
            raise InputError(f"requests: must be at most {MAX_REQUESTS}, got {sum(counts)}")
        repeated = [np.repeat(column, counts) for column in (prompts, outputs, releases)]
        return cls(memory, repeated[0], repeated[1], name, comment, source, repeated[2])

    def __len__(self) -> int:
        return len(self.prompts)

    @overload
    def __getitem__(self, i: int) -> Request: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[Request, ...]: ...
    def __getitem__(self, i: int | slice) -> Request | tuple[Request, ...]:
        columns = (self.prompts, self.outputs, self.releases)
        if isinstance(i, slice):
            return tuple(map(Request, *(c[i].tolist() for c in columns)))
        return Request(*(int(c[i]) for c in columns))

    def __iter__(self) -> Iterator[Request]:
        columns = (self.prompts, self.outputs, self.releases)
        return map(Request, *(c.tolist() for c in columns))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Instance):
            return NotImplemented
        mine, its = self.arrivals, other.arrivals
        return (
            self.memory == other.memory
            and (self.name, self.comment, self.source) == (other.name, other.comment, other.source)
            and np.array_equal(self.prompts, other.prompts)
            and np.array_equal(self.outputs, other.outputs)
            and np.array_equal(self.releases, other.releases)
            and (mine is its if mine is None or its is None else np.array_equal(mine, its))
        )

    def __hash__(self) -> int:
        columns = (self.prompts, self.outputs, self.releases)
        return hash((self.memory, *(c.tobytes() for c in columns)))

    def __repr__(self) -> str:
        latest = f", latest release={self.releases.max()}" if self.has_releases else ""
        return f"Instance(name={self.name!r}, memory={self.memory}, requests={len(self)}{latest})"

    def __str__(self) -> str:
        prompts, outputs = (
            f"{values.min()}" if values.min() == values.max() else f"{values.min()}..{values.max()}"
            for values in (self.prompts, self.outputs)
        )
        what = "request" if len(self) == 1 else "requests"
        releases = f", released at {self.releases.min()}..{self.releases.max()}"
        return (
            f"{self.name or 'instance'}: {len(self)} {what}, memory {self.memory},"
            f" prompts {prompts}, outputs {outputs}" + releases * self.has_releases
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the content of an instance file, of plain numbers and texts."""
        from kvopt.model.formats import instance_to_json

        return instance_to_json(self)

    @property
    def common_prompt(self) -> int | None:
        """The prompt length all requests share (tokens), or None if they differ."""
        first = int(self.prompts[0])
        return first if (self.prompts == first).all() else None

    @property
    def total_output(self) -> int:
        """Sum of the output lengths (tokens)."""
        return int(self.outputs.sum())

    @property
    def total_release(self) -> int:
        """Sum of the release times (rounds)."""
        return sum(self.releases.tolist()) if self.has_releases else 0

    @property
    def total_area(self) -> int:
        """Sum of the areas of the requests (token-rounds)."""
        types = self.request_types()
        return sum(a * c for a, c in zip(types.areas.tolist(), types.counts.tolist(), strict=True))

    @property
    def load(self) -> Fraction | None:
        """The arrival rate (requests per round) times the mean area over the memory.

        The rate is that of the gaps: n - 1 between the first release and the last.  None if
        all requests are released at once.
        """
        span = int(self.releases.max() - self.releases.min())
        n = len(self)
        return Fraction((n - 1) * self.total_area, n * span * self.memory) if span else None

    def with_arrivals(self, arrivals: ArrayLike | None) -> Instance:
        """Return the same instance with the times at which its requests arrived in a trace.

        They are for simulation by a clock (`kvopt.simulation.clock`), and enter neither the
        release times nor `digest`.

        Parameters
        ----------
        arrivals
            Arrival times (microseconds), shape (n,), each from 0 to
            `kvopt.model.milliseconds.MAX_ARRIVAL`; None for none.

        Raises
        ------
        InputError
            If a time is out of range, or there are more or fewer than requests.
        """
        texts = (self.name, self.comment, self.source)
        copy = Instance(self.memory, self.prompts, self.outputs, *texts, self.releases)
        if arrivals is not None:
            times = _integers(arrivals, "arrival", 0, MAX_ARRIVAL)
            if len(times) != len(self):
                raise InputError(
                    f"arrivals: must be as many as requests, {len(self)}, got {len(times)}"
                )
            object.__setattr__(copy, "arrivals", times)
        return copy

    def groups(self) -> list[tuple[int, int, int]] | list[tuple[int, int, int, int]]:
        """Return the maximal runs of identical neighbours, as `from_groups` takes them.

        As (prompt, output, count), or as (prompt, output, count, release) if some request is
        released after time 0.
        """
        columns = [self.prompts, self.outputs, self.releases]
        first, counts = runs(*columns)
        prompts, outputs, releases = (c[first].tolist() for c in columns)
        if not self.has_releases:
            return list(zip(prompts, outputs, counts.tolist(), strict=True))
        return list(zip(prompts, outputs, counts.tolist(), releases, strict=True))

    def request_types(self) -> RequestTypes:
        """Return the distinct requests, in the order that every engine uses."""
        if self._types is None:
            object.__setattr__(
                self, "_types", RequestTypes.of(self.prompts, self.outputs, self.releases)
            )
        assert self._types is not None
        return self._types

    def types(self) -> list[tuple[Request, int]]:
        """Return the distinct requests with their multiplicities, by (output, prompt, release)."""
        types = self.request_types()
        return list(zip(types.requests, types.counts.tolist(), strict=True))

    def renamed(self, name: str) -> Instance:
        """Return the same instance under another name."""
        texts = (name, self.comment, self.source)
        copy = Instance(self.memory, self.prompts, self.outputs, *texts, self.releases)
        return copy if self.arrivals is None else copy.with_arrivals(self.arrivals)

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the canonical JSON of memory and requests.

        Requests are expanded to [prompt, output] pairs, or to [prompt, output, release] triples
        if some request is released after time 0; keys sorted, no spaces.  Names and comments
        do not enter.
        """
        columns = (self.prompts, self.outputs, *([self.releases] if self.has_releases else []))
        rows = np.stack(columns, axis=1).tolist()
        text = json.dumps({"memory": self.memory, "requests": rows}, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def runs(*columns: IntArray) -> tuple[IntArray, IntArray]:
    """Return where the maximal runs of equal rows begin, and how long they are."""
    change = np.any([np.diff(c) != 0 for c in columns], axis=0)
    first = np.concatenate(([0], np.flatnonzero(change) + 1))
    return first, np.diff(np.concatenate((first, [len(columns[0])])))


def does_not_fit(request: Request, memory: int) -> str:
    """Return the words for a request that exceeds the memory even alone."""
    return (
        f"prompt + output must be at most memory = {memory}, "
        f"got {request.prompt} + {request.output}"
    )


def check_integer(value: object, field: str, low: int, high: int = MAX_TOKENS) -> int:
    """Return `value` as an int if it is an integer in [low, high].

    Raises
    ------
    InputError
        If it is not; the message names `field`, the range and the value.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and low <= value <= high:
        return int(value)
    raise InputError(f"{field}: must be an integer from {low} to {high}, got {abridged(value)}")


def abridged(value: object) -> str:
    """Return `repr(value)`, cut to a length that fits on a line."""
    text = abridged_repr(value, 60)
    return text if len(text) <= 60 else text[:60] + "..."


def _is_writable(text: str, one_line: bool) -> bool:
    """Tell whether a text can be printed: no lone surrogates, no control characters."""
    return all(c.isprintable() or (c in "\n\t" and not one_line) for c in text)


def _integers(values: ArrayLike, what: str, low: int, high: int = MAX_TOKENS) -> IntArray:
    """Return `values` as a read-only int64 array of integers in [low, high]."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{what}s: must be a flat list, got nested lists") from None
    if array.ndim != 1:
        raise InputError(f"{what}s: must be a flat list, got {array.ndim} dimensions")
    if array.dtype.kind not in "iu":
        for i, value in enumerate(array.tolist()):
            check_integer(value, f"requests[{i}].{what}", low, high)
    wrong = (array < low) | (array > high)
    if wrong.any():
        i = int(np.argmax(wrong))
        check_integer(array[i].item(), f"requests[{i}].{what}", low, high)
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array
