"""What is known of policies on instances as rows with equal keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from kvopt.comparison.ratio import Ratio, Unfinished, Verdict

__all__ = ["Bracket", "ratio_row", "ratio_rows", "reason_row", "reasons_of"]

NO_RATIO = Ratio("", 1, 1, 1, None)
"""Any ratio: it gives the keys of a row."""


class Bracket(Protocol):
    """Whatever has both ends of the bracket of an optimum."""

    @property
    def lower_bound(self) -> int:
        """The lower end (rounds)."""

    @property
    def objective(self) -> int:
        """The upper end, the cost of a schedule (rounds)."""


def ratio_rows(
    instance: str,
    ratios: Iterable[Ratio],
    unfinished: Iterable[Unfinished],
    optimum: Bracket,
    reason: str | None = None,
) -> list[dict[str, Any]]:
    """Return a row for each policy on an instance: first its ratios, then those without one.

    Parameters
    ----------
    instance
        Name of the instance.
    ratios, unfinished
        As in `kvopt.comparison.ratio.Comparison`.
    optimum
        The bracket of the optimum.
    reason
        What is to be said of all of them, as that they were cut short; None for nothing.
    """
    before = "" if reason is None else f"{reason}: "
    rows = []
    for ratio in ratios:
        own = reason if ratio.reason is None else before + ratio.reason
        rows.append(ratio_row(instance, ratio) | {"reason": own})
    return rows + [
        reason_row(instance, before + one.reason, one.policy, optimum) for one in unfinished
    ]


def reasons_of(ratios: Iterable[Ratio], unfinished: Iterable[Unfinished]) -> list[str]:
    """Return why policies have no bound or no ratio, as far as there is something to say."""
    given = [ratio.reason for ratio in ratios if ratio.reason is not None]
    return given + [one.reason for one in unfinished]


def ratio_row(instance: str, ratio: Ratio) -> dict[str, Any]:
    """Return a ratio as a JSON object; exact numbers are strings, the nearest float beside them."""
    return {"instance": instance, **ratio.to_dict()}


def reason_row(
    instance: str, reason: str, policy: str | None = None, optimum: Bracket | None = None
) -> dict[str, Any]:
    """Return a row with the keys of `ratio_row` where there is no ratio, and the reason.

    Parameters
    ----------
    instance
        Name of the instance, or the file that holds none.
    reason
        Why there is no ratio.
    policy, optimum
        The policy that did not end, and the bracket of the optimum; None for a file that
        cannot be read, and an instance that failed or was cut short before all else.
    """
    row = ratio_row(instance, NO_RATIO) | dict.fromkeys(NO_RATIO.to_dict())
    row |= {"instance": instance, "policy": policy, "reason": reason}
    if optimum is not None:
        row |= {"lower_bound": optimum.lower_bound, "upper_bound": optimum.objective}
        row["verdict"] = Verdict.UNDECIDED.value
    return row
