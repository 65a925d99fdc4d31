"""What actions change for whom, as an estimator in the manner of scikit-learn."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from sintonia.api.frames import to_matrix
from sintonia.core.arrays import Floats, Floats32, Ints
from sintonia.core.config import ModelConfig
from sintonia.core.errors import InputError, NotBuiltError, hint, unknown
from sintonia.uplift.effects import Effects
from sintonia.uplift.learning import learn_effects
from sintonia.uplift.logged import NONE, Actions, LoggedDecisions
from sintonia.uplift.logging_policy import estimate_logging_policy, logged_policy

logger = logging.getLogger("sintonia")


class EffectLearner(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Effects of several actions on a reward, against a reference action, from logged decisions.

    Three learners (S, DR and R) on cross-fitted forests, weighted by what rewards of unseen customers confirm.

    Parameters
    ----------
    reference
        The action that effects are measured against; its own effect is 0.
    folds
        How many folds of customers the learners are cross-fitted over.
    seed
        Seed of folds and trees; the same seed and data give the same effects.
    model
        Settings of the trees under their names in the group `model`, as {"num_leaves": 15}.

    Attributes
    ----------
    actions_
        The actions, the reference first, the others by name.
    effects_
        The learned effects.
    feature_names_in_
        The columns of X, where it was a frame.

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> X = rng.normal(size=(400, 2))
    >>> action = np.where(rng.random(400) < 0.5, "mail", "none")
    >>> reward = 5 + 2 * (action == "mail") + rng.normal(size=400)
    >>> learner = EffectLearner(reference="none", model={"max_trees": 20, "threads": 1})
    >>> effects = learner.fit(X, action, reward, logging_propensity=np.full(400, 0.5)).effect(X)
    >>> learner.actions_, effects.shape, float(effects[:, 0].max())
    (['none', 'mail'], (400, 2), 0.0)
    """

    actions_: list[str]
    effects_: Effects
    n_features_in_: int
    feature_names_in_: list[str]

    def __init__(
        self,
        reference: str = "none",
        *,
        folds: int = 5,
        seed: int = 7,
        model: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep the parameters as they are; `fit` checks them."""
        self.reference = reference
        self.folds = folds
        self.seed = seed
        self.model = model

    def fit(
        self,
        X: Any,  # noqa: ANN401, N803
        action: Sequence[Any],
        reward: Sequence[float],
        *,
        logging_propensity: Any = None,  # noqa: ANN401
        customer: Sequence[Any] | None = None,
    ) -> Self:
        """Return the estimator, its effects learned.

        Parameters
        ----------
        X
            Features as known strictly before each decision, a frame or an array.  # (n, n_features)
        action
            What was done, by name.  # (n,)
        reward
            The reward, costs of the action not subtracted.  # (n,)
        logging_propensity
            With which probability each action was assigned: (n, n_actions) in the order of `actions_`, 0 where it was
            not eligible; or that of what was done, (n,), where there are two actions or where it depends on the action
            alone. Estimated from X if not given, with a warning.
        customer
            Whose decision it was, where customers have several.  # (n,)

        Raises
        ------
        InputError
            When lengths, shapes or probabilities do not fit, or nobody got the reference.
        NotEnoughDataError
            When there are too few decisions with or without the reference, or chance decided none of them.
        """
        values, names = to_matrix(X)
        done = [str(name) for name in np.asarray(action).tolist()]
        rewards = np.asarray(reward, np.float64)
        if not len(values) == len(done) == len(rewards):
            raise InputError(
                f"X has {len(values)} rows, action {len(done)}, reward {len(rewards)}; give one of each per decision."
            )
        if self.reference not in done:
            raise InputError(
                f"No decision has the reference '{self.reference}'; {hint(self.reference, done)}"
            )
        other_actions = sorted(set(done) - {self.reference})
        actions = [self.reference, *other_actions]
        index = {name: at for at, name in enumerate(actions)}
        taken = np.array([index[name] for name in done], np.int64)
        who = np.arange(len(done)) if customer is None else _codes(customer, len(done))
        # The reference is called `none` inside; an action of that name beside another reference gets a longer one.
        inside = [NONE, *(f"{name} (action)" if name == NONE else name for name in other_actions)]
        config = self._config()
        if logging_propensity is None:
            policy = estimate_logging_policy(
                values,
                taken,
                rounds=np.zeros(len(done), np.int64),
                customer=who,
                names=tuple(inside),
                overlap=0.01,
                seed=self.seed,
            )
            propensities = policy.propensities
            logger.warning("%s", policy.warning)
        else:
            propensities = _propensities(np.asarray(logging_propensity, np.float64), taken, actions)
            warning = logged_policy(propensities, taken, actions).warning
            if warning is not None:
                logger.warning("%s", warning)
        logged = LoggedDecisions(values, taken, rewards, propensities, who, Actions.of(inside))
        self.effects_ = learn_effects(logged, config, self.folds, self.seed)
        self.actions_ = actions
        self.n_features_in_ = values.shape[1]
        if names is not None:
            self.feature_names_in_ = names
        return self

    def effect(self, X: Any) -> Floats:  # noqa: ANN401, N803
        """Return what each action changes for each row, in units of the reward, in the order of `actions_`.

        0 for the reference.  # (n, n_actions)
        """
        return self._fitted().predict(self._values(X))

    def interval(self, X: Any, *, confidence: float = 0.95) -> tuple[Floats, Floats]:  # noqa: ANN401, N803
        """Return low and high of each effect.  # two of (n, n_actions)"""
        return self._fitted().intervals(self._values(X), confidence)

    def _fitted(self) -> Effects:
        if not hasattr(self, "effects_"):
            raise NotBuiltError("This EffectLearner is not fitted; call fit(X, action, reward) first.")
        return self.effects_

    def _values(self, x: Any) -> Floats32:  # noqa: ANN401
        self._fitted()
        values, names = to_matrix(x)
        known = getattr(self, "feature_names_in_", None)
        if names is not None and known is not None and names != known:
            missing = [name for name in known if name not in names]
            if missing:
                raise InputError(f"X has no column '{missing[0]}'; {hint(missing[0], names)}")
            values = values[:, [names.index(name) for name in known]]
        if values.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {values.shape[1]} features; the effects were learned from {self.n_features_in_}."
            )
        return values

    def _config(self) -> ModelConfig:
        fields = ModelConfig.__dataclass_fields__
        for name in self.model or {}:
            if name not in fields:
                raise unknown("setting of the model", name, fields)
        return ModelConfig(**dict(self.model or {}))


