"""Which sweep is looked at: one that comes with the project, or a user's own TOML, kept in the cache by its content."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from cache.foreign import shown
from cache.jobs import Job
from engine.config.command_line import words
from engine.config.commands import SweepCommand
from engine.config.requests import DATASETS
from engine.data import sources
from engine.errors import require
from engine.models import files
from engine.sweeps.grid import Sweep, read, shipped
from engine.units import counted
from pages.data import inputs, results
from pages.jobs import watch
from pages.state import selection
from pages.state.selection import bound
from pages.text.run_names import escaped
from pages.ui.draft import Draft

PAGE = "table"
DRAFT = Draft(PAGE)
LONGEST = 100_000
_OWN = "own-"


@dataclass(frozen=True)
class Choice:
    """A sweep that can be shown. id: as in the address; word: what the command line calls it."""

    id: str
    word: str
    sweep: Sweep

    def filled_by(self, job: Job) -> bool:
        """Whether a job works on it; with what else it was started does not matter."""
        return job.argv[:2] == tuple(words(SweepCommand(self.word)))


# -- what there is ----------------------------------------------------------------------------------------


def _folder() -> Path:
    return results.store().root / "sweeps"


@st.cache_resource(max_entries=64, show_spinner=False)
def _read(text: str, file: str) -> Sweep | str:
    """The sweep, or the sentence that says what is wrong with it."""
    try:
        return read(text, file)
    except ValueError as error:
        return str(error)


def _choice(path: Path, word: str) -> Choice | None:
    if shown(path.name) != path.name or path.stat().st_size > 4 * LONGEST:  # no address could name it; no sweep
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    sweep = _read(text, path.name)
    return None if isinstance(sweep, str) else Choice(path.stem, word, sweep)


def known() -> dict[str, Choice]:
    """Every sweep by its id: the tiny one first, the others that come with the project, then one's own, newest
    first."""
    ours = sorted(shipped().items(), key=lambda item: item[0] != "tiny")
    there = filter(Path.is_file, _folder().glob(f"{_OWN}*.toml"))
    own = sorted(there, key=lambda path: path.stat().st_mtime, reverse=True)
    choices = (_choice(path, word) for path, word in [(p, n) for n, p in ours] + [(p, str(p)) for p in own])
    return {choice.id: choice for choice in choices if choice is not None}


def keep(text: str) -> str:
    """Keep a user's own sweep under the hash of its content; its id."""
    content = text.encode()
    name = f"{_OWN}{inputs.digest(content)}"
    inputs.write(_folder() / f"{name}.toml", content)
    return name


def checked(text: str) -> Sweep:
    """The sweep a user wrote. ValueError: the reader's sentence, or which data lie where none may be opened."""
    require(len(text) <= LONGEST, f"This text has {len(text):,} characters; a sweep has {LONGEST:,} at most.")
    sweep = _read(text, "Your sweep")
    if isinstance(sweep, str):
        raise ValueError(sweep)
    allowed = [f.resolve() for f in (sources.data_folder(), results.store().root / "uploads", *files.roots())]
    for name in {cell.run.data.name for cell in sweep.cells} - set(DATASETS):
        place = sources.located(name).resolve()
        require(
            any(place.is_relative_to(folder) for folder in allowed),
            f"{name} is not there, or lies outside the folders that may be opened: {', '.join(map(str, allowed))}. "
            "Copy the file there, and give its name alone.",
        )
    return sweep


# -- the choice -------------------------------------------------------------------------------------------


def _present(choices: Mapping[str, Choice]) -> str:
    selected, job = selection.current().sweep, watch.sweep()
    working = (choice.id for choice in choices.values() if job is not None and choice.filled_by(job))
    return selected if selected is not None and selected in choices else next(working, next(iter(choices)))


def present() -> Choice:
    """The sweep that is selected, else the one at work, else the first."""
    choices = known()
    return choices[_present(choices)]


def chosen() -> Choice:
    """The present sweep; a knob chooses another."""
    choices = known()
    selected = selection.current().sweep
    if selected is not None and selected not in choices:
        st.info(
            "This link shows a sweep that this machine does not have. What is here is shown instead; the link works "
            "where it was made.",
            icon=":material/link_off:",
        )
    present = _present(choices)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        picked = st.selectbox(
            "Sweep",
            list(choices),
            format_func=lambda id: choices[id].sweep.name,
            help="Those that come with the project, then your own. Each is a grid of settings written in TOML.",
            width=360,
            **bound(PAGE, "sweep", present),
        )
        choice = choices[picked or present]
        if choice.sweep.about:
            st.caption(escaped(choice.sweep.about), width="stretch")
    return choice


# -- one's own --------------------------------------------------------------------------------------------


def editor(present: Choice) -> None:
    """The sweep as text: changed by hand or replaced by a file, checked at every change, and kept as one's own."""
    draft = DRAFT.text or present.sweep.text
    DRAFT.field(
        "The sweep in TOML",
        draft,
        height=min(460, 40 + 24 * (draft.count("\n") + 1)),
        help="`set` holds for every cell of a grid; `vary` lists values, and every combination of them is a cell. "
        "A setting is named as on the command line.",
    )
    try:
        sweep, wrong = checked(draft), ""
    except ValueError as error:
        sweep, wrong = None, str(error)
    same = draft == present.sweep.text
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("Check", key="table.read", icon=":material/rule:", help="Or press Ctrl and Enter in the text.")
        st.button(
            "Use this sweep",
            key="table.use",
            type="primary",
            icon=":material/check:",
            disabled=sweep is None or same,
            on_click=_use,
            args=(draft,),
        )
        st.button(
            "Undo all changes",
            key="table.undo",
            type="tertiary",
            icon=":material/undo:",
            disabled=same,
            on_click=DRAFT.undo,
        )
        if present.id.startswith(_OWN):
            st.button(
                "Forget this sweep",
                key="table.forget",
                type="tertiary",
                icon=":material/delete:",
                help="Its text leaves the list; what was measured stays in the cache.",
                on_click=_forget,
                args=(present.id,),
            )
    if sweep is None:
        st.warning(escaped(wrong), icon=":material/rule:")
    else:
        st.caption(f":material/check_circle: {escaped(size(sweep))}")
    DRAFT.file()


def size(sweep: Sweep) -> str:
    """How much work it is, in words."""
    cells, runs = len(sweep.cells), len({cell.run for cell in sweep.cells})
    return f"{counted(cells, 'cell')}, {counted(runs, 'run')} to train."


def _use(text: str) -> None:
    selection.choose(sweep=keep(text))
    DRAFT.undo()


def _forget(id: str) -> None:
    (_folder() / f"{id}.toml").unlink(missing_ok=True)
    selection.choose(sweep=None)
    DRAFT.undo()
