"""What every column of the store said at moments of decision: as it was known then, and as its table has it now.

A column is an attribute, a silo's count of a kind of interaction, or the mean of a measure over a silo's
interactions. Personal data (`contacts`) is not looked at.

How much a single column tells of the label: an AUC with its interval.

Nothing is fitted but the label's rate per bin of values, learned from one half of the customers and judged on the
other, so that numbers need not be monotone, texts need no order, and a missing value may mean something. Both halves
are of the same dates: a value that tells of the present (when somebody was last seen) means something else at
every date, and what it meant in spring would hide how much it gives away in autumn.

Columns that may tell of the future: strong ones, of which nothing shows that they were known at the decision.

Strength alone cannot tell: an honest count can reach an AUC of 0.86 where a leak has 0.81. So a strong column is
asked for its time: a value that came after the decision is of no use to it, and a value without a known-at of its
own may have been written, or overwritten, at any later time.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from sintonia.core.config import TaskConfig
from sintonia.core.engine import DIALECT, fetch_row
from sintonia.core.intervals import Estimate, normal_interval
from sintonia.core.relation import Relation
from sintonia.core.visibility import CURRENT, interactions_query, visible_at
from sintonia.data.store import Store

ColumnValues = NDArray[Any]
"""Floats with NaN for none, or texts with None for none."""

BINS, CATEGORIES, PRIOR_ROWS = 20, 50, 20
MIN_OUTCOMES = 10
"""Outcomes of either sort that it takes for an interval to mean anything."""


def strength(values: ColumnValues, label: NDArray[np.int8], half: NDArray[np.bool_]) -> Estimate | None:
    """Return the AUC of the values, either half judged by what the other taught; None with few of either outcome.

    Examples
    --------
    >>> label, half = np.tile([0, 1], 200).astype(np.int8), np.arange(400) < 200
    >>> strength(np.tile([3.0, 8.0], 200), label, half)
    Estimate(value=1.0, low=1.0, high=1.0)
    >>> strength(np.ones(400), label, half).value
    0.5
    """
    halves = []
    for tested in (half, ~half):
        if np.bincount(label[tested], minlength=2).min() < MIN_OUTCOMES:
            return None
        halves.append(auc(label[tested], _bin_rates(values, label, ~tested)[tested]))
    value = sum(auc for auc, _ in halves) / 2
    error = float(np.sqrt(sum(variance for _, variance in halves))) / 2
    return normal_interval(value, error, least=0.0, most=1.0)


def _bin_rates(
    values: ColumnValues, label: NDArray[np.int8], teach: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return for each value the label's rate among the teaching rows of its bin."""
    bins = bin_values(values, teach)
    rows = np.bincount(bins[teach], minlength=bins.max() + 1)
    hits = np.bincount(bins[teach], label[teach], minlength=bins.max() + 1)
    # Few rows say little: a bin's rate is drawn towards that of all, as if by PRIOR_ROWS more rows.
    rates: NDArray[np.float64] = (hits + PRIOR_ROWS * label[teach].mean()) / (rows + PRIOR_ROWS)
    return rates[bins]


