"""The review of a candidate: its page, a reviewer's decision, and the model card once it is promoted."""

from collections.abc import Sequence
from pathlib import Path

from sintonia.api.pipelines.figures import Figures
from sintonia.api.pipelines.run_figures import review_figures, sign_figures
from sintonia.api.pipelines.steps_by_task import steps_of
from sintonia.core.config import PromoteSettings, ReviewSettings, SignSettings
from sintonia.registry import approval, artifacts, models, promotion
from sintonia.registry.promotion_checks import Requirement
from sintonia.review import PromotionCheck


def write_card(
    place: models.Tracking,
    registered: models.Registered,
    settings: PromoteSettings,
    checks: Sequence[Requirement],
) -> Path:
    """Return where the card of a version just promoted is: in the folder of the settings, else in the workspace."""
    history = _history(place, registered)
    text = steps_of(settings.task).card(place, registered, shown_checks(checks), history)
    folder = Path(settings.cards) if settings.cards else settings.paths.cards
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{registered.name}-v{registered.version}.md"
    path.write_text(text, encoding="utf-8")
    place.client.log_text(registered.run_id, text, artifacts.CARD)
    return path


def shown_checks(checks: Sequence[Requirement]) -> tuple[PromotionCheck, ...]:
    """Return the requirements as pages and cards show them."""
    return tuple(PromotionCheck(one.name, one.passed, one.explanation) for one in checks)


def _history(place: models.Tracking, registered: models.Registered) -> list[str]:
    """Return who decided what on the version, and when it became champion, oldest first."""
    version = registered.version
    signed = [
        (
            one.at,
            f"{one.at[:16]} {one.action} by {one.reviewer}{': ' if one.remark else ''}{one.remark} "
            f"(model `{one.model_digest[:16]}`, page `{one.page_digest[:16]}`)",
        )
        for one in approval.decisions(place, registered.name)
        if one.version == version
    ]
    moved = [
        (one.at, f"{one.at[:16]} {one.action}{_force(one)}")
        for one in promotion.history(place, registered.name)
        if one.version == version
    ]
    return [line for _, line in sorted([*signed, *moved])]


def _force(one: promotion.ChampionChange) -> str:
    return f", by force: {', '.join(one.failed)}" if one.forced else ""


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
