"""What searches for cheaper schedules have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from kvopt.model.instance import Instance, IntArray

__all__ = ["ScheduleSearch"]


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
