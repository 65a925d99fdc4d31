"""The evidence on a learned policy: explained decisions, what drives effects, and its MLflow run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sintonia.core.arrays import Floats, Ints, Times
from sintonia.core.config import ReasonsConfig, TrainSettings
from sintonia.core.intervals import Estimate
from sintonia.data.store import Store
from sintonia.evaluation.stability import family_weights
from sintonia.explain.contributions import feature_swarms, importance
from sintonia.explain.reasons import ReasonWriter
from sintonia.explain.sample import CONTRIBUTIONS_FILE
from sintonia.explain.what_if import (
    ExplainedValues,
    WhatIf,
    WhatIfGrid,
    choose_grids,
    grid_outcomes,
    to_what_if,
)
from sintonia.registry.names import metric_keys
from sintonia.registry.runs import CUSTOMERS, REVIEW, RunRecord
from sintonia.review.customers import (
    LISTED,
    FeatureContribution,
    RecentInteractions,
    histories,
    other_contributions,
)
from sintonia.review.evidence.training_result import model_run
from sintonia.review.policy_examples import (
    EffectDrivers,
    ExplainedDecision,
    FeatureSwarm,
    Gain,
    PolicyExamples,
    choose_decisions,
    decision_table,
)
from sintonia.training.dataset import Dataset
from sintonia.uplift.decision_log import DecisionLog
from sintonia.uplift.effect_contributions import effect_contributions
from sintonia.uplift.folds import fold_of
from sintonia.uplift.logged import LoggedDecisions
from sintonia.uplift.model import PolicyModel
from sintonia.uplift.policies import best_action, gains

EXPLAINED = 2000
REASONS, LANGUAGE = 4, "en"


@dataclass(frozen=True)
class PolicyEvidence:
    """The evidence on a policy: decisions under sample numbers, the examples among them, and what drives effects."""

    decided: PolicyExamples
    customers: tuple[ExplainedDecision, ...]
    story: EffectDrivers


@dataclass(frozen=True)
class ReportedDecisions:
    """The decisions of the report, the as-of time of each, and the customers the effects were fitted on."""

    points: DecisionLog
    as_of: Times
    log: LoggedDecisions
    everybody: Ints


def policy_evidence(
    model: PolicyModel, store: Store, reported: ReportedDecisions, seed: int
) -> PolicyEvidence:
    """Return the evidence on a policy, from decisions of customers who did not decide whether it passes."""
    examples = policy_examples(model, reported, seed)
    return PolicyEvidence(
        decided=examples,
        customers=_customers(model, store, examples),
        story=effect_drivers(examples, {feature.name: feature.family for feature in model.catalogue}, seed),
    )


def policy_examples(model: PolicyModel, reported: ReportedDecisions, seed: int) -> PolicyExamples:
    """Return a random sample of the decisions, one per customer, with what the policy recommends for each."""
    log, effects = reported.log, model.effects
    indices = np.random.default_rng(seed).permutation(len(log))
    indices = indices[np.sort(np.unique(log.customer[indices], return_index=True)[1])]
    indices = indices[log.eligible[indices, 1:].any(axis=1)][:EXPLAINED]
    log, points = log.take(indices), reported.points.take(indices)
    predicted_gains = model.predict(log.values)
    low, high = (gains(end, effects.actions) for end in effects.intervals(log.values))
    recommended, _ = best_action(predicted_gains, log.eligible)
    return PolicyExamples(
        rows=Dataset(
            points.customer_id,
            reported.as_of[indices],
            log.values,
            log.reward * model.config.value,
            model.names,
        ),
        actions=effects.actions.names,
        costs=effects.actions.costs,
        given=log.action,
        recommended=recommended,
        eligible=log.eligible,
        gains=predicted_gains,
        low=low,
        high=high,
        expected=_cross_fitted_expectation(model, log, reported.everybody, seed),
        moved=effect_contributions(effects, log.values, recommended),
    )


def _cross_fitted_expectation(model: PolicyModel, log: LoggedDecisions, everybody: Ints, seed: int) -> Floats:
    """Return the logged action's expected reward, by trees fitted without the customer.  # (n,)"""
    folds = fold_of(everybody, model.config.folds, seed)
    fold_of_customer = dict(zip(everybody.tolist(), folds.tolist(), strict=True))
    fold = np.array([fold_of_customer[customer] for customer in log.customer.tolist()], np.int64)
    expected = np.zeros(len(log))
    for index, ensemble in enumerate(model.effects.without_fold):
        rows = np.flatnonzero(fold == index)
        predictions = ensemble.outcome.predict(log.values[rows], model.effects.actions)
        expected[rows] = predictions[np.arange(len(rows)), log.action[rows]]
    return expected


