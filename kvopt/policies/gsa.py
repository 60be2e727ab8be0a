"""GSA: geometric slicing, the non-clairvoyant algorithm of the paper."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np

from kvopt.model.errors import InputError
from kvopt.model.instance import Instance, IntArray
from kvopt.model.spec import choice, integer, yes_or_no
from kvopt.policies.draws import FIXED_OR_RANDOM, random_offset, shuffle
from kvopt.policies.phase_costs import PhaseRule, late_and_small_first, outlived_slices
from kvopt.policies.phases import (
    in_batches,
    run_as_they_fit,
    run_in_slots,
    run_one_at_a_time,
    run_pipeline,
    start_staggered,
)
from kvopt.policies.policy import Compiler, Cost, Policy, parameter
from kvopt.simulation.decisions import Decisions, Until, Wait
from kvopt.simulation.machine import Machine
from kvopt.theory.early_release import early_phase_bound
from kvopt.theory.gsa_bounds import EARLY_RELEASE, GSA_ALPHA, gsa_guarantee
from kvopt.theory.guarantee import UTILISATION, Guarantee, strongest
from kvopt.theory.orders import RequestType, distinct_orders
from kvopt.theory.parsing import at_least_one, growth_factor
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
from kvopt.theory.random_bounds import OFFSET_ROUNDING, gsa_expected_bound
from kvopt.theory.slice_plans import MOST_PHASES, PHASES_SOURCE, certified_slices, phase_bound

__all__ = ["GSA"]

SLICES = ("alpha", "area", "certified")
EARLY = ("no", "yes", "fits")

FITS_FROM = Fraction(2, 3)
"""With early=fits, least distance of starts over slice / K for requests to start as they fit."""


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
    alphas: proofs/text/ratio_bounds.md.  Smaller bounds, also for the other spacings,
    slices, orders and offsets: proofs/text/sharper_bounds.md, proofs/text/geometric_slices.md
    (16.09 at the default alpha), and from the slices for one prompt and memory:
    proofs/text/certified_slices.md.  With early=yes no request completes later if all are
    released at time 0, and the ratio is at most 13.02 (proofs/text/early_release.md), which
    also has what is claimed with early=fits.  Nothing is claimed without drain.

    With mixed prompts [our reading] each phase uses the largest prompt among its
    requests as s, but area and certified slices, and drain=no, the largest of all;
    after a phase whose slice reaches M - s, a last phase runs the remaining
    requests one at a time, request i in a slot of M - s_i rounds.  Nothing is
    proved about that.

    Parameters
    ----------
    alpha
        Growth factor of the slices, or of their areas with slices=area, > 1.
    beta
        First slice (rounds), >= 1; with slices=alpha only.
    spacing
        Distance between starts: that of SPS, of SPS2, or the tightest that fits.
    slices
        Powers of alpha; lengths at which the area reaches powers of alpha; or the best
        that a dynamic program finds for M and s.
    drain
        Whether a phase waits for the last slice of the one before it.  If not, a
        request waits for its own last slice only.
    early
        Whether a slot goes to the next request as soon as the one in it completes, with drain
        only.  "yes": in phases where nothing starts later for it, as the distance of starts is at
        least slice / K, K whole slices fitting side by side; K requests then run at a time.
        "fits": in phases where the distance is at least 2/3 of that, each request starts as
        soon as its whole slice fits beside what runs.
    offset
        "random" multiplies all slices, or their areas, by a random power of alpha in
        [1, alpha).
    order
        "random" shuffles the requests in each phase.
    seed
        Seed of all that is random.
    """

    name: ClassVar[str] = "gsa"
    clairvoyant: ClassVar[bool] = False

    alpha: Exact = parameter(GSA_ALPHA, growth_factor, "growth factor of the slices")
    beta: Fraction = parameter(Fraction(1), at_least_one, "first slice in rounds")
    spacing: str = parameter("sps", choice(*SPACINGS), "distance of starts: sps, sps2 or tight")
    slices: str = parameter("alpha", choice(*SLICES), "slices: alpha, area or certified")
    drain: bool = parameter(True, yes_or_no, "whether phases wait for each other: yes or no")
    early: str = parameter("no", choice(*EARLY), "early release of slots: no, yes or fits")
    offset: str = parameter("fixed", choice(*FIXED_OR_RANDOM), "first slice: fixed or random")
    order: str = parameter("fixed", choice(*FIXED_OR_RANDOM), "order in a phase: fixed or random")
    seed: int = parameter(0, integer(0), "seed of what is random")

    def __post_init__(self) -> None:
        Policy.__post_init__(self)
        if self.beta != 1 and self.slices != "alpha":
            raise InputError(f"policy gsa: beta: must be 1 with slices={self.slices}")
        if self.offset == "random" and self.slices == "certified":
            raise InputError("policy gsa: offset: must be fixed with slices=certified")
        if self.early != "no" and not self.drain:
            raise InputError("policy gsa: early: must be no with drain=no")

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        rng = random.Random(self.seed)
        run_batch = self._run_with_drain if self.drain else self._run_without_drain
        return in_batches(machine, lambda batch: run_batch(machine, batch, rng))

    def _run_with_drain(self, machine: Machine, batch: IntArray, rng: random.Random) -> Decisions:
        largest = int(machine.prompts_of(batch).max())
        slice_of = self._slice_rule(largest, machine.memory, rng)
        alive = batch
        phase = previous = 0
        while len(alive):
            longest = machine.memory - int(machine.prompts_of(alive).max())
            slice = min(slice_of(phase), longest)
            phase += 1
            if slice == previous:
                continue
            yield from self._run_phase(machine, self._in_order(alive, rng), slice, previous)
            previous = slice
            alive = machine.unfinished(alive)
            if slice == longest and len(alive):
                yield from run_one_at_a_time(machine, alive, self.early != "no")
                return

    def _run_phase(
        self, machine: Machine, requests: IntArray, slice: int, previous: int
    ) -> Decisions:
        prompt = int(machine.prompts_of(requests).max())
        slots = self._slots(prompt, slice, previous, machine.memory)
        if not slots:
            return run_pipeline(machine, requests, slice, SPACINGS[self.spacing])
        if self.early == "fits":
            return run_as_they_fit(machine, requests, np.full(len(requests), slice))
        return run_in_slots(machine, requests, slice, slots)

    def _slots(self, prompt: int, slice: int, previous: int, memory: int) -> int:
        """Return how many whole slices fit side by side, 0 in phases with a pipeline."""
        if self.early == "no" or slice == previous + 1:  # none ends before its slice does
            return 0
        slots = memory // (prompt + slice)
        share = FITS_FROM if self.early == "fits" else 1
        distance = SPACINGS[self.spacing](prompt, slice, memory)
        return slots if slots * distance >= share * slice else 0

    def _run_without_drain(
        self, machine: Machine, batch: IntArray, rng: random.Random
    ) -> Decisions:
        prompt = int(machine.prompts_of(batch).max())
        slice_of = self._slice_rule(prompt, machine.memory, rng)
        slot_end = np.zeros(int(batch.max()) + 1, dtype=np.int64)
        x = Fraction(machine.now)  # the next attempt starts at floor(x)
        for slice in capped_slices(slice_of, machine.memory - prompt):
            distance = SPACINGS[self.spacing](prompt, slice, machine.memory)
            waiting = self._in_order(machine.unfinished(batch), rng)
            while len(waiting):
                known = machine.completed_of(waiting) | (slot_end[waiting] <= machine.now)
                ready = waiting if known.all() else waiting[: int(np.argmin(known))]
                if not len(ready):  # the last slice of the first one is not over
                    turn = math.floor(x)
                    later = machine.now < turn
                    yield Until(turn) if later else Wait(int(slot_end[waiting[0]]), releases=False)
                    continue
                x = max(x, Fraction(machine.now))
                starting = machine.unfinished(ready)
                starts = yield from start_staggered(machine, starting, slice, x, distance)
                slot_end[starting] = starts + slice
                x += len(starting) * distance
                if machine.completed(int(ready[-1])) and machine.now < (turn := math.floor(x)):
                    yield Until(turn)
                waiting = waiting[len(ready) :]
        if machine.now < (end := int(slot_end.max())):
            yield Until(end)
        if len(rest := machine.unfinished(batch)):
            yield from run_one_at_a_time(machine, rest)

    def _slice_rule(self, prompt: int, memory: int, rng: random.Random) -> SliceRule:
        scale = self.beta
        if self.offset == "random":
            scale *= random_offset(self.alpha, rng)
        if self.slices == "alpha":
            return geometric_slices(self.alpha, scale)
        if self.slices == "area":
            return area_slices(self.alpha, prompt, scale)
        return certified_slices(prompt, memory, self.spacing)

    def _in_order(self, requests: IntArray, rng: random.Random) -> IntArray:
        if self.order == "fixed":
            return requests
        shuffled = requests.tolist()
        shuffle(shuffled, rng)
        return np.array(shuffled, dtype=np.int64)

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the strongest bound that is proved for these parameters on such an instance.

        It holds for every single run, whatever the order and the offset; beside it is what
        is proved about the mean over these.
        """
        prompt = instance.common_prompt
        if prompt is None or instance.has_releases or self.beta != 1 or not self.drain:
            return None
        memory, longest = instance.memory, int(instance.outputs.max())
        rule = self._slice_rule(prompt, memory, random.Random(self.seed))
        slices = slices_up_to(longest, rule, memory - prompt)
        distances = [SPACINGS[self.spacing](prompt, slice, memory) for slice in slices]
        found = []
        if len(slices) <= MOST_PHASES:
            bound = phase_bound(prompt, memory, slices, distances)
            if bound is not None and self.early != "fits":
                found.append(Guarantee(bound, "derived", PHASES_SOURCE, "these slices"))
            if self.early != "no":
                slots = [
                    self._slots(prompt, slice, before, memory)
                    for before, slice in zip([0, *slices], slices, strict=False)
                ]
                bound = early_phase_bound(prompt, memory, slices, distances, slots)
                if bound is not None:
                    source = f"{EARLY_RELEASE}, theorem 6"
                    found.append(Guarantee(bound, "derived", source, "these slices"))
        if self.early != "fits" and self.slices != "certified":
            used = utilisation(prompt, memory, slices, distances)
            early = self.early == "yes"
            found.append(gsa_guarantee(self.alpha, self.spacing, self.slices, used, early))
        if not found:
            return None
        expected = None
        random_mean = self.early != "fits" and self.slices != "certified"
        if random_mean and "random" in (self.order, self.offset):
            # A bound on the mean over all offsets may not use the slices of the one drawn.
            known = UTILISATION[self.spacing]
            if self.offset == "fixed":
                known = max(used, known)
            expected = gsa_expected_bound(
                self.alpha, known, self.slices, self.order, self.offset
            ) * (OFFSET_ROUNDING if self.offset == "random" else 1)
        return replace(strongest(found), expected=expected)

    def general_bound(self) -> Guarantee | None:
        """Return the best bound that is a function of alpha; see `Policy.general_bound`."""
        if self.beta != 1 or not self.drain or self.slices == "certified" or self.early == "fits":
            return None
        early = self.early == "yes"
        return gsa_guarantee(self.alpha, self.spacing, self.slices, Fraction(0), early)

    def cost_formula(self, compiled: Compiler) -> Cost | None:
        """Return a sum over the phases, if the policy has them; see `Policy.cost_formula`."""
        rule = self._phase_rule()
        return None if rule is None else rule.cost(compiled)

    def phases(self, memory: int, prompt: int) -> Phases | None:
        """Return the phases, with drains and nothing random; see `Policy.phases`."""
        rule = self._phase_rule()
        return None if rule is None else rule.phases(memory, prompt)

    def slice_lengths(self, memory: int, prompt: int) -> list[int]:
        """Return the slices by powers of alpha; see `Policy.slice_lengths`."""
        return list(capped_slices(self._fixed_slices(prompt), memory - prompt))

    def outlived_slices(self, memory: int, requests: Sequence[RequestType]) -> list[int] | None:
        """Return the slice of the phase before that in which each request completes.

        See `Policy.outlived_slices`.
        """
        if self._phase_rule() is None:
            return None
        slice_of = self._fixed_slices(max(prompt for prompt, _ in requests))
        return outlived_slices(memory, requests, slice_of, lambda alive, _: alive)

    def worst_orders(
        self, memory: int, requests: Sequence[RequestType]
    ) -> Iterator[Sequence[RequestType]]:
        """Yield the worst order, if the policy has phases; see `Policy.worst_orders`."""
        outlived = self.outlived_slices(memory, requests)
        if outlived is None:
            return distinct_orders(requests)
        return late_and_small_first(outlived, requests)

    def _fixed_slices(self, prompt: int) -> SliceRule:
        """Return the slices by powers of alpha, in length or area, without a random offset."""
        if self.slices == "area":
            return area_slices(self.alpha, prompt)
        return geometric_slices(self.alpha, self.beta)

    def _phase_rule(self) -> PhaseRule | None:
        random = "random" in (self.offset, self.order)
        if self.slices == "certified" or random or self.early != "no" or not self.drain:
            return None
        return PhaseRule(self._fixed_slices, self.slices == "area", self.spacing, everyone=True)
