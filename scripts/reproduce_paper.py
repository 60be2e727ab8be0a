"""Run the experiments of the paper, and ours, and write them up.

    python scripts/reproduce_paper.py --output docs/results [--traces DIR] [--only 1,2,...]
                                      [--samples 5] [--seed 0]

1. identical requests: all at once against the staggered pipeline (memory over time)
2. the two-point instance: how FCFS and A-Min make short requests wait
3. chat lengths rounded up to powers of two: mean completion time against the number of requests
4. the same lengths as they are
5. beyond the paper: mixed prompts of the Azure traces; with 3 and 4, ratios to a lower bound and
   recommendations
6. policies on the Azure traces with their own arrivals, at several loads: OUTPUT/online.md

1 to 4 are experiments of Feng, Yang, Zhang 2026 (arXiv 2601.22996); 3 to 6 need DIR with
lmsys_lengths.csv.gz, azure_conv.csv.gz and azure_code.csv.gz. Every run is entered into
OUTPUT/.runs.jsonl (6: .online.jsonl) when it is done and is not done again; the report is written
from all experiments that are complete in there, so it can be made piece by piece. Delete the file
after a change to the policies.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from measurements import read_objects, refuse
from paper import online, report
from paper.measures import Measurement, Setting, measured

from kvopt import Instance, policy_from_spec, simulate
from kvopt.model.errors import InputError
from kvopt.solver.combinatorial_bounds import best_lower_bound
from kvopt.traces import FORMATS, Selection, import_trace

CHAT, CONVERSATION, CODE = "lmsys_lengths.csv.gz", "azure_conv.csv.gz", "azure_code.csv.gz"
FORMAT_OF = {CHAT: "lengths", CONVERSATION: "azure", CODE: "azure"}

PROMPT = 79
"""Prompt of the chat requests (tokens), as in the paper."""

SIZES = tuple(range(100, 1001, 100))
AZURE_SIZES = (250, 500, 1000)
MEMORIES = (4096, 8192)
AZURE_MEMORY = 16_492

CHAT_POLICIES = (
    "gsa-spec:alpha=2:beta=64",
    "gsa:alpha=2:beta=64",
    "gsa-spec:alpha=2:beta=256",
    "gsa:alpha=2:beta=256",
    "gsa",
    "gsa:spacing=tight",
    "gsa:spacing=tight:slices=area:alpha=2.128",
    "gsa:spacing=tight:slices=certified",
    "gsa:spacing=tight:drain=no",
    "gsa-spec",
    "fcfs",
    "alpha-protection",
    "a-min",
    "a-max",
    "route",
    "a-min:width=2",
    "a-max:width=2",
    "gba",
    "gba:spacing=tight:drain=no",
    "gba-d",
    "spt-pipeline",
    "mc-sf",
    "sorted-f",
)
"""Run on every setting; alpha = 2 with beta = 64 (rounded) and 256 (raw) are the paper's."""

AZURE_POLICIES = (*CHAT_POLICIES, "svf", "rect", "response")
"""With a common prompt SVF is MC-SF, and Rect and Response are parts of Route."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A setting, the sizes and the policies to run on it.

    Parameters
    ----------
    experiment
        Number of the experiment.
    setting
        Which trace, budget and rounding.
    sizes
        Numbers of requests.
    policies
        Policies as written on the command line.
    """

    experiment: int
    setting: Setting
    sizes: Sequence[int]
    policies: Sequence[str]


def plans() -> Iterator[Plan]:
    """Yield what experiments 3, 4 and 5 run."""
    for experiment, rounded in ((3, True), (4, False)):
        for memory in MEMORIES:
            setting = Setting(CHAT, memory, PROMPT, rounded)
            yield Plan(experiment, setting, SIZES, CHAT_POLICIES)
    for trace in (CONVERSATION, CODE):
        setting = Setting(trace, AZURE_MEMORY, None, False)
        yield Plan(5, setting, AZURE_SIZES, AZURE_POLICIES)


