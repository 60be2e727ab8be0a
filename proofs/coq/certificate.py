"""Turn a certificate into a theorem for Coq.

    make -C proofs/coq
    python proofs/coq/certificate.py FILE > Bound.v
    coqc -Q proofs/coq Kvopt Bound.v

Coq then runs the checker that is proved to be right (PathCheck.v, Prices.v), takes the
result as a proof that every schedule costs at least the lower bound of the file, and prints
what the theorem rests on.  For certificates with the rules "aggregate-state" and
"linear-duals".  Nothing is proved here: what is printed is a theorem, or Coq refuses it.

The file goes through the stand-alone checker first, proofs/checker; what that refuses is not
written.  What comes from the file are integers only, each looked at once more before it is
written: no name, comment or path of it appears.  The numbers stand in a module of their own, and
the theorem names everything of Kvopt in full, so that no definition can stand in for another.

Exit code 0: a theorem was written; 1: the file is refused; 2: there is no such file, or it is
called wrongly.  Whatever is refused is said in one line on standard error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CHECKER = Path(__file__).resolve().parent.parent / "checker"
FORMAT = "kvopt-certificate/2"
LARGEST = 10**40  # as in the checker
HEAD = """From Coq Require Import ZArith List Permutation.
From Kvopt Require Model Prices PathCheck.
Import ListNotations.
Open Scope Z_scope.
"""


def number(value: Any, place: str) -> int:
    """Return an integer; anything else ends the program."""
    if type(value) is not int:
        raise SystemExit(f"{place}: must be an integer, got {ascii(value)[:80]}")
    if abs(value) > LARGEST:
        raise SystemExit(f"{place}: must have at most 40 digits")
    return value


def field(value: Any, key: str, place: str) -> Any:
    """Return what an object has under a key; ends the program if it is not there."""
    if not isinstance(value, dict) or key not in value:
        raise SystemExit(f"{place}: must be an object with {key!r}, got {ascii(value)[:80]}")
    return value[key]


def entries(value: Any, length: int, place: str) -> list[Any]:
    """Return a list of lists of a length."""
    if not all(isinstance(entry, list) and len(entry) == length for entry in several(value, place)):
        raise SystemExit(f"{place}: must be a list of lists of {length}")
    return value


def several(value: Any, place: str) -> list[Any]:
    """Return a list; anything else ends the program."""
    if not isinstance(value, list):
        raise SystemExit(f"{place}: must be a list, got {ascii(value)[:80]}")
    return value


def listed(items: Iterable[str]) -> str:
    """Return a list as Coq writes it."""
    return "[" + "; ".join(f"({item})" for item in items) + "]"


def integers(value: Any, place: str) -> str:
    """Return a list of integers as Coq writes it."""
    return listed(str(number(item, place)) for item in several(value, place))


def request(prompt: Any, output: Any, place: str) -> str:
    """Return a request as Coq writes it."""
    return f"Kvopt.Model.Request {number(prompt, place)} {number(output, place)}"


def with_number(rows: Any, place: str) -> str:
    """Return a list of requests with a number each, given as [prompt, output, number]."""
    return listed(
        f"{request(s, o, place)}, {number(x, place)}" for s, o, x in entries(rows, 3, place)
    )


def types_of(instance: Any) -> str:
    """Return the types of an instance with their numbers."""
    counts: Counter[tuple[int, int]] = Counter()
    for entry in several(field(instance, "requests", "instance"), "instance.requests"):
        place = "instance.requests"
        prompt = number(field(entry, "prompt", place), f"{place}.prompt")
        output = number(field(entry, "output", place), f"{place}.output")
        if number(entry.get("release", 0), f"{place}.release") != 0:
            raise SystemExit(f"{place}.release: nothing is proved for releases after time 0")
        counts[prompt, output] += number(entry.get("count", 1), f"{place}.count")
    return with_number([[s, o, n] for (s, o), n in sorted(counts.items())], "instance.requests")


def path_proof(proof: Any) -> str:
    """Return the proof part of a certificate with the rule "aggregate-state"."""
    starts = []
    for s, row in entries(field(proof, "start", "proof"), 2, "proof.start"):
        starts.append(f"{number(s, 'proof.start')}, {integers(row, 'proof.start')}")
    covers = []
    for m, row in entries(field(proof, "covers", "proof"), 2, "proof.covers"):
        level = number(m, "proof.covers")
        for u, dual in enumerate(several(row, "proof.covers")):
            covers.append(f"{level}, {u}, {number(dual, 'proof.covers')}")
    scale = number(field(proof, "scale", "proof"), "proof.scale")
    duals = with_number(field(proof, "duals", "proof"), "proof.duals")
    moments = integers(field(proof, "second_moments", "proof"), "proof.second_moments")
    return (
        f"Kvopt.PathCheck.PathProof ({scale}) {listed(starts)} {duals} {listed(covers)} {moments}"
    )


def dual_tree(nodes: Any) -> str:
    """Return a tree of duals, given in preorder."""
    rest = iter(several(nodes, "proof.tree"))
    place = "proof.tree"
    written = []
    to_write: list[str | None] = [None]  # None is for a subtree
    while to_write:
        if (text := to_write.pop()) is not None:
            written.append(text)
            continue
        node = next(rest, None)
        if isinstance(node, dict) and "split" in node:
            split = with_number(node["split"], f"{place}.split")
            most = number(field(node, "at_most", place), f"{place}.at_most")
            written.append(f"Kvopt.Prices.Split {split} ({most}) (")
            to_write += [")", None, ") (", None]
        else:
            written.append(leaf(node, place))
    if next(rest, rest) is not rest:
        raise SystemExit("proof.tree: goes on after its end")
    return "".join(written)


def leaf(node: Any, place: str) -> str:
    """Return a leaf of a tree of duals."""
    if isinstance(node, dict) and "first_completion" in node:
        raise SystemExit(f"{place}: first-completion rows are known to kvopt-verified only")
    if isinstance(node, dict) and "knapsacks" in node:
        raise SystemExit(f"{place}: knapsack rows are known to the checker in Python only")
    memory = listed(
        f"{number(r, place)}, {number(p, place)}"
        for r, p in entries(field(node, "memory", place), 2, place)
    )
    covers = listed(
        f"{number(m, place)}, {number(u, place)}, {number(p, place)}"
        for m, u, p in entries(field(node, "covers", place), 3, place)
    )
    branch = integers(field(node, "branch", place), place)
    return f"Kvopt.Prices.Leaf {memory} {covers} {branch}"


def theorem(certificate: Any) -> str:
    """Return the Coq file of a certificate."""
    if field(certificate, "format", "certificate") != FORMAT:
        raise SystemExit(f"format: must be {FORMAT!r}, got {ascii(certificate['format'])[:80]}")
    instance = field(certificate, "instance", "certificate")
    memory = number(field(instance, "memory", "instance"), "instance.memory")
    low = number(field(certificate, "lower_bound", "certificate"), "lower_bound")
    proof = field(certificate, "proof", "certificate")
    rule = field(proof, "rule", "proof")
    if rule == "aggregate-state":
        arguments, given, module, name = "Given.M", path_proof(proof), "PathCheck", "paths"
    elif rule == "linear-duals":
        scale = number(field(proof, "scale", "proof"), "proof.scale")
        arguments, module, name = f"Given.M ({scale})", "Prices", "prices"
        given = dual_tree(field(proof, "tree", "proof"))
    else:
        known = "must be aggregate-state or linear-duals"
        raise SystemExit(f"proof.rule: {known}, got {ascii(rule)[:80]}")
    arguments = f"{arguments} Given.types"
    checked = f"Kvopt.{module}.{name}_bound {arguments} Given.given"
    return f"""{HEAD}
