"""A study in words and as rows: what its page says, before it is laid out.

Numbers are rounded here, exactly and outwards; whoever shows them only places them.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from kvopt.comparison.ratio import Ratio, Verdict
from kvopt.comparison.standing import Standing
from kvopt.comparison.study import Certified, Studied, Study, Worst
from kvopt.model.text import NAME, counted, one_line
from kvopt.policies.policy import Policy, parameter_text, parameters
from kvopt.report.tables import bound_texts, decimal, optimum_text, ratio_text
from kvopt.solver.result import Status
from kvopt.theory.decimals import gap_text, rounded_down, rounded_up
from kvopt.theory.quadratic import format_exact
from kvopt.theory.theorems import THEOREMS

__all__ = [
    "COLUMNS",
    "Cell",
    "Row",
    "certified_text",
    "commands",
    "optimum_facts",
    "parameters_text",
    "policy_facts",
    "rows",
    "standing_sentence",
    "summary",
    "title",
    "verdict_counts",
    "worst_sentence",
]

COLUMNS = (
    ("instance", False),
    ("policy", False),
    ("requests", True),
    ("memory", True),
    ("optimum", True),
    ("cost", True),
    ("ratio", True),
    ("bound", True),
    ("from", False),
    ("verdict", False),
)
"""Heads of the columns of the table, and whether they hold numbers."""

CANNOT_BE_READ, FAILED, NOT_DONE = "cannot be read", "failed", "not done"
"""Verdicts of instances without ratios."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the table.

    Parameters
    ----------
    text
        What it shows.
    key
        What it is sorted by where that is a number; None to sort by the text, or last where
        the column holds numbers.
    """

    text: str
    key: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Parameters
    ----------
    instance
        Number of the instance among those studied; None if nothing was found of it.
    policy
        The policy; empty if nothing was found.
    cells
        A cell for each of `COLUMNS`.
    reason
        Why there is no ratio, or no bound beside it; empty if there is nothing to say.
    proved
        Whether the optimum is proved.
    """

    instance: int | None
    policy: str
    cells: tuple[Cell, ...]
    reason: str = ""
    proved: bool = False

    @property
    def verdict(self) -> str:
        """The verdict, in words."""
        return self.cells[-1].text


def rows(study: Study) -> list[Row]:
    """Return the rows of the table of instances and policies, those without ratios last."""
    found = []
    for number, one in enumerate(study.studied):
        optimum = one.comparison.optimum
        proved = optimum.status is Status.OPTIMAL
        for ratio in one.comparison.ratios:
            cells = (
                *_first_cells(one, ratio.policy),
                _number(ratio.cost),
                Cell(ratio_text(ratio), float(ratio.low)),
                *_bound_cells(ratio),
                Cell(ratio.verdict.value),
            )
            found.append(Row(number, ratio.policy, cells, one_line(ratio.reason or ""), proved))
        for left in one.comparison.unfinished:
            none = (Cell("-"), Cell("-"), Cell("-"), Cell(""), Cell(Verdict.UNDECIDED.value))
            cells = (*_first_cells(one, left.policy), *none)
            found.append(Row(number, left.policy, cells, one_line(left.reason), proved))
    for lost in study.unstudied:
        verdict = FAILED if lost.readable else CANNOT_BE_READ
        found.append(_row_without_ratio(lost.name, verdict, lost.reason))
    return found + [
        _row_without_ratio(name, NOT_DONE, "the study was broken off") for name in study.left_out
    ]


def _row_without_ratio(name: str, verdict: str, reason: str) -> Row:
    none = [Cell("-")] * (len(COLUMNS) - 3)
    cells = (Cell(one_line(name, NAME)), *none, Cell(""), Cell(verdict))
    return Row(None, "", cells, one_line(reason))


def _first_cells(one: Studied, policy: str) -> tuple[Cell, ...]:
    """Return the cells up to the optimum."""
    optimum = one.comparison.optimum
    return (
        Cell(one_line(one.name, NAME)),
        Cell(policy),
        _number(len(optimum.instance)),
        _number(optimum.instance.memory),
        Cell(optimum_text(optimum), float(optimum.objective)),
    )


def _bound_cells(ratio: Ratio) -> tuple[Cell, Cell]:
    text, name = bound_texts(ratio)
    key = None if ratio.guarantee is None else float(ratio.guarantee.bound)
    return Cell(text, key), Cell(name)


def _number(value: int) -> Cell:
    return Cell(str(value), float(value))


def title(study: Study) -> str:
    """Return what the study is called."""
    return f"Study of {counted(len(study.studied), 'instance')}"


