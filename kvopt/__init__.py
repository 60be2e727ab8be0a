"""Optimization and verification toolkit for KV-cache scheduling of LLM inference.

Requests share the memory of one GPU; the KV cache of a running request grows by a
token a round.  kvopt computes exact optimal schedules, simulates scheduling
policies, and compares the two against the proved competitive ratios.
"""

from kvopt.comparison.ratio import Comparison as Comparison
from kvopt.comparison.ratio import Ratio as Ratio
from kvopt.comparison.ratio import Verdict as Verdict
from kvopt.comparison.ratio import compare as compare
from kvopt.model.errors import InputError as InputError
from kvopt.model.errors import KvoptError as KvoptError
from kvopt.model.errors import PolicyError as PolicyError
from kvopt.model.errors import SolverError as SolverError
from kvopt.model.feasibility import Violation as Violation
from kvopt.model.feasibility import violations as violations
from kvopt.model.files import read_instance as read_instance
from kvopt.model.files import read_schedule as read_schedule
from kvopt.model.files import write_instance as write_instance
from kvopt.model.files import write_schedule as write_schedule
from kvopt.model.instance import Instance as Instance
from kvopt.model.instance import Request as Request
from kvopt.model.schedule import Attempt as Attempt
from kvopt.model.schedule import Schedule as Schedule
from kvopt.model.stopping import Budget as Budget
from kvopt.policies import FCFS as FCFS
from kvopt.policies import GBA as GBA
from kvopt.policies import GSA as GSA
from kvopt.policies import MCSF as MCSF
from kvopt.policies import POLICIES as POLICIES
from kvopt.policies import Policy as Policy
from kvopt.policies import policy_from_spec as policy_from_spec
from kvopt.policies.policy import parameter as parameter
from kvopt.simulation.machine import Decisions as Decisions
from kvopt.simulation.machine import Machine as Machine
from kvopt.simulation.machine import Until as Until
from kvopt.simulation.machine import Wait as Wait
from kvopt.simulation.simulate import simulate as simulate
from kvopt.solver.combinatorial_bounds import best_lower_bound as best_lower_bound
from kvopt.solver.result import Result as Result
from kvopt.solver.result import Status as Status
from kvopt.solver.solve import solve as solve

__version__ = "0.1.0"
