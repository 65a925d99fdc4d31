"""The slow way to every kind of term: one list of visible rows a customer and as-of date, and plain Python.

It knows the definitions of `measures` and nothing of how the kernel works. An expression comes with a Python
function of the row that says the same.
"""

from datetime import timedelta
from math import nan

from sintonia.features.measures import (
    LABELS,
    Among,
    DaysSince,
    Decayed,
    Distinct,
    Earlier,
    Expression,
    Extreme,
    Filter,
    Gap,
    Level,
    Previous,
    Total,
    Value,
    expression,
)

DAY = timedelta(days=1)
ORDER = Filter(kind="purchase", opens_thread=True)
ONLINE = Filter(channel=("web", "email"))
VIEW = Filter(kind="view")


def clock(row):
    if row["utc_offset_minutes"] is None:
        return None
    return row["occurred_at"] + timedelta(minutes=row["utc_offset_minutes"])


def hour(row):
    return None if clock(row) is None else clock(row).hour


def weekday(row):
    return None if clock(row) is None else clock(row).weekday()


def whole(name):
    return lambda row: row[name]


def scaled(row):
    return None if row["sentiment"] is None else round(row["sentiment"] * 100)


PYTHON = {
    "amount": whole("amount"),
    "discount > 0": lambda row: None if row["discount"] is None else row["discount"] > 0,
    "ROUND(100 * sentiment)": scaled,
    "sentiment IS NOT NULL": lambda row: row["sentiment"] is not None,
    "local_hour": hour,
    "local_weekday": weekday,
    "local_hour >= 22 OR local_hour < 6": lambda row: hour(row) is not None and not 6 <= hour(row) < 22,
    "channel <> before": lambda row, before: (
        None if None in (row["channel"], before) else row["channel"] != before
    ),
    "gap * gap": lambda row, gap: None if gap is None else gap * gap,
    "gap IS NULL OR gap > 1800": lambda row, gap: gap is None or gap > 1800,
    "gap < 604800": lambda row, gap: None if gap is None else gap < 604800,
    "times = 0": lambda row, times: times == 0,
}
"""What each SQL expression of the tests says."""

SINCE_ORDER = Gap(ORDER)
SWITCHED = expression("channel <> before", before=Previous("channel", Filter()))
SESSION = expression("gap IS NULL OR gap > 1800", gap=Gap(ONLINE))
NEW = expression("times = 0", times=Earlier(Filter(kind="purchase"), same="category"))
RESEARCHED = expression("gap < 604800", gap=Gap(VIEW, same="category"))

TERMS = [
    Total(Filter(kind=("view", "send"), category="tea"), None, 7),
    Total(Filter(kind="purchase", having=("discount > 0",)), "amount", 30),
    Total(Filter(having=(Among("local_hour", (0, 23)),)), None, 30),
    Total(Filter(having=(Among("local_weekday", (5, 6)), "local_hour >= 22 OR local_hour < 6"))),
    Total(
        Filter(channel="web", source="test", having=("sentiment IS NOT NULL",)), "ROUND(100 * sentiment)", 30
    ),
    Total(ORDER, SINCE_ORDER, 30),
    Total(ORDER, expression("gap * gap", gap=SINCE_ORDER)),
    Total(Filter(having=(SWITCHED,)), None, 30),
    Total(Filter(channel=("web", "email"), having=(SESSION,)), None, 7),
    Total(Filter(kind="purchase", having=(NEW,)), None, 30),
    Total(Filter(kind="purchase", channel="store", having=(RESEARCHED,)), None, 30),
    Total(Filter(kind="send"), Gap(Filter(kind="complaint"), same="thread_id")),
    Total(Filter(action_id="none of them"), "amount"),
    Total(Filter(), Level("channel", ("store", "web")), 7),
    Distinct(Filter(), "category", 7),
    Distinct(Filter(), "category", 30),
    Distinct(Filter(kind="purchase"), "category"),
    Distinct(ONLINE, "channel", 30),
    Extreme(Filter(), "amount", 7),
    Extreme(Filter(), "amount", 30),
    Extreme(Filter(kind="purchase"), "amount", None, lowest=True),
    Extreme(ORDER, SINCE_ORDER, 30),
    Extreme(Filter(), "ROUND(100 * sentiment)", 30, lowest=True),
    Decayed(Filter(), None, 7),
    Decayed(Filter(kind="purchase"), "amount", 30.5),
    Decayed(Filter(having=(SWITCHED,)), None, 1),
    Value(Filter(), "ROUND(100 * sentiment)"),
    Value(Filter(having=("sentiment IS NOT NULL",)), "ROUND(100 * sentiment)"),
    Value(Filter(), Level("channel", ("store", "web", "email")), 0),
    Value(ORDER, SINCE_ORDER, -2),
    Value(VIEW, Earlier(Filter(kind="send"))),
    Value(Filter(), Previous("amount", ORDER), 2),
    DaysSince(Filter(category=("tea", "jam"))),
    DaysSince(ORDER, 1),
    DaysSince(Filter(having=(NEW,)), -3),
]
"""One of every kind, and of every way to filter and to measure."""


