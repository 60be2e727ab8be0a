"""What searches for cheaper schedules have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.primal.moves import Loaded, load_of

__all__ = ["LocalSearch", "ScheduleSearch"]


class ScheduleSearch(ABC):
    """A search for cheaper schedules that goes on piece by piece.

    How it goes depends on the seed and on the amount of work only: the clock does nothing but
    end it.

    Parameters
    ----------
    instance
        The instance, of at least two requests.
    seed
        Seed of the random choices.

    Attributes
    ----------
    evaluations
        Schedules or moves tried so far.
    work
        Rounds looked at so far, roughly.
    finished
        Whether there is nothing left to try.
    legs
        How many parts of the search are over, after each of which it is a good time for another.
    """

    def __init__(self, instance: Instance, seed: int) -> None:
        self.evaluations = self.work = self.legs = 0
        self.finished = False
        self._instance = instance
        self._random = np.random.default_rng(seed)

    @abstractmethod
    def best_starts(self) -> IntArray:
        """Return the starts of the best schedule so far (rounds), shape (n,)."""

    @abstractmethod
    def take(self, starts: IntArray) -> bool:
        """Go on from another schedule if it is cheaper; tell whether it is.

        Parameters
        ----------
        starts
            Start times of a feasible schedule (rounds), shape (n,).
        """

    @abstractmethod
    def chain(self) -> bool:
        """Do the next piece of work, and tell whether a better schedule was found."""

    def candidates(self) -> list[IntArray]:
        """Return further schedules that the last leg has ended with, shape (n,) each."""
        return []


class LocalSearch(ScheduleSearch):
    """A search that changes one schedule, and never makes it more expensive; never finished.

    Parameters
    ----------
    instance, seed
        As of `ScheduleSearch`.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    turn
        After so many rounds looked at it is a good time to see what they have gained.
    """

    def __init__(self, instance: Instance, starts: IntArray, seed: int, turn: int) -> None:
        super().__init__(instance, seed)
        self.turn = turn
        self.begin(starts)

    def best_starts(self) -> IntArray:
        """Return the starts of the best schedule so far (rounds), shape (n,)."""
        return np.array(self._loaded.start, dtype=np.int64)

    def take(self, starts: IntArray) -> bool:
        """Go on from another schedule if it is cheaper; tell whether it is."""
        if int(starts.sum()) >= int(self._loaded.start.sum()):
            return False
        self.begin(starts)
        return True

    def begin(self, starts: IntArray) -> None:
        """Go on from another schedule, cheaper or not.

        Parameters
        ----------
        starts
            Start times of a feasible schedule (rounds), shape (n,).
        """
        outputs = self._instance.outputs
        makespan, longest = int((starts + outputs).max()), int(outputs.max())
        horizon = makespan + self._room(makespan) + longest
        load = load_of(self._instance, starts, horizon + longest + 2)
        self._loaded = Loaded(np.array(starts, dtype=np.int64), load, horizon)
        self._by_start = np.lexsort((outputs, starts))

    def _room(self, makespan: int) -> int:
        """Return by how much more than the longest output the makespan may grow (rounds)."""
        return 0
