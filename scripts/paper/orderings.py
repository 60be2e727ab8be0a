"""Which orderings of policies that the paper reports hold here, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from paper.markdown import markdown_table
from paper.measures import Comparison, Results, Setting, average, comparison
from paper.settings import RIVALS, SPECULATIVE, chat_settings, compared

NEARLY_ALL = Fraction(9, 10)
"""Share of the points that counts as "almost everywhere"."""

SAME_MAKESPAN = 1.05
"""Makespans up to this ratio count as about the same."""

COMPETITIVE = 0.10
"""Up to this share above the better one of FCFS and A-Min counts as competitive."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """An ordering that the paper reports, and whether it holds here.

    Parameters
    ----------
    claim, where
        What is claimed, and the setting.
    verdict
        "yes", "in part" or "no".
    numbers
        What the verdict rests on.
    why
        If not "yes": what the schedules say about it.
    """

    claim: str
    where: str
    verdict: str
    numbers: str
    why: str = ""


def verdict_of(holds: int, points: int, enough: Fraction = Fraction(1)) -> str:
    """Return the verdict on a claim that holds at some of the points."""
    if holds >= enough * points:
        return "yes"
    return "in part" if holds else "no"


def orderings(results: Results) -> list[Ordering]:
    """Return the verdicts on all orderings, for the settings there are."""
    chat = chat_settings(results)
    found: list[Ordering] = []
    for setting in chat:
        if setting.rounded:
            for rival in RIVALS:
                found += rounded_orderings(results, setting, rival)
    found += [best_ordering(results, setting) for setting in chat]
    found += [raw_ordering(results, setting) for setting in chat if not setting.rounded]
    return found


def rounded_orderings(results: Results, setting: Setting, rival: str) -> list[Ordering]:
    """Return whether GSA-Spec beats a rival on rounded lengths, and whether its lead grows."""
    spec = SPECULATIVE[True]
    found = comparison(results, setting, spec, rival)
    points = len(found.sizes)
    wins = verdict_of(found.wins, points)
    explained = "" if wins == "yes" else why(results, setting, worst_size(found), spec, rival)
    grows = "yes" if found.grows else "no"
    beats = Ordering(
        f"(a) GSA-Spec beats {rival}",
        setting.words,
        wins,
        f"at {found.wins} of {points} sizes; {shares(found)}",
        explained,
    )
    if not found.wins:
        return [beats]
    lead = Ordering(
        f"(a) its lead over {rival} grows with n",
        setting.words,
        grows,
        f"{found.leads[0]:,.0f} rounds at n = {found.sizes[0]}, {found.leads[-1]:,.0f} at"
        f" n = {found.sizes[-1]}; tau = {found.trend:.2f}",
        "" if found.grows else why_not_growing(results, setting, found, spec, rival),
    )
    return [beats, lead]


def best_ordering(results: Results, setting: Setting) -> Ordering:
    """Return whether GBA-D is best among the policies of the paper almost everywhere."""
    sizes = results.sizes(setting)
    wins, all_wins = 0, 0
    for size in sizes:
        means = {p: results.mean(setting, size, p) for p in results.policies(setting)}
        wins += min(compared(setting), key=means.__getitem__) == "gba-d"
        all_wins += min(means, key=means.__getitem__) == "gba-d"
    largest = {p: results.mean(setting, sizes[-1], p) for p in results.policies(setting)}
    best = min(largest, key=largest.__getitem__)
    verdict = verdict_of(wins, len(sizes), NEARLY_ALL)
    rival = min((p for p in compared(setting) if p != "gba-d"), key=largest.__getitem__)
    return Ordering(
        "(b) GBA-D is best",
        setting.words,
        verdict,
        f"at {wins} of {len(sizes)} sizes among the policies of the paper, at {all_wins} among"
        f" all; at n = {sizes[-1]} `{best}` is best,"
        f" {1 - largest[best] / largest['gba-d']:.0%} below GBA-D",
        "" if verdict == "yes" else why(results, setting, sizes[-1], "gba-d", rival),
    )


def raw_ordering(results: Results, setting: Setting) -> Ordering:
    """Return whether GSA-Spec is competitive on raw lengths."""
    spec = SPECULATIVE[False]
    excess = {}
    for size in results.sizes(setting):
        rival = min(results.mean(setting, size, p) for p in RIVALS)
        excess[size] = results.mean(setting, size, spec) / rival - 1
    holds = sum(e <= COMPETITIVE for e in excess.values())
    worst = max(excess, key=excess.__getitem__)
    rival = min(RIVALS, key=lambda p: results.mean(setting, worst, p))
    verdict = verdict_of(holds, len(excess))
    return Ordering(
        f"(c) GSA-Spec is within {COMPETITIVE:.0%} of the better of FCFS and A-Min",
        setting.words,
        verdict,
        f"at {holds} of {len(excess)} sizes; its mean completion time is"
        f" {signed(min(excess.values()))} to {signed(max(excess.values()))} against theirs",
        "" if verdict == "yes" else why(results, setting, worst, spec, rival),
    )


def shares(found: Comparison) -> str:
    """Return the range of the lead as a share, in words."""
    low, high = signed(min(found.shares)), signed(max(found.shares))
    return f"lead {low} to {high} of its mean completion time"


def signed(share: float) -> str:
    """Return a share in per cent, with its sign."""
    return f"{100 * share:+.1f} %"


def worst_size(found: Comparison) -> int:
    """Return the number of requests at which the first policy does worst."""
    return found.sizes[int(np.argmin(found.shares))]


def why(results: Results, setting: Setting, size: int, first: str, other: str) -> str:
    """Say from the schedules why one policy does not beat another.

    Mean completion time = makespan * earliness, and makespan * M = useful + thrown away + idle
    memory, the useful part being the same for both: that accounts for the difference. Where
    GSA-Spec takes as long as GSA, whose phases it keeps, what it throws away on top would
    be idle; so GSA's shares are looked at in its stead.
    """
    pace = pacemaker(results, setting, size, first)
    a, b, c = (results.runs(setting, size, policy) for policy in (first, other, pace))

    def ratio(name: str) -> float:
        return average(a, lambda m: getattr(m, name)) / average(b, lambda m: getattr(m, name))

    def lost(name: str) -> float:
        return average(c, lambda m: getattr(m, name) / m.useful) - average(
            b, lambda m: getattr(m, name) / m.useful
        )

    def per_cent(name: str) -> str:
        values = [average(runs, lambda m: getattr(m, name)) for runs in (c, b)]
        return f"{values[0]:.0%} against {values[1]:.0%}"

    longer, later = ratio("makespan"), ratio("earliness")
    if longer >= later:
        throws, leaves = ("throws", "leaves") if pace == first else ("throw", "leave")
        who = "it" if pace == first else f"the phases of `{pace}`, which it keeps,"
        reason = (
            f"{throws} more away with the attempts that are killed"
            if lost("thrown_away") >= lost("idle")
            else f"{leaves} more memory idle"
        )
        main = f"it needs longer for everything, as {who} {reason}"
    else:
        main = "it completes the short requests later"
    shares = f"thrown away {per_cent('thrown_share')}, idle {per_cent('idle_share')} of the memory"
    of = "" if pace == first else f"`{pace}`: "
    return (
        f"n = {size}, `{first}` against `{other}`: {main}. Makespan {longer:.2f} times, mean"
        f" completion / makespan {later:.2f} times; {of}{shares}"
    )


def pacemaker(results: Results, setting: Setting, size: int, policy: str) -> str:
    """Return GSA for GSA-Spec if their makespans are about the same, else the policy itself."""
    base = policy.replace("-spec", "")
    long, short = (
        average(results.runs(setting, size, p), lambda m: m.makespan) for p in (base, policy)
    )
    return base if long <= SAME_MAKESPAN * short else policy


def why_not_growing(
    results: Results, setting: Setting, found: Comparison, first: str, other: str
) -> str:
    """Say where a lead falls most from one size to the next, and whose schedules do it."""
    falls = [b - a for a, b in zip(found.leads, found.leads[1:], strict=False)]
    place = int(np.argmin(falls))
    sizes = found.sizes[place : place + 2]
    means = {p: [results.mean(setting, n, p) for n in sizes] for p in (first, other)}
    samples = [[m.mean for m in results.runs(setting, n, other)] for n in sizes]
    spread = " and ".join(
        f"{min(some):,.0f} to {max(some):,.0f} at n = {n}"
        for n, some in zip(sizes, samples, strict=True)
    )
    thrown = [
        f"{average(results.runs(setting, n, other), lambda m: m.thrown_share):.0%}" for n in sizes
    ]
    return (
        f"from n = {sizes[0]} to {sizes[1]} the lead falls by {-falls[place]:,.0f} rounds: the mean"
        f" completion time of `{other}` goes from {means[other][0]:,.0f} to {means[other][1]:,.0f},"
        f" that of `{first}` from {means[first][0]:,.0f} to {means[first][1]:,.0f}. The samples of"
        f" `{other}` range over {spread}; it throws away {thrown[0]} and {thrown[1]} of the memory"
    )


def speculation(results: Results, setting: Setting) -> str:
    """Say what speculation alone gains: GSA-Spec against GSA with the same slices."""
    spec = SPECULATIVE[setting.rounded]
    found = comparison(results, setting, spec, spec.replace("-spec", ""))
    first, last = signed(found.shares[0]), signed(found.shares[-1])
    return f"{first} at n = {found.sizes[0]}, {last} at n = {found.sizes[-1]} ({setting.words})"


def ordering_table(found: Sequence[Ordering]) -> str:
    """Return the verdicts as a table."""
    heads = ("the paper reports", "setting", "reproduced", "numbers")
    return markdown_table(heads, [[o.claim, o.where, o.verdict, o.numbers] for o in found], left=4)


def ordering_section(results: Results) -> Iterator[str]:
    """Yield the paragraphs on the orderings."""
    found = orderings(results)
    yield "### The orderings of the paper"
    yield (
        'The source reports orderings, not numbers. "Almost everywhere" is read as at least'
        f' {float(NEARLY_ALL):.0%} of the sizes, "grows" as a rank correlation (Kendall\'s tau) of'
        " the lead in rounds with n of at least 0.8. Verdicts and reasons are computed from the"
        " runs."
    )
    yield ordering_table(found)
    missing = [o for o in found if o.verdict != "yes"]
    if missing:
        yield "Where an ordering is not reproduced, what the schedules say:"
        yield "\n".join(f"- {o.claim}, {o.where}: {o.why}." for o in missing)
    gains = "; ".join(speculation(results, s) for s in chat_settings(results))
    yield f"What the speculative attempts alone save, of GSA's mean completion time: {gains}."
