"""What a column or a filter reads: the interactions' own columns, the texts it names, the rows before."""

from sintonia.features.kernel.filters import conditions
from sintonia.features.measures import Column, Earlier, Expression, Filter, Gap, Level, Previous
from sintonia.features.sql import column_names_of, literals_of

HOUR = 3_600_000_000  # microseconds
CLOCK = {"local_hour": (HOUR, 0, 24), "local_weekday": (24 * HOUR, 3, 7)}  # 1970 began on a Thursday


def named_texts(column: Column | Filter) -> list[tuple[str, tuple[str, ...]]]:
    """Return the texts that a column or a filter names, by the column that may hold them.

    Examples
    --------
    >>> named_texts(Filter(kind="view", having=("channel = 'web'",)))
    [('kind', ('view',)), ('channel', ('web',))]
    """
    match column:
        case Filter():
            on_columns = conditions(column)
            own = [(on.column, on.texts) for on in on_columns if isinstance(on.column, str) and on.texts]
            return own + [pair for on in on_columns if not on.texts for pair in named_texts(on.column)]
        case str():
            return [(name, texts) for name in column_names_of(column) if (texts := literals_of(column))]
        case Expression():
            own = [
                (name, texts) for name in column_names_of(column.sql) if (texts := literals_of(column.sql))
            ]
            return own + [pair for _, bound in column.names for pair in named_texts(bound)]
        case Level():
            return [(column.column, column.levels)]
        case Previous():
            return named_texts(column.column) + named_texts(column.where)
    return named_texts(column.where)


def columns_of(column: Column | Filter) -> set[str]:
    """Return the interactions' own columns that a column or a filter reads.

    Examples
    --------
    >>> sorted(columns_of(Gap(Filter(kind="purchase"), same="category")))
    ['category', 'kind', 'occurred_at']
    """
    match column:
        case Filter():
            return set().union(*(columns_of(condition.column) for condition in conditions(column)))
        case str():
            return {_own(name) for name in column_names_of(column)}
        case Expression():
            bound = dict(column.names)
            own = {_own(name) for name in column_names_of(column.sql) if name not in bound}
            return own.union(*(columns_of(named) for named in bound.values()))
        case Level():
            return {column.column}
    same = set() if column.same is None else {column.same}
    value = columns_of(column.column) if isinstance(column, Previous) else set()
    return {"occurred_at"} | same | value | columns_of(column.where)


def looks_back(column: Column | Filter) -> bool:
    """Return whether a column or a filter reads earlier rows of the customer.

    Examples
    --------
    >>> looks_back(Filter(having=(Gap(Filter()),))), looks_back("amount")
    (True, False)
    """
    match column:
        case Filter():
            return any(looks_back(condition.column) for condition in conditions(column))
        case Expression():
            return any(looks_back(bound) for _, bound in column.names)
    return isinstance(column, Gap | Previous | Earlier)


def _own(name: str) -> str:
    return "utc_offset_minutes" if name in CLOCK else name
