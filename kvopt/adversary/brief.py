"""The audit's brief search for an instance on which a policy does badly."""

from __future__ import annotations

from dataclasses import dataclass

from kvopt.adversary.candidate import Limits
from kvopt.adversary.configuration import SearchConfiguration, improvements
from kvopt.adversary.run import search
from kvopt.comparison.audit import audit_instance
from kvopt.comparison.ratio import Ratio
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.policies import Policy, spec_of

__all__ = ["BriefSearch", "brief_search"]

SEARCH_LIMITS = Limits(requests=8, memory=16)
SEARCH_UNITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class BriefSearch:
    """What the audit's short search for a bad instance found.

    Parameters
    ----------
    instance
        The worst instance found.
    ratio
        The policy's ratio on it, against the exact solver's bracket.
    evaluations
        How many instances were looked at.
    problems
        Everything that is wrong, one line each.
    """

    instance: Instance
    ratio: Ratio
    evaluations: int
    problems: tuple[str, ...]


def brief_search(policy: Policy, seed: int, stop: Stopping) -> BriefSearch | None:
    """Search briefly for an instance on which a policy does badly, and verify the worst.

    Parameters
    ----------
    policy
        The policy.
    seed
        Seed of the search.
    stop
        How long it may go on; the search is short and ends by itself.

    Returns
    -------
    BriefSearch or None
        None if the time was over before anything was found.
    """
    configuration = SearchConfiguration(spec_of(policy), None, SEARCH_LIMITS, seed)
    units = search(configuration, stop, units=SEARCH_UNITS)
    records = improvements(units)
    if not records:
        return None
    worst = records[-1].candidate.instance(f"worst for {configuration.policy}")
    audited = audit_instance(worst, [policy], stop)
    if not audited.comparison.ratios:
        return None
    evaluations = sum(unit.evaluations for unit in units)
    return BriefSearch(worst, audited.comparison.ratios[0], evaluations, audited.problems)
