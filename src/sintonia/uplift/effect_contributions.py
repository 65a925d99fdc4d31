"""What moves an effect: how far each feature of a customer takes an action's effect from its mean.

An effect is the action's mean effect and weighted differences by three opinions (`sintonia.uplift.effects`). Two are
forests, whose SHAP contributions are exact: of the first forest those of the action less those of doing nothing. The
third is a sum of slopes, each of one feature, times what the customer would bring anyway: a feature's part is what
the sum loses without it. What the forests split by the action, and what centres them, is the action's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Floats, Floats32, Ints
from sintonia.explain.contributions import contributions
from sintonia.uplift.effects import Effects, Opinion, scale_of
from sintonia.uplift.forests import tree_inputs
from sintonia.uplift.logged import Actions
from sintonia.uplift.slopes import Linear

if TYPE_CHECKING:
    import lightgbm


@dataclass(frozen=True)
class EffectContributions:
    """Effects taken apart: each is `mean` + `own` + the sum of its row of `values`.

    `mean` is the mean effect of the row's action, `own` what the action adds to it by itself, `values` what each
    feature does.
    """

    values: Floats  # (n, n_features)
    mean: Floats  # (n,)
    own: Floats  # (n,)

    @property
    def effect(self) -> Floats:
        """The effects.  # (n,)"""
        found: Floats = self.mean + self.own + self.values.sum(axis=1)
        return found


def effect_contributions(effects: Effects, values: Floats32, action: Ints) -> EffectContributions:
    """Return the effect of one learned action a row, taken apart by feature.

    Parameters
    ----------
    action
        The place of each row's action; not `none`, which changes nothing.  # (n,)
    """
    found = np.zeros(values.shape)
    own = np.zeros(len(values))
    for place in np.unique(action).tolist():
        rows = np.flatnonzero(action == place)
        for features, rest in _opinions(effects.whole, values[rows], effects.actions, place):
            found[rows] += features
            own[rows] += rest
    return EffectContributions(found, effects.constants[action], own)


def _opinions(
    opinion: Opinion, values: Floats32, actions: Actions, place: int
) -> Iterator[tuple[Floats, Floats]]:
    """Give of each opinion that counts what it says of an action by feature, and beyond the features."""
    n = values.shape[1]
    first, slopes, second = opinion.weights.tolist()
    means = opinion.means[:, place]
    if first and opinion.outcome.trees is not None:
        with_it, without = (_trees(opinion.outcome.booster, values, actions, at) for at in (place, 0))
        said = with_it[0] - without[0]
        yield first * said[:, :n], first * (said[:, n:].sum(axis=1) - means[0])
    if slopes:
        measure = scale_of(opinion.outcome.predict(values, actions)[:, 0], opinion.floor)
        features, base = _slopes(opinion.linear, values, place)
        yield slopes * measure[:, None] * features, slopes * (measure * base - means[1])
    if second:
        if opinion.second.trees is None:
            yield np.zeros(values.shape), np.full(len(values), -second * means[2])
            return
        said, base = _trees(opinion.second.booster, values, actions, place)
        yield second * said[:, :n], second * (said[:, n:].sum(axis=1) + base - means[2])


def _trees(
    booster: "lightgbm.Booster", values: Floats32, actions: Actions, place: int
) -> tuple[Floats, float]:
    """Return SHAP contributions of features, then of the action's columns, and their base."""
    found = contributions(booster, tree_inputs(values, actions, np.full(len(values), place)))
    return found.values, found.base


def _slopes(linear: Linear, values: Floats32, place: int) -> tuple[Floats, float]:
    """Return what each slope says, by what is lost where its feature is not known, and what is said of nobody."""
    found = np.zeros(values.shape)
    whole = linear.predict(values)[:, place]
    for column in np.unique(linear.columns).tolist():
        without = values.copy()
        without[:, column] = np.nan
        found[:, column] = whole - linear.predict(without)[:, place]
    nobody = np.full((1, values.shape[1]), np.nan, np.float32)
    return found, float(linear.predict(nobody)[0, place])
