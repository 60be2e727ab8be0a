"""Values of others as they are shown: in one line, without control characters, not long.

A name, a path or a text from a file may hold line breaks, escape sequences of terminals, marks
that turn the direction of writing, lone surrogates, or a million characters.  What is shown of
it goes through `one_line`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from os import PathLike

__all__ = ["LINE", "NAME", "ShownAsText", "abridged_repr", "counted", "file_text", "one_line"]

LINE = 1000
"""Longest line shown (characters)."""

NAME = 200
"""Longest name or path in a line (characters)."""


class ShownAsText:
    """What notebooks show as its text."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """Return the text as HTML, for notebooks."""
        return f"<pre>{html.escape(str(self))}</pre>"


def one_line(value: object, most: int = LINE) -> str:
    r"""Return a value as text of one line: what is not printable escaped, the middle cut out.

    Parameters
    ----------
    value
        Anything; its `str` is shown.
    most
        Longest result (characters), at least 10.

    Examples
    --------
    >>> print(one_line("two\nlines, \x1b[31mred"), one_line("x" * 99, 12))
    two\nlines, \x1b[31mred xxxxx...xxxx
    """
    text = _cut(str(value), most)
    if text.isprintable():
        return text
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return _cut("".join(shown), most)


def file_text(path: str | PathLike[str]) -> str:
    r"""Return a path as it is shown at the head of a line "path: verdict".

    It holds no ": ", so that no file name can say a verdict of its own.

    Examples
    --------
    >>> print(file_text("a.json: ok"))
    a.json\x3a ok
    """
    return one_line(path, NAME).replace(": ", "\\x3a ")


def abridged_repr(value: object, most: int) -> str:
    """Return `repr(value)` or a beginning of it of more than `most` characters.

    Lists and objects are written only as far as needed, however long or deep they are.
    """
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str | bytes):
        return repr(value[: most + 1])
    if type(value) is list:
        return _joined("[", value, "]", most)
    if type(value) is dict:
        return _joined("{", value, "}", most)
    return repr(value)


def _joined(begin: str, values: Iterable[object], end: str, most: int) -> str:
    text = begin
    for value in values:
        if len(text) > most:
            return text
        text += ", " if text != begin else ""
        room = max(0, most - len(text))
        text += abridged_repr(value, room)
        if isinstance(values, Mapping):
            text += ": " + abridged_repr(values[value], room)
    return text + end


def _cut(text: str, most: int) -> str:
    """Return a text without its middle if it is too long."""
    end = most // 3
    return text if len(text) <= most else f"{text[: most - end - 3]}...{text[-end:]}"


def counted(number: int, one: str, several: str = "") -> str:
    """Write a number and what is counted, in the singular or plural.

    Examples
    --------
    >>> counted(1, "file"), counted(2, "file"), counted(0, "policy", "policies")
    ('1 file', '2 files', '0 policies')
    """
    return f"{number} {one if number == 1 else several or f'{one}s'}"
