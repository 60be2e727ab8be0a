"""Fonts for names in scripts that the usual font does not have."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["use_fonts_for"]

USUAL = "DejaVu Sans"
"""The font of all pictures, which comes with matplotlib."""

FURTHER = (
    "Noto Sans CJK SC",
    "Noto Sans CJK TC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans SC",
    "Noto Sans JP",
    "Noto Sans KR",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "IPAGothic",
    "NanumGothic",
    "Microsoft YaHei",
    "SimHei",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans GB",
    "Arial Unicode MS",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Emoji",
    "Symbola",
    "Unifont",
)
"""Families to look in for what the usual one does not have, in this order."""

SHOWN = 20
"""So many characters that no font has are shown."""


def use_fonts_for(figure: Figure) -> str:
    """Let every text of a picture use fonts that have its characters; return those none has.

    Families of `FURTHER` that are installed are added after the usual one as far as needed.
    """
    from matplotlib.text import Text

    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    wanted = {sign for text in texts for sign in text.get_text() if not sign.isspace()}
    missing = {sign for sign in wanted if ord(sign) not in characters(USUAL)}
    families = [USUAL]
    for family in FURTHER:
        if not missing:
            break
        here = {sign for sign in missing if ord(sign) in characters(family)}
        if here:
            families.append(family)
            missing -= here
    if len(families) > 1:
        for text in texts:
            text.set_fontfamily(families)
    found = sorted(missing)
    return "".join(found[:SHOWN]) + ("..." if len(found) > SHOWN else "")


@functools.cache
def characters(family: str) -> frozenset[int]:
    """Return the code points that a font has; none if it is not installed."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    try:
        file = findfont(FontProperties(family=[family]), fallback_to_default=False)
    except ValueError:
        return frozenset()
    return frozenset(get_font(file).get_charmap())