def _codes(customer: Sequence[Any], n: int) -> Ints:
    names = np.asarray(customer)
    if names.shape != (n,):
        raise InputError(f"`customer` has shape {names.shape}; give one customer per decision, ({n},).")
    return np.asarray(np.unique(names.astype(str), return_inverse=True)[1], np.int64)


def _propensities(logged: Floats, taken: Ints, actions: Sequence[str]) -> Floats:
    """Return the probability of every action at every decision.  # (n, n_actions)"""
    shape = (len(taken), len(actions))
    if logged.shape == shape:
        return logged
    if logged.shape != shape[:1]:
        raise InputError(
            f"`logging_propensity` has shape {logged.shape}; give {shape}, or ({shape[0]},) of what was done."
        )
    rows = np.arange(len(taken))
    propensities = np.empty(shape)
    if len(actions) == 2:
        propensities[rows, taken], propensities[rows, 1 - taken] = logged, 1 - logged
        return propensities
    for at, name in enumerate(actions):
        distinct = np.unique(logged[taken == at])
        if len(distinct) != 1:
            raise InputError(
                f"The propensity of '{name}' differs between decisions, so those of what was not done are unknown; "
                f"give `logging_propensity` of shape {shape}, a column per action: {', '.join(actions)}."
            )
        propensities[:, at] = distinct[0]
    return propensities
