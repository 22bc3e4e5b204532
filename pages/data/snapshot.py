"""The disk as one rerun of a page, or of one of its fragments, sees it: what is asked again is not looked up again.

Imports nothing heavy: the demo is started through it before the page is drawn.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

from cache.jobs import Job, Jobs
from cache.store import Store

P = ParamSpec("P")
T = TypeVar("T")

_ANSWERS: ContextVar[dict[Hashable, object] | None] = ContextVar("answers", default=None)


@contextmanager
def snapshot() -> Iterator[None]:
    """In it the disk is looked at once for each question. A snapshot inside another one is the same; outside of any,
    as in a callback, every question is a look at the disk."""
    if _ANSWERS.get() is not None:
        yield
        return
    token = _ANSWERS.set({})
    try:
        yield
    finally:
        _ANSWERS.reset(token)


def once(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """function(*args), called once a snapshot for the same arguments."""
    answers, question = _ANSWERS.get(), (function, args, *kwargs.items())
    if answers is None:
        return function(*args, **kwargs)
    if question not in answers:
        answers[question] = function(*args, **kwargs)
    return cast(T, answers[question])


def forget() -> None:
    """Look anew from here on: something was written."""
    answers = _ANSWERS.get()
    if answers is not None:
        answers.clear()


class PageStore(Store):
    """The cache that the pages show. What they write themselves is seen at once."""

    def list(self, *parts: str) -> tuple[str, ...]:
        return once(Store.list, self, *parts)

    def version(self, *parts: str) -> str:
        return once(Store.version, self, *parts)

    def write(self, *args: Any, **kwargs: Any) -> None:
        super().write(*args, **kwargs)
        forget()

    def delete(self, *parts: str) -> bool:
        deleted = super().delete(*parts)
        forget()
        return deleted


class PageJobs(Jobs):
    """The jobs of that cache. What the pages start, stop and delete is seen at once."""

    def jobs(self) -> tuple[Job, ...]:
        return once(Jobs.jobs, self)

    def running(self) -> tuple[Job, ...]:
        return once(Jobs.running, self)

    def start(self, *args: Any, **kwargs: Any) -> Job:
        forget()  # it makes room among the jobs there are now
        job = super().start(*args, **kwargs)
        forget()
        return job

    def cancel(self, *args: Any, **kwargs: Any) -> None:
        super().cancel(*args, **kwargs)
        forget()

    def delete(self, job: Job) -> None:
        super().delete(job)
        forget()