def effect_drivers(examples: PolicyExamples, families: Mapping[str, str], seed: int) -> EffectDrivers:
    """Return what moves the effects of recommended actions, families and features, largest first."""
    if not len(examples):
        return EffectDrivers(0, (), ())
    sizes = dict(importance(examples.contributions))
    return EffectDrivers(
        decisions=len(examples),
        families=family_weights(examples.contributions, families),
        features=tuple(
            FeatureSwarm(swarm.feature, round(sizes[swarm.feature], 6), swarm.contributions, swarm.ranks)
            for swarm in feature_swarms(examples.contributions, examples.rows.values, seed=seed)
        ),
    )


def _customers(model: PolicyModel, store: Store, examples: PolicyExamples) -> tuple[ExplainedDecision, ...]:
    chosen = choose_decisions(examples, model.config.threshold)
    indices = [*chosen]
    dates = examples.rows.as_of.astype("datetime64[us]").tolist()
    histories_of = histories(
        store, [(str(examples.rows.customer_id[index]), dates[index]) for index in indices]
    )
    families = [feature.family for feature in model.catalogue]
    grids = _what_ifs(model, examples, indices, families)
    reasons = _reasons(model, examples, indices)
    return tuple(
        _explained_decision(examples, (index, kind), families, context)
        for (index, kind), context in zip(
            chosen.items(), zip(reasons, histories_of, grids, strict=True), strict=True
        )
    )


def _explained_decision(
    examples: PolicyExamples,
    chosen: tuple[int, str],
    families: Sequence[str],
    context: tuple[tuple[str, ...], RecentInteractions, WhatIf],
) -> ExplainedDecision:
    index, kind = chosen
    rows, contributions = examples.rows, examples.moved.values[index]
    listed = [
        column
        for column in np.argsort(-np.abs(contributions), kind="stable").tolist()[:LISTED]
        if contributions[column]
    ]
    ends = (
        np.stack([examples.gains[index], examples.low[index], examples.high[index]], axis=1).round(6).tolist()
    )
    eligible = examples.eligible[index].tolist()
    reasons, history, grid = context
    return ExplainedDecision(
        sample=index + 1,
        kind=kind,
        as_of=f"{rows.as_of[index].astype('datetime64[D]')}",
        given=examples.actions[examples.given[index]],
        recommended=examples.actions[examples.recommended[index]],
        expected=round(float(examples.expected[index]), 6),
        came=round(float(rows.label[index]), 6),
        gains=tuple(
            Gain(name, gain, low, high, is_eligible)
            for name, (gain, low, high), is_eligible in list(
                zip(examples.actions, ends, eligible, strict=True)
            )[1:]
        ),
        mean=float(examples.moved.mean[index]),
        own=float(examples.moved.own[index]),
        cost=float(examples.costs[examples.recommended[index]]),
        parts=tuple(
            FeatureContribution(
                rows.names[column], _value(rows.values[index, column]), float(contributions[column])
            )
            for column in listed
        ),
        rest=other_contributions(contributions, listed, families),
        reasons=reasons,
        history=history,
        what_if=grid,
    )


