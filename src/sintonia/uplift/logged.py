"""Logged decisions as arrays: what was known, what was done with which probability, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sintonia.core.arrays import Bools, Floats, Floats32, Ints
from sintonia.core.errors import InputError

NONE = "none"
"""The action of doing nothing; it comes first, and an effect is what another action changes against it."""

ROUNDING = 1e-6
"""By how much the logging propensities of a decision may miss 1."""


@dataclass(frozen=True)
class Actions:
    """What can be done: names, `none` first, the cost of each in units of the reward, and attributes.

    `attributes` describe the kind of an action (its reward, difficulty, channel), so that similar actions
    share what is learned; 0 everywhere for `none`.
    """

    names: tuple[str, ...]
    costs: Floats  # (n_actions,)
    attributes: Floats  # (n_actions, n_attributes)
    attribute_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse actions without `none` in front, and shapes that do not fit."""
        if not self.names or self.names[0] != NONE or len(set(self.names)) != len(self.names):
            raise InputError(f"Actions are {', '.join(self.names)}; name each once, '{NONE}' first.")
        shape = (len(self.names), len(self.attribute_names))
        if self.costs.shape != shape[:1] or self.attributes.shape != shape:
            raise InputError(
                f"{len(self.names)} actions have {len(self.costs)} costs and attributes of shape "
                f"{self.attributes.shape}; give one cost and one row of attributes per action."
            )

    @classmethod
    def of(cls, names: Sequence[str], costs: ArrayLike | None = None) -> "Actions":
        """Return actions without attributes; they cost nothing unless costs are given.

        Examples
        --------
        >>> Actions.of(["none", "email"]).costs.tolist()
        [0.0, 0.0]
        """
        paid = np.zeros(len(names)) if costs is None else np.asarray(costs, np.float64)
        return cls(tuple(names), paid, np.zeros((len(names), 0)))

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class LoggedDecisions:
    """Decisions as they were logged, one row each.

    `values` are the features as known strictly before the decision, `action` is the place of what was done among
    the actions, `reward` what came of it (costs of the action not taken off), `logging_propensities` with which
    probability each action was assigned, 0 where it was not eligible, `customer` whose decision it was: any
    whole number, the same for all decisions of a customer. `orders` is of how many orders the reward is made; None
    where it is not made of orders.
    """

    values: Floats32  # (n, n_features)
    action: Ints  # (n,)
    reward: Floats  # (n,)
    logging_propensities: Floats  # (n, n_actions)
    customer: Ints  # (n,)
    actions: Actions
    orders: Ints | None = None  # (n,)

    def __post_init__(self) -> None:
        """Refuse rows that do not fit together, and what no randomisation can have logged."""
        n, shape = len(self.action), (len(self.action), len(self.actions))
        orders = n if self.orders is None else len(self.orders)
        if self.logging_propensities.shape != shape or {len(self.values), len(self.reward), orders} - {n}:
            raise InputError(
                f"{n} decisions have {len(self.values)} rows of features, {len(self.reward)} rewards, {orders} counts "
                f"of orders and logging propensities of shape {self.logging_propensities.shape}; give one "
                "row per decision and one column per action."
            )
        if n and not np.allclose(self.logging_propensities.sum(axis=1), 1, atol=ROUNDING):
            raise InputError("Logging propensities of a decision must sum to 1 over its eligible actions.")
        if n and not (self.logging_propensities.min() >= 0 and self.taken_propensities.min() > 0):
            raise InputError("An action was taken that had no logging propensity above 0; check the log.")
        if not np.isfinite(self.reward).all():
            raise InputError(
                "A reward is missing or infinite; leave out decisions whose reward is not known yet."
            )

    @property
    def eligible(self) -> Bools:
        """What could have been done.  # (n, n_actions)"""
        return self.logging_propensities > 0

    @property
    def taken_propensities(self) -> Floats:
        """The probability of what was done.  # (n,)"""
        return self.logging_propensities[np.arange(len(self)), self.action]

    @property
    def customers(self) -> int:
        """How many customers the decisions are about."""
        return len(np.unique(self.customer))

    def take(self, rows: Bools | Ints) -> "LoggedDecisions":
        """Return the decisions of a mask or of these places."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        changed: dict[str, Any] = {
            name: array[rows] for name, array in arrays.items() if isinstance(array, np.ndarray)
        }
        return replace(self, **changed)

    def __len__(self) -> int:
        return len(self.action)


def concatenate(first: LoggedDecisions, second: LoggedDecisions) -> LoggedDecisions:
    """Return the decisions of two logs of the same actions and the same reward, one after the other."""
    pairs = {field.name: (getattr(first, field.name), getattr(second, field.name)) for field in fields(first)}
    arrays: dict[str, Any] = {
        name: np.concatenate(pair) for name, pair in pairs.items() if isinstance(pair[0], np.ndarray)
    }
    return replace(first, **arrays)
