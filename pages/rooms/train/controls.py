"""The widgets of the Train page's form, section by section."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.config.fields import declared
from engine.config.kinds import KINDS, RESNET_DEPTHS, by_depth
from engine.config.presets import CLASSES, Preset, presets
from engine.config.requests import DATASETS, TrainingRequest
from engine.data import sources
from engine.data.files import TABLES
from engine.runs.preview import Preview
from pages.data import inputs
from pages.rooms.train import summary
from pages.rooms.train.form import ANALYZE, FORM, Form, bound, current, put, widget
from pages.text import run_names
from pages.text.run_names import escaped

MORE_CLASSES = 20
OWN_DATA = (
    "A NumPy file **.npz** with `x_train` and `y_train`, and if you like `x_test`, `y_test` and `classes`. Images "
    "as (n, h, w) or (n, h, w, channels), features as (n, d), labels as whole numbers 0, 1, …, words or one-hot rows, "
    "or numbers to predict. "
    "Or a table, **.csv** or **.parquet**, with a column `label` or `target` and numbers in all others."
)
_ANALYZE = {"none": "none", "last": "the last epoch", "all": "every checkpoint"}


def _put_fitted(form: Form) -> None:
    put(form.fitted(summary.known(form.data)))


# -- presets ----------------------------------------------------------------------------------------------


def preset() -> None:
    """One press fills the form; the name stays marked while the form is as the preset has it.

    Buttons, which hold no value: a choice that the script takes back when a field is edited would be sent once more
    by a browser that has not heard of it, and undo the edit."""
    matched = current().matching()
    name = matched[0].name if matched else None

    def offer(chosen: Preset) -> None:
        st.button(
            chosen.name,
            key=f"train.preset.{chosen.name}",
            type="primary" if chosen.name == name else "secondary",
            on_click=put,
            args=(Form.of(chosen.request, chosen.analyze),),
        )

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("Start from", width="content")
        for one in presets():
            if one.prominent:
                offer(one)
        for menu, networks in (("More of the paper’s", False), ("Other networks", True)):
            with st.popover(menu):
                for one in presets():
                    if not one.prominent and one.network == networks:
                        offer(one)
    if matched is None:
        st.caption("Your own settings. A preset fills the whole form.")
        return
    window = matched[0].window.get(matched[1])
    fits = f" The paper fits the leading 𝒩 = {window:,} directions for {matched[1]} classes." if window else ""
    st.caption(f"{matched[0].name}: {matched[0].note}{fits}")


# -- the sections -----------------------------------------------------------------------------------------


def sections(preview: Preview | None) -> None:
    """All of a run's settings."""
    with st.container(border=True):
        _data(preview)
    with st.container(border=True):
        _model(preview)
    with st.container(border=True):
        _sgd()
    with st.container(border=True):
        st.markdown("**Afterwards**")
        st.segmented_control(
            "Analyse",
            list(ANALYZE),
            format_func=_ANALYZE.__getitem__,
            required=True,
            help="H and the covariances, at which checkpoints. More can be analysed later.",
            **bound("analyze"),
        )


def _data(preview: Preview | None) -> None:
    st.markdown("**Data**")
    own = inputs.known()
    names = [*DATASETS, *own]
    form = current()
    file = sources.split(form.data)[0]
    if file not in names:
        names.append(file)

    def changed() -> None:
        _put_fitted(FORM.changed(current(), data=st.session_state["train.data"], classes=None))

    st.session_state["train.data"] = file
    left, right = st.columns(2, vertical_alignment="bottom")
    left.selectbox(
        "Data set", names, format_func=lambda name: run_names.DATA.get(name, own.get(name, "own file")),
        key="train.data", on_change=changed,
    )  # fmt: skip
    with right.popover("Use your own", icon=":material/upload_file:", width="stretch"):
        _upload()
    column_with_targets(form.data, "train", lambda data: _put_fitted(FORM.changed(current(), data=data, classes=None)))
    if preview is not None and not preview.numbers:
        _classes(preview)
    first, second, third = _cells(3)
    most = max(preview.train, default=1) if preview is not None and not preview.numbers else None
    first.number_input(
        **widget("per_class"),
        help="Drawn at random, the same for the same data seed. Empty: all"
        + (f"; there are up to {most:,}." if most else "."),
    )
    second.number_input(
        **widget("label_noise"),
        format="%.2f",
        help="Share of the training labels that are replaced by another class.",
    )
    third.selectbox(
        **widget("scaling"),
        format_func=run_names.scaling,
        accept_new_options=True,
        help="As in the paper: 0 … 1, and for CIFAR-10 less the mean, divided by the deviation of each channel.",
    )


