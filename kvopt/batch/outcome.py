"""What was found on one instance by `ratio` or `audit`, as it can be kept and sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from kvopt.comparison.audit import Audited
from kvopt.comparison.ratio import Comparison, Ratio, Unfinished
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.quadratic import Exact, parse_exact

__all__ = ["Outcome", "ratio_from_dict"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Ratios on one instance, and for an audit what else was checked.

    Parameters
    ----------
    optimum
        The bracket of the optimum, as `Result.to_dict` gives it, and the numbers of requests
        and of tokens of memory.
    ratios, unfinished
        As in `Comparison`.
    witnesses, schedules, problems
        As in `Audited`; without an audit none, 0, and the policies that misbehave.
    """

    optimum: Mapping[str, Any]
    ratios: tuple[Ratio, ...]
    unfinished: tuple[Unfinished, ...] = ()
    witnesses: tuple[str, ...] = ()
    schedules: int = 0
    problems: tuple[str, ...] = ()

    @property
    def lower_bound(self) -> int:
        """The lower end of the bracket (rounds)."""
        return int(self.optimum["lower_bound"])

    @property
    def objective(self) -> int:
        """The cost of the cheapest schedule known (rounds)."""
        return int(self.optimum["objective"])

    @property
    def gap(self) -> int:
        """How far the ends of the bracket are apart (rounds)."""
        return self.objective - self.lower_bound

    @classmethod
    def of(cls, found: Comparison | Audited, problems: tuple[str, ...] = ()) -> Outcome:
        """Return what is kept of a comparison or an audit."""
        if isinstance(found, Audited):
            own = found.comparison
            more: dict[str, Any] = {"witnesses": found.witnesses, "schedules": found.schedules}
            problems += found.problems
        else:
            own, more = found, {}
        instance = own.instance
        size = {"requests": len(instance), "memory": instance.memory}
        optimum = own.optimum.to_dict() | size
        return cls(optimum, own.ratios, own.unfinished, problems=problems, **more)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain numbers, texts, lists and dictionaries."""
        return {
            "optimum": dict(self.optimum),
            "ratios": [ratio.to_dict() for ratio in self.ratios],
            "unfinished": [[one.policy, one.reason] for one in self.unfinished],
            "witnesses": list(self.witnesses),
            "schedules": self.schedules,
            "problems": list(self.problems),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Outcome:
        """Return what `to_dict` made a dictionary of.

        Raises
        ------
        TypeError, ValueError, KeyError, ArithmeticError, InputError
            If it is none.
        """
        optimum = content["optimum"]
        lower, upper = (_whole(optimum[key]) for key in ("lower_bound", "objective"))
        _whole(optimum["requests"]), _whole(optimum["memory"])
        status = "optimal" if lower == upper else "bracket"
        if not 0 < lower <= upper or optimum["status"] != status:
            raise ValueError("the bracket is none")
        _text(optimum["termination"])
        return cls(
            optimum,
            tuple(ratio_from_dict(row) for row in content["ratios"]),
            tuple(Unfinished(_text(a), _text(b)) for a, b in content["unfinished"]),
            tuple(map(_text, content["witnesses"])),
            _whole(content["schedules"]),
            tuple(map(_text, content["problems"])),
        )


def ratio_from_dict(row: Mapping[str, Any]) -> Ratio:
    """Return the ratio that `Ratio.to_dict` made a row of.

    Raises
    ------
    TypeError, ValueError, KeyError, ArithmeticError, InputError
        If it is none.
    """
    guarantee = None
    if row["bound"] is not None:
        if row["bound_status"] not in ("published", "derived"):
            raise ValueError("bound_status")
        expected = _or_none(row["expected_bound"], Fraction)
        published = _or_none(row["published_bound"], _exact)
        texts = (row["bound_status"], _text(row["bound_source"]), _text(row["bound_name"]))
        guarantee = Guarantee(_exact(row["bound"]), *texts, published, expected)
    cost, lower, upper = (_whole(row[key]) for key in ("cost", "lower_bound", "upper_bound"))
    reason = _or_none(row["reason"], _text)
    ratio = Ratio(_text(row["policy"]), cost, lower, upper, guarantee, reason)
    if ratio.to_dict() != dict(row):
        raise ValueError("a ratio does not follow from its costs")
    return ratio


def _or_none(value: Any, read: Callable[[Any], T]) -> T | None:
    return None if value is None else read(value)


def _exact(text: Any) -> Exact:
    return parse_exact(_text(text))


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("no whole number")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("no text")
    return value
