"""Small changes of a proof, for a climb to larger bounds."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

from fuzzing.families import KEY, families_of, random_families
from fuzzing.knapsacks import KNAPSACKS, any_knapsack
from fuzzing.problems import Problem

__all__ = ["moved", "postponed"]

Proof = dict[str, Any]
Place = tuple[list[Any], int]


def dual_places(proof: Proof) -> list[Place]:
    """Return where the duals are: lists and indices."""
    found: list[Place] = []

    def last_of(rows: Any) -> None:
        found.extend((row, len(row) - 1) for row in rows)

    def all_of(row: Any) -> None:
        found.extend((row, i) for i in range(len(row)))

    for row in proof.get("duals", []):
        last_of(row["duals"] if isinstance(row, dict) else [row])
        found.extend((row, i) for i in range(2, len(row) - 1) if "grid" in proof)  # other variants
    for row in proof.get("starts", []):
        found.extend((row, i) for i in range(1, len(row)))
    for block in proof.get("blocks", []):
        last_of(block)
    last_of(proof.get("memory", []))
    for _, row in [*proof.get("start", []), *proof.get("covers", [])]:
        all_of(row)
    all_of(proof.get("second_moments", []))
    for node in proof.get("tree", []):
        last_of([*node.get("memory", []), *node.get("covers", [])])
        all_of(node.get("branch", []))
        found.extend((row, 0) for row in node.get("rows", []))
    for family in families_of(proof):
        last_of(family.get("duals", []) + family.get("knots", []))
    return found


def change_duals(proof: Proof, problem: Problem, rng: random.Random) -> None:
    """Add something to a dual, or to two with opposite signs, or put something wild."""
    places = dual_places(proof)
    if not places:
        return
    scale = proof.get("scale", 1)
    step = rng.choice([1, 1, 1, 2, max(1, scale // 2), scale, 2 * scale]) * rng.choice([1, -1])
    row, i = rng.choice(places)
    row[i] += step
    way = rng.random()
    if way < 0.3:
        row, i = rng.choice(places)
        row[i] += rng.choice([-step, step])
    elif way < 0.33:
        row[i] = rng.choice([0, -1, -row[i], 10 ** rng.randint(1, 3), 10**30])


def change_column(proof: Proof, problem: Problem, rng: random.Random) -> None:
    """Add something to neighbouring duals of one row of times."""
    rows = [row for _, row in [*proof.get("start", []), *proof.get("covers", [])]]
    rows += [proof["second_moments"]] if "second_moments" in proof else []
    if not any(rows):
        change_duals(proof, problem, rng)
        return
    row = rng.choice([row for row in rows if row])
    a = rng.randrange(len(row))
    step = rng.choice([1, -1, proof["scale"]])
    for i in range(a, min(len(row), a + rng.randint(1, 4))):
        row[i] += step


def refine(proof: Proof, problem: Problem, rng: random.Random) -> None:
    """Multiply the scale and all duals: nothing changes but how fine a step can be."""
    if "scale" not in proof or proof["scale"] > 10**6:
        return
    by = rng.choice([2, 3])
    proof["scale"] *= by
    for row, i in dual_places(proof):
        row[i] *= by


def rows_of(proof: Proof) -> Iterator[tuple[list[Any], int]]:
    """Yield tables of rows with a round or time, and where in a row it is."""
    if proof["rule"] == "blocks":
        yield proof["memory"], 0
    for node in proof.get("tree", []):
        if "memory" in node:
            yield node["memory"], 0
            yield node["covers"], 1
    for family in families_of(proof):
        yield family["knots" if "knots" in family else "duals"], 0


def shift_rows(proof: Proof, problem: Problem, rng: random.Random) -> None:
    """Move the rows of one table by a round, or all."""
    tables = list(rows_of(proof))
    by = rng.choice([1, -1])
    for table, at in tables if rng.random() < 0.3 else [rng.choice(tables)] if tables else []:
        for row in table:
            row[at] += by


def add_row(proof: Proof, problem: Problem, rng: random.Random) -> None:
    """Add or drop a row."""
    tables = list(rows_of(proof))
    if not tables:
        change_duals(proof, problem, rng)
        return
    table, at = rng.choice(tables)
    if table and rng.random() < 0.3:
        table.pop(rng.randrange(len(table)))
        return
    time, dual = rng.randint(1 - at, problem.rounds), rng.randint(1, max(1, 2 * proof["scale"]))
    new = [time, dual] if at == 0 else [rng.choice([1, 1, 2, 3]), time, dual]
    if new[:-1] not in [row[:-1] for row in table]:
        table.append(new)
        table.sort()


def change_horizon(proof: Proof, problem: Problem, rng: random.Random) -> None:
    """Make the horizon one longer or shorter, or the cutoff."""
    by = rng.choice([1, -1])
    if "second_moments" in proof:
        rows = [row for _, row in [*proof["start"], *proof["covers"]]]
        for row in [*rows, proof["second_moments"]]:
            if by > 0:
                row.append(0)
            elif row:
                row.pop()
    elif "cutoff" in proof and rng.random() < 0.5:
        proof["cutoff"] += by
    elif "horizon" in proof:
        proof["horizon"] += by
    elif "grid" in proof and rng.random() < 0.7:
        proof["grid"] += by
    elif "scale" in proof and rng.random() < 0.3:
        proof["scale"] += by


def change_split(proof: Proof, problem: Problem, rng: random.Random) -> None:
    """Move a split by one, in time or number."""
    splits = [node for node in proof.get("tree", []) if "split" in node]
    if not splits:
        change_duals(proof, problem, rng)
        return
    node = rng.choice(splits)
    by = rng.choice([1, -1])
    if rng.random() < 0.5:
        node["at_most"] += by
    else:
        rng.choice(node["split"])[2] += by


def change_family(proof: Proof, problem: Problem, rng: random.Random) -> None:
    """Change a height, step or limit, or all duals of families of rows, or add or drop such."""
    nodes = [node for node in proof.get("tree", []) if "memory" in node]
    if not nodes:
        change_duals(proof, problem, rng)
        return
    families = families_of(proof)
    if not families or rng.random() < 0.15:
        last = max(1, min(problem.rounds, proof.get("horizon", problem.rounds)))
        node, name = rng.choice(nodes), rng.choice([KEY, KNAPSACKS])
        more = random_families(problem, rng, proof["scale"], last)[:1]
        if name == KNAPSACKS:
            most = max(1, proof["scale"])
            more = [any_knapsack(problem.memory, problem.shapes, last, most, rng)]
        node[name] = [*node.get(name, []), *more] if rng.random() < 0.7 else more
        return
    family = rng.choice(families)
    key = "knots" if "knots" in family else "duals"
    way, by = rng.randrange(6), rng.choice([1, -1])
    if way < 4 and "steps" in family:
        change_knapsack(family, way, by, rng)
        return
    heights = family.get("heights", [])
    if way == 0:
        rng.choice(heights)[1] += by
    elif way == 1:
        rng.choice(heights)[0] += by
    elif way == 2:
        heights[-1][1] += by
    elif way == 3:  # a step more
        heights.insert(rng.randint(1, len(heights)), [rng.randint(1, 6), heights[0][1]])
        heights.sort()
    elif way == 4:
        for row in family[key]:
            row[1] += by
    elif len(family[key]) < 2:
        family["duals" if key == "knots" else "knots"] = family.pop(key)
    else:  # turn the line between two knots
        i = rng.randrange(1, len(family[key]))
        family[key][i][1] += by * (family[key][i][0] - family[key][i - 1][0])


def change_knapsack(family: dict[str, Any], way: int, by: int, rng: random.Random) -> None:
    """Change the limit of knapsack rows, a step or all steps of a type from one on, or drop one."""
    steps = family["steps"]
    if way == 0 or not steps:
        family["limit"] += by
        return
    i = rng.randrange(len(steps))
    if way == 1:
        steps[i][2] += by
    elif way == 2:
        later = [row for row in steps[i:] if row[:2] == steps[i][:2]]
        for row in later if rng.random() < 0.5 else later[:1]:
            row[3] += by
        family["limit"] += by * rng.randint(0, 1)
    else:
        steps.pop(i)
        family["limit"] = max(0, family["limit"] - rng.randint(0, 1))


def change_event_rows(proof: Proof, problem: Problem, rng: random.Random) -> None:
    """Change the numbers of a row or decision of event-order, or put another row."""
    nodes = proof["tree"]
    lists = [node[key] for node in nodes for key in ("at", "start") if key in node]
    places = [(row, i) for row in lists for i in range(2)]
    leaves = [node["rows"] for node in nodes if "rows" in node]
    rows = [row for some in leaves for row in some]
    places += [(row, i) for row in rows for i in range(2, len(row))] * 2
    way = rng.random()
    if way < 0.5 and places:
        row, i = rng.choice(places)
        row[i] += rng.choice([1, -1])
    elif way < 0.6 and rows:
        row = rng.choice(rows)
        row.insert(rng.randint(2, len(row)), rng.randrange(len(problem.requests)))
    elif way < 0.7 and rows:
        row = rng.choice(rows)
        if len(row) > 2:
            del row[rng.randrange(2, len(row))]
    elif leaves:
        some = rng.choice(leaves)
        if some and rng.random() < 0.3:
            some.pop(rng.randrange(len(some)))
        elif rows and rng.random() < 0.5:
            some.append(list(rng.choice(rows)))
        else:
            numbers = [rng.randrange(len(problem.requests)) for _ in range(rng.randint(1, 4))]
            kind = rng.choice(["gap", "gap", "end", "memory", "area"])
            some.append([rng.randint(1, max(1, proof["scale"])), kind, *numbers])


MOVES: tuple[tuple[Callable[[Proof, Problem, random.Random], None], int], ...] = (
    (change_duals, 12),
    (change_column, 4),
    (refine, 1),
    (shift_rows, 1),
    (add_row, 3),
    (change_horizon, 1),
    (change_split, 1),
)
WITH_FAMILIES = (*MOVES, (change_family, 8))
"""Where the rule knows families of rows."""

OF_EVENTS = ((change_duals, 12), (refine, 1), (change_horizon, 1), (change_event_rows, 12))
"""Those of event-order."""


def postponed(proof: Proof, rng: random.Random) -> Proof:
    """Return the same with a late row, of dual 0, in each leaf without families of rows.

    Rows are few then for their last time, and "linear-duals" looks at ends of pieces alone.
    """
    new = copy.deepcopy(proof)
    for node in new["tree"]:
        if "memory" in node and not node.keys() & {KEY, KNAPSACKS}:
            above = [len(one["split"]) for one in new["tree"] if "split" in one]
            number = len(node["memory"]) + len(node["covers"]) + sum(above)
            last = max([0, *(row[0] for row in node["memory"])])
            node["memory"].append([last + 60 + 40 * number + rng.randint(1, 9), 0])
    return new


def moved(proof: Proof, problem: Problem, rng: random.Random) -> Proof:
    """Return a copy with something changed."""
    new = copy.deepcopy(proof)
    known = MOVES if proof["rule"] not in ("linear-duals", "propagation") else WITH_FAMILIES
    known = OF_EVENTS if proof["rule"] == "event-order" else known
    moves, weights = zip(*known, strict=True)
    for move in rng.choices(moves, weights, k=rng.choice([1, 1, 2])):
        move(new, problem, rng)
    return new
