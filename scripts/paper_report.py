"""Write up the experiments: pictures, tables, and which orderings of the paper hold.

Every verdict is computed from the measurements; no number stands here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import paper_pictures as pictures
from paper_measures import Comparison, Measurement, Results, Setting, average, comparison

from kvopt import Instance, Schedule, policy_from_spec, simulate
from kvopt.model.files import read_instance
from kvopt.plot import Run
from kvopt.theory.pipeline import sps_slots, sps_spacing, staggered

ROOT = Path(__file__).parent.parent

SCRIPT = "python scripts/reproduce_paper.py --output docs"
IDENTICAL = Instance(8192, [79] * 400, [256] * 400, "identical requests")

SPECULATIVE = {True: "gsa-spec:alpha=2:beta=64", False: "gsa-spec:alpha=2:beta=256"}
"""GSA-Spec as in the paper, on rounded and on raw lengths."""

RIVALS = ("fcfs", "a-min")

NEARLY_ALL = Fraction(9, 10)
"""Share of the points that counts as "almost everywhere"."""

SAME_MAKESPAN = 1.05
"""Makespans up to this ratio count as about the same."""

COMPETITIVE = 0.10
"""Up to this share above the better one of FCFS and A-Min counts as competitive."""


def write(folder: Path, wanted: Collection[int], measurements: Sequence[Measurement]) -> None:
    """Write the pictures of the wanted experiments, and the report, into a folder."""
    results = Results(measurements)
    if 1 in wanted:
        pictures.save(pictures.memory_of(identical_runs()), folder / "pipeline.png")
    if 2 in wanted:
        pictures.save(pictures.starvation(two_point_runs()), folder / "two-point.png")
    chat = chat_settings(results)
    if chat and wanted & {3, 4}:
        rows = [[s for s in chat if s.rounded == r] for r in (True, False)]
        rows = [row for row in rows if row]
        picture = pictures.mean_completions(results, rows, highlighted)
        pictures.save(picture, folder / "mean-completion.png")
        pictures.save(pictures.memory_shares(results, rows, compared), folder / "memory-use.png")
    if results.settings and wanted & {3, 4, 5}:
        pictures.save(pictures.ratios(results, families(results)), folder / "ratios.png")
    (folder / "experiments.md").write_text("\n\n".join(sections(results)) + "\n")


def chat_settings(results: Results) -> list[Setting]:
    """Return the settings of experiments 3 and 4."""
    return [s for s in results.settings if s.prompt is not None]


def families(results: Results) -> list[list[Setting]]:
    """Return the settings that belong together: rounded, raw, and mixed prompts."""
    kinds: dict[tuple[bool, bool], list[Setting]] = {}
    for setting in results.settings:
        kinds.setdefault((setting.prompt is None, setting.rounded), []).append(setting)
    return list(kinds.values())


def highlighted(setting: Setting) -> dict[str, str]:
    """Return the policies that the picture of a setting shows, with their names."""
    return {
        SPECULATIVE[setting.rounded]: "gsa-spec, alpha = 2, beta = 64 (rounded) or 256 (raw)",
        "fcfs": "fcfs",
        "gba-d": "gba-d",
        "a-min": "a-min",
        "spt-pipeline": "spt-pipeline (ours)",
        "mc-sf": "mc-sf",
    }


def compared(setting: Setting) -> dict[str, str]:
    """Return the policies of the paper, as it compares them, with their names."""
    spec = SPECULATIVE[setting.rounded]
    base = spec.replace("-spec", "")
    beta = spec.partition("beta=")[2]
    return {
        spec: f"gsa-spec, beta {beta}",
        base: f"gsa, beta {beta}",
        "fcfs": "fcfs",
        "a-min": "a-min",
        "gba-d": "gba-d",
        "gba": "gba",
        "mc-sf": "mc-sf",
    }


# --- Experiments 1 and 2 ----------------------------------------------------------------------


def identical_runs() -> list[Run]:
    """Return identical requests started all at once, again and again, and by SPS."""
    request = IDENTICAL[0]
    n, memory = len(IDENTICAL), IDENTICAL.memory
    together = memory // (request.prompt + request.output)
    at_once = np.arange(n) // together * request.output
    slots = sps_slots(request.prompt, request.output, memory)
    distance = sps_spacing(request.prompt, request.output, memory)
    return [
        Run(f"{together} at once", Schedule.from_starts(IDENTICAL, at_once)),
        Run(
            f"staggered, {slots} slots",
            Schedule.from_starts(IDENTICAL, staggered(Fraction(0), n, distance)),
        ),
    ]


def two_point_runs() -> list[Run]:
    """Return GSA, FCFS and A-Min on the two-point instance."""
    instance = read_instance(ROOT / "instances" / "two-point.json")
    specs = ("gsa", "fcfs", "a-min")
    return [Run(spec, simulate(instance, policy_from_spec(spec))) for spec in specs]


def identical_section() -> Iterator[str]:
    """Yield the paragraphs on experiment 1."""
    request, runs = IDENTICAL[0], identical_runs()
    yield "## 1. Identical requests: all at once, or staggered"
    yield (
        f"{len(IDENTICAL)} requests with s = {request.prompt} and o = {request.output},"
        f" M = {IDENTICAL.memory:,} tokens. Attempts that start together all need their largest"
        " memory at the same time, so that most of it is idle most of the time; staggered ones"
        " take turns."
    )
    rows = []
    for run in runs:
        schedule = run.schedule
        used = schedule.memory_profile().area() / (IDENTICAL.memory * schedule.makespan)
        mean = schedule.total_completion_time() / len(IDENTICAL)
        cells = (f"{mean:,.0f}", f"{schedule.makespan:,}", f"{used:.0%}")
        rows.append([run.label, *cells, f"{schedule.peak_memory():,}"])
    heads = ("start", "mean completion time", "makespan", "memory used", "peak memory")
    yield markdown_table(heads, rows)
    yield figure("pipeline.png", "Memory over time, all at once and staggered", 1, traces=False)


def two_point_section() -> Iterator[str]:
    """Yield the paragraphs on experiment 2."""
    runs = two_point_runs()
    instance = runs[0].schedule.instance
    short = instance.outputs == instance.outputs.min()
    yield "## 2. The two-point instance: short requests wait for long ones"
    yield (
        f"{int((~short).sum())} requests that fill the memory to the last token"
        f" ({instance.outputs.max()} rounds) come before {int(short.sum())} of a single round."
    )
    rows = []
    for run in runs:
        times = run.schedule.completion_times()
        cost = run.schedule.total_completion_time()
        shares = (f"{times[short].mean():,.0f}", f"{times[~short].mean():,.0f}")
        rows.append([f"`{run.label}`", f"{cost:,}", *shares, str(run.schedule.kills)])
    heads = ("policy", "total completion time", "mean of the short", "mean of the long", "kills")
    yield markdown_table(heads, rows)
    worst, best = max(rows, key=as_cost), min(rows, key=as_cost)
    yield (
        f"{best[0]} is {as_cost(worst) / as_cost(best):.1f} times as good as {worst[0]}. FCFS keeps"
        " readmitting the long requests that it kills, as they are first in the queue; GSA kills"
        " them after a round or two and lets the short ones pass."
    )
    words = "Memory and completions over time on the two-point instance"
    yield figure("two-point.png", words, 2, traces=False)


def as_cost(row: Sequence[str]) -> int:
    """Return the total completion time in a row of the table (rounds)."""
    return int(row[1].replace(",", ""))


# --- The orderings ----------------------------------------------------------------------------


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


# --- Experiments 3 to 5 -----------------------------------------------------------------------


def chat_section(results: Results) -> Iterator[str]:
    """Yield the paragraphs on experiments 3 and 4."""
    chat = chat_settings(results)
    first = chat[0]
    yield "## 3 and 4. Chat lengths, rounded up to powers of two and raw"
    dropped = ", ".join(
        f"{100 * results.runs(s, results.sizes(s)[0], 'fcfs')[0].dropped:.2f} % ({s.words})"
        for s in chat
    )
    yield (
        f"Random samples of the output lengths of LMSYS-Chat-1M conversations, s = {first.prompt}."
        f" Mean over {samples(results)} samples, bands from the smallest to the largest. Answers"
        f" too long for the memory are left out: {dropped}."
    )
    yield figure("mean-completion.png", "Mean completion time against requests", 3, 4)
    yield from ordering_section(results)
    yield "### Where the memory goes"
    yield (
        "The bar of a policy is as long as its makespan; its parts are the shares of memory times"
        " rounds."
    )
    yield figure("memory-use.png", "Memory of completing and killed attempts, and idle", 3, 4)
    for setting in chat:
        yield f"### All policies: {setting.words}"
        yield mean_table(results, setting)
        yield accounts_table(results, setting)


def azure_section(results: Results) -> Iterator[str]:
    """Yield the paragraphs on the settings with mixed prompts."""
    mixed = [s for s in results.settings if s.prompt is None]
    if not mixed:
        return
    yield "## 5. Mixed prompts: Azure conversations and code"
    yield (
        f"Prompts and outputs of the Azure traces of 2023, M = {mixed[0].memory:,} tokens. Here the"
        " theory of GSA and GBA says nothing, and they plan with the largest prompt as if all had"
        " it."
    )
    for setting in mixed:
        yield f"### All policies: {setting.words}"
        yield mean_table(results, setting)
        yield accounts_table(results, setting)


def ratio_section(results: Results) -> Iterator[str]:
    """Yield the paragraphs on ratios to the optimum."""
    yield "## Ratios to the optimum"
    yield (
        "Bracket of the competitive ratio, mean over the largest samples: at least cost / cheapest"
        " schedule known, at most cost / best proved lower bound"
        " (`kvopt.solver.combinatorial_bounds`). The"
        " picture shows the upper ends."
    )
    yield figure("ratios.png", "Total completion time over the lower bound", 3, 4, 5)
    policies = list(dict.fromkeys(p for s in results.settings for p in results.policies(s)))
    rows = []
    for policy in policies:
        cells = []
        for setting in results.settings:
            if policy not in results.policies(setting):
                cells.append("")
                continue
            where = setting, results.sizes(setting)[-1], policy
            cells.append(f"{results.ratio_low(*where):.2f}..{results.ratio_high(*where):.2f}")
        rows.append([f"`{policy}`", *cells])
    yield markdown_table(("policy", *(s.words for s in results.settings)), rows)


def mean_table(results: Results, setting: Setting) -> str:
    """Return mean completion times with their spread over the samples, best policy first."""
    sizes = results.sizes(setting)
    chosen = sorted({sizes[0], sizes[len(sizes) // 2], sizes[-1]})
    heads = ["mean completion time (rounds)", "lengths", *(f"n = {n}" for n in chosen)]
    rows = []
    for policy in by_mean(results, setting):
        cells = []
        for size in chosen:
            means = [m.mean for m in results.runs(setting, size, policy)]
            cells.append(f"{average_of(means):,.0f} ({min(means):,.0f} to {max(means):,.0f})")
        rows.append([f"`{policy}`", knowledge(results, setting, policy), *cells])
    return markdown_table(heads, rows, left=2)


def accounts_table(results: Results, setting: Setting) -> str:
    """Return what the largest samples' schedules do with time and memory."""
    size = results.sizes(setting)[-1]
    heads = (
        f"n = {size}",
        "makespan",
        "mean / makespan",
        "thrown away",
        "idle",
        "kills a request",
        "mean wait",
        "peak",
    )
    rows = []
    for policy in by_mean(results, setting):
        runs = results.runs(setting, size, policy)
        rows.append(
            [
                f"`{policy}`",
                f"{average(runs, lambda m: m.makespan):,.0f}",
                f"{average(runs, lambda m: m.earliness):.2f}",
                f"{average(runs, lambda m: m.thrown_share):.0%}",
                f"{average(runs, lambda m: m.idle_share):.0%}",
                f"{average(runs, lambda m: m.kills / m.size):.2f}",
                f"{average(runs, lambda m: m.wait):,.0f}",
                f"{average(runs, lambda m: m.peak / setting.memory):.0%}",
            ]
        )
    return markdown_table(heads, rows)


