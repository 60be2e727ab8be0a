"""Running a policy, given as an object or by its name."""

from __future__ import annotations

from collections.abc import Callable

from kvopt.model.errors import require
from kvopt.model.instance import Instance
from kvopt.model.schedule import Schedule
from kvopt.model.stopping import Stopping, checked_stop
from kvopt.policies import PolicyLike, policy_of
from kvopt.simulation.simulate import simulate as simulate_policy

__all__ = ["simulate"]


def simulate(
    instance: Instance,
    policy: PolicyLike,
    progress: Callable[[int], None] | None = None,
    *,
    stop: Stopping | None = None,
) -> Schedule:
    """Run a policy on an instance and return what it did.

    Parameters
    ----------
    instance
        The instance.
    policy
        The policy, or how it is written on the command line.
    progress
        Called now and then with the number of requests completed so far.
    stop
        When it is over, the simulation is broken off, even within the policy; None for no limit.

    Raises
    ------
    TypeError
        If the instance, the policy or `stop` is something else.
    InputError
        If the policy is unknown.
    PolicyError
        If the policy does something that the model does not allow; see
        `kvopt.simulation.simulate.simulate`.
    StoppedError
        If it was broken off.

    Examples
    --------
    >>> simulate(Instance(10, [2, 2], [3, 5]), "gsa").total_completion_time()
    14
    """
    require(instance, Instance, "instance")
    return simulate_policy(instance, policy_of(policy), progress, stop=checked_stop(stop))
