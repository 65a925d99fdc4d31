"""Which terms are computed together: a pass puts each row once into the plane of the one filter it meets."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sintonia.features.measures import DaysSince, Filter, Term, Total


@dataclass(frozen=True)
class Pass:
    """One walk over the rows for filters (*planes*) that differ only in the value of one column, the axis.

    No row meets two of its planes. `totals` gives the windows in days wanted of each column (None counts
    rows), `newest` and `oldest` how many moments are wanted from either end.
    """

    axis: str | None
    planes: tuple[Filter, ...]
    totals: dict[str | None, tuple[int | None, ...]]
    newest: int
    oldest: int


def passes(terms: Iterable[Term]) -> list[Pass]:
    """Return the passes that give all the terms: one for each set of planes that some column or moment needs.

    Examples
    --------
    >>> for p in passes([Total(Filter(channel="web")), Total(Filter(channel="app"), None, 7)]):
    ...     print(p.axis, len(p.planes), p.totals)
    channel 2 {None: (None, 7)}
    """
    groups: dict[tuple[object, ...], list[Term]] = {}
    for term in dict.fromkeys(terms):
        column = term.column if isinstance(term, Total) else None
        groups.setdefault((type(term), column, _base(term.where)), []).append(term)
    together: dict[tuple[Filter, ...], list[Term]] = {}
    for group in groups.values():
        planes = tuple(sorted({term.where for term in group}, key=repr))
        together.setdefault(planes, []).extend(group)
    return [_pass(planes, group) for planes, group in together.items()]


def axis_of(where: Filter) -> str | None:
    """Return the column whose value tells the filter's plane from the others of its pass."""
    return "channel" if where.channel is not None else "kind" if where.kind is not None else None


def _base(where: Filter) -> tuple[str | None, Filter]:
    """Return the filter's axis and what is left of it without: filters alike in both can share a pass."""
    axis = axis_of(where)
    if axis == "channel":
        return axis, replace(where, channel=None)
    return axis, replace(where, kind=None)


def _pass(planes: tuple[Filter, ...], terms: list[Term]) -> Pass:
    totals: dict[str | None, tuple[int | None, ...]] = {}
    for term in terms:
        if isinstance(term, Total):
            windows = (*totals.get(term.column, ()), term.window_days)
            totals[term.column] = tuple(dict.fromkeys(windows))
    positions = [term.position for term in terms if isinstance(term, DaysSince)]
    newest, oldest = max([0, *(-p for p in positions)]), max([0, *(p + 1 for p in positions)])
    return Pass(axis_of(planes[0]), planes, totals, newest, oldest)
