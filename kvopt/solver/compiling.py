"""Compiling plain functions with numba, where it is installed."""

from __future__ import annotations

import importlib.util
import logging
import types
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

__all__ = ["has_numba", "jitted", "working"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


def has_numba() -> bool:
    """Tell whether numba is there, without loading it."""
    return importlib.util.find_spec("numba") is not None


def working(build: Callable[[bool], T]) -> T | None:
    """Return what `build` makes with compiled functions, or None if numba is missing or fails.

    Parameters
    ----------
    build
        Told whether to keep what is compiled on disk for the next process; called again
        with False where that is not possible.
    """
    if not has_numba():
        return None
    for cache in (True, False):
        try:
            return build(cache)
        except Exception as error:  # whatever happens in numba, there are other ways
            # An OSError or RuntimeError says that there is no place to keep the result.
            logger.info("numba, cache=%s: %s", cache, error)
    return None


def jitted(
    functions: Iterable[Callable[..., Any]],
    names: dict[str, Any],
    options: Callable[[Callable[..., Any]], dict[str, Any]],
) -> dict[str, Any]:
    """Return the globals of a module with some of its functions compiled.

    Parameters
    ----------
    functions
        The functions; each sees the compiled versions of those before it.
    names
        The globals of their module, which stay as they are.
    options
        Tells numba's options for a function.
    """
    from numba import njit

    names = dict(names)
    for function in functions:
        assert isinstance(function, types.FunctionType)
        copy = types.FunctionType(function.__code__, names, function.__name__)
        copy.__qualname__ = function.__qualname__
        names[function.__name__] = njit(**options(function))(copy)
    return names
