"""The demo's job: started once, found again later. Light to import, so that it is at work before the page is drawn."""

from cache.jobs import Job, Jobs
from engine.config.command_line import arguments
from engine.config.requests import RunRequest
from pages.data.snapshot import PageJobs, PageStore

DEMO = RunRequest()


def jobs() -> Jobs:
    """The jobs of this cache, as this rerun sees them."""
    return PageJobs(PageStore().root / "jobs")


def job() -> Job | None:
    """The newest job of the demo, at work or ended; found again after a restart of the server."""
    return next((candidate for candidate in jobs().jobs() if candidate.argv == _command()), None)


def start() -> Job:
    """Start the demo; if it is already at work, that job."""
    return jobs().start(_command(), title="The demo: digits, 784-50-50-10, cross-entropy")


def start_on_an_empty_cache() -> None:
    """The demo starts by itself, once, where there is nothing to show."""
    if not PageStore().list("runs") and job() is None and not jobs().running():
        start()


def _command() -> tuple[str, ...]:
    """Train, analyse the last checkpoint, then all the others; look at the last one sample by sample, then at the first
    and at the one in the middle, so that no page about single samples has to ask for them."""
    epochs = DEMO.training.checkpoints
    looked_at = ("last", str(epochs[0]), str(epochs[len(epochs) // 2]))
    return tuple(arguments(DEMO, ("last", "all"), every_sample=looked_at))
