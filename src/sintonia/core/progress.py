"""Progress of long steps: bars on standard error when it is a terminal, and the log that every step writes to."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger("sintonia")


def track(items: Iterable[T], doing: str, total: int | None = None) -> Iterator[T]:
    """Yield the items one by one under a progress bar with a description.

    Examples
    --------
    >>> list(track([1, 2, 3], "Counting"))
    [1, 2, 3]
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as bar

    yield from bar(items, description=doing, total=total, console=Console(stderr=True), transient=True)


@contextmanager
def step(doing: str) -> Iterator[None]:
    """Show a spinner with a description, for work that cannot be counted."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(doing):
        yield


@contextmanager
def counter(total: int, doing: str) -> Iterator[Callable[[int, str], None]]:
    """Yield a function that moves a bar on by so many steps and says a word beside it, with the time that is left.

    Examples
    --------
    >>> with counter(3, "Counting") as count:
    ...     count(2, "best so far 1.0")
    """
    if not sys.stderr.isatty():
        yield lambda steps, word: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[word]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task(doing, total=total, word="")
        yield lambda steps, word: bar.update(shown, advance=steps, word=word)
