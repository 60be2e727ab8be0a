"""The queue in which requests may be passed, against lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvopt.policies.arrival_queue import ArrivalQueue


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["add", "take", "put back"]), st.integers(0, 9))),
)
def test_the_queue_is_that_of_lists(passes: int, steps: list[tuple[str, int]]) -> None:
    queue = ArrivalQueue(passes)
    tokens: list[int] = []
    passed: list[int] = []
    waiting: set[int] = set()
    for what, number in steps:
        first = next((i for i in sorted(waiting) if tokens[i] <= number), None)
        stuck = [i for i in waiting if passed[i] == passes]
        if first is not None and stuck and min(stuck) < first:
            first = None
        assert queue.first(number) == first
        assert queue.waiting() == sorted(waiting)
        assert {i for i, times in enumerate(passed) if times == passes} == queue.stuck
        if what == "add":
            queue.add(number)
            waiting.add(len(tokens))
            tokens.append(number)
            passed.append(0)
        elif what == "take" and first is not None:
            queue.take(first)
            waiting.remove(first)
            for i in waiting:
                passed[i] += i < first
        elif what == "put back" and len(waiting) < len(tokens):
            place = [i for i in range(len(tokens)) if i not in waiting][-1]
            queue.put_back(place, tokens[place])
            waiting.add(place)
