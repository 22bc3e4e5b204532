"""The engine calls behind a figure, as Python that runs by itself and gives the same numbers."""

from collections.abc import Sequence
from dataclasses import fields

from engine.config.requests import AnalysisRequest
from engine.runs.recording import Film, Frame
from engine.runs.run import BROUGHT
from pages.data.results import View

_LIBRARY = ("from cache.store import Store", "from engine.runs import library", "")
_FILM = ("from cache.store import Store", "from engine.runs import example as film", "")


def _script(*lines: str) -> str:
    return "\n".join(lines)


def one(view: View, *lines: str) -> str:
    """Restore the checkpoint in view, analyse it anew, and put questions to the result."""
    asked = view.chosen.request
    usual = {f.name: f.default for f in fields(AnalysisRequest)}
    drawn = f", samples={asked.samples}, seed={asked.seed}" if asked.samples is not None else ""
    # All others engine.analyze takes under the same name.
    settings = {name: v for name, v in vars(asked).items() if name not in ("run", "epoch", "layer", "samples")}
    changed = {name: value for name, value in settings.items() if value != usual[name] or name == "batch_size"}
    words = {"layer": asked.layer, "loss": view.run.request.loss} | changed
    imports, brought, given = [], [], ""
    bring = view.run.bring
    if bring:
        files = ", ".join(repr(bring.get(name)) for name in BROUGHT)
        imports, brought = ["from engine.runs.brought import Brought"], [f"brought = Brought.of({files})"]
        given = ", brought=brought"
    named = {name: "brought.loss" if name == "loss" and name in bring else repr(value) for name, value in words.items()}
    return _script(
        "from cache.store import Store",
        "from engine import analyze",
        *imports,
        "from engine.runs.pipeline import Pipeline",
        "",
        *brought,
        f'model, inputs, targets = Pipeline(Store(){given}).restore("{view.run.key}", epoch={asked.epoch}{drawn})',
        f"result = analyze(model, inputs, targets, {', '.join(f'{name}={value}' for name, value in named.items())})",
        *lines,
    )


def along(view: View, *lines: str) -> str:
    """Read the analyses of a run from the cache, one epoch after the other, and put questions to each."""
    return _script(
        *_LIBRARY,
        "store = Store()",
        f'for made in library.analyses(store, "{view.run.key}"):',
        f'    if made.request.layer == "{view.chosen.request.layer}":',
        f'        result = library.load_analysis(store, "{view.run.key}", made.key)',
        *(f"        {line}" for line in lines),
    )


def network(run: str) -> str:
    """List the layers of a run's network."""
    return _script(
        "from cache.store import Store",
        "from engine.runs import depth, library",
        "",
        f'for layer in depth.layers_of(library.find(Store(), "{run}")):',
        "    print(layer.name, layer.d_out, layer.d_in, layer.places)",
    )


def layers(run: str, epoch: int | None, *lines: str) -> str:
    """Read the analyses of single layers of a run from the cache, of all epochs for None, and put questions to each."""
    at = "" if epoch is None else f" and made.request.epoch == {epoch}"
    return _script(
        *_LIBRARY,
        "store = Store()",
        f'for made in library.analyses(store, "{run}"):',
        f"    if len(made.request.layers) == 1{at}:",
        f'        result = library.load_analysis(store, "{run}", made.key)',
        *(f"        {line}" for line in lines),
    )


def samples(view: View, *lines: str, epoch: int | None = None, using: str = "hessian") -> str:
    """Read every sample of a checkpoint from the cache, of the one in view for None, and put questions to them with
    this module of the engine."""
    at = view.epoch if epoch is None else epoch
    return _script(
        "from cache.store import Store",
        "from engine.runs import library",
        f"from engine.samples import {', '.join(sorted(('table', using)))}",
        "",
        "store = Store()",
        f'run = library.find(store, "{view.run.key}")',
        f'found = table.read(store, run, {at}, "{view.chosen.request.layer}")',
        *lines,
    )


def close_up(view: View, sample: int, partner: int, *lines: str) -> str:
    """Read all about one sample and its partner, −1 for none, before the layer in view, and put questions to it."""
    asked = f'SamplesRequest("{view.run.key}", {view.epoch}, "{view.chosen.request.layer}")'
    return _script(
        "from cache.store import Store",
        "from engine.config.requests import SamplesRequest",
        "from engine.runs import library",
        "from engine.samples import close_up, table",
        "",
        "store = Store()",
        f'run = library.find(store, "{view.run.key}")',
        f'found = table.read(store, run, {view.epoch}, "{view.chosen.request.layer}")',
        f"where = close_up.place({asked}, run.fingerprint, {sample}, {partner})",
        "one = close_up.read(store, where)",
        *lines,
    )


def descents(view: View, *lines: str) -> str:
    """Read the descents from the checkpoint in view from the cache, and put questions to them."""
    return _script(
        "from cache.store import Store",
        "from engine.runs import noise",
        "",
        f'kept = noise.read(Store(), noise.place("{view.run.key}", "{view.chosen.key}"))',
        *lines,
    )


def plane(view: View, pair: tuple[int, int]) -> str:
    """Read the loss over two directions from the cache, and what is asked of it."""
    i, j = pair
    return _script(
        "from cache.store import Store",
        "from engine.runs import plane",
        "",
        f'one = plane.read(Store(), plane.place("{view.run.key}", "{view.chosen.key}", {i}, {j}))',
        "loss, hessian, noise, batches = one.loss, one.hessian, one.noise, one.batches",
    )


def history(view: View) -> str:
    """Read what was recorded while a run was trained."""
    return _script(
        *_LIBRARY,
        f'history = library.find(Store(), "{view.run.key}").history',
        "epoch, train_loss, train_accuracy = history.epoch, history.train_loss, history.train_accuracy",
        "test_loss, test_accuracy = history.test_loss, history.test_accuracy",
    )


def cells(sweep: str) -> str:
    """Read the measured cells of a sweep from the cache, and the exponents of each."""
    return _script(
        "from cache.store import Store",
        "from engine.sweeps import status",
        "from engine.sweeps.grid import open_sweep",
        "",
        f"for state in status.states(Store(), open_sweep({sweep!r})):",
        "    if state.row is not None:",
        '        gammas = [state.row.laws[name].gamma for name in ("C", "C_awd")]',
        "        print(state.row.row, state.row.classes, state.row.seed, *gammas)",
    )


def film_frame(film: Film, frame: Frame, *lines: str) -> str:
    """Read the pictures of one frame of a film from the cache, and put questions to them."""
    return _script(*_FILM, f'picture = film.picture(Store(), "{film.key}", {frame.epoch})', *lines)


def film_columns(film: Film, names: Sequence[str]) -> str:
    """Read numbers of every frame of a film."""
    columns = (f'{name} = shot.column("{name}")' for name in names)
    return _script(*_FILM, f'shot = film.read(Store(), "{film.key}")', *columns)
