"""What to use: the best policies for each state of knowledge."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from kvopt.theory.decimals import rounded_up
from paper.markdown import markdown_table
from paper.measures import Results, Setting
from paper.settings import KNOWN, PREDICTED, UNKNOWN, by_mean, knowledge

AUDIENCES = (
    (UNKNOWN, (UNKNOWN,)),
    (PREDICTED, (UNKNOWN, PREDICTED)),
    (KNOWN, (UNKNOWN, PREDICTED, KNOWN)),
)
"""What is known of the output lengths, and which policies can be used then."""


def regrets(
    results: Results, settings: Sequence[Setting], allowed: Collection[str]
) -> dict[str, float]:
    """Return for each policy how far above the best one it is, in its worst setting.

    Only policies that use no more knowledge than allowed take part, and only those that
    were run in every setting, on the largest samples.
    """
    worst: dict[str, float] = {}
    everywhere = set.intersection(*(set(results.policies(s)) for s in settings))
    for setting in settings:
        size = results.sizes(setting)[-1]
        means = {
            p: results.mean(setting, size, p)
            for p in sorted(everywhere)
            if knowledge(results, setting, p) in allowed
        }
        best = min(means.values())
        for policy, mean in means.items():
            worst[policy] = max(worst.get(policy, 0.0), mean / best - 1)
    return worst


def proved(results: Results, settings: Sequence[Setting], policy: str) -> bool:
    """Tell whether the policy's ratio is bounded on all the largest samples."""
    return all(
        m.proved is not None
        for setting in settings
        for m in results.runs(setting, results.sizes(setting)[-1], policy)
    )


def recommendation_rows(results: Results) -> list[list[str]]:
    """Return what to recommend to whom."""
    rows = []
    for prompts in ("one length", "mixed"):
        settings = [s for s in results.settings if (s.prompt is None) == (prompts == "mixed")]
        if not settings:
            continue
        for who, allowed in AUDIENCES:
            worst = regrets(results, settings, allowed)
            ranked = sorted(worst, key=worst.__getitem__)
            safe = next((p for p in ranked if proved(results, settings, p)), None)
            cells = [f"`{p}` ({worst[p]:.0%})" for p in ranked[:2]]
            cells.append(f"`{safe}` ({worst[safe]:.0%})" if safe else "-")
            rows.append([prompts, who, *cells])
    return rows


def best_rows(results: Results) -> list[list[str]]:
    """Return the best policy of each setting, for each kind of knowledge."""
    rows = []
    for setting in results.settings:
        ranked = by_mean(results, setting)
        cells = []
        for _, allowed in AUDIENCES:
            fitting = [p for p in ranked if knowledge(results, setting, p) in allowed]
            where = setting, results.sizes(setting)[-1], fitting[0]
            cells.append(f"`{fitting[0]}` (at most {rounded_up(results.ratio_high(*where), 2)})")
        rows.append([setting.words, *cells])
    return rows


def recommendation_section(results: Results) -> Iterator[str]:
    """Yield the paragraphs on recommendations."""
    yield "## What to use"
    yield (
        "From the largest samples: the policy whose mean completion time is least far above the"
        " best one (of those that know no more) in the worst of the settings, that distance in"
        " brackets; the runner-up; and the first whose ratio is proved to be bounded there."
        " With one prompt length SVF is the same as MC-SF."
    )
    heads = ("prompts", "output lengths", "recommended", "runner-up", "with a proved bound")
    yield markdown_table(heads, recommendation_rows(results), left=5)
    yield "The best of each setting, with its ratio to the optimum:"
    heads = ("setting", *(f"lengths {k}" for k in (UNKNOWN, PREDICTED, KNOWN)))
    yield markdown_table(heads, best_rows(results), left=4)
