"""Every theorem on the competitive ratio that kvopt knows, in the order in which it is listed.

Each stands beside its formula, in the module of its family.
"""

from __future__ import annotations

from kvopt.theory.area_batches import SVF_BATCHES_THEOREM
from kvopt.theory.gba_bounds import GBA_LARGE_MEMORY, GBA_PRICED, GBA_SHARPER, GBA_THEOREM
from kvopt.theory.gsa_bounds import (
    GSA_CHOSEN_SLICES,
    GSA_COMPUTED,
    GSA_LARGE_MEMORY,
    GSA_SHARPER,
    GSA_THEOREM,
)
from kvopt.theory.guarantee import Theorem
from kvopt.theory.mixed_bounds import (
    AREA_BUDGET_RUN_THEOREM,
    AREA_BUDGET_THEOREM,
    AREA_PHASES_THEOREM,
    LEVEL_POOL_EXPECTED,
    LEVEL_POOL_HALF,
    LEVEL_POOL_THEOREM,
)
from kvopt.theory.other_bounds import (
    MCSF_THEOREM,
    NON_CLAIRVOYANT_LIMIT,
    NON_CLAIRVOYANT_SHARPER,
    PIPELINE_THEOREM,
    RECT_THEOREM,
    RESPONSE_THEOREM,
    SORTED_F_THEOREM,
    SPT_PIPELINE_SHARPER,
    SPT_PIPELINE_THEOREM,
    SVF_SHARPER,
    SVF_THEOREM,
)
from kvopt.theory.random_bounds import GSA_EXPECTED

__all__ = ["THEOREMS"]

THEOREMS: tuple[Theorem, ...] = (
    GBA_THEOREM,
    GBA_LARGE_MEMORY,
    *GBA_SHARPER,
    *GBA_PRICED,
    GSA_THEOREM,
    GSA_LARGE_MEMORY,
    *GSA_SHARPER,
    *GSA_COMPUTED,
    GSA_CHOSEN_SLICES,
    *GSA_EXPECTED,
    SPT_PIPELINE_THEOREM,
    SPT_PIPELINE_SHARPER,
    PIPELINE_THEOREM,
    MCSF_THEOREM,
    SORTED_F_THEOREM,
    SVF_THEOREM,
    SVF_SHARPER,
    SVF_BATCHES_THEOREM,
    RECT_THEOREM,
    RESPONSE_THEOREM,
    AREA_PHASES_THEOREM,
    LEVEL_POOL_THEOREM,
    LEVEL_POOL_HALF,
    *LEVEL_POOL_EXPECTED,
    AREA_BUDGET_THEOREM,
    AREA_BUDGET_RUN_THEOREM,
    NON_CLAIRVOYANT_LIMIT,
    NON_CLAIRVOYANT_SHARPER,
)
