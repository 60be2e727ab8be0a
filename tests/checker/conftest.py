"""The checker's modules are imported as the checker imports them: by their own names."""

from __future__ import annotations

import sys
from pathlib import Path

CHECKER = Path(__file__).parents[2] / "proofs" / "checker"
sys.path.insert(0, str(CHECKER))
