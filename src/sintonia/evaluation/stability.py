"""What moves the score, all in all: families, dependence with its strongest interaction, and whether it stays so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.explain.contributions import Contributions, FeatureValues, importance

MAX_DEPENDENCES, MAX_POINTS = 6, 300
SLICES = 8
"""Slices of a feature's values within which contributions differ by other features alone."""
MIN_SHARE = 0.05
STABLE_FEATURES = 8


@dataclass(frozen=True)
class FamilyWeight:
    """A family of features with the mean size of what it moves the raw score by, its features' effects added up."""

    family: str
    features: int
    mean_absolute: float


@dataclass(frozen=True)
class Dependence:
    """One feature's contributions against its values, over a sample; `missing` are those where it has none.

    `other` is the feature that explains the largest `share` of the spread between contributions at equal values,
    None where none explains a twentieth; `ranks` are the ranks (0 to 1) of its values at the same points.
    """

    feature: str
    values: tuple[float, ...]
    contributions: tuple[float, ...]
    ranks: tuple[float | None, ...]
    missing: tuple[float, ...]
    other: str | None
    share: float


@dataclass(frozen=True)
class DateStability:
    """Mean absolute contributions at each as-of date, and the rank correlation of all features with the last date's.

    `sizes` has for each feature one figure a date.
    """

    as_of: tuple[str, ...]
    rank_correlation: tuple[float, ...]
    sizes: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class FamilyStability:
    """Whether models that learnt until other dates tell the same story of the same rows.

    `models` are named by the date that judged them, the one under review last. `shares` has for each family one share
    a model of all that moves the scores; `common` is how much of its story each model has in common with the
    last: the lesser of both shares, added up over the families.
    """

    models: tuple[str, ...]
    common: tuple[float, ...]
    shares: dict[str, tuple[float, ...]]


def family_sums(parts: Contributions, families: Mapping[str, str]) -> dict[str, Floats]:
    """Return by family what its features together move each row's score by, in the order of their importance."""
    family_of = np.array([families.get(name, "") for name in parts.names])
    sums = {
        name: parts.values[:, family_of == name].sum(axis=1) for name in dict.fromkeys(family_of.tolist())
    }
    return dict(sorted(sums.items(), key=lambda item: -float(np.abs(item[1]).mean())))


def family_weights(parts: Contributions, families: Mapping[str, str]) -> tuple[FamilyWeight, ...]:
    """Return the families that move the score, largest first."""
    used = [families.get(name, "") for name, size in importance(parts) if size > 0]
    sizes = {name: float(np.abs(moved).mean()) for name, moved in family_sums(parts, families).items()}
    return tuple(
        FamilyWeight(name, used.count(name), round(size, 6)) for name, size in sizes.items() if size > 0
    )


def family_stability(sizes: Mapping[str, Mapping[str, float]]) -> FamilyStability:
    """Return whether models tell the same story, by how far each family moves their scores, the last under review.

    Examples
    --------
    >>> found = family_stability({"2026-01-01": {"rfm": 3.0, "trust": 1.0}, "now": {"rfm": 2.0, "trust": 2.0}})
    >>> found.common, found.shares
    ((0.75, 1.0), {'rfm': (0.75, 0.5), 'trust': (0.25, 0.5)})
    """
    *_, last = sizes.values()
    names = dict.fromkeys([*last, *(name for by_family in sizes.values() for name in by_family)])
    size_table = np.array([[by_family.get(name, 0.0) for name in names] for by_family in sizes.values()])
    totals = np.array([sum(by_family.values()) for by_family in sizes.values()])
    shares = np.divide(size_table, totals[:, None], out=np.zeros(size_table.shape), where=totals[:, None] > 0)
    common = np.minimum(shares, shares[-1]).sum(axis=1) if totals[-1] else np.ones(len(shares))
    return FamilyStability(
        models=tuple(sizes),
        common=tuple(np.round(common, 4).tolist()),
        shares={name: tuple(np.round(shares[:, column], 4).tolist()) for column, name in enumerate(names)},
    )


def feature_dependences(parts: Contributions, features: FeatureValues, seed: int) -> tuple[Dependence, ...]:
    """Return how the most important features work, each with the feature it works together with most."""
    values = np.asarray(features, np.float64)
    important = [parts.names.index(name) for name, size in importance(parts) if size > 0]
    sampled = np.random.default_rng(seed).permutation(len(values))[:MAX_POINTS]
    return tuple(
        _dependence(parts, values, index, important, sampled) for index in important[:MAX_DEPENDENCES]
    )


