"""What a person should look at first in a silo that was read: many rejections, swapped dates, clocks, missing money."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb

from sintonia.core.config import SiloConfig
from sintonia.core.engine import DIALECT, fetch_row
from sintonia.core.errors import ConfigError
from sintonia.data.sources import values
from sintonia.data.sources.identifiers import is_shortened, trimmed
from sintonia.data.sources.reader import READABLE, literal
from sintonia.data.sources.silos import RawSilo, SiloReport
from sintonia.data.sources.versions import SETTLED

if TYPE_CHECKING:
    from sintonia.data.sources.mapping import Expressions

MANY = 0.05
"""The share of a silo's rows from which rejections, and of its purchases from which missing amounts, are a headline."""

TIME_FORMATS = tuple(
    f"{day}{clock}"
    for day in (
        "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
        "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%Y.%m.%d",
    )
    for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H.%M", "%H%M%S")
)  # fmt: skip
"""Ways of writing times that are suggested when a silo's are not understood, day first before month first."""

SAMPLED_TIMES = 2000


def judge_silo(
    connection: duckdb.DuckDBPyConnection,
    report: SiloReport,
    silo: SiloConfig,
    raw: RawSilo,
    expressions: "Expressions",
    currency: str,
) -> SiloReport:
    """Return the report with how the silo was read and with warnings, the gravest first.

    Raises
    ------
    ConfigError
        When amounts of returns are positive, or amounts are in two currencies, and the mapping does not say so.
    """
    _refuse_positive_returns(connection, report, silo)
    signs = [text for text in dict.fromkeys(expressions.decimals.values()) if text == ","]
    shortened, placeholders = _no_identifiers(connection, report.name, silo)
    reading = [*raw.reading, *("decimal comma" for _ in signs), *placeholders]
    missing, purchases = _missing_amounts(connection, report.name, silo)
    warnings = [
        *_rejections(connection, report, silo, raw, expressions),
        *_beyond_arrival(connection, report, silo),
        *_currencies(connection, report.name, silo, currency),
    ]
    if missing > MANY * purchases:
        warnings.append(
            f"{missing:,} of {purchases:,} purchases have no amount; check the mapping of `amount`."
        )
    warnings += [*shortened, *_clock_changes(connection, report.name, silo)]
    named = tuple(f"Silo '{report.name}': {warning}" for warning in warnings)
    return replace(report, reading=tuple(reading), warnings=named, missing_amounts=missing)


def _refuse_positive_returns(
    connection: duckdb.DuckDBPyConnection, report: SiloReport, silo: SiloConfig
) -> None:
    positive = report.reasons.get("positive amount of a return", 0)
    if not positive:
        return
    returns = f"""SELECT COUNT(*) FROM mapped_{report.name} WHERE reason IS NULL AND i__kind = 'return'"""
    (negative,) = fetch_row(connection, returns)
    if positive >= negative:
        raise ConfigError(
            f"Silo '{report.name}': {positive:,} returns have a positive amount; write `returns: positive` if the silo "
            "writes them so, or check its mapping of `kind`."
        )


def _missing_amounts(connection: duckdb.DuckDBPyConnection, name: str, silo: SiloConfig) -> tuple[int, int]:
    """Return how many stored purchases have no amount, and how many there are; zeros where none is mapped."""
    if "amount" not in silo.interactions:
        return 0, 0
    missing, purchases = fetch_row(
        connection,
        f"""SELECT COUNT(*) FILTER (WHERE i__amount IS NULL), COUNT(*) FROM mapped_{name}
            WHERE _read AND reason IS NULL AND i__kind = 'purchase'""",
    )
    return missing, purchases


