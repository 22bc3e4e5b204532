"""Train a network of one's own: choose, see what it will cost, start, watch."""

import streamlit as st

from engine.config.command_line import line
from engine.config.commands import TrainCommand
from engine.config.kinds import KINDS
from engine.config.requests import RunRequest
from engine.runs.preview import Preview
from pages.data import results
from pages.jobs import queue
from pages.jobs.commands import jobs
from pages.rooms.train import controls, summary, text
from pages.rooms.train.form import ANALYZE, Form, current, put
from pages.text.run_names import escaped
from pages.ui import heading


def show() -> None:
    """The form on the left, what it means on the right, what is at work above and what has ended below."""
    st.title("Which network shall be trained?")
    queue.queue()
    controls.preset()
    form = current()
    preview = summary.known(form.data)
    left, right = st.columns([11, 9], gap="large")
    with left:
        controls.sections(preview)
    with right, st.container(key="train-side"):
        heading.heading("The data", text.DATA, "What is trained on", level=3)
        if preview is None:
            summary.look(form.data, summary.use_digits)
            request = None
        else:
            request = checked(form, preview)
            if request is not None:
                summary.samples(preview, form)
                heading.heading("The network", text.NETWORK, "What is studied", level=3)
                summary.drawn(request, preview)
                summary.costs(request, preview, analyses(form, request))
        start(form, request)
    queue.ended()


def checked(form: Form, preview: Preview) -> RunRequest | None:
    """The request, or the sentence that says what does not fit together."""
    try:
        return form.run_request(preview)
    except ValueError as error:
        st.warning(escaped(str(error)), icon=":material/rule:")
    fitted = form.fitted(preview)
    if fitted != form and KINDS[form.request.model.kind].hidden:
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
    command = TrainCommand(request, ANALYZE[form.analyze])
    if pressed:
        job = queue.start(command)
        st.toast(
            f"{escaped(job.title)}: it is at work, or in the queue, at the top of this page.",
            icon=":material/arrow_upward:",
        )
        st.rerun()
    at_work = sum(job.queue for job in jobs().running())
    if at_work:
        st.caption(f":material/arrow_upward: {at_work} at work or in the queue, at the top of this page.")
    if done is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("This very run is trained already.", width="stretch")
            queue.look_at(done, "train.look_at")
    with st.expander("The same from a terminal", icon=":material/terminal:"):
        st.code(line(command), language="bash", wrap_lines=True)
