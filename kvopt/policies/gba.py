"""GBA: geometric batching, the clairvoyant algorithm of the paper."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from kvopt.instance import Instance
from kvopt.machine import Decisions, Machine
from kvopt.pipeline import geometric_slices, sps_spacing
from kvopt.policies.phases import run_one_at_a_time, run_pipeline
from kvopt.policies.policy import Policy, parameter
from kvopt.quadratic import Exact
from kvopt.spec import growth_factor
from kvopt.theory import GBA_ALPHA, GBA_THEOREM, Guarantee

__all__ = ["GBA"]


@dataclass(frozen=True, slots=True)
class GBA(Policy):
    """GBA(alpha): classes of similar output lengths, shortest class first.

    Class p holds the requests with an output length above the end of class p - 1
    and at most tau_p = min(floor(alpha^p), M - s); each class is run by a
    staggered pipeline with slices of tau_p rounds, in request order, after the
    last slice of the previous class is over.

    Guarantee: with one common prompt length the total completion time is at most
    alpha^2 (3 alpha - 2) / (alpha - 1) times the optimum: 10.67 at the default
    alpha = 4/3, and 6.75 at alpha = 3/2 in the limit of large memory.  Source:
    Feng, Yang, Zhang 2026, arXiv 2601.22996; other alphas: proofs/ratio_bounds.md.

    With mixed prompts [our reading] each class uses the largest prompt among its
    requests as s; after a class whose end reaches M - s, a last phase runs the
    remaining requests one at a time, request i in a slot of M - s_i rounds.
    Nothing is proved about that.

    Parameters
    ----------
    alpha
        Ratio of consecutive class ends, > 1.
    """

    name: ClassVar[str] = "gba"
    clairvoyant: ClassVar[bool] = True

    alpha: Exact = parameter(GBA_ALPHA, growth_factor, "ratio of consecutive class ends")

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        class_end = geometric_slices(self.alpha, Fraction(1))
        phase = 0
        while len(remaining := machine.unfinished()):
            end = class_end(phase)
            phase += 1
            members = remaining[machine.outputs[remaining] <= end]
            if not len(members):
                continue
            longest = machine.memory - int(machine.prompts[members].max())
            slice = min(end, longest)
            fitting = members[machine.outputs[members] <= slice]
            if len(fitting):
                yield from run_pipeline(machine, fitting, slice, sps_spacing)
            if slice == longest and len(rest := machine.unfinished()):
                yield from run_one_at_a_time(machine, rest)

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound for this alpha, if the theorem's assumptions hold."""
        return None if instance.common_prompt is None else GBA_THEOREM.at(self.alpha)
