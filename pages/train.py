"""Train a network of one's own: choose, see what it will cost, start, watch."""

import streamlit as st

from pages.parts.frame import page

PAGE = "train"


def main() -> None:
    """The form on the left, what it means on the right, what is at work above and what has ended below."""
    from pages.parts import controls, job_panel, train_controls, train_side, train_start, words

    st.title("Train a network")
    job_panel.queue()
    train_controls.preset()
    form = train_controls.current()
    preview = train_side.known(form.data)
    left, right = st.columns([11, 9], gap="large")
    with left:
        train_controls.sections(preview)
    with right, st.container(key="train-side"):
        controls.heading("The data", words.DATA, "What is trained on", level=3)
        if preview is None:
            train_side.look(form.data, train_side.use_digits)
            request = None
        else:
            request = train_start.checked(form, preview)
            if request is not None:
                train_side.samples(preview, form)
                controls.heading("The network", words.NETWORK, "What is studied", level=3)
                train_side.drawn(request, preview)
                train_side.costs(request, preview, train_start.analyses(form, request))
        train_start.start(form, request)
    job_panel.ended()


with page(PAGE):
    main()
