"""Keeping to the time in the midst of an instance, which may take long."""

from __future__ import annotations

from collections.abc import Callable

from kvopt.model.breaking_off import run_within
from kvopt.model.errors import StoppedError
from kvopt.model.stopping import Stopping

__all__ = ["ends_within"]

GRACE_SECONDS = 0.3
"""How long after the end of the time work may take to notice."""


def ends_within(stop: Stopping, work: Callable[[], object]) -> bool:
    """Do some work that looks now and then whether it is to stop; False if it did not.

    It is broken off then: an instance may be large, or a policy of a user's own never end.
    """
    try:
        run_within(stop, work, GRACE_SECONDS)
    except StoppedError:
        return False
    return True