def by_mean(results: Results, setting: Setting) -> list[str]:
    """Return the policies of a setting, the best one on the largest samples first."""
    size = results.sizes(setting)[-1]
    return sorted(results.policies(setting), key=lambda p: results.mean(setting, size, p))


def samples(results: Results) -> int:
    """Return the number of samples at each point."""
    setting = results.settings[0]
    size, policy = results.sizes(setting)[0], results.policies(setting)[0]
    return len(results.runs(setting, size, policy))


def average_of(values: Sequence[float]) -> float:
    """Return the mean of some numbers."""
    return sum(values) / len(values)


# --- Recommendations --------------------------------------------------------------------------

UNKNOWN, PREDICTED, KNOWN = "unknown", "within a factor 2", "known"

AUDIENCES = (
    (UNKNOWN, (UNKNOWN,)),
    (PREDICTED, (UNKNOWN, PREDICTED)),
    (KNOWN, (UNKNOWN, PREDICTED, KNOWN)),
)
"""What is known of the output lengths, and which policies can be used then."""


def knowledge(results: Results, setting: Setting, policy: str) -> str:
    """Return what a policy knows of the output lengths."""
    if ":width=" in policy:
        return PREDICTED
    run = results.runs(setting, results.sizes(setting)[-1], policy)[0]
    return KNOWN if run.clairvoyant else UNKNOWN


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
            cells.append(f"`{fitting[0]}` (at most {results.ratio_high(*where):.2f})")
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


