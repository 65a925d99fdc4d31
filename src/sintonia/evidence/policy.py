"""A learned policy as the run MLflow keeps."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pyarrow as pa

from sintonia import __version__
from sintonia.config import TrainSettings
from sintonia.evidence.treated import PolicyEvidence
from sintonia.evidence.whole import flat, plain
from sintonia.features import as_csv, catalogue, described
from sintonia.provenance import code_hash, config_hash
from sintonia.review.sample import FILE
from sintonia.review.treated import as_table
from sintonia.run_files import CATALOGUE, CUSTOMERS, REVIEW
from sintonia.runs import Run
from sintonia.uplift.saved import PolicyModel


def policy_run(
    settings: TrainSettings,
    model: PolicyModel,
    figures: Mapping[str, Any],
    judged: tuple[pa.Table, datetime],
    evidence: PolicyEvidence,
) -> Run:
    """Return a learned policy as a run: parameters, values, the resolved configuration, features, figures, evidence.

    `judged` are the report's decisions, and when the last reward ends that the policy learnt from.
    """
    decisions, learnt = judged
    values = {
        f"{plain(name)}.doubly_robust": of["doubly_robust"][0] for name, of in figures["policies"].items()
    }
    difference, low, high = figures["gate"]["difference"]
    gate = {"gate.difference": difference, "gate.low": low, "gate.high": high}
    resolved = asdict(settings)
    entries = described(catalogue(model.features, model.fitted))
    return Run(
        task=settings.task.name,
        parameters={
            "seed": settings.seed,
            "source": model.source,
            **flat(resolved, ("features", "model", "actions", "effects")),
        },
        metrics={name: value for name, value in {**values, **gate}.items() if value is not None},
        tags={
            "sintonia.version": __version__,
            "sintonia.code": code_hash(),
            "sintonia.config": config_hash(settings),
            "sintonia.data_fingerprint": model.fingerprint,
            "sintonia.gate": "personalised" if model.passed else f"constant: {figures['gate']['constant']}",
            "sintonia.labels_until": f"{learnt:%Y-%m-%d}",
            "sintonia.evidence": "observational" if model.observational else "logged propensities",
        },
        documents={
            "study.json": dict(figures),
            "config.json": resolved,
            "features.json": list(model.names),
            CATALOGUE: entries,
            "catalogue.csv": as_csv(entries),
            "fitted.json": model.fitted.as_plain(),
            REVIEW: json.loads(json.dumps(asdict(evidence.story))),
            CUSTOMERS: json.loads(json.dumps([asdict(one) for one in evidence.customers])),
            FILE: as_table(evidence.decided),
        },
        model=model,
        predictions=decisions,
    )
