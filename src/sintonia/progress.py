"""Progress bars on long steps: shown on standard error when it is a terminal, silent otherwise."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], doing: str, total: int | None = None) -> Iterator[T]:
    """Yield the items one by one under a bar that says what is being done.

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
    """Show a spinner that says what is being done, for work that cannot be counted."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(doing):
        yield
