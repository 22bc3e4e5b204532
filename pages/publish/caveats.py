"""What a single exponent hides: the size it says nothing of, and what it hangs on. Rows in, sentences out, as in
pages.publish.claims."""

from collections.abc import Iterable, Sequence

import numpy as np

from engine.sweeps import rows as table
from engine.sweeps.rows import Law, Row
from pages.publish.rows import CLOSE, Claim, Say, courses, finite, grouped, last, lawful
from pages.publish.wording import number, share, signed_span, span, times

# A predicted size within this factor is the right one.
FACTOR = 2.0


def size(rows: Sequence[Row]) -> Claim | None:
    """tr C_AWD against tr C."""
    ratios = finite(row.laws["C_awd"].trace / row.laws["C"].trace for row in last(rows))
    if not ratios:
        return None
    holds = all(1 / FACTOR <= ratio <= FACTOR for ratio in ratios)
    title = f"AWD predicts the size of the noise to a factor of {FACTOR:g}" if holds else "AWD misses the noise's size"
    return Claim(
        holds,
        title,
        f"$\\mathrm{{tr}}(C_\\mathrm{{AWD}}) / \\mathrm{{tr}}(C)$ is {times(ratios)}, in the median "
        f"{times([float(np.median(ratios))])}. What duality predicts can be compared with the measured noise in shape"
        f"{' and in scale' if holds else ', not in scale'}.",
    )


def window(rows: Sequence[Row]) -> Claim | None:
    """γ over half the window and over twice as many directions."""
    laws = [(row, row.laws["C"]) for row, _ in lawful(last(rows), "C")]
    half = {id(row): law.half - law.gamma for row, law in laws}
    double = {id(row): law.double - law.gamma for row, law in laws}
    if not finite([*half.values(), *double.values()]):
        return None
    off = [row for row, _ in laws if max(map(abs, finite((half[id(row)], double[id(row)]))), default=0) >= CLOSE]
    floor = finite(law.discarded for _, law in laws)
    text = f"Fitted over half the window, γ of $C$ changes by {signed_span(half.values())}"
    text += f"; over twice the window, by {signed_span(double.values())}. " if finite(double.values()) else ". "
    if off:
        listing = grouped(off, lambda row: _windows(row.laws["C"]))
        text += f"By {CLOSE} or more in {share(len(off), len(laws), 'runs')} (γ over 𝒩/2 → 𝒩 → 2𝒩): {listing}. "
    if max(floor, default=0) > 0:
        text += f"Up to {max(floor):.0%} of a window lies below the noise floor and is left out."
    title = "γ does not hang on the number of directions" if not off else "γ hangs on the number of directions 𝒩"
    return Claim(not off, title, text.strip())


def _windows(law: Law) -> str:
    return " → ".join(number(value) for value in (law.half, law.gamma, law.double))


def bend(rows: Sequence[Row]) -> Claim | None:
    """Local slopes of a second-order fit."""
    laws = [(row, law) for row, law in lawful(last(rows), "C") if np.isfinite(law.top + law.end)]
    if not laws:
        return None
    bent = [row for row, law in laws if abs(law.top - law.end) >= CLOSE]
    text = (
        "By a second-order fit of $\\log C_{ii}$ the local slope is "
        f"{span(law.top for _, law in laws)} at the sharpest direction and {span(law.end for _, law in laws)} at the "
        "flattest one of the window."
    )
    if bent:
        text += f" From the sharpest to the flattest: {grouped(bent, lambda row: _ends(row.laws['C']))}."
    title = "One power holds over the whole window" if not bent else "One power does not hold over the whole window"
    return Claim(not bent, title, text)


def _ends(law: Law) -> str:
    return f"{number(law.top)} → {number(law.end)}"


def convergence(rows: Sequence[Row]) -> Claim | None:
    """γ half-way through training and at its end, where the earlier checkpoints are analysed."""
    known = [course for course in courses(rows) if len(course) > 1 and np.isfinite(course[-1].laws["C"].gamma)]
    before = {id(course[-1]): _half_way(course) for course in known}
    ends = [course[-1] for course in known if np.isfinite(before[id(course[-1])].laws["C"].gamma)]
    if not ends:
        return None
    gaps = {id(row): row.laws["C"].gamma - before[id(row)].laws["C"].gamma for row in ends}
    moved = [row for row in ends if abs(gaps[id(row)]) >= CLOSE]
    text = f"From half-way (epoch {_epochs(before[id(row)] for row in ends)}) to the end (epoch {_epochs(ends)}) γ of "
    text += f"$C$ changes by {signed_span(gaps.values())}"
    if moved:
        listing = grouped(moved, lambda row: f"{number(before[id(row)].laws['C'].gamma)} → {_end(row)}")
        text += f"; by {CLOSE} or more in {share(len(moved), len(ends), 'runs')}: {listing}"
    text += ". How it goes on from there is not known: a value belongs to its epoch and its training accuracy."
    title = "γ has settled half-way through training" if not moved else "γ still moves at the end of training"
    return Claim(not moved, title, text)


def _half_way(course: Sequence[Row]) -> Row:
    return min(course[:-1], key=lambda row: abs(row.epoch - course[-1].epoch / 2))


def _epochs(rows: Iterable[Row]) -> str:
    return span((row.epoch for row in rows), 0)


def _end(row: Row) -> str:
    return f"{number(row.laws['C'].gamma)} at {row.train_accuracy:.1%}"


def seeds(rows: Sequence[Row]) -> Claim | None:
    """The spread over seeds against the interval over samples."""
    spreads = []
    for classes in table.groups(last(rows)).values():
        for some in classes.values():
            mean = table.mean(some, "C")
            widths = finite((row.laws["C"].high - row.laws["C"].low) / 2 for row in some)
            if mean is not None and mean.seeds > 1 and widths:
                # 1.96 standard deviations are the half-width of an interval over seeds.
                spreads.append((mean.deviation, float(np.mean(widths)) / 1.96))
    if not spreads:
        return None
    wider = sum(spread > over_samples for spread, over_samples in spreads)
    holds = wider == 0
    title = (
        "The interval over samples covers the spread over seeds"
        if holds
        else "The interval over samples says little about another seed"
    )
    return Claim(
        holds,
        title,
        f"γ of $C$ deviates by {span((spread for spread, _ in spreads), 3)} from seed to seed; the sampling error of "
        f"one run is {span((over for _, over in spreads), 3)}. The seeds deviate more in "
        f"{share(wider, len(spreads), 'settings')}. With {_seeds(rows)} seeds a setting the deviation itself is only "
        "roughly known.",
    )


def _seeds(rows: Sequence[Row]) -> str:
    counts = [len(some) for classes in table.groups(last(rows)).values() for some in classes.values()]
    return span(counts, 0)


CAVEATS: Sequence[Say] = (size, window, bend, convergence, seeds)
