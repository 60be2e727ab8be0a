"""Build the curated instances in instances/, or check that they are up to date.

python scripts/build_instances.py [--check]
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kvopt.generate import generate_random, identical, slice_boundary, two_point
from kvopt.model.files import write_instance
from kvopt.model.instance import Instance
from kvopt.theory.quadratic import parse_exact

FOLDER = Path(__file__).parent.parent / "instances"


def named(instance: Instance, name: str, comment: str, source: str = "") -> Instance:
    """Return an instance with another name, comment and source."""
    return Instance(
        instance.memory,
        instance.prompts,
        instance.outputs,
        name,
        comment,
        source or instance.source,
    )


def curated() -> Iterator[Instance]:
    """Yield every curated instance, with a comment that says why it is there."""
    yield two_point()
    yield from generated()
    yield from counterexamples()
    yield from boundaries()
    yield chat()


def generated() -> Iterator[Instance]:
    """Yield identical requests, and one or two of each random family."""
    yield named(
        identical(memory=40, prompt=2, output=9, count=10),
        "identical-10",
        "identical requests, optimum provable: the staggered pipeline is within 2 of it",
    )
    yield named(
        identical(memory=100, prompt=5, output=20, count=50),
        "identical-50",
        "identical requests: too many for the other solvers, proved by pricing completions",
    )
    yield named(
        generate_random("tiny", 1, 5),
        "tiny",
        "random, every exact solver can do it",
    )
    yield named(
        generate_random("small", 1, 0),
        "small-common",
        "random with a common prompt, two exact solvers can do it",
    )
    yield named(
        generate_random("small", 1, 1),
        "small-mixed",
        "random with mixed prompts: optima exist, but no theorem covers the ratios",
    )
    yield named(
        generate_random("long", 1, 1),
        "long-4",
        "few requests with long outputs: many rounds, solved by the integer program",
    )
    yield named(
        generate_random("model1", 1, 0),
        "model1",
        "the synthetic setting of arXiv 2502.07115: open, a bracket",
    )


def counterexamples() -> Iterator[Instance]:
    """Yield instances that refute plausible rules about optimal schedules."""
    yield Instance.from_groups(
        7,
        [(1, 2, 2), (1, 4, 2)],
        "no-maximal-start",
        "optimum 6 + 12, but starting as many as fit whenever something fits gives at least 7",
    )
    yield Instance.from_groups(
        8,
        [(2, 1, 1), (2, 2, 1), (2, 4, 3)],
        "shortest-later",
        "in no optimal schedule does the shortest request start at time 0",
    )


def boundaries() -> Iterator[Instance]:
    """Yield outputs just above the slices of GSA and the class ends of GBA."""
    yield named(
        slice_boundary(parse_exact("2"), memory=23, counts=[2, 7, 3]),
        "slice-boundary-2",
        "just above the slices of GSA(2): ratio 7.345",
        "kvopt generate slice-boundary:alpha=2:memory=23:counts=2+7+3",
    )
    yield Instance.from_groups(
        18,
        [(1, 12, 3), (1, 7, 7), (1, 5, 1), (1, 4, 1)],
        "slice-boundary-phi",
        "just above the slices of GSA(phi), phi the golden ratio: ratio 7.0",
    )
    yield Instance.from_groups(
        23,
        [(0, 18, 2), (0, 10, 10)],
        "slice-boundary-default",
        "just above the slices of GSA at its default alpha: ratio 7.155",
        "kvopt search --policy gsa --requests 12 --memory 24 --seed 1",
    )
    yield Instance.from_groups(
        23,
        [(0, 9, 9), (0, 7, 1), (0, 3, 1), (0, 2, 1)],
        "class-boundary-2",
        "just above a class end of GBA(2): ratio 4.642",
    )
    yield named(
        slice_boundary(parse_exact("2"), memory=95, counts=[100, 450]),
        "slice-boundary-550",
        "the same in large: GSA(2) is between 13.5 and 16.7 times the optimum",
        "kvopt generate slice-boundary:alpha=2:memory=95:counts=100+450",
    )


def chat() -> Instance:
    """Return made-up chat lengths."""
    rng = random.Random("chat")
    outputs = [min(2000, max(1, round(rng.lognormvariate(5.0, 1.0)))) for _ in range(400)]
    return Instance(
        4096,
        [79] * len(outputs),
        outputs,
        "chat-400",
        "made-up chat lengths (log-normal) in a realistic memory: only bounds and heuristics apply",
    )


def write(folder: Path) -> None:
    """Write every curated instance into a folder."""
    for instance in curated():
        write_instance(folder / f"{instance.name}.json", instance)


def differences() -> list[str]:
    """Return what is missing from, superfluous in, or different in instances/."""
    with tempfile.TemporaryDirectory() as name:
        fresh = Path(name)
        write(fresh)
        expected = {path.name: path.read_text() for path in fresh.iterdir()}
    present = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    names = sorted(expected.keys() | present.keys())
    return [name for name in names if expected.get(name) != present.get(name)]


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if found := differences():
            sys.exit(f"not up to date: {', '.join(found)}")
    elif not sys.argv[1:]:
        write(FOLDER)
    else:
        sys.exit(__doc__)
