"""Makes the descents under noise of different shapes that engine.runs.noise keeps."""

from engine.curvature.descent import Experiment, Layer
from engine.device import resolve
from engine.errors import require
from engine.results.noise import EVERY, NONE, SEEDS, SGD, STEPS, Descents
from engine.runs import eviction, noise
from engine.runs.library import Analysed
from engine.runs.pipeline import Pipeline
from engine.runs.run import Run


def keep(
    pipeline: Pipeline,
    run: Run,
    made: Analysed,
    steps: int = STEPS,
    seeds: int = SEEDS,
    rate: float | None = None,
) -> Descents:
    """The descents from where an analysis was made, as they are kept: seeds that are there cost nothing, and each new
    one is kept at once. rate: η, the run's own there for None. ValueError as engine.curvature.descent.Layer,
    engine.runs.noise.rate and Pipeline.restore."""
    longest = max(EVERY.values())
    require(
        steps >= longest and steps % longest == 0,
        f"A descent has {longest} steps or a multiple of it, where the curvature is looked at; not {steps}.",
    )
    request, where = made.request, noise.place(run.key, made.key)
    noise.check(run, request.layer)
    rate = noise.rate(run, request.epoch) if rate is None else rate
    kept = noise.read(pipeline.store, where)
    if kept is not None and (kept.steps, kept.rate) != (steps, rate):
        kept = None
    if kept is not None and kept.seeds >= seeds:
        return kept
    model, inputs, targets = pipeline.restore(run.key, request.epoch, request.samples, request.seed)
    device, output = resolve(pipeline.device), pipeline.brought.output
    layer = Layer(
        model, request.layer, inputs, targets, pipeline.loss(run), device=device, output=output,
        curvature=request.curvature, bias=request.bias,
    )  # fmt: skip
    unseen = pipeline.unseen(run)
    experiment = Experiment.of(
        layer, request.batch_size, rate, epoch=request.epoch, unseen=unseen, progress=pipeline.tell
    )
    if kept is not None and {*kept.names} != {SGD, NONE, *experiment.shapes}:
        kept = None
    first = 0 if kept is None else kept.seeds
    each = (1 + len(experiment.shapes)) * steps
    done, total = first * each + steps * (first > 0), seeds * each + steps

    def advance(more: int) -> None:
        nonlocal done
        done += more
        pipeline.tell("descending under each noise", done, total)

    for seed in range(first, seeds):
        one = experiment.run(seed, steps, still=kept is None, advance=advance)
        kept = one if kept is None else kept.with_seed(one)
        noise.write(pipeline.store, where, kept)
    eviction.make_room(pipeline.store, spare=(run.key, made.key))
    assert kept is not None, "there is at least one seed"
    return kept
