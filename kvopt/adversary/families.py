"""Parametric families: a few types of requests in large numbers.

With counts x_k n of K types, n large, the cost of GSA or GBA and that of the SPT pipeline
are x'Ax n^2 and x'Bx n^2 up to terms of order n.  So the best mix of given lengths is an
eigenvector, and its eigenvalue the limit of the ratio.  Lengths just above the slices are
the ones to mix.  What is reported is a finite instance, with exact costs; the limit is an
estimate in floating point and is called one.

Other policies have no such formula; for them the counts are searched like everything else.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kvopt.adversary import local
from kvopt.adversary.candidate import Candidate, Group, timing
from kvopt.adversary.configuration import Record, SearchConfiguration, WorkUnit
from kvopt.adversary.score import Score, score_function
from kvopt.adversary.time_limit import ends_within
from kvopt.model.stopping import Stopping
from kvopt.policies import Policy, policy_from_spec
from kvopt.policies.policy import facts_of
from kvopt.theory.phases import Phases
from kvopt.theory.pipeline import tight_spacing

__all__ = ["Growth", "growth", "limit_ratio", "number_of_units", "run_unit"]

FloatArray = NDArray[np.float64]

MEMORIES = 16
"""Memory budgets of one unit."""

MOST_TYPES = 3
"""At most so many types of requests are mixed."""

STEPS = 200
"""So many changes are tried after each doubling of the memory."""

TRIED = 4
"""So many of the best mixes of a unit are made into instances and evaluated exactly."""


def number_of_units(configuration: SearchConfiguration) -> int | None:
    """Return how many units a search through families has, or None if it never ends."""
    policy = policy_from_spec(configuration.policy)
    return (
        -(-configuration.limits.memory // MEMORIES)
        if applies(policy) and not configuration.against and not configuration.limits.arrivals
        else None
    )


def applies(policy: Policy) -> bool:
    """Tell whether the costs of a policy are known as a quadratic form."""
    return facts_of(policy).phases(1, 0) is not None


def _phases(policy: Policy, memory: int, prompt: int) -> Phases:
    """Return the phases of a policy that has them; see `Policy.phases`."""
    phases = facts_of(policy).phases(memory, prompt)
    assert phases is not None
    return phases


def run_unit(configuration: SearchConfiguration, number: int, stop: Stopping) -> WorkUnit:
    """Find the worst mixes for a few memory budgets, or climb where there is no formula.

    Parameters
    ----------
    configuration
        What is searched for.
    number
        Number of the unit: its memory budgets follow those of the unit before it.
    stop
        When it is over, the unit is cut short.
    """
    policy = policy_from_spec(configuration.policy)
    if number_of_units(configuration) is None:
        limits = replace(configuration.limits, groups=MOST_TYPES)
        return local.run_unit(replace(configuration, limits=limits), number, stop)
    search = _FamilySearch(configuration, number, policy, stop)
    complete = ends_within(stop, search.run) and search.complete
    return WorkUnit(number, search.evaluations, tuple(search.records), complete)


class _FamilySearch:
    """A unit on its way: the worst instance so far."""

    def __init__(
        self, configuration: SearchConfiguration, number: int, policy: Policy, stop: Stopping
    ) -> None:
        self.configuration = configuration
        self.number = number
        self.policy = policy
        self.stop = stop
        self.evaluations = 0
        self.records: list[Record] = []
        self.complete = False

    def run(self) -> None:
        """Mix types for each memory budget, and evaluate the best mixes exactly."""
        limits = self.configuration.limits
        mixes: list[_Mix] = []
        largest = min(limits.memory, (self.number + 1) * MEMORIES)
        for memory in range(self.number * MEMORIES + 1, largest + 1):
            for prompt in sorted({0, 1, memory // 16, memory // 4} & set(range(memory))):
                if self.stop.over():
                    return
                self.evaluations += 1
                mixes += _mixes(self.policy, memory, prompt)
        mixes.sort(key=lambda mix: -mix.limit)
        score = score_function(self.configuration)
        for mix in mixes[:TRIED]:
            if self.stop.over():
                return
            candidate = mix.instance(limits.requests)
            record = Record(self.number, self.evaluations, *score(candidate), candidate)
            if not self.records or record.ratio > self.records[-1].ratio:
                self.records.append(record)
        self.complete = True


@dataclass(frozen=True, slots=True)
class _Mix:
    """Kinds of requests, longest first, and their shares."""

    memory: int
    prompt: int
    outputs: tuple[int, ...]
    shares: tuple[float, ...]
    limit: float

    def instance(self, requests: int) -> Candidate:
        """Return the instance with about so many requests, never more."""
        most = max(requests, len(self.outputs))
        counts = [max(1, int(share * most)) for share in self.shares]
        counts[-1] -= max(0, sum(counts) - most)
        groups = zip(self.outputs, counts, strict=True)
        return Candidate.of(self.memory, ((self.prompt, o, c) for o, c in groups))


def _mixes(policy: Policy, memory: int, prompt: int) -> list[_Mix]:
    """Return the best mix of each number of types, of lengths just above the slices."""
    phases = _phases(policy, memory, prompt)
    outputs = [1, *(phases.slices[:-1] + 1).tolist()]
    a, b = _forms(phases, memory, prompt, outputs)
    best = []
    for types in range(1, min(MOST_TYPES, len(outputs)) + 1):
        sets = np.array(list(itertools.combinations(range(len(outputs)), types)))
        limits, shares = _best_shares(
            a[sets[:, :, None], sets[:, None, :]], b[sets[:, :, None], sets[:, None, :]]
        )
        row = int(np.argmax(limits))
        if limits[row] > 0:
            lengths = tuple(outputs[k] for k in reversed(sets[row]))
            mix = tuple(reversed(shares[row].tolist()))
            best.append(_Mix(memory, prompt, lengths, mix, float(limits[row])))
    return best


def _forms(
    phases: Phases, memory: int, prompt: int, outputs: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Return the matrices of the quadratic forms of the policy's cost and the SPT pipeline's.

    Parameters
    ----------
    phases
        The phases of the policy.
    memory, prompt
        Memory budget M and common prompt length s (tokens).
    outputs
        The lengths, ascending, at most one in each phase (tokens), shape (K,).

    Returns
    -------
    array, array
        Shape (K, K), symmetric: cost is about x'Ax n^2 with x n requests of each type, those of
        longer ones first.
    """
    distances = phases.distances[0] / phases.distances[1]
    phase = np.searchsorted(phases.slices, outputs)
    types = len(outputs)
    a, b = np.zeros((2, types, types))
    tight = [float(tight_spacing(prompt, output, memory)) for output in outputs]
    for k in range(types):
        # Type k waits for the phases before its own, in which all longer ones take part too.
        if phases.everyone:
            for earlier in range(phase[k]):
                a[k, phase >= earlier] += distances[earlier]
            a[k, phase > phase[k]] += distances[phase[k]]
        else:
            a[k, :k] += distances[phase[:k]]
        a[k, k] += distances[phase[k]] / 2
        b[k, :k] += tight[:k]
        b[k, k] += tight[k] / 2
    return (a + a.T) / 2, (b + b.T) / 2


