"""A round on arrays: arms drawn, explorers first, then what is left of every limit to where it is worth the most."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Bools, Floats, Floats32, Ints
from sintonia.core.config import NONE, ActionConfig, EngagementConfig
from sintonia.serving.decisions.allocation import Allocation, Limit, allocate, bounds_of
from sintonia.serving.decisions.arms import (
    EXPLORE,
    HOLDOUT,
    POLICY,
    Exploration,
    draw_arms,
    explore,
    keep_within,
    uniforms,
)
from sintonia.serving.decisions.kernels import LimitMatrix, Taken
from sintonia.serving.decisions.options import Factors, Options
from sintonia.serving.decisions.timing import Hours


@dataclass(frozen=True)
class Case:
    """What a round decides on: customers' ids, in their order, and for each what is allowed, worth and when.

    `allowed` is (n_customers, n_actions), action 0 being nothing; `sent` (n_actions,) counts what the round has sent
    already, which is taken off the limits.
    """

    ids: pa.Array
    allowed: Bools
    factors: Factors
    hours: Hours
    sent: Ints

    def part(self, rows: slice) -> "Case":
        """Return what a round decides on for customers who follow one another."""
        first, last, _ = rows.indices(len(self.ids))
        ids = self.ids.slice(first, last - first)
        return Case(ids, self.allowed[rows], self.factors.part(rows), self.hours.part(rows), self.sent)


@dataclass(frozen=True)
class Chosen:
    """What was chosen: `arm`, `option` and `action` (n,), and `propensities` (n, n_actions) within the arm.

    `worth` (n, n_options) and the allocation of the policy's arm stay for explaining; `fallback` marks who had it.
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

    def part(self, rows: slice) -> "Chosen":
        """Return what was chosen for customers who follow one another; what is of all of them stays."""
        names = ("arm", "option", "propensities", "worth", "fallback")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    @property
    def action(self) -> Ints:
        """Each customer's action, its place in the options' actions."""
        action: Ints = self.options.action[self.option]
        return action


def choose(
    case: Case,
    actions: Mapping[str, ActionConfig],
    engagement: EngagementConfig,
    round_id: str,
    threads: int = 1,
) -> Chosen:
    """Return what is done for whom in a round; the same case, configuration and round give the same to the last bit.

    The logging propensities are each customer's own within its arm. A policy's choice is certain, but for what
    others leave of the limits: only the exploring arm tells what another action would have brought.
    """
    send, rules, shares = engagement.send, engagement.allocation, engagement.arms
    options = Options.of(actions, rules, send.within_days)
    worth, allowed = options.worth(case.factors, case.allowed, case.hours, send.day_lever)
    limits = [_left(limit, options, case.sent) for limit in options.limits(rules)]
    sticky = uniforms(f"holdout {shares.salt}", case.ids)[:, 0]
    fresh = uniforms(f"round {shares.salt} {round_id}", case.ids, 3)
    arm = draw_arms(sticky, fresh[:, 0], shares.holdout, shares.explore)
    option = np.zeros(len(arm), np.int64)
    propensities = np.zeros(case.allowed.shape)
    propensities[arm == HOLDOUT, 0] = 1

    explorers = np.flatnonzero(arm == EXPLORE)
    may = _one_day(allowed[explorers], options, case.hours, explorers)
    drawn = explore(may, limits, shares.explore_capacity, fresh[explorers, 1], fresh[explorers, 2])
    option[explorers] = drawn.choice
    for place, action in enumerate(options.action):
        propensities[explorers, action] += drawn.propensities[:, place]

    chosen = np.flatnonzero(arm == POLICY)
    left = [_less(limit, used) for limit, used in zip(limits, drawn.used, strict=True)]
    found = allocate(worth[chosen], left, threads)
    option[chosen] = found.choice
    used = drawn.used + found.used
    fallback = np.zeros(len(arm), np.bool_)
    if rules.fallback != NONE:
        may = allowed & (options.action == options.actions.index(rules.fallback)) & (arm == POLICY)[:, None]
        fallback = _fall_back(worth, may, bounds_of(limits, worth.shape[1]), Taken(option, used))
    propensities[chosen, options.action[option[chosen]]] = 1
    return Chosen(options, arm, option, propensities, worth, tuple(limits), used, found, drawn, fallback)


def _left(limit: Limit, options: Options, sent: Ints) -> Limit:
    """Return what the messages sent already leave of a limit; as they may be of any day, each day counts them."""
    heaviest = [limit.weight[options.action == action].max() for action in range(len(sent))]
    return _less(limit, float(np.array(heaviest) @ sent))


def _less(limit: Limit, used: float) -> Limit:
    most = max(limit.at_most - used, 0.0)
    return replace(limit, at_most=most, at_least=min(max(limit.at_least - used, 0.0), most))


def _one_day(allowed: Bools, options: Options, hours: Hours, rows: Ints) -> Bools:
    """Return the options explorers draw among: of an action's days each customer's best."""
    if options.day.max(initial=-1) < 0:
        return allowed
    best = {channel: hours.best_day(use)[rows] for channel, use in hours.uses.items()}
    kept = allowed.copy()
    for option in range(1, len(options.action)):
        channel = options.channels[options.action[option]]
        kept[:, option] &= best[channel] == options.day[option]
    return kept


def _fall_back(worth: Floats32, may: Bools, bounds: LimitMatrix, taken: Taken) -> Bools:
    """Return who falls back on an option they may, nothing being worth it, within limits; `taken` changes."""
    mark = np.zeros(len(worth), np.bool_)
    for place in np.flatnonzero(may.any(axis=0)).tolist():
        idle = np.flatnonzero((taken.choice == 0) & may[:, place])
        order = np.argsort(-worth[idle, place], kind="stable")
        tried = Taken(np.full(len(idle), place), taken.used)
        keep_within(bounds, order, tried)
        taken.choice[idle] = tried.choice
        mark[idle] = tried.choice > 0
    return mark
