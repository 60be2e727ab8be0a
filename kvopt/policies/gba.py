"""GBA: geometric batching, the clairvoyant algorithm of the paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from kvopt.model.instance import Instance, IntArray
from kvopt.model.spec import choice, yes_or_no
from kvopt.policies.phase_costs import PhaseRule, late_and_small_first, outlived_slices
from kvopt.policies.phases import in_batches
from kvopt.policies.policy import Compiler, Cost, Policy, parameter
from kvopt.simulation.decisions import Decisions, Until
from kvopt.simulation.machine import Machine
from kvopt.theory.classes import class_starts
from kvopt.theory.gba_bounds import GBA_ALPHA, gba_guarantee
from kvopt.theory.guarantee import Guarantee, strongest
from kvopt.theory.orders import RequestType
from kvopt.theory.parsing import growth_factor
from kvopt.theory.phases import Phases
from kvopt.theory.pipeline import (
    SPACINGS,
    SliceRule,
    area_slices,
    capped_slices,
    geometric_slices,
    slices_up_to,
    utilisation,
)
from kvopt.theory.quadratic import Exact
from kvopt.theory.slice_plans import CLASSES_SOURCE, MOST_PHASES, class_bound

__all__ = ["GBA"]

SLICES = ("alpha", "area")


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
    Feng, Yang, Zhang 2026, arXiv 2601.22996; other alphas: proofs/text/ratio_bounds.md.
    Smaller bounds, also for the other spacings, slices and drain=no:
    proofs/text/sharper_bounds.md and proofs/text/area_and_length.md (7.83 at the default
    alpha), and from the class ends themselves: proofs/text/certified_slices.md.

    With mixed prompts [our reading] each class uses the largest prompt among its
    requests as s; after a class whose end reaches M - s, a last phase runs the
    remaining requests one at a time, request i in a slot of M - s_i rounds.
    Nothing is proved about that, nor with release times: what is released while a batch
    runs forms the next one [our reading].

    Parameters
    ----------
    alpha
        Ratio of consecutive class ends, or of their areas with slices=area, > 1.
    spacing
        Distance between starts: that of SPS, of SPS2, or the tightest that fits.
    slices
        Class ends: powers of alpha, or the lengths at which the area reaches powers of
        alpha.
    drain
        Whether a class waits for the last slice of the one before it.  If not, s
        is the largest of all prompts throughout, so that the memory suffices
        (proofs/text/pipeline.md, theorem 5).
    """

    name: ClassVar[str] = "gba"
    clairvoyant: ClassVar[bool] = True

    alpha: Exact = parameter(GBA_ALPHA, growth_factor, "ratio of consecutive class ends")
    spacing: str = parameter("sps", choice(*SPACINGS), "distance of starts: sps, sps2 or tight")
    slices: str = parameter("alpha", choice(*SLICES), "class ends: alpha or area")
    drain: bool = parameter(True, yes_or_no, "whether classes wait for each other: yes or no")

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""

        def run_batch(batch: IntArray) -> Decisions:
            outputs = machine.outputs_of(batch)
            starts = machine.now + self.starts(machine.prompts_of(batch), outputs, machine.memory)
            machine.commit(batch, starts)
            yield Until(int((starts + outputs).max()))

        return in_batches(machine, run_batch)

    def starts(self, prompts: IntArray, outputs: IntArray, memory: int) -> IntArray:
        """Return the starts of a batch, known in advance.

        Parameters
        ----------
        prompts, outputs
            Prompt and output lengths (tokens), shape (n,) each, n >= 1.
        memory
            Memory budget M (tokens).

        Returns
        -------
        ndarray of int64, shape (n,)
            Starts, from time 0 (rounds).
        """
        ends = self._class_ends(int(prompts.max()))
        return class_starts(prompts, outputs, memory, ends, SPACINGS[self.spacing], self.drain)

    def _class_ends(self, prompt: int) -> SliceRule:
        if self.slices == "area":
            return area_slices(self.alpha, prompt)
        return geometric_slices(self.alpha, Fraction(1))

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the strongest bound that is proved for these parameters on such an instance."""
        prompt = instance.common_prompt
        if prompt is None or instance.has_releases:
            return None
        memory, longest = instance.memory, int(instance.outputs.max())
        ends = slices_up_to(longest, self._class_ends(prompt), memory - prompt)
        distances = [SPACINGS[self.spacing](prompt, end, memory) for end in ends]
        used = utilisation(prompt, memory, ends, distances)
        geometric = gba_guarantee(self.alpha, self.spacing, self.slices, self.drain, used)
        if len(ends) > MOST_PHASES:
            return geometric
        bound = class_bound(prompt, memory, ends, distances, self.drain)
        own = Guarantee(bound, "derived", CLASSES_SOURCE, "these classes")
        return strongest([own, geometric])

    def general_bound(self) -> Guarantee:
        """Return the best bound that is a function of alpha; see `Policy.general_bound`."""
        return gba_guarantee(self.alpha, self.spacing, self.slices, self.drain, Fraction(0))

    def cost_formula(self, compiled: Compiler) -> Cost | None:
        """Return a sum over the classes, with drains; see `Policy.cost_formula`."""
        return self._phase_rule().cost(compiled) if self.drain else None

    def phases(self, memory: int, prompt: int) -> Phases | None:
        """Return the classes, with drains; see `Policy.phases`."""
        return self._phase_rule().phases(memory, prompt) if self.drain else None

    def slice_lengths(self, memory: int, prompt: int) -> list[int]:
        """Return the class ends; see `Policy.slice_lengths`."""
        return list(capped_slices(self._class_ends(prompt), memory - prompt))

    def outlived_slices(self, memory: int, requests: Sequence[RequestType]) -> list[int]:
        """Return the end of the class before that of each request.

        See `Policy.outlived_slices`.
        """

        def members_of(alive: list[int], class_end: int) -> Sequence[int]:
            members = [i for i in alive if requests[i][1] <= class_end]
            return members if self.drain or not members else range(len(requests))

        class_end = self._class_ends(max(prompt for prompt, _ in requests))
        return outlived_slices(memory, requests, class_end, members_of)

    def worst_orders(
        self, memory: int, requests: Sequence[RequestType]
    ) -> Iterator[Sequence[RequestType]]:
        """Yield the worst order; see `Policy.worst_orders`."""
        return late_and_small_first(self.outlived_slices(memory, requests), requests)

    def _phase_rule(self) -> PhaseRule:
        by_area = self.slices == "area"
        return PhaseRule(self._class_ends, by_area, self.spacing, everyone=False)
