"""About two hundred explained rows that teach: usual ones and doubtful ones, right ones and wrong ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.explain.contributions import Meaning
from sintonia.explain.sample import Sample
from sintonia.explain.what_if import WhatIf
from sintonia.review.history import RecentInteractions

LISTED, FAMILIES = 10, 5
REACHED = 0.1
QUOTA = {
    "highest": 25,
    "lowest": 20,
    "confident and wrong": 45,
    "confident and right": 25,
    "borderline": 35,
    "typical": 35,
    "at random": 15,
}
"""How many rows of each kind; a row is of the first kind it fits."""

MEANING = {
    "highest": "the highest scores of the sample",
    "lowest": "the lowest scores",
    "confident and wrong": "far from what came true",
    "confident and right": "far from the middle, and so it came",
    "borderline": "at the edge of the highest tenth, where a list is cut",
    "typical": "scores in the middle",
    "at random": "drawn from all others",
}


class CatalogueFeature(Meaning, Protocol):
    """What is known of a feature: its meaning and its family."""

    @property
    def family(self) -> str:
        """Which family it belongs to."""


@dataclass(frozen=True)
class FeatureContribution:
    """A feature's value in a row (None when missing) and how far it moved the row's raw score."""

    feature: str
    value: float | None
    contribution: float


@dataclass(frozen=True)
class Customer:
    """One explained row: which sample number, why it is here, what was said and what came true, and the evidence.

    `base`, the contributions of `parts` and those of `rest` add up to `raw`. `rest` has the sums of all other features
    by family, the smaller ones under "". `outcome` and `label` are of amounts in cents.
    """

    sample: int
    kind: str
    as_of: str
    category: str
    outcome: float
    label: float
    raw: float
    base: float
    parts: tuple[FeatureContribution, ...]
    rest: dict[str, float]
    groups: dict[str, str]
    reasons: tuple[str, ...]
    history: RecentInteractions
    what_if: WhatIf


@dataclass(frozen=True)
class Beside:
    """What is told of a row beside its score: its category ("" without), reasons in sentences, history, what-if."""

    category: str
    reasons: tuple[str, ...]
    history: RecentInteractions
    what_if: WhatIf


def choose(sample: Sample, amount: bool) -> dict[int, str]:
    """Return the places in the sample of the chosen rows, each with its kind; of a customer one row only."""
    outcome, label = sample.outcome, np.asarray(sample.rows.label, np.float64)
    first = np.zeros(len(sample), bool)
    first[np.unique(sample.rows.customer_id.astype(str), return_index=True)[1]] = True
    error = np.abs(np.log1p(label) - np.log1p(outcome)) if amount else np.abs(label - outcome)
    apart = np.abs(outcome - np.median(outcome))
    edge = np.quantile(outcome, 1 - REACHED)
    far = apart > np.quantile(apart, 0.6)
    order = {
        "highest": -outcome,
        "lowest": outcome,
        "confident and wrong": -error,
        "confident and right": np.where(far, error, np.inf),
        "borderline": np.abs(outcome - edge),
        "typical": apart,
        "at random": np.arange(len(sample), dtype=np.float64),
    }
    found: dict[int, str] = {}
    for kind, by in order.items():
        able = [at for at in np.argsort(by, kind="stable").tolist() if first[at] and np.isfinite(by[at])]
        taken = [at for at in able if at not in found][: QUOTA[kind]]
        found |= dict.fromkeys(taken, kind)
    return found


def tell(
    sample: Sample,
    chosen: Mapping[int, str],
    catalogue: Mapping[str, CatalogueFeature],
    groups: Mapping[str, NDArray[np.str_]],
    beside: Sequence[Beside],
) -> tuple[Customer, ...]:
    """Return the chosen rows, the order of `chosen` kept.

    `groups` has by attribute a value for each row of the sample, `beside` what is told of each chosen row.
    """
    return tuple(
        _customer(
            sample,
            (place, kind),
            catalogue,
            {by: str(of[place]) for by, of in groups.items() if of[place]},
            told,
        )
        for (place, kind), told in zip(chosen.items(), beside, strict=True)
    )


def _customer(
    sample: Sample,
    chosen: tuple[int, str],
    catalogue: Mapping[str, CatalogueFeature],
    groups: dict[str, str],
    beside: Beside,
) -> Customer:
    place, kind = chosen
    assert sample.found is not None, "the rows that teach are explained"
    moved, names = sample.found.values[place], sample.found.names
    order = np.argsort(-np.abs(moved), kind="stable").tolist()
    listed = [at for at in order[:LISTED] if moved[at]]
    values = {at: _value(sample.rows.values[place, at]) for at in listed}
    return Customer(
        sample=place + 1,
        kind=kind,
        as_of=f"{sample.rows.as_of[place].astype('datetime64[D]')}",
        category=beside.category,
        outcome=round(float(sample.outcome[place]), 6),
        label=float(sample.rows.label[place]),
        raw=float(sample.raw[place]),
        base=sample.found.base,
        parts=tuple(FeatureContribution(names[at], values[at], float(moved[at])) for at in listed),
        rest=rest_of(moved, listed, [catalogue[name].family for name in names]),
        groups=groups,
        reasons=beside.reasons,
        history=beside.history,
        what_if=beside.what_if,
    )


def rest_of(moved: Floats, listed: Sequence[int], families: Sequence[str]) -> dict[str, float]:
    """Return what all other features together move a score by, family by family, the largest first."""
    sums: dict[str, float] = {}
    for at, family in enumerate(families):
        if at not in listed and moved[at]:
            sums[family] = sums.get(family, 0.0) + float(moved[at])
    order = sorted(sums, key=lambda family: -abs(sums[family]))
    found = {family: sums[family] for family in order[:FAMILIES]}
    small = [sums[family] for family in order[FAMILIES:]]
    return {**found, "": sum(small)} if small else found


def _value(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
