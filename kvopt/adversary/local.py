"""Local and evolutionary search: units that start afresh and climb."""

from __future__ import annotations

import math
import random

from kvopt.adversary.arrival_moves import ARRIVAL_MOVES
from kvopt.adversary.candidate import Candidate
from kvopt.adversary.configuration import Record, SearchConfiguration, WorkUnit
from kvopt.adversary.moves import MOVES, Landmarks, Moves, crossover, random_candidate
from kvopt.adversary.score import score_function
from kvopt.adversary.small_optima import is_small, small_optimum
from kvopt.adversary.time_limit import ends_within
from kvopt.model.stopping import Stopping
from kvopt.policies import policy_from_spec

__all__ = ["EVALUATIONS", "moves_of", "neighbour", "run_unit"]

EVALUATIONS = 4_000
"""Small instances looked at in one unit."""

REQUESTS = 400_000
"""About so many requests are looked at in one unit, if instances are larger."""

START_TEMPERATURE = 0.1
"""A first candidate may be worse than the current one by about this share of its ratio."""

PROMISING = 0.95
"""An instance is compared to its optimum if it reaches this share of the best ratio so far."""

POPULATION, TOURNAMENT, CROSSOVER = 32, 3, 0.3
"""Evolution: how many instances live, how many compete to be a parent, and the share of children
that have two."""


class Log:
    """The evaluations of a unit: each instance is scored once, improvements are kept.

    Parameters
    ----------
    configuration
        What is searched for.
    number
        Number of the unit.
    stop
        When it is over, no more instances are looked at.
    """

    def __init__(self, configuration: SearchConfiguration, number: int, stop: Stopping) -> None:
        self.number = number
        self.most = max(100, min(EVALUATIONS, REQUESTS // configuration.limits.requests))
        self.records: list[Record] = []
        self.evaluations = 0
        self.cut = False
        self._score = score_function(configuration)
        self._exact = configuration.exact and configuration.against is None
        self._stop = stop
        self._seen: dict[Candidate, float] = {}

    def more(self) -> bool:
        """Tell whether another instance may be looked at."""
        self.cut = self.cut or (self.evaluations % 64 == 0 and self._stop.over())
        return not self.cut and self.evaluations < self.most

    def ratio(self, candidate: Candidate) -> float:
        """Look at an instance and return its ratio, rounded."""
        self.evaluations += 1
        if candidate not in self._seen:
            cost, reference = self._score(candidate)
            best = float(self.records[-1].ratio) if self.records else 0.0
            if self._exact and cost > PROMISING * best * reference and is_small(candidate):
                reference = min(reference, small_optimum(candidate, reference))
            record = Record(self.number, self.evaluations - 1, cost, reference, candidate)
            if not self.records or record.ratio > self.records[-1].ratio:
                self.records.append(record)
            self._seen[candidate] = cost / reference
        return self._seen[candidate]

    def unit(self) -> WorkUnit:
        """Return what was found."""
        return WorkUnit(self.number, self.evaluations, tuple(self.records), complete=not self.cut)


def run_unit(configuration: SearchConfiguration, number: int, stop: Stopping) -> WorkUnit:
    """Run one unit: simulated annealing if its number is even, evolution if it is odd.

    Parameters
    ----------
    configuration
        What is searched for.
    number
        Number of the unit, which with the search decides on all that is random.
    stop
        When it is over, the unit is cut short.
    """
    log = Log(configuration, number, stop)
    climb = evolve if number % 2 else anneal
    if not ends_within(stop, lambda: climb(moves_of(configuration, number), log)):
        log.cut = True
    return log.unit()


def moves_of(configuration: SearchConfiguration, number: int) -> Moves:
    """Return the moves of a search, with randomness that depends on it and a number alone."""
    specs = (configuration.policy, *filter(None, [configuration.against]))
    limits = configuration.limits
    late = [limits.arrivals] if limits.arrivals else []
    rng = random.Random(repr((*specs, limits, configuration.seed, number, *late)))
    landmarks = Landmarks(tuple(policy_from_spec(spec) for spec in specs))
    return Moves(rng, landmarks, limits)


def anneal(moves: Moves, log: Log) -> None:
    """Walk through neighbours, accepting worse ones less and less."""
    candidate = current = random_candidate(moves)
    current_ratio = 0.0
    while log.more():
        temperature = START_TEMPERATURE * (1 - log.evaluations / log.most)
        ratio = log.ratio(candidate)
        loss = 1 - ratio / current_ratio if current_ratio else 0.0
        if loss <= 0 or (temperature and moves.rng.random() < math.exp(-loss / temperature)):
            current, current_ratio = candidate, ratio
        candidate = neighbour(current, moves)


def evolve(moves: Moves, log: Log) -> None:
    """Keep a population; children of good parents replace the worst, if they are new."""
    rng = moves.rng
    living: dict[Candidate, float] = {}
    while log.more():
        if len(living) < POPULATION:
            child = random_candidate(moves)
        else:
            names = list(living)
            child = max(rng.choices(names, k=TOURNAMENT), key=living.__getitem__)
            if rng.random() < CROSSOVER:
                other = max(rng.choices(names, k=TOURNAMENT), key=living.__getitem__)
                child = crossover(child, other, moves)
            child = neighbour(child, moves) if child.valid(moves.limits) else names[0]
        ratio = log.ratio(child)
        living.setdefault(child, ratio)
        if len(living) > POPULATION:
            del living[min(living, key=living.__getitem__)]


def neighbour(candidate: Candidate, moves: Moves) -> Candidate:
    """Apply one to three random moves, retrying until the result is valid."""
    rng = moves.rng
    all_moves = MOVES + ARRIVAL_MOVES if moves.limits.arrivals else MOVES
    while True:
        result = candidate
        for _ in range(rng.choice((1, 1, 2, 3))):
            result = rng.choice(all_moves)(result, moves)
            if not result.valid(moves.limits):
                break
        else:
            return result
