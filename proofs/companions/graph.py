"""Which statement needs which: drawn in README.md from one table.

    python proofs/companions/graph.py [--check]

The statements are the headings "Lemma N", "Theorem N" and "Corollary N" of the documents; what each
needs stands here.  Writes the diagram between the marks in README.md, or checks it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PROOFS = Path(__file__).parent.parent
README = PROOFS / "README.md"
HEADING = re.compile(r"^###? (Lemma|Theorem|Corollary) (\d+)(?: \((.*)\))?$", re.MULTILINE)
BLOCK = re.compile(r"(<!-- graph -->\n).*?(<!-- end graph -->)", re.DOTALL)

SHORT = {
    "model": "M",
    "pipeline": "P",
    "lower_bounds": "L",
    "state_search": "S",
    "aggregate_state": "W",
    "batch_state": "H",
    "coarse_batch_state": "I",
    "coarse_aggregate_state": "AA",
    "demand_duals": "V",
    "propagation": "T",
    "first_completion": "F",
    "knapsack_rows": "FF",
    "event_order": "J",
    "release_times": "A",
    "ratio_bounds": "R",
    "sharper_bounds": "B",
    "area_and_length": "D",
    "random_bounds": "E",
    "certified_slices": "C",
    "uniform_bound": "U",
    "geometric_slices": "G",
    "online_lower_bound": "O",
    "worst_cases": "X",
    "mixed_prompts": "Q",
    "area_batches": "Y",
    "mixed_non_clairvoyant": "N",
    "split_memory": "Z",
    "early_release": "K",
}
"""Documents, and the letters that name their statements in `NEEDS`."""

NEEDS = {
    "M1": "M0",
    "M2": "M1",
    "P2": "P1",
    "P3": "P2",
    "P4": "P2",
    "P5": "P1 P4",
    "L1": "M0",
    "L2": "M0",
    "W1": "M1 M3",
    "W2": "W1 M4",
    "W3": "W2",
    "W4": "W3",
    "W5": "W3 W4",
    "H1": "M0 M1",
    "H2": "H1",
    "H4": "H2 H3",
    "H5": "H3 H4",
    "I3": "I1",
    "I4": "M0 I2 I3",
    "I6": "I5",
    "AA1": "I1",
    "AA2": "AA1",
    "AA4": "AA2 AA3",
    "AA5": "M0 I2 AA4",
    "V1": "M0",
    "V3": "V1 V2",
    "V4": "V3",
    "V5": "V3",
    "V6": "V4 V5",
    "V7": "V4 V5",
    "T1": "M0",
    "T2": "T1",
    "T3": "T2",
    "T4": "M0 M4",
    "T5": "T3 T4",
    "F1": "M0",
    "F2": "F1",
    "F3": "F1 F2",
    "FF1": "M0",
    "FF3": "FF1 FF2 F4",
    "A1": "M0 M4 L2",
    "A2": "M0 M1",
    "A3": "M0",
    "A4": "A3 V1",
    "A5": "A2 A3 H4 H5 H6",
    "A6": "V3",
    "A7": "M4 F1 F3 FF1",
    "F4": "F3",
    "J2": "M0",
    "J3": "J1",
    "J7": "J1 J2 J3 J4 J5 J6",
    "R1": "P4",
    "R2": "R1 L1",
    "R3": "R1 L1",
    "R4": "R2 R3",
    "B1": "P1",
    "B2": "P2 B1",
    "B3": "P4 B1 B2",
    "B4": "P5 B2",
    "B5": "L2",
    "B6": "B5",
    "B11": "B3 B6 B7 B8 B9 B10",
    "B13": "B3 B4 B6 B7 B8 B12",
    "B14": "B3 B4 B6",
    "B15": "B10 B11 B13",
    "B16": "B11 B13 B14",
    "D2": "D1",
    "D3": "M0 D2",
    "D4": "B5 D3",
    "D5": "B13 B14 D4",
    "D6": "B11 B16 D4",
    "D7": "B1",
    "E1": "B11 B8",
    "E3": "B9",
    "E4": "B10",
    "E5": "E3 E4 B11",
    "E6": "E1 E2 E3 E4 B6 B11",
    "C1": "L2",
    "C3": "L2",
    "C6": "C1 C2 C4 C5 P1",
    "C7": "C1 C2 C3 B4",
    "C8": "C5",
    "C9": "C2 C4 C6 C8",
    "U1": "P2",
    "U2": "C3",
    "U3": "U1 U2 C2 C4 C5 C6",
    "U4": "U3",
    "G1": "B8 B9 E1",
    "G2": "G1 C1 C2 C8 B5 U2",
    "G3": "U1 B2",
    "G5": "G1 G2 G3 G4 U2",
    "G6": "G2 G3 G4 G5 U2",
    "K1": "N3",
    "K2": "K1",
    "K3": "K1",
    "K4": "K3",
    "K5": "K1 K2 K3 K4 G1 G2 G3 G4 G6",
    "K6": "K1 K3 K4 C1 C4 C6",
    "O3": "O1 O2",
    "O6": "O4 O5",
    "O7": "O3 O6",
    "O8": "O7",
    "O10": "O6 O8",
    "X4": "L2 M4",
    "X5": "X1 X2 X3 X4 B17 B18",
    "Q1": "L2",
    "Y2": "Y1",
    "Y4": "L1 L2",
    "Y5": "Y2 Y3 Y4",
    "N1": "L2",
    "N4": "N2 N3",
    "N5": "B10 N1 N2 N4",
    "N6": "N5",
    "N8": "N2 N7",
    "N9": "N1 N2 N8",
    "N10": "N4",
    "N12": "N10 N11",
    "N13": "N1 N10 N12",
    "N14": "N1 N4 N12",
    "N15": "N2 N8 N9",
    "Z1": "N2 N7",
    "Z2": "Z1 N1 N2",
}
"""What a statement needs, other than definitions."""


def statements() -> dict[str, tuple[str, str]]:
    """Return every statement: its key, document and title."""
    found = {}
    for document, letter in SHORT.items():
        text = (PROOFS / "text" / f"{document}.md").read_text()
        for kind, number, name in HEADING.findall(text):
            title = f"{kind} {number}" + (f": {name}" if name else "")
            found[f"{letter}{number}"] = (document, title)
    return found


def diagram() -> str:
    """Return the diagram in mermaid; documents are boxes, arrows lead to what needs something."""
    known = statements()
    lines = ["```mermaid", "flowchart LR"]
    for document, letter in SHORT.items():
        inside = [key for key, (where, _) in known.items() if where == document]
        if inside:
            lines.append(f'  subgraph {letter}["{document}"]')
            lines += [f'    {key}["{known[key][1]}"]' for key in inside]
            lines.append("  end")
    for key, needed in NEEDS.items():
        for other in needed.split():
            if key not in known or other not in known:
                raise KeyError(f"{key} needs {other}: one of them is in no document")
            lines.append(f"  {other} --> {key}")
    return "\n".join([*lines, "```"])


def main() -> None:
    old = README.read_text()
    new = BLOCK.sub(lambda match: f"{match[1]}{diagram()}\n{match[2]}", old)
    if sys.argv[1:] == ["--check"]:
        if new != old:
            sys.exit("proofs/README.md is not up to date: run proofs/companions/graph.py")
    elif not sys.argv[1:]:
        README.write_text(new)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
