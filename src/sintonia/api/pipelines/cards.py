"""The model card of what was promoted, written into a folder and beside the run."""

from collections.abc import Sequence
from pathlib import Path

from sintonia.api.pipelines.steps_by_task import steps_of
from sintonia.core.config import PromoteSettings
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