def column_with_targets(data: str, page: str, change: Callable[[str], None]) -> None:
    """What the targets of one's own data are taken for, and of a table the column that holds them."""
    if data in DATASETS:
        return
    file, column, targets = sources.split(data)
    keys = f"{page}.column", f"{page}.targets"

    def named() -> None:
        typed, chosen = (st.session_state.get(key) or "" for key in keys)
        change(sources.joined(file, typed.strip(), chosen))

    st.session_state.update(zip(keys, (column, targets), strict=True))
    if file.lower().endswith(TABLES):
        st.text_input("Column with the class", placeholder="label or target", key=keys[0], on_change=named)
    st.segmented_control(
        "Targets are",
        ["", *sources.TARGETS],
        format_func=lambda word: word or "as they look",
        required=True,
        key=keys[1],
        on_change=named,
        help="Whole numbers, words and one-hot rows look like classes; fractions, and whole numbers with gaps in a "
        "column of decimals, like numbers to predict.",
    )


def _cells(columns: int, count: int | None = None) -> list[DeltaGenerator]:
    """So many cells side by side, fewer in a row where the page is narrow."""
    with st.grid(columns, min_column_width=112, gap="small", vertical_alignment="bottom") as grid:
        return [grid.cell() for _ in range(count or columns)]


def _upload() -> None:
    st.markdown(OWN_DATA)
    file = st.file_uploader(
        "Your file",
        type=inputs.TYPES,
        max_upload_size=inputs.MEGABYTES,
        key="train.upload",
        label_visibility="collapsed",
    )
    if file is not None and st.session_state.get("train.uploaded") != file.file_id:
        st.session_state["train.uploaded"] = file.file_id
        path = inputs.keep(file.getvalue(), file.name)
        _put_fitted(FORM.changed(current(), data=path, classes=None, per_class=None))
        st.rerun()


def _classes(preview: Preview) -> None:
    """How many classes, and which."""
    classes, labels = current().request.data.classes, [label for label, count in enumerate(preview.train) if count]
    counts = [k for k in CLASSES if k < len(labels)]
    picked = tuple(labels) if classes is None else classes

    def first() -> None:
        k = st.session_state["train.first"]
        if k is None:
            return
        matched = current().matching()
        if matched is not None and k in CLASSES and len(labels) == max(CLASSES):
            theirs = Form.of(matched[0].run(k), matched[0].analyze)
            put(FORM.changed(theirs, analyze=current().analyze, seed=current().request.seed))
        else:
            _put_fitted(FORM.changed(current(), classes=None if k == len(labels) else tuple(labels[:k])))

    if counts:
        k = len(picked) if list(picked) == labels[: len(picked)] and len(picked) in (*counts, len(labels)) else None
        st.session_state["train.first"] = k
        st.segmented_control(
            "Classes",
            [*counts, len(labels)],
            format_func=lambda k: f"all {k}" if k == len(labels) else f"first {k}",
            help="The paper compares 3, 6 and 10 classes.",
            key="train.first",
            on_change=first,
        )
    choose_classes(
        "Which classes",
        "train.classes",
        preview,
        classes,
        lambda chosen: _put_fitted(FORM.changed(current(), classes=chosen)),
        label_visibility="collapsed" if counts else "visible",
    )


