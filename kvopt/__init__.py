"""Optimization and verification toolkit for KV-cache scheduling of LLM inference.

Requests share the memory of one GPU; the KV cache of a running request grows by a
token a round.  kvopt computes exact optimal schedules, simulates scheduling
policies, and compares the two against the proved competitive ratios.
"""

from kvopt.budget import Budget as Budget
from kvopt.check import Violation as Violation
from kvopt.check import violations as violations
from kvopt.errors import InputError as InputError
from kvopt.errors import KvoptError as KvoptError
from kvopt.errors import PolicyError as PolicyError
from kvopt.errors import SolverError as SolverError
from kvopt.exact.result import Result as Result
from kvopt.exact.result import Status as Status
from kvopt.exact.solve import solve as solve
from kvopt.files import read_instance as read_instance
from kvopt.files import read_schedule as read_schedule
from kvopt.files import write_instance as write_instance
from kvopt.files import write_schedule as write_schedule
from kvopt.instance import Instance as Instance
from kvopt.instance import Request as Request
from kvopt.lower_bounds import best_lower_bound as best_lower_bound
from kvopt.machine import Decisions as Decisions
from kvopt.machine import Machine as Machine
from kvopt.machine import Until as Until
from kvopt.machine import Wait as Wait
from kvopt.policies import FCFS as FCFS
from kvopt.policies import GBA as GBA
from kvopt.policies import GSA as GSA
from kvopt.policies import MCSF as MCSF
from kvopt.policies import POLICIES as POLICIES
from kvopt.policies import Policy as Policy
from kvopt.policies import policy_from_spec as policy_from_spec
from kvopt.policies.policy import parameter as parameter
from kvopt.ratio import Comparison as Comparison
from kvopt.ratio import Ratio as Ratio
from kvopt.ratio import Verdict as Verdict
from kvopt.ratio import compare as compare
from kvopt.schedule import Attempt as Attempt
from kvopt.schedule import Schedule as Schedule
from kvopt.simulate import simulate as simulate

__version__ = "0.1.0"
