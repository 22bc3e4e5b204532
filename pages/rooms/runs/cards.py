"""One run with what can be done to it: open, rename, export, report, delete; it and its single analyses."""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from cache.jobs import Job
from engine.errors import require
from engine.runs import eviction, library
from engine.runs.eviction import Removable
from engine.runs.run import Run
from engine.units import counted, words
from pages.data import results
from pages.data.results import View
from pages.jobs.commands import jobs
from pages.jobs.describe import works_on
from pages.rooms.runs import archive
from pages.state import selection
from pages.text import run_facts
from pages.text.run_names import describe, escaped, makeup, names, settings
from pages.ui import pin
from pages.ui.guard import guarded


def card(run: Run, runs: Sequence[Run]) -> None:
    """What the run is, and every deed on it."""
    here, key = results.store(), run.key
    made = tuple(a for a in eviction.analyses(here) if a.run == key)
    with st.container(border=True, key=f"run-{key}"):
        st.markdown(f"#### {escaped(names(runs)[key])}")
        st.caption(escaped(f"{makeup(run)}. {settings(run)} {_end(run)}"))
        for sentence in library.refusals(here, key):
            st.caption(f":material/info: {escaped(sentence)}")
        with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
            name = st.text_input(
                "Name",
                run.label,
                key=f"runs.name-{key}",
                placeholder=makeup(run),
                max_chars=library.LABEL_LENGTH,
                help="Shown wherever this run is named. Leave it empty to have its description back.",
                width=340,
            )
            if st.button("Rename", key=f"runs.rename-{key}", icon=":material/edit:", disabled=name == run.label):
                library.rename(here, key, name)
                st.rerun()
        with st.container(horizontal=True, gap="small"):
            _opens(run, runs)
            pin.button(run, run.key)
            st.download_button(
                "Export",
                data=partial(_zip, run),
                file_name=f"gammascope-{key[:8]}.zip",
                mime="application/zip",
                on_click="ignore",
                key=f"runs.export-{key}",
                icon=":material/folder_zip:",
                help="A zip with settings, history, diagonals of every analysed epoch and all checkpoints.",
            )
            view = results.view_of(run)
            st.download_button(
                "Report",
                data=_report(view),
                file_name=f"gammascope-{key[:8]}-epoch-{view.epoch if view else 0}.html",
                mime="text/html",
                on_click="ignore",
                key=f"runs.report-{key}",
                icon=":material/article:",
                disabled=view is None,
                help="One HTML file with every figure, table and definition; it opens anywhere, without a network."
                + (f" At epoch {view.epoch}, and over all epochs." if view else ""),
            )
            if st.button("Delete run", key=f"runs.delete-{key}", icon=":material/delete:"):
                _delete_run(run, made)
        _analyses(run, made)


def _end(run: Run) -> str:
    """How a run ended, or that it has not."""
    if run.end or run.recorded is None:
        return run.end or "Not finished."
    return "Its script is at work." if run.recorded.alive else "Its script is gone; what it recorded is kept."


def _opens(run: Run, runs: Sequence[Run]) -> None:
    others = tuple(r.key for r in (results.chosen_run(), *runs) if r and r.key in (selection.current().runs or ()))
    for label, page, icon in (
        ("Power law", "power_law", ":material/trending_up:"),
        ("Dynamics", "dynamics", ":material/timeline:"),
    ):
        if st.button(label, key=f"runs.{page}-{run.key}", icon=icon, help="Open this run there."):
            selection.open_page(page, run=run.key, runs=tuple(key for key in others if key != run.key) or None)


def _zip(run: Run) -> io.BytesIO:
    file = io.BytesIO()
    archive.write(results.store(), run, file)
    return file


def _report(view: View | None) -> Callable[[], str]:
    """Writes the report when it is asked for, in a thread that knows this session's selection."""
    session = get_script_run_ctx()

    def written() -> str:
        from pages.publish import run_report  # every panel there is: only for those who ask

        with ThreadPoolExecutor(1, initializer=add_script_run_ctx, initargs=(None, session)) as aside:
            return "" if view is None else aside.submit(run_report.html, view).result()

    return written