def choose_classes(
    label: str,
    key: str,
    preview: Preview,
    classes: tuple[int, ...] | None,
    take: Callable[[tuple[int, ...] | None], None],
    label_visibility: Literal["visible", "collapsed"] = "visible",
) -> None:
    """The classes there are, unless there are many, those chosen pressed; None are all of them."""
    labels = [c for c, count in enumerate(preview.train) if count]
    if len(labels) > MORE_CLASSES:
        return

    def changed() -> None:
        chosen = tuple(sorted(st.session_state[key]))
        take(None if list(chosen) == labels else chosen)

    st.session_state[key] = [c for c in (labels if classes is None else classes) if c in labels]
    st.pills(
        label,
        labels,
        selection_mode="multi",
        format_func=lambda c: escaped(preview.class_names[c]),
        key=key,
        on_change=changed,
        label_visibility=label_visibility,
    )


def _model(preview: Preview | None) -> None:
    st.markdown("**Network**")

    def changed() -> None:
        kind = st.session_state["train.model"]
        form = FORM.changed(current(), model=kind)
        _put_fitted(form.of_kind(kind) if KINDS[kind].hidden else form)

    kind = current().request.model.kind
    cells = iter(_cells(1 + bool(KINDS[kind].hidden) + (kind == "resnet")))
    next(cells).selectbox(
        **widget("model", options=list(KINDS), on_change=changed), format_func=lambda name: KINDS[name].label
    )
    if kind == "resnet":
        _depth(next(cells))
    if kind == "mlp":
        next(cells).text_input(
            **widget("widths"), help="For example 784-50-50-10. The layer before the last one is studied: 50 × 50."
        )
    elif KINDS[kind].hidden:
        first = "Channels of the image" if KINDS[kind].images else "Inputs"
        next(cells).text_input(
            **widget("widths", label="Widths"),
            help=f"{first}, a width for each {'block' if KINDS[kind].images else 'layer'}, classes.",
        )
    if kind != "mlp":
        st.caption(KINDS[kind].about)
    left, middle, right = _cells(3)
    left.selectbox(**widget("activation"))
    middle.selectbox(**widget("loss"), format_func=run_names.loss)
    right.toggle(**widget("bias"), help="The paper’s networks have none.")


def _depth(cell: DeltaGenerator) -> None:
    """The ResNet by its number of layers; none where its widths are others."""
    first, *hidden, last = current().widths.split("-") if current().widths.count("-") > 1 else ("1", "", "10")
    depths = {"-".join(map(str, by_depth(d))): d for d in RESNET_DEPTHS}
    st.session_state["train.depth"] = depths.get("-".join(hidden))

    def changed() -> None:
        put(replace(current(), widths="-".join(map(str, (first, *by_depth(st.session_state["train.depth"]), last)))))

    cell.selectbox(
        "Depth", list(RESNET_DEPTHS), placeholder="by widths", key="train.depth", on_change=changed,
        help="Layers with weights from the image to the classes. The time below follows it.",
    )  # fmt: skip


# How the numbers of SGD are written, and what is said of them beside their names.
_FORMATS = {"momentum": "%.3g", "stop_loss": "%.2e"}
_HELP = {
    "cosine_epochs": "The learning rate falls along half a cosine over so many epochs.",
    "clip_norm": "Norm of the whole gradient. Empty: off.",
    "stop_loss": "Training ends when every sample is right and the loss lies below. Empty: off.",
    "seed": "Of the first weights and the order of batches.",
    "data_seed": "Draws the samples and the wrong labels.",
}


def _number(cell: DeltaGenerator, name: str) -> None:
    form = "%.4g" if FORM.settings[name][1].kind is float else None
    cell.number_input(**widget(name), format=_FORMATS.get(name, form), help=_HELP.get(name))


def _sgd() -> None:
    st.markdown("**Stochastic gradient descent**")
    foremost = ("epochs", "batch_size", "learning_rate", "seed")
    for cell, name in zip(_cells(4), foremost, strict=True):
        _number(cell, name)
    with st.expander("More: schedule, clipping, momentum, when to stop, what to keep"):
        more = [name for name in declared(TrainingRequest) if name not in (*foremost, "checkpoints")]
        for cell, name in zip(_cells(3, len(more)), more, strict=True):
            _number(cell, name)
        left, right = st.columns([2, 1])
        left.text_input(**widget("checkpoints"), help="Kept beside the last epoch; each can be analysed.")
        _number(right, "data_seed")