# --- The page ---------------------------------------------------------------------------------


def summary(results: Results) -> Iterator[str]:
    """Yield the short table for the README."""
    chat = chat_settings(results)
    if not chat:
        return
    size = results.sizes(chat[0])[-1]
    names = ["gsa-spec", *RIVALS, "mc-sf", "gba-d", "spt-pipeline"]
    rows = []
    for name in names:
        cells = []
        for setting in chat:
            policy = SPECULATIVE[setting.rounded] if name == "gsa-spec" else name
            high = results.ratio_high(setting, size, policy)
            cells.append(f"{results.mean(setting, size, policy):,.0f} ({high:.2f})")
        policy = SPECULATIVE[chat[0].rounded] if name == "gsa-spec" else name
        rows.append([f"`{name}`", knowledge(results, chat[0], policy), *cells])
    heads = (f"n = {size}", "lengths", *(s.words.removeprefix("lmsys ") for s in chat))
    found = orderings(results)
    counts = ", ".join(
        f"{sum(o.verdict == v for o in found)} {v}" for v in ("yes", "in part", "no")
    )
    yield "<!-- summary -->"
    yield markdown_table(heads, rows, left=2)
    yield (
        "Mean completion time (rounds) and, in brackets, at most how many times the optimum."
        f" Of the orderings reported by the paper, setting by setting, reproduced: {counts}."
    )
    yield "<!-- end summary -->"