Module Given.
Definition M : Z := ({memory}).
Definition types : list (Kvopt.Model.request * Z) := {types_of(instance)}.
Definition given := {given}.
End Given.

Lemma checked : match {checked} with Some b => ({low}) <=? b | None => false end = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

Theorem lower_bound requests l :
  Coq.Sorting.Permutation.Permutation requests (Kvopt.Prices.expand Given.types) ->
  Kvopt.Model.schedule Given.M requests l -> ({low}) <= Kvopt.Model.cost l.
Proof.
  intros Hrequests Hl. pose proof checked as H.
  destruct ({checked}) as [b|] eqn:E; [|discriminate H].
  apply Z.leb_le in H. apply (Z.le_trans _ b); [exact H|].
  exact (Kvopt.{module}.{name}_sound {arguments} Given.given b requests l E Hrequests Hl).
Qed.

Print Assumptions lower_bound.
"""


def accepted(data: bytes) -> Any:
    """Return the content of a file that the stand-alone checker accepts; ends if it does not."""
    command = [sys.executable, "-I", "-S", "-B", str(CHECKER), "--json", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    try:
        verdict = json.loads(done.stdout)
    except ValueError:
        raise SystemExit("the checker of certificates cannot be run, or failed") from None
    if done.returncode != 0 or verdict["holds"] is not True:
        raise SystemExit(verdict["reason"] or "the checker of certificates failed")
    return json.loads(data)


def main(arguments: list[str]) -> int:
    """Write the theorem of a certificate."""
    if len(arguments) != 1:
        print("usage: python certificate.py FILE > Bound.v", file=sys.stderr)
        return 2
    name = ascii(arguments[0])[1:-1][:200]
    try:
        data = Path(arguments[0]).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file can have this name"
        print(f"{name}: cannot be read: {reason}", file=sys.stderr)
        return 2
    try:
        text = theorem(accepted(data))
    except SystemExit as refused:
        print(f"{name}: {refused}", file=sys.stderr)
        return 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
