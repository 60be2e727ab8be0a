"""What a search reports: the worst instance, made small, verified and explained."""

from __future__ import annotations

import contextlib
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kvopt.cli.terminal import status_line
from kvopt.model.breaking_off import run_within
from kvopt.model.errors import InputError, StoppedError
from kvopt.model.files import write_bytes
from kvopt.model.formats import instance_to_json
from kvopt.policies import policy_from_spec
from kvopt.solver.result import Status
from kvopt.theory.decimals import rounded_down
from kvopt.theory.quadratic import format_exact

if TYPE_CHECKING:
    from kvopt.adversary import Candidate, Record, SearchConfiguration
    from kvopt.adversary.attribution import Attribution
    from kvopt.adversary.store import Store
    from kvopt.cli.interrupts import Limit
    from kvopt.model.schedule import Schedule
    from kvopt.model.stopping import Stopping
    from kvopt.solver.result import Result

__all__ = ["Report", "check_picture"]

LEAST_SECONDS, MOST_SECONDS = 10, 60
"""How long the report may take: as long as the search, but within these limits."""

SECONDS_INTERRUPTED = 0.5
"""How long verifying may take after a signal."""

REQUESTS_INTERRUPTED = 10_000
"""Instances with more requests are not verified after a signal."""

DOUBLINGS = 4
"""How often the memory of a family is doubled to see whether its ratio grows."""


def _shrunk(configuration: SearchConfiguration, candidate: Candidate, stop: Stopping) -> Candidate:
    """Return an instance no less bad without what does not matter; families stay as they are."""
    from kvopt.adversary.shrink import shrunk

    if configuration.method == "families":
        return candidate
    with status_line("making it small"):
        return shrunk(configuration, candidate, stop)


def check_picture(file: Path) -> str:
    """Return the type of a picture to make, or refuse it.

    Raises
    ------
    InputError
        If the file is not a .png, .svg or .pdf.
    """
    kind = file.suffix.removeprefix(".")
    if kind not in ("png", "svg", "pdf"):
        raise InputError(f"{file}: must end in .png, .svg or .pdf")
    return kind


