"""Compiling plain functions with numba: several modules together, once, and cached on disk.

The functions of a kernel are plain Python on integers and arrays.  numba compiles them when
they are needed first; the tests run the same source both ways.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import signal
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from kvopt.model.errors import SolverError
from kvopt.model.stopping import Stopping

__all__ = ["Kernel", "inlined", "lean"]

logger = logging.getLogger("kvopt.compiling")

Functions = TypeVar("Functions", bound=tuple[Any, ...])

Function = TypeVar("Function", bound=Callable[..., Any])


def lean(function: Function) -> Function:
    """Mark a function that makes no arrays and returns none: it needs no reference counts."""
    _options_of(function)["_nrt"] = False
    return function


def inlined(function: Function) -> Function:
    """Mark a function that is to become a part of those that call it, which costs compile time."""
    _options_of(function)["forceinline"] = True
    return function


def _options_of(function: Callable[..., Any]) -> dict[str, Any]:
    options: dict[str, Any] = function.__dict__.setdefault("options_of_numba", {})
    return options


class Kernel(Generic[Functions]):
    """Functions that are compiled together.

    Parameters
    ----------
    name
        What they do, for messages: "state search".
    functions
        The functions, each after those it calls.  They may be of several modules; a global name
        that two of them use must mean the same.
    exported
        A NamedTuple of callables; its fields name the functions that are called from outside.
    warm_up
        Calls each exported function with the types of arguments that it gets, and little to do, so
        that all is compiled there and then.
    options
        Further options of `numba.njit`.

    Raises
    ------
    SolverError
        If two modules use one global name for different things.
    """

    quiet_seconds = 2.0
    """Loading what was compiled before takes less; only what takes longer is announced."""

    def __init__(
        self,
        name: str,
        functions: Sequence[Callable[..., Any]],
        exported: type[Functions],
        warm_up: Callable[[Functions], None],
        **options: Any,
    ) -> None:
        self.name = name
        self._functions = functions
        self._exported = exported
        self._warm_up = warm_up
        self._options = options
        self._names = _merged_globals(functions)
        self._compiled: Functions | None = None
        self._lock = threading.Lock()

    @property
    def plain(self) -> Functions:
        """The functions as they stand, about a hundred times as slow."""
        fields: tuple[str, ...] = self._exported._fields  # type: ignore[attr-defined]
        return self._exported(*(self._names[name] for name in fields))

    @property
    def ready(self) -> bool:
        """Whether this process has compiled or loaded them."""
        return self._compiled is not None

    def compiled(self, stop: Stopping | None = None) -> Functions:
        """Return the compiled functions; compile them, or load them from disk, the first time.

        Parameters
        ----------
        stop
            The time that takes is not charged to it; ending it from outside breaks it off.
        """
        if self._compiled is None:
            with self._lock:
                if self._compiled is None:
                    self._compiled = self._first(stop or Stopping())
        return self._compiled

    def _first(self, stop: Stopping) -> Functions:
        notice = threading.Timer(
            self.quiet_seconds, logger.info, ("compiling the %s, once", self.name)
        )
        notice.daemon = True
        with stop.uncharged(), _breaking_off(stop):
            notice.start()
            try:
                try:
                    return self._built(cache=True)
                except Exception as error:  # no place for the cache, or what is in it is broken
                    if stop.interrupted:
                        raise KeyboardInterrupt from None
                    logger.info("the %s is not cached on disk: %s", self.name, error)
                    return self._built(cache=False)
            finally:
                notice.cancel()

    def _built(self, cache: bool) -> Functions:
        from numba import njit

        names = dict(self._names, __name__=__name__)  # the cache on disk looks for a module
        digest = self._digest()
        for function in self._functions:
            assert isinstance(function, types.FunctionType)
            copy = types.FunctionType(function.__code__, names, function.__name__)
            copy.__module__ = function.__module__
            # The cache on disk goes by this name, and must know the sources of all functions.
            copy.__qualname__ = f"{function.__qualname__}-{digest}"
            inner = function.__name__ not in self._exported._fields  # type: ignore[attr-defined]
            options = dict(self._options, cache=cache, no_cpython_wrapper=inner, nogil=True)
            options["no_cfunc_wrapper"] = True
            options.update(getattr(function, "options_of_numba", {}))
            names[function.__name__] = njit(**options)(copy)
        fields: tuple[str, ...] = self._exported._fields  # type: ignore[attr-defined]
        functions = self._exported(*(names[name] for name in fields))
        self._warm_up(functions)
        return functions

    def _digest(self) -> str:
        """Return a digest of all that the compiled code depends on but numba's version."""
        files = {inspect.getfile(function) for function in self._functions}
        digest = hashlib.sha256()
        for file in [__file__, *sorted(files)]:
            digest.update(Path(file).read_bytes())
        constants = {name: one for name, one in self._names.items() if _is_constant(one)}
        parts = (self._exported._fields, self._options, constants)  # type: ignore[attr-defined]
        digest.update(
            repr(
                [sorted(part.items()) if isinstance(part, dict) else part for part in parts]
            ).encode()
        )
        return digest.hexdigest()[:12]


@contextmanager
def _breaking_off(stop: Stopping) -> Iterator[None]:
    """Break compiling off between two passes of the compiler, and nowhere else.

    Signals wait for that, and so does the end of `stop` from outside, in any thread.  What a
    handler raises within a pass may get lost in a callback of LLVM, or leave objects of LLVM
    half made, which then complain.
    """
    from numba.core import event

    here = threading.get_ident()
    waiting: list[int] = []
    handlers: dict[int, Callable[..., Any]] = {}

    def deliver() -> None:
        while waiting:
            number = waiting.pop(0)
            handlers[number](number, None)

    class Watch(event.Listener):
        def on_start(self, event: object) -> None:
            if threading.get_ident() == here:
                deliver()
                if stop.interrupted:
                    raise KeyboardInterrupt

        def on_end(self, event: object) -> None:
            pass

    if threading.current_thread() is threading.main_thread():
        known = {number: signal.getsignal(number) for number in signal.valid_signals()}
        handlers = {number: one for number, one in known.items() if callable(one)}
    for number in handlers:
        signal.signal(number, lambda number, frame: waiting.append(number))
    try:
        with event.install_listener("numba:run_pass", Watch()):
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        deliver()


def _merged_globals(functions: Sequence[Callable[..., Any]]) -> dict[str, Any]:
    """Return the globals that the functions use, of all their modules together."""
    merged: dict[str, Any] = {}
    for function in functions:
        own = function.__globals__
        for name in {function.__name__, *_names_in(function.__code__)}:
            if name not in own:
                continue
            if name in merged and not _same(merged[name], own[name]):
                raise SolverError(f"{name}: means two things in one kernel")
            merged[name] = own[name]
    return merged


def _is_constant(value: Any) -> bool:
    return isinstance(value, (int, float, str, tuple))


def _same(one: Any, other: Any) -> bool:
    """Tell whether two globals mean the same: one object, or equal constants."""
    equal = type(one) is type(other) and _is_constant(one) and one == other
    return one is other or equal


def _names_in(code: types.CodeType) -> set[str]:
    """Return the names that code and the code in it looks up."""
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_names).union(*map(_names_in, inner))
