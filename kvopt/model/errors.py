"""The errors kvopt raises on purpose; anything else that escapes is a bug."""

from __future__ import annotations

import functools
import traceback
from pathlib import Path

from kvopt.model.text import NAME, one_line


class KvoptError(Exception):
    """Base class of every error kvopt raises on purpose.

    Parameters
    ----------
    message
        What is wrong.  It may hold anything from a file: it becomes one line that can be shown.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class InputError(KvoptError):
    """Something handed in is not acceptable.

    The message is one line that names the place (file and field, or
    parameter), the rule and the offending value.  The command line turns it
    into exit code 2.
    """

    def within(self, place: str) -> InputError:
        """Return the same error with `place` (a file, usually) put before it."""
        return type(self)(f"{one_line(place, NAME)}: {self}")


def require(value: object, kind: type, name: str) -> None:
    """Refuse what was handed in under a name, unless it is of this kind.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        got = type(value).__name__
        raise TypeError(f"{name}: must be {article} {kind.__name__}, got {got}")


class PolicyError(KvoptError):
    """A policy took a decision that the model does not allow.

    Parameters
    ----------
    policy
        Name of the policy.
    request
        Index of the request the decision is about, or None when it is about
        no single request.
    round
        Round (1-based) in which the rule is broken.
    reason
        What is wrong, as a clause.
    """

    def __init__(self, policy: str, request: int | None, round: int, reason: str) -> None:
        who = "" if request is None else f", request {request}"
        super().__init__(f"policy {policy}{who}, round {round}: {reason}")
        self.policy = policy
        self.request = request
        self.round = round
        self.reason = reason

    def __reduce__(self) -> tuple[type[PolicyError], tuple[str, int | None, int, str]]:
        # Exceptions are pickled by their message; this one comes back from other processes.
        return type(self), (self.policy, self.request, self.round, self.reason)


class StoppedError(KvoptError):
    """Work was broken off before its end: its time was over, or somebody interrupted it."""


class WorkerError(KvoptError):
    """A process that was to do some of the work has died."""


class SolverError(KvoptError):
    """A solver returned something that does not survive recomputation in integers."""


def raised_text(error: BaseException) -> str:
    """Return an exception of a user's own code as text, with the file and line it comes from."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_not_own())]
    return f"{text} ({own[-1].filename}, line {own[-1].lineno})" if own else text


@functools.cache
def _not_own() -> tuple[str, ...]:
    """Return how the files of other code begin: of kvopt, of Python, and of what is installed."""
    import sysconfig  # loads much

    folders = ("stdlib", "platstdlib", "purelib", "platlib")
    return (
        str(Path(__file__).resolve().parent.parent),
        "<frozen",
        *(sysconfig.get_path(name) for name in folders),
    )
