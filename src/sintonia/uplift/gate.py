"""The gate: a personalised policy replaces the best constant one only where it is surely better.

The customers that judge are not those that taught. On their decisions the doubly robust value of the personalised
policy less that of the constant one has a 95 % interval; the policy passes when all of it lies above 0.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.core.intervals import Estimate
from sintonia.uplift.logged import Actions
from sintonia.uplift.policies import constant
from sintonia.uplift.values import difference


@dataclass(frozen=True)
class Gate:
    """What the gate found: the best constant action, by how much the personalised policy is better, and the answer."""

    constant: str
    difference: Estimate
    passed: bool
    decisions: int
    customers: int

    @property
    def sentence(self) -> str:
        """The answer in words.

        Examples
        --------
        >>> Gate("mail", Estimate(0.2, -0.1, 0.5), False, 100, 90).sentence
        "Not personalised: 0.200 [-0.100, 0.500] a decision against always 'mail', not surely better; 'mail' for all."
        """
        found = f"{self.difference.text()} a decision"
        if self.passed:
            return f"Personalised: {found} better than always '{self.constant}'."
        return (
            f"Not personalised: {found} against always '{self.constant}', not surely better; "
            f"'{self.constant}' for all."
        )


def best_constant(gains: Floats, eligible: Bools) -> int:
    """Return the place of the action worth most when always taken, `none` where it is not eligible.

    `gains` are the mean gains of the actions where they are eligible, learned from the customers that teach.
    # (n_actions,)
    """
    return int((gains * eligible.mean(axis=0)).argmax())


def judge(
    scores: Floats, personalised: Floats, place: int, eligible: Bools, customer: Ints, actions: Actions
) -> Gate:
    """Return whether the personalised policy passes against the constant one, on decisions that taught neither.

    `scores` are doubly robust, `place` is the action of the constant policy.
    """
    fixed = constant(eligible, place)
    found = difference(scores, personalised, fixed, customer)
    return Gate(actions.names[place], found, found.low > 0, len(scores), len(np.unique(customer)))
