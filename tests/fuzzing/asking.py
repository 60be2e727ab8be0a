"""Ask a checker, and compare what it says with the truth."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fuzzing.definition import defined_bound
from fuzzing.loading import Checker
from fuzzing.truth import judged

__all__ = ["Answer", "Finding", "Ledger", "Tally", "ask"]

SECONDS = 1.0
"""Of processor time for one file.  Few take a hundredth of that; wild duals may take more."""

GIVEN = re.compile(r"lower_bound: is (\d+), the proof gives (-?\d+)")


class TooSlow(BaseException):
    """A check went on for too long.  (No Exception, so that no checker catches it.)"""


@dataclass(frozen=True)
class Answer:
    """What a checker says of a file."""

    kind: str
    """"accepted", "refused", "crash" or "slow"."""
    reason: str = ""
    claim: Any = None

    @property
    def given(self) -> int | None:
        """The bound that a proof gives, where it is less than what is claimed."""
        match = GIVEN.fullmatch(self.reason)
        if match is None and "the proof gives" in self.reason:
            raise ValueError(f"the checker's words have changed: {self.reason}")
        return int(match[2]) if match else None


@dataclass(frozen=True)
class Finding:
    """A fault of a checker: what kind, what is wrong, and the file."""

    kind: str
    """"false claim", "malformed", "crash", "slow" or "honest refused"."""
    what: str
    text: str
    rule: str = ""


@dataclass
class Tally:
    """Counts of one rule."""

    evaluated: int = 0
    accepted: int = 0
    best: list[tuple[int, int]] = field(default_factory=list)
    """Of each case: the largest bound that was granted, and the optimum."""
    slow: int = 0
    mutants: int = 0
    mutants_accepted: int = 0


@dataclass
class Ledger:
    """Asks a checker, and counts what it says, by rule."""

    checker: Checker
    report: Callable[[Finding], None]
    tallies: dict[str, Tally] = field(default_factory=dict)

    def tally(self, rule: str) -> Tally:
        """Return the counts of a rule."""
        return self.tallies.setdefault(rule, Tally())

    def ask(self, rule: str, text: str) -> Answer:
        """Return what the checker says; whatever it accepts must be true.

        Where a bound can be computed from its definition, it must be exactly that.
        """
        answer = ask(self.checker, text)
        if answer.given is not None and (bound := defined_bound(text)) not in (None, answer.given):
            kind = "false claim" if answer.given > bound else "honest refused"
            what = f"the rows give {bound}, not {answer.given}"
            self.report(Finding(kind, what, text, rule))
        if answer.kind == "accepted":
            verdict = judged(text)
            kind, _, what = verdict.partition(": ")
            if what:
                kind = "false claim" if kind == "false" else kind
                self.report(Finding(kind, what, text, rule))
            elif wrong := misread(answer.claim, text):
                self.report(Finding("false claim", wrong, text, rule))
        elif answer.kind == "crash":
            self.report(Finding("crash", answer.reason, text, rule))
        self.tally(rule).slow += answer.kind == "slow"
        return answer

    def insist(self, rule: str, text: str) -> Answer:
        """Return the same; what is refused here is a fault, too: it is proved."""
        answer = self.ask(rule, text)
        if answer.kind in ("refused", "slow"):
            kind = "honest refused" if answer.kind == "refused" else "slow"
            self.report(Finding(kind, answer.reason, text, rule))
        return answer


def misread(claim: Any, text: str) -> str:
    """Return what a claim says that the file does not say."""
    low = getattr(claim, "lower_bound", None)
    said = json.loads(text).get("lower_bound")
    return "" if low == said else f"lower_bound is {said}, not {low}"


def ask(checker: Checker, text: str) -> Answer:
    """Return what a checker says of a text."""
    try:
        with limited():
            claim = checker.check(text)
    except checker.refused as error:
        return Answer("refused", str(error))
    except TooSlow:
        return Answer("slow", f"took more than {SECONDS} s")
    except Exception as error:  # whatever it is, `check` promises that it does not happen
        return Answer("crash", f"{type(error).__name__}: {error}")
    return Answer("accepted", claim=claim)


@contextmanager
def limited() -> Iterator[None]:
    """End what takes too long."""

    def end(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
