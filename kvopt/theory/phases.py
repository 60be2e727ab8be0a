"""Phases of equal slices: what the closed forms of GSA and GBA are made of."""

from __future__ import annotations

from dataclasses import dataclass

from kvopt.model.instance import IntArray

__all__ = ["Phases"]


@dataclass(frozen=True, slots=True, eq=False)
class Phases:
    """The phases in which a policy runs requests with one common prompt length.

    In a phase that begins at b, the j-th request that takes part starts at b + floor(j d),
    j = 0, 1, ..., and completes if its output is no longer than the slice; the next phase
    begins when the last slice is over.

    Parameters
    ----------
    slices
        Length of the slices in each phase, increasing to M - s (rounds), shape (p,).
    distances
        Distance d between starts in each phase: numerators above denominators (rounds),
        shape (2, p).
    everyone
        True if all unfinished requests take part in a phase, as in GSA; False if only
        those do that complete in it, as in GBA.
    """

    slices: IntArray
    distances: IntArray
    everyone: bool
