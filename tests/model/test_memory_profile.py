from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kvopt.model.memory_profile import LiveProfile, MemoryProfile, first_overflow, peak_memory

attempts = st.tuples(st.integers(0, 30), st.integers(0, 9), st.integers(1, 15))
"""(start, prompt, rounds)"""


def memory_in_round(runs: list[tuple[int, int, int]], r: int) -> int:
    return sum(prompt + r - start for start, prompt, end in runs if start < r <= end)


def ended(rows: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    return [(start, prompt, start + rounds) for start, prompt, rounds in rows]


@given(st.lists(attempts, max_size=12))
def test_profile_agrees_with_counting_round_by_round(rows: list[tuple[int, int, int]]) -> None:
    runs = ended(rows)
    columns = np.array(runs, dtype=np.int64).reshape(-1, 3)
    starts, prompts, ends = columns.T
    profile = MemoryProfile.of(starts, ends, prompts)
    expected = [memory_in_round(runs, r) for r in range(60)]
    assert [profile.at(r) for r in range(60)] == expected
    assert profile.peak() == peak_memory(starts, ends, prompts) == max(expected)
    assert profile.area() == sum(expected)
    for stop in range(max(expected) + 2):
        found = first_overflow(starts, ends, prompts, stop)
        over = [r for r, used in enumerate(expected) if used > stop]
        assert (found is None) == (not over)
        if found is not None:
            round, position = found
            assert round == over[0]
            start, _, end = runs[position]
            assert start == max(s for s, _, e in runs if s < round <= e)
            assert start < round <= end


def test_profile_is_exact_where_sums_exceed_64_bits() -> None:
    late = 10**17
    starts = np.arange(late, late + 1000)
    profile = MemoryProfile.of(starts, starts + 5, np.full(1000, 10**9))
    assert profile.at(late + 500) == 5 * 10**9 + 1 + 2 + 3 + 4 + 5
    assert profile.peak() == 5 * 10**9 + 15


@given(st.data(), st.integers(5, 40))
def test_live_profile_agrees_with_counting(data: st.DataObject, memory: int) -> None:
    profile = LiveProfile(memory)
    runs: list[tuple[int, int, int]] = []
    now = 0
    for _ in range(data.draw(st.integers(1, 25))):
        action = data.draw(st.sampled_from(["advance", "place", "place", "place", "remove"]))
        if action == "advance":
            now += data.draw(st.integers(0, 6))
            profile.advance(now)
        elif action == "place":
            prompt = data.draw(st.integers(0, memory - 1))
            rounds = data.draw(st.integers(1, memory - prompt))
            not_before = now + data.draw(st.integers(0, 5))
            start = profile.earliest_start(prompt, rounds, not_before)
            assert start == first_fit(runs, memory, prompt, rounds, not_before)
            if data.draw(st.booleans()):
                profile.add(start, prompt, start + rounds)
                runs.append((start, prompt, start + rounds))
        elif runs:
            run = data.draw(st.sampled_from(runs))
            profile.remove(*run)
            runs.remove(run)
        for r in range(now + 1, now + 80):
            assert profile.in_round(r) == memory_in_round(runs, r)


def first_fit(
    runs: list[tuple[int, int, int]], memory: int, prompt: int, rounds: int, not_before: int
) -> int:
    start = not_before
    while any(memory_in_round(runs, start + j) + prompt + j > memory for j in range(1, rounds + 1)):
        start += 1
    return start


def test_live_profile_with_many_breakpoints() -> None:
    # More than a block of breakpoints lie between the query and the first gap.
    profile = LiveProfile(10)
    for i in range(2000):
        profile.add(i, 9, i + 1)
    assert profile.earliest_start(0, 1, 0) == 2000
    assert profile.earliest_start(0, 1, 5000) == 5000
    profile.remove(1234, 9, 1235)
    assert profile.earliest_start(0, 1, 0) == 1234
    assert profile.earliest_start(0, 2, 0) == 2000
