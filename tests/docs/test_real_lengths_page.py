"""What the page of real lengths says in words is what is stored."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

from kvopt.theory.decimals import rounded_down, rounded_up

RESULTS = Path(__file__).parents[2] / "docs" / "results"
ROWS = [json.loads(line) for line in (RESULTS / "brackets.jsonl").read_text().splitlines()]


def test_ratios_in_words_are_those_of_the_brackets() -> None:
    rows = [row for row in ROWS if row["requests"] == 1_000]
    chats = [row for row in rows if "lmsys" in row["setting"]]
    azure = [row for row in rows if "azure" in row["setting"]]
    assert (len(chats), len(azure)) == (4, 2)

    def between(policy: str) -> str:
        low = min(Fraction(row[policy], row["objective"]) for row in chats)
        high = max(Fraction(row[policy], row["certified"]) for row in chats)
        return f"{rounded_down(low, 1)} to {rounded_up(high, 1)}"

    def within(policy: str, some: list[dict[str, int]]) -> str:
        more = max(Fraction(row[policy], row["certified"]) for row in some) - 1
        return f"within {math.ceil(100 * more)} %"

    page = " ".join((RESULTS / "real.md").read_text().split())
    assert f"GSA-Spec is {between('gsa-spec')} times" in page
    assert f"FCFS {between('fcfs')} times" in page
    assert f"SPT pipeline is {within('spt-pipeline', chats)} on chats" in page
    assert f"GBA-D {within('gba-d', chats)}" in page
    assert f"MC-SF {within('mc-sf', chats)}" in page
    assert f"SVF is {within('svf', azure)}" in page