def summary(study: Study) -> list[str]:
    """Return what was found in sentences, without those about single policies."""
    said = [_size(study)]
    if study.studied:
        said += [_optima(study), _certificates(study), _verdicts(study)]
        if any(one.comparison.instance.has_releases for one in study.studied):
            said.append(
                "Where requests are released over time, costs and optima are total latencies"
                " (completion minus release), and no bound is claimed."
            )
    if problems := sum(len(one.problems) for one in study.studied):
        said.append(f"PROBLEMS: {problems}; each is told at its instance.")
    return said


def _size(study: Study) -> str:
    runs = sum(len(o.comparison.ratios) + len(o.comparison.unfinished) for o in study.studied)
    parts = [
        counted(len(study.studied), "instance"),
        counted(len(study.specs), "policy", "policies"),
        counted(runs, "run"),
    ]
    text = f"{', '.join(parts)}."
    if refused := sum(not lost.readable for lost in study.unstudied):
        text += f" {counted(refused, 'file')} cannot be read."
    if failed := sum(lost.readable for lost in study.unstudied):
        text += f" {counted(failed, 'instance')} failed."
    if study.left_out:
        left = counted(len(study.left_out), "instance")
        text += f" The study was broken off: {left} not done."
    return text


def _optima(study: Study) -> str:
    open_ = [one.comparison.optimum for one in study.studied]
    open_ = [optimum for optimum in open_ if optimum.status is Status.BRACKET]
    if not open_:
        return f"{'All optima are' if study.proved > 1 else 'The optimum is'} proved."
    widest = min(Fraction(optimum.lower_bound, optimum.objective) for optimum in open_)
    proved = f"{counted(study.proved, 'optimum is', 'optima are')} proved"
    rest = counted(len(open_), "is a bracket", "are brackets")
    return f"{proved}; {rest}, at most {gap_text(*widest.as_integer_ratio())} wide."


def _certificates(study: Study) -> str:
    held = [one for one in study.studied if one.certificate is not None]
    accepted = [one for one in held if one.certificate and one.certificate.verdict.holds]
    optima = [one.comparison.optimum for one in accepted]
    closed = sum(optimum.certified_lower_bound == optimum.objective for optimum in optima)
    text = (
        f"{counted(len(study.studied), 'schedule')} and {counted(len(held), 'certificate')} can be"
        " downloaded here; of the certificates the stand-alone checker has"
        f" accepted {len(accepted)}, which prove {counted(closed, 'optimum', 'optima')}."
    )
    if stopped := len(held) - len(accepted):
        text += f" {counted(stopped, 'check')} did not end in time."
    return text


def _verdicts(study: Study) -> str:
    counts = verdict_counts(study)
    claimed = counts[Verdict.WITHIN] + counts[Verdict.VIOLATES] + counts[Verdict.UNDECIDED]
    if not claimed:
        return "No bound is claimed for any run."
    violating = counts[Verdict.VIOLATES]
    within = counts[Verdict.WITHIN]
    said = [
        "1 run is within the bound proved for it"
        if within == 1
        else f"{within} runs are within the bounds proved for them",
        f"{violating} VIOLATE theirs" if violating else "none violates its bound",
    ]
    if undecided := counts[Verdict.UNDECIDED]:
        said.append(f"{counted(undecided, 'is', 'are')} undecided")
    if free := counts[Verdict.NO_CLAIM]:
        said.append(f"for {free} no bound is claimed")
    return f"{'; '.join(said)}."


def verdict_counts(study: Study) -> Counter[Verdict]:
    """Return how often each verdict was given; a policy that did not end is undecided."""
    counts = Counter(ratio.verdict for _, ratio in study.ratios)
    counts[Verdict.UNDECIDED] += sum(len(one.comparison.unfinished) for one in study.studied)
    return counts


def worst_sentence(worst: Worst) -> str:
    """Say how large the ratio of a policy is at worst."""
    on = one_line(worst.instance, NAME)
    if worst.low == worst.high:
        text = f"at worst {decimal(worst.low)} times the optimum, on {on}"
    else:
        low, high = rounded_down(worst.low, 3), rounded_up(worst.high, 3)
        text = f"at worst {low} to {high} times the optimum, at least {low} on {on}"
    if worst.runs < worst.all_runs:
        text += f" ({worst.runs} of {worst.all_runs} runs came to their end)"
    return f"{text}."


