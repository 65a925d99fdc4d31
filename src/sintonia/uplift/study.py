"""The gate: a personalised policy replaces the best constant one only where it is significantly better.

Evaluation and training use different customers. On their decisions the doubly robust value of the personalised
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
from sintonia.uplift.learning import MIN_DECISIONS, learn_effects
from sintonia.uplift.logged import Actions, LoggedDecisions, concatenate
from sintonia.uplift.off_policy import difference, doubly_robust_scores
from sintonia.uplift.policies import (
    best_gain,
    constant_policy,
    gains,
    softmax,
    sure_gain,
    thompson,
    with_floor,
)
from sintonia.uplift.report import PolicyReport, report


@dataclass(frozen=True)
class PersonalisationGate:
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
        >>> PersonalisationGate("mail", Estimate(0.2, -0.1, 0.5), False, 100, 90).sentence
        "Not personalised: 0.200 [-0.100, 0.500] per decision against always 'mail', not significant; 'mail' for all."
        """
        gap = f"{self.difference.text()} per decision"
        if self.passed:
            return f"Personalised: {gap} better than always '{self.constant}'."
        return (
            f"Not personalised: {gap} against always '{self.constant}', not significant; "
            f"'{self.constant}' for all."
        )


def best_constant_action(gains: Floats, eligible: Bools) -> int:
    """Return the place of the action worth most when always taken, `none` where it is not eligible.

    `gains` are the mean gains of the actions where they are eligible, learned from the training customers.
    # (n_actions,)
    """
    return int((gains * eligible.mean(axis=0)).argmax())


def judge_personalisation(
    dr_scores: Floats,
    personalised: Floats,
    constant_action: int,
    eligible: Bools,
    customer: Ints,
    actions: Actions,
) -> PersonalisationGate:
    """Return whether the personalised policy passes against the constant one, on decisions that neither was trained on.

    `dr_scores` are doubly robust, `constant_action` is the action of the constant policy.
    """
    fixed = constant_policy(eligible, constant_action)
    gap = difference(dr_scores, personalised, fixed, customer)
    return PersonalisationGate(
        actions.names[constant_action], gap, gap.low > 0, len(dr_scores), len(np.unique(customer))
    )


LEARNING, GATE, REPORT = range(3)


@dataclass(frozen=True)
class Study:
    """The result of a study: effects of all customers, whether personalisation passes the gate, and policy values.

    `constant_action` is that of the best constant action.
    """

    effects: Effects
    config: EffectsConfig
    gate: PersonalisationGate
    constant_action: int
    report: PolicyReport

    def policy(self, values: Floats32, eligible: Bools, seed: int = 7) -> Floats:
        """Return the policy that was chosen, with what it tries out, for other decisions.  # (n, n_actions)"""
        constant_action = None if self.gate.passed else self.constant_action
        return policy_probabilities(self.effects, constant_action, values, eligible, self.config, seed)


def policy_probabilities(
    effects: Effects,
    constant_action: int | None,
    values: Floats32,
    eligible: Bools,
    config: EffectsConfig,
    seed: int = 7,
) -> Floats:
    """Return the personalised policy, or the constant one of an action's place, with the configuration's floor."""
    constant_probabilities = None if constant_action is None else constant_policy(eligible, constant_action)
    policy = (
        personalised_policy(effects, values, eligible, config, seed)
        if constant_probabilities is None
        else constant_probabilities
    )
    return with_floor(policy, eligible, config.floor)


def personalised_policy(
    effects: Effects, values: Floats32, eligible: Bools, config: EffectsConfig, seed: int = 7
) -> Floats:
    """Return the personalised policy of the configuration.  # (n, n_actions)"""
    gain = gains(effects.predict(values), effects.actions)
    if config.name == "softmax":
        return softmax(gain, eligible, config.temperature)
    if config.name == "thompson":
        errors = effects.standard_errors(values)
        return thompson(gain, errors, eligible, seed=seed)
    if config.name == "sure_gain":
        low, _ = effects.intervals(values)
        return sure_gain(gain, gains(low, effects.actions), eligible, config.threshold)
    return best_gain(gain, eligible, config.threshold)


def study(
    past: LoggedDecisions, judged: LoggedDecisions, model: ModelConfig, config: EffectsConfig, seed: int = 7
) -> Study:
    """Return effects learned from past decisions and their policy's value on the judged ones: later, or the same log.

    Rewards count `config.value` each, so that effects, gains and values are in the unit of the costs.

    Raises
    ------
    NotEnoughDataError
        When a part of the customers has hardly any decisions.
    """
    everything = past if judged is past else concatenate(past, judged)
    past, judged, everything = (
        replace(log, reward=log.reward * config.value) for log in (past, judged, everything)
    )
    shares = [config.teach_share, config.gate_share]
    parts = part_of(past.customer, shares, seed)
    teach, gate = past.take(parts == LEARNING), past.take(parts == GATE)
    rows = part_of(judged.customer, shares, seed) == REPORT
    report_log = judged.take(rows)
    for name, part in (("gate", gate), ("report", report_log)):
        if part.customers < MIN_DECISIONS:
            raise NotEnoughDataError(
                f"Only {part.customers} customers are left for the {name}; at least {MIN_DECISIONS} are needed. "
                "Log more decisions."
            )
    with step("Learning effects from half of the customers"):
        learned = learn_effects(teach, model, config.folds, seed)
    with step("Evaluating policies on the other half"):
        constant_action = best_constant_action(learned.constants - teach.actions.costs, teach.eligible)
        gate_policy = personalised_policy(learned, gate.values, gate.eligible, config, seed)
        gate_scores = doubly_robust_scores(gate, learned.expected(gate.values))
        gate_result = judge_personalisation(
            gate_scores, gate_policy, constant_action, gate.eligible, gate.customer, gate.actions
        )
        report_policy = personalised_policy(learned, report_log.values, report_log.eligible, config, seed)
        reported = report(
            report_log,
            rows,
            learned,
            report_policy,
            constant_action=constant_action,
            passed=gate_result.passed,
        )
    with step("Learning effects from all customers"):
        effects = learn_effects(everything, model, config.folds, seed)
    return Study(
        effects=effects, config=config, gate=gate_result, constant_action=constant_action, report=reported
    )
