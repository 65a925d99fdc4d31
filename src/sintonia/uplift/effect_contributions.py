"""What moves an effect: how far each feature of a customer takes an action's effect from its mean.

An effect is the action's mean effect and weighted differences by three estimators (`sintonia.uplift.effects`). Two are
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
from sintonia.uplift.effects import EffectEnsemble, Effects, effect_scale
from sintonia.uplift.forests import tree_inputs
from sintonia.uplift.logged import Actions
from sintonia.uplift.slopes import LinearEffects

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
        effects: Floats = self.mean + self.own + self.values.sum(axis=1)
        return effects


def effect_contributions(effects: Effects, values: Floats32, action: Ints) -> EffectContributions:
    """Return the effect of one learned action a row, taken apart by feature.

    Parameters
    ----------
    action
        The place of each row's action; not `none`, which changes nothing.  # (n,)
    """
    by_feature = np.zeros(values.shape)
    own = np.zeros(len(values))
    for index in np.unique(action).tolist():
        rows = np.flatnonzero(action == index)
        for feature_part, beyond in _member_contributions(effects.full, values[rows], effects.actions, index):
            by_feature[rows] += feature_part
            own[rows] += beyond
    return EffectContributions(by_feature, effects.constants[action], own)


def _member_contributions(
    ensemble: EffectEnsemble, values: Floats32, actions: Actions, index: int
) -> Iterator[tuple[Floats, Floats]]:
    """Yield each weighted member's contributions to an action's effect by feature, and the part beyond the features."""
    n = values.shape[1]
    first, slopes, second = ensemble.weights.tolist()
    means = ensemble.means[:, index]
    if first and ensemble.outcome.trees is not None:
        with_action, without = (
            _tree_contributions(ensemble.outcome.booster, values, actions, action) for action in (index, 0)
        )
        shap_values = with_action[0] - without[0]
        yield first * shap_values[:, :n], first * (shap_values[:, n:].sum(axis=1) - means[0])
    if slopes:
        scale = effect_scale(ensemble.outcome.predict(values, actions)[:, 0], ensemble.floor)
        features, base = _slope_contributions(ensemble.linear, values, index)
        yield slopes * scale[:, None] * features, slopes * (scale * base - means[1])
    if second:
        if ensemble.second.trees is None:
            yield np.zeros(values.shape), np.full(len(values), -second * means[2])
            return
        shap_values, base = _tree_contributions(ensemble.second.booster, values, actions, index)
        yield second * shap_values[:, :n], second * (shap_values[:, n:].sum(axis=1) + base - means[2])


def _tree_contributions(
    booster: "lightgbm.Booster", values: Floats32, actions: Actions, index: int
) -> tuple[Floats, float]:
    """Return SHAP contributions of features, then of the action's columns, and their base."""
    parts = contributions(booster, tree_inputs(values, actions, np.full(len(values), index)))
    return parts.values, parts.base


def _slope_contributions(linear: LinearEffects, values: Floats32, index: int) -> tuple[Floats, float]:
    """Return each slope's contribution, the loss without its feature, and the prediction without any feature."""
    by_feature = np.zeros(values.shape)
    full = linear.predict(values)[:, index]
    for column in np.unique(linear.columns).tolist():
        without_feature = values.copy()
        without_feature[:, column] = np.nan
        by_feature[:, column] = full - linear.predict(without_feature)[:, index]
    unknown = np.full((1, values.shape[1]), np.nan, np.float32)
    return by_feature, float(linear.predict(unknown)[0, index])
