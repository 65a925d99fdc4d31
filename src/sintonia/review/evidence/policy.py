"""A learned policy as the run MLflow keeps."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pyarrow as pa

from sintonia.core.config import TrainSettings
from sintonia.core.intervals import Estimate
from sintonia.explain.sample import CONTRIBUTIONS_FILE
from sintonia.registry.artifacts import CUSTOMERS, REVIEW
from sintonia.registry.run_logging import Run
from sintonia.review.evidence.treated import PolicyEvidence
from sintonia.review.evidence.whole import metric_key, model_run
from sintonia.review.treated import decision_table
from sintonia.uplift.model import PolicyModel


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
) -> Run:
    """Return a learned policy as a run: parameters, values, the resolved configuration, features, figures, evidence.

    Parameters
    ----------
    decisions
        The decisions its worth was reported on.
    against_nothing
        What it is worth a decision less what doing nothing is.
    labels_until
        When the last reward ends that the policy learnt from.
    data
        What the figures rest on: logged propensities, or estimated ones.
    """
    values = {
        f"{metric_key(name)}.doubly_robust": of["doubly_robust"][0]
        for name, of in figures["policies"].items()
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
