"""Structural mutants of certificates: what a careless or a dishonest writer might hand in.

Numbers change, too, but mostly the order, the number and the belonging of things do.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from fuzzing.families import KEY, families_of
from fuzzing.knapsacks import KNAPSACKS
from fuzzing.truth import hash_of, repacked

__all__ = ["MUTATORS", "mutant", "with_hash"]

Content = dict[str, Any]
Others = Sequence[Content]
Mutator = Callable[[Content, random.Random, Others], None]


def parts_of(node: Any) -> int:
    """Return how many subtrees follow a node."""
    return 3 if "at" in node else 2 if "split" in node or "start" in node else 0


def subtree_end(nodes: list[Any], at: int) -> int:
    """Return where the subtree that begins at a node ends."""
    missing = 1
    while missing and at < len(nodes):
        missing += parts_of(nodes[at]) - 1
        at += 1
    return at


def tree_of(content: Content, rng: random.Random) -> list[Any] | None:
    tree = content["proof"].get("tree")
    return tree if isinstance(tree, list) and tree else None


def drop_node(content: Content, rng: random.Random, others: Others) -> None:
    if tree := tree_of(content, rng):
        tree.pop(rng.randrange(len(tree)))


def double_node(content: Content, rng: random.Random, others: Others) -> None:
    if tree := tree_of(content, rng):
        i = rng.randrange(len(tree))
        tree.insert(i, copy.deepcopy(tree[i]))


def swap_nodes(content: Content, rng: random.Random, others: Others) -> None:
    if tree := tree_of(content, rng):
        i, j = rng.randrange(len(tree)), rng.randrange(len(tree))
        tree[i], tree[j] = tree[j], tree[i]


def swap_subtrees(content: Content, rng: random.Random, others: Others) -> None:
    """Exchange the first two sides of a split."""
    tree = tree_of(content, rng)
    splits = [i for i, node in enumerate(tree or []) if parts_of(node)]
    if tree and splits:
        a = rng.choice(splits) + 1
        b = subtree_end(tree, a)
        c = subtree_end(tree, b)
        tree[a:c] = tree[b:c] + tree[a:b]


def cut_subtree(content: Content, rng: random.Random, others: Others) -> None:
    """Put one side of a split in the place of the split."""
    tree = tree_of(content, rng)
    splits = [i for i, node in enumerate(tree or []) if parts_of(node)]
    if tree and splits:
        i = rng.choice(splits)
        ends = [i + 1]
        for _ in range(parts_of(tree[i])):
            ends.append(subtree_end(tree, ends[-1]))
        kept = rng.randrange(1, len(ends))
        tree[i : ends[-1]] = tree[ends[kept - 1] : ends[kept]]
        for node in tree[i : i + 1]:
            if "branch" in node:
                node["branch"] = node["branch"][:-1]


def splice_tree(content: Content, rng: random.Random, others: Others) -> None:
    """Take a leaf or a whole tree of another certificate."""
    found = [other["proof"]["tree"] for other in others if "tree" in other["proof"]]
    if (tree := tree_of(content, rng)) and found:
        foreign = copy.deepcopy(rng.choice(found))
        if rng.random() < 0.3:
            content["proof"]["tree"] = foreign
        else:
            tree[rng.randrange(len(tree))] = rng.choice(foreign)


def change_families(content: Content, rng: random.Random, others: Others) -> None:
    """Break families of rows: their heights or steps, their knots, or where they are."""
    families = families_of(content["proof"])
    tree = content["proof"].get("tree", [])
    if not families:
        found = [family for other in others for family in families_of(other["proof"])]
        node = rng.choice(tree)  # a split of linear-duals must not have any
        some = copy.deepcopy(rng.choice(found))
        node[KNAPSACKS if "steps" in some else KEY] = [some] * rng.randint(1, 2)
        return
    one = rng.choice(families)
    key = "knots" if "knots" in one else "duals"
    way = rng.randrange(9)
    if "steps" in one and way in (0, 1, 6):
        break_steps(one, rng)
        return
    heights = one.get("heights", [])
    if way == 0:  # below the last one
        rng.choice(heights)[1] = max(0, heights[-1][1] - 1)
        if len(heights) == 1:
            heights.append([1, heights[0][1] + 1])
    elif way == 1:  # not from 0 on
        heights[0][0] += 1
        if len(heights) > 1 and rng.random() < 0.5:
            heights.pop(0)
    elif way == 2:  # fractions between knots, perhaps
        one["knots"] = one.pop(key)
    elif way == 3:
        one["duals"] = one.pop(key)
    elif way == 4:
        one["duals"] = one["knots"] = one[key]
    elif way == 5 and len(one[key]) > 2:
        one[key].pop(1)
    elif way == 6:
        heights[:] = [[0, heights[-1][1]]] if rng.random() < 0.5 else heights[::-1]
    elif way == 7:
        name = KNAPSACKS if "steps" in one else KEY
        node = rng.choice([node for node in tree if node.get(name)])
        change = [[], [*node[name], *copy.deepcopy(node[name])], node[name][:-1], {}, None]
        node[rng.choice([KEY, KNAPSACKS, name, name, name])] = rng.choice(change)
    else:
        one[key][-1][0] += rng.choice([1, 30])


def break_steps(one: dict[str, Any], rng: random.Random) -> None:
    """Break knapsack rows: a limit that is too small, steps of no type, of no round, that fall."""
    steps = one["steps"]
    way = rng.randrange(6) if steps else 0
    if way == 0:
        one["limit"] = rng.choice([one["limit"] - 1, 0, 10**6, 10**6 + 1, -1, None])
        return
    row = rng.choice(steps)
    if way == 1:  # before its first round, after its last, or of another type
        row[2] = rng.choice([0, row[1], row[1] + 1])
    elif way == 2:
        row[rng.randrange(2)] += rng.choice([1, -1])
    elif way == 3:
        row[3] = rng.choice([0, 1, 10**30, steps[0][3]])
    elif way == 4:
        steps.insert(rng.randrange(len(steps)), list(row))
    else:
        steps.reverse()


def splice_proof(content: Content, rng: random.Random, others: Others) -> None:
    """Take the proof of another certificate, its types renamed in their order if that fits."""
    other = rng.choice(others)
    proof = copy.deepcopy(other["proof"])
    here, there = types_of(content), types_of(other)
    if len(here) >= len(there):
        names = dict(zip(there, here, strict=False))
        for row in rows_of(proof):
            if len(row) == 3 and (kind := (row[0], row[1])) in names:
                row[:2] = names[kind]
    content["proof"] = proof


def types_of(content: Content) -> list[tuple[int, int]]:
    return sorted({(one["prompt"], one["output"]) for one in content["instance"]["requests"]})


def rows_of(value: Any) -> list[list[Any]]:
    """Return all lists of numbers inside a value."""
    found = []
    if isinstance(value, list) and value and all(type(x) is int for x in value):
        found.append(value)
    for one in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        found += rows_of(one)
    return found


def change_number(content: Content, rng: random.Random, others: Others) -> None:
    """Change a number of the proof: by one, its sign, to nothing or to much."""
    if rows := rows_of(content["proof"]):
        row = rng.choice(rows)
        i = rng.randrange(len(row))
        change = [row[i] + 1, row[i] - 1, -row[i], 0, 2 * row[i], 10**20]
        row[i] = rng.choice(change[:2] * 3 + change[2:])


def shift_rows(content: Content, rng: random.Random, others: Others) -> None:
    """Add one to the same place of all rows of a table, or of a series."""
    by = rng.choice([1, -1])
    rows = rows_of(content["proof"])
    if rows:
        width = len(rng.choice(rows))
        at = rng.randrange(width)
        for row in rows:
            if len(row) == width:
                row[at] += by


def rotate_row(content: Content, rng: random.Random, others: Others) -> None:
    """Move a series by a time."""
    if rows := [row for row in rows_of(content["proof"]) if len(row) > 3]:
        row = rng.choice(rows)
        row[:] = row[1:] + row[:1] if rng.random() < 0.5 else row[-1:] + row[:-1]


def lists_of(value: Any) -> list[list[Any]]:
    found = [value] if isinstance(value, list) else []
    for one in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        found += lists_of(one)
    return found


def change_list(content: Content, rng: random.Random, others: Others) -> None:
    """Empty, reverse, double, shorten or lengthen a list."""
    lists = lists_of(content["proof"])
    if not lists:
        return
    row = rng.choice(lists)
    way = rng.randrange(6)
    if way == 0:
        row.clear()
    elif way == 1:
        row.reverse()
    elif row and way == 2:
        row.append(copy.deepcopy(rng.choice(row)))
    elif row and way == 3:
        row.pop()
    elif row and way == 4:
        row.pop(0)
    else:
        row.insert(0, copy.deepcopy(row[0]) if row else 0)


def change_parameter(content: Content, rng: random.Random, others: Others) -> None:
    """Change a number or word that stands alone in the proof."""
    proof = content["proof"]
    keys = [key for key in proof if type(proof[key]) in (int, str) and key != "rule"]
    if keys:
        key = rng.choice(keys)
        value = proof[key]
        if type(value) is int:
            proof[key] = rng.choice([value + 1, value - 1, 2 * value, value // 2, 0, value * 1000])
        else:
            proof[key] = rng.choice(["memory", "slots", ""])


def change_keys(content: Content, rng: random.Random, others: Others) -> None:
    """Drop, add, rename or move a key somewhere."""
    requests = content["instance"]["requests"]
    kinds = [[content], [content["instance"]], [content["proof"]], requests]
    kinds += [content["proof"]["tree"]] * 2 if "tree" in content["proof"] else []
    place = rng.choice(rng.choice(kinds))
    way = rng.randrange(3)
    if place and way == 0:
        place.pop(rng.choice(list(place)))
    elif place and way == 1:
        place[rng.choice(list(place)) + "s"] = 0
    else:
        foreign = rng.choice(others)
        for source in (foreign["proof"], foreign["instance"], foreign):
            key = rng.choice(list(source))
            place.setdefault(key, copy.deepcopy(source[key]))


def change_kind(content: Content, rng: random.Random, others: Others) -> None:
    """Put something that is no integer in the place of a number, or no text, no list."""
    if rows := rows_of(content):
        row = rng.choice(rows)
        i = rng.randrange(len(row))
        row[i] = rng.choice([float(row[i]), bool(row[i] % 2), str(row[i]), None, [row[i]]])


def change_word(content: Content, rng: random.Random, others: Others) -> None:
    """Change the kind of a number or text that stands alone."""
    places = [content, content["instance"], content["proof"], *content["instance"]["requests"]]
    place = rng.choice(places)
    key = rng.choice(list(place))
    value = place[key]
    if type(value) is int:
        place[key] = rng.choice([float(value), value == 1, str(value), -value, None, [value]])
    elif type(value) is str:
        place[key] = rng.choice([value + " ", value.upper(), value[:-1], 0, None])


def degenerate(content: Content, rng: random.Random, others: Others) -> None:
    """Let duals be 0, series empty, or a scale, horizon or cutoff 0."""
    proof = content["proof"]
    keys = [key for key in ("scale", "horizon", "cutoff", "nodes", "states") if key in proof]
    if rng.random() < 0.7:
        for row in rows_of(proof):
            row[-1] = 0
    if keys and rng.random() < 0.7:
        proof[rng.choice(keys)] = rng.choice([0, 0, -1])
    elif "second_moments" in proof:
        for _, row in [*proof["start"], *proof["covers"]]:
            row.clear()
        proof["second_moments"] = []
    content["lower_bound"] = 0


def change_place(content: Content, rng: random.Random, others: Others) -> None:
    """Put something of another kind in any place."""
    place, key = content, rng.choice(list(content))
    while isinstance(inner := place[key], dict | list) and inner and rng.random() < 0.8:
        place = inner
        key = rng.choice(list(inner)) if isinstance(inner, dict) else rng.randrange(len(inner))
    place[key] = rng.choice([None, True, 0, -1, "", "memory", [], [0], {}, {"rule": "blocks"}])


def exchange_rule(content: Content, rng: random.Random, others: Others) -> None:
    content["proof"]["rule"] = rng.choice(others)["proof"]["rule"]


def raise_claim(content: Content, rng: random.Random, others: Others) -> None:
    low, high = content["lower_bound"], content.get("upper_bound")
    content["lower_bound"] = low + rng.choice([1, 1, 1, 2, max(1, low // 10)])
    if high is not None and rng.random() < 0.5:
        del content["upper_bound"], content["starts"]
    elif high is not None and rng.random() < 0.3:
        content["lower_bound"] = high


def change_claim(content: Content, rng: random.Random, others: Others) -> None:
    key = rng.choice(["upper_bound", "upper_bound", "lower_bound", "starts"])
    if key not in content:
        return
    if key == "starts" or rng.random() < 0.2:
        del content[key]
    else:
        content[key] += rng.choice([1, -1])


def move_starts(content: Content, rng: random.Random, others: Others) -> None:
    """Move starts, and say what they cost then, or not."""
    if not content.get("starts"):
        return
    starts = content["starts"]
    for _ in range(rng.choice([1, 1, 2])):
        i, j = rng.randrange(len(starts)), rng.randrange(len(starts))
        way = rng.randrange(5)
        by = rng.choice([1, -1, -1])
        if way < 3:
            starts[i] += by
            content["upper_bound"] += by * (rng.random() < 0.8)
        elif way == 3:
            starts[i], starts[j] = starts[j], starts[i]
        else:
            starts.pop(i) if rng.random() < 0.5 else starts.insert(i, starts[j])
            break


def change_instance(content: Content, rng: random.Random, others: Others) -> None:
    """Change a request, their order or number, or the memory."""
    requests = content["instance"]["requests"]
    one = rng.choice(requests) if requests else {}
    way = rng.randrange(9)
    if way == 0:
        content["instance"]["memory"] += rng.choice([1, -1])
    elif way == 1:
        requests.append(copy.deepcopy(one))
    elif way == 2 and requests:
        requests.pop(rng.randrange(len(requests)))
    elif way == 3:
        rng.shuffle(requests)
    elif way == 4:
        one["count"] = one.get("count", 1) + rng.choice([1, -1])
    elif way == 5:
        one["release"] = 0
    elif one:
        key = rng.choice(["output", "prompt"])
        one[key] += rng.choice([1, -1])


def too_large(content: Content, rng: random.Random, others: Others) -> None:
    """Let a request not fit, or only its first round."""
    one = rng.choice(content["instance"]["requests"])
    memory = content["instance"]["memory"]
    if rng.random() < 0.7:
        one["output"] = memory - one["prompt"] + rng.choice([1, 1, 2])
    else:
        one["prompt"] = memory - rng.choice([0, 0, 1])
    content.pop("starts", None)
    content.pop("upper_bound", None)


def release_later(content: Content, rng: random.Random, others: Others) -> None:
    """Let a request be released later, and its start not before."""
    requests = content["instance"]["requests"]
    i = rng.randrange(len(requests))
    requests[i]["release"] = by = rng.choice([1, 1, 3])
    if rng.random() < 0.8:
        content["instance"].pop("format", None)
    if rng.random() < 0.6:
        content.pop("starts", None)
        content.pop("upper_bound", None)
    elif "starts" in content:
        content["starts"] = [start + by for start in content["starts"]]
        content["upper_bound"] += by * len(content["starts"]) - by * requests[i].get("count", 1)


def change_release(content: Content, rng: random.Random, others: Others) -> None:
    """Move a release by a round, or exchange two; duals that name it go along, or do not.

    Or let it be none, or the format be one for instances without releases, or with them.
    """
    requests = content["instance"]["requests"]
    if rng.random() < 0.3:
        content["instance"]["format"] = rng.choice(["kvopt-instance/1", "kvopt-instance/2"])
        return
    if rng.random() < 0.2:
        rng.choice(requests)["release"] = rng.choice([None, False, "", 0.0, -1])
        return
    late = [one for one in requests if one.get("release")]
    if not late:
        return
    one = rng.choice(late)
    before = one["release"]
    if rng.random() < 0.3:
        other = rng.choice(requests)
        one["release"], other["release"] = other.get("release", 0), before
    else:
        one["release"] += rng.choice([1, -1])
    duals = content["proof"].get("duals", [])
    if rng.random() < 0.6:
        sets = content["proof"]["rule"] == "dominance"
        for rows in [some["duals"] for some in duals] if sets else [duals]:
            for row in rows:
                if row[:3] == [one["prompt"], one["output"], before]:
                    row[2] = one["release"]
            rows.sort()


def refit(content: Content, rng: random.Random, others: Others) -> None:
    """Change the instance, pack its starts again, and claim what they cost."""
    change_instance(content, rng, others)
    try:
        requests = requests_of(content)
        shapes, releases = [(s, o) for s, o, _ in requests], [a for _, _, a in requests]
        old = content.get("starts", [])
        order = sorted(range(len(shapes)), key=lambda i: old[i] if i < len(old) else 0)
        memory = content["instance"]["memory"]
        if len(shapes) <= 600 and shapes and all(sum(shape) <= memory for shape in shapes):
            starts = [0] * len(shapes)
            for i, end in zip(order, repacked(memory, shapes, order, releases), strict=True):
                starts[i] = end - shapes[i][1]
            content["starts"] = starts
            content["upper_bound"] = sum(starts) + sum(o - a for _, o, a in requests)
    except (KeyError, TypeError, AttributeError):
        return


def requests_of(content: Content) -> list[tuple[int, int, int]]:
    """Return prompt, output and release of each request."""
    return [
        (one["prompt"], one["output"], one.get("release", 0))
        for one in content["instance"]["requests"]
        for _ in range(one.get("count", 1))
    ]


def with_hash(content: Content) -> Content:
    """Return the same with the right hash, if it has one."""
    try:
        right = hash_of(content["instance"]["memory"], requests_of(content))
        return {**content, "instance_sha256": right}
    except (KeyError, TypeError, AttributeError):
        return content


def keep(content: Content, rng: random.Random, others: Others) -> None:
    """Change nothing."""


MUTATORS: tuple[tuple[Mutator, int], ...] = (
    (drop_node, 2),
    (double_node, 1),
    (swap_nodes, 1),
    (swap_subtrees, 2),
    (cut_subtree, 2),
    (splice_tree, 1),
    (change_families, 3),
    (splice_proof, 3),
    (change_number, 8),
    (shift_rows, 2),
    (rotate_row, 1),
    (change_list, 3),
    (change_parameter, 3),
    (change_keys, 3),
    (change_kind, 2),
    (change_word, 2),
    (change_place, 3),
    (degenerate, 2),
    (exchange_rule, 1),
    (raise_claim, 3),
    (change_claim, 2),
    (move_starts, 5),
    (change_instance, 3),
    (refit, 3),
    (release_later, 2),
    (change_release, 3),
    (too_large, 1),
    (keep, 1),
)


def mutant(content: Content, rng: random.Random, others: Others) -> str:
    """Return the text of a mutant, with the right hash for most."""
    new = copy.deepcopy(content)
    mutators, weights = zip(*MUTATORS, strict=True)
    for mutate in rng.choices(mutators, weights, k=rng.choice([1, 1, 1, 2, 3])):
        try:
            mutate(new, rng, others)
        except (KeyError, TypeError, IndexError, ValueError, AttributeError):
            continue  # an earlier change has left nothing to work on
    if rng.random() < 0.3 and type(new.get("lower_bound")) is int:
        new["lower_bound"] = rng.choice([0, 1, new["lower_bound"] // 2])  # is the rest refused?
    if rng.random() < 0.9:
        new = with_hash(new)
    text = json.dumps(new)
    if rng.random() < 0.03:  # a key twice, the second time with another value
        key = rng.choice(["lower_bound", "scale", "memory", "prompt", "rule"])
        text = text.replace(f'"{key}":', f'"{key}": 0, "{key}":', 1)
    return text
