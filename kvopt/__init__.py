"""Optimization and verification toolkit for KV-cache scheduling of LLM inference.

Requests share the memory of one GPU; the KV cache of a running request grows by a
token a round.  kvopt computes exact optimal schedules, simulates scheduling
policies, and compares the two against the proved competitive ratios.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kvopt.comparison.ratio import Comparison, Ratio, Unfinished, Verdict, compare
    from kvopt.model.errors import InputError, KvoptError, PolicyError, SolverError, StoppedError
    from kvopt.model.feasibility import Violation, violations
    from kvopt.model.files import read_instance, read_schedule, write_instance, write_schedule
    from kvopt.model.instance import Instance, Request
    from kvopt.model.schedule import Attempt, Schedule
    from kvopt.model.stopping import Stopping
    from kvopt.policies import FCFS, GBA, GSA, MCSF, POLICIES, Policy, policy_from_spec
    from kvopt.policies.policy import parameter
    from kvopt.policies.run import simulate
    from kvopt.simulation.decisions import Decisions, Until, Wait
    from kvopt.simulation.machine import Machine
    from kvopt.simulation.metrics import Metrics, metrics
    from kvopt.solver.combinatorial_bounds import best_lower_bound
    from kvopt.solver.result import Result, Status
    from kvopt.solver.solve import solve

    Budget = Stopping

__all__ = [
    "FCFS",
    "GBA",
    "GSA",
    "MCSF",
    "POLICIES",
    "Attempt",
    "Budget",
    "Comparison",
    "Decisions",
    "InputError",
    "Instance",
    "KvoptError",
    "Machine",
    "Metrics",
    "Policy",
    "PolicyError",
    "Ratio",
    "Request",
    "Result",
    "Schedule",
    "SolverError",
    "Status",
    "StoppedError",
    "Stopping",
    "Unfinished",
    "Until",
    "Verdict",
    "Violation",
    "Wait",
    "best_lower_bound",
    "compare",
    "metrics",
    "parameter",
    "policy_from_spec",
    "read_instance",
    "read_schedule",
    "simulate",
    "solve",
    "violations",
    "write_instance",
    "write_schedule",
]

__version__ = "0.1.0"

_PLACES = {
    "kvopt.comparison.ratio": "Comparison Ratio Unfinished Verdict compare",
    "kvopt.model.errors": "InputError KvoptError PolicyError SolverError StoppedError",
    "kvopt.model.feasibility": "Violation violations",
    "kvopt.model.files": "read_instance read_schedule write_instance write_schedule",
    "kvopt.model.instance": "Instance Request",
    "kvopt.model.schedule": "Attempt Schedule",
    "kvopt.model.stopping": "Stopping",
    "kvopt.policies": "FCFS GBA GSA MCSF POLICIES Policy policy_from_spec",
    "kvopt.policies.policy": "parameter",
    "kvopt.policies.run": "simulate",
    "kvopt.simulation.decisions": "Decisions Until Wait",
    "kvopt.simulation.machine": "Machine",
    "kvopt.simulation.metrics": "Metrics metrics",
    "kvopt.solver.combinatorial_bounds": "best_lower_bound",
    "kvopt.solver.result": "Result Status",
    "kvopt.solver.solve": "solve",
}
"""Where the public names are, which are imported when they are first used."""

_MODULES = {name: module for module, names in _PLACES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name."""
    original = {"Budget": "Stopping"}.get(name, name)  # the old name of it
    if original not in _MODULES:
        raise AttributeError(f"module 'kvopt' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[original]), original)
    return value


def __dir__() -> list[str]:
    """Return all names, imported or not."""
    return sorted({*globals(), *__all__})
