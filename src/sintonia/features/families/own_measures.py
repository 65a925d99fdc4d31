"""Measures a user writes in YAML: an SQL expression over an interaction, gathered over windows."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from sintonia.core.arrays import Floats, Numbers
from sintonia.core.config import FeaturesConfig, MeasureConfig
from sintonia.core.errors import ConfigError, unknown
from sintonia.core.schema import INTERACTIONS
from sintonia.features.combine import itself, ratio
from sintonia.features.kernel.columns import CLOCK
from sintonia.features.measures import DaysSince, Extreme, Feature, Filter, Term, Total, Value
from sintonia.features.sql import Cells, column_names_of, evaluate

FAMILY = "own"
SENTIMENT = "sentiment"
"""The column that many silos do not have, of which nothing known must not pass for nothing bad."""
EXCLUDED = ("customer_id", "interaction_id", "known_at")
"""Columns that a measure cannot read: the kernel alone handles keys and the time a row became known."""

SAMPLES = {
    "VARCHAR": Cells(np.zeros(1, np.int64), None, ("",)),
    "BOOLEAN": Cells(np.ones(1, np.bool_)),
    "FLOAT": Cells(np.full(1, 0.5)),
}
INTEGER_SAMPLE = Cells(np.ones(1, np.int64))


def own_measures(config: FeaturesConfig) -> list[Feature]:
    """Return the features of the measures in the configuration, in their order.

    Raises
    ------
    ConfigError
        For a column that interactions do not have, and an expression that gives no whole numbers or truth values.
    """
    return [
        feature
        for name, measure in config.measures.items()
        for feature in _features_of(name, measure, config)
    ]


def readable_columns() -> dict[str, Cells]:
    """Return the columns that a measure can read, each with a sample value."""
    columns = {
        column.name: SAMPLES.get(column.sql_type, INTEGER_SAMPLE)
        for column in INTERACTIONS.columns
        if column.name not in EXCLUDED
    }
    return columns | dict.fromkeys(CLOCK, INTEGER_SAMPLE)


def _features_of(name: str, measure: MeasureConfig, config: FeaturesConfig) -> Iterator[Feature]:
    _check_expression(f"features.measures.{name}.expression", measure.expression)
    if measure.where is not None:
        _check_expression(f"features.measures.{name}.where", measure.where)
    windows = sorted(set(measure.windows_days or config.windows_days))
    for aggregation in measure.aggregations:
        if aggregation in ("last", "days_since"):
            yield _state(name, measure, aggregation)
        else:
            yield from (_windowed(name, measure, aggregation, days) for days in windows)


def _check_expression(key: str, sql: str) -> None:
    """Refuse an expression that could not be computed, before any row is read."""
    columns = readable_columns()
    for name in column_names_of(sql):
        if name not in columns:
            raise unknown(f"column in {key}:", name, columns)
    try:
        value = evaluate(sql, columns.__getitem__)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None
    if value.labels is not None or value.values.dtype.kind not in "bi":
        kind = "text" if value.labels is not None else "fractions"
        raise ConfigError(
            f"{key}={sql} gives {kind}; give whole units or a truth value, as ROUND(100 * sentiment) or "
            "channel = 'web'."
        )


def _matching(measure: MeasureConfig, *more: str) -> Filter:
    return Filter(having=(*(() if measure.where is None else (measure.where,)), *more))


def _windowed(name: str, measure: MeasureConfig, aggregation: str, days: int) -> Feature:
    """Return one aggregation over one window."""
    sql, present = measure.expression, f"({measure.expression}) IS NOT NULL"
    everything = Total(_matching(measure), None, days)
    true = Total(_matching(measure, sql), None, days)
    added = Total(_matching(measure), sql, days)
    highest = partial(Extreme, _matching(measure), sql, days)
    gathered: dict[str, tuple[tuple[Term, ...], Callable[..., Numbers], str, str]] = {
        "sum": ((added,), itself, measure.unit, "Sum of {0}"),
        "count": ((true,), itself, "interactions", "Interactions with {0}"),
        "share": ((true, everything), ratio, "share", "Part of the interactions with {0}"),
        "mean": ((added, Total(_matching(measure, present), None, days)), ratio, measure.unit, "Mean of {0}"),
        "max": ((highest(),), itself, measure.unit, "Highest {0}"),
        "min": ((highest(lowest=True),), itself, measure.unit, "Lowest {0}"),
    }
    terms, combine, unit, template = gathered[aggregation]
    counted = aggregation in ("sum", "count")
    missing = "never missing: nothing seen is 0" if counted else "no such interaction in the window"
    conditions = [sql] if measure.where is None else [sql, measure.where]
    if aggregation in ("sum", "count", "share") and any(
        SENTIMENT in column_names_of(text) for text in conditions
    ):
        # Where no sentiment is known, what it would count or add up to is not 0: it is not known.
        known = Total(Filter(having=tuple(f"({text}) IS NOT NULL" for text in conditions)), None, days)
        terms, combine = (*terms, known), partial(where_known, combine)
        missing = "no sentiment known in the window"
    return Feature(
        family=FAMILY,
        measure=f"{name}_{aggregation}",
        definition=f"{template.format(_definition(measure))} in the last {days} days",
        unit=unit,
        terms=terms,
        combine=combine,
        window_days=days,
        missing=missing,
        why=measure.why,
    )


def where_known(combine: Callable[..., Numbers], *terms: Numbers) -> Floats:
    """Return what the terms but the last combine to, NaN where the last, how many are known, is 0.

    Examples
    --------
    >>> where_known(itself, np.array([0, 0]), np.array([3, 0]))
    array([ 0., nan])
    """
    return np.where(terms[-1] == 0, np.nan, combine(*terms[:-1]))


def _state(name: str, measure: MeasureConfig, aggregation: str) -> Feature:
    """Return the last value of the expression, or the days since it was last true."""
    sql = measure.expression
    last = aggregation == "last"
    matching = _matching(measure, f"({sql}) IS NOT NULL" if last else sql)
    return Feature(
        family=FAMILY,
        measure=f"{name}_{aggregation}",
        definition=f"{'Last' if last else 'Days since the last interaction with'} {_definition(measure)}",
        unit=measure.unit if last else "days",
        terms=(Value(matching, sql) if last else DaysSince(matching),),
        missing="never seen yet",
        why=measure.why,
    )


def _definition(measure: MeasureConfig) -> str:
    where = "" if measure.where is None else f" where {measure.where}"
    return measure.definition or f"{measure.expression}{where}"
