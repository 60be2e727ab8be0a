"""Lengths in the image of real requests: quantile functions fitted to public traces.

Each kind has a quantile function of prompts and one of outputs, linear between the percentiles
of `LEVELS`, which are those of a trace, rounded to integers; its 0.1 % longest lengths are left
out.  So the percentiles match, and the means, given below as "fit / trace" (tokens), nearly do.
Prompts and outputs are independent: the rank correlations of the traces are 0.3 at most.

=============  =================================================  ==============  ============
kind           trace                                              prompts         outputs
=============  =================================================  ==============  ============
chat           LMSYS-Chat-1M, first 20,000 rows of the extract    79 throughout   215 / 210
               in NanoFlow (github efeslab/Nanoflow)
capped         the same, outputs capped at 256                    79 throughout   145 / 143
code           Azure LLM inference trace 2023, code               2,115 / 2,048   31 / 28
conversation   the same, conversations, first 10,000 rows         1,335 / 1,242   219 / 218
long           Mooncake, conversations, first 2,000 rows          14,174 / 13,721 351 / 352
mixed          BurstGPT, first 400 rows, without failures         566 / 544       293 / 289
=============  =================================================  ==============  ============

The common prompt of 79 tokens is that of the setting of Feng, Yang and Zhang 2026 (arXiv
2601.22996); `prompt=2..1336` would give chats their own prompts.  Sources of the traces: Zheng
et al. 2024 (LMSYS-Chat-1M); Patel et al., ISCA 2024 (Azure, CC-BY-4.0); Qin et al., FAST 2025
(Mooncake); Wang et al., KDD 2025 (BurstGPT, CC-BY-4.0).
"""

from __future__ import annotations

import random
from typing import NamedTuple

__all__ = ["CHAT", "CODE", "CONVERSATION", "LEVELS", "LONG", "MIXED", "Lengths", "drawn_length"]

LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
"""Shares of requests that are no longer than the lengths of a quantile function."""


class Lengths(NamedTuple):
    """Quantiles of the prompts and of the outputs of a kind of requests, at `LEVELS` (tokens)."""

    prompts: tuple[int, ...]
    outputs: tuple[int, ...]


CHAT = Lengths(
    prompts=(2, 6, 11, 28, 83, 298, 424, 751, 1336),
    outputs=(1, 12, 40, 145, 343, 513, 521, 845, 1025),
)
CODE = Lengths(
    prompts=(3, 147, 578, 1469, 2744, 5188, 7303, 7436, 7437),
    outputs=(6, 7, 9, 13, 24, 55, 90, 251, 825),
)
CONVERSATION = Lengths(
    prompts=(2, 307, 398, 1034, 1203, 4076, 4086, 4123, 5244),
    outputs=(7, 50, 80, 136, 396, 427, 461, 611, 939),
)
LONG = Lengths(
    prompts=(891, 1025, 2642, 7965, 17047, 29449, 47626, 98817, 121925),
    outputs=(1, 25, 165, 363, 485, 602, 689, 1060, 2000),
)
MIXED = Lengths(
    prompts=(9, 23, 68, 353, 928, 1437, 1639, 1958, 2076),
    outputs=(2, 19, 68, 238, 384, 584, 842, 1425, 1975),
)


def drawn_length(rng: random.Random, quantiles: tuple[int, ...]) -> int:
    """Draw a length (tokens) by its quantiles at `LEVELS`."""
    share = rng.random() * LEVELS[-1]
    k = 0
    while share >= LEVELS[k + 1] and k + 2 < len(LEVELS):
        k += 1
    part = (share - LEVELS[k]) / (LEVELS[k + 1] - LEVELS[k])
    return round(quantiles[k] + part * (quantiles[k + 1] - quantiles[k]))
