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
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # generated tables begin at any level

napoleon_google_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}

html_theme = "furo"
html_title = "kvopt"
