"""Turn a certificate into a theorem for Coq.

    make -C proofs/coq
    python proofs/coq/certificate.py FILE > Bound.v
    coqc -Q proofs/coq Kvopt Bound.v

Coq then runs the checker that is proved to be right (PathCheck.v, Prices.v), takes the
result as a proof that every schedule costs at least the lower bound of the file, and prints
what the theorem rests on.  For certificates with the rules "paths" and "prices".  Nothing is
checked here: what is printed is a theorem, or Coq refuses it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

HEAD = """From Coq Require Import ZArith List Permutation.
From Kvopt Require Import Model Prices PathCheck.
Import ListNotations.
Open Scope Z_scope.
"""


def listed(items: Iterable[object]) -> str:
    """Return a list as Coq writes it."""
    return "[" + "; ".join(f"({item})" for item in items) + "]"


def types_of(instance: dict[str, Any]) -> str:
    """Return the types of an instance with their numbers."""
    counts: Counter[tuple[int, int]] = Counter()
    for entry in instance["requests"]:
        counts[entry["prompt"], entry["output"]] += entry.get("count", 1)
    return listed(f"Request {s} {o}, {n}" for (s, o), n in sorted(counts.items()))


def path_proof(proof: dict[str, Any]) -> str:
    """Return the proof part of a certificate by paths."""
    starts = listed(f"{s}, {listed(row)}" for s, row in proof["start"])
    worth = listed(f"Request {s} {o}, {w}" for s, o, w in proof["worth"])
    stairs = listed(f"{m}, {u}, {p}" for m, row in proof["staircase"] for u, p in enumerate(row))
    return f"PathProof {proof['scale']} {starts} {worth} {stairs} {listed(proof['moments'])}"


def price_tree(nodes: list[dict[str, Any]]) -> str:
    """Return a tree of prices, given in preorder."""
    left = iter(nodes)

    def subtree() -> str:
        node = next(left)
        if "split" in node:
            split = listed(f"Request {s} {o}, {u}" for s, o, u in node["split"])
            return f"Split {split} {node['at_most']} ({subtree()}) ({subtree()})"
        memory = listed(f"{r}, {p}" for r, p in node["memory"])
        stairs = listed(f"{m}, {u}, {p}" for m, u, p in node["staircase"])
        return f"Leaf {memory} {stairs} {listed(node['branch'])}"

    return subtree()


def theorem(certificate: dict[str, Any]) -> str:
    """Return the Coq file of a certificate."""
    instance, low, proof = (certificate[key] for key in ("instance", "lower_bound", "proof"))
    if proof["rule"] == "paths":
        checked, sound, given = "paths_bound M types given", "paths_sound", path_proof(proof)
    elif proof["rule"] == "prices":
        checked, sound = f"prices_bound M {proof['scale']} types given", "prices_sound"
        given = price_tree(proof["tree"])
    else:
        raise SystemExit(f"proof.rule: must be paths or prices, got {proof['rule']!r}")
    arguments = checked.split(" ", 1)[1].rsplit(" ", 1)[0]
    return f"""{HEAD}
Definition M := {instance["memory"]}.
Definition types := {types_of(instance)}.
Definition given := {given}.

Lemma checked : match {checked} with Some b => {low} <=? b | None => false end = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

Theorem lower_bound requests l :
  Permutation requests (expand types) -> schedule M requests l -> {low} <= cost l.
Proof.
  intros Hrequests Hl. pose proof checked as H.
  destruct ({checked}) as [b|] eqn:E; [|discriminate H].
  apply Z.leb_le in H. apply (Z.le_trans _ b); [exact H|].
  exact ({sound} {arguments} given b requests l E Hrequests Hl).
Qed.

Print Assumptions lower_bound.
"""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python certificate.py FILE > Bound.v")
    with open(sys.argv[1], "rb") as file:
        print(theorem(json.load(file)), end="")
