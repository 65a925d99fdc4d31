"""A round on arrays: options and their worth, arms, exploration, then the allocation of what remains."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sintonia.core.arrays import Bools, Floats, Floats32, Ints
from sintonia.core.config import NONE, ActionConfig, EngagementConfig
from sintonia.core.config.engagement import AllocationRules
from sintonia.serving.decisions.allocation import Allocation, Limit, allocate, bounds_of
from sintonia.serving.decisions.arms import (
    EXPLORE,
    HOLDOUT,
    POLICY,
    Exploration,
    draw_arms,
    draw_exploration,
    hashed_uniforms,
    keep_within,
)
from sintonia.serving.decisions.kernels import Assigned, LimitMatrix
from sintonia.serving.decisions.timing import SendHours

CENTS = 100
BUDGET = "budget (cents)"


@dataclass(frozen=True)
class Factors:
    """The factors of worth: value (n,) x effect (n, n_actions) x lever (n_actions,) - cost, in currency."""

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
        """Return the configured factors; a factor that is not used is 1, the cost 0."""
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
        """Return the factors of consecutive customers."""
        return Factors(self.value[rows], self.effect[rows], self.lever, self.cost)

    def worth(self, action: int, lessened: Floats | float = 1.0) -> Floats32:
        """Return an action's worth for each customer in currency; `lessened` is the share of its effect on a day."""
        gain = self.value * self.effect[:, action] * self.lever[action] * lessened
        worth: Floats32 = (gain - self.cost[action]).astype(np.float32)
        return worth


@dataclass(frozen=True)
class Options:
    """The options: `action` and `day` (n_options,) of each; option 0 is doing nothing, day -1 the customer's best day.

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
        self, factors: Factors, allowed: Bools, hours: SendHours, day_lever: float
    ) -> tuple[Floats32, NDArray[np.bool_]]:
        """Return each option's worth, minus infinity where not allowed, and where allowed; both (n, n_options)."""
        worth = np.full((len(allowed), len(self.action)), -np.inf, np.float32)
        worth[:, 0] = 0
        for option in range(1, len(self.action)):
            action, day = int(self.action[option]), int(self.day[option])
            is_allowed, lessened = allowed[:, action], np.ones(len(allowed))
            if day >= 0:
                use = hours.uses[self.channels[action]]
                is_allowed = is_allowed & (hours.hour[:, use, day] >= 0)
                share = hours.share[:, use]
                lessened = 1 - day_lever * (1 - share[:, day] / np.maximum(share.max(axis=1), 1e-12))
            worth[is_allowed, option] = factors.worth(action, lessened)[is_allowed]
        return worth, np.isfinite(worth)

    def limits(self, rules: AllocationRules) -> list[Limit]:
        """Return the capacities, one a day if they count days, and the budget."""
        limits = []
        for name, capacity in rules.capacities.items():
            is_counted = np.ones(len(self.action), bool)
            is_counted[0] = False
            if capacity.channel is not None:
                is_counted &= np.array([self.channels[action] == capacity.channel for action in self.action])
            if capacity.action is not None:
                is_counted &= self.action == self.actions.index(capacity.action)
            at_most = np.inf if capacity.at_most is None else float(capacity.at_most)
            days = np.unique(self.day[1:]) if capacity.per == "day" else [None]
            for day in days:
                limit_name = name if day is None else f"{name}, day {day}"
                that_day = np.ones_like(is_counted) if day is None else self.day == day
                limits.append(
                    Limit(
                        limit_name,
                        (is_counted & that_day).astype(np.float64),
                        at_most,
                        float(capacity.at_least),
                    )
                )
        if rules.budget is not None:
            limits.append(Limit(BUDGET, self.cost_cents[self.action], rules.budget * CENTS))
        return limits


@dataclass(frozen=True)
class DecisionCase:
    """The inputs of a round: customers' ids in their order, and for each what is allowed, its worth and hours.

    `allowed` is (n_customers, n_actions), action 0 being nothing; `sent` (n_actions,) counts the messages that the
    round has sent already, which are subtracted from the limits.
    """

    ids: pa.Array
    allowed: Bools
    factors: Factors
    hours: SendHours
    sent: Ints

    def part(self, rows: slice) -> "DecisionCase":
        """Return the inputs for consecutive customers."""
        first, last, _ = rows.indices(len(self.ids))
        ids = self.ids.slice(first, last - first)
        return DecisionCase(
            ids, self.allowed[rows], self.factors.part(rows), self.hours.part(rows), self.sent
        )


