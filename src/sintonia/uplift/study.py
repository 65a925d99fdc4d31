"""One study of a log: effects learned from some customers, gated by others, reported on a third part.

What each part does is kept apart on purpose. Customers that teach would flatter the policy; customers that decide
whether it passes would flatter the one that did. So the values reported come from customers that did neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sintonia.config import ModelConfig, PolicyConfig
from sintonia.errors import NotEnoughDataError
from sintonia.estimates import Estimate
from sintonia.metrics import equal_mass_bins
from sintonia.uplift.curves import Curve, gain_curve
from sintonia.uplift.effects import LEAST, Effects, learn_effects
from sintonia.uplift.folds import part_of
from sintonia.uplift.gate import Gate, best_constant, judge
from sintonia.uplift.log import Bools, Floats, Floats32, Ints, Logged, joined
from sintonia.uplift.policies import (
    at_random,
    best,
    best_gain,
    constant,
    gains,
    ranked,
    softmax,
    thompson,
    with_floor,
)
from sintonia.uplift.values import clustered_mean, difference, doubly_robust, ips, scores, snips

TEACH, GATE, REPORT = range(3)
PERSONALISED, CHOSEN, RESPONSE = "personalised", "chosen", "response score"


@dataclass(frozen=True)
class Worth:
    """What a policy is worth a decision on the report's customers, by three estimators, and how many it treats."""

    treated: float
    ips: Estimate
    snips: Estimate
    doubly_robust: Estimate
    against_constant: Estimate


@dataclass(frozen=True)
class Fifth:
    """A fifth of the report's decisions by predicted gain: what was predicted, and what doubly robust scores say."""

    predicted: float
    observed: Estimate


@dataclass(frozen=True)
class Study:
    """What a log taught: effects of all its customers, whether they earn a policy of their own, and its worth.

    `curves` has the gain curve of the learned effects and of the response score, which knows who buys and not whom
    an action moves.
    """

    effects: Effects
    config: PolicyConfig
    gate: Gate
    place: int
    worths: Mapping[str, Worth]
    curves: Mapping[str, Curve]
    fifths: tuple[Fifth, ...]
    decisions: int
    customers: int

    def policy(self, values: Floats32, eligible: Bools, seed: int = 7) -> Floats:
        """Return the policy that was chosen, with what it tries out, for other decisions.  # (n, n_actions)"""
        place = None if self.gate.passed else self.place
        return chosen(self.effects, place, values, eligible, self.config, seed)


def chosen(
    effects: Effects,
    place: int | None,
    values: Floats32,
    eligible: Bools,
    config: PolicyConfig,
    seed: int = 7,
) -> Floats:
    """Return the personalised policy, or the constant one of an action's place, with the configuration's floor."""
    fixed = None if place is None else constant(eligible, place)
    found = personalised(effects, values, eligible, config, seed) if fixed is None else fixed
    return with_floor(found, eligible, config.floor)


def personalised(
    effects: Effects, values: Floats32, eligible: Bools, config: PolicyConfig, seed: int = 7
) -> Floats:
    """Return the personalised policy of the configuration.  # (n, n_actions)"""
    found = gains(effects.predict(values), effects.actions)
    if config.name == "softmax":
        return softmax(found, eligible, config.temperature)
    if config.name == "thompson":
        errors = effects.standard_errors(values)
        return thompson(found, errors, eligible, seed=seed)
    return best_gain(found, eligible, config.threshold)


def study(past: Logged, judged: Logged, model: ModelConfig, config: PolicyConfig, seed: int = 7) -> Study:
    """Return what the past decisions teach, and what it is worth on the judged ones: later ones, or the same log.

    Rewards count `config.value` each, so that effects, gains and values are in the unit of the costs.

    Raises
    ------
    NotEnoughDataError
        When a part of the customers has hardly any decisions.
    """
    whole = past if judged is past else joined(past, judged)
    past, judged, whole = (replace(log, reward=log.reward * config.value) for log in (past, judged, whole))
    shares = [config.teach_share, config.gate_share]
    parts = part_of(past.customer, shares, seed)
    teach, gate = past.take(parts == TEACH), past.take(parts == GATE)
    report = judged.take(part_of(judged.customer, shares, seed) == REPORT)
    for name, part in (("decide", gate), ("report", report)):
        if part.customers < LEAST:
            raise NotEnoughDataError(
                f"Only {part.customers} customers are left to {name}; {LEAST} are the least. Log more decisions."
            )
    taught = learn_effects(teach, model, config.folds, seed)
    place = best_constant(taught.constants - teach.actions.costs, teach.eligible)
    own = personalised(taught, gate.values, gate.eligible, config, seed)
    brings = scores(gate, taught.expected(gate.values))
    answer = judge(brings, own, place, gate.eligible, gate.customer, gate.actions)
    return Study(
        effects=learn_effects(whole, model, config.folds, seed),
        config=config,
        gate=answer,
        place=place,
        **_report(report, taught, place, answer.passed, config, seed),
    )


def _report(
    log: Logged, effects: Effects, place: int, passed: bool, config: PolicyConfig, seed: int
) -> dict[str, Any]:
    """Return what the study says of policies and rankings on customers that neither taught nor decided."""
    eligible, brings = log.eligible, scores(log, effects.expected(log.values))
    fixed = constant(eligible, place)
    own = personalised(effects, log.values, eligible, config, seed)
    likely = effects.expected(log.values)[:, 0]
    policies = {
        "nothing": constant(eligible, 0),
        "at random": at_random(eligible),
        "as logged": log.logging_propensities,
        RESPONSE: ranked(likely, eligible, place or 1, 1 - float(own[:, 0].mean())),
        f"always {log.actions.names[place]}": fixed,
        PERSONALISED: own,
        CHOSEN: own if passed else fixed,
    }
    recommended, gain = best(gains(effects.predict(log.values), log.actions), eligible)
    recommended = np.where(np.isfinite(gain), recommended, 0)
    gain = np.where(np.isfinite(gain), gain, gain[np.isfinite(gain)].min(initial=0.0))
    return {
        "worths": {name: _worth(log, brings, policy, fixed) for name, policy in policies.items()},
        "curves": {
            PERSONALISED: gain_curve(gain, recommended, brings, log.customer),
            RESPONSE: gain_curve(likely, recommended, brings, log.customer),
        },
        "fifths": _fifths(gain, recommended, brings, log.customer),
        "decisions": len(log),
        "customers": log.customers,
    }


def _worth(log: Logged, brings: Floats, policy: Floats, fixed: Floats) -> Worth:
    return Worth(
        treated=1 - float(policy[:, 0].mean()),
        ips=ips(log, policy),
        snips=snips(log, policy),
        doubly_robust=doubly_robust(brings, policy, log.customer),
        against_constant=difference(brings, policy, fixed, log.customer),
    )


def _fifths(gain: Floats, recommended: Ints, brings: Floats, customer: Ints) -> tuple[Fifth, ...]:
    """Return predicted and observed gain of the recommended action, by fifths of what was predicted."""
    observed = brings[np.arange(len(gain)), recommended] - brings[:, 0]
    fifth = equal_mass_bins(gain, 5)
    return tuple(
        Fifth(
            float(gain[fifth == one].mean()), clustered_mean(observed[fifth == one], customer[fifth == one])
        )
        for one in range(int(fifth.max()) + 1)
    )
