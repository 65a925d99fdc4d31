"""A model before people: its page, and what a reviewer decides on it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from sintonia import approval, registry, run_files
from sintonia.config import ReviewSettings, SignSettings
from sintonia.drift_report import CurrentShift, current_shift
from sintonia.errors import NotBuiltError
from sintonia.gate import requirements
from sintonia.interactions import open_store
from sintonia.model import Model
from sintonia.pipelines.treated import policy_review
from sintonia.review import Customer, PromotionCheck, ReviewData, read, render_review
from sintonia.review.policy_page import render_policy
from sintonia.scoring import scoring_date
from sintonia.summaries.figures import Figures
from sintonia.summaries.runs import review_figures, sign_figures
from sintonia.tasks import NEXT_BEST_ACTION
from sintonia.training_set import assemble

CUSTOMERS_NOW = 5000
"""Customers by whom today is measured: enough for an index of ten bins."""


def review(settings: ReviewSettings) -> Figures:
    """Return where the page on a task's candidate is, written from what its training run recorded."""
    workspace = Path(settings.workspace)
    place = registry.tracking(settings.tracking, workspace)
    registered = registry.find_candidate(place, settings.task.name, settings.version)
    if settings.task.name == NEXT_BEST_ACTION:
        page = render_policy(policy_review(place, registered, settings))
    else:
        page = render_review(_told(place, registered, settings))
    out = Path(settings.out) if settings.out else workspace / "review" / f"{settings.task.name}.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    run_files.log_page(place, registered, page)
    return review_figures(registered, out)


def _told(place: registry.Tracking, registered: registry.Registered, settings: ReviewSettings) -> ReviewData:
    """Return what the run recorded, with what the gate says of it and how far today's customers are from training."""
    told = ReviewData.from_plain(run_files.read_document(place, registered.run_id, run_files.REVIEW))
    customers = run_files.read_document(place, registered.run_id, run_files.CUSTOMERS)
    champion = registry.find_alias(place, settings.task.name, registry.CHAMPION)
    other = None if champion is None or champion.version == registered.version else champion
    gate = requirements(place, settings, registered, other)
    return replace(
        told.named(registered.name, registered.version, registered.run_id),
        customers=tuple(read(Customer, one) for one in customers),
        gate=tuple(PromotionCheck(one.name, one.passed, one.told) for one in gate),
        now=_now(registry.load(place, registered), settings),
    )


def _now(model: Model, settings: ReviewSettings) -> CurrentShift | None:
    """Return how far the features of today's customers are from training; None without the model's own store."""
    try:
        store = open_store(Path(settings.workspace))
    except NotBuiltError:
        return None
    if store.source != model.source or model.reference is None:
        return None
    as_of = scoring_date(None, store, model)
    everybody = sorted(store.customer_ids())
    some = np.random.default_rng(settings.seed).permutation(len(everybody))[:CUSTOMERS_NOW]
    asked = {everybody[at] for at in some.tolist()}
    rows = assemble(store, [as_of], model.catalogue, model.task, settings.engine, asked)
    return current_shift(model.reference, rows, model.outcomes(rows.values)) if len(rows) else None


def approve(settings: SignSettings) -> Figures:
    """Return the reviewer's yes to a task's candidate, now in the registry."""
    return _sign(settings, approval.APPROVE)


def reject(settings: SignSettings) -> Figures:
    """Return the reviewer's no to a task's candidate, now in the registry."""
    return _sign(settings, approval.REJECT)


def _sign(settings: SignSettings, action: str) -> Figures:
    place = registry.tracking(settings.tracking, Path(settings.workspace))
    registered = registry.find_candidate(place, settings.task.name, settings.version)
    decision = approval.sign(place, registered, action, settings.reviewer, settings.remark)
    return sign_figures(registered, decision, approval.decisions(place, registered.name))