def bin_values(values: ColumnValues, teach: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each value's bin, 0 for none: numbers by quantiles of the teaching rows, texts by their commonest."""
    if values.dtype.kind == "f":
        known_rows = ~np.isnan(values)
        known = values[known_rows & teach]
        edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
        return np.where(known_rows, np.searchsorted(edges, values, side="right") + 1, 0)
    known_rows = np.array([value is not None for value in values])
    names, counts = np.unique(values[known_rows & teach].astype(str), return_counts=True)
    common = names[np.argsort(-counts, kind="stable")[:CATEGORIES]]
    bin_of = {name: number for number, name in enumerate(common.tolist(), start=1)}
    other_bin = len(bin_of) + 1
    return np.array([0 if value is None else bin_of.get(str(value), other_bin) for value in values], np.int64)


def auc(label: NDArray[np.int8], score: NDArray[np.float64]) -> tuple[float, float]:
    """Return the AUC and its variance (DeLong 1988), for rows of different customers.

    It costs one sort, where a bootstrap of every column would cost seconds.

    Examples
    --------
    >>> auc(np.array([0, 0, 1, 1], np.int8), np.array([0.1, 0.3, 0.2, 0.9]))
    (0.75, 0.125)
    """
    _, group = np.unique(score, return_inverse=True)
    hits, rows = np.bincount(group, label), np.bincount(group)
    misses = rows - hits
    positives, negatives = hits.sum(), misses.sum()
    below = (np.cumsum(misses) - misses / 2) / negatives  # negatives below a score, ties by half
    above = (positives - np.cumsum(hits) + hits / 2) / positives
    area = float(hits @ below / positives)
    variance = hits @ (below - area) ** 2 / positives / max(positives - 1, 1)
    variance += misses @ (above - area) ** 2 / negatives / max(negatives - 1, 1)
    return area, float(variance)


MEASURES = ("amount", "quantity", "discount", "sentiment")
NUMERIC_SHARE = 0.95
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class ColumnAtMoments:
    """A column at the moments: `then` is what was known of it, `now` what its table holds by today.

    `after_days` is how long after the moment its first value became visible, NaN without a value; `lag_days` the
    median and the 95th percentile of known_at - occurred_at; `rows_each` how many rows a customer has; `day` the
    commonest day on which its values became visible, and `day_share` the share of its values that did so then.
    """

    what: str
    source: str
    column: str
    then: ColumnValues  # (n_moments,)
    now: ColumnValues
    after_days: NDArray[np.float64]
    lag_days: tuple[float, float]
    rows_each: float
    day: str
    day_share: float


MOMENTS = Relation(
    "moments",
    "a customer at a decision, its outcome and the half it is in",
    {
        "row": "BIGINT",
        "customer_id": "VARCHAR",
        "as_of": "TIMESTAMP",
        "label": "TINYINT",
        "half": "BOOLEAN",
    },
)
MOMENT_INTERACTIONS = Relation(
    "moment_interactions",
    "an interaction of the active days before a moment, whether it was known by then, and whether it holds to this day",
    {
        "row": "BIGINT",
        "customer_id": "VARCHAR",
        "source": "VARCHAR",
        "kind": "VARCHAR",
        "amount": "BIGINT",
        "quantity": "BIGINT",
        "discount": "BIGINT",
        "sentiment": "FLOAT",
        "occurred_at": "TIMESTAMP",
        "known_at": "TIMESTAMP",
        "visible_at": "TIMESTAMP",
        "as_of": "TIMESTAMP",
        "known": "BOOLEAN",
        "holds": "BOOLEAN",
    },
)


def columns_at(
    connection: duckdb.DuckDBPyConnection, attributes_file: Path, buckets: list[Path], active_days: int
) -> Iterator[ColumnAtMoments]:
    """Yield every column that says anything at the MOMENTS (row, customer_id, as_of).

    An attribute says now what a plain join to its table would give, whatever its time. Counts and means are over
    (as_of - active_days, as_of]; now they include what was not yet known.
    """
    attributes = f"{parquet([attributes_file])} SEMI JOIN {MOMENTS} USING (customer_id)"
    (n_moments,) = fetch_row(connection, f"SELECT COUNT(*) FROM {MOMENTS}")
    MOMENT_INTERACTIONS.create_table(
        connection,
        f"""
        SELECT row, customer_id, source, kind, {", ".join(MEASURES)}, occurred_at, known_at,
               GREATEST(occurred_at, known_at) AS visible_at, as_of, {visible_at("as_of")} AS known,
               {CURRENT} AS holds
        FROM ({interactions_query(buckets)}) JOIN {MOMENTS} USING (customer_id)
        WHERE occurred_at <= as_of AND occurred_at > as_of - INTERVAL {active_days} DAY""",
    )
    times = _column_times(connection, "attribute", "name", attributes)
    times |= _column_times(connection, "count", "kind", str(MOMENT_INTERACTIONS))
    times |= _column_times(connection, "mean", "'any'", str(MOMENT_INTERACTIONS))
    for what, query in (
        ("attribute", _ATTRIBUTES.format(parquet([attributes_file]), MOMENTS)),
        ("count", _COUNTS),
        *_means(),
    ):
        for column in _by_column(connection, query, n_moments):
            yield ColumnAtMoments(
                what, *column, *times[what, column[0], "any" if what == "mean" else column[1]]
            )


_ATTRIBUTES = """
    WITH told AS (
        SELECT row, source, name, as_of, GREATEST(occurred_at, known_at) AS visible_at,
               {{'at': occurred_at, 'known': known_at, 'value': value}} AS told
        FROM {} JOIN {} USING (customer_id)),
    latest AS (
        SELECT source, name AS "column", row, STRUCT_EXTRACT(MAX(told) FILTER (visible_at <= as_of), 'value') AS then_,
               STRUCT_EXTRACT(MAX(told), 'value') AS now_,
               EPOCH_US(MIN(visible_at)) - EPOCH_US(ANY_VALUE(as_of)) AS after
        FROM told GROUP BY source, name, row)
    SELECT *, COALESCE(TRY_CAST(then_ AS DOUBLE), EPOCH(TRY_CAST(then_ AS TIMESTAMP))) AS then_number,
           COALESCE(TRY_CAST(now_ AS DOUBLE), EPOCH(TRY_CAST(now_ AS TIMESTAMP))) AS now_number
    FROM latest ORDER BY source, "column", row"""

_COUNTS = f"""
    SELECT source, kind AS "column", row, CAST(NULLIF(COUNT(*) FILTER (known), 0) AS DOUBLE) AS then_number,
           CAST(NULLIF(COUNT(*) FILTER (holds), 0) AS DOUBLE) AS now_number,
           EPOCH_US(MIN(visible_at)) - EPOCH_US(ANY_VALUE(as_of)) AS after
    FROM {MOMENT_INTERACTIONS} GROUP BY source, kind, row ORDER BY source, kind, row"""


def _means() -> Iterator[tuple[str, str]]:
    # A mean and no sum: a sum grows with the count, whose events carry their own times.
    for name in MEASURES:
        # Whole thousandths, so that no order of rows moves the last bit.
        value = f"AVG(CAST(ROUND({name} * 1000) AS BIGINT))"
        yield (
            "mean",
            f"""SELECT source, '{name}' AS "column", row, {value} FILTER (known) AS then_number,
                       {value} FILTER (holds) AS now_number,
                       EPOCH_US(MIN(visible_at)) - EPOCH_US(ANY_VALUE(as_of)) AS after
                FROM {MOMENT_INTERACTIONS} WHERE {name} IS NOT NULL GROUP BY source, row ORDER BY source, row""",
        )


def _by_column(
    connection: duckdb.DuckDBPyConnection, query: str, n_moments: int
) -> Iterator[tuple[str, str, ColumnValues, ColumnValues, NDArray[np.float64]]]:
    """Yield (source, column, then, now, after_days) of a query whose rows come ordered by source and column."""
    table = connection.execute(query).df()
    for (source, column), rows in table.groupby(["source", "column"], sort=True):
        rows_with_value = rows["row"].to_numpy()
        numbers = [
            _by_moment(rows[f"{side}_number"].to_numpy(np.float64), rows_with_value, n_moments)
            for side in ("then", "now")
        ]
        after = _by_moment(rows["after"].to_numpy(np.float64) / DAY_US, rows_with_value, n_moments)
        for values in numbers:
            values[~np.isfinite(values)] = np.nan
        then, now = numbers
        if "now_" in rows and np.isfinite(now[rows_with_value]).mean() < NUMERIC_SHARE:
            then, now = (
                _texts_by_moment(rows[f"{side}_"], rows_with_value, n_moments) for side in ("then", "now")
            )
        yield str(source), str(column), then, now, after


def _by_moment(values: NDArray[np.float64], rows: NDArray[np.int64], n_moments: int) -> NDArray[np.float64]:
    spread = np.full(n_moments, np.nan)
    spread[rows] = values
    return spread


def _texts_by_moment(values: Any, rows: NDArray[np.int64], n_moments: int) -> ColumnValues:  # noqa: ANN401  a pandas column
    spread = np.full(n_moments, None, object)
    spread[rows] = values.astype(object).where(values.notna(), None)
    return spread


def _column_times(
    connection: duckdb.DuckDBPyConnection, what: str, column: str, relation: str
) -> dict[tuple[str, str, str], tuple[tuple[float, float], float, str, float]]:
    """Return ((median lag, 95th percentile), rows a customer, commonest day, its share) by (what, source, column)."""
    times = connection.execute(f"""
        WITH dated AS (
            SELECT source, {column} AS "column", customer_id, EPOCH_US(known_at) - EPOCH_US(occurred_at) AS lag,
                   CAST(GREATEST(occurred_at, known_at) AS DATE) AS day
            FROM {relation}),
        days AS (SELECT source, "column", day, COUNT(*) AS n FROM dated GROUP BY ALL),
        common AS (SELECT source, "column", MAX({{'n': n, 'day': day}}) AS most, SUM(n) AS n FROM days GROUP BY ALL)
        SELECT source, "column", QUANTILE_DISC(lag, [0.5, 0.95]), COUNT(*) / COUNT(DISTINCT customer_id),
               ANY_VALUE(most.day), ANY_VALUE(most.n / common.n)
        FROM dated JOIN common USING (source, "column") GROUP BY source, "column" """).fetchall()
    return {
        (what, source, name): (
            (lags[0] / DAY_US, lags[1] / DAY_US),
            rows_per_customer,
            f"{day:%Y-%m-%d}",
            share,
        )
        for source, name, lags, rows_per_customer, day, share in times
    }


def parquet(paths: list[Path]) -> str:
    """Return the SQL that reads these files."""
    listed = exp.array(*(exp.Literal.string(str(path)) for path in paths)).sql(dialect=DIALECT)
    return f"read_parquet({listed})"


Outcomes = tuple[NDArray[np.int8], NDArray[np.bool_]]
"""The label of each moment, and whether its customer is of the first half."""

KNOWN_SHARE = 0.5
ONE_DAY_SHARE = 0.9
MIN_ROWS_OF_EVENTS = 1.1
"""Rows a customer from which a silo is a log of events, each at its time, and no table overwritten in place."""


@dataclass(frozen=True)
class LeakRules:
    """How hard to look: moments to judge on, the AUC from which a column counts as strong, and the draw's seed."""

    rows: int = 5_000
    strong_auc: float = 0.7
    seed: int = 7


@dataclass(frozen=True)
class LeakFinding:
    """One column and the verdict on it.

    `strength` is the AUC of the column alone at the test dates, of the value as it was known at the decision, or, when
    most values were not, of the value as its table has it now. `known_share` is the share of the decisions about
    customers with a value at which one was known already, `late_days` the median time by which the others'
    came too late.
    """

    what: str
    source: str
    column: str
    strength: Estimate | None
    own_known_at: bool
    lag_days: tuple[float, float]
    known_share: float
    late_days: float | None
    may_leak: bool
    why: str

    @property
    def name(self) -> str:
        """How people call the column: an attribute by its name, others by what was counted or averaged."""
        return self.column if self.what == "attribute" else f"{self.what} of {self.column}"


def find_leaks(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    moments: pa.Table,
    task: TaskConfig,
    rules: LeakRules,
) -> list[LeakFinding]:
    """Return a finding for every column of the store that says anything at the moments; what may leak comes first.

    An attribute that is the label itself is not asked.

    Parameters
    ----------
    moments
        `customer_id`, `as_of` and `label` of the test dates, as `ask` and `moments_of` give them. Of a customer the
        first counts, for whoever counts twice makes every interval too narrow; `rules.rows` of these are drawn,
        from as few buckets as hold them.
    """
    buckets = _draw_moments(connection, store, moments, rules)
    drawn = connection.execute(f"SELECT label, half FROM {MOMENTS} ORDER BY row").fetchnumpy()
    outcomes = np.asarray(drawn["label"], np.int8), np.asarray(drawn["half"], bool)
    own = {silo.name: silo.own_known_at for silo in store.silos}
    findings = [
        _column_finding(column, outcomes, own.get(column.source, False), rules)
        for column in columns_at(connection, store.paths.attributes, buckets, task.active_days)
        if not (column.what == "attribute" and column.column == task.attribute)
    ]
    return sorted(
        findings,
        key=lambda finding: (not finding.may_leak, -(finding.strength.value if finding.strength else 0)),
    )


def leak_figures(findings: Sequence[LeakFinding]) -> dict[str, Any]:
    """Return the findings as plain JSON values: how many columns, which may leak, and each of them."""
    return {
        "columns": len(findings),
        "may_leak": [f"{finding.source}: {finding.name}" for finding in findings if finding.may_leak],
        "findings": [{"name": finding.name, **asdict(finding)} for finding in findings],
    }


def _draw_moments(
    connection: duckdb.DuckDBPyConnection, store: Store, moments: pa.Table, rules: LeakRules
) -> list[Path]:
    """Return the buckets to read; MOMENTS (row, customer_id, as_of, label, half) is their draw."""
    share = min(1.0, rules.rows / max(moments.num_rows, 1))
    buckets = store.buckets[: math.ceil(len(store.buckets) * share)]
    connection.register("given_moments", moments)
    MOMENTS.create_table(
        connection,
        f"""
        WITH there AS (SELECT DISTINCT customer_id FROM {parquet(buckets)}),
        firsts AS (
            SELECT customer_id, MIN(as_of) AS as_of, ARG_MIN(label, as_of) AS label,
                   HASH(customer_id, {rules.seed}) AS draw
            FROM given_moments SEMI JOIN there USING (customer_id) GROUP BY customer_id
            ORDER BY draw, customer_id LIMIT {rules.rows})
        SELECT ROW_NUMBER() OVER (ORDER BY draw, customer_id) - 1 AS row, customer_id, as_of, label, row % 2 = 0 AS half
        FROM firsts""",
    )
    connection.unregister("given_moments")
    return buckets


def _column_finding(
    column: ColumnAtMoments, outcomes: Outcomes, own_known_at: bool, rules: LeakRules
) -> LeakFinding:
    """Return the verdict on one column."""
    late = column.after_days[column.after_days > 0]
    (valued,) = np.isfinite(column.after_days).nonzero()
    known_share = 1 - len(late) / len(valued)
    auc_alone = strength(column.then if known_share >= KNOWN_SHARE else column.now, *outcomes)
    finding = LeakFinding(
        what=column.what,
        source=column.source,
        column=column.column,
        strength=auc_alone,
        own_known_at=own_known_at,
        lag_days=column.lag_days,
        known_share=known_share,
        late_days=float(np.median(late)) if len(late) else None,
        may_leak=False,
        why="",
    )
    may_leak, why = _verdict(finding, column, rules.strong_auc)
    return replace(finding, may_leak=may_leak, why=why)


def _verdict(finding: LeakFinding, column: ColumnAtMoments, strong_auc: float) -> tuple[bool, str]:
    """Return whether the column may leak, and why or why not."""
    if finding.strength is None:
        return False, "too few outcomes to estimate its AUC"
    if finding.strength.low < strong_auc:
        return False, f"not strong: its AUC may be below {strong_auc:g}"
    if finding.known_share < KNOWN_SHARE:
        why = (
            f"strong, but known only after the moment of decision: {1 - finding.known_share:.0%} of the decisions had "
            f"no value yet, which came {duration_text(finding.late_days or 0)} later (median)"
        )
        if column.day_share >= ONE_DAY_SHARE:
            why += (
                f"; {column.day_share:.0%} of its values have the same date, {column.day}, as in an extract, "
                "and describe that day"
            )
        return True, why
    if finding.what == "count" or (finding.what == "mean" and column.rows_each > MIN_ROWS_OF_EVENTS):
        return False, "strong, and every event it is computed from has its own time"
    if not finding.own_known_at:
        return True, (
            f"strong, and silo '{finding.source}' maps no known_at: a value counts as known since occurred_at, "
            "even if it was written or overwritten later; map the time it reached you as known_at, "
            "or leave the column out"
        )
    return False, "strong, and known before the decision by a known_at of its own"


def duration_text(days: float) -> str:
    """Return a time in the unit people would use.

    Examples
    --------
    >>> duration_text(0.003), duration_text(0.5), duration_text(61.2)
    ('4 minutes', '12 hours', '61 days')
    """
    for unit, size in (("day", 1.0), ("hour", 1 / 24), ("minute", 1 / 1440)):
        if days >= size:
            count = round(days / size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"
