"""Instances as the searches hold them: small, hashable, equal requests in groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kvopt.model.formats import INSTANCE_FORMATS
from kvopt.model.instance import Instance, IntArray

__all__ = ["Candidate", "Group", "Limits"]

Group = tuple[int, int, int]
"""Prompt length, output length (tokens), and how many such requests follow each other."""


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
    """

    requests: int
    memory: int
    mixed: bool = False
    groups: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance under consideration.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    groups
        The requests, in request order.
    """

    memory: int
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, memory: int, groups: Iterable[Group]) -> Candidate:
        """Return a candidate, neighbouring groups of equal requests joined."""
        joined: list[Group] = []
        for prompt, output, count in groups:
            if joined and joined[-1][:2] == (prompt, output):
                count += joined.pop()[2]
            joined.append((prompt, output, count))
        return cls(memory, tuple(joined))

    @classmethod
    def from_requests(
        cls, memory: int, prompts: Sequence[int], outputs: Sequence[int]
    ) -> Candidate:
        """Return a candidate with these requests, shape (n,) each (tokens)."""
        return cls.of(memory, ((s, o, 1) for s, o in zip(prompts, outputs, strict=True)))

    def __len__(self) -> int:
        return sum(count for _, _, count in self.groups)

    @property
    def common_prompt(self) -> int | None:
        """The prompt length that all share (tokens), or None."""
        prompts = {prompt for prompt, _, _ in self.groups}
        return prompts.pop() if len(prompts) == 1 else None

    def valid(self, limits: Limits) -> bool:
        """Tell whether it is an instance within the limits."""
        memory = self.memory
        return (
            0 < memory <= limits.memory
            and 0 < len(self.groups) <= (limits.groups or limits.requests)
            and all(s >= 0 < o and s + o <= memory and c >= 1 for s, o, c in self.groups)
            and len(self) <= limits.requests
            and (limits.mixed or self.common_prompt is not None)
        )

    def arrays(self) -> tuple[IntArray, IntArray]:
        """Return prompt and output lengths (tokens), shape (n,) each."""
        table = np.array(self.groups, dtype=np.int64)
        return np.repeat(table[:, 0], table[:, 2]), np.repeat(table[:, 1], table[:, 2])

    def to_json(self) -> dict[str, Any]:
        """Return the content of its instance file as a JSON object, without building it."""
        merged: list[dict[str, int]] = []
        for prompt, output, count in self.groups:
            lengths = {"prompt": int(prompt), "output": int(output)}
            if merged and lengths.items() <= merged[-1].items():
                merged[-1]["count"] = merged[-1].get("count", 1) + int(count)
            else:
                merged.append(lengths | ({"count": int(count)} if count > 1 else {}))
        return {"format": INSTANCE_FORMATS[0], "memory": int(self.memory), "requests": merged}

    def instance(self, name: str = "", comment: str = "", source: str = "") -> Instance:
        """Return it as an instance."""
        return Instance.from_groups(
            self.memory, self.groups, name=name, comment=comment, source=source
        )
