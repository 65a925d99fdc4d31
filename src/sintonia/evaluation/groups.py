"""What the silos said of customers as of a date: regions, generations and whatever else groups are judged by.

How right a model is in each group of customers, by channel, tenure, category, tenth of the scores or attribute.

A group has its ranking, its calibration and what moves its scores, each with an interval over customers; fairness is
whom a campaign to the highest scores would reach.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.core.intervals import DIGITS, Estimate, cluster_variance, normal_interval, rounded_estimate
from sintonia.data.store import Store
from sintonia.evaluation.evaluate import TOTAL_OFF
from sintonia.evaluation.metrics import equal_mass_bins
from sintonia.features.history import BIRTH_YEAR, GENERATIONS
from sintonia.training.dataset import Dataset

GENERATION = "generation"


def attribute_names(store: Store, rows: Dataset, names: Sequence[str]) -> dict[str, NDArray[np.str_]]:
    """Return by attribute each row's latest value known at its as_of, "" where nothing was; none nobody tells of.

    `generation` is told by the birth year. Of customers who are now one, the values of the one they are now.
    """
    path = store.paths.attributes
    if not names or not path.is_file():
        return {}
    requested = {BIRTH_YEAR if name == GENERATION else name: name for name in names}
    values_of = {name: np.full(len(rows), "", object) for name in names}
    for row, name, value in _latest_values(str(path), rows, [*requested]):
        values_of[requested[name]][row] = generation(value) if requested[name] == GENERATION else value
    return {name: values.astype(str) for name, values in values_of.items() if (values != "").any()}


def _latest_values(path: str, rows: Dataset, names: Sequence[str]) -> list[tuple[int, str, str]]:
    keys = pa.table(
        {
            "row": np.arange(len(rows)),
            "customer_id": pa.array(rows.customer_id.tolist(), pa.string()),
            "as_of": pa.array(rows.as_of, pa.timestamp("us")),
        }
    )
    with duckdb.connect() as connection:
        connection.register("keys", keys)
        latest: list[tuple[int, str, str]] = connection.execute(
            """SELECT row, name, ARG_MAX(value, (told.occurred_at, told.known_at, told.value))
               FROM keys JOIN read_parquet($path) AS told USING (customer_id)
               WHERE list_contains($names, name) AND value IS NOT NULL
                   AND told.occurred_at <= as_of AND told.known_at <= as_of
               GROUP BY row, name""",
            {"path": path, "names": list(names)},
        ).fetchall()
    return latest


def generation(birth_year: str) -> str:
    """Return the name of the generation of a birth year, "" for a year of none.

    Examples
    --------
    >>> generation("1979"), generation("once")
    ('x', '')
    """
    try:
        year = int(float(birth_year))
    except ValueError:
        return ""
    return next((name for name, (first, last) in GENERATIONS.items() if first <= year <= last), "")


GroupNames = NDArray[np.str_]

TOLERANCE = 0.05
"""Distance of propensity and observed rate that a group may have: at fault is only what surely lies above."""
LAST_CHANNEL_PREFIX = "channel_mix__last_by_"
TENURE_FEATURE = "rfm__days_since_first_purchase"
TENURE_DAYS = (90, 365)
MIN_ROWS = 100
"""Rows that a group must have to be judged by itself."""
MAX_FAMILIES = 3
MAX_GROUPS = 12
"""Groups of one attribute that a page lists: the largest ones; more are too small to tell of."""
CAMPAIGN_SHARE = 0.1
"""The share of customers, highest scores first, that a campaign is taken to reach: fairness is about whom it does."""


@dataclass(frozen=True)
class FamilySize:
    """A family's mean absolute contribution in a group, over the rows that were explained."""

    family: str
    size: Estimate


@dataclass(frozen=True)
class GroupResult:
    """One group of the test rows: `by` an attribute, `name` its value.

    `predicted` and `observed` are means of propensity and label (or of euros), `ranking` the AUC (None for amounts, and
    without both outcomes), `gap` observed less predicted; of amounts it is the total expected over true. `wrong`
    says that the gap surely lies outside the tolerance, `weak` that the AUC surely lies below that of all.
    """

    by: str
    name: str
    rows: int
    predicted: float
    observed: float
    ranking: Estimate | None
    gap: Estimate
    wrong: bool
    weak: bool
    families: tuple[FamilySize, ...]