def slow_term(term, rows, as_of):
    """Return a term's value as of a date, given one customer's visible rows in order."""
    met = [i for i in range(len(rows)) if meets(term.where, rows, i)]
    match term:
        case Value() | DaysSince():
            if not -len(met) <= term.position < len(met):
                return nan
            i = met[term.position]
            if isinstance(term, DaysSince):
                return (as_of - rows[i]["occurred_at"]) / DAY
            found = number(term.column, rows, i)
            return nan if found is None else found
        case Decayed():
            parts = [1 if term.column is None else number(term.column, rows, i) or 0 for i in met]
            ages = [(as_of - rows[i]["occurred_at"]) / DAY for i in met]
            return sum(
                part * 0.5 ** (age / term.half_life_days) for part, age in zip(parts, ages, strict=True)
            )
    inside = [
        i for i in met if term.window_days is None or rows[i]["occurred_at"] > as_of - term.window_days * DAY
    ]
    match term:
        case Total(column=None):
            return len(inside)
        case Total():
            return sum(number(term.column, rows, i) or 0 for i in inside)
        case Distinct():
            return len({rows[i][term.column] for i in inside} - {None})
        case Extreme():
            found = [value for i in inside if (value := number(term.column, rows, i)) is not None]
            return nan if not found else min(found) if term.lowest else max(found)


def meets(where, rows, i):
    """Return whether a row meets a filter."""
    for name in LABELS:
        asked = getattr(where, name)
        if asked is not None and rows[i][name] not in ((asked,) if isinstance(asked, str) else asked):
            return False
    if where.opens_thread and not rows[i]["opens_thread"]:
        return False
    for one in where.having:
        found = number(one.column if isinstance(one, Among) else one, rows, i)
        if found is None or (found not in one.values if isinstance(one, Among) else not found):
            return False
    return True


def number(column, rows, i):
    """Return a column's value at a row, None when it is missing."""
    match column:
        case str():
            return (PYTHON.get(column) or whole(column))(rows[i])
        case Expression():
            return PYTHON[column.sql](rows[i], **{name: number(one, rows, i) for name, one in column.names})
        case Level():
            return (
                column.levels.index(rows[i][column.column])
                if rows[i][column.column] in column.levels
                else None
            )
    same = column.same
    alike = [
        j for j in range(i) if same is None or (rows[j][same] == rows[i][same] and rows[i][same] is not None)
    ]
    earlier = [j for j in alike if meets(column.where, rows, j)]
    if isinstance(column, Earlier):
        return len(earlier)
    if not earlier:
        return None
    if isinstance(column, Previous):
        return number(column.column, rows, earlier[-1])
    return (rows[i]["occurred_at"] - rows[earlier[-1]]["occurred_at"]) // timedelta(seconds=1)