def sections(results: Results) -> Iterator[str]:
    """Yield the paragraphs of the report."""
    yield "# The paper's experiments, and ours"
    yield (
        "Feng, Yang, Zhang 2026 ([arXiv 2601.22996](https://arxiv.org/abs/2601.22996)) compare GSA"
        " and GBA with FCFS and A-Min. This page repeats their experiments and adds lower bounds,"
        " more policies and mixed prompts. All of it is written by"
        f" `{SCRIPT} --traces DIR`; times are in rounds, memory in tokens."
    )
    yield from summary(results)
    yield from identical_section()
    yield from two_point_section()
    if chat_settings(results):
        yield from chat_section(results)
    if results.settings:
        yield from azure_section(results)
        yield from ratio_section(results)
        yield from recommendation_section(results)
    yield "## The traces"
    yield (
        "Output lengths of LMSYS-Chat-1M (first answers, token counts as published with NanoFlow);"
        " Azure LLM inference traces 2023 (conversation and code; Patel et al., Splitwise, ISCA"
        " 2024; CC-BY-4.0). Nothing of them is in this repository but these results."
    )


def figure(name: str, words: str, *experiments: int, traces: bool = True) -> str:
    """Return a picture with the command that made it."""
    only = ",".join(map(str, experiments))
    folder = " --traces DIR" if traces else ""
    return f"![{words}]({name})\n\n{words}: `{SCRIPT}{folder} --only {only}`"


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table; the first `left` columns are aligned to the left, the others right."""
    rule = "|" + "".join("---|" if i < left else "---:|" for i in range(len(heads)))
    lines = [heads, *rows]
    written = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([written[0], rule, *written[1:]])
