"""The curated instances."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "scripts"))


def test_curated_instances_are_up_to_date() -> None:
    from build_instances import differences

    assert differences() == [], "run scripts/build_instances.py"


def test_curated_instances_say_why_they_are_there() -> None:
    from build_instances import curated

    instances = list(curated())
    assert all(instance.comment for instance in instances)
    assert len({instance.name for instance in instances}) == len(instances)
