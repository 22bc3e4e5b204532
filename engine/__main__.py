"""`python -m engine train …` and its sisters: the dashboard's jobs without the dashboard."""

import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cache.jobs import wait_for_turn
from cache.progress import Reporter, Stopped
from cache.store import Store
from engine.command_line import (
    AnalyzeCommand,
    CalibrateCommand,
    CheckCommand,
    Command,
    InspectCommand,
    LoadCommand,
    PreviewCommand,
    TrainCommand,
    parse,
)
from engine.parser import PROGRAM
from engine.requests import AnalysisRequest, RunRequest, require
from engine.terminal import Ticker, checked, table

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

DONE, FAILED, INTERRUPTED = 0, 1, 130


@dataclass
class Session:
    """One command at work: where it tells how far it is, and what it has finished."""

    ticker: Ticker
    reporter: Reporter | None
    stage: str = ""
    finished: str = ""

    def progress(self, stage: str, done: int, total: int) -> None:
        stage = self.stage + stage
        self.ticker.progress(stage, done, total)
        if self.reporter is not None:
            self.reporter.progress(stage, done, total)

    def should_stop(self) -> bool:
        return self.reporter is not None and self.reporter.cancelled()

    def progress_or_stop(self, stage: str, done: int, total: int) -> None:
        self.progress(stage, done, total)
        if self.should_stop():
            raise Stopped

    def end(self, state: str, sentence: str) -> None:
        self.ticker.say(sentence)
        if self.reporter is not None:
            self.reporter.finish(state, sentence)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 failed, 130 interrupted (2, wrong usage, exits)."""
    words = list(sys.argv[1:] if argv is None else argv)
    # Of torch about torch: nothing a reader of this terminal could act on.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.")
    command = parse(words)
    session = Session(Ticker(sys.stderr), None if command.job is None else Reporter(Path(command.job)))
    try:
        # A worker is asked to end by SIGTERM as a person asks by Ctrl-C.
        signal.signal(signal.SIGTERM, _interrupt)
        if command.job is not None:
            wait_for_turn(Path(command.job), session.progress, session.should_stop)
        session.progress("starting", 0, 1)
        session.end("done", _work(command, session))
        return DONE
    except (KeyboardInterrupt, Stopped):
        kept = session.finished or "What was finished is kept."
        session.end("cancelled", f"Stopped. {kept} Go on with: {PROGRAM} {shlex.join(_typed(words))}")
        return INTERRUPTED
    except Exception as error:
        sentence = _expected(error)
        if sentence is None:
            session.ticker.close()
            traceback.print_exc()
            sentence = (
                f"A fault of the program, not of your request ({type(error).__name__}: {error}). The lines above "
                "say where; what was finished is kept."
            )
        session.end("failed", sentence)
        return FAILED


def _work(command: Command, session: Session) -> str:
    if isinstance(command, CalibrateCommand):
        return _calibrate(command, session)
    if isinstance(command, PreviewCommand):
        return _preview(command, session)
    # Imported here, so that --help and a mistyped flag answer at once.
    from engine.pipeline import Pipeline

    if isinstance(command, InspectCommand):
        return _inspect(command, session)
    pipeline = Pipeline(Store(), command.device, session.progress, session.should_stop, command.download)
    if isinstance(command, TrainCommand):
        return _train(pipeline, command, session)
    if isinstance(command, CheckCommand):
        return _check(pipeline, command, session)
    if isinstance(command, LoadCommand):
        return _load(pipeline, command, session)
    return _analyze(pipeline, command, session)


def _train(pipeline: "Pipeline", command: TrainCommand, session: Session) -> str:
    from engine import library
    from engine import pipeline as jobs

    plan = command.request.training
    for word in command.analyze:
        require(
            not word.isdecimal() or int(word) in {*plan.checkpoints, plan.epochs},
            f"Epoch {word} is to be analysed, but no checkpoint of it is planned. Add it to --checkpoints.",
        )
    key = pipeline.train(_located(command.request))
    run = library.find(pipeline.store, key)
    history = run.history
    test = history.test_accuracy[-1]
    sentence = (
        f"Run {key}: {history.epoch[-1]} epochs, train loss {history.train_loss[-1]:.3g}, accuracy "
        f"{history.train_accuracy[-1]:.2%} ({'no test samples' if test != test else f'test {test:.2%}'}). {run.end}"
    )
    session.finished = sentence
    if not command.analyze:
        return f"{sentence} Analyse it: {PROGRAM} analyze --run {key}"
    session.ticker.say(sentence)
    epochs = jobs.chosen_epochs(command.analyze, run)
    requests = [jobs.default_analysis(run, epoch) for epoch in epochs]
    return _each(pipeline, requests, session)


def _analyze(pipeline: "Pipeline", command: AnalyzeCommand, session: Session) -> str:
    from engine import library
    from engine import pipeline as jobs

    run = library.find(pipeline.store, command.run)
    usual = jobs.default_analysis(run, run.last_epoch)
    requests = [
        command.request(run.key, epoch, usual.layer, usual.batch_size)
        for epoch in jobs.chosen_epochs(command.epochs, run)
    ]
    return _each(pipeline, requests, session)


def _check(pipeline: "Pipeline", command: CheckCommand, session: Session) -> str:
    from engine import library
    from engine import pipeline as jobs

    run = library.find(pipeline.store, command.run)
    layer = command.layer or jobs.default_analysis(run, run.last_epoch).layer
    worst = 0.0
    for epoch in jobs.chosen_epochs(command.epochs, run):
        checks = pipeline.check(run.key, epoch, layer)
        session.ticker.close()
        print(f"\nrun {run.key}, epoch {epoch}, layer {layer}\n{checked(checks)}", flush=True)
        worst = max(worst, *(check.error for check in checks if len(check.directions) == 1))
    return f"Done: the largest relative error of a diagonal number is {worst:.1e}."


def _calibrate(command: CalibrateCommand, session: Session) -> str:
    from engine.calibration import calibrate

    found = calibrate(Store(), command.device, session.progress_or_stop)
    return (
        f"Measured {found.device} of {found.host}: {found.product / 1e9:.0f} billion operations a second in products, "
        f"{found.dense / 1e9:.0f} in training; {found.step * 1e6:.0f} µs per step and layer."
    )


def _preview(command: PreviewCommand, session: Session) -> str:
    from engine import preview

    found = preview.make(Store(), command.data, session.progress_or_stop, command.download)
    return (
        f"{command.data}: {sum(found.train):,} samples to train with and {sum(found.test):,} to test on, in "
        f"{len(found.class_names)} classes, each of shape {' × '.join(map(str, found.shape))}."
    )


def _inspect(command: InspectCommand, session: Session) -> str:
    from engine.inspection import to_json
    from engine.loading import inspect

    found = inspect([Path(name) for name in command.files], progress=session.progress)
    session.ticker.close()
    print(to_json(found), flush=True)
    return found.why or f"{len(found.digests)} read: {found.parameters:,} parameters in each."


def _load(pipeline: "Pipeline", command: LoadCommand, session: Session) -> str:
    from engine import inspection, library, loading
    from engine import pipeline as jobs
    from engine.files import epochs

    files = [Path(name).expanduser().resolve() for name in command.files]
    found = loading.inspect(files, command.request.model.activation, session.progress)
    request, order = inspection.asked(_located(command.request), found, command.epochs or epochs(command.files))
    key = pipeline.load(request, [files[i] for i in order])
    run = library.find(pipeline.store, key)
    history = run.history
    sentence = (
        f"Run {key}: {run.end} At epoch {run.last_epoch}: train loss {history.train_loss[-1]:.3g}, accuracy "
        f"{history.train_accuracy[-1]:.2%}."
    )
    session.finished = sentence
    if not command.analyze:
        return f"{sentence} Analyse it: {PROGRAM} analyze --run {key}"
    session.ticker.say(sentence)
    usual = jobs.default_analysis(run, run.last_epoch)
    requests = [
        replace(command.settings, run=key, epoch=e, layer=command.layer or usual.layer, batch_size=usual.batch_size)
        for e in jobs.chosen_epochs(command.analyze, run)
    ]
    return _each(pipeline, requests, session)


def _each(pipeline: "Pipeline", requests: list[AnalysisRequest], session: Session) -> str:
    for i, request in enumerate(requests):
        count = f" ({i + 1} of {len(requests)})" if len(requests) > 1 else ""
        session.stage = f"analysing epoch {request.epoch}{count}: "
        result = pipeline.analyze(request)
        session.ticker.close()
        print(f"\nrun {request.run}, epoch {request.epoch}, {table(result)}", flush=True)
        session.finished = f"{i + 1} of {len(requests)} analyses of run {request.run} are finished."
    session.stage = ""
    what = "1 analysis" if len(requests) == 1 else f"{len(requests)} analyses"
    return f"Done: {what} of run {requests[0].run}. See them in the dashboard: streamlit run app.py"


def _located(request: RunRequest) -> RunRequest:
    """A file's path made absolute: the run is found again from any folder. A file of the data folder keeps its
    bare name: the run is the same on any computer."""
    name = request.data.name
    if not name.endswith(".npz"):
        return request
    path = Path(name).expanduser()
    if path.name == name and not path.exists():
        return request
    return replace(request, data=replace(request.data, name=str(path.resolve())))


def _expected(error: Exception) -> str | None:
    """The sentence for what can happen to anyone; None for a fault of the program."""
    if isinstance(error, ValueError | TypeError | OSError):
        return str(error) or type(error).__name__
    # Both allocators of torch raise a RuntimeError of their own.
    if isinstance(error, MemoryError) or "memory" in str(error).lower():
        return (
            f"There is not enough memory ({str(error).splitlines()[0] if str(error) else 'no more said'}). "
            "Use fewer samples (--samples, --per-class) or directions (--top-k)."
        )
    return None


def _typed(words: list[str]) -> list[str]:
    """The words without the hidden flag, as a person would repeat them."""
    if "--job" in words:
        i = words.index("--job")
        return words[:i] + words[i + 2 :]
    return words


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