def _no_identifiers(
    connection: duckdb.DuckDBPyConnection, name: str, silo: SiloConfig
) -> tuple[list[str], list[str]]:
    """Return what was written for identifiers and is none: shortened numbers, and placeholders, type by type."""
    shortened, placeholders = [], []
    for kind in silo.identifiers:
        rows = connection.execute(
            f"""SELECT "_none__{kind}", COUNT(*) FROM mapped_{name} WHERE _read AND "_none__{kind}" IS NOT NULL
                GROUP BY 1 ORDER BY 2 DESC, 1"""
        ).fetchall()
        numbers = sum(count for text, count in rows if is_shortened(trimmed(text)))
        if numbers:
            shortened.append(
                f"{numbers:,} values of {kind} are numbers that a spreadsheet or program has shortened, and identify "
                "nobody; format the column as text before it is exported."
            )
        others = [(text, count) for text, count in rows if trimmed(text) and not is_shortened(trimmed(text))]
        if others:
            # An address may be somebody's after all.
            named = [f"{trimmed(text)} ({count:,})" for text, count in others if "@" not in text][:5]
            listed = f": {', '.join(named)}" if named else ""
            total = sum(count for _, count in others)
            placeholders.append(f"{total:,} placeholders for {kind}, which identify nobody{listed}")
    return shortened, placeholders


def _rejections(
    connection: duckdb.DuckDBPyConnection,
    report: SiloReport,
    silo: SiloConfig,
    raw: RawSilo,
    expressions: "Expressions",
) -> list[str]:
    """Return the headline of a silo of which more than a few rows are rejected; what is settled is no mistake."""
    reasons = {reason: count for reason, count in report.reasons.items() if reason not in SETTLED}
    rejected = sum(reasons.values())
    if not report.rows or rejected <= MANY * report.rows:
        return []
    commonest = max(reasons, key=lambda reason: reasons[reason])
    text = f"{rejected / report.rows:.0%} of its rows are rejected, most as '{commonest}'."
    if "time" not in commonest:
        return [text]
    return [text + _likely_format(connection, silo, raw, expressions)]


def _likely_format(
    connection: duckdb.DuckDBPyConnection, silo: SiloConfig, raw: RawSilo, expressions: "Expressions"
) -> str:
    """Return the format that reads more of the silo's times than any other, as advice; "" when none reads most."""
    time = values.trimmed(expressions.parse(silo.occurred_at).sql(DIALECT))
    fits = ", ".join(
        f"COUNT(*) FILTER (WHERE YEAR(TRY_STRPTIME(time, {literal(form)})) BETWEEN 1990 AND 2100)"
        for form in TIME_FORMATS
    )
    counts = fetch_row(
        connection,
        f"""SELECT COUNT(*), {fits}
            FROM (SELECT {time} AS time FROM {raw.view} WHERE {READABLE} LIMIT {SAMPLED_TIMES})
            WHERE time IS NOT NULL""",
    )
    best = max(range(len(TIME_FORMATS)), key=lambda at: counts[at + 1])
    if counts[best + 1] < 0.5 * counts[0] or TIME_FORMATS[best] == silo.time_format or not counts[0]:
        return ""
    share = counts[best + 1] / counts[0]
    return f" time_format: '{TIME_FORMATS[best]}' would read {share:.0%} of its times."


def _beyond_arrival(connection: duckdb.DuckDBPyConnection, report: SiloReport, silo: SiloConfig) -> list[str]:
    """Return the headline of rows that occurred after the silo's newest arrival, as swapped days and months do."""
    if silo.known_at is None:
        return []
    newest = f"SELECT MAX(_known_at) FROM mapped_{report.name} WHERE reason IS NULL"
    (later,) = fetch_row(
        connection,
        f"""SELECT COUNT(*) FROM mapped_{report.name}
            WHERE _read AND reason IS NULL AND occurred_at > ({newest}) + INTERVAL 1 DAY""",
    )
    if not later:
        return []
    form = silo.time_format or "none"
    return [
        f"{later:,} rows occurred after its newest arrival: are day and month swapped? Its time_format is {form}."
    ]


