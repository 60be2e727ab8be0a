"""What checking one file may take: elementary steps, and memory.

A file says little and may ask for much, so every loop pays before it runs, or as it runs, and
what it keeps is paid for, too.  A step is what plain Python does in some 50 billionths of a
second, so the usual budget is used up within a minute.
"""

from __future__ import annotations

from limits import MAX_MEMORY, MAX_STEPS
from reading import Refused

LARGE = 60  # bytes of an integer in a list, however large the duals
MEGABYTE = 1_000_000


class Budget:
    """Steps and bytes that are left."""

    def __init__(self, steps: int = MAX_STEPS, megabytes: int = MAX_MEMORY) -> None:
        self.steps, self.megabytes = steps, megabytes
        self.left, self.room = steps, megabytes * MEGABYTE

    def spend(self, steps: int) -> None:
        """Take steps, refused if so many are not left."""
        self.left -= steps
        if self.left < 0:
            raise Refused(f"takes more than {self.steps} steps to check")

    def hold(self, size: int) -> None:
        """Take bytes for as long as the check goes on, refused if they are not left."""
        self.room -= size
        self.use(0)

    def use(self, size: int) -> None:
        """Take bytes that are given back soon, refused if they are not left."""
        if self.room < size:
            raise Refused(f"takes more than {self.megabytes} MB of memory to check")
