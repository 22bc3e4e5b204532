"""Which checkpoint, which layers and which directions; and the one button that analyses what is missing."""

from collections.abc import Mapping, Sequence

import streamlit as st

from cache.jobs import Job
from engine.config.commands import AnalyzeCommand
from engine.results.names import USUAL_WINDOW
from engine.runs import depth, estimate, library
from engine.runs.depth import StudiedLayer
from engine.runs.library import Analysed
from engine.runs.run import Run
from engine.units import counted, duration, rounded
from pages.data import depth as kept
from pages.data import results
from pages.jobs import commands, elsewhere, watch
from pages.jobs.describe import doing, fraction, left, sentence, works_on
from pages.state import selection
from pages.text import run_names
from pages.text.run_names import escaped
from pages.ui import controls
from pages.ui.guard import guarded

# A checkpoint and a layer.
Cell = tuple[int, str]


def epoch(page: str, run: Run) -> int:
    """Slider over the checkpoints, analysed or not; at first the last one at which a layer is analysed."""
    made = [epoch for epoch, _ in kept.analysed(run)]
    epochs = sorted({*run.checkpoints, *made})
    selected = selection.current().epoch
    usual = max(made, default=epochs[-1])
    shown = usual if selected is None else min(epochs, key=lambda one: (abs(one - selected), -one))
    return controls.stepped(page, epochs, shown)


def layers(page: str, studied: Sequence[StudiedLayer]) -> tuple[StudiedLayer, ...]:
    """Choice of the layers that are looked at and analysed; all of them unless told otherwise."""
    names = [one.name for one in studied]
    chosen = selection.current().layers
    pressed = st.pills(
        "Layers",
        names,
        selection_mode="multi",
        help="Those that are drawn below and analysed where they are not yet.",
        **selection.bound(page, "layers", tuple(n for n in names if chosen is None or n in chosen)),
    )
    return tuple(one for one in studied if one.name in (pressed or ()))


def window(page: str, run: Run, made: Mapping[Cell, Analysed]) -> tuple[int, int]:
    """Slider over the directions that are fitted, as far as the largest layer has them."""
    origins = [(one.request.top_k, kept.origin(run, one)) for one in made.values()]
    if not made:
        return 0, USUAL_WINDOW  # there is nothing to fit yet
    most = max([2, *(min(origin.dimension, k or origin.dimension) for k, origin in origins if origin is not None)])
    low, high = selection.current().window or (1, min(USUAL_WINDOW, most))
    first, last = st.slider(
        "Directions fitted, from … to",
        1,
        most,
        help="Of each layer as far as it has them. Direction 1 is the sharpest.",
        **selection.bound(page, "window", (min(low, most), min(max(high, low), most))),
    )
    return first - 1, last


# -- what is missing ----------------------------------------------------------------------------------------


def analyse(page: str, run: Run, at: int, chosen: Sequence[StudiedLayer]) -> None:
    """The work on this run while there is any; else the button for what is missing of these layers."""
    now = [job for job in commands.jobs().running() if job.queue and works_on(job, run)]
    if now:
        _at_work(run, now[-1].id, len(kept.analysed(run)))
        return
    made = kept.analysed(run)
    _refused(run, made)
    if not chosen:
        return
    every = {
        "this": [(at, one.name) for one in chosen],
        "all": [(e, one.name) for e in reversed(run.checkpoints) for one in chosen],
    }
    missing = {which: [cell for cell in cells if cell not in made] for which, cells in every.items()}
    missing["this"] = [cell for cell in missing["this"] if at in run.checkpoints]
    if not missing["all"]:
        st.caption(":material/check: The layers chosen are analysed at every checkpoint.")
        return
    cells = missing["this"] or missing["all"]
    if elsewhere.explain(run, _command(run, cells), f'analyze({cells[0][0]}, "{cells[0][1]}")'):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        which = "all"
        if len(run.checkpoints) > 1 and missing["this"] and missing["this"] != missing["all"]:
            words = {"this": f"at epoch {at}", "all": f"at all {len(run.checkpoints)} checkpoints"}
            which = str(
                st.segmented_control(
                    "Where",
                    list(words),
                    default="this",
                    format_func=words.__getitem__,
                    required=True,
                    label_visibility="collapsed",
                    key=f"{page}.which",
                )
            )
        cells = missing[which]
        names = list(dict.fromkeys(name for _, name in cells))
        epochs = {at for at, _ in cells}
        where = f"epoch {min(epochs)}" if len(epochs) == 1 else f"{len(epochs)} checkpoints"
        st.button(
            f"Analyse {counted(len(names), 'layer')} at {where}",
            type="primary",
            icon=":material/play_arrow:",
            key=f"{page}.analyse",
            on_click=_start,
            args=(run, cells),
            help="What is analysed already is not done again.",
        )
        seconds = _seconds(run, cells)
        time = "" if seconds is None else f" About {duration(rounded(seconds))}."
        st.caption(f"Not analysed yet: {', '.join(names)}.{time}")


def _command(run: Run, cells: Sequence[Cell]) -> AnalyzeCommand:
    """One for all; a cell of its grid that is analysed already costs nothing."""
    epochs, names = (tuple(dict.fromkeys(map(str, part))) for part in zip(*cells, strict=True))
    if len(names) == 1:
        return AnalyzeCommand.of(depth.usual_analysis(run, *cells[0]), epochs)
    return AnalyzeCommand(run.key, epochs, layer=",".join(names))


def _start(run: Run, cells: Sequence[Cell]) -> None:
    commands.start(_command(run, cells), f"Layers of {run_names.describe(run)}", run.key)


def _seconds(run: Run, cells: Sequence[Cell]) -> float | None:
    """What their analyses will take; None where nobody knows."""
    speeds = estimate.calibration(results.store()), results.earlier_work()
    known = [depth.cost(run, depth.usual_analysis(run, *cell), *speeds).seconds for cell in cells]
    return None if None in known else sum(seconds for seconds in known if seconds is not None)


def _asked(job: Job, run: Run) -> list[Cell]:
    """What a job analyses; empty where it is another kind of job."""
    command = commands.command_of(job)
    if not isinstance(command, AnalyzeCommand):
        return []
    epochs = library.chosen_epochs(command.epochs, run)
    return [(e, request.layer) for e in epochs for request in depth.requests(run, e, command.layer)]


@st.fragment(run_every=watch.WATCH_SECONDS)
@guarded
def _at_work(run: Run, job_id: str, known: int) -> None:
    """How far the work on this run is; the page is drawn anew when an analysis arrives."""
    job, made = commands.jobs().job(job_id), kept.analysed(run)
    if job is None or not job.running or len(made) != known:
        st.rerun()
        return
    waiting = [cell for cell in _asked(job, run) if cell not in made]
    seconds = _seconds(run, waiting) if waiting else None
    about = left(job) if seconds is None else f"about {duration(rounded(seconds))} left"
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="medium"):
        with st.container(width="stretch"):
            st.progress(fraction(job), text=f"{doing(job)}, {about}")
        watch.stop(job)


def _refused(run: Run, made: Mapping[Cell, Analysed]) -> None:
    """Why the last analysis of layers ended early, as long as something that it was to make is missing."""
    job = next((job for job in commands.jobs().jobs() if job.queue and works_on(job, run)), None)
    if job is None or job.state not in ("failed", "cancelled"):
        return
    if any(cell not in made for cell in _asked(job, run)):
        st.warning(escaped(sentence(job)), icon=":material/info:")
