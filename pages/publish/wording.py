"""Numbers in Markdown sentences: spans, counts, lists."""

import math
from collections.abc import Iterable, Sequence

from pages.state.palette import LOOKS


def symbol(name: str) -> str:
    """A matrix as a formula."""
    return f"${LOOKS[name].tex}$"


def number(value: float, digits: int = 2) -> str:
    """A number with so many decimals; a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}"
    # −0.00 is 0.00.
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """A difference with its sign."""
    text = number(value, digits)
    return text if text[0] in "−–" or not text.strip("0.") else f"+{text}"


def span(values: Iterable[float], digits: int = 2) -> str:
    """From the smallest to the largest number; one number where both read the same."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return "–"
    low, high = number(min(known), digits), number(max(known), digits)
    return low if low == high else f"{low} … {high}"


def signed_span(values: Iterable[float], digits: int = 2) -> str:
    """A span of differences."""
    known = [value for value in values if math.isfinite(value)]
    low, high = (signed(value, digits) for value in (min(known, default=math.nan), max(known, default=math.nan)))
    return low if low == high else f"{low} … {high}"


def times(values: Iterable[float]) -> str:
    """A span of ratios, two digits each."""
    known = sorted(value for value in values if math.isfinite(value))
    texts = [number(value, max(0, 1 - math.floor(math.log10(value)))) if value > 0 else "0" for value in known]
    return " … ".join(dict.fromkeys((texts[0], texts[-1]))) if texts else "–"


def counted(count: int, what: str) -> str:
    """So many of something, in the singular for one."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def share(count: int, total: int, what: str) -> str:
    """How many of how many."""
    if count == total:
        return {1: f"the only {what[:-1]}", 2: f"both {what}"}.get(total, f"all {total} {what}")
    return f"{count or 'none'} of {total} {what}"


def listed(parts: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table, the first columns flush left."""
    rule = [":--" if place < left else "--:" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
