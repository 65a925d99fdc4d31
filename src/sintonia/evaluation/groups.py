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
    read = {BIRTH_YEAR if name == GENERATION else name: name for name in names}
    found = {name: np.full(len(rows), "", object) for name in names}
    for row, name, value in _latest(str(path), rows, [*read]):
        found[read[name]][row] = generation(value) if read[name] == GENERATION else value
    return {name: values.astype(str) for name, values in found.items() if (values != "").any()}


def _latest(path: str, rows: Dataset, names: Sequence[str]) -> list[tuple[int, str, str]]:
    keys = pa.table(
        {
            "row": np.arange(len(rows)),
            "customer_id": pa.array(rows.customer_id.tolist(), pa.string()),
            "as_of": pa.array(rows.as_of, pa.timestamp("us")),
        }
    )
    with duckdb.connect() as connection:
        connection.register("keys", keys)
        found: list[tuple[int, str, str]] = connection.execute(
            """SELECT row, name, ARG_MAX(value, (told.occurred_at, told.known_at, told.value))
               FROM keys JOIN read_parquet($path) AS told USING (customer_id)
               WHERE list_contains($names, name) AND value IS NOT NULL
                   AND told.occurred_at <= as_of AND told.known_at <= as_of
               GROUP BY row, name""",
            {"path": path, "names": list(names)},
        ).fetchall()
    return found


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


Names = NDArray[np.str_]

TOLERANCE = 0.05
"""Distance of propensity and observed rate that a group may have: at fault is only what surely lies above."""
CHANNEL = "channel_mix__last_by_"
TENURE = "rfm__days_since_first_purchase"
TENURE_DAYS = (90, 365)
FEWEST = 100
"""Rows that a group must have to be judged by itself."""
LISTED_FAMILIES = 3
MOST = 12
"""Groups of one attribute that a page lists: the largest ones; more are too small to tell of."""
REACHED = 0.1
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
    said: Floats
    customer: Ints
    amount: bool


@dataclass(frozen=True)
class ExplainedRows:
    """What moved the scores of some test rows: their indices among all, and by family its contribution to each."""

    rows: Ints  # (n_explained,)
    contributions: Mapping[str, Floats]  # (n_explained,) each


