"""What each command does, and the sentence it ends with.

Numerics are imported where they are needed, so that --help and a mistyped flag answer at once.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial, singledispatch
from pathlib import Path
from typing import Any

from cache.foreign import typed
from cache.jobs import Jobs
from cache.store import Store, replace_file
from engine import units
from engine.cli import console
from engine.cli.checkpoints import analyse, look
from engine.cli.console import chance, checked, ends, grid, layers, score, trials
from engine.cli.session import Session
from engine.config import commands
from engine.config.command_line import line
from engine.config.manual import DASHBOARD, PROGRAM
from engine.config.requests import DATASETS, AnalysisRequest, RunRequest, key
from engine.errors import require
from engine.losses import SQUARES
from engine.models import files, inspection
from engine.results.record import COVERED
from engine.runs import depth, library, noise, plane, preview
from engine.runs.run import Run
from engine.sweeps import means, rows, status
from engine.sweeps.grid import Cell, open_sweep

SHORT = 0.01  # of an accuracy that is known: less is rounding, or other samples


@singledispatch
def work(command: commands.Command, session: Session) -> str:
    """Do what a command asks, and say in a sentence what was done. Errors are raised."""
    raise TypeError(f"{command} is no command.")


@work.register
def _train(command: commands.TrainCommand, session: Session) -> str:
    pipeline = session.pipeline(command)
    plan = command.request.training
    for word in command.analyze:
        require(
            not word.isdecimal() or int(word) in {*plan.checkpoints, plan.epochs},
            f"Epoch {word} is to be analysed, but no checkpoint of it is planned. Add it to --checkpoints.",
        )
    run = library.find(pipeline.store, pipeline.train(_located(command.request)))
    history = run.history
    sentence = (
        f"Run {run.key}: {history.epoch[-1]} epochs, train loss {history.train_loss[-1]:.3g}, {score(run)}. {run.end}"
    )
    session.finished = sentence
    if not (command.analyze or command.every_sample):
        return f"{sentence} Analyse it: {PROGRAM} analyze --run {run.key}"
    if command.analyze:
        session.ticker.say(sentence)
        epochs = library.chosen_epochs(command.analyze, run)
        requests = [library.default_analysis(run, epoch) for epoch in epochs]
        sentence = analyse(pipeline, requests, session, planes=command.planes)
    if command.every_sample:
        session.ticker.say(sentence)
        sentence = look(pipeline, run, command.every_sample, None, session)
    return sentence


@work.register
def _film(command: commands.FilmCommand, session: Session) -> str:
    from engine.runs.camera import Camera  # loads torch

    session.finished = "Every frame is kept."
    return Camera(session.pipeline(command), _located(command.request)).shoot()


@work.register
def _analyze(command: commands.AnalyzeCommand, session: Session) -> str:
    pipeline = session.pipeline(command)
    run = library.find(pipeline.store, command.run)
    requests = _requests(command, run, session)
    if run.recorded is not None and command.model is None:  # told once, not of every layer
        known = {one.key for one in library.analyses(pipeline.store, run.key)}
        there = any(key(request, run.fingerprint) in known for request in requests)
        require(there, library.BY_HAND if run.by_hand else library.elsewhere(run))
    splits = command.splits if command.cross_fit else None
    return analyse(pipeline, requests, session, splits, command.again, command.window)


def _requests(command: commands.AnalyzeCommand, run: Run, session: Session) -> list[AnalysisRequest]:
    if command.layer == "all" and run.left_out:
        session.ticker.say(depth.without(run.left_out))
    epochs = library.chosen_epochs(command.epochs, run)
    return [command.request(usual) for epoch in epochs for usual in depth.requests(run, epoch, command.layer)]


@work.register
def _layers(command: commands.LayersCommand, session: Session) -> str:
    store = Store()
    run = library.find(store, command.run)
    calibration, earlier = depth.speeds(store)
    asked = [(one, depth.usual_analysis(run, run.last_epoch, one.name)) for one in depth.layers_of(run)]
    costs = [(one, request.top_k, depth.cost(run, request, calibration, earlier)) for one, request in asked]
    session.ticker.close()
    print("\n".join([layers(costs), *run.left_out.values()]), flush=True)
    count = units.counted(len(costs), "layer")
    every = f"{PROGRAM} analyze --run {run.key} --layer all{library.bringing(run)}"
    return f"{count} of run {run.key} can be studied. Analyse all: {every}"


@work.register
def _sweep(command: commands.SweepCommand, session: Session) -> str:
    from engine.sweeps import workers  # loads torch

    sweep, store = open_sweep(command.sweep), Store()
    if command.measure:
        session.finished = "Finished cells are kept."
        with contextlib.ExitStack() as stack:
            count, address = units.workers() if command.workers is None else command.workers, command.scheduler
            if address is None:
                _have_data(command, [state.cell for state in status.states(store, sweep) if state.row is None], session)
            pool = partial(workers.local, count) if address is None else stack.enter_context(workers.dask(address))
            workers.fill(store, sweep, pool, command.device, session.progress, session.should_stop, command.download)
    states = status.states(store, sweep)
    measured = status.measured(states)
    session.ticker.close()
    print(grid(measured) if measured else "No cell is measured: there is no table to show or to write.", flush=True)
    for state in states:
        if state.failure:
            print(f"{state.cell.row}, {state.cell.classes} classes, seed {state.cell.run.seed}: {state.failure}")
    for file, text in ((command.csv, rows.to_csv), (command.latex, partial(means.latex, sweep.name))):
        if file is not None and measured:
            typed(file).write_text(text(measured), encoding="utf-8")
    sentence = f"{len(measured)} of {len(states)} cells of “{sweep.name}” are measured."
    failed = sum(bool(state.failure) for state in states)
    require(not command.measure or not failed, f"{sentence} {failed} failed; the lines above say why.")
    return sentence


def _have_data(command: commands.SweepCommand, cells: Sequence[Cell], session: Session) -> None:
    """ValueError before the first cell is worked on if the data of some are not here, or cannot be read."""
    from engine.data import sources  # loads NumPy's readers

    for name, count in Counter(cell.run.data.name for cell in cells).items():
        try:
            sources.read(name, session.progress_or_stop, command.download)
        except (OSError, ValueError) as error:
            fetch = f" Fetch it: {PROGRAM} sweep {command.sweep} --download." if name in DATASETS else ""
            raise ValueError(
                f"{count} of {len(cells)} cells need {name}, and it is not to be had. {error}{fetch}"
            ) from error


@work.register
def _check(command: commands.CheckCommand, session: Session) -> str:
    pipeline = session.pipeline(command)
    run = library.find(pipeline.store, command.run)
    layer = command.layer or library.default_analysis(run, run.last_epoch).layer
    worst, wrong, count = 0.0, [], 0
    for epoch in library.chosen_epochs(command.epochs, run):
        checks = pipeline.check(run.key, epoch, layer)
        session.ticker.close()
        print(f"\nrun {run.key}, epoch {epoch}, layer {layer}\n{checked(checks)}", flush=True)
        worst, count = max(worst, *(check.error for check in checks)), count + len(checks)
        wrong += [f"{check.words} of epoch {epoch} (off by {check.error:.0%})" for check in checks if not check.agrees]
    require(
        not wrong,
        f"{len(wrong)} of {count} numbers do not agree with the network: {', '.join(wrong[:5])}. Analyse again, and "
        "report it where that does not help.",
    )
    return f"Done: {count} numbers agree; the largest relative error is {worst:.1e}. {COVERED}"


@work.register
def _selftest(command: commands.SelftestCommand, session: Session) -> str:
    import torch

    from engine import device
    from engine.curvature import selftest  # loads torch

    made = list(selftest.verdicts(command.device, session.progress_or_stop))
    session.ticker.close()
    print(console.selftested(made, selftest.TOLERANCES), flush=True)
    wrong = [f"{one.worst.words} of {one.kind}, {one.loss}, {one.dtype}" for one in made if not one.holds]
    where = f"{device.device_name(device.resolve(command.device))}, {units.counted(torch.get_num_threads(), 'thread')}"
    require(
        not wrong,
        f"{len(wrong)} of {len(made)} analyses are wrong on {where}: {'; '.join(wrong[:5])}. Trust none of this "
        "machine's numbers, and report it with the table above.",
    )
    return f"Done: {len(made)} analyses hold on {where}. {COVERED}"


@work.register
def _samples(command: commands.SamplesCommand, session: Session) -> str:
    pipeline = session.pipeline(command)
    pairs = [(int(p), int(q or -1)) for p, _, q in (words.partition(":") for words in command.pairs)]
    return look(pipeline, library.find(pipeline.store, command.run), command.epochs, command.layer, session, pairs)


@work.register
def _noise(command: commands.NoiseCommand, session: Session) -> str:
    from engine.runs import descents  # loads torch

    pipeline = session.pipeline(command)
    run = library.find(pipeline.store, command.run)
    layer, sentence = command.layer or run.studied, ""
    analysed = library.analyses(pipeline.store, run.key)
    epochs = library.chosen_epochs(command.epochs, run) if command.epochs else (None,)
    for made in [noise.start(run, analysed, layer, epoch) for epoch in epochs]:
        epoch = made.request.epoch
        session.finished = "Finished seeds are kept."
        result = descents.keep(pipeline, run, made, command.steps, command.seeds, command.learning_rate)
        session.ticker.close()
        print(f"\nrun {run.key}, epoch {epoch}, layer {layer}\n{ends(result)}", flush=True)
        late = noise.accuracy(run, epoch) >= noise.LEARNED
        sentence = f"Done: {units.counted(result.seeds, 'seed')} of each noise from epoch {epoch} of run {run.key}"
        sentence += ", where nearly all is learned and little noise is left." if late else "."
    return f"{sentence} See them in the dashboard: {DASHBOARD}"


@work.register
def _plane(command: commands.PlaneCommand, session: Session) -> str:
    pipeline = session.pipeline(command)
    run = library.find(pipeline.store, command.run)
    layer, analysed = command.layer or run.studied, library.analyses(pipeline.store, run.key)
    pairs = [(int(i), int(j)) for i, j in (pair.split("-") for pair in command.pairs)] or None
    count = 0
    for epoch in library.chosen_epochs(command.epochs, run):
        count += plane.keep(pipeline, run, noise.start(run, analysed, layer, epoch), pairs)
        session.finished = f"{units.counted(count, 'plane')} of run {run.key} are there."
    return f"Done: {units.counted(count, 'plane')} of run {run.key}. See them in the dashboard: {DASHBOARD}"


@work.register
def _calibrate(command: commands.CalibrateCommand, session: Session) -> str:
    from engine.runs.benchmark import calibrate  # loads torch

    speed = calibrate(Store(), command.device, session.progress_or_stop)
    return (
        f"Measured {speed.device} of {speed.host}: {speed.product / 1e9:.0f} billion operations a second in products, "
        f"{speed.dense / 1e9:.0f} in training; {speed.step * 1e6:.0f} µs per step and layer."
    )


@work.register
def _preview(command: commands.PreviewCommand, session: Session) -> str:
    overview = preview.make(Store(), command.data, session.progress_or_stop, command.download)
    kind = f"in {len(overview.class_names)} classes" if not overview.numbers else overview.targets
    return (
        f"{command.data}: {sum(overview.train):,} samples to train with and {sum(overview.test):,} to test on, {kind}, "
        f"each of shape {' × '.join(map(str, overview.shape))}."
    )


@work.register
def _inspect(command: commands.InspectCommand, session: Session) -> str:
    from engine.runs.external import inspect  # loads torch

    contents = inspect([Path(name) for name in command.files], progress=session.progress, part=command.part)
    session.ticker.close()
    print(inspection.to_json(contents), flush=True)
    return contents.why or f"{len(contents.digests)} read: {contents.parameters:,} parameters in each."


@work.register
def _runs(command: commands.RunsCommand, session: Session) -> str:
    store = Store()
    listed = [
        (run, sorted({made.request.epoch for made in library.analyses(store, run.key)})) for run in library.runs(store)
    ]
    session.ticker.close()
    if listed:
        print(console.runs(listed), flush=True)
    return f"{units.counted(len(listed), 'run')} in {store.root}."


@work.register
def _jobs(command: commands.JobsCommand, session: Session) -> str:
    jobs = Jobs(Store().root / "jobs")
    listed = jobs.jobs()
    session.ticker.close()
    if listed:
        print(console.jobs(listed), flush=True)
    at_work = sum(job.running for job in listed)
    return f"{units.counted(len(listed), 'job')}, {at_work} at work or waiting. Stop one: {PROGRAM} stop JOB"


@work.register
def _stop(command: commands.StopCommand, session: Session) -> str:
    jobs = Jobs(Store().root / "jobs")
    running = jobs.running()
    meant = [job for job in running if command.which == "all" or job.id.startswith(command.which)]
    known = ", ".join(job.id for job in running) or "none"
    require(
        command.which == "all" or len(meant) == 1,
        f"{len(meant) or 'No'} jobs at work begin with {command.which!r}. At work: {known}.",
    )
    for job in meant:
        jobs.cancel(job)
    while any((now := jobs.job(job.id)) is not None and now.running for job in meant):
        session.progress_or_stop("stopping", 0, 1)
        time.sleep(0.1)
    titles = "; ".join(job.title for job in meant)
    return f"Stopped: {titles}. What was finished is kept." if meant else "No job is at work."


@work.register
def _export(command: commands.ExportCommand, session: Session) -> str:
    store = Store()
    run = library.find(store, command.run)
    (epoch, *more) = library.chosen_epochs(command.epochs, run)
    require(not more, "One analysis goes into one file: give one epoch.")
    made = noise.start(run, library.analyses(store, run.key), command.layer or run.studied, epoch)
    result = library.load_analysis(store, run.key, made.key, spectra=True, basis=True)
    require(result is not None, f"The analysis of epoch {epoch} was unreadable. Analyse it again.")
    assert result is not None
    file = typed(command.file)
    require(file.parent.is_dir(), f"There is no folder {file.parent}: make it first, or give another.")
    if file.suffix == ".csv":
        replace_file(file, result.to_dataframe().to_csv().encode())
    else:
        result.save(file)
    return f"Epoch {epoch} of run {run.key}, layer {made.request.layer}, is in {file}."


@work.register
def _load(command: commands.LoadCommand, session: Session) -> str:
    from engine.runs import external  # loads torch

    if command.model is not None:
        return _bring(command, session)
    require(
        commands.IN_FILE not in command.data.name,
        f"{command.data.name} is executed only with --model file.py:function.",
    )
    pipeline = session.pipeline(command)
    paths = [typed(name).resolve() for name in command.files]
    contents = external.inspect(paths, command.request.model.activation, session.progress, command.part)
    epochs = command.epochs or files.epochs(command.files)
    single = contents.model is not None and contents.model.widths[-1] == 1 and command.loss != SQUARES.name
    if single or (contents.model is None and not contents.parts):
        session.ticker.close()
        print(inspection.lines(contents, command.files[0], command.request), flush=True)
    request, order = inspection.asked(_located(command.request), contents, epochs)
    run = library.find(pipeline.store, pipeline.load(request, [paths[i] for i in order], command.part, command.reading))
    history = run.history
    sentence = (
        f"Run {run.key}: {run.end} At epoch {run.last_epoch}: train loss {history.train_loss[-1]:.3g}, "
        f"{score(run, False)}."
    )
    session.finished = sentence
    if command.accuracy is not None and history.train_accuracy[-1] < command.accuracy - SHORT:
        session.ticker.close()
        print(trials(run), flush=True)
        sentence += f" You know it to reach {command.accuracy:.2%}: what else was tried stands above."
    elif command.accuracy is None and (barely := chance(run, pipeline.data(run.request.data))):
        session.ticker.close()
        print(trials(run), flush=True)
        sentence += f" {barely}"
    if not command.analyze:
        return f"{sentence} Analyse it: {PROGRAM} analyze --run {run.key}"
    session.ticker.say(sentence)
    usual = library.default_analysis(run, run.last_epoch)
    requests = [
        replace(command.settings, run=run.key, epoch=e, layer=command.layer or usual.layer, batch_size=usual.batch_size)
        for e in library.chosen_epochs(command.analyze, run)
    ]
    return analyse(pipeline, requests, session)


def _bring(command: commands.LoadCommand, session: Session) -> str:
    from engine.cli import bring  # loads torch

    with bring.load(command, session.progress) as recorder:
        run, pipeline = recorder.run, recorder.pipeline
        words: dict[str, Any] = dict(run.recorded.bring) if run.recorded is not None else {}
        analyze = commands.AnalyzeCommand(
            run.key, command.analyze, layer=command.layer, settings=command.settings, **words
        )
        history = run.history
        sentence = (
            f"Run {run.key}: {units.counted(len(run.checkpoints), 'checkpoint')}. At epoch {run.last_epoch}: train "
            f"loss {history.train_loss[-1]:.3g}, {score(run, False)}."
        )
        session.finished = sentence
        if not command.analyze:
            return f"{sentence} Analyse it: {line(replace(analyze, epochs=('last',)))}"
        session.ticker.say(sentence)
        pipeline = replace(pipeline, progress=session.progress, should_stop=session.should_stop)
        return analyse(pipeline, _requests(analyze, run, session), session)


def _located(request: RunRequest) -> RunRequest:
    """A file's path made absolute: the run is found again from any folder. A file of the data folder keeps its
    bare name: the run is the same on any computer."""
    from engine.data.sources import joined, split  # loads NumPy

    name, *more = split(request.data.name)
    path = typed(name)
    if name in DATASETS or (path.name == name and not path.exists()):
        return request
    return replace(request, data=replace(request.data, name=joined(str(path.resolve()), *more)))
