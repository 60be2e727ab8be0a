"""The site: `sphinx-build -W docs OUT` makes it of the Markdown pages and the docstrings."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent

project = "kvopt"
author = copyright = "The kvopt developers"
release = re.search(r'__version__ = "(.*)"', (ROOT / "kvopt" / "__init__.py").read_text())[1]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

napoleon_google_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}

html_theme = "furo"
html_title = "kvopt"

OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+([^)]*)\)")


def without_links_outside(app, docname, source):
    """Write a link to a file of the repository that is not a page as a path."""

    def as_path(match):
        target = (Path(app.srcdir) / docname).parent / match[0].split("](")[1].rstrip(")")
        inside = target.resolve().is_relative_to(Path(app.srcdir).resolve())
        return match[0] if inside else f"{match[1]} (`{match[2]}`)"

    source[0] = OUTSIDE.sub(as_path, source[0])


def with_names_on_one_line(app, what, name, obj, options, lines):
    """Join a list of parameter names that goes on in the next line."""
    for i in range(len(lines) - 1, 0, -1):
        indented = lines[i - 1].startswith(" ") or lines[i].startswith(" ")
        if lines[i - 1].endswith(",") and lines[i].strip() and not indented:
            lines[i - 1] += " " + lines.pop(i)


def setup(app):
    """Have Sphinx call the functions above."""
    app.connect("source-read", without_links_outside)
    app.connect("autodoc-process-docstring", with_names_on_one_line, priority=400)
