"""Write SequencesTable.v: steps of online_lower_bound.json, as theorems about sequences.

    python proofs/coq/sequences_table.py

Nothing here need be trusted: Coq checks what is written.
"""

from __future__ import annotations

import json
import textwrap
from fractions import Fraction
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STEPS = HERE.parent / "data" / "online_lower_bound.json"
TABLE = HERE / "SequencesTable.v"
NAMES = {4: "four_requests", 40: "forty_requests", 120: "many_requests"}
"""Names of the theorems, by number of requests."""

HEAD = """\
(* For some n, a c with which no sequence goes on: c n is the quotient of the two numbers after
   n, so that 1 + 1 / c is {ratios}.  Written by sequences_table.py. *)

From Coq Require Import ZArith List.
From Kvopt Require Import Sequences.
Import ListNotations.
Open Scope Z_scope.
"""

THEOREM = """
Theorem {name} a : ~ goes_on {n} {u} {v} a.
Proof.
  apply no_sequence with {d} [
{steps}
  ]. vm_cast_no_check (eq_refl true).
Qed.
"""


def theorem(entry: dict[str, Any]) -> str:
    """Return the theorem of one entry of the data."""
    n = entry["requests"]
    u, v = (Fraction(entry["c"]) * n).as_integer_ratio()
    numbers = textwrap.fill("; ".join(map(str, entry["steps"][1:])), 106)
    steps = textwrap.indent(numbers, "    ")
    return THEOREM.format(name=NAMES[n], n=n, u=u, v=v, d=entry["denominator"], steps=steps)


def table() -> str:
    """Return the text of SequencesTable.v."""
    entries = [e for e in json.loads(STEPS.read_text()) if e["requests"] in NAMES]
    above = [10**4 + 10**4 / Fraction(e["c"]) for e in entries]
    ratios = ", ".join(f"{int(ratio) / 10**4:.4f}" for ratio in above)
    return HEAD.format(ratios=f"at least {ratios}") + "".join(map(theorem, entries))


if __name__ == "__main__":
    TABLE.write_text(table())
