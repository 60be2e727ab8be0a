"""Which settings and policies the report compares, and what the policies know."""

from __future__ import annotations

from paper.measures import Results, Setting

SPECULATIVE = {True: "gsa-spec:alpha=2:beta=64", False: "gsa-spec:alpha=2:beta=256"}
"""GSA-Spec as in the paper, on rounded and on raw lengths."""

RIVALS = ("fcfs", "a-min")

UNKNOWN, PREDICTED, KNOWN = "unknown", "within a factor 2", "known"
"""What a policy knows of the output lengths."""


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


def knowledge(results: Results, setting: Setting, policy: str) -> str:
    """Return what a policy knows of the output lengths."""
    if ":width=" in policy:
        return PREDICTED
    run = results.runs(setting, results.sizes(setting)[-1], policy)[0]
    return KNOWN if run.clairvoyant else UNKNOWN


def by_mean(results: Results, setting: Setting) -> list[str]:
    """Return the policies of a setting, the best one on the largest samples first."""
    size = results.sizes(setting)[-1]
    return sorted(results.policies(setting), key=lambda p: results.mean(setting, size, p))
