"""What can be done as options, an action on a day where capacities count days, and what limits them together."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Bools, Floats, Floats32, Ints
from sintonia.core.config import NONE, ActionConfig
from sintonia.core.config.engagement import AllocationRules
from sintonia.serving.decisions.allocation import Limit
from sintonia.serving.decisions.timing import Hours

CENTS = 100
BUDGET = "budget (cents)"


@dataclass(frozen=True)
class Factors:
    """What worth is made of: value (n,) x effect (n, n_actions) x lever (n_actions,) - cost, in currency."""

    value: Floats
    effect: NDArray[np.float32]
    lever: Floats
    cost: Floats

    @classmethod
    def of(
        cls,
        configured: Mapping[str, ActionConfig],
        used: Collection[str],
        value: Floats,
        effect: NDArray[np.float32],
    ) -> "Factors":
        """Return the factors that are used; the others count as 1, the cost as 0."""
        actions = list(configured.values())
        ones = np.ones(len(actions) + 1)
        lever = np.array([1.0, *(action.lever for action in actions)])
        cost = np.array([0.0, *(action.cost or 0.0 for action in actions)])
        return cls(
            value if "value" in used else np.ones_like(value),
            effect if "effect" in used else np.ones_like(effect),
            lever if "lever" in used else ones,
            cost if "cost" in used else 0 * cost,
        )

    def part(self, rows: slice) -> "Factors":
        """Return the factors of customers who follow one another."""
        return Factors(self.value[rows], self.effect[rows], self.lever, self.cost)

    def worth(self, action: int, lessened: Floats | float = 1.0) -> Floats32:
        """Return an action's worth for each customer in currency; `lessened` is what a day leaves of its effect."""
        gain = self.value * self.effect[:, action] * self.lever[action] * lessened
        worth: Floats32 = (gain - self.cost[action]).astype(np.float32)
        return worth


@dataclass(frozen=True)
class Options:
    """`action` and `day` (n_options,) of each option; option 0 is doing nothing, day -1 the customer's best one.

    `actions`, `channels` and `cost_cents` are those of the actions, doing nothing first.
    """

    actions: tuple[str, ...]
    channels: tuple[str, ...]
    cost_cents: Floats
    action: Ints
    day: Ints

    @classmethod
    def of(
        cls, configured: Mapping[str, ActionConfig], rules: AllocationRules, within_days: int
    ) -> "Options":
        """Return the options: one an action, or one an action and day if a capacity counts days."""
        by_day = any(capacity.per == "day" for capacity in rules.capacities.values())
        days = np.arange(within_days) if by_day else np.array([-1])
        count = len(configured)
        return cls(
            actions=(NONE, *configured),
            channels=("", *(action.channel for action in configured.values())),
            cost_cents=np.array([0.0, *((action.cost or 0.0) * CENTS for action in configured.values())]),
            action=np.r_[0, np.repeat(np.arange(1, count + 1), len(days))],
            day=np.r_[-1, np.tile(days, count)],
        )

    def worth(
        self, factors: Factors, allowed: Bools, hours: Hours, day_lever: float
    ) -> tuple[Floats32, NDArray[np.bool_]]:
        """Return each option's worth, minus infinity where it is not allowed, and where it is; both (n, n_options)."""
        worth = np.full((len(allowed), len(self.action)), -np.inf, np.float32)
        worth[:, 0] = 0
        for option in range(1, len(self.action)):
            action, day = int(self.action[option]), int(self.day[option])
            may, lessened = allowed[:, action], np.ones(len(allowed))
            if day >= 0:
                use = hours.uses[self.channels[action]]
                may = may & (hours.hour[:, use, day] >= 0)
                share = hours.share[:, use]
                lessened = 1 - day_lever * (1 - share[:, day] / np.maximum(share.max(axis=1), 1e-12))
            worth[may, option] = factors.worth(action, lessened)[may]
        return worth, np.isfinite(worth)

    def limits(self, rules: AllocationRules) -> list[Limit]:
        """Return the capacities, one a day where they count days, and the budget."""
        found = []
        for name, capacity in rules.capacities.items():
            counts = np.ones(len(self.action), bool)
            counts[0] = False
            if capacity.channel is not None:
                counts &= np.array([self.channels[action] == capacity.channel for action in self.action])
            if capacity.action is not None:
                counts &= self.action == self.actions.index(capacity.action)
            most = np.inf if capacity.at_most is None else float(capacity.at_most)
            days = np.unique(self.day[1:]) if capacity.per == "day" else [None]
            for day in days:
                named = name if day is None else f"{name}, day {day}"
                that_day = np.ones_like(counts) if day is None else self.day == day
                found.append(
                    Limit(named, (counts & that_day).astype(np.float64), most, float(capacity.at_least))
                )
        if rules.budget is not None:
            found.append(Limit(BUDGET, self.cost_cents[self.action], rules.budget * CENTS))
        return found
