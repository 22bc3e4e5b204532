"""Whether the law depends on the layer: the network, what is analysed of it, and its numbers along depth."""

from collections.abc import Callable

import streamlit as st

from engine.runs import depth
from engine.runs.run import Run
from pages.data import depth as kept
from pages.data import results
from pages.jobs import banner, watch
from pages.rooms.layers import choice, panels, text
from pages.rooms.layers.panels import QUANTITIES, Layers
from pages.state import selection
from pages.text.run_names import escaped
from pages.ui import heading, toolbar

PAGE = "layers"
_OPEN = f"{PAGE}.open"  # a layer that was pressed


def show() -> None:
    """The network, the choice of layers with the button that analyses them, and the numbers of each."""
    st.title("Does the law depend on the layer?")
    results.view()  # what the foot of the page and the sidebar speak of
    run = results.chosen_run()
    if run is None or not run.checkpoints:
        banner.nothing_yet()
        return
    _go()
    script = st.container()
    studied = depth.layers_of(run)
    if not studied:
        st.info("No layer of this network can be studied: it has no linear layer or convolution of its own.")
        return
    made = kept.analysed(run)
    place = st.container()
    bar = toolbar.row(run)
    with bar:
        epoch = choice.epoch(PAGE, run)
    with toolbar.drawer(bar, f"{PAGE}.window"):
        first, last = choice.window(PAGE, run, made)
        source = st.empty()
    network = st.container()
    chosen = choice.layers(PAGE, studied)
    if run.left_out:
        st.caption(escaped(depth.without(run.left_out)))
    choice.analyse(PAGE, run, epoch, chosen)
    layers = Layers(run, epoch, chosen, tuple(made.get((epoch, one.name)) for one in chosen), first, last)
    source.caption(layers.provenance())
    every = panels.drawn(run, studied, [made.get((epoch, one.name)) for one in studied])
    with network:
        panels.network(layers, every, _pressed(run, epoch, [one.name for one in studied])).show()
    if chosen:
        with place:
            heading.answer(text.answer(epoch, layers.names, layers.columns), text.NETWORK)
        _numbers(layers)
    else:
        st.info("Press at least one layer above to see its numbers.", icon=":material/touch_app:")
    with script:  # last: a rerun that comes before the browser has the widgets would empty them
        watch.follow(run)


def _numbers(layers: Layers) -> None:
    """Every figure along depth, and one along training."""
    pressed = _pressed(layers.run, layers.epoch, layers.names)
    heading.over(panels.GAMMAS, level=2)
    panels.gammas(layers, pressed).show()
    if not any(layers.made):
        return
    with st.grid(2, min_column_width=380, gap="medium") as grid:
        for panel in panels.smaller(layers, pressed):
            with grid.cell():
                heading.titled(panel)
    _training(layers)


def _training(layers: Layers) -> None:
    """One number of every layer over the checkpoints that are analysed."""
    names = {one.name for one in layers.studied}
    epochs = sorted({epoch for epoch, name in kept.analysed(layers.run) if name in names})
    heading.over(panels.TRAINING, level=2)
    if len(epochs) < 2:
        st.info(
            "These layers are analysed at fewer than two checkpoints, and one point makes no curve. Analyse them at "
            "all checkpoints to see their course."
            if len(layers.run.checkpoints) > 1
            else "This run kept only one checkpoint: train again with more of them to see a course.",
            icon=":material/timeline:",
        )
        return
    selected = selection.current().quantity
    quantity = st.segmented_control(
        "Followed along training",
        list(QUANTITIES),
        format_func=lambda name: QUANTITIES[name].label,
        required=True,
        **selection.bound(PAGE, "quantity", selected if selected in QUANTITIES else "gamma"),
    )
    history = layers.run.history
    right = history.epoch[history.train_accuracy == 1]
    learned = int(right[0]) if right.size else None
    panels.training(layers, QUANTITIES[str(quantity)], epochs, learned).show()


def _pressed(run: Run, epoch: int, names: list[str]) -> Callable[[int], None]:
    """What a press on the layer of a place does: its power law opens, where it is analysed."""
    made = kept.analysed(run)

    def pressed(place: int) -> None:
        if 1 <= place <= len(names) and (epoch, names[place - 1]) in made:
            selection.choose(run=run.key, epoch=epoch, layer=names[place - 1])
            st.session_state[_OPEN] = True

    return pressed


def _go() -> None:
    """To the power law of the layer that was pressed: a callback cannot change the page itself."""
    if st.session_state.pop(_OPEN, False):
        selection.open_page("power_law")
