"""Running policies by how they are written, for comparison to their literal versions."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from kvopt import Instance, Schedule, policy_from_spec, simulate

ALPHA_TEXTS = ["2", "4/3", "3/2", "1.69", "phi", "(7+sqrt(13))/6"]
alpha_texts = st.sampled_from(ALPHA_TEXTS)
spacings = st.sampled_from(["sps", "sps2", "tight"])
slice_rules = st.sampled_from(["alpha", "area"])
yes_or_no = st.sampled_from(["yes", "no"])
widths = st.sampled_from([None, Fraction(1), Fraction(3, 2), Fraction(2)])


def run(spec: str, instance: Instance) -> Schedule:
    return simulate(instance, policy_from_spec(spec))


def rows(instance: Instance) -> list[tuple[int, int]]:
    return [(r.prompt, r.output) for r in instance]


def releases(instance: Instance) -> list[int]:
    times: list[int] = instance.releases.tolist()
    return times


def as_tuples(schedule: Schedule) -> list[tuple[int, int, int, bool]]:
    return [(a.request, a.start, a.end, a.killed) for a in schedule]


def oracle_alpha(text: str) -> Fraction | str:
    return text if text in ("phi", "(7+sqrt(13))/6") else Fraction(text)
