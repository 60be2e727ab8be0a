"""GSA: geometric slicing, the non-clairvoyant algorithm of the paper."""

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
from kvopt.spec import at_least_one, growth_factor
from kvopt.theory import GSA_ALPHA, GSA_THEOREM, Guarantee

__all__ = ["GSA"]


@dataclass(frozen=True, slots=True)
class GSA(Policy):
    """GSA(alpha, beta): every unfinished request gets a slice, then a longer one, and so on.

    In phase p = 0, 1, ... every unfinished request is run for
    tau_p = min(floor(beta * alpha^p), M - s) rounds by a staggered pipeline, in
    request order; what has not completed by then is killed and starts afresh in
    the next phase, which begins when the last slice is over.  Equal consecutive
    slices are used once.

    Guarantee: with one common prompt length and beta = 1, the total completion
    time is at most 2 alpha^3 (3 alpha - 2) / (alpha - 1)^2 times the optimum:
    61.92 at the default alpha = (7 + sqrt 13)/6, and 32 at alpha = 2 in the limit
    of large memory.  Source: Feng, Yang, Zhang 2026, arXiv 2601.22996; other
    alphas: proofs/ratio_bounds.md.

    With mixed prompts [our reading] each phase uses the largest prompt among its
    requests as s; after a phase whose slice reaches M - s, a last phase runs the
    remaining requests one at a time, request i in a slot of M - s_i rounds.
    Nothing is proved about that.

    Parameters
    ----------
    alpha
        Growth factor of the slices, > 1.
    beta
        First slice (rounds), >= 1.
    """

    name: ClassVar[str] = "gsa"
    clairvoyant: ClassVar[bool] = False

    alpha: Exact = parameter(GSA_ALPHA, growth_factor, "growth factor of the slices")
    beta: Fraction = parameter(Fraction(1), at_least_one, "first slice in rounds")

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        slice_of = geometric_slices(self.alpha, self.beta)
        phase = previous = 0
        while len(alive := machine.unfinished()):
            longest = machine.memory - int(machine.prompts[alive].max())
            slice = min(slice_of(phase), longest)
            phase += 1
            if slice == previous:
                continue
            yield from run_pipeline(machine, alive, slice, sps_spacing)
            previous = slice
            if slice == longest and len(rest := machine.unfinished()):
                yield from run_one_at_a_time(machine, rest)

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound for this alpha, if the theorem's assumptions hold."""
        if instance.common_prompt is None or self.beta != 1:
            return None
        return GSA_THEOREM.at(self.alpha)
