"""Draw which rooms of the package import which: docs/dev/architecture.svg.

    python scripts/build_architecture.py [--check]

The rooms are the folders of the package, and the arrows their imports, downwards only and without
those that follow from others. With --check nothing is written, and the exit
code is 1 if the picture is out of date.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterable
from pathlib import Path

from kvopt.model.files import write_text

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kvopt"
PICTURE = ROOT / "docs" / "dev" / "architecture.svg"

WIDTH, HEIGHT = 140, 34
"""Size of a box (pixels)."""

COLUMN, ROW = 190, 84
"""Distance of boxes in a row, and of rows (pixels)."""

MARGIN = 20

PLACES = {
    "cli": (1.5, 0),
    "plot": (2.2, 1),
    "report": (2.2, 2),
    "adversary": (3.4, 2),
    "batch": (4.4, 2),
    "comparison": (2.2, 3),
    "certificates": (1.65, 4),
    "policies": (3.0, 4),
    "solver": (1.65, 5),
    "simulation": (3.25, 5),
    "generate": (0.7, 5),
    "traces": (0.0, 6),
    "theory": (2.1, 6),
    "parallel": (4.1, 6),
    "model": (2.1, 7),
}
"""Column and row of each room: chosen by hand, so that no arrow runs through a box."""

Arrow = tuple[str, str]


def imported(file: Path) -> Iterable[str]:
    """Yield the rooms from which a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("kvopt."):
                yield name.split(".")[1]


def arrows() -> list[Arrow]:
    """Return who imports whom, without what follows from other arrows."""
    rooms = sorted(folder.parent.name for folder in PACKAGE.glob("*/__init__.py"))
    if missing := set(rooms) ^ PLACES.keys():
        sys.exit(f"PLACES: must name the folders of kvopt, differs in {sorted(missing)}")
    below: dict[str, set[str]] = {}
    for room in rooms:
        found = {other for file in (PACKAGE / room).rglob("*.py") for other in imported(file)}
        below[room] = {other for other in found & PLACES.keys() if row(other) > row(room)}
    reached: dict[str, set[str]] = {}
    for room in sorted(rooms, key=row, reverse=True):
        reached[room] = below[room].union(*(reached[other] for other in below[room]))
    return [
        (room, other)
        for room in rooms
        for other in sorted(below[room])
        if not any(other in reached[between] for between in below[room])
    ]


def row(room: str) -> float:
    return PLACES[room][1]


def centre(room: str) -> tuple[float, float]:
    """Return where the box of a room has its centre (pixels)."""
    x, y = PLACES[room]
    return MARGIN + WIDTH / 2 + x * COLUMN, MARGIN + HEIGHT / 2 + y * ROW


def picture(lines: list[Arrow]) -> str:
    """Return the picture."""
    width, height = (max(values) + MARGIN for values in zip(*map(centre, PLACES), strict=True))
    width, height = width + WIDTH / 2, height + HEIGHT / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        f' viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="14">',
        "<title>Rooms of kvopt, and what they import</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8"'
        ' markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for room, other in lines:
        (x1, y1), (x2, y2) = centre(room), centre(other)
        parts.append(
            f'<line x1="{x1:g}" y1="{y1 + HEIGHT / 2:g}" x2="{x2:g}" y2="{y2 - HEIGHT / 2:g}"'
            ' stroke="#555" marker-end="url(#tip)"/>'
        )
    for room in PLACES:
        x, y = centre(room)
        parts.append(
            f'<rect x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}"'
            f' height="{HEIGHT}" rx="6" fill="#eef3fb" stroke="#335"/>'
            f'<text x="{x:g}" y="{y + 5:g}" text-anchor="middle">{room}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if stale")
    options = parser.parse_args()
    new = picture(arrows())
    if PICTURE.exists() and PICTURE.read_text() == new:
        return
    if options.check:
        sys.exit(f"{PICTURE}: out of date; run scripts/build_architecture.py")
    write_text(PICTURE, new)


if __name__ == "__main__":
    main()
