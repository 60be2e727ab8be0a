"""Certificates of one small instance by every rule, and ways to change them."""

from __future__ import annotations

import copy
import json
from typing import Any

from mutation import repaired

from claims import check
from kvopt import Instance
from reading import Refused

__all__ = [
    "AGGREGATE_STATE",
    "BATCH_STATE",
    "BLOCKS",
    "COARSE_BATCH_STATE",
    "DEMAND_DUALS",
    "DOMINANCE",
    "EVENT_ORDER",
    "PROPAGATION",
    "SOUND",
    "altered",
    "refusal",
    "repaired",
]

SOUND: dict[str, Any] = {
    "format": "kvopt-certificate/2",
    "instance": {
        "memory": 5,
        "requests": [{"prompt": 1, "output": 4, "count": 2}, {"prompt": 0, "output": 1}],
    },
    "instance_sha256": Instance.from_groups(5, [(1, 4, 2), (0, 1, 1)]).digest(),
    "lower_bound": 13,
    "upper_bound": 15,
    "starts": [1, 5, 0],
    "proof": {
        "rule": "linear-duals",
        "scale": 4,
        "tree": [
            {"split": [[1, 4, 3]], "at_most": 0},
            {"memory": [[1, 1], [4, 1]], "covers": [[1, 0, 1], [1, 3, 4]], "branch": [8]},
            {"memory": [[4, 2]], "covers": [[1, 3, 3]], "branch": [0]},
        ],
    },
}


def altered(path: tuple[Any, ...], value: Any, sound: dict[str, Any] = SOUND) -> str:
    content = copy.deepcopy(sound)
    inside: Any = content
    for key in path[:-1]:
        inside = inside[key]
    if value is None:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return json.dumps(content)


def refusal(data: str | bytes) -> str:
    """Why the checker refuses a text; empty if it does not."""
    try:
        check(data)
    except Refused as error:
        return str(error)
    return ""


AGGREGATE_STATE: dict[str, Any] = {
    **SOUND,
    "lower_bound": 11,
    "proof": {
        "rule": "aggregate-state",
        "scale": 2,
        "start": [[0, [-1, 0, 0, 0, 0]], [1, [-4, -2, 0, 0, 0]]],
        "duals": [[0, 1, 2], [1, 4, 13]],
        "covers": [[1, [0, 3, 0, 2, 0]], [2, [0, 0, 0, 0, 0]]],
        "second_moments": [0, 1, 0, 0, 0],
    },
}


PROPAGATION: dict[str, Any] = {
    **SOUND,
    "lower_bound": 11,
    "proof": {
        "rule": "propagation",
        "scale": 4,
        "horizon": 9,
        "cutoff": 15,
        "tree": [
            {
                "split": [[1, 4, 3]],
                "at_most": 0,
                "memory": [[4, 1]],
                "covers": [[1, 3, 4]],
                "branch": [],
            },
            {"memory": [[4, 1]], "covers": [[1, 3, 4]], "branch": [8]},
            {},
        ],
    },
}


DEMAND_DUALS: dict[str, Any] = {
    **SOUND,
    "lower_bound": 11,
    "proof": {"rule": "demand-duals", "scale": 1, "duals": [[0, 1, 2], [1, 4, 9]]},
}


BLOCKS: dict[str, Any] = {
    **SOUND,
    "lower_bound": 13,
    "proof": {
        "rule": "blocks",
        "scale": 2,
        "memory": [[3, 1], [4, 1]],
        "blocks": [[[0, 1, 2]], [[1, 4, 18]]],
    },
}


BATCH_STATE: dict[str, Any] = {
    **SOUND,
    "lower_bound": 13,
    "proof": {
        "rule": "batch-state",
        "scale": 2,
        "horizon": 9,
        "duals": [[0, 1, 4], [1, 4, 18]],
        "nodes": 100,
    },
}


COARSE_BATCH_STATE: dict[str, Any] = {
    **SOUND,
    "lower_bound": 12,
    "proof": {
        "rule": "coarse-batch-state",
        "grid": 3,
        "scale": 1,
        "duals": [[0, 1, 0, 1], [1, 4, 2, 3]],
    },
}


COARSE_AGGREGATE_STATE: dict[str, Any] = {
    **SOUND,
    "lower_bound": 12,
    "proof": {
        "rule": "coarse-aggregate-state",
        "grid": 3,
        "scale": 1,
        "duals": [[0, 1, 0, 0, 1], [1, 4, 2, 2, 3]],
        "starts": [[0, 0, 0], [2, -1, 1]],
    },
}


DOMINANCE: dict[str, Any] = {
    **SOUND,
    "lower_bound": 13,
    "proof": {
        "rule": "dominance",
        "scale": 1,
        "horizon": 12,
        "duals": [{"from": 0, "duals": [[0, 1, 0, 2], [1, 4, 0, 9]]}],
        "nodes": 100,
    },
}


EVENT_ORDER: dict[str, Any] = {
    **SOUND,
    "lower_bound": 13,
    "proof": {
        "rule": "event-order",
        "scale": 1,
        "tree": [
            {"start": [2, 3]},
            {"at": [1, 0]},
            {"rows": []},
            {"rows": [[4, "gap", 1, 0], [4, "memory", 0, 1], [1, "end", 2]]},
            {"rows": [[1, "gap", 0, 1]]},
            {"rows": [[1, "area", 4, 2]]},
        ],
    },
}
