"""Decisions that explain a learned policy: what each action was expected to bring, what was done, and the reward.

They are of customers on whom the policy is reported, not of those who decided whether it passes. Gains are predicted by
the effects that will serve; the expectation beside each reward comes from trees fitted without the customer.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.evaluation.stability import FamilyWeight
from sintonia.explain.contributions import Contributions
from sintonia.explain.sample import CONTRIBUTION, VALUE
from sintonia.explain.what_if import WhatIf
from sintonia.review.customers import FeatureContribution, RecentInteractions
from sintonia.training.dataset import Dataset
from sintonia.uplift.effect_contributions import EffectContributions

QUOTA = {
    "sleeping dogs": 40,
    "confident and wrong": 35,
    "gains most": 30,
    "borderline": 30,
    "torn": 20,
    "confident and right": 15,
    "typical": 20,
    "at random": 10,
}
"""How many decisions of each kind; one is of the first kind it fits."""

KINDS = {
    "sleeping dogs": "every possible action has a negative expected gain: do not contact",
    "confident and wrong": "the recommended action was taken, its gain above the median, the reward far lower",
    "gains most": "the expected gain of the best action is among the highest",
    "borderline": "the expected gain of the best action is close to the threshold",
    "torn": "two actions have nearly the same expected gain",
    "confident and right": "the recommended action was taken, its gain above the median, the reward as expected",
    "typical": "the expected gain of the best action is close to the median",
    "at random": "it is a random draw from the remaining decisions",
}


@dataclass(frozen=True)
class PolicyExamples:
    """Decisions in the order of their sample numbers, one a customer, each with an action it could have had.

    The label of `rows` is the reward. `given` and `recommended` are indices of `actions`, `none` first; `gains`, `low`
    and `high` are net of cost, `expected` is the logged action's reward as predicted by trees fitted without the
    customer, and `moved` has the contributions to the effect of the recommended action.
    """

    rows: Dataset
    actions: tuple[str, ...]
    costs: Floats  # (n_actions,)
    given: Ints  # (n,)
    recommended: Ints  # (n,)
    eligible: Bools  # (n, n_actions)
    gains: Floats  # (n, n_actions)
    low: Floats  # (n, n_actions)
    high: Floats  # (n, n_actions)
    expected: Floats  # (n,)
    moved: EffectContributions

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def best(self) -> Floats:
        """The gain of the recommended action.  # (n,)"""
        gain: Floats = self.gains[np.arange(len(self)), self.recommended]
        return gain

    @property
    def second(self) -> Floats:
        """The next best gain of an action that could have been taken, -inf without one.  # (n,)"""
        able = np.where(self.eligible, self.gains, -np.inf)
        able[:, 0] = -np.inf
        able[np.arange(len(self)), self.recommended] = -np.inf
        gain: Floats = able.max(axis=1)
        return gain

    @property
    def contributions(self) -> Contributions:
        """What moves the effect of the recommended action.  # (n, n_features)"""
        return Contributions(self.rows.names, self.moved.values, 0.0)


@dataclass(frozen=True)
class Gain:
    """An action for one customer: its expected gain with a 95 % interval, and whether it could have been taken."""

    action: str
    gain: float
    low: float
    high: float
    able: bool


@dataclass(frozen=True)
class ExplainedDecision:
    """A decision under a sample number: why it was chosen, each action's expected gain, the logged action, the reward.

    `mean`, `own`, the contributions of `parts` and those of `rest` add up to the effect of the recommended action; less
    its `cost` that is its gain. `rest` has the sums of all other features by family, the smaller ones under "".
    """

    sample: int
    kind: str
    as_of: str
    given: str
    recommended: str
    expected: float
    came: float
    gains: tuple[Gain, ...]
    mean: float
    own: float
    cost: float
    parts: tuple[FeatureContribution, ...]
    rest: dict[str, float]
    reasons: tuple[str, ...]
    history: RecentInteractions
    what_if: WhatIf

    @property
    def gain(self) -> Gain:
        """That of the recommended action."""
        return next(one for one in self.gains if one.action == self.recommended)


@dataclass(frozen=True)
class FeatureSwarm:
    """A feature that moves effects: its definition, its mean size and its swarm, as stored in JSON."""

    feature: str
    mean_absolute: float
    contributions: tuple[float, ...]
    ranks: tuple[float | None, ...]


@dataclass(frozen=True)
class EffectDrivers:
    """What moves the effects of recommended actions, over so many decisions: families, and features with swarms."""

    decisions: int
    families: tuple[FamilyWeight, ...]
    features: tuple[FeatureSwarm, ...]


def choose_decisions(examples: PolicyExamples, threshold: float) -> dict[int, str]:
    """Return the indices of the example decisions, each with its kind; a gain must exceed the threshold to count."""
    best, second = examples.best, examples.second
    shortfall = examples.expected - np.asarray(examples.rows.label, np.float64)
    confident = (examples.given == examples.recommended) & (best > threshold) & (best >= np.median(best))
    order = {
        "sleeping dogs": np.where(best < 0, best, np.inf),
        "confident and wrong": np.where(confident & (shortfall > 0), -shortfall, np.inf),
        "gains most": -best,
        "borderline": np.abs(best - threshold),
        "torn": np.where((best > threshold) & np.isfinite(second), best - second, np.inf),
        "confident and right": np.where(confident, np.abs(shortfall), np.inf),
        "typical": np.abs(best - np.median(best)),
        "at random": np.arange(len(best), dtype=np.float64),
    }
    kinds: dict[int, str] = {}
    for kind, by in order.items():
        candidates = [at for at in np.argsort(by, kind="stable").tolist() if np.isfinite(by[at])]
        kinds |= dict.fromkeys([at for at in candidates if at not in kinds][: QUOTA[kind]], kind)
    return kinds


def decision_table(examples: PolicyExamples) -> pa.Table:
    """Return one row per sample number: as_of, logged and recommended action, expectation, reward, two per feature.

    `base` and the columns `contribution.NAME` add up to `raw_score`, the effect of the recommended action.
    """
    rows, decomposition = examples.rows, examples.moved
    names = np.array(examples.actions, object)
    return pa.table(
        {
            "sample": np.arange(1, len(examples) + 1),
            "as_of": pa.array(rows.as_of, pa.timestamp("us")),
            "given": pa.array(names[examples.given], pa.string()),
            "recommended": pa.array(names[examples.recommended], pa.string()),
            "expected": examples.expected,
            "label": rows.label,
            "outcome": examples.best,
            "raw_score": decomposition.effect,
            "base": decomposition.mean + decomposition.own,
            **{f"{VALUE}{name}": rows.values[:, at] for at, name in enumerate(rows.names)},
            **{f"{CONTRIBUTION}{name}": decomposition.values[:, at] for at, name in enumerate(rows.names)},
        }
    )
