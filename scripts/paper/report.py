"""Write up the experiments: pictures, tables, and which orderings of the paper hold.

Every verdict is computed from the measurements; no number stands here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from kvopt.model.files import write_text
from kvopt.theory.decimals import rounded_down, rounded_up
from paper import pictures
from paper.markdown import SCRIPT, figure, markdown_table
from paper.measures import Measurement, Results, Setting, average
from paper.orderings import ordering_section, orderings
from paper.recommendations import recommendation_section
from paper.settings import (
    RIVALS,
    SPECULATIVE,
    by_mean,
    chat_settings,
    compared,
    families,
    highlighted,
    knowledge,
)
from paper.small_examples import (
    identical_runs,
    identical_section,
    two_point_runs,
    two_point_section,
)


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
    write_text(folder / "experiments.md", "\n\n".join(sections(results)) + "\n")


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
        "Bracket of the ratio to the optimum on these samples, mean over the largest ones, rounded"
        " outwards: at least cost / cheapest schedule known, at most cost / best proved lower bound"
        " (`kvopt.solver.combinatorial_bounds`). The picture shows the upper ends."
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
            low, high = results.ratio_low(*where), results.ratio_high(*where)
            cells.append(f"{rounded_down(low, 2)}..{rounded_up(high, 2)}")
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


def samples(results: Results) -> int:
    """Return the number of samples at each point."""
    setting = results.settings[0]
    size, policy = results.sizes(setting)[0], results.policies(setting)[0]
    return len(results.runs(setting, size, policy))


def average_of(values: Sequence[float]) -> float:
    """Return the mean of some numbers."""
    return sum(values) / len(values)


def summary(results: Results) -> Iterator[str]:
    """Yield the short table at the head."""
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
            cells.append(f"{results.mean(setting, size, policy):,.0f} ({rounded_up(high, 2)})")
        policy = SPECULATIVE[chat[0].rounded] if name == "gsa-spec" else name
        rows.append([f"`{name}`", knowledge(results, chat[0], policy), *cells])
    heads = (f"n = {size}", "lengths", *(s.words.removeprefix("lmsys ") for s in chat))
    found = orderings(results)
    counts = ", ".join(
        f"{sum(o.verdict == v for o in found)} {v}" for v in ("yes", "in part", "no")
    )
    yield markdown_table(heads, rows, left=2)
    yield (
        "Mean completion time (rounds) and, in brackets, at most how many times the optimum."
        f" Of the orderings reported by the paper, setting by setting, reproduced: {counts}."
    )


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
    yield (
        "DIR holds three files packed by gzip: `lmsys_lengths.csv.gz` has the columns"
        " `prompt_tokens` and `output_tokens`, here the first 20,000 rows of"
        " `datasets/traces/lmsys.csv` of [NanoFlow](https://github.com/efeslab/Nanoflow), renamed;"
        " `azure_conv.csv.gz` and `azure_code.csv.gz` are files of"
        " [AzurePublicDataset](https://github.com/Azure/AzurePublicDataset) as published, here the"
        " first 10,000 rows of the conversations and all of the code."
    )
