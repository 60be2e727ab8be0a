"""Optimization and verification toolkit for KV-cache scheduling of LLM inference.

Requests share the memory of one GPU; the KV cache of a running request grows by a
token a round.  kvopt computes exact optimal schedules, simulates scheduling
policies, and compares the two against the proved competitive ratios.
"""

from kvopt.comparison.ratio import Comparison, Ratio, Verdict, compare
from kvopt.model.errors import InputError, KvoptError, PolicyError, SolverError
from kvopt.model.feasibility import Violation, violations
from kvopt.model.files import read_instance, read_schedule, write_instance, write_schedule
from kvopt.model.instance import Instance, Request
from kvopt.model.schedule import Attempt, Schedule
from kvopt.model.stopping import Stopping
from kvopt.policies import FCFS, GBA, GSA, MCSF, POLICIES, Policy, policy_from_spec
from kvopt.policies.policy import parameter
from kvopt.simulation.machine import Decisions, Machine, Until, Wait
from kvopt.simulation.metrics import Metrics, metrics
from kvopt.simulation.simulate import simulate
from kvopt.solver.combinatorial_bounds import best_lower_bound
from kvopt.solver.result import Result, Status
from kvopt.solver.solve import solve

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
    "Stopping",
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

Budget = Stopping
"""The old name of `Stopping`."""