class Report:
    """The result of a search.

    Parameters
    ----------
    configuration
        What was searched for.
    records
        The improvements, at least one; the last is the worst instance found.
    units
        Number of units the search has, or None if it never ends.
    complete
        Number of complete units.
    limit
        The limit of the command.
    seconds
        How long the search might take (seconds); the report may take about as long.

    Attributes
    ----------
    facts
        The report as a JSON object.
    worst
        The worst instance.
    optimum
        Bracket of its optimum, once it is verified, unless it is compared to a policy.
    """

    def __init__(
        self,
        configuration: SearchConfiguration,
        records: list[Record],
        units: int | None,
        complete: int,
        limit: Limit,
        seconds: float,
    ) -> None:
        self._end = time.perf_counter() + min(max(seconds, LEAST_SECONDS), MOST_SECONDS)
        self._found = records[-1]
        self.configuration = configuration
        self.units = units
        self.complete = complete
        self.limit = limit
        self.candidate = _shrunk(configuration, records[-1].candidate, self._part(1 / 3, 0))
        self.worst = self.candidate.instance(name=f"worst for {configuration.policy}")
        self._lines: list[str] = []
        self._ratio = ""
        self.facts: dict[str, Any] = {
            "policy": configuration.policy,
            "against": configuration.against,
            "method": configuration.method,
            "seed": configuration.seed,
        }
        self.explanation: Attribution | None = None
        self.optimum: Result | None = None
        self.facts["history"] = [
            {
                "restart": record.unit,
                "evaluation": record.evaluation,
                "ratio": format_exact(record.ratio),
                "ratio_float": float(record.ratio),
                "instance": record.candidate.to_json(),
            }
            for record in records
        ]
        self.facts["instance"] = instance_to_json(self.worst)

    def _part(self, share: float, interrupted_seconds: float) -> Stopping:
        """Return the limit of a step that gets a share of the time left; less after a signal."""
        left = max(0.0, self._end - time.perf_counter())
        return self.limit.rest(share * left, interrupted_seconds)

    def verify(self) -> None:
        """Bracket the ratio on the worst instance with the exact solver, and comment on it."""
        against = self.configuration.against
        if self.limit.interrupted and len(self.worst) > REQUESTS_INTERRUPTED:
            self._leave_unverified(self.limit.what, against or "the best schedule known")
        elif against is None:
            self._bracket()
        else:
            self._compare(against)
        if self.configuration.method == "exhaustive":
            self._family()
        if self.configuration.method == "families":
            self._growth()

    def keep(self, store: Store) -> None:
        """Put the verified instance into a store, if it was compared to the optimum."""
        if self.optimum is None:
            return
        optimum = self.optimum
        store.add_verified(
            self.configuration,
            self.candidate,
            optimum.lower_bound,
            optimum.objective,
            self.facts["cost"],
            starts=optimum.starts.tolist(),
            seconds=optimum.seconds,
        )

    def draw(self, file: Path) -> None:
        """Draw where the cost comes from.

        Raises
        ------
        InputError
            If that is not known, or the file is not a .png, .svg or .pdf.
        """
        kind = check_picture(file)
        if self.explanation is None:
            raise InputError(f"{file}: cannot be drawn: the instance has too many attempts")
        from kvopt.plot.figures import figure_of, rendered

        explanation = self.explanation
        write_bytes(file, rendered(figure_of("causes", explanation=explanation), kind))

    def text(self) -> str:
        """Return the report for people."""
        prompts = {group[0] for group in self.candidate.groups}
        from kvopt.adversary.candidate import group_text

        groups = ", ".join(group_text(one, len(prompts) > 1) for one in self.candidate.groups)
        prompt = f"s = {prompts.pop()}, outputs" if len(prompts) == 1 else "prompts+outputs"
        lines = [
            f"worst ratio  {self._ratio}",
            f"instance     M = {self.worst.memory}, {prompt} {groups}",
            *self._lines,
        ]
        if self.explanation is not None:
            lines += ["", self.explanation.text(), ""]
        return "\n".join(lines)

    def _bracket(self) -> None:
        from kvopt.comparison.ratio import compare
        from kvopt.comparison.rows import ratio_row
        from kvopt.report.tables import ratio_text

        stop = self._part(2 / 3, SECONDS_INTERRUPTED)
        with status_line("verifying"):
            policies = [policy_from_spec(self.configuration.policy)]
            try:
                comparison = compare(self.worst, policies, stop.left(), stop=stop, all_needed=True)
            except StoppedError as error:
                self._leave_unverified(str(error), "the best schedule known")
                return
        self.optimum = comparison.optimum
        ratio = comparison.ratios[0]
        self.facts |= {"ratio": format_exact(ratio.low), "ratio_float": float(ratio.low)}
        row = ratio_row(self.worst.name, ratio)
        self.facts |= {key: row[key] for key in row if key not in ("instance", "policy")}
        self.facts["status"] = comparison.optimum.status.value
        self._ratio = f"{format_exact(ratio.low)} = {ratio_text(ratio)} times the optimum"
        optimal = comparison.optimum.status is Status.OPTIMAL
        name = "the optimum" if optimal else "the best schedule known"
        self._explain(comparison.schedules[0], comparison.optimum.schedule, name)

    def _compare(self, against: str) -> None:
        from kvopt.simulation.simulate import simulate

        stop = self._part(2 / 3, SECONDS_INTERRUPTED)
        policies = map(policy_from_spec, (self.configuration.policy, against))
        try:
            schedule, reference = (simulate(self.worst, one, stop=stop) for one in policies)
        except StoppedError as error:
            self._leave_unverified(str(error), against)
            return
        cost, other = schedule.total_latency(), reference.total_latency()
        ratio = Fraction(cost, other)
        self.facts |= {"cost": cost, "against_cost": other}
        self.facts |= {"ratio": format_exact(ratio), "ratio_float": float(ratio)}
        self._ratio = f"{format_exact(ratio)} = {rounded_down(ratio, 4)} times {against}"
        self._explain(schedule, reference, against)

    def _leave_unverified(self, reason: str, reference: str) -> None:
        """Say what the search knows of the ratio, as the policies could not be run again."""
        ratio = self._found.ratio  # that of an instance made smaller is no less
        self.facts |= {"ratio": format_exact(ratio), "ratio_float": float(ratio)}
        self.facts |= {"verified": False, "reason": reason}
        self._ratio = f"{format_exact(ratio)} = {rounded_down(ratio, 4)} times {reference}"
        self._lines.append(f"not verified {reason}")

    def _explain(self, schedule: Schedule, reference: Schedule, name: str) -> None:
        """Say where the cost comes from, unless the schedules are too large for that."""
        from kvopt.adversary.attribution import Attribution, account

        with contextlib.suppress(InputError, StoppedError):
            self.explanation = run_within(
                self._part(1 / 2, 0),
                lambda: Attribution(
                    account(self.configuration.policy, schedule), account(name, reference)
                ),
            )
            self.facts["causes"] = {
                one.label: {cause: format_exact(one.rounds(cause)) for cause in one.tokens}
                for one in (self.explanation.policy, self.explanation.reference)
            }

    def _family(self) -> None:
        """Say what an exhaustive search proves."""
        from kvopt.solver.state_search.problem import MOST_MEMORY, MOST_REQUESTS

        limits = self.configuration.limits
        beyond = limits.requests > MOST_REQUESTS or limits.memory > MOST_MEMORY
        whole = self.complete == self.units and not beyond
        self.facts["complete"] = whole
        prompts = "prompts of any lengths" if limits.mixed else "a common prompt"
        over = f"at most {limits.requests} requests, at most {limits.memory} tokens, {prompts}"
        if limits.arrivals:
            over += f", the first released at 0, all by {limits.arrivals}"
        self._lines.append(
            f"proved       the worst of all instances with {over}"
            if whole
            else f"not proved   {self.complete} of {self.units} cells with {over}"
        )
        if beyond:
            self._lines.append(
                f"beyond reach more than {MOST_REQUESTS} requests or {MOST_MEMORY} tokens"
            )

    def _growth(self) -> None:
        """Say what the ratio tends to, or whether it grows with the memory."""
        from kvopt.adversary.families import growth, limit_ratio

        limit = limit_ratio(policy_from_spec(self.configuration.policy), self.candidate)
        self.facts["limit_float"] = limit
        if limit is not None:
            self._lines.append(f"limit        {limit:.4f} as the counts grow, estimated")
            return
        if self.limit.interrupted:
            self._lines.append(f"growth       not tried: {self.limit.what}")
            return
        with status_line("doubling the memory"):
            found = growth(self.configuration, self.candidate, DOUBLINGS, self._part(1, 0))
        self.facts["growth"] = [
            {"memory": one.memory, "ratio": format_exact(ratio), "ratio_float": float(ratio)}
            for one, ratio in zip(found.candidates, found.ratios, strict=True)
        ]
        self.facts["unlimited"] = found.unlimited
        ratios = ", ".join(
            f"{rounded_down(ratio, 2)} (M = {one.memory})"
            for one, ratio in zip(found.candidates, found.ratios, strict=True)
        )
        says = "without limit, as far as tried" if found.unlimited else "not by a third each time"
        self._lines.append(f"growth       {says}: {ratios}")