@dataclass(frozen=True)
class Fairness:
    """Whom a campaign to the highest tenth would reach, by a sensitive attribute: least and most over its groups.

    Of `selection` (share reached), `found` (share reached of those with the outcome) and `misled` (share reached of
    those without) each holds the lowest and the highest rate; `ratio` is the lowest selection over the highest
    (fairlearn's demographic parity ratio), `odds` the larger of the two differences (its equalized odds difference).
    """

    by: str
    groups: tuple[str, ...]
    selection: tuple[float, ...]
    found: tuple[float, ...]
    misled: tuple[float, ...]
    ratio: float
    odds: float


@dataclass(frozen=True)
class ScoredTestRows:
    """The test rows as groups need them: labels (0 or 1, or euros), outcomes said, and whose rows they are."""

    label: Floats
    predicted: Floats
    customer: Ints
    amount: bool


@dataclass(frozen=True)
class ExplainedRows:
    """What moved the scores of some test rows: their indices among all, and by family its contribution to each."""

    rows: Ints  # (n_explained,)
    contributions: Mapping[str, Floats]  # (n_explained,) each


def evaluate_groups(
    scored: ScoredTestRows,
    named: Mapping[str, GroupNames],
    explained: ExplainedRows | None = None,
    most: int | None = MAX_GROUPS,
) -> tuple[GroupResult, ...]:
    """Return the groups of at least 100 rows, attribute by attribute, the largest first.

    Parameters
    ----------
    named
        By attribute each row's value, "" for none.  # (n_rows,)
    explained
        The rows that were explained; without them no group has families.
    most
        How many groups of one attribute are judged, the largest ones; None for all of them.
    """
    of_all = None if scored.amount else auc(scored.label, scored.predicted, scored.customer)
    results = []
    for by, names in named.items():
        values, sizes = np.unique(names, return_counts=True)
        by_size = sorted(zip(sizes.tolist(), values.tolist(), strict=True), key=lambda one: (-one[0], one[1]))
        for size, name in [group for group in by_size if group[1]][:most]:
            if size >= MIN_ROWS:
                results.append(_group_result(scored, by, name, names == name, of_all, explained))
    return tuple(results)


def _group_result(
    scored: ScoredTestRows,
    by: str,
    name: str,
    inside: Bools,
    of_all: Estimate | None,
    explained: ExplainedRows | None,
) -> GroupResult:
    label, predicted, customer = scored.label[inside], scored.predicted[inside], scored.customer[inside]
    ranking = None if scored.amount else auc(label, predicted, customer)
    gap = (
        _total_ratio(label, predicted, customer)
        if scored.amount
        else _mean_estimate(label - predicted, customer)
    )
    outside = gap.low > 1 + TOTAL_OFF or gap.high < 1 - TOTAL_OFF
    if not scored.amount:
        outside = gap.low > TOLERANCE or gap.high < -TOLERANCE
    return GroupResult(
        by=by,
        name=name,
        rows=len(label),
        predicted=round(float(predicted.mean()), DIGITS),
        observed=round(float(label.mean()), DIGITS),
        ranking=ranking,
        gap=gap,
        wrong=outside,
        weak=bool(ranking and of_all and ranking.high < of_all.value),
        families=() if explained is None else _group_families(explained, inside, scored.customer),
    )


def _group_families(explained: ExplainedRows, inside: Bools, customer: Ints) -> tuple[FamilySize, ...]:
    """Return the families that move the scores of a group most, over those of its rows that were explained."""
    in_group = inside[explained.rows]
    if not in_group.any():
        return ()
    owner = customer[explained.rows][in_group]
    sizes = {
        name: _mean_estimate(np.abs(moved[in_group]), owner)
        for name, moved in explained.contributions.items()
    }
    top = sorted(sizes.items(), key=lambda one: -one[1].value)[:MAX_FAMILIES]
    return tuple(FamilySize(family, size) for family, size in top)


def auc(label: Floats, score: Floats, customer: Ints) -> Estimate | None:
    """Return the AUC with its interval over customers; None without both outcomes.

    The interval is DeLong's with an observation's placements summed over its customer (Obuchowski 1997): exact enough
    to judge hundreds of groups without drawing anybody again.

    Examples
    --------
    >>> auc(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.3, 0.2, 0.9]), np.arange(4)).value
    0.75
    """
    positive = label > 0
    ones, zeros = np.sort(score[positive]), np.sort(score[~positive])
    if not len(ones) or not len(zeros):
        return None
    above = (np.searchsorted(zeros, score, "left") + np.searchsorted(zeros, score, "right")) / 2 / len(zeros)
    below = 1 - (np.searchsorted(ones, score, "left") + np.searchsorted(ones, score, "right")) / 2 / len(ones)
    value = float(above[positive].mean())
    influence = np.where(positive, (above - value) / len(ones), (below - value) / len(zeros))
    totals = np.bincount(np.unique(customer, return_inverse=True)[1], influence)
    error = float(np.sqrt((totals**2).sum() * len(totals) / max(len(totals) - 1, 1)))
    return normal_interval(value, error, least=0.0, most=1.0)