def _analyses(run: Run, made: Sequence[Removable]) -> None:
    """The run's analyses; the pressed ones can be deleted."""
    if not made:
        st.caption("Not analysed yet.")
        return
    ordered = sorted(made, key=lambda a: (a.epoch, a.layer, a.created))
    size = words(sum(a.size for a in made))
    with st.expander(f"Its {len(made)} analyses, {size}", icon=":material/analytics:"):
        labels = {
            a.key: f"epoch {a.epoch}, layer {escaped(selection.layer_name(a.layer))}, {words(a.size)}" for a in ordered
        }
        pressed = st.pills(
            "Analyses to delete",
            list(labels),
            selection_mode="multi",
            format_func=lambda key: labels[key],
            key=f"runs.analyses-{run.key}",
        )
        chosen = [a for a in ordered if a.key in (pressed or ())]
        if st.button(
            f"Delete {counted(len(chosen), 'analysis', 'analyses')}",
            key=f"runs.forget-{run.key}",
            icon=":material/delete:",
            disabled=not chosen,
        ):
            _delete_analyses(run, chosen)


# -- deleting ---------------------------------------------------------------------------------------------


@st.dialog("Delete this run?", icon=":material/delete:")
@guarded
def _delete_run(run: Run, made: Sequence[Removable]) -> None:
    size = words(results.store().size("runs", run.key))
    st.markdown(
        f"**{escaped(describe(run))}** (key {run.key[:8]}) with its "
        f"{counted(len(run.checkpoints), 'checkpoint')} and "
        f"{counted(len(made), 'analysis', 'analyses')} leaves the cache: {size}. This cannot be undone. "
        f"{run_facts.again(run)}"
    )
    _agreement(run, "Delete the run", partial(_forget_run, run))


def _forget_run(run: Run) -> None:
    results.store().delete("runs", run.key)
    rest = tuple(key for key in selection.current().runs or () if key != run.key)
    if selection.current().run == run.key:
        selection.choose(run=rest[0] if rest else None, runs=rest[1:] or None)
    else:
        selection.choose(runs=rest or None)


@st.dialog("Delete these analyses?", icon=":material/delete:")
@guarded
def _delete_analyses(run: Run, chosen: Sequence[Removable]) -> None:
    epochs = ", ".join(str(a.epoch) for a in chosen)
    st.markdown(
        f"{counted(len(chosen), 'analysis', 'analyses')} of **{escaped(describe(run))}** leave the cache "
        f"(epoch {epochs}): {words(sum(a.size for a in chosen))}. The checkpoints stay, so they can be "
        "analysed again."
    )
    label = f"Delete {counted(len(chosen), 'analysis', 'analyses')}"
    _agreement(run, label, partial(_forget_analyses, run, chosen))


def _forget_analyses(run: Run, chosen: Sequence[Removable]) -> None:
    for one in chosen:
        results.store().delete("runs", run.key, "analyses", one.key)


def _agreement(run: Run, label: str, deed: Callable[[], None]) -> None:
    """The two buttons of a dialog; the deed is refused while a job works on the run."""
    refusal = _refusal(run)
    if refusal:
        st.warning(refusal)

    def checked() -> None:
        # A job may have begun since the question was asked.
        require(not (now := _refusal(run)), now)
        deed()

    confirm("Keep", label, checked, disabled=bool(refusal))


def _refusal(run: Run) -> str:
    """Why nothing of a run is deleted now; empty if it may be."""
    job = working(run)
    return f"“{escaped(job.title)}” is at work on this run. Stop it first, or wait for its end." if job else ""


def confirm(no: str, yes: str, deed: Callable[[], None], disabled: bool = False) -> None:
    """Both answers to a dialog's question; each closes it."""
    with st.container(horizontal=True, horizontal_alignment="right"):
        declined = st.button(no, key="runs.no")
        agreed = st.button(yes, key="runs.yes", type="primary", disabled=disabled, on_click=guarded(deed))
    if declined or agreed:
        st.rerun()


def working(run: Run) -> Job | None:
    """A job that works on the run or waits to, if there is one."""
    return next((job for job in jobs().running() if works_on(job, run)), None)
