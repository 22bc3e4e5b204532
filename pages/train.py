"""Train a network of one's own: choose, see what it will cost, start, watch."""

import streamlit as st

from pages.shell.frame import page

PAGE = "train"


def main() -> None:
    """The form on the left, what it means on the right, what is at work above and what has ended below."""
    from pages.jobs import queue
    from pages.rooms.train import controls as train_controls
    from pages.rooms.train import start, summary
    from pages.text import definitions
    from pages.ui import heading

    st.title("Train a network")
    queue.queue()
    train_controls.preset()
    form = train_controls.current()
    preview = summary.known(form.data)
    left, right = st.columns([11, 9], gap="large")
    with left:
        train_controls.sections(preview)
    with right, st.container(key="train-side"):
        heading.heading("The data", definitions.DATA, "What is trained on", level=3)
        if preview is None:
            summary.look(form.data, summary.use_digits)
            request = None
        else:
            request = start.checked(form, preview)
            if request is not None:
                summary.samples(preview, form)
                heading.heading("The network", definitions.NETWORK, "What is studied", level=3)
                summary.drawn(request, preview)
                summary.costs(request, preview, start.analyses(form, request))
        start.start(form, request)
    queue.ended()


with page(PAGE):
    main()