def judge_groups(
    scored: ScoredTestRows,
    named: Mapping[str, Names],
    explained: ExplainedRows | None = None,
    most: int | None = MOST,
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
    of_all = None if scored.amount else auc(scored.label, scored.said, scored.customer)
    results = []
    for by, names in named.items():
        values, sizes = np.unique(names, return_counts=True)
        by_size = sorted(zip(sizes.tolist(), values.tolist(), strict=True), key=lambda one: (-one[0], one[1]))
        for size, name in [group for group in by_size if group[1]][:most]:
            if size >= FEWEST:
                results.append(_group(scored, by, name, names == name, of_all, explained))
    return tuple(results)


def _group(
    scored: ScoredTestRows,
    by: str,
    name: str,
    inside: Bools,
    of_all: Estimate | None,
    explained: ExplainedRows | None,
) -> GroupResult:
    label, said, customer = scored.label[inside], scored.said[inside], scored.customer[inside]
    ranking = None if scored.amount else auc(label, said, customer)
    gap = _total(label, said, customer) if scored.amount else _mean(label - said, customer)
    outside = gap.low > 1 + TOTAL_OFF or gap.high < 1 - TOTAL_OFF
    if not scored.amount:
        outside = gap.low > TOLERANCE or gap.high < -TOLERANCE
    return GroupResult(
        by=by,
        name=name,
        rows=len(label),
        predicted=round(float(said.mean()), DIGITS),
        observed=round(float(label.mean()), DIGITS),
        ranking=ranking,
        gap=gap,
        wrong=outside,
        weak=bool(ranking and of_all and ranking.high < of_all.value),
        families=() if explained is None else _families(explained, inside, scored.customer),
    )


def _families(explained: ExplainedRows, inside: Bools, customer: Ints) -> tuple[FamilySize, ...]:
    """Return the families that move the scores of a group most, over those of its rows that were explained."""
    here = inside[explained.rows]
    if not here.any():
        return ()
    owner = customer[explained.rows][here]
    sizes = {name: _mean(np.abs(moved[here]), owner) for name, moved in explained.contributions.items()}
    top = sorted(sizes.items(), key=lambda one: -one[1].value)[:LISTED_FAMILIES]
    return tuple(FamilySize(family, size) for family, size in top)


def auc(label: Floats, said: Floats, customer: Ints) -> Estimate | None:
    """Return the AUC with its interval over customers; None without both outcomes.

    The interval is DeLong's with an observation's placements summed over its customer (Obuchowski 1997): exact enough
    to judge hundreds of groups without drawing anybody again.

    Examples
    --------
    >>> auc(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.3, 0.2, 0.9]), np.arange(4)).value
    0.75
    """
    positive = label > 0
    ones, zeros = np.sort(said[positive]), np.sort(said[~positive])
    if not len(ones) or not len(zeros):
        return None
    above = (np.searchsorted(zeros, said, "left") + np.searchsorted(zeros, said, "right")) / 2 / len(zeros)
    below = 1 - (np.searchsorted(ones, said, "left") + np.searchsorted(ones, said, "right")) / 2 / len(ones)
    value = float(above[positive].mean())
    influence = np.where(positive, (above - value) / len(ones), (below - value) / len(zeros))
    totals = np.bincount(np.unique(customer, return_inverse=True)[1], influence)
    error = float(np.sqrt((totals**2).sum() * len(totals) / max(len(totals) - 1, 1)))
    return normal_interval(value, error, least=0.0, most=1.0)


def _mean(values: Floats, customer: Ints) -> Estimate:
    codes = np.unique(customer, return_inverse=True)[1].astype(np.int64)
    variance = cluster_variance(values, codes, np.zeros(len(values), np.int64))[0]
    return normal_interval(float(values.mean()), float(np.sqrt(variance)))


def _total(label: Floats, said: Floats, customer: Ints) -> Estimate:
    """Return the total said over the true one, its variance linearised as that of a ratio of means."""
    if not label.sum():
        return rounded_estimate(1.0, 0.0, float(np.finfo(np.float32).max))
    ratio = float(said.sum() / label.sum())
    spread = _mean((said - ratio * label) / label.mean(), customer)
    half = spread.high - spread.value
    return rounded_estimate(ratio, ratio - half, ratio + half)


def judge_fairness(
    scored: ScoredTestRows, named: Mapping[str, Names], attributes: Sequence[str]
) -> tuple[Fairness, ...]:
    """Return whom the highest tenth reaches by each of the sensitive attributes that are known of the rows."""
    edge = np.quantile(scored.said, 1 - REACHED, method="inverted_cdf")
    reached = scored.said > edge if (scored.said > edge).any() else scored.said >= edge
    found = [_fairness(by, named[by], scored.label > 0, reached) for by in attributes if by in named]
    return tuple(one for one in found if one is not None)


def _fairness(by: str, names: Names, label: NDArray[np.bool_], reached: NDArray[np.bool_]) -> Fairness | None:
    values, sizes = np.unique(names, return_counts=True)
    groups = [
        name for name, size in zip(values.tolist(), sizes.tolist(), strict=True) if name and size >= FEWEST
    ]
    if len(groups) < 2:
        return None
    rates = np.array(
        [[_rate(reached, (names == name) & of) for name in groups] for of in (label | True, label, ~label)]
    )
    ends = [(float(np.nanmin(row)), float(np.nanmax(row))) for row in rates]
    gaps = [high - low for low, high in ends[1:]]
    return Fairness(
        by=by,
        groups=tuple(groups),
        selection=tuple(round(end, 4) for end in ends[0]),
        found=tuple(round(end, 4) for end in ends[1]),
        misled=tuple(round(end, 4) for end in ends[2]),
        ratio=round(ends[0][0] / ends[0][1], 4) if ends[0][1] else 1.0,
        odds=round(max(gaps), 4),
    )


def _rate(reached: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
    return float(reached[of].mean()) if of.any() else 0.0


def segment_names(
    rows: Dataset, propensities: Floats, categories: Sequence[str] = ()
) -> dict[str, NDArray[np.str_]]:
    """Return each way to segment that the features tell of, with every row's segment, "" for none."""
    named = {"decile": _deciles(equal_mass_bins(propensities))}
    came = [at for at, name in enumerate(rows.names) if name.startswith(CHANNEL)]
    if came:
        channels = np.array([rows.names[at].removeprefix(CHANNEL) for at in came] + [""])
        by = np.nan_to_num(rows.values[:, came]) > 0
        named["channel"] = channels[np.where(by.any(axis=1), by.argmax(axis=1), len(came))]
    if TENURE in rows.names:
        days = rows.values[:, rows.names.index(TENURE)]
        words = [f"to {TENURE_DAYS[0]} days", f"{TENURE_DAYS[0]} to {TENURE_DAYS[1]} days", "longer", ""]
        place = np.where(np.isnan(days), len(TENURE_DAYS) + 1, np.searchsorted(TENURE_DAYS, days))
        named["tenure"] = np.array(words)[place]
    if rows.category is not None:
        named["category"] = np.array(categories)[rows.category]
    return named


def _deciles(bins: Ints) -> NDArray[np.str_]:
    return np.array([f"{at + 1:02d}" for at in range(int(bins.max(initial=0)) + 1)])[bins]
