"""Batch scores: one task's propensities or amounts at an as-of date, with percentile and band among those scored."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.config import ScoreSettings, iso_time
from sintonia.core.errors import ConfigError
from sintonia.core.timeline import midnight
from sintonia.data.store import Store
from sintonia.evaluation.drift import BinCounts, count_bins
from sintonia.training.dataset import Dataset, assemble
from sintonia.training.models import OutcomeModel
from sintonia.training.tasks import label_kinds


@dataclass(frozen=True)
class Outcomes:
    """What one task's model says of customers who are eligible, with their features, row by row.

    `outcome` is the propensity, or expected cents, of which `median_cents` is then the median (None where it has none).
    Of a task by category each customer has one row, of the category with the highest propensity, whose name `category`
    has. `rows.label` says nothing here: the horizon lies ahead. `tally` counts where the customers lie among those the
    model learned from, by the features it uses, for `drift_of_model`; None of a model that does not say.
    """

    model: OutcomeModel
    rows: Dataset
    outcome: Floats
    median_cents: Floats | None
    category: tuple[str, ...] | None
    tally: BinCounts | None


@dataclass(frozen=True)
class Scores(Outcomes):
    """One task's scores of all customers asked for at a date: outcomes with percentile and band among them."""

    as_of: datetime
    percentile: NDArray[np.int64]
    band: tuple[str, ...]


def score_customers(
    store: Store, model: OutcomeModel, as_of: datetime, settings: ScoreSettings, customers: Collection[str]
) -> Scores:
    """Return the scores of those of the customers who are eligible at as_of, ordered as in the store.

    An outcome depends on the customer's own history and the model alone, so neither the number of threads nor
    the other customers of the list change it; percentile and band are among the customers scored. Features that the
    model does not use are not computed: they are NaN in `rows`.
    """
    found = outcomes_of(
        model,
        assemble(
            store, [as_of], model.catalogue, model.task, settings.engine, customers, names=model.names_used
        ),
    )
    percentile = percentiles(found.outcome)
    named = tuple(band(int(value), settings.bands) for value in percentile)
    return Scores(**vars(found), as_of=as_of, percentile=percentile, band=named)


def outcomes_of(model: OutcomeModel, rows: Dataset, listed: int = 0) -> Outcomes:
    """Return what a model says of eligible rows; `listed` is how many there are in all, of which these are some."""
    outcome = model.outcomes(rows.values, listed)
    counted = None
    if model.profile is not None:
        used = model.columns_used
        counted = count_bins(model.profile.of_columns(used.tolist()), rows.values[:, used], outcome)
    category = None
    if rows.category is not None:
        best = best_rows(outcome, len(model.task.categories))
        category = tuple(model.task.categories[place] for place in rows.category[best])
        rows, outcome = rows.take(best), outcome[best]
    median = model.median_cents(rows.values, listed) if model.predicts_amounts else None
    return Outcomes(model, rows, outcome, median, category, counted)


def best_rows(outcome: Floats, n_categories: int) -> NDArray[np.intp]:
    """Return the place of each customer's row with the highest outcome, the first of equals."""
    table = outcome.reshape(-1, n_categories)
    return np.asarray(np.arange(len(table)) * n_categories + table.argmax(axis=1))


def scoring_date(asked: str | None, store: Store, model: OutcomeModel) -> datetime:
    """Return the as-of date to score at: the one asked for, else the last midnight with complete data.

    Raises
    ------
    ConfigError
        When the date asked for lies after the data, so that missing data would be taken for silence.
    """
    newest = store.data_until(label_kinds(model.task))
    if asked is None:
        return midnight(newest)
    as_of = iso_time("as_of", asked)
    if as_of > newest:
        raise ConfigError(
            f"as_of={asked} lies after the data, which end {newest:%Y-%m-%d %H:%M}; choose an earlier date."
        )
    return as_of


def percentiles(outcome: Floats) -> NDArray[np.int64]:
    """Return each value's percentile, 1 to 100: the share of values that are no larger, rounded up.

    Examples
    --------
    >>> percentiles(np.array([0.1, 0.9, 0.5, 0.5])).tolist()
    [25, 100, 75, 75]
    """
    no_larger = np.searchsorted(np.sort(outcome), outcome, side="right")
    return -(-100 * no_larger // max(len(outcome), 1))


def band(percentile: int, bands: Mapping[str, int]) -> str:
    """Return the band of a percentile: the one with the highest start that is no higher.

    Examples
    --------
    >>> [band(value, {"high": 91, "medium": 61, "low": 1}) for value in (100, 91, 90, 1)]
    ['high', 'high', 'medium', 'low']
    >>> band(50, {})
    ''
    """
    starts = [(start, name) for name, start in bands.items() if start <= percentile]
    return max(starts)[1] if starts else ""
