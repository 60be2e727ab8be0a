"""The adversary: search for instances on which a policy does badly."""

from kvopt.adversary.moves import Limits
from kvopt.adversary.search import Find, Hunt, Unit, improvements, search

__all__ = ["Find", "Hunt", "Limits", "Unit", "improvements", "search"]
