"""What a search reports: the worst instance, made small, verified and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvopt.cli.terminal import interruptible, status_line
from kvopt.files import instance_to_json
from kvopt.policies import policy_from_spec
from kvopt.quadratic import format_exact

if TYPE_CHECKING:
    from kvopt.adversary import Find, Hunt

__all__ = ["Report"]

DOUBLINGS = 4
"""How often the memory of a family is doubled to see whether its ratio grows."""


class Report:
    """The result of a search.

    Parameters
    ----------
    hunt
        What was searched for.
    finds
        The improvements, at least one; the last is the worst instance found.
    units
        Number of units the hunt has, or None if it never ends.
    complete
        Number of complete units.

    Attributes
    ----------
    facts
        The report as a JSON object.
    worst
        The worst instance.
    """

    def __init__(self, hunt: Hunt, finds: list[Find], units: int | None, complete: int) -> None:
        self.hunt = hunt
        self.units = units
        self.complete = complete
        self.candidate = finds[-1].candidate
        self.worst = self.candidate.instance(name=f"worst for {hunt.policy}")
        self._lines: list[str] = []
        self._ratio = ""
        self.facts: dict[str, Any] = {
            "policy": hunt.policy,
            "against": hunt.against,
            "method": hunt.method,
            "seed": hunt.seed,
            "cost": finds[-1].cost,
        }
        if hunt.against:
            self.facts["against_cost"] = finds[-1].reference
            self._state(format_exact(finds[-1].ratio), float(finds[-1].ratio))
            self._ratio += f" times {hunt.against}"
        self.facts["history"] = [
            {
                "restart": find.unit,
                "evaluation": find.evaluation,
                "ratio": format_exact(find.ratio),
                "ratio_float": float(find.ratio),
                "instance": instance_to_json(find.candidate.instance()),
            }
            for find in finds
        ]
        self.facts["instance"] = instance_to_json(self.worst)

    def verify(self, seconds: float) -> None:
        """Bracket the ratio on the worst instance with the exact solver, and comment on it."""
        if self.hunt.against is None:
            self._bracket(seconds)
        if self.hunt.method == "exhaustive":
            self._family()
        if self.hunt.method == "families":
            self._growth()

    def text(self) -> str:
        """Return the report for people."""
        groups = ", ".join(f"{o} x {c}" for _, o, c in self.candidate.groups)
        prompts = {prompt for prompt, _, _ in self.candidate.groups}
        if len(prompts) > 1:
            groups = ", ".join(f"{s}+{o} x {c}" for s, o, c in self.candidate.groups)
        prompt = f"s = {prompts.pop()}, outputs" if len(prompts) == 1 else "prompts+outputs"
        lines = [
            f"worst ratio  {self._ratio}",
            f"instance     M = {self.worst.memory}, {prompt} {groups}",
            *self._lines,
        ]
        return "\n".join(lines)

    def _state(self, ratio: str, value: float) -> None:
        self.facts |= {"ratio": ratio, "ratio_float": value}
        self._ratio = f"{ratio} = {value:.4f}"

    def _bracket(self, seconds: float) -> None:
        from kvopt.ratio import compare
        from kvopt.report import ratio_row, ratio_text

        with interruptible(seconds) as budget, status_line("verifying"):
            comparison = compare(self.worst, [policy_from_spec(self.hunt.policy)], budget)
        ratio = comparison.ratios[0]
        self.facts |= {"ratio": format_exact(ratio.low), "ratio_float": float(ratio.low)}
        row = ratio_row(self.worst.name, ratio)
        self.facts |= {key: row[key] for key in row if key not in ("instance", "policy")}
        self.facts["status"] = comparison.optimum.status.value
        self._ratio = f"{format_exact(ratio.low)} = {ratio_text(ratio)} times the optimum"

    def _family(self) -> None:
        """Say what an exhaustive search proves."""
        limits = self.hunt.limits
        whole = self.complete == self.units
        self.facts["complete"] = whole
        prompts = "prompts of any lengths" if limits.mixed else "a common prompt"
        over = f"at most {limits.requests} requests, at most {limits.memory} tokens, {prompts}"
        self._lines.append(
            f"proved       the worst of all instances with {over}"
            if whole
            else f"not proved   {self.complete} of {self.units} cells with {over}"
        )

    def _growth(self) -> None:
        """Say what the ratio tends to, or whether it grows with the memory."""
        from kvopt.adversary.families import growth, limit_ratio

        limit = limit_ratio(policy_from_spec(self.hunt.policy), self.candidate)
        self.facts["limit_float"] = limit
        if limit is not None:
            self._lines.append(f"limit        {limit:.4f} as the counts grow, estimated")
            return
        with status_line("doubling the memory"):
            found = growth(self.hunt, self.candidate, DOUBLINGS)
        self.facts["growth"] = [
            {"memory": one.memory, "ratio": format_exact(ratio), "ratio_float": float(ratio)}
            for one, ratio in zip(found.candidates, found.ratios, strict=True)
        ]
        self.facts["unlimited"] = found.unlimited
        ratios = ", ".join(
            f"{float(ratio):.2f} (M = {one.memory})"
            for one, ratio in zip(found.candidates, found.ratios, strict=True)
        )
        says = "without limit, as far as tried" if found.unlimited else "not by a third each time"
        self._lines.append(f"growth       {says}: {ratios}")
