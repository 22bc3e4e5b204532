"""What was found in the files, shown for confirmation, and the data it was trained on."""

import numpy as np
import streamlit as st

from engine.config.kinds import KINDS, flat, has_activation, layout, title
from engine.config.requests import DATASETS, ModelRequest
from engine.data import sources
from engine.models import inspection
from engine.models.inspection import Inspection
from engine.runs.preview import Preview
from engine.runs.run import Run
from engine.units import counted
from pages.charts import network
from pages.data import inputs
from pages.plot.panel import Head, Panel
from pages.rooms.load import text
from pages.rooms.load.form import bound, change, current, widget
from pages.rooms.train.controls import OWN_DATA, choose_classes, column_with_targets
from pages.text import run_names
from pages.text.run_names import escaped
from pages.ui.heading import heading

LONG, SCROLLED = 14, 400  # rows of a table from which on it scrolls, and its height in pixels

# -- the network ------------------------------------------------------------------------------------------


def confirmed(inspected: Inspection, run: Run | None = None) -> ModelRequest | None:
    """The likeliest architecture with its layers, for confirmation; of the run that it was measured in, the one
    taken."""
    heading("The network", text.LOADED, "How it was recognised", level=3)
    form = current()
    if inspected.parts:
        st.segmented_control(
            "Weights",
            inspected.parts,
            help="The file holds several sets of weights, such as those that were trained and their running average.",
            **bound("part"),
        )
    model = form.model(inspected) if run is None else run.request.model
    if model is None:
        if not inspected.parts or form.part is not None:
            st.warning(escaped(inspected.why), icon=":material/help:")
            by_hand(inspected)
        _tensors(inspected)
        return None
    own = model.kind in KINDS
    classes = f"{model.widths[-1]} classes" if model.widths[-1] > 1 else "1 output"
    st.markdown(f"{_what(model.kind)}, {_sizes(model)}, {classes}, {inspected.parameters:,} parameters.")
    if inspected.readings > 2 and run is None:
        st.caption(
            "Names and shapes allow other networks too, as with skip connections, another pooling or another order of "
            "the layers. Each is measured below, and the best one taken."
        )
    if inspected.aside:
        st.caption(f"Set aside, as no part of the network: {escaped(', '.join(inspected.aside))}.")
    if own:
        studied = form.layer or (inspected if run is None else run).studied
        Panel(
            Head("network"),
            "network",
            network.network(model, studied),
            f"The network as bars from input to classes; the layer {studied} is marked.",
            arrays=lambda: {"widths": np.array(model.widths)},
        ).show()
    _layers(inspected if run is None else run)
    _tensors(inspected)
    return model


def _what(kind: str) -> str:
    """A kind of network as the beginning of a sentence."""
    if kind not in KINDS and not layout(kind):
        name = kind.removeprefix("timm/")
        return f"{'torchvision' if name == kind else 'timm'}’s **{name}**"
    words = {"mlp": "fully connected", "cnn": "the paper’s CNN"}.get(kind, title(kind))
    return words[0].upper() + words[1:]


def _sizes(model: ModelRequest) -> str:
    if not flat(model.kind):
        return counted(model.widths[0], "channel")
    return "‑".join(map(str, model.widths)) if model.kind in KINDS else f"{model.widths[0]} inputs"


def by_hand(inspected: Inspection) -> None:
    """The lines that measure a network which is not recognised."""
    form = current()
    st.markdown("**Bring it with the class it was made by.** In Python, where that is known:")
    st.code(inspection.lines(inspected, form.names[0], form.request), language="python")
    st.caption("Nothing of your code runs in the dashboard; what is kept so appears on its pages.")


def _layers(inspected: Inspection | Run) -> None:
    rows = ["| layer | outputs × inputs | D | |", "|:--|--:|--:|:--|"]
    for name, (width, d_in) in inspected.layers.items():
        mark = ":primary[**studied**]" if name == (current().layer or inspected.studied) else ""
        rows.append(f"| {escaped(name)} | {width:,} × {d_in:,} | {width * d_in:,} | {mark} |")
    with st.container(height=SCROLLED if len(rows) > LONG else "content", border=False):
        st.markdown("\n".join(rows))


def _tensors(inspected: Inspection) -> None:
    with st.expander(f"All {len(inspected.tensors)} tensors of the file", icon=":material/list:"):
        st.dataframe(
            [
                {"name": t.name, "shape": " × ".join(map(str, t.shape)) or "one number", "type": t.dtype}
                for t in inspected.tensors
            ],
            hide_index=True,
            height=min(36 * (len(inspected.tensors) + 1) + 2, 300),
        )


# -- the data ---------------------------------------------------------------------------------------------


def training(model: ModelRequest, preview: Preview | None) -> None:
    """What the weights do not tell: data, scaling, activation, loss, epochs."""
    heading("How it was trained", text.LOADED_DATA, "Why this is asked", level=3)
    own, form = inputs.known(), current()
    names = [*DATASETS, *own]

    def changed() -> None:
        change(data=st.session_state["loading.data"], classes=None, reading=None, kind=None)

    st.session_state["loading.data"] = sources.split(form.data)[0]
    first, second = st.columns(2, vertical_alignment="bottom")
    first.selectbox(
        "Data set", names, format_func=lambda n: run_names.DATA.get(n, own.get(n, "own file")), key="loading.data",
        on_change=changed,
    )  # fmt: skip
    with second.popover("Your own", icon=":material/upload_file:", width="stretch"):
        _own_data()
    column_with_targets(form.data, "loading", lambda data: change(data=data, classes=None))
    if preview is not None and not preview.numbers:
        classes = form.request.data.classes
        choose_classes("Classes it knows", "loading.classes", preview, classes, lambda some: change(classes=some))
    st.selectbox(
        **widget("scaling"),
        format_func=run_names.scaling,
        accept_new_options=True,
        required=True,
        help="What was done to pixels 0 … 255 before training. As in the paper: 0 … 1, and for CIFAR-10 less the mean, "
        "divided by the deviation of each channel.",
    )
    if has_activation(model.kind):
        st.segmented_control(
            **widget("activation", label="Activation between the layers"),
            required=True,
            help="Weights do not tell it: choose what you trained with. A wrong one shows in the accuracy.",
        )
    third, fourth = st.columns(2)
    third.selectbox(**widget("loss"), format_func=run_names.loss)
    fourth.number_input(
        **widget("per_class"), help="Empty: all. Fewer make the check and the analysis of a large network quicker."
    )
    if len(form.files) > 1:
        st.text_input(
            "Epochs of the files",
            help="Read from their names. One for each file, in this order: " + escaped(", ".join(form.names)),
            **bound("epochs"),
        )


def _own_data() -> None:
    st.markdown(OWN_DATA)

    def taken() -> None:
        file = st.session_state["loading.own"]
        if file is not None:
            change(data=inputs.keep(file.getvalue(), file.name), classes=None, per_class=None)

    st.file_uploader(
        "Your data", type=inputs.TYPES, max_upload_size=inputs.MEGABYTES, key="loading.own", on_change=taken,
        label_visibility="collapsed",
    )  # fmt: skip
