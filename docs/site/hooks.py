"""What MkDocs is told to do besides: links out of docs/, and lists of parameters over two lines."""

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
        return f"{match[1]} (`{target.relative_to(DOCS.parent)}`)"

    return OUTSIDE.sub(as_path, markdown)