@dataclass(frozen=True)
class Choices:
    """The choices of a round: `arm`, `option` and `action` (n,), and `propensities` (n, n_actions) within the arm.

    `worth` (n, n_options) and the allocation of the policy's arm are kept for explanations; `fallback` marks customers
    who got the fallback.
    """

    options: Options
    arm: Ints
    option: Ints
    propensities: Floats
    worth: Floats32
    limits: tuple[Limit, ...]
    used: Floats
    allocation: Allocation
    exploration: Exploration
    fallback: Bools

    def part(self, rows: slice) -> "Choices":
        """Return the choices for consecutive customers; what concerns all customers is unchanged."""
        names = ("arm", "option", "propensities", "worth", "fallback")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    @property
    def action(self) -> Ints:
        """Each customer's action, as an index among the options' actions."""
        action: Ints = self.options.action[self.option]
        return action


def choose(
    case: DecisionCase,
    actions: Mapping[str, ActionConfig],
    engagement: EngagementConfig,
    round_id: str,
    threads: int = 1,
) -> Choices:
    """Return the choices of a round; the same case, configuration and round id give the same result to the last bit.

    The logging propensities are each customer's own within its arm. The policy's choice is deterministic, given what
    the others leave of the limits: only the exploring arm shows what another action would have caused.
    """
    send, rules, shares = engagement.send, engagement.allocation, engagement.arms
    options = Options.of(actions, rules, send.within_days)
    worth, allowed = options.worth(case.factors, case.allowed, case.hours, send.day_lever)
    limits = [_remaining_after_sent(limit, options, case.sent) for limit in options.limits(rules)]
    holdout_draw = hashed_uniforms(f"holdout {shares.salt}", case.ids)[:, 0]
    round_draws = hashed_uniforms(f"round {shares.salt} {round_id}", case.ids, 3)
    arm = draw_arms(holdout_draw, round_draws[:, 0], shares.holdout, shares.explore)
    option = np.zeros(len(arm), np.int64)
    propensities = np.zeros(case.allowed.shape)
    propensities[arm == HOLDOUT, 0] = 1

    explorers = np.flatnonzero(arm == EXPLORE)
    may_have = _best_day_only(allowed[explorers], options, case.hours, explorers)
    exploration = draw_exploration(
        may_have, limits, shares.explore_capacity, round_draws[explorers, 1], round_draws[explorers, 2]
    )
    option[explorers] = exploration.choice
    for index, action in enumerate(options.action):
        propensities[explorers, action] += exploration.propensities[:, index]

    policy_rows = np.flatnonzero(arm == POLICY)
    remaining = [_reduce_limit(limit, used) for limit, used in zip(limits, exploration.used, strict=True)]
    allocation = allocate(worth[policy_rows], remaining, threads)
    option[policy_rows] = allocation.choice
    used = exploration.used + allocation.used
    fallback = np.zeros(len(arm), np.bool_)
    if rules.fallback != NONE:
        may_have = (
            allowed & (options.action == options.actions.index(rules.fallback)) & (arm == POLICY)[:, None]
        )
        fallback = _assign_fallback(
            worth, may_have, bounds_of(limits, worth.shape[1]), Assigned(option, used)
        )
    propensities[policy_rows, options.action[option[policy_rows]]] = 1
    return Choices(
        options, arm, option, propensities, worth, tuple(limits), used, allocation, exploration, fallback
    )


def _remaining_after_sent(limit: Limit, options: Options, sent: Ints) -> Limit:
    """Return what the sent messages leave of a limit; their day is unknown, so each day counts them all."""
    heaviest = [limit.weight[options.action == action].max() for action in range(len(sent))]
    return _reduce_limit(limit, float(np.array(heaviest) @ sent))


def _reduce_limit(limit: Limit, used: float) -> Limit:
    """Return the limit reduced by what is used."""
    most = max(limit.at_most - used, 0.0)
    return replace(limit, at_most=most, at_least=min(max(limit.at_least - used, 0.0), most))


def _best_day_only(allowed: Bools, options: Options, hours: SendHours, rows: Ints) -> Bools:
    """Return the options explorers draw among: for each action only the customer's best day."""
    if options.day.max(initial=-1) < 0:
        return allowed
    best = {channel: hours.best_day(use)[rows] for channel, use in hours.uses.items()}
    restricted = allowed.copy()
    for option in range(1, len(options.action)):
        channel = options.channels[options.action[option]]
        restricted[:, option] &= best[channel] == options.day[option]
    return restricted


def _assign_fallback(worth: Floats32, allowed: Bools, bounds: LimitMatrix, taken: Assigned) -> Bools:
    """Return which customers without a worthwhile action get an allowed fallback within limits; `taken` is updated."""
    got_fallback = np.zeros(len(worth), np.bool_)
    for option in np.flatnonzero(allowed.any(axis=0)).tolist():
        idle = np.flatnonzero((taken.choice == 0) & allowed[:, option])
        order = np.argsort(-worth[idle, option], kind="stable")
        attempt = Assigned(np.full(len(idle), option), taken.used)
        keep_within(bounds, order, attempt)
        taken.choice[idle] = attempt.choice
        got_fallback[idle] = attempt.choice > 0
    return got_fallback
