"""What if? One setting of the run changed, trained in the background, and both clouds in one figure."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from cache.jobs import Job
from engine.config.commands import TrainCommand
from engine.config.requests import RunRequest
from engine.models import architectures
from engine.results.power_law import Fit
from engine.runs.preview import Preview
from engine.runs.run import Run
from engine.sweeps.rows import above_guessing
from pages.charts import power_law
from pages.data import results
from pages.data.results import View
from pages.jobs import queue, watch
from pages.jobs.commands import jobs
from pages.jobs.describe import doing, fraction, left, request_of, sentence
from pages.plot.panel import Head, Panel
from pages.rooms.power_law import panels
from pages.rooms.train import summary
from pages.rooms.train.form import Form
from pages.state import selection
from pages.state.form import FormState
from pages.state.palette import number
from pages.text import confidence, definitions, run_names
from pages.text.run_names import escaped
from pages.ui import heading
from pages.ui.guard import guarded

HEAD = Head("what-if", "What if?", about=definitions.WHAT_IF)
BESIDE = Head("what-if-beside")
SETTINGS = ("batch_size", "label_noise", "per_class", "widths", "loss")
WISH = FormState("what_if", Form.of(RunRequest(), ("last",)))
# The run whose setting is changed, and which: the widget forgets when the page is left.
_OF = "what_if.of"


def panel(view: View, first: int, last: int) -> None:
    """The setting, its new value, and what came of it."""
    run, layer = view.run, view.chosen.request.layer
    with st.container(key=HEAD.key):
        heading.over(HEAD)
        if run.recorded is not None or run.request.weights:
            st.caption("This run was trained elsewhere: nothing of it can be set otherwise and trained again here.")
            return
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            setting = _setting(run)
            if setting is None:
                return
            _value(setting)
            button = st.container(width="content")
        data = summary.known(run.request.data.name)
        if data is None:
            summary.look(run.request.data.name)
            return
        try:
            request = wished(run, layer, data)
        except ValueError as error:
            st.caption(f":material/rule: {escaped(str(error))}")
            return
        other = kept(request, layer)
        old = last_view(run, layer)
        job = next((job for job in jobs().jobs() if request_of(job) == request), None)
        at_work = job is not None and job.running
        if job is not None and at_work:
            _at_work(job.id, request, layer, other is not None)
        if other is not None and old is not None:
            # The first numbers are kept before intervals are known.
            beside({_words(setting, one.run): one for one in (old, other)}, setting, first, last, at_work)
        elif not at_work:
            with button:
                _train(run, request, data, job)


def _setting(run: Run) -> str | None:
    """Which one is changed; another run has its own wish."""
    of, kept = st.session_state.get(_OF, ("", None))
    chosen = kept if of == run.key else None
    key = "what_if.setting"
    if st.session_state.get(key) != chosen:
        st.session_state[key] = chosen

    def changed() -> None:
        st.session_state[_OF] = run.key, st.session_state[key]
        WISH.put(Form.of(run.request, ("last",)))

    return st.selectbox(
        "One setting otherwise",
        SETTINGS,
        index=None,
        format_func=lambda name: WISH.settings[name][1].setting.label,
        placeholder="batch size, width, loss …",
        key=key,
        on_change=changed,
        width=280,
    )


def _value(setting: str) -> None:
    declared = WISH.settings[setting][1]
    if setting == "widths":
        st.text_input(**WISH.widget(setting), width=220)
    elif declared.setting.choices:
        st.selectbox(**WISH.widget(setting), format_func=run_names.loss, width=280)
    else:
        st.number_input(**WISH.widget(setting), format="%.2f" if declared.kind is float else None, width=220)


def wished(run: Run, layer: str, data: Preview) -> RunRequest:
    """The run with one setting changed. ValueError, a sentence, where that is none that can be trained and compared."""
    own = Form.of(run.request, ("last",))
    request = WISH.current().run_request(data)
    if own.run_request(data) != run.request:
        raise ValueError("This run was asked for as no form can repeat it: train one like it on the page Train.")
    if request == run.request:
        raise ValueError("That is the run on the screen: give another value.")
    studied = architectures.studied_layer(request.model)
    if layer != studied:
        raise ValueError(f"A new training analyses layer {studied}; choose it in the menu in place of {layer}.")
    return request


def last_view(run: Run, layer: str) -> View | None:
    """A run at the last epoch that is analysed before a layer; None without any."""
    made = tuple(a for a in results.analysed(run) if a.request.layer == layer)
    if not made or not run.finished:
        return None
    chosen = max(made, key=lambda a: a.request.epoch)
    analysis = results.analysis(run.key, chosen)
    return None if analysis is None else View(run, made, chosen, analysis)


def kept(request: RunRequest, layer: str) -> View | None:
    """What is kept of the run that is asked for; None while it is not."""
    return next((view for run in results.runs() if run.request == request and (view := last_view(run, layer))), None)


# -- training ---------------------------------------------------------------------------------------------


def _train(run: Run, request: RunRequest, data: Preview, job: Job | None) -> None:
    """The button that starts it, and what it will take, or how the last job ended early."""
    ended = job is not None and job.state != "done"
    st.button(
        "Go on" if ended else f"Train it, {summary.total(request, data)}",
        key="what_if.train",
        icon=":material/exercise:",
        type="primary",
        on_click=partial(_start, run, request),
    )
    if job is not None and ended:
        st.caption(escaped(sentence(job)))


def _start(run: Run, request: RunRequest) -> None:
    queue.start(TrainCommand(request, ("last",)))
    # What is newest would otherwise come to the screen by itself.
    selection.choose(run=run.key)


@st.fragment(run_every=watch.WATCH_SECONDS)
@guarded
def _at_work(id: str, request: RunRequest, layer: str, known: bool) -> None:
    """How far it is, with the way to stop it; the page is drawn anew with the first numbers, and when it has ended."""
    job = jobs().job(id)
    if job is None or not job.running or (not known and kept(request, layer) is not None):
        st.rerun()
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.progress(fraction(job), text=f"{doing(job)} · {left(job)}", width="stretch")
        watch.stop(job, "what-if-stop")


# -- both -------------------------------------------------------------------------------------------------


def beside(by_words: Mapping[str, View], setting: str, first: int, last: int, more: bool = False) -> None:
    """Both clouds in one figure, and what can be said of them; more: intervals are still to come."""
    old, new = by_words.values()
    drawn = panels.clouds(by_words, ("C",), first, last)
    st.markdown(compared(by_words, setting, first, last, more))
    Panel(
        BESIDE,
        f"what-if-{new.run.key[:8]}",
        power_law.power_law(drawn, height=360),
        "Log-log plot of the noise variance against curvature, of the run and of the one with another setting.",
        f"Each at its last epoch that is analysed, {old.epoch} and {new.epoch}; directions {first + 1:,} … {last:,} "
        f"above the noise floor. The second run is kept: {new.run.key[:8]}.",
        arrays=lambda: panels.arrays_of(drawn),
        code=lambda: panels.code_of(
            by_words, drawn, '{name}{end} = result.diagonal("{name}")', "fit_{name}{end} = result.fit({window})"
        ),
    ).show()


def compared(by_words: Mapping[str, View], setting: str, first: int, last: int, more: bool = False) -> str:
    """The old run and the new one in one sentence that claims no more than two runs of one seed can show."""
    (_, old), (words, new) = by_words.items()
    before, after = (results.fit(v.key, "C", min(last, v.analysis.k), first) for v in (old, new))
    if before is None or after is None:
        return "Too few directions of one of them lie above the noise floor for an exponent."
    judged = "the new interval is still being measured" if more and not after.interval else _difference(before, after)
    parts = [
        f"With **{escaped(words)}** γ of $C$ is **{after.gamma:.2f}**{_sure(after)} in place of {before.gamma:.2f}"
        f"{_sure(before)}: {judged}."
    ]
    if setting == "loss":
        parts.append("Sizes of $C$ are in units of each loss, and not compared.")
    else:
        size = number(new.analysis.traces["C"] / old.analysis.traces["C"], 2)
        alone = f"; $1/B$ alone would make it {number(_batch(old) / _batch(new), 2)}" if setting == "batch_size" else ""
        reached = [number(v.analysis.provenance.mean_loss, 2) for v in (new, old)]
        parts.append(
            rf"$\mathrm{{tr}}\,C$ is **{size} times** as large, at a mean loss of {reached[0]} in place of "
            f"{reached[1]}{alone}."
        )
    if not _learned(new):
        parts.append(":material/warning: The new network has not learned: it is hardly better than guessing.")
    return " ".join(parts)


def _difference(before: Fit, after: Fit) -> str:
    if before.interval is None or after.interval is None:
        return "without both intervals over samples the difference cannot be judged"
    apart = before.interval[1] < after.interval[0] or after.interval[1] < before.interval[0]
    if apart:
        return "the intervals over samples lie apart, but each is one seed, and another may move γ as far"
    return "the intervals over samples overlap, and with one seed each no difference can be told"


def _sure(fit: Fit) -> str:
    return "" if fit.interval is None else f" ({confidence.ends(fit.interval)})"


def _batch(view: View) -> int:
    return view.analysis.provenance.batch_size


def _learned(view: View) -> bool:
    p = view.analysis.provenance
    return above_guessing(p.accuracy, len(view.run.class_names), p.samples)


def _words(setting: str, run: Run) -> str:
    """What a run is called by the setting that is changed."""
    request = run.request
    words: Mapping[str, str] = {
        "batch_size": f"B = {request.training.batch_size}",
        "label_noise": f"{request.data.label_noise:.0%} wrong labels",
        "per_class": f"N = {run.samples:,}",
        "widths": run_names.network(request.model),
        "loss": run_names.loss(request.loss),
    }
    return words[setting]
