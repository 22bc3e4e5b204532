"""The Markdown of definitions as HTML: formulas become MathML, which browsers draw without any script or font."""

import html
import re
from functools import cache

from latex2mathml.converter import convert
from markupsafe import Markup

# Formulas first, so that nothing inside them is taken for emphasis.
_MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.S)
_EMPHASIS = (
    (re.compile(r"`(.+?)`", re.S), r"<code>\1</code>"),
    (re.compile(r"\*\*(.+?)\*\*", re.S), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w*])\*(?!\s)(.+?)(?<!\s)\*(?![\w*])", re.S), r"<em>\1</em>"),
)
_HOLD = "\ue000{}\ue001"


def blocks(markdown: str) -> Markup:
    """Paragraphs and lists."""
    return Markup("\n".join(_block(part) for part in re.split(r"\n\s*\n", markdown.strip())))


def _block(part: str) -> str:
    if not part.startswith("- "):
        return f"<p>{inline(part)}</p>"
    items = re.split(r"\n- ", part.removeprefix("- "))
    return f"<ul>{''.join(f'<li>{inline(item)}</li>' for item in items)}</ul>"


def inline(markdown: str) -> Markup:
    """One run of text: emphasis, code and formulas; all else letter by letter."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        block, within = match.groups()
        held.append(formula(block or within, block is not None))
        return _HOLD.format(len(held) - 1)

    text = html.escape(_MATH.sub(hold, markdown), quote=False)
    for pattern, markup in _EMPHASIS:
        text = pattern.sub(markup, text)
    for place, math in enumerate(held):
        text = text.replace(_HOLD.format(place), math)
    return Markup(text)


@cache
def formula(tex: str, block: bool = False) -> Markup:
    """A formula as MathML."""
    # An upright letter is said to be upright: MathML slants single letters.
    upright = re.sub(r"\\mathrm\s*\{?E\b\}?", r"\\operatorname{E}", tex)
    mathml = convert(" ".join(upright.split()), display="block" if block else "inline")
    return Markup(mathml.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', ""))
