"""The gate: a personalised policy replaces the best constant one only where it is surely better.

The customers that judge are not those that taught. On their decisions the doubly robust value of the personalised
policy less that of the constant one has a 95 % interval; the policy passes when all of it lies above 0.

One study of a log: effects learned from some customers, gated by others, reported on a third part.

What each part does is kept apart on purpose. Customers that teach would flatter the policy; customers that decide
whether it passes would flatter the one that did. So the values reported come from customers that did neither.
"""

from dataclasses import dataclass, replace

import numpy as np

from sintonia.core.arrays import Bools, Floats, Floats32, Ints
from sintonia.core.config import EffectsConfig, ModelConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.core.intervals import Estimate
from sintonia.core.progress import step
from sintonia.uplift.effects import Effects
from sintonia.uplift.folds import part_of
from sintonia.uplift.learning import LEAST, learn_effects
from sintonia.uplift.logged import Actions, Logged, joined
from sintonia.uplift.off_policy import difference, scores
from sintonia.uplift.policies import best_gain, constant, gains, softmax, sure_gain, thompson, with_floor
from sintonia.uplift.report import PolicyReport, report


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


TEACH, GATE, REPORT = range(3)


@dataclass(frozen=True)
class Study:
    """What a log taught: effects of all its customers, whether they earn a policy of their own, and its worth.

    `place` is that of the best constant action.
    """

    effects: Effects
    config: EffectsConfig
    gate: Gate
    place: int
    report: PolicyReport

    def policy(self, values: Floats32, eligible: Bools, seed: int = 7) -> Floats:
        """Return the policy that was chosen, with what it tries out, for other decisions.  # (n, n_actions)"""
        place = None if self.gate.passed else self.place
        return policy_probabilities(self.effects, place, values, eligible, self.config, seed)


def policy_probabilities(
    effects: Effects,
    place: int | None,
    values: Floats32,
    eligible: Bools,
    config: EffectsConfig,
    seed: int = 7,
) -> Floats:
    """Return the personalised policy, or the constant one of an action's place, with the configuration's floor."""
    fixed = None if place is None else constant(eligible, place)
    found = personalised(effects, values, eligible, config, seed) if fixed is None else fixed
    return with_floor(found, eligible, config.floor)


def personalised(
    effects: Effects, values: Floats32, eligible: Bools, config: EffectsConfig, seed: int = 7
) -> Floats:
    """Return the personalised policy of the configuration.  # (n, n_actions)"""
    found = gains(effects.predict(values), effects.actions)
    if config.name == "softmax":
        return softmax(found, eligible, config.temperature)
    if config.name == "thompson":
        errors = effects.standard_errors(values)
        return thompson(found, errors, eligible, seed=seed)
    if config.name == "sure_gain":
        low, _ = effects.intervals(values)
        return sure_gain(found, gains(low, effects.actions), eligible, config.threshold)
    return best_gain(found, eligible, config.threshold)


def study(past: Logged, judged: Logged, model: ModelConfig, config: EffectsConfig, seed: int = 7) -> Study:
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
    rows = part_of(judged.customer, shares, seed) == REPORT
    others = judged.take(rows)
    for name, part in (("decide", gate), ("report", others)):
        if part.customers < LEAST:
            raise NotEnoughDataError(
                f"Only {part.customers} customers are left to {name}; {LEAST} are the least. Log more decisions."
            )
    with step("Learning effects from half of the customers"):
        taught = learn_effects(teach, model, config.folds, seed)
    with step("Judging policies on the others"):
        place = best_constant(taught.constants - teach.actions.costs, teach.eligible)
        own = personalised(taught, gate.values, gate.eligible, config, seed)
        brings = scores(gate, taught.expected(gate.values))
        answer = judge(brings, own, place, gate.eligible, gate.customer, gate.actions)
        theirs = personalised(taught, others.values, others.eligible, config, seed)
        told = report(others, rows, taught, theirs, (place, answer.passed))
    with step("Learning effects from everybody"):
        effects = learn_effects(whole, model, config.folds, seed)
    return Study(effects=effects, config=config, gate=answer, place=place, report=told)
