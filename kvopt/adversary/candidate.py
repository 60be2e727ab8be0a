"""Instances as the searches hold them: small, hashable, equal requests in groups."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from kvopt.model.formats import INSTANCE_FORMATS
from kvopt.model.instance import Instance, IntArray

__all__ = [
    "Candidate",
    "Group",
    "Limits",
    "group_text",
    "latest",
    "released_at",
    "timing",
    "together",
]

Group = tuple[int, ...]
"""Prompt length, output length (tokens), and how many such requests follow each other.

If they are not all released at time 0 there is a fourth number, the release time of the first
(rounds), and if they are released one after another a fifth, the rounds from one to the next.
"""

STREAM = 3
"""So many single requests at equal distances, or more, are one group."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an instance may get.

    Parameters
    ----------
    requests
        Largest number of requests.
    memory
        Largest memory budget (tokens).
    mixed
        Whether prompt lengths may differ; the bounds of GSA and GBA assume one.
    groups
        Largest number of groups of equal requests, or None.
    arrivals
        Latest release time (rounds); 0 if all requests are there from the start.
    """

    requests: int
    memory: int
    mixed: bool = False
    groups: int | None = None
    arrivals: int = field(default=0, repr=False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance under consideration.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    groups
        The requests, in request order.  Those of `of` are a function of the instance.
    """

    memory: int
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, memory: int, groups: Iterable[Group]) -> Candidate:
        """Return a candidate, neighbouring groups of equal requests joined.

        Single requests of one length, released at equal distances, become one group.
        """
        joined: list[Group] = []
        for prompt, output, count, *late in together(groups):
            if joined and (*joined[-1][:2], *joined[-1][3:]) == (prompt, output, *late):
                count += joined.pop()[2]
            joined.append((prompt, output, count, *late))
        return cls(memory, tuple(_streams(joined) if _late(joined) else joined))

    @classmethod
    def from_requests(
        cls,
        memory: int,
        prompts: Sequence[int],
        outputs: Sequence[int],
        releases: Sequence[int] | None = None,
    ) -> Candidate:
        """Return a candidate with these requests, shape (n,) each (tokens, rounds)."""
        late = itertools.repeat(0) if releases is None else releases
        rows = zip(prompts, outputs, itertools.repeat(1, len(prompts)), late, strict=False)
        return cls.of(memory, rows)

    def __len__(self) -> int:
        return sum(group[2] for group in self.groups)

    @property
    def common_prompt(self) -> int | None:
        """The prompt length that all share (tokens), or None."""
        prompts = {group[0] for group in self.groups}
        return prompts.pop() if len(prompts) == 1 else None

    @property
    def has_releases(self) -> bool:
        """Whether some request is released after time 0."""
        return _late(self.groups)

    def valid(self, limits: Limits) -> bool:
        """Tell whether it is an instance within the limits."""
        memory = self.memory
        return (
            0 < memory <= limits.memory
            and 0 < len(self.groups) <= (limits.groups or limits.requests)
            and all(s >= 0 < o and s + o <= memory and c >= 1 for s, o, c, *_ in self.groups)
            and len(self) <= limits.requests
            and (limits.mixed or self.common_prompt is not None)
            and (not self.has_releases or _timely(self.groups, limits.arrivals))
        )

    def arrays(self) -> tuple[IntArray, IntArray]:
        """Return prompt and output lengths (tokens), shape (n,) each."""
        table = np.array([group[:3] for group in self.groups], dtype=np.int64)
        return np.repeat(table[:, 0], table[:, 2]), np.repeat(table[:, 1], table[:, 2])

    def releases(self) -> IntArray:
        """Return the release times (rounds), shape (n,)."""
        runs = [(timing(group)[0], group[2]) for group in together(self.groups)]
        table = np.array(runs, dtype=np.int64)
        return np.repeat(table[:, 0], table[:, 1])

    def to_json(self) -> dict[str, Any]:
        """Return the content of its instance file as a JSON object, without building it."""
        merged: list[dict[str, int]] = []
        for group in together(self.groups):
            prompt, output, count = map(int, group[:3])
            kind = {"prompt": prompt, "output": output}
            if release := timing(group)[0]:
                kind["release"] = int(release)
            if merged and kind == {k: v for k, v in merged[-1].items() if k != "count"}:
                merged[-1]["count"] = merged[-1].get("count", 1) + count
            else:
                merged.append(kind | ({"count": count} if count > 1 else {}))
        written = INSTANCE_FORMATS[_late(self.groups)]
        return {"format": written, "memory": int(self.memory), "requests": merged}

    def instance(self, name: str = "", comment: str = "", source: str = "") -> Instance:
        """Return it as an instance."""
        groups = cast("Iterable[tuple[int, int, int]]", together(self.groups))
        return Instance.from_groups(self.memory, groups, name=name, comment=comment, source=source)


def timing(group: Group) -> tuple[int, int]:
    """Return when the first request of a group is released, and the rounds from one to the next."""
    return group[3] if len(group) > 3 else 0, group[4] if len(group) > 4 else 0


def latest(group: Group) -> int:
    """Return when the last request of a group is released (rounds)."""
    release, every = timing(group)
    return release + every * (group[2] - 1)


def released_at(group: Group, release: int) -> Group:
    """Return a group that is released at another time, never before 0."""
    return (*group[:3], max(0, release), *group[4:])


def group_text(group: Group, with_prompt: bool = False) -> str:
    """Return a group in words, with its release times unless they are all 0.

    Examples
    --------
    >>> group_text((0, 7, 1)), group_text((3, 2, 4, 5), True), group_text((0, 1, 9, 1, 2))
    ('7 x 1', '3+2 x 4 at 5', '1 x 9 from 1 every 2')
    """
    prompt, output, count = group[:3]
    release, every = timing(group)
    text = f"{prompt}+{output} x {count}" if with_prompt else f"{output} x {count}"
    if every:
        return f"{text} from {release} every {every}"
    return f"{text} at {release}" if release else text


def _late(groups: Iterable[Group]) -> bool:
    return any(len(group) > 3 for group in groups)


def _timely(groups: Iterable[Group], last: int) -> bool:
    """Tell whether all are released from 0 to a last time."""
    return all(min(timing(group)) >= 0 and latest(group) <= last for group in groups)


def together(groups: Iterable[Group]) -> Iterator[Group]:
    """Yield groups of requests that are released together; a release at 0 is left out."""
    for group in groups:
        release, every = timing(group)
        if not every or group[2] < 1:
            yield group[:3] if not release else group[:4]
            continue
        for time in range(release, release + every * group[2], every):
            yield (*group[:2], 1, *([time] if time else []))


def _streams(groups: Sequence[Group]) -> Iterator[Group]:
    """Yield the groups, single requests of one length at equal distances as one."""
    place = 0
    while place < len(groups):
        group, end = groups[place], place + 1
        release = timing(group)[0]
        if end < len(groups) and (every := timing(groups[end])[0] - release) > 0:
            while end < len(groups) and group[:2] == groups[end][:2] and group[2] == 1:
                time = release + every * (end - place)
                if (groups[end][2], timing(groups[end])[0]) != (1, time):
                    break
                end += 1
        if end - place >= STREAM:
            yield (*group[:2], end - place, release, every)
            place = end
        else:
            yield group
            place += 1