def _currencies(connection: duckdb.DuckDBPyConnection, name: str, silo: SiloConfig, brand: str) -> list[str]:
    """Return the headline of amounts written in a currency that is not the silo's.

    Raises
    ------
    ConfigError
        When they are written in two, and the mapping does not say in which each is.
    """
    rows = connection.execute(
        f"SELECT DISTINCT _currency FROM mapped_{name} WHERE _currency IS NOT NULL AND reason IS NULL ORDER BY 1"
    ).fetchall()
    written = [sign for (sign,) in rows]
    if not written or (silo.currency is not None and silo.currency != silo.currency.upper()):
        return []
    meanings = [set(values.SIGNS.get(sign, (sign.removesuffix("."),))) for sign in written]
    if not set.intersection(*meanings):
        raise ConfigError(
            f"Silo '{name}': amounts are in several currencies ({', '.join(written)}); say which each is in by "
            "`currency: EXPRESSION`, and what they are worth by source.rates."
        )
    own = silo.currency or brand
    if own in set.intersection(*meanings):
        return []
    return [
        f"amounts are written in {', '.join(written)} and counted as {own}; say `currency:` of the silo or the source."
    ]


def _clock_changes(connection: duckdb.DuckDBPyConnection, name: str, silo: SiloConfig) -> list[str]:
    """Return how many rows tell an hour that their zone's clocks left out, or had twice."""
    first, last = fetch_row(
        connection, f"SELECT MIN(_local), MAX(_local) FROM mapped_{name} WHERE _read AND reason IS NULL"
    )
    if first is None:
        return []
    found = []
    changes = clock_changes(silo.time_zone, first, last)
    for left_out, what in (
        (True, "does not exist (clocks put forward)"),
        (False, "comes twice (clocks put back)"),
    ):
        hours = [(start, end) for start, end, skipped in changes if skipped == left_out]
        count = _rows_within(connection, name, hours)
        if count:
            found.append(f"{count:,} rows tell an hour that {what} in {silo.time_zone}.")
    return found


def _rows_within(
    connection: duckdb.DuckDBPyConnection, name: str, hours: Sequence[tuple[datetime, datetime]]
) -> int:
    if not hours:
        return 0
    spans = ", ".join(f"(TIMESTAMP '{start}', TIMESTAMP '{end}')" for start, end in hours)
    (count,) = fetch_row(
        connection,
        f"""SELECT COUNT(*) FROM mapped_{name} JOIN (VALUES {spans}) AS hours (start, stop)
            ON _local >= start AND _local < stop
            WHERE _read AND reason IS NULL AND CAST(_local AS TIME) <> TIME '00:00:00'""",
    )
    return int(count)


def clock_changes(zone: str, first: datetime, last: datetime) -> list[tuple[datetime, datetime, bool]]:
    """Return the local hours `[from, to)` that clocks of a zone left out (True) or had twice (False) between two times.

    Examples
    --------
    >>> for start, end, left_out in clock_changes("Europe/Rome", datetime(2025, 1, 1), datetime(2025, 12, 31)):
    ...     print(start, end.time(), left_out)
    2025-03-30 02:00:00 03:00:00 True
    2025-10-26 02:00:00 03:00:00 False
    """
    here = ZoneInfo(zone)

    def offset(moment: datetime) -> timedelta:
        return here.utcoffset(moment.replace(tzinfo=here)) or timedelta(0)

    changes = []
    day = datetime(first.year, first.month, first.day) - timedelta(days=1)
    while day <= last:
        following = day + timedelta(days=1)
        before, after = offset(day), offset(following)
        if before != after:
            at = _moment_of_change(day, following, before, offset)
            jump = after - before
            changes.append((at - jump, at, True) if jump > timedelta(0) else (at + jump, at, False))
        day = following
    return changes


def _moment_of_change(
    start: datetime, end: datetime, before: timedelta, offset: Callable[[datetime], timedelta]
) -> datetime:
    """Return the first local minute of a day whose offset differs from that at its start."""
    low, high = 0, int((end - start).total_seconds() // 60)
    while high - low > 1:
        middle = (low + high) // 2
        if offset(start + timedelta(minutes=middle)) == before:
            low = middle
        else:
            high = middle
    return start + timedelta(minutes=high)
