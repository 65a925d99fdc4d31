"""What a policy is worth, from decisions that another policy took and logged with their probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from sintonia.core.arrays import Floats
from sintonia.core.errors import InputError, hint, unknown
from sintonia.core.intervals import Estimate, clustered_mean
from sintonia.features.from_frames import to_arrow

if TYPE_CHECKING:
    import pandas as pd

REQUIRED = ("action", "reward", "logging_propensity")
TOLERANCE = 1e-6


@dataclass(frozen=True)
class PolicyValue:
    """The value of a policy and of the log, in the unit of the reward per decision, each with a 95 % interval.

    `method` is "doubly robust", or "IPS" without expected rewards. `difference` is the policy's value less the log's.
    `effective_decisions` is Kish's number of logged decisions under the policy's weights.
    """

    method: str
    policy: Estimate
    logged: Estimate
    difference: Estimate
    decisions: int
    effective_decisions: float

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per value: `name`, `value`, `low`, `high`."""
        import pandas as pd

        rows = {"policy": self.policy, "logged": self.logged, "difference": self.difference}
        return pd.DataFrame(
            [{"name": name, "value": of.value, "low": of.low, "high": of.high} for name, of in rows.items()]
        )

    def _caption(self) -> str:
        return (
            f"{self.method}, {self.decisions:,} decisions ({self.effective_decisions:,.0f} effective), "
            "95 % intervals over customers"
        )

    def __str__(self) -> str:
        """Return the values as a table for people."""
        return f"{self.to_frame().to_string(index=False, float_format='{:.4f}'.format)}\n{self._caption()}"

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(index=False, float_format="{:.4f}".format)
        return f"{table}<p>{escape(self._caption())}</p>"


def policy_value(
    policy: Any,  # noqa: ANN401
    log: Any,  # noqa: ANN401  any data frame
    *,
    actions: Sequence[str] | None = None,
    expected: Any = None,  # noqa: ANN401
) -> PolicyValue:
    """Return what a policy would have brought on logged decisions, doubly robust or by inverse propensity scores.

    Parameters
    ----------
    policy
        One of: probabilities of each action, (n, n_actions), rows that sum to 1; the action chosen at each decision,
        (n,), by name; or a function of the log that returns either.
    log
        A frame with one row per decision: `action`, `reward` (costs taken off), `logging_propensity` (the probability
        with which the logged action was assigned, above 0 and at most 1), and `customer_id` where customers have
        several decisions: errors are clustered by it.
    actions
        The actions in the order of the columns of probabilities; sorted by name if not given.
    expected
        Expected reward of each action at each decision, (n, n_actions), learned from other customers. With it the
        value is doubly robust (Dudik, Langford and Li 2011), without it IPS (Horvitz and Thompson 1952).

    Raises
    ------
    InputError
        When a column is missing, or shapes or probabilities do not fit.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"action": ["none", "mail"] * 50, "reward": [1.0, 2.0] * 50, "logging_propensity": 0.5})
    >>> print(policy_value(["mail"] * 100, log, actions=["none", "mail"]).policy.value)
    2.0
    """
    table = to_arrow(log, "log")
    for name in REQUIRED:
        if name not in table.column_names:
            raise InputError(f"The log has no column '{name}'; {hint(name, table.column_names)}")
    logged_actions = [str(action) for action in table["action"].to_pylist()]
    action_names = sorted(set(logged_actions)) if actions is None else [str(action) for action in actions]
    if not logged_actions:
        raise InputError("The log is empty; give at least one decision.")
    reward, propensity = (
        np.asarray(table[name].cast("float64").to_numpy(), np.float64)
        for name in ("reward", "logging_propensity")
    )
    if not np.isfinite(reward).all():
        raise InputError(
            "A reward is missing or infinite; leave out decisions whose reward is not known yet."
        )
    if not ((propensity > 0) & (propensity <= 1 + TOLERANCE)).all():
        raise InputError(
            "A logging_propensity is missing or not in (0, 1]; give the probability of the logged action."
        )
    action_index = _indices(logged_actions, action_names)
    chosen_actions = policy(log) if callable(policy) else policy
    probabilities = _probabilities(chosen_actions, len(logged_actions), action_names)
    rows = np.arange(len(logged_actions))
    if "customer_id" in table.column_names:
        customer = np.unique(np.asarray(table["customer_id"].to_pylist(), str), return_inverse=True)[1]
    else:
        customer = rows
    weights = probabilities[rows, action_index] / propensity
    if expected is None:
        method, values = "IPS", weights * reward
    else:
        expectation = _matrix(expected, "expected", len(logged_actions), action_names)
        method = "doubly robust"
        errors = reward - expectation[rows, action_index]
        values = (probabilities * expectation).sum(axis=1) + weights * errors
    squares = float((weights**2).sum())
    return PolicyValue(
        method,
        clustered_mean(values, customer),
        clustered_mean(reward, customer),
        clustered_mean(values - reward, customer),
        len(logged_actions),
        float(weights.sum()) ** 2 / squares if squares else 0.0,
    )


def _indices(chosen: Sequence[str], names: Sequence[str]) -> Any:  # noqa: ANN401
    """Return the index of each chosen action among the names.  # (n,)"""
    index = {name: at for at, name in enumerate(names)}
    for name in sorted(set(chosen) - set(index)):
        raise unknown("action", name, names)
    return np.array([index[name] for name in chosen], np.int64)


def _probabilities(policy: Any, n: int, names: Sequence[str]) -> Floats:  # noqa: ANN401
    values = np.asarray(policy)
    if values.ndim == 1:
        if len(values) != n:
            raise InputError(
                f"The policy chose {len(values)} actions for {n} decisions; give one per decision."
            )
        return np.asarray(np.eye(len(names))[_indices([str(value) for value in values], names)])
    matrix = _matrix(policy, "policy", n, names)
    if (matrix < -TOLERANCE).any() or not np.allclose(matrix.sum(axis=1), 1, atol=TOLERANCE):
        raise InputError("Probabilities of a policy must be at least 0 and sum to 1 at each decision.")
    return matrix


def _matrix(values: Any, argument: str, n: int, names: Sequence[str]) -> Floats:  # noqa: ANN401
    matrix = np.asarray(values, np.float64)
    if matrix.shape != (n, len(names)):
        raise InputError(
            f"`{argument}` has shape {matrix.shape}; give {n} rows and {len(names)} columns, of {', '.join(names)}."
        )
    return matrix
