"""Make a witness smaller without making it less bad.

Whoever reads a bad instance wants to see why it is bad, and every request or token that does
not matter is in the way.  The steps below are tried in a fixed order, and the first that loses
nothing is taken, until none is left: so no step alone makes the result smaller, but several at
once may.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from kvopt.adversary.candidate import Candidate, Group, Limits, latest, released_at, timing
from kvopt.adversary.configuration import SearchConfiguration
from kvopt.adversary.score import Score, score_function
from kvopt.adversary.small_optima import is_small, small_optimum
from kvopt.adversary.time_limit import ends_within
from kvopt.model.stopping import Stopping

__all__ = ["reductions", "shrunk", "size"]

PAIRS = 8
"""With up to so many groups, steps change two of them at once too."""

Ratio = tuple[int, int]
"""Cost of the policy and of the reference (rounds)."""


def shrunk(configuration: SearchConfiguration, candidate: Candidate, stop: Stopping) -> Candidate:
    """Return a smaller instance whose ratio is at least that of a given one.

    The ratio is that of the search.  Without a second policy the reference is the optimum where
    the instance is small enough to prove it in milliseconds, else the feasible schedule of
    `kvopt.adversary.score.score_function`; so the ratio known, a lower bound on the true
    one, never falls.  Ratios are compared as exact fractions.

    Parameters
    ----------
    configuration
        What was searched for.
    candidate
        What was found.
    stop
        When it is over, the smallest instance so far is returned.

    Returns
    -------
    Candidate
        Smaller by `size`, or the given one.  Without an end to the time it depends on the
        configuration and the candidate alone.

    Raises
    ------
    PolicyError
        If a policy misbehaves.
    """
    smallest = [candidate]
    ends_within(stop, lambda: _shrink(_Judge(configuration), smallest, stop))
    return smallest[-1]


def _shrink(judge: _Judge, smallest: list[Candidate], stop: Stopping) -> None:
    """Add smaller and smaller instances to a list, whose last one is given."""
    ratio = judge.ratio(smallest[-1])
    seen = {smallest[-1]}
    steps = reductions(smallest[-1])
    while not stop.over() and (smaller := next(steps, None)) is not None:
        if smaller in seen:
            continue
        seen.add(smaller)
        if (found := judge.at_least(smaller, ratio)) is not None:
            ratio = found
            smallest.append(smaller)
            steps = reductions(smaller)


class _Judge:
    """Compares instances to a ratio."""

    def __init__(self, configuration: SearchConfiguration) -> None:
        self._score: Score = score_function(configuration)
        self._against = configuration.against is not None

    def ratio(self, candidate: Candidate) -> Ratio:
        """Return the ratio of a candidate."""
        cost, reference = self._score(candidate)
        return cost, self._optimum(candidate, reference)

    def at_least(self, candidate: Candidate, ratio: Ratio) -> Ratio | None:
        """Return the ratio of a candidate if it is at least a given one, else None."""
        cost, reference = self._score(candidate)
        most = cost * ratio[1] // ratio[0]  # as a reference, for the ratio to be reached
        reference = self._optimum(candidate, reference, most + 1)
        return (cost, reference) if reference <= most else None

    def _optimum(self, candidate: Candidate, reference: int, enough: int | None = None) -> int:
        """Return the optimum if it takes little time, else the reference.

        Parameters
        ----------
        candidate
            The instance.
        reference
            Cost of a feasible schedule, or of the other policy (rounds).
        enough
            If the optimum is at least that, it may be returned instead (rounds).
        """
        if self._against or not is_small(candidate):
            return reference
        return small_optimum(candidate, reference, enough)


def size(candidate: Candidate) -> tuple[int, ...]:
    """Return what is to be small, what matters most first.

    It is the number of requests, memory, sum of prompts, sum of outputs (tokens), sum of
    release times (rounds), and the number of groups.
    """
    prompts = sum(s * c for s, _, c, *_ in candidate.groups)
    outputs = sum(o * c for _, o, c, *_ in candidate.groups)
    times = [(group[2], timing(group)[0], latest(group)) for group in candidate.groups]
    releases = sum(count * (first + last) // 2 for count, first, last in times)
    return len(candidate), candidate.memory, prompts, outputs, releases, len(candidate.groups)


def reductions(candidate: Candidate) -> Iterator[Candidate]:
    """Yield the instances one step smaller, the boldest steps of each kind first.

    First fewer requests, then less memory with or without shorter lengths, then shorter
    prompts, shorter outputs, earlier releases, and simpler orders.  A common prompt stays common,
    and nothing is released later than the last one was.
    """
    common = candidate.common_prompt is not None
    last = max(map(latest, candidate.groups))
    limits = Limits(len(candidate), candidate.memory, mixed=not common, arrivals=last)
    least = size(candidate)
    for steps in STEPS:
        for smaller in steps(candidate):
            if smaller.valid(limits) and size(smaller) < least:
                yield smaller


def _lower(number: int, least: int) -> list[int]:
    """Return numbers to try instead of one, from `least` over half of it to one less."""
    tries = {least, least + 1, number // 2, 3 * number // 4, number - 1}
    return sorted(k for k in tries if least <= k < number)


def _fewer_requests(candidate: Candidate) -> Iterator[Candidate]:
    groups = candidate.groups
    for k in range(len(groups)):
        yield _without(candidate, {k: 0})
    for quarters in (2, 3):
        yield _without(
            candidate, {k: -(-quarters * c // 4) for k, (_, _, c, *_) in enumerate(groups)}
        )
    yield _without(candidate, {k: max(c - 1, 1) for k, (_, _, c, *_) in enumerate(groups)})
    for k, (_, _, count, *_) in enumerate(groups):
        for fewer in _lower(count, 1):
            yield _without(candidate, {k: fewer})
    for j, k in _pairs(candidate):
        yield _without(candidate, {j: groups[j][2] - 1, k: groups[k][2] - 1})


def _less_memory(candidate: Candidate) -> Iterator[Candidate]:
    groups = candidate.groups
    for memory in _lower(candidate.memory, 1):
        if memory < candidate.memory - 1:  # everything scaled down
            for up in (0, candidate.memory - 1):
                scaled = (
                    (s * memory // candidate.memory, -(-(o * memory - up) // candidate.memory), *c)
                    for s, o, *c in groups
                )
                yield Candidate.of(memory, ((s, max(o, 1), *c) for s, o, *c in scaled))
        yield Candidate.of(memory, groups)
    memory = candidate.memory - 1
    yield Candidate.of(memory, ((s, min(o, memory - s), *c) for s, o, *c in groups))
    for fewer in _lengths_less_one(candidate):
        yield Candidate.of(memory, fewer.groups)
        clipped = ((s, min(o, memory - s), *c) for s, o, *c in fewer.groups)
        yield Candidate.of(memory, clipped)


def _shorter_prompts(candidate: Candidate) -> Iterator[Candidate]:
    groups = candidate.groups
    longest = max(group[0] for group in groups)
    for prompt in _lower(longest, 0):
        yield Candidate.of(candidate.memory, ((min(s, prompt), *c) for s, *c in groups))
    for k, (s, *c) in enumerate(groups):
        for prompt in _lower(s, 0):
            yield _with(candidate, {k: (prompt, *c)})


def _shorter_outputs(candidate: Candidate) -> Iterator[Candidate]:
    for k, (s, o, *c) in enumerate(candidate.groups):
        for output in _lower(o, 1):
            yield _with(candidate, {k: (s, output, *c)})
    yield from _lengths_less_one(candidate)


def _earlier(candidate: Candidate) -> Iterator[Candidate]:
    """Yield the candidate with earlier releases: of all, of one group, or of its later members."""
    groups = candidate.groups
    if not candidate.has_releases:
        return
    first = min(timing(group)[0] for group in groups)
    for shift in sorted({first, 1}, reverse=True):
        yield Candidate.of(candidate.memory, (released_at(g, timing(g)[0] - shift) for g in groups))
    for k, group in enumerate(groups):
        release, every = timing(group)
        for time in _lower(release, 0):
            yield _with(candidate, {k: released_at(group, time)})
        for gap in _lower(every, 0):
            yield _with(candidate, {k: (*group[:3], release, gap)})
    for j, k in _pairs(candidate):
        some = {i: released_at(groups[i], timing(groups[i])[0] - 1) for i in (j, k)}
        yield _with(candidate, some)


def _simpler(candidate: Candidate) -> Iterator[Candidate]:
    """Yield the same requests in orders of fewer groups."""
    groups = candidate.groups
    for backwards in (True, False):
        yield Candidate.of(candidate.memory, sorted(groups, key=_length, reverse=backwards))
    for j, k in itertools.permutations(range(len(groups)), 2):
        if _kind(groups[j]) == _kind(groups[k]):  # move group j to group k
            number = groups[k][2] + groups[j][2]
            moved = [(*g[:2], number, *g[3:]) if i == k else g for i, g in enumerate(groups)]
            yield Candidate.of(candidate.memory, moved[:j] + moved[j + 1 :])


def _kind(group: Group) -> Group:
    """Return what tells a group from others, but not how many there are."""
    return (*group[:2], *group[3:])


def _length(group: Group) -> tuple[int, int]:
    return group[1], group[0]


def _lengths_less_one(candidate: Candidate) -> Iterator[Candidate]:
    """Yield the candidate with the outputs, or the prompts, of some or all groups less by one."""
    groups = candidate.groups
    yield Candidate.of(candidate.memory, ((s, max(o - 1, 1), *c) for s, o, *c in groups))
    yield Candidate.of(candidate.memory, ((max(s - 1, 0), *c) for s, *c in groups))
    for some in (*((k,) for k in range(len(groups))), *_pairs(candidate)):
        yield _with(candidate, {k: (groups[k][0], groups[k][1] - 1, *groups[k][2:]) for k in some})


def _pairs(candidate: Candidate) -> Iterator[tuple[int, int]]:
    """Yield pairs of groups, unless there are too many."""
    if len(candidate.groups) <= PAIRS:
        yield from itertools.combinations(range(len(candidate.groups)), 2)


def _with(candidate: Candidate, places: dict[int, Group]) -> Candidate:
    """Return the candidate with other groups in some places."""
    return Candidate.of(
        candidate.memory, (places.get(k, group) for k, group in enumerate(candidate.groups))
    )


def _without(candidate: Candidate, counts: dict[int, int]) -> Candidate:
    """Return the candidate with other counts of some groups; those of none are dropped."""
    groups = ((s, o, counts.get(k, c), *t) for k, (s, o, c, *t) in enumerate(candidate.groups))
    return Candidate.of(candidate.memory, (group for group in groups if group[2] > 0))


STEPS = (_fewer_requests, _less_memory, _shorter_prompts, _shorter_outputs, _earlier, _simpler)
"""Every kind of step, in the order in which they are tried."""
