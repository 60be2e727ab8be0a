"""Check certificates: files that prove bounds on an optimum, or a ratio to it.

    python -I -S -B proofs/checker [--json] [--max-steps N] [--max-memory MB] FILE...

prints one line for each file, and exits with 0 only if every claim is proved (1 if not, 2 if it
is called wrongly).  FILE may be - for standard input.  --json prints an object for each file.
What checking a file may take is limited (budget.py), so that no file takes long to refuse; for
large certificates of one's own there are --max-steps and --max-memory.
This folder is all there is to trust: plain Python 3.9 or newer, its standard library, nothing
of kvopt.  Begin with claims.py, which says what is claimed and has the table of the rules.
"""

from __future__ import annotations

import json
import sys

from budget import MEGABYTE, Budget
from claims import check
from limits import MAX_BYTES, MAX_MEMORY, MAX_STEPS
from reading import Refused

USAGE = (
    "usage: python -I -S -B proofs/checker [--json] [--max-steps N] [--max-memory MB] FILE...\n"
    f"N: elementary steps for a file, {MAX_STEPS} if not given; MB: megabytes, {MAX_MEMORY}"
)


def read(name: str) -> bytes:
    """Return the content of a file, or of standard input."""
    if name == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with open(name, "rb") as file:
        return file.read(MAX_BYTES + 1)


def limit_memory(megabytes: int) -> None:
    """Have the system hold the process to its memory, where it can, and to 100 MB for itself."""
    try:
        import resource  # not everywhere

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        size = (megabytes + 100) * MEGABYTE
        if hard == resource.RLIM_INFINITY or hard > size:
            resource.setrlimit(resource.RLIMIT_AS, (size, hard))
    except (ImportError, ValueError, OSError):
        pass  # the budget is there all the same


def main(arguments: list[str]) -> int:
    """Check files; print one line for each."""
    names, limits = [], {"--max-steps": MAX_STEPS, "--max-memory": MAX_MEMORY}
    words = iter(word for word in arguments if word != "--json")
    for word in words:
        value = next(words, "") if word in limits else ""
        if word in limits and value.isdecimal() and value.isascii() and 0 < len(value) <= 18:
            limits[word] = int(value)
        elif word == "-" or not word.startswith("-"):
            names.append(word)
        else:
            names = []
            break
    if not names:
        print(USAGE, file=sys.stderr)
        return 2
    limit_memory(limits["--max-memory"])
    failed = False
    for name in names:
        claim, reason = None, ""
        try:
            claim = check(read(name), Budget(*limits.values()))
        except Refused as error:
            reason = str(error)
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        except MemoryError:
            reason = "cannot be read: is too large"
        failed = failed or claim is None
        if "--json" in arguments:
            row = {"file": name, "holds": claim is not None, "claim": str(claim or "")}
            row["reason"] = reason
            for key in ("rule", "lower_bound", "upper_bound", "states"):
                row[key] = getattr(claim, key, None)
            print(json.dumps(row), flush=True)
        else:
            shown = name if name.isprintable() else ascii(name)
            verdict = f"REFUSED: {reason}" if claim is None else f"holds: {claim}"
            print(f"{shown}: {verdict}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # a file may have any name
    sys.exit(main(sys.argv[1:]))
