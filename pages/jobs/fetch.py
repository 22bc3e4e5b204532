"""The one button that fetches the samples which are not kept yet."""

from collections.abc import Iterator, Sequence
from functools import partial

from cache.jobs import Job
from engine import units
from engine.config.commands import SamplesCommand
from engine.samples.close_up import CloseUp
from engine.samples.table import Table
from pages.data.results import View
from pages.data.samples import closely, stored
from pages.jobs import banner, commands, elsewhere, watch
from pages.ui.heading import what_will_be_seen

SEARCH = ":material/search:"


def of(page: str, view: View, epochs: Sequence[int] = (), about: Sequence[str] = ()) -> tuple[Table, ...]:
    """The samples of these checkpoints, of the one in view for (). While any is missing nothing is returned: the page
    then says what is missing and offers to fetch it, shows how far that is, or why it failed; and about: the
    definitions of what it will show."""
    if banner.several(view, "Single samples are looked at"):
        return ()
    checkpoints = tuple(epochs) or (view.epoch,)
    by_epoch = {epoch: stored(view, epoch) for epoch in checkpoints}
    missing = tuple(epoch for epoch, table in by_epoch.items() if table is None)
    if missing:
        _fetch(page, view, missing)
        if about:
            what_will_be_seen(about, view)
    return tuple(table for table in by_epoch.values() if table is not None) if not missing else ()


def close_up(page: str, view: View, pair: tuple[int, int], others: Sequence[tuple[int, int]]) -> CloseUp | None:
    """All about a sample and its partner, −1 for none. While it is not kept: the way to have it, with the others."""
    kept = closely(view, *pair)
    if kept is not None:
        return kept
    asked = tuple(dict.fromkeys(_words(*one) for one in (pair, *(o for o in others if closely(view, *o) is None))))
    p, q = pair
    call = f'look({view.epoch}, "{view.chosen.request.layer}", pairs=[({p}, {q})])'
    if elsewhere.explain(view.run, _command(view, (view.epoch,), asked), call):
        return None
    job = next((job for job in _looks(view, (view.epoch,)) if _words(*pair) in _pairs(job)), None)
    watch.ask(
        job,
        "" if job is None else f"Looking closely at {units.counted(len(_pairs(job)), 'sample')} …",
        "Before this layer a sample is taken in hand by the network itself: this one, and the others shown here. That "
        "takes seconds, and is kept.",
        "Look closely",
        f"{page}.closely",
        SEARCH,
        partial(_closely, view, asked),
    )
    return None


def _words(sample: int, partner: int) -> str:
    """A pair in the words of the command line."""
    return f"{sample}:{partner}" if partner >= 0 else f"{sample}"


def _pairs(job: Job) -> tuple[str, ...]:
    command = commands.command_of(job)
    return command.pairs if isinstance(command, SamplesCommand) else ()


def _closely(view: View, pairs: tuple[str, ...]) -> None:
    title = f"{units.counted(len(pairs), 'sample')} in hand, layer {view.chosen.request.layer}"
    commands.start(_command(view, (view.epoch,), pairs), title, view.run.key, queue=False)


def _fetch(page: str, view: View, missing: tuple[int, ...]) -> None:
    layer, named = view.chosen.request.layer, _listed(missing)
    if elsewhere.explain(view.run, _command(view, missing), f'look({missing[0]}, "{layer}")'):
        return
    watch.ask(
        next(_looks(view, missing), None),
        f"Looking at every training sample at {named}, before layer {layer} …",
        f"The training samples have not been looked at one by one yet at {named}, before layer {layer}. That takes "
        "seconds for a small layer, a minute or so for a large one, and is kept.",
        "Look at every sample",
        f"{page}.samples",
        SEARCH,
        partial(_start, view, missing),
    )


def _command(view: View, epochs: tuple[int, ...], pairs: tuple[str, ...] = ()) -> SamplesCommand:
    return SamplesCommand(view.run.key, tuple(map(str, epochs)), view.chosen.request.layer, pairs=pairs)


def _start(view: View, epochs: tuple[int, ...]) -> None:
    title = f"Every sample at {_listed(epochs)}, layer {view.chosen.request.layer}"
    commands.start(_command(view, epochs), title, view.run.key, queue=False)


def _looks(view: View, epochs: tuple[int, ...]) -> Iterator[Job]:
    """The jobs that look at these checkpoints, maybe at others too, the newest first."""
    for job in commands.jobs().jobs():
        command = commands.command_of(job)
        if (
            isinstance(command, SamplesCommand)
            and (command.run, command.layer) == (view.run.key, view.chosen.request.layer)
            and {*map(str, epochs)} <= {*command.epochs}
        ):
            yield job


def _listed(epochs: tuple[int, ...]) -> str:
    """Epochs in words."""
    *others, last = map(str, epochs)
    return f"epochs {', '.join(others)} and {last}" if others else f"epoch {last}"