def _dependence(
    parts: Contributions, values: Floats, index: int, important: Sequence[int], sampled: NDArray[np.int64]
) -> Dependence:
    other_features = [feature for feature in important if feature != index]
    shares = interaction_shares(values[:, index], parts.values[:, index], values[:, other_features])
    best = int(shares.argmax()) if len(shares) else -1
    partner = other_features[best] if best >= 0 and shares[best] >= MIN_SHARE else None
    own, moved = values[sampled, index], parts.values[sampled, index]
    known = ~np.isnan(own)
    order = np.argsort(own[known], kind="stable")
    ranks: list[float | None] = [None] * int(known.sum())
    if partner is not None:
        ranks = _ranks(values[sampled, partner][known][order])
    return Dependence(
        feature=parts.names[index],
        values=tuple(_four_digits(own[known][order])),
        contributions=tuple(_four_digits(moved[known][order])),
        ranks=tuple(ranks),
        missing=tuple(_four_digits(np.sort(moved[~known]))),
        other=None if partner is None else parts.names[partner],
        share=round(float(shares[best]), 4) if partner is not None else 0.0,
    )


def interaction_shares(own: Floats, moved: Floats, other_values: Floats) -> Floats:
    """Return for each other feature the share of the spread at equal values of `own` that it explains.  # (n_others,)

    Contributions differ at equal values only by what the feature does together with others. Within slices of equal
    mass, by the rank of `own`, the squared correlation with each other feature's values is weighted by the slice's
    spread, as `shap.approximate_interactions` sums correlations over such slices; a missing value stands below all.
    """
    order = np.argsort(own, kind="stable")
    explained, spread = np.zeros(other_values.shape[1]), 0.0
    lowest = np.nanmin(other_values, axis=0, initial=0.0) - 1
    for rows in np.array_split(order, min(SLICES, max(len(own) // 25, 1))):
        trend = _linear_trend(own[rows], moved[rows])
        deviation_from_trend = moved[rows] - trend
        filled = np.where(np.isnan(other_values[rows]), lowest, other_values[rows])
        deviation = filled - filled.mean(axis=0)
        norm = np.sqrt((deviation**2).sum(axis=0) * (deviation_from_trend**2).sum())
        together = np.divide(
            deviation_from_trend @ deviation, norm, out=np.zeros(len(norm)), where=norm > 1e-12
        )
        weight = float((deviation_from_trend**2).sum())
        explained += weight * together**2
        spread += weight
    shares: Floats = explained / spread if spread > 1e-12 else explained
    return shares


def _linear_trend(own: Floats, moved: Floats) -> Floats:
    """Return what a straight line through a slice says: the feature's own work within it."""
    known = ~np.isnan(own)
    line = np.full(len(own), moved.mean())
    if known.sum() > 2 and own[known].std() > 0:
        slope = np.polyfit(own[known], moved[known], 1)
        line[known] = np.polyval(slope, own[known])
    return line


def date_stability(by_date: Mapping[str, Contributions], features: int = STABLE_FEATURES) -> DateStability:
    """Return whether the same features move the score at every date, dates given oldest first."""
    from scipy.stats import rankdata

    sizes = {as_of: np.abs(parts.values).mean(axis=0) for as_of, parts in by_date.items()}
    last = list(by_date)[-1]
    names = by_date[last].names
    used = np.any([parts > 0 for parts in sizes.values()], axis=0)
    ranks = {as_of: rankdata(parts[used]) for as_of, parts in sizes.items()}
    agreement = {as_of: _correlation(parts, ranks[last]) for as_of, parts in ranks.items()}
    top = np.argsort(-np.mean(list(sizes.values()), axis=0), kind="stable")[:features]
    return DateStability(
        as_of=tuple(sizes),
        rank_correlation=tuple(round(parts, 4) for parts in agreement.values()),
        sizes={
            names[column]: tuple(round(float(parts[column]), 6) for parts in sizes.values())
            for column in top
            if used[column]
        },
    )


def _correlation(first: Floats, second: Floats) -> float:
    return float(np.corrcoef(first, second)[0, 1]) if first.std() and second.std() else 1.0


def _ranks(values: Floats) -> list[float | None]:
    from scipy.stats import rankdata

    known = ~np.isnan(values)
    scaled = np.full(len(values), np.nan)
    scaled[known] = (rankdata(values[known]) - 1) / max(int(known.sum()) - 1, 1)
    return [None if np.isnan(rank) else round(float(rank), 3) for rank in scaled]


def _four_digits(values: NDArray[Any]) -> list[float]:
    """Return four significant digits: more, no plot shows."""
    return [float(f"{value:.4g}") for value in values.tolist()]
