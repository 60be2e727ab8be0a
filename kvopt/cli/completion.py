"""What a shell offers when TAB is pressed: policies and their parameters, families, formats.

What has parameters is completed as far as its name or the next key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from kvopt.policies import POLICIES, Policy
from kvopt.policies.policy import parameters

__all__ = ["PolicyText", "families", "formats"]


class PolicyText(click.ParamType):  # type: ignore[type-arg] # no generic in older click
    """One or more policies, as they are written on the command line.

    Parameters
    ----------
    read
        Makes the value of the option of the text.
    several
        Whether they may be several, separated by commas, or "all".
    """

    name = "text"

    def __init__(self, read: Callable[[str], Any] = str, several: bool = True) -> None:
        self._read = read
        self._several = several

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what the text means."""
        return self._read(value) if isinstance(value, str) else value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return policies that go on like the text, or further parameters of its last one."""
        before, comma, last = incomplete.rpartition(",") if self._several else ("", "", incomplete)
        known = {policy.name: policy for policy in POLICIES}
        name, colon, _ = last.partition(":")
        if colon:
            keys = _keys(known.get(name), last)
            return [CompletionItem(f"{before}{comma}{text}", help=about) for text, about in keys]
        offered = {name: _about(policy) for name, policy in known.items()}
        if self._several:
            offered["all"] = "every policy"
        return [
            CompletionItem(f"{before}{comma}{text}", help=about)
            for text, about in offered.items()
            if text.startswith(last)
        ]


def _about(policy: type[Policy]) -> str:
    return (policy.__doc__ or "").strip().partition("\n")[0]


def _keys(policy: type[Policy] | None, text: str) -> list[tuple[str, str]]:
    """Return NAME:key=value:KEY= for each further key, and what it means."""
    done, _, begun = text.rpartition(":")
    if policy is None or "=" in begun:
        return []
    given = {part.partition("=")[0] for part in done.split(":")[1:]}
    return [
        (f"{done}:{key}=", str(field.metadata["doc"]))
        for key, field in parameters(policy).items()
        if key.startswith(begun) and key not in given
    ]


def families(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the families of instances that begin like the text."""
    from kvopt.generate import PARAMETRIC, RANDOM

    names = [*RANDOM, *(family.name for family in PARAMETRIC)]
    return [name for name in names if name.startswith(incomplete)]


def formats(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the formats of traces that begin like the text."""
    from kvopt.traces import FORMATS

    return [format.name for format in FORMATS if format.name.startswith(incomplete)]
