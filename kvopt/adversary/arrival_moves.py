"""Small changes to release times, the further steps of a search with arrivals."""

from __future__ import annotations

from kvopt.adversary.candidate import Candidate, latest, released_at, timing
from kvopt.adversary.moves import Move, Moves, with_groups
from kvopt.simulation.simulate import simulate

__all__ = ["ARRIVAL_MOVES"]


def change_release(c: Candidate, moves: Moves) -> Candidate:
    """Release a group a round earlier or later, at 0, or at any time."""
    place = moves.rng.randrange(len(c.groups))
    release = timing(c.groups[place])[0]
    any_time = moves.rng.randint(0, moves.limits.arrivals)
    return _at(c, place, moves.rng.choice((release - 1, release + 1, 0, release // 2, any_time)))


def follow(c: Candidate, moves: Moves) -> Candidate:
    """Release a group with another one, just after it, or when it could have completed."""
    place = moves.rng.randrange(len(c.groups))
    other = moves.rng.choice(c.groups)
    wait = moves.rng.choice((0, 1, other[1], other[1] - 1))
    return _at(c, place, moves.rng.choice((timing(other)[0], latest(other))) + wait)


def meet(c: Candidate, moves: Moves) -> Candidate:
    """Release a group when the policy starts or completes a request, or just then."""
    if not c.valid(moves.limits):
        return c
    schedule = simulate(c.instance(), moves.landmarks.policies[0])
    attempt = moves.rng.randrange(len(schedule))
    time = int(moves.rng.choice((schedule.start, schedule.end))[attempt])
    place = moves.rng.randrange(len(c.groups))
    return _at(c, place, time + moves.rng.choice((-1, 0, 0, 1)))


def spread(c: Candidate, moves: Moves) -> Candidate:
    """Release the requests of a group one after another, at another distance, or together."""
    place = moves.rng.randrange(len(c.groups))
    group = c.groups[place]
    release, every = timing(group)
    gaps = (0, 1, 1, 2, every + 1, max(0, every - 1), group[1])
    return with_groups(c, place, (*group[:3], release, moves.rng.choice(gaps)))


def shift(c: Candidate, moves: Moves) -> Candidate:
    """Release all groups from one on, or all but it, earlier or later."""
    first = moves.rng.randrange(len(c.groups))
    step = moves.rng.choice((-2, -1, 1, 2, -min(timing(group)[0] for group in c.groups)))
    moved = [released_at(group, timing(group)[0] + step) for group in c.groups]
    if moves.rng.random() < 0.5:
        return Candidate.of(c.memory, (*c.groups[:first], *moved[first:]))
    return Candidate.of(c.memory, (*moved[:first], c.groups[first], *moved[first + 1 :]))


def stretch(c: Candidate, moves: Moves) -> Candidate:
    """Make all release times half or twice as late."""
    up, down = moves.rng.choice(((1, 2), (2, 1)))
    groups = ((*g[:3], *(time * up // down for time in timing(g))) for g in c.groups)
    return Candidate.of(c.memory, groups)


def _at(c: Candidate, place: int, release: int) -> Candidate:
    return with_groups(c, place, released_at(c.groups[place], release))


ARRIVAL_MOVES: tuple[Move, ...] = (change_release, follow, meet, spread, spread, shift, stretch)
"""Every move that changes release times; a group is spread more often, as so much depends on it."""
