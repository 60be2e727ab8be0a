"""Random times of release: requests that arrive at a chosen load.

Times between arrivals are independent.  With Poisson arrivals they are exponential; bursty ones
have gaps with a Gamma distribution and a coefficient of variation above 1, which is how
measurements of serving systems have been modelled (Wang et al., BurstGPT, KDD 2025).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kvopt.model.errors import InputError
from kvopt.model.instance import MAX_TIME, abridged
from kvopt.model.milliseconds import decimal_fraction, decimal_text
from kvopt.model.spec import Parser, choice
from kvopt.theory.pipeline import area

__all__ = ["ArrivalProcess", "arrival_process"]

KEYS = ("arrivals", "load", "cv")


@dataclass(frozen=True, slots=True)
class ArrivalProcess:
    """Arrivals whose gaps are drawn independently.

    Parameters
    ----------
    kind
        "poisson" or "bursty".
    load
        Arrival rate (requests per round) times the mean area over the memory.
    cv
        Coefficient of variation of the gaps: 1 for Poisson arrivals.
    """

    kind: str
    load: Fraction
    cv: Fraction

    def text(self) -> str:
        """Return the canonical parameters."""
        parts = [f"arrivals={self.kind}"]
        if self.kind != "poisson":
            parts.append(f"cv={decimal_text(self.cv)}")
        return ":".join([*parts, f"load={decimal_text(self.load)}"])

    def pattern(self) -> str:
        """Return the canonical parameters but the load, which only stretches the gaps."""
        return self.text().rpartition(":")[0]

    def releases(
        self, rng: random.Random, memory: int, prompts: Sequence[int], outputs: Sequence[int]
    ) -> list[int]:
        """Draw release times (rounds), the first 0, ascending.

        A request is released at the first end of a round at or after its arrival.

        Parameters
        ----------
        rng
            Where chance comes from.  With the same state, another load stretches the same gaps.
        memory
            Memory budget M (tokens).
        prompts, outputs
            Lengths of the requests (tokens), shape (n,) each.
        """
        total_area = sum(map(area, prompts, outputs))
        mean_gap = float(Fraction(total_area, len(outputs)) / memory / self.load)
        gap = _gaps(rng, float(self.cv))
        time, releases = 0.0, [0]
        for _ in outputs[1:]:
            time += gap()
            releases.append(min(math.ceil(time * mean_gap), MAX_TIME))
        return releases


def arrival_process(given: dict[str, str], what: str) -> ArrivalProcess | None:
    """Take the parameters of arrivals out of those of a family, given as text.

    Parameters
    ----------
    given
        Keys and values; arrivals, load and cv are taken out.
    what
        What is named, for messages.

    Returns
    -------
    ArrivalProcess or None
        None if everything is released at time 0.

    Raises
    ------
    InputError
        If a value is not acceptable, or there is a load without arrivals.
    """
    mine = {key: given.pop(key) for key in KEYS if key in given}
    if not mine:
        return None
    if "arrivals" not in mine:
        key = next(iter(mine))
        raise InputError(f"{what}: {key}: must come with arrivals=poisson or arrivals=bursty")
    kind = choice("poisson", "bursty")(mine["arrivals"], f"{what}: arrivals")
    if kind == "poisson" and "cv" in mine:
        raise InputError(f"{what}: cv: must come with arrivals=bursty, got arrivals=poisson")
    load = _positive(1000)(mine.get("load", "0.9"), f"{what}: load")
    cv = _positive(100)(mine.get("cv", "1" if kind == "poisson" else "3"), f"{what}: cv")
    return ArrivalProcess(kind, load, cv)


def _positive(most: int) -> Parser:
    """Return a parser of exact decimal numbers from 1/1000 to `most`."""

    def parse(text: str, name: str) -> Fraction:
        value = decimal_fraction(text)
        if value is None or not Fraction(1, 1000) <= value <= most or 10**9 % value.denominator:
            raise InputError(
                f"{name}: must be a decimal number from 0.001 to {most}, with at most 9 decimals,"
                f" got {abridged(text)}"
            )
        return value

    return parse


def _gaps(rng: random.Random, cv: float) -> Callable[[], float]:
    """Return a function that draws gaps of mean 1."""
    if cv == 1:
        return lambda: rng.expovariate(1.0)
    return lambda: rng.gammavariate(1 / cv**2, cv**2)
