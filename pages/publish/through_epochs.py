"""What a report plays through the epochs, without a server: K and R, and the law."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from pages.charts import animation
from pages.data import results
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.commutativity import panels as commutativity_panels
from pages.rooms.power_law import panels as power_law_panels
from pages.state.palette import LOOKS
from pages.ui import cards
from pages.ui.controls import provenance, usual_matrices


def play(view: View, name: str, count: int, leading: Sequence[int] = ()) -> Panel:
    """K and R_real at every analysed epoch, one after the other inside one figure, beside R_rand; leading: as in
    animation.play."""
    k = min(count, animation.MOST)
    frames = _frames(view, name, k)
    random = commutativity_panels.random_twin(view, name, k, 0)
    few = f" Of {len(view.epochs)} epochs {len(frames)} are shown." if len(frames) < len(view.epochs) else ""
    fewer = f" At most {animation.MOST} directions are shown here." if count > k else ""
    return Panel(
        Head(f"play-{name}", f"${LOOKS[name].tex}$ through the epochs, and over $k$"),
        f"epochs-{name}",
        animation.play(frames, view.epoch, random, leading=[n for n in leading if n < k] + [k] if leading else ()),
        f"K and R of {name} for the leading {k} directions at epochs {', '.join(str(f.epoch) for f in frames)}, "
        "one after the other.",
        "Each epoch in its own eigenbasis of H; one colour scale for all of them. "
        f"$R_\\mathrm{{rand}}$ is of epoch {view.epoch}.{few}{fewer} {provenance(view)}",
        arrays=lambda: {
            "epoch": np.array([f.epoch for f in frames]),
            "K": np.stack([f.block for f in frames]),
            "R_real": np.stack([f.correlation for f in frames]),
            **({} if random is None else {"R_rand": random}),
        },
        code=lambda: reproduce.along(
            view,
            f'K, R_real = result.projected("{name}", {k}), result.correlation("{name}", {k})',
            f'print(made.request.epoch, result.fit("{name}").gamma, result.commutator("{name}"))',
        ),
    )


def _frames(view: View, name: str, k: int) -> list[animation.Frame]:
    frames = []
    by_epoch = {made.request.epoch: made for made in view.analysed}
    for epoch in animation.fewer(view.epochs):
        a = results.analysis(view.run.key, by_epoch[epoch])
        if a is None:
            continue
        fit = cards.fit_or_none(a, name, cards.usual_window(a))
        numbers = [] if fit is None else [f"γ = {fit.gamma:.2f}"]
        if name in a.wholes:
            numbers.append(f"commutator error {a.commutator(name):.2f}, by chance {a.random_commutator(name):.2f}")
        frames.append(animation.Frame(epoch, a.projected(name, k), a.correlation(name, k), " · ".join(numbers)))
    return frames


def law(view: View, first: int, last: int) -> Iterator[Panel]:
    """The law at every analysed epoch, one after the other inside one figure, where there are several to be drawn."""
    laws: dict[int, Panel] = {}
    for made in sorted(view.analysed, key=lambda a: a.request.epoch):
        epoch, analysis = made.request.epoch, results.analysis(view.run.key, made)
        if analysis is not None and epoch in (*animation.fewer(view.epochs), view.epoch):
            there = {"": replace(view, chosen=made, analysis=analysis)}
            clouds = power_law_panels.clouds(there, usual_matrices(view), first, min(last, analysis.k))
            there_law = power_law_panels.law(there, clouds)
            laws |= {epoch: there_law} if there_law.figure.data else {}
    if view.epoch not in laws or len(laws) < 2:
        return
    now = laws[view.epoch]
    yield replace(
        now.called("play-power", "The law through the epochs"),
        figure=animation.through({epoch: one.figure for epoch, one in laws.items()}, view.epoch),
        alt=f"The power law at epochs {', '.join(map(str, laws))}, one after the other. {now.alt}",
        caption=f"Each epoch in its own eigenbasis of $H$, on axes that hold all of them. Directions {first + 1} … "
        f"{last:,} are fitted, above each epoch's noise floor.",
    )