def _best_shares(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return for each pair of forms the largest x'Ax / x'Bx with x > 0 that is stationary.

    Parameters
    ----------
    a, b
        Symmetric matrices, shape (sets, K, K) each.

    Returns
    -------
    array, array
        The ratios, 0 where there is none, shape (sets,), and the x, which add up to 1, shape
        (sets, K).
    """
    values, vectors = np.linalg.eig(np.linalg.solve(b, a))
    real = np.abs(values.imag) < 1e-9
    signs = np.sign(vectors.real.sum(axis=1, keepdims=True))
    x = vectors.real * np.where(signs == 0, 1, signs)
    ratios = np.where(real & (x > 0).all(axis=1), values.real, 0.0)
    best = ratios.argmax(axis=1)
    rows = np.arange(len(a))
    chosen = x[rows, :, best]
    with np.errstate(invalid="ignore", divide="ignore"):
        return ratios[rows, best], chosen / chosen.sum(axis=1, keepdims=True)


def limit_ratio(policy: Policy, candidate: Candidate) -> float | None:
    """Return what the ratio tends to as all counts grow alike, estimated in floating point.

    Parameters
    ----------
    policy
        The policy.
    candidate
        An instance with a common prompt, longer requests first and at most one length in
        each phase.

    Returns
    -------
    float or None
        Cost over that of the SPT pipeline in the limit; None if it is no such instance.
    """
    prompt = candidate.common_prompt
    outputs = [group[1] for group in candidate.groups][::-1]
    if prompt is None or candidate.has_releases or not applies(policy):
        return None
    phases = _phases(policy, candidate.memory, prompt)
    phase = np.searchsorted(phases.slices, outputs)
    if (np.diff(phase) < 1).any():
        return None
    a, b = _forms(phases, candidate.memory, prompt, outputs)
    x = np.array([group[2] for group in candidate.groups][::-1], dtype=float)
    return float(x @ a @ x / (x @ b @ x))


@dataclass(frozen=True, slots=True)
class Growth:
    """How bad a family is as the memory doubles.

    Parameters
    ----------
    candidates
        Instances of the family, the memory of each twice that of the one before.
    ratios
        Cost of the policy over that of a feasible schedule on each: lower bounds.
    """

    candidates: tuple[Candidate, ...]
    ratios: tuple[Fraction, ...]

    @property
    def unlimited(self) -> bool:
        """Whether the ratio grew by a third or more with every doubling, so far as was tried."""
        pairs = itertools.pairwise(self.ratios)
        return len(self.ratios) > 2 and all(3 * b >= 4 * a for a, b in pairs)


def growth(
    configuration: SearchConfiguration,
    candidate: Candidate,
    doublings: int,
    stop: Stopping | None = None,
) -> Growth:
    """Follow an instance as the memory doubles, changing it a little to stay bad.

    Parameters
    ----------
    configuration
        What was searched for; the number of requests and the latest release time may double with
        the memory.
    candidate
        The instance to begin with.
    doublings
        How often the memory is doubled.
    stop
        When it is over, the doubling under way is left out; None for no limit.
    """
    score = score_function(configuration)
    family: list[tuple[Candidate, Fraction]] = []

    def follow() -> None:
        family.append((candidate, Fraction(*score(candidate))))
        for doubling in range(1, doublings + 1):
            limits = replace(
                configuration.limits,
                requests=configuration.limits.requests << doubling,
                arrivals=configuration.limits.arrivals << doubling,
            )
            found = _grown(replace(configuration, limits=limits), family[-1][0], score)
            if found is None:
                return
            family.append(found)

    ends_within(stop or Stopping(), follow)
    candidates, ratios = zip(*family, strict=True) if family else ((), ())
    return Growth(candidates, ratios)


def _grown(
    configuration: SearchConfiguration, candidate: Candidate, score: Score
) -> tuple[Candidate, Fraction] | None:
    """Return an instance with twice the memory that is about as bad, and its ratio."""
    memory = 2 * candidate.memory
    limits = replace(configuration.limits, memory=memory, groups=MOST_TYPES)
    moves = local.moves_of(replace(configuration, limits=limits), memory)
    scored = [(Fraction(*score(one)), one) for one in _doubled(candidate) if one.valid(limits)]
    if not scored:
        return None
    best, worst = max(scored, key=lambda pair: pair[0])
    for _ in range(STEPS):
        other = local.neighbour(worst, moves)
        if (found := Fraction(*score(other))) >= best:
            best, worst = found, other
    return worst, best


def _doubled(candidate: Candidate) -> Iterator[Candidate]:
    """Yield instances of the same shape with twice the memory, the counts as they are or doubled.

    Lengths and prompts up to 2 stay, as does how much others differ from a full, half or
    third part of the memory; the rest is doubled.  Release times later than 2 are doubled, and so
    may be the rounds from one to the next.
    """
    memory = 2 * candidate.memory

    def doubled(tokens: int, room: int, new_room: int) -> int:
        if tokens <= 2:
            return tokens
        for part in (1, 2, 3):
            if abs(tokens - room // part) <= 1:
                return new_room // part + tokens - room // part
        return 2 * tokens

    groups: list[Group] = []
    for group in candidate.groups:
        prompt, output, count = group[:3]
        release, every = timing(group)
        larger = doubled(prompt, candidate.memory, memory)
        length = doubled(output, candidate.memory - prompt, memory - larger)
        groups.append((larger, length, count, release if release <= 2 else 2 * release, every))
    gaps = (1, 2) if any(group[4] for group in groups) else (1,)
    for factors in itertools.product((1, 2), repeat=len(groups)):
        counts = list(zip(groups, factors, strict=True))
        for gap in gaps:
            grown = ((s, o, c * factor, r, d * gap) for (s, o, c, r, d), factor in counts)
            yield Candidate.of(memory, grown)
