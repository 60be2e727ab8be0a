"""Instances: reading them, their hash, and the cost of a schedule."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from limits import MAX_REQUESTS, MAX_START, MAX_TIME, MAX_TOKENS
from reading import Refused, fields, integer, listed, short

Types = dict[tuple[int, int], int]  # (prompt, output): how many
Arrivals = dict[tuple[int, int], list[tuple[int, int]]]  # (prompt, output): (release, how many)


class Group(NamedTuple):
    """Requests that are alike and follow each other."""

    prompt: int
    output: int
    release: int
    count: int


class Instance(NamedTuple):
    """A memory budget and requests, in their order."""

    memory: int
    groups: list[Group]

    @property
    def has_releases(self) -> bool:
        """Whether some request is released after time 0."""
        return any(group.release for group in self.groups)

    @property
    def types(self) -> Types:
        """How many requests there are of each prompt and output."""
        types: Types = {}
        for prompt, output, _, count in self.groups:
            types[prompt, output] = types.get((prompt, output), 0) + count
        return types

    @property
    def arrivals(self) -> Arrivals:
        """When how many requests of each prompt and output are released, in order of time."""
        arrivals: Arrivals = {}
        for prompt, output, release, count in sorted(self.groups):
            arrivals.setdefault((prompt, output), []).append((release, count))
        return arrivals


def read_instance(given: Any) -> Instance:
    """Return the instance that an object describes."""
    place = "instance"
    fields(given, place, ("memory", "requests"), ("format", "name", "comment", "source"))
    for key in ("name", "comment", "source"):
        if not isinstance(given.get(key, ""), str):
            raise Refused(f"instance.{key}: must be a text, got {short(given[key])}")
    memory = integer(given["memory"], 1, MAX_TOKENS, "instance.memory")
    groups = []
    for i, entry in enumerate(listed(given["requests"], "instance.requests")):
        place = f"instance.requests[{i}]"
        fields(entry, place, ("prompt", "output"), ("count", "release"))
        prompt = integer(entry["prompt"], 0, memory - 1, f"{place}.prompt")
        output = integer(entry["output"], 1, memory - prompt, f"{place}.output")
        release = integer(entry.get("release", 0), 0, MAX_TIME, f"{place}.release")
        count = integer(entry.get("count", 1), 1, MAX_REQUESTS, f"{place}.count")
        groups.append(Group(prompt, output, release, count))
    if not 1 <= sum(group.count for group in groups) <= MAX_REQUESTS:
        raise Refused(f"instance.requests: must be 1 to {MAX_REQUESTS} requests")
    instance = Instance(memory, groups)
    known = "kvopt-instance/2" if instance.has_releases else "kvopt-instance/1"
    if given.get("format", known) != known:
        raise Refused(f"instance.format: must be {known!r}, got {short(given['format'])}")
    return instance


def digest(instance: Instance) -> str:
    """Return the SHA-256 of {"memory":M,"requests":[[prompt,output],...]}, an entry a request.

    The entries are [prompt, output, release] if some request is released after time 0.
    """
    sha = hashlib.sha256(f'{{"memory":{instance.memory},"requests":['.encode())
    length = 3 if instance.has_releases else 2
    comma = 0
    for *numbers, count in instance.groups:
        entry = f",[{','.join(map(str, numbers[:length]))}]"
        for rest in range(count, 0, -10_000):
            sha.update((entry * min(rest, 10_000))[1 - comma :].encode())
            comma = 1
    sha.update(b"]}")
    return sha.hexdigest()


def cost_of(instance: Instance, starts: list[Any]) -> int:
    """Return the total latency of a schedule, refused if it is infeasible.

    It is enough to test the memory in the rounds in which something completes: from any
    round to the next of these nothing ends, so every run goes on and uses more.
    """
    total = sum(group.count for group in instance.groups)
    if len(starts) != total:
        raise Refused(f"starts: must be {total}, one for each request, got {len(starts)}")
    runs = []
    latency = i = 0
    for prompt, output, release, count in instance.groups:
        for start in starts[i : i + count]:
            integer(start, release, MAX_START, "starts", i)
            runs.append((start, start + output, prompt))
            latency += start + output - release
            i += 1
    to_begin = sorted(runs, reverse=True)
    constant = number = 0  # what runs uses constant + number * r tokens in round r
    for start, end, prompt in sorted(runs, key=lambda run: run[1]):
        while to_begin and to_begin[-1][0] < end:
            first = to_begin.pop()
            constant += first[2] - first[0]
            number += 1
        if (used := constant + number * end) > instance.memory:
            raise Refused(f"starts: round {end} uses {used} tokens, memory is {instance.memory}")
        constant -= prompt - start
        number -= 1
    return latency