class Runs:
    """The measurements so far, kept in a file of one JSON object a line.

    Parameters
    ----------
    path
        The file; created with the first measurement. A last line that was cut short is dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.measurements: list[Measurement] = []
        text = path.read_text() if path.exists() else ""
        complete = text[: text.rfind("\n") + 1]
        if complete != text:
            path.write_text(complete)
        for number, entry in read_objects(path):
            try:
                setting = Setting(**entry.pop("setting"))
                self.measurements.append(Measurement(setting=setting, **entry))
            except (TypeError, ValueError, KeyError) as error:
                refuse(path, number, f"is not a measurement: {error}")
        self.known = {m.key for m in self.measurements}

    def add(self, measurement: Measurement) -> None:
        """Enter a measurement, and write it down at once."""
        self.measurements.append(measurement)
        self.known.add(measurement.key)
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(measurement)) + "\n")


def sample(traces: Path, setting: Setting, size: int, seed: int) -> tuple[Instance, float]:
    """Return a random sample of a trace, and the share of its rows that are too large to fit."""
    selection = Selection(
        prompt=setting.prompt,
        round_up_pow2=setting.rounded,
        oversize="drop",
        requests=size,
        sample=seed,
    )
    format = next(f for f in FORMATS if f.name == FORMAT_OF[setting.trace])
    found = import_trace(format, traces / setting.trace, setting.memory, selection)
    return found.instance, found.dropped / found.read


def run(plan: Plan, traces: Path, seeds: Sequence[int], runs: Runs) -> None:
    """Make the measurements of a plan that are missing."""
    for size in plan.sizes:
        for seed in seeds:
            missing = [
                policy
                for policy in plan.policies
                if (plan.setting, size, seed, policy) not in runs.known
            ]
            if not missing:
                continue
            instance, dropped = sample(traces, plan.setting, size, seed)
            bound = best_lower_bound(instance).value
            for spec in missing:
                policy = policy_from_spec(spec)
                schedule = simulate(instance, policy)
                guarantee = policy.guarantee(instance)
                runs.add(
                    Measurement(
                        setting=plan.setting,
                        size=size,
                        seed=seed,
                        policy=spec,
                        clairvoyant=policy.clairvoyant,
                        proved=None if guarantee is None else float(guarantee.bound),
                        lower_bound=bound,
                        dropped=dropped,
                        **measured(schedule),
                    )
                )
        print(f"{plan.setting.words}: {size} requests done", file=sys.stderr)


def finished(runs: Runs, seeds: Sequence[int]) -> list[Measurement]:
    """Return the measurements of all experiments of which none is missing."""
    keys: dict[int, set[tuple[Setting, int, int, str]]] = {}
    for plan in plans():
        keys.setdefault(plan.experiment, set()).update(
            (plan.setting, size, seed, policy)
            for size in plan.sizes
            for seed in seeds
            for policy in plan.policies
        )
    wanted = set().union(*(some for some in keys.values() if some <= runs.known))
    return [m for m in runs.measurements if m.key in wanted]


def check_traces(traces: Path | None, wanted: Sequence[Plan]) -> Path:
    """Return the folder if it has what is wanted, or stop with one line."""
    if traces is None:
        numbers = ", ".join(sorted({str(plan.experiment) for plan in wanted}))
        sys.exit(f"--traces: must name the folder with the traces for experiment {numbers}")
    for plan in wanted:
        if not (traces / plan.setting.trace).is_file():
            sys.exit(f"--traces {traces}: has no {plan.setting.trace}")
    return traces


def experiments(text: str) -> set[int]:
    """Read the argument of --only."""
    numbers = set(text.split(","))
    if not numbers <= set("123456"):
        raise argparse.ArgumentTypeError(f"must be numbers from 1 to 6, got {text}")
    return {int(number) for number in numbers}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--traces", type=Path, metavar="DIR", help="folder with the traces")
    parser.add_argument("--output", type=Path, metavar="DIR", required=True)
    parser.add_argument("--samples", type=int, default=5, help="random samples for each point")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first sample")
    parser.add_argument("--only", type=experiments, default={1, 2, 3, 4, 5}, metavar="1,2,...")
    options = parser.parse_args()
    if options.samples < 1 or options.seed < 0:
        sys.exit("--samples must be at least 1, --seed at least 0")
    wanted = [plan for plan in plans() if plan.experiment in options.only]
    options.output.mkdir(parents=True, exist_ok=True)
    runs = Runs(options.output / ".runs.jsonl")
    seeds = range(options.seed, options.seed + options.samples)
    if wanted:
        traces = check_traces(options.traces, wanted)
        for plan in wanted:
            try:
                run(plan, traces, seeds, runs)
            except InputError as error:
                sys.exit(str(error))
    if options.only & {1, 2, 3, 4, 5}:
        report.write(options.output, options.only, finished(runs, seeds))
    if 6 in options.only:
        online_part(options.traces, options.output)


def online_part(traces: Path | None, output: Path) -> None:
    """Make and write up experiment 6."""
    if traces is None:
        sys.exit("--traces: must name the folder with the traces for experiment 6")
    for trace in online.TRACES:
        if not (traces / trace).is_file():
            sys.exit(f"--traces {traces}: has no {trace}")
    try:
        points = online.run(
            traces, output / ".online.jsonl", lambda news: print(news, file=sys.stderr)
        )
    except InputError as error:
        sys.exit(str(error))
    online.write(output, points)


if __name__ == "__main__":
    main()
