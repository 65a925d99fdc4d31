"""A model before people: its page, and what a reviewer decides on it."""

from pathlib import Path

from sintonia.api.pipelines.cards import shown_checks
from sintonia.api.pipelines.steps_by_task import steps_of
from sintonia.api.reports.figures import Figures
from sintonia.api.reports.runs import review_figures, sign_figures
from sintonia.core.config import ReviewSettings, SignSettings
from sintonia.registry import approval, artifacts, models


def review(settings: ReviewSettings) -> Figures:
    """Return where the page on a task's candidate is, written from what its training run recorded."""
    workspace, steps = settings.paths.root, steps_of(settings.task)
    place = models.tracking(settings.tracking, workspace)
    registered = models.find_candidate(place, settings.task.name, settings.version)
    champion = models.find_alias(place, settings.task.name, models.CHAMPION)
    other = None if champion is None or champion.version == registered.version else champion
    checks = shown_checks(steps.promotion_checks(place, settings, registered, other))
    page = steps.page(place, registered, settings, checks)
    out = Path(settings.out) if settings.out else settings.paths.review_page(settings.task.name)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    artifacts.log_page(place, registered, page)
    return review_figures(registered, out)


def approve(settings: SignSettings) -> Figures:
    """Return the reviewer's yes to a task's candidate, now in the registry."""
    return _sign(settings, approval.APPROVE)


def reject(settings: SignSettings) -> Figures:
    """Return the reviewer's no to a task's candidate, now in the registry."""
    return _sign(settings, approval.REJECT)


def _sign(settings: SignSettings, action: str) -> Figures:
    place = models.tracking(settings.tracking, settings.paths.root)
    registered = models.find_candidate(place, settings.task.name, settings.version)
    decision = approval.sign(place, registered, action, settings.reviewer, settings.remark)
    return sign_figures(registered, decision, approval.decisions(place, registered.name))
