"""Where a trained network comes from: files that are uploaded, a folder on this machine, or a run that is here."""

import os
import subprocess
import sys
from pathlib import Path

import streamlit as st

from engine.errors import require
from engine.models import files, inspection
from engine.models.inspection import Inspection
from engine.runs.run import Run
from pages.data import inputs, results
from pages.rooms.load.form import WAYS, bound, change, choose, current
from pages.text import run_names
from pages.text.run_names import escaped

SECONDS = 600
SHOWN = 6


def chosen() -> Run | None:
    """The choice among the ways in. The run, where that is chosen; files stand in the form."""
    st.segmented_control(
        "Where is it?",
        list(WAYS),
        format_func=WAYS.__getitem__,
        required=True,
        **bound("way"),
        label_visibility="collapsed",
    )
    way = current().way
    if way == "run":
        return _run()
    if way == "folder":
        _folder()
    else:
        _upload()
    names = current().names
    # The uploader shows its own files, until the page is left.
    if names and not (way == "upload" and st.session_state.get("loading.upload")):
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        st.caption(f":material/description: Chosen: {escaped(', '.join(names[:SHOWN]))}{more}.")
    return None


def _upload() -> None:
    def taken() -> None:
        try:
            choose(inputs.keep_series([(f.getvalue(), f.name) for f in st.session_state["loading.upload"]]))
        except ValueError as error:
            st.session_state["loading.refused"] = str(error)

    with st.container(border=True):
        left, right = st.columns([3, 2], gap="large")
        with left:
            st.file_uploader(
                "Weights",
                type=[suffix.removeprefix(".") for suffix in (*files.SUFFIXES, *files.FOREIGN)],
                accept_multiple_files=True,
                max_upload_size=inputs.MEGABYTES,
                key="loading.upload",
                on_change=taken,
                help=f"One file, or several checkpoints of one training. Up to {inputs.MEGABYTES} MB each; larger "
                "ones are read from a folder.",
            )
            if refused := st.session_state.pop("loading.refused", None):
                st.warning(escaped(refused), icon=":material/info:")
        with right:
            st.markdown("**How to save weights in PyTorch**")
            lines = 'weights = model.state_dict()\ntorch.save(weights, f"epoch_{epoch}.pt")'
            st.code(lines, language="python", wrap_lines=True)
            st.caption(
                "Or safetensors. Several files, one for each epoch, become the epoch axis. Only tensors are read, by a "
                "process of their own: a file that holds a whole pickled model is refused, since reading it would run "
                "whatever code is in it."
            )


def _folder() -> None:
    roots = files.roots()

    def typed() -> None:
        change(folder=st.session_state["loading.folder"], files=(), names=())

    st.session_state["loading.folder"] = current().folder
    with st.container(border=True):
        st.text_input(
            "Folder or file",
            placeholder="my_training",
            key="loading.folder",
            on_change=typed,
            help="A folder with the checkpoints of one training, or one file.",
        )
        listed = ", ".join(f"`{root}`" for root in roots)
        st.caption(
            f"It must lie in one of these folders: {listed}. Others are opened when the dashboard is started with "
            "`GAMMASCOPE_ROOTS` naming them."
        )
        for root in roots:
            _offer(root)
        text = current().folder.strip()
        if text and not current().files:
            place = files.located(text)
            paths = files.weight_files(place) if place.is_dir() else (place,)
            choose([(str(path), path.name) for path in paths])


def _offer(root: Path) -> None:
    """The folders of an allowed one that hold weights, to press instead of typing."""
    try:
        folders = sorted(p for p in root.iterdir() if p.is_dir() and any(files.is_weights(f.name) for f in p.iterdir()))
    except OSError:
        return
    if folders:
        with st.container(horizontal=True):
            for path in folders[:12]:
                if st.button(escaped(path.name), key=f"loading.offer-{path}", icon=":material/folder:"):
                    change(folder=str(path), files=(), names=())
                    st.rerun()


def _run() -> Run | None:
    """A run that is here, those first that are not analysed yet."""
    runs = [run for run in results.runs() if run.checkpoints]
    if not runs:
        st.info(
            "There is no run yet. Train a network on the page Train, or give your own checkpoints here as files.",
            icon=":material/info:",
        )
        return None
    labels = run_names.names(runs)
    by_key = {run.key: run for run in sorted(runs, key=lambda run: bool(results.analysed(run)))}
    if current().run not in by_key:
        change(run=next(iter(by_key)))

    def label(key: str) -> str:
        return labels[key] + ("" if results.analysed(by_key[key]) else " (not analysed yet)")

    with st.container(border=True):
        st.selectbox(
            "Run",
            list(by_key),
            format_func=label,
            help="Also those that were made in a terminal, without a browser.",
            **bound("run"),
        )
        run = by_key[current().run or ""]
        st.caption(escaped(f"{run_names.makeup(run)}. {run_names.settings(run)}"))
    return run


# -- what the files hold ----------------------------------------------------------------------------------


def inspected(paths: tuple[str, ...], part: str | None = None) -> Inspection | None:
    """What the files hold, under one of several names; a sentence and None where they cannot be read."""
    try:
        stamps = tuple((path, os.stat(path).st_mtime_ns, os.stat(path).st_size) for path in paths)
    except OSError:
        st.warning("A file that was chosen is no longer there. Choose again.", icon=":material/folder_off:")
        return None
    with st.spinner("Reading the weights …"):
        try:
            return _inspected(stamps, part)
        except ValueError as error:
            sentence = str(error)
            for path, name in zip(paths, current().names, strict=True):
                sentence = sentence.replace(Path(path).name, name)
            raise ValueError(sentence) from error


@st.cache_resource(max_entries=32, show_spinner=False)
def _inspected(stamps: tuple[tuple[str, int, int], ...], part: str | None) -> Inspection:
    """By a process of its own: reading PyTorch's files needs PyTorch, and a page never loads it."""
    named = [] if part is None else ["--weights", part]
    command = [sys.executable, "-m", "engine", "inspect", *(path for path, _, _ in stamps), *named]
    try:
        ended = subprocess.run(
            command, cwd=Path(__file__).parents[3], env=os.environ | {"PYTHONIOENCODING": "utf-8"},
            capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"Reading these files took longer than {SECONDS} s. Choose fewer or smaller ones.") from error
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    require(
        ended.returncode == 0, lines[-1] if lines else "The files could not be read: the worker ended without a word."
    )
    return inspection.from_json(ended.stdout)
