"""What the rows say of each of the paper's claims: rows in, sentences out. Whether a claim holds is decided by the
rows, and so is every number; each claim has a headline for either case."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from engine.losses import LOSSES
from engine.sweeps.means import cells, mean
from engine.sweeps.rows import Law
from pages.publish import beyond
from pages.publish.rows import (
    CLOSE,
    Claim,
    Row,
    Say,
    cell,
    courses,
    finite,
    grouped,
    last,
    lawful,
    number,
    pairs,
    share,
    signed,
    signed_span,
    span,
    symbol,
    times,
)
from pages.publish.tables import LAWS
from pages.rooms.suppression.panels import NEAR

# A commutator error below this share of what chance gives is small.
SMALL = 0.5
# R² above which the rebuilt noise is the measured one.
TIGHT = 0.99
# A predicted size within this factor is the right one.
FACTOR = 2.0


# -- what the paper claims ------------------------------------------------------------------------------------


def within(name: str, loss: str, rows: Sequence[Row]) -> Claim | None:
    """1 ≤ γ ≤ 2 for one matrix and loss."""
    laws = [(row, law) for row, law in lawful(last(rows), name) if row.request.loss == loss]
    if not laws:
        return None
    outside = [row for row, law in laws if not 1 <= law.gamma <= 2]
    known = [row for row in outside if np.isfinite(row.laws[name].low)]
    reaching = [row for row in known if row.laws[name].low <= 2 and row.laws[name].high >= 1]
    inside = share(len(laws) - len(outside), len(laws), "runs")
    text = f"It is {span(law.gamma for _, law in laws)}."
    if outside:
        text += f" Outside: {grouped(outside, lambda row: _with_interval(row.laws[name]))}."
    if known:
        text += f" Intervals that reach into 1 … 2: {len(reaching)} of {len(known)}."
    return Claim(not outside, f"γ of {symbol(name)} with {LOSSES[loss].noun} lies within 1 … 2 in {inside}", text)


def _with_interval(law: Law) -> str:
    interval = f", interval {span((law.low, law.high))}" if np.isfinite(law.low) else ""
    return number(law.gamma) + interval


def above(rows: Sequence[Row]) -> Claim | None:
    """γ with cross-entropy above γ with softmax-MSE."""
    cases = [(a, b) for a, b in pairs(last(rows)) if np.isfinite(a.laws["C"].gamma - b.laws["C"].gamma)]
    if not cases:
        return None
    sentences, holds = [], True
    for name in ("C", "C_awd"):
        gaps = finite(a.laws[name].gamma - b.laws[name].gamma for a, b in cases)
        larger, margins = sum(gap > 0 for gap in gaps), finite(a.laws[name].low - b.laws[name].high for a, b in cases)
        holds = holds and (name != "C" or larger == len(gaps))
        sentence = f"γ of {symbol(name)} is larger in {share(larger, len(gaps), 'pairs')}, by {signed_span(gaps)}"
        if margins:
            apart = sum(margin > 0 for margin in margins)
            sentence += f", and the intervals are apart in {share(apart, len(margins), 'pairs')}"
        sentences.append(sentence)
    close = [pair for pair in cases if pair[0].laws["C"].gamma <= pair[1].laws["C"].gamma]
    but = f" Not above: {grouped([a for a, _ in close], lambda row: number(row.laws['C'].gamma))}." if close else ""
    title = "Cross-entropy lies above softmax-MSE" if holds else "Cross-entropy does not always lie above softmax-MSE"
    return Claim(holds, title, f"On the same data, network, classes and seed: {'. '.join(sentences)}.{but}")


def commute(rows: Sequence[Row]) -> Claim | None:
    """Commutator errors and alignments beside chance."""
    sentences, worst = [], []
    for name in ("C", "C_awd"):
        laws = [(row, law) for row, law in lawful(last(rows), name) if np.isfinite(law.commutator)]
        if not laws:
            continue
        only = [law for _, law in laws]
        worst += [(law.commutator / law.random_commutator, row) for row, law in laws]
        sentences.append(
            f"{symbol(name)}: commutator error {span(law.commutator for law in only)}, at random "
            f"{span(law.random_commutator for law in only)}; alignment with the eigenbasis of $H$ "
            f"{span(law.alignment for law in only)}, at random {span(law.random_alignment for law in only)}; rank "
            f"correlation with $H_{{ii}}$ {span((law.spearman for law in only), 4)}"
        )
    if not worst:
        return None
    largest, row = max(worst, key=lambda one: one[0])
    holds = largest < SMALL
    title = "Noise and curvature nearly commute" if holds else "Noise and curvature do not commute everywhere"
    return Claim(
        holds,
        title,
        f"{'. '.join(sentences)}. The largest error, {cell(row)}, is {largest:.0%} of what chance gives. "
        "Chance is here a random rotation, which destroys also what $C$ and $H$ share by construction: anything "
        "structured beats it. The structural null, which keeps that, is computed run by run.",
    )


def dominant(rows: Sequence[Row]) -> Claim | None:
    """Suppression, first half: the dominant eigenvalue of every sample makes the noise."""
    known = [row for row in last(rows) if np.isfinite(row.kept_slope)]
    if not known:
        return None
    off = [row for row in known if abs(row.kept_slope - 1) >= NEAR or row.kept_r2 <= TIGHT]
    title = (
        "The largest curvature of every sample makes the noise"
        if not off
        else "The largest curvature of every sample does not make all of the noise"
    )
    text = (
        "Keeping only the dominant eigenvalue of each $h_p$, the new $\\mathrm{E}[h^2]_{ii}$ lie on the old ones with "
        f"slope {span(row.kept_slope for row in known)} and R² of at least "
        f"{number(min(row.kept_r2 for row in known), 4)}"
    )
    if off:
        text += f"; off 1 by {NEAR} or more in slope, or with R² of {TIGHT} or less: "
        text += grouped(off, lambda row: f"{number(row.kept_slope)}, R² {number(row.kept_r2, 4)}")
    return Claim(not off, title, f"{text}.")


def homogenised(rows: Sequence[Row]) -> Claim | None:
    """Suppression, second half: without their spread the exponent is 1."""
    known = [row for row in last(rows) if np.isfinite(row.homogenised + row.unedited)]
    if not known:
        return None
    off = [row for row in known if abs(row.homogenised - 1) >= NEAR]
    title = (
        "With one curvature for all stiff samples γ is 1, by algebra"
        if not off
        else "With one curvature for the stiff samples γ is not 1 everywhere"
    )
    text = (
        "Equal curvatures make $\\mathrm{E}[h^2]$ proportional to the edited $H$ whatever the data: a check, no "
        "evidence. "
        "Replacing the dominant eigenvalues of the stiff samples by their mean takes γ of $\\mathrm{E}[h^2]$ from "
        f"{span(row.unedited for row in known)} to {span(row.homogenised for row in known)}"
    )
    if off:
        listing = grouped(off, lambda row: f"{number(row.unedited)} to {number(row.homogenised)}")
        text += f"; off 1 by {NEAR} or more: {listing}"
    return Claim(not off, title, f"{text}.")


def predicted(rows: Sequence[Row]) -> Claim | None:
    """γ of C_AWD against γ of C."""
    known = [row for row in last(rows) if np.isfinite(row.laws["C_awd"].gamma - row.laws["C"].gamma)]
    if not known:
        return None
    gaps = {id(row): row.laws["C_awd"].gamma - row.laws["C"].gamma for row in known}
    off = [row for row in known if abs(gaps[id(row)]) >= CLOSE]
    text = f"γ of $C_\\mathrm{{AWD}}$ minus γ of $C$ is {signed_span(gaps.values())}."
    if off:
        text += f" {CLOSE} or more in {share(len(off), len(known), 'runs')}: "
        text += f"{grouped(off, lambda row: signed(gaps[id(row)]))}."
    title = "AWD predicts the exponent" if not off else "AWD does not predict the exponent everywhere"
    return Claim(not off, f"{title} to within {CLOSE}", text)


# -- what a single exponent hides: the size it says nothing of, and what it hangs on -------------------------


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


def _course(*gammas: float) -> str:
    return " → ".join(map(number, gammas))


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
        listing = grouped(off, lambda row: _course(row.laws["C"].half, row.laws["C"].gamma, row.laws["C"].double))
        text += f"By {CLOSE} or more in {share(len(off), len(laws), 'runs')} (γ over 𝒩/2 → 𝒩 → 2𝒩): {listing}. "
    if max(floor, default=0) > 0:
        text += f"Up to {max(floor):.0%} of a window lies below the noise floor and is left out."
    title = "γ does not hang on the number of directions" if not off else "γ hangs on the number of directions 𝒩"
    return Claim(not off, title, text.strip())


def bend(rows: Sequence[Row]) -> Claim | None:
    """Local slopes of a second-order fit."""
    laws = [(row, law) for row, law in lawful(last(rows), "C") if np.isfinite(law.top + law.end)]
    if not laws:
        return None
    bent = [row for row, law in laws if abs(law.top - law.end) >= CLOSE]
    text = (
        "A second-order fit of $\\log C_{ii}$ has slope "
        f"{span(law.top for _, law in laws)} at the sharpest direction and {span(law.end for _, law in laws)} at the "
        "flattest one of the window: the ends of a parabola, which hang on its middle, and no local slopes."
    )
    if bent:
        listing = grouped(bent, lambda row: _course(row.laws["C"].top, row.laws["C"].end))
        text += f" From the sharpest to the flattest: {listing}."
    title = "One power holds over the whole window" if not bent else "One power does not hold over the whole window"
    return Claim(not bent, title, text)


def convergence(rows: Sequence[Row]) -> Claim | None:
    """γ half-way through training and at its end, where the earlier checkpoints are analysed."""
    halves = {id(course[-1]): _half_way(course) for course in courses(rows) if len(course) > 1}
    before = {end: half.laws["C"].gamma for end, half in halves.items()}
    ends = [row for row, _ in lawful(last(rows), "C") if np.isfinite(before.get(id(row), np.nan))]
    if not ends:
        return None
    gaps = [row.laws["C"].gamma - before[id(row)] for row in ends]
    moved = [row for row, gap in zip(ends, gaps, strict=True) if abs(gap) >= CLOSE]
    half, end = (span((row.epoch for row in some), 0) for some in ([halves[id(row)] for row in ends], ends))
    text = f"From half-way (epoch {half}) to the end (epoch {end}) γ of $C$ changes by {signed_span(gaps)}"
    if moved:
        text += f"; by {CLOSE} or more in {share(len(moved), len(ends), 'runs')}: "
        text += grouped(
            moved, lambda row: f"{_course(before[id(row)], row.laws['C'].gamma)} at {row.train_accuracy:.1%}"
        )
    text += ". How it goes on from there is not known: a value belongs to its epoch and its training accuracy."
    title = "γ has settled half-way through training" if not moved else "γ still moves at the end of training"
    return Claim(not moved, title, text)


def _half_way(course: Sequence[Row]) -> Row:
    return min(course[:-1], key=lambda row: abs(row.epoch - course[-1].epoch / 2))


def seeds(rows: Sequence[Row]) -> Claim | None:
    """The spread over seeds against the interval over samples."""
    settings, spreads = cells(last(rows)), []
    for some in settings:
        average = mean(some, "C")
        widths = finite((row.laws["C"].high - row.laws["C"].low) / 2 for row in some)
        if average is not None and average.seeds > 1 and widths:
            # 1.96 standard deviations are the half-width of an interval over seeds.
            spreads.append((average.deviation, float(np.mean(widths)) / 1.96))
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
        f"{share(wider, len(spreads), 'settings')}. With {span(map(len, settings), 0)} seeds a setting the deviation "
        "itself is only roughly known.",
    )


CLAIMS: Sequence[Say] = (
    *(partial(within, name, loss) for loss in LOSSES for name in LAWS),
    *(above, commute, dominant, homogenised, predicted),
    *(size, window, bend, convergence, seeds),
    *beyond.CLAIMS,
)


def claims(rows: Sequence[Row]) -> list[Claim]:
    """Every claim that can be asked of these rows, those of the paper first."""
    return [claim for say in CLAIMS if (claim := say(rows)) is not None]
