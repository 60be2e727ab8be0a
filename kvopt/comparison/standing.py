"""How GSA and GBA stand: the largest ratio seen, what is proved, and the worst instance known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kvopt.comparison.ratio import Ratio
from kvopt.comparison.records import ClaimedRecord
from kvopt.policies import Policy, spec_of
from kvopt.policies.policy import facts_of
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.quadratic import Exact, format_exact

__all__ = ["Standing", "standings"]


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """What is known of a policy for which a bound is proved on all instances of one prompt length.

    Parameters
    ----------
    policy
        The policy as written on the command line.
    instance, largest
        The largest ratio seen where a bound applies, by its lower end, and the name of its
        instance; None if there is none.
    bound
        The sharpest bound proved for these parameters.
    record
        The worst instance known that comes with kvopt, or None.
    """

    policy: str
    instance: str | None
    largest: Ratio | None
    bound: Guarantee
    record: ClaimedRecord | None

    @property
    def published(self) -> Exact | None:
        """The bound of the paper at this alpha, or None where it says nothing."""
        return self.bound.bound if self.bound.status == "published" else self.bound.published

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object; exact numbers are strings, the nearest float beside them."""
        largest, record, bound = self.largest, self.record, self.bound
        numbers: dict[str, Exact | None] = {
            "ratio_low": None if largest is None else largest.low,
            "ratio_high": None if largest is None else largest.high,
            "published_bound": self.published,
            "proved_bound": bound.bound,
            "worst_known": None if record is None else record.ratio,
        }
        row: dict[str, Any] = {"policy": self.policy, "instance": self.instance}
        for key, value in numbers.items():
            row[key] = None if value is None else format_exact(value)
            row[f"{key}_float"] = None if value is None else float(value)
        name = None if record is None else record.file.stem
        return row | {"proved_by": bound.source, "worst_known_instance": name}


def standings(
    policies: Iterable[Policy],
    ratios: Sequence[tuple[str, Ratio]],
    records: Iterable[ClaimedRecord],
) -> list[Standing]:
    """Return how those policies stand that have a bound for all instances of one prompt length.

    Parameters
    ----------
    policies
        The policies.
    ratios
        What was seen: names of instances, and ratios on them.
    records
        The worst instances known; those with release times do not count, as the bounds are for
        requests that are all there from the start.
    """
    claims: dict[str, ClaimedRecord] = {}
    for record in records:
        if record.instance.has_releases:
            continue
        if record.policy not in claims or record.ratio > claims[record.policy].ratio:
            claims[record.policy] = record
    found: dict[str, Standing] = {}
    for policy in policies:
        if (bound := facts_of(policy).general_bound()) is None:
            continue
        spec = spec_of(policy)
        seen = [pair for pair in ratios if pair[1].policy == spec and pair[1].guarantee]
        name, largest = max(seen, key=lambda pair: pair[1].low, default=(None, None))
        found[spec] = Standing(spec, name, largest, bound, claims.get(spec))
    return list(found.values())