def _mean_estimate(values: Floats, customer: Ints) -> Estimate:
    codes = np.unique(customer, return_inverse=True)[1].astype(np.int64)
    variance = cluster_variance(values, codes, np.zeros(len(values), np.int64))[0]
    return normal_interval(float(values.mean()), float(np.sqrt(variance)))


def _total_ratio(label: Floats, predicted: Floats, customer: Ints) -> Estimate:
    """Return the total said over the true one, its variance linearised as that of a ratio of means."""
    if not label.sum():
        return rounded_estimate(1.0, 0.0, float(np.finfo(np.float32).max))
    ratio = float(predicted.sum() / label.sum())
    spread = _mean_estimate((predicted - ratio * label) / label.mean(), customer)
    half = spread.high - spread.value
    return rounded_estimate(ratio, ratio - half, ratio + half)


def evaluate_fairness(
    scored: ScoredTestRows, named: Mapping[str, GroupNames], attributes: Sequence[str]
) -> tuple[Fairness, ...]:
    """Return whom the highest tenth reaches by each of the sensitive attributes that are known of the rows."""
    edge = np.quantile(scored.predicted, 1 - CAMPAIGN_SHARE, method="inverted_cdf")
    reached = scored.predicted > edge if (scored.predicted > edge).any() else scored.predicted >= edge
    results = [_fairness(by, named[by], scored.label > 0, reached) for by in attributes if by in named]
    return tuple(result for result in results if result is not None)


def _fairness(
    by: str, names: GroupNames, label: NDArray[np.bool_], reached: NDArray[np.bool_]
) -> Fairness | None:
    values, sizes = np.unique(names, return_counts=True)
    groups = [
        name for name, size in zip(values.tolist(), sizes.tolist(), strict=True) if name and size >= MIN_ROWS
    ]
    if len(groups) < 2:
        return None
    rates = np.array(
        [
            [_share(reached, (names == name) & condition) for name in groups]
            for condition in (label | True, label, ~label)
        ]
    )
    extremes = [(float(np.nanmin(row)), float(np.nanmax(row))) for row in rates]
    gaps = [high - low for low, high in extremes[1:]]
    return Fairness(
        by=by,
        groups=tuple(groups),
        selection=tuple(round(rate, 4) for rate in extremes[0]),
        found=tuple(round(rate, 4) for rate in extremes[1]),
        misled=tuple(round(rate, 4) for rate in extremes[2]),
        ratio=round(extremes[0][0] / extremes[0][1], 4) if extremes[0][1] else 1.0,
        odds=round(max(gaps), 4),
    )


def _share(reached: NDArray[np.bool_], rows: NDArray[np.bool_]) -> float:
    return float(reached[rows].mean()) if rows.any() else 0.0


def segment_names(
    rows: Dataset, propensities: Floats, categories: Sequence[str] = ()
) -> dict[str, NDArray[np.str_]]:
    """Return each way to segment that the features tell of, with every row's segment, "" for none."""
    named = {"decile": _decile_names(equal_mass_bins(propensities))}
    channel_columns = [
        column for column, name in enumerate(rows.names) if name.startswith(LAST_CHANNEL_PREFIX)
    ]
    if channel_columns:
        channels = np.array(
            [rows.names[column].removeprefix(LAST_CHANNEL_PREFIX) for column in channel_columns] + [""]
        )
        used = np.nan_to_num(rows.values[:, channel_columns]) > 0
        named["channel"] = channels[np.where(used.any(axis=1), used.argmax(axis=1), len(channel_columns))]
    if TENURE_FEATURE in rows.names:
        days = rows.values[:, rows.names.index(TENURE_FEATURE)]
        interval_names = [
            f"to {TENURE_DAYS[0]} days",
            f"{TENURE_DAYS[0]} to {TENURE_DAYS[1]} days",
            "longer",
            "",
        ]
        interval = np.where(np.isnan(days), len(TENURE_DAYS) + 1, np.searchsorted(TENURE_DAYS, days))
        named["tenure"] = np.array(interval_names)[interval]
    if rows.category is not None:
        named["category"] = np.array(categories)[rows.category]
    return named


def _decile_names(bins: Ints) -> NDArray[np.str_]:
    return np.array([f"{number + 1:02d}" for number in range(int(bins.max(initial=0)) + 1)])[bins]
