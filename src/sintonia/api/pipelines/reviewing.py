"""The review of a candidate: its page, a reviewer's decision, and the model card once it is promoted."""

from collections.abc import Sequence
from pathlib import Path

from sintonia.api.pipelines.figures import Figures
from sintonia.api.pipelines.run_figures import review_figures, sign_figures
from sintonia.api.pipelines.steps_by_task import steps_of
from sintonia.core.config import PromoteSettings, ReviewSettings, SignSettings
from sintonia.registry import approval, models, promotion, runs
from sintonia.registry.promotion_checks import Requirement
from sintonia.registry.tracking import Registered, Tracking, open_tracking
from sintonia.review import PromotionCheck


def write_card(
    tracking: Tracking,
    registered: Registered,
    settings: PromoteSettings,
    checks: Sequence[Requirement],
) -> Path:
    """Return where the card of a version just promoted is: in the folder of the settings, else in the workspace."""
    history = _history(tracking, registered)
    text = steps_of(settings.task).card(tracking, registered, shown_checks(checks), history)
    folder = Path(settings.cards) if settings.cards else settings.paths.cards
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{registered.name}-v{registered.version}.md"
    path.write_text(text, encoding="utf-8")
    tracking.client.log_text(registered.run_id, text, runs.CARD)
    return path


def shown_checks(checks: Sequence[Requirement]) -> tuple[PromotionCheck, ...]:
    """Return the requirements as pages and cards show them."""
    return tuple(PromotionCheck(check.name, check.passed, check.explanation) for check in checks)


def _history(tracking: Tracking, registered: Registered) -> list[str]:
    """Return the reviewers' decisions on a version and its changes of champion, oldest first."""
    version = registered.version
    decisions = [
        (
            event.at,
            f"{event.at[:16]} {event.action} by {event.reviewer}{': ' if event.remark else ''}{event.remark} "
            f"(model `{event.model_digest[:16]}`, page `{event.page_digest[:16]}`)",
        )
        for event in approval.review_decisions(tracking, registered.name)
        if event.version == version
    ]
    changes = [
        (event.at, f"{event.at[:16]} {event.action}{_force(event)}")
        for event in promotion.champion_history(tracking, registered.name)
        if event.version == version
    ]
    return [line for _, line in sorted([*decisions, *changes])]


def _force(change: promotion.ChampionChange) -> str:
    return f", by force: {', '.join(change.failed)}" if change.forced else ""


def review(settings: ReviewSettings) -> Figures:
    """Return where the page on a task's candidate is, written from what its training run recorded."""
    workspace, steps = settings.paths.root, steps_of(settings.task)
    tracking = open_tracking(settings.tracking, workspace)
    registered = models.find_candidate(tracking, settings.task.name, settings.version)
    champion = models.find_by_alias(tracking, settings.task.name, models.CHAMPION)
    other_champion = None if champion is None or champion.version == registered.version else champion
    checks = shown_checks(steps.promotion_checks(tracking, settings, registered, other_champion))
    page = steps.page(tracking, registered, settings, checks)
    out = Path(settings.out) if settings.out else settings.paths.review_page(settings.task.name)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    runs.log_page(tracking, registered, page)
    return review_figures(registered, out)


def approve(settings: SignSettings) -> Figures:
    """Return the reviewer's yes to a task's candidate, now in the registry."""
    return _sign(settings, approval.APPROVE)


def reject(settings: SignSettings) -> Figures:
    """Return the reviewer's no to a task's candidate, now in the registry."""
    return _sign(settings, approval.REJECT)


def _sign(settings: SignSettings, action: str) -> Figures:
    tracking = open_tracking(settings.tracking, settings.paths.root)
    registered = models.find_candidate(tracking, settings.task.name, settings.version)
    decision = approval.sign_decision(tracking, registered, action, settings.reviewer, settings.remark)
    return sign_figures(registered, decision, approval.review_decisions(tracking, registered.name))