def standing_sentence(standing: Standing) -> str:
    """Say how a policy stands against what is published, proved and known."""
    if standing.largest is None:
        seen = "no theorem applies to an instance here"
    else:
        on = one_line(standing.instance, NAME)
        ratio = ratio_text(standing.largest).replace("..", " to ")
        seen = f"the largest ratio here, where a theorem applies, is {ratio}, on {on}"
    proved = rounded_up(standing.bound.bound, 2)
    bounds = f"kvopt proves at most {proved}"
    if standing.published is not None:
        published = rounded_up(standing.published, 2)
        if standing.bound.status == "published":
            bounds = f"the paper proves at most {published}, the sharpest bound known here"
        else:
            bounds = f"the paper proves at most {published}, kvopt at most {proved}"
    prompts = "with any prompts" if _any_prompts(standing) else "with one prompt length"
    text = f"{seen}. For every instance {prompts}, all requests released at time 0, {bounds}"
    if standing.record is not None:
        text += f"; the worst instance that ships reaches {rounded_down(standing.record.ratio, 3)}"
    return f"{text}."


def _any_prompts(standing: Standing) -> bool:
    """Tell whether the theorem behind a standing is about any prompts."""
    return any(
        theorem.prompts == "any" and standing.bound.source.startswith(theorem.source)
        for theorem in THEOREMS
    )


def certified_text(certified: Certified) -> str:
    """Say what the checker says of a certificate."""
    seconds = f"{certified.seconds:.1f} s"
    if certified.verdict.stopped:
        return f"its check did not end in {seconds}: repeat it"
    return f"the checker has accepted it, in {seconds}: {certified.verdict.claim}"


def commands(study: Study, one: Studied, certificate: str) -> list[tuple[str, str]]:
    """Return what was computed of an instance, and the commands that do it again.

    Parameters
    ----------
    study, one
        The study, and the instance.
    certificate
        Name of the file of its certificate.
    """
    file = shlex.quote(one_line(one.file))
    policies = f"--policy {shlex.quote(','.join(study.specs))}"
    limit = f"--time-limit {study.time_limit:g}"
    found = [
        ("everything here", f"kvopt report {file} {policies} {limit} -o again.html"),
        ("costs and ratios", f"kvopt ratio {file} {policies} {limit}"),
        ("bracket and certificate", f"kvopt solve {file} {limit} --certificate {certificate}"),
    ]
    if one.certificate is not None:
        limits = "".join(f"{limit} " for limit in one.certificate.limits)
        check = f"python -I -S -B proofs/checker {limits}{certificate}"
        found.append(("check of the certificate", check))
    return found


def optimum_facts(one: Studied) -> list[tuple[str, str]]:
    """Return what is known of the optimum of an instance, and by what."""
    optimum = one.comparison.optimum
    quantity = "total latency" if optimum.instance.has_releases else "total completion time"
    lower = f"{optimum.lower_bound}, by {optimum.rule}"
    facts = [
        ("instance", one_line(optimum.instance, 400)),
        ("file", one_line(one.file)),
        ("SHA-256", optimum.instance.digest()),
        ("objective", f"{quantity}, in rounds"),
        ("optimum", f"at most {optimum.objective}, the cost of the best schedule"),
        ("", f"at least {lower}"),
    ]
    if optimum.certified_lower_bound < optimum.lower_bound:
        weaker = f"{optimum.certified_lower_bound} ({optimum.certified.rule})"
        facts.append(("", f"the certificate proves at least {weaker}; more is the solver's word"))
    facts.append(("solver", f"{optimum.seconds:.2f} s"))
    texts = (("comment", optimum.instance.comment), ("source", optimum.instance.source))
    return [*facts, *((key, one_line(text)) for key, text in texts if text)]


def policy_facts(one: Studied) -> list[Sequence[str]]:
    """Return for each policy its cost, kills, seconds, exact ratio, bound and its source."""
    found: list[Sequence[str]] = []
    comparison = one.comparison
    columns = (comparison.ratios, comparison.schedules, comparison.seconds)
    for ratio, schedule, seconds in zip(*columns, strict=True):
        exact = format_exact(ratio.low)
        if ratio.high != ratio.low:
            exact += f" to {format_exact(ratio.high)}"
        bound = source = "-"
        if ratio.guarantee is not None:
            bound, source = bound_texts(ratio)[0], ratio.guarantee.source
        cost = (str(ratio.cost), str(schedule.kills), f"{seconds:.3f}")
        found.append((ratio.policy, *cost, exact, bound, one_line(source), ratio.verdict.value))
    none = ["-"] * 5
    undecided = Verdict.UNDECIDED.value
    return found + [(u.policy, *none, one_line(u.reason), undecided) for u in comparison.unfinished]


def parameters_text(policy: Policy) -> str:
    """Return all parameters of a policy with their values, the seed included."""
    values = ((key, getattr(policy, key)) for key in parameters(type(policy)))
    return ", ".join(f"{key}={parameter_text(value)}" for key, value in values) or "none"