def _what_ifs(
    model: PolicyModel, examples: PolicyExamples, indices: Sequence[int], families: Sequence[str]
) -> list[WhatIf]:
    """Return of each of these decisions which action would be best, and its gain, with other values of features."""
    explained_rows = ExplainedValues(
        examples.rows.names, families, examples.rows.values, examples.moved.values
    )
    grids = choose_grids(explained_rows, indices)

    def grid_answer(grid: WhatIfGrid, outcomes: Floats) -> WhatIf:
        action, gain = best_action(outcomes, np.tile(examples.eligible[grid.row], (len(outcomes), 1)))
        return to_what_if(explained_rows, grid, gain, action.tolist())

    outcomes = grid_outcomes(model.predict, explained_rows, grids)
    return [grid_answer(grid, grid_outcome) for grid, grid_outcome in zip(grids, outcomes, strict=True)]


def _reasons(model: PolicyModel, examples: PolicyExamples, indices: Sequence[int]) -> list[tuple[str, ...]]:
    """Return what moves the effect of each of these decisions in sentences, the strongest family first."""
    writer = ReasonWriter(model, ReasonsConfig(count=REASONS), LANGUAGE)
    reasons = []
    for index in indices:
        row = examples.rows.values[[index]]
        leading = _leading_features(examples.moved.values[index], writer.groups)
        reasons.append(
            tuple(
                str(writer.write_feature(column, row, np.array([raises]))[0])
                for column, raises in leading[:REASONS]
            )
        )
    return reasons


def _leading_features(contributions: Floats, groups: NDArray[np.int64]) -> list[tuple[int, bool]]:
    """Return of each family that moves an effect the feature that moves it furthest the family's way, and which way."""
    leading: list[tuple[float, int, bool]] = []
    for family in np.unique(groups[groups >= 0]).tolist():
        columns = np.flatnonzero(groups == family)
        total = float(contributions[columns].sum())
        if total:
            column = int(columns[np.argmax(contributions[columns] * np.sign(total))])
            leading.append((abs(total), column, total > 0))
    return [(column, raises) for _, column, raises in sorted(leading, key=lambda item: -item[0])]


def _value(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)


def policy_run(
    settings: TrainSettings,
    model: PolicyModel,
    figures: Mapping[str, Any],
    *,
    decisions: pa.Table,
    against_nothing: Estimate,
    labels_until: datetime,
    data: str,
    evidence: PolicyEvidence,
) -> RunRecord:
    """Return a learned policy as a run: parameters, values, the resolved configuration, features, figures, evidence.

    Parameters
    ----------
    decisions
        The decisions its worth was reported on.
    against_nothing
        Its value per decision less that of doing nothing.
    labels_until
        When the last reward ends that the policy was fitted on.
    data
        What the figures rest on: logged propensities, or estimated ones.
    """
    keys = metric_keys(figures["policies"])
    values = {
        f"{keys[name]}.doubly_robust": of["doubly_robust"][0] for name, of in figures["policies"].items()
    }
    difference, low, high = figures["gate"]["difference"]
    gate = {"gate.difference": difference, "gate.low": low, "gate.high": high}
    return model_run(
        settings,
        model,
        groups=("features", "model", "actions", "effects"),
        metrics={name: value for name, value in {**values, **gate}.items() if value is not None},
        tags={
            "sintonia.gate": "personalised" if model.passed else f"constant: {figures['gate']['constant']}",
            "sintonia.labels_until": f"{labels_until:%Y-%m-%d}",
            "sintonia.evidence": data,
        },
        evaluation={
            "evidence": data,
            "labels_until": f"{labels_until:%Y-%m-%d}",
            "judged_decisions": figures["judged_decisions"],
            "judged_customers": figures["judged_customers"],
            "policies": figures["policies"],
            "against_nothing": asdict(against_nothing),
            "gate": figures["gate"],
        },
        documents={
            "study.json": dict(figures),
            REVIEW: json.loads(json.dumps(asdict(evidence.story))),
            CUSTOMERS: json.loads(json.dumps([asdict(one) for one in evidence.customers])),
            CONTRIBUTIONS_FILE: decision_table(evidence.decided),
        },
        predictions=decisions,
    )
