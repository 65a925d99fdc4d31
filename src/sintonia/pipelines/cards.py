"""The model card of what was promoted, written into a folder and beside the run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sintonia import approval, promotion, registry, run_files
from sintonia.config import PromoteSettings
from sintonia.config.earlier import effects_settings
from sintonia.gate import Requirement
from sintonia.review import Check, ReviewData
from sintonia.review.card import model_card, policy_card
from sintonia.review.policy import PolicyReview
from sintonia.tasks import NEXT_BEST_ACTION


def write_card(
    place: registry.Tracking,
    registered: registry.Registered,
    settings: PromoteSettings,
    gate: Sequence[Requirement],
) -> Path:
    """Return where the card of a version just promoted is: in the folder of the settings, else in the workspace."""
    checks = tuple(Check(one.name, one.passed, one.told) for one in gate)
    history = _history(place, registered)
    if settings.task.name == NEXT_BEST_ACTION:
        text = policy_card(_policy(place, registered), checks, history)
    else:
        told = ReviewData.from_plain(run_files.read_document(place, registered.run_id, run_files.REVIEW))
        named = told.named(registered.name, registered.version, registered.run_id)
        text = model_card(replace(named, gate=checks), history)
    folder = Path(settings.cards) if settings.cards else Path(settings.workspace) / "models"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{registered.name}-v{registered.version}.md"
    path.write_text(text, encoding="utf-8")
    place.client.log_text(registered.run_id, text, run_files.CARD)
    return path


def _policy(place: registry.Tracking, registered: registry.Registered) -> PolicyReview:
    config = run_files.read_document(place, registered.run_id, "config.json")
    return PolicyReview(
        study=run_files.read_document(place, registered.run_id, "study.json"),
        policy=effects_settings(config),
        catalogue=(),
        round=None,
        source=config["source"]["name"],
        fingerprint=place.client.get_run(registered.run_id).data.tags["sintonia.data_fingerprint"],
        model_name=registered.name,
        model_version=registered.version,
        run_id=registered.run_id,
    )


def _history(place: registry.Tracking, registered: registry.Registered) -> list[str]:
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


def _force(one: promotion.Entry) -> str:
    return f", by force: {', '.join(one.failed)}" if one.forced else ""
