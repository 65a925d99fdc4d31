"""A model before people: its page, and what a reviewer decides on it."""

from dataclasses import replace
from pathlib import Path

from sintonia import approval, registry
from sintonia.config import ReviewSettings, SignSettings
from sintonia.review import ReviewData, render
from sintonia.run_summaries import sign_figures
from sintonia.summaries import Figures, review_figures


def review(settings: ReviewSettings) -> Figures:
    """Return where the page on a task's candidate is, written from what its training run recorded."""
    workspace = Path(settings.workspace)
    place = registry.tracking(settings.tracking, workspace)
    registered = registry.find_candidate(place, settings.task.name, settings.version)
    told = ReviewData.from_plain(registry.read_document(place, registered.run_id, registry.REVIEW))
    named = replace(
        told, model_name=registered.name, model_version=registered.version, run_id=registered.run_id
    )
    page = render(named)
    out = Path(settings.out) if settings.out else workspace / "review" / f"{settings.task.name}.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    registry.log_page(place, registered, page)
    return review_figures(registered, out)


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
