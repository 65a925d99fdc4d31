"""Opinions on effects, and how they become one: constant effects plus what is believed of differences."""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Floats32
from sintonia.uplift.forests import OutcomeTrees
from sintonia.uplift.logged import Actions
from sintonia.uplift.slopes import Linear

SMALL = 0.1
"""Share of the mean reward without an action below which nobody's expectation counts as a measure of effects."""


@dataclass(frozen=True)
class Opinion:
    """What two forests and slopes say: constant effects plus weighted differences between customers.

    `linear` gives effects as shares of the expected reward without an action, `floor` is the least of it that measures
    (None where nothing does). `means` are the candidates' effects on average where they were learned; what
    goes beyond them is difference.
    """

    outcome: OutcomeTrees
    linear: Linear
    second: OutcomeTrees
    constants: Floats  # (n_actions,)
    floor: float | None
    means: Floats  # (3, n_actions)
    weights: Floats  # (3,)

    def effects(self, values: Floats32, actions: Actions) -> Floats:
        """Return the effects.  # (n, n_actions)"""
        found = np.tile(self.constants, (len(values), 1))
        if self.weights.any():
            expected = self.outcome.predict(values, actions)
            linear = self.linear.predict(values)
            second = self.second.predict(values, actions) if self.weights[2] > 0 else np.zeros_like(expected)
            said = candidates(expected, linear, second, self.floor)
            for weight, candidate, mean in zip(self.weights, said, self.means, strict=True):
                found += weight * (candidate - mean)
        found[:, 0] = 0.0
        return found


def candidates(expected: Floats, linear: Floats, second: Floats, floor: float | None) -> tuple[Floats, ...]:
    """Return three opinions on effects, (n, n_actions): the first forest's, the slopes', the second forest's.

    Parameters
    ----------
    expected
        What the first forest says of each action.  # (n, n_actions)
    linear
        Effects as shares of the measure.  # (n, n_actions)
    second
        What the second forest says.  # (n, n_actions)
    """
    return against_none(expected), scale_of(expected[:, 0], floor)[:, None] * linear, second


def scale_of(expected_none: Floats, floor: float | None) -> Floats:
    """Return what effects are measured by: the expected reward without an action, at least the floor, else 1."""
    if floor is None:
        return np.ones(len(expected_none))
    return np.maximum(expected_none, floor)


def against_none(expected: Floats) -> Floats:
    """Return what each action brings less what doing nothing brings.  # (n, n_actions)"""
    found: Floats = expected - expected[:, [0]]
    return found
