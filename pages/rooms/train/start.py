"""The start of a run on the Train page: what does not fit together, the button, and the same as a command."""

import shlex

import streamlit as st

from engine.config.command_line import arguments
from engine.config.manual import PROGRAM
from engine.config.requests import RunRequest
from engine.runs.preview import Preview
from pages.data import results
from pages.jobs import queue, watch
from pages.rooms.train import form as train_form
from pages.rooms.train.form import ANALYZE, Form, put
from pages.text.run_names import escaped


def checked(form: Form, preview: Preview) -> RunRequest | None:
    """The request, or the sentence that says what does not fit together."""
    try:
        return train_form.request(form, preview)
    except ValueError as error:
        st.warning(escaped(str(error)), icon=":material/rule:")
    fitted = train_form.fitted(form, preview)
    if fitted != form and form.request.model.kind == "mlp":
        st.button(
            f"Use {fitted.widths}", icon=":material/auto_fix_high:", key="train.fit", on_click=put, args=(fitted,)
        )
    return None


def analyses(form: Form, request: RunRequest) -> int:
    """How many checkpoints will be analysed."""
    if form.analyze != "all":
        return len(ANALYZE[form.analyze])
    last = request.training.epochs
    return len({last, *(e for e in request.training.checkpoints if e <= last)})


def start(form: Form, request: RunRequest | None) -> None:
    """The button, and the same as a command."""
    done = None if request is None else next((r for r in results.runs() if r.request == request and r.finished), None)
    label = "Start" if done is None else "Start the missing analyses"
    pressed = st.button(
        label,
        type="primary",
        icon=":material/play_arrow:",
        disabled=request is None,
        width="stretch",
        key="train.start",
    )
    if request is None:
        return
    if pressed:
        job = queue.start(request, ANALYZE[form.analyze])
        st.toast(
            f"{escaped(job.title)}: it is at work, or in the queue, at the top of this page.",
            icon=":material/arrow_upward:",
        )
        st.rerun()
    at_work = sum(job.queue for job in watch.jobs().running())
    if at_work:
        st.caption(f":material/arrow_upward: {at_work} at work or in the queue, at the top of this page.")
    if done is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("This very run is trained already.", width="stretch")
            queue.look_at(done, "train.look_at")
    with st.expander("The same from a terminal", icon=":material/terminal:"):
        st.code(f"{PROGRAM} {shlex.join(arguments(request, ANALYZE[form.analyze]))}", language="bash", wrap_lines=True)
