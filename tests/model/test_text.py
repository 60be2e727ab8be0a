"""Texts of others as they are shown."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kvopt import InputError, KvoptError, PolicyError
from kvopt.model.instance import abridged
from kvopt.model.text import LINE, NAME, file_text, one_line

ANY = st.text(st.characters(exclude_categories=()))


@given(ANY, st.integers(10, 50))
def test_one_line_can_be_shown_and_is_short(text: str, most: int) -> None:
    shown = one_line(text, most)
    assert shown.isprintable()
    assert len(shown) <= most
    assert one_line(shown, most) == shown
    if text.isprintable() and len(text) <= most:
        assert shown == text


@given(ANY)
def test_the_name_of_a_file_holds_no_verdict(text: str) -> None:
    assert ": " not in file_text(text + ": ok")


@given(ANY)
def test_errors_are_one_line(text: str) -> None:
    for error in (KvoptError(text), InputError(text).within(text), PolicyError(text, 1, 2, text)):
        assert str(error).isprintable()
        assert len(str(error)) <= LINE
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_end_of_a_long_message_is_kept() -> None:
    error = InputError("memory: must be 1, got 2").within("x" * 10**6)
    assert str(error).startswith("xxx")
    assert str(error).endswith("xxx: memory: must be 1, got 2")
    assert len(str(error)) < NAME + 40


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner) | st.dictionaries(ANY, inner),
)


@given(values)
def test_abridged_begins_as_repr_does(value: Any) -> None:
    text = abridged(value)
    if isinstance(value, int) and value.bit_length() > 128:
        return
    assert text.isprintable()
    assert len(text) <= 63
    if len(repr(value)) <= 60 and "integer of" not in text:
        assert text == repr(value)


def test_abridged_is_quick_and_never_too_deep() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert abridged(deep) == "[" * 60 + "..."
    deep = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert abridged(deep).startswith("{'a': {'a': ")
    for value in (["x" * 10**7] * 10**6, [10**5000], {"x" * 10**7: 1}, "\n" * 10**7):
        assert len(abridged(value)) <= 63
        assert abridged(value).isprintable()


def test_numbers_beyond_the_limit_of_digits_are_described() -> None:
    for value in (10**5000, -(10**5000), [[10**5000]]):
        assert "an integer of 16610 bits" in abridged(value)
