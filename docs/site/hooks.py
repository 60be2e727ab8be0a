"""What MkDocs is told to do with links that lead out of docs/."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent

OUTSIDE = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#]*)(?:#[^)]*)?\)")


def on_page_markdown(markdown, *, page, **_):
    """Write a link to a file of the repository that is not on the site as a path."""
    folder = (DOCS / page.file.src_uri).parent

    def as_path(match):
        target = (folder / match[2]).resolve()
        if target.is_relative_to(DOCS):
            return match[0]
        path = target.relative_to(DOCS.parent)
        return f"`{path}`" if match[1] in (path.name, str(path)) else f"{match[1]} (`{path}`)"

    return OUTSIDE.sub(as_path, markdown)
