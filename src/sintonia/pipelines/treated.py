"""What the page on a policy needs: what its run recorded, what the gate says, and the last round of the workspace."""

import json
from pathlib import Path
from typing import Any

from sintonia import registry, run_files
from sintonia.config import ReviewSettings
from sintonia.config.earlier import effects_settings, round_report
from sintonia.errors import NotBuiltError
from sintonia.interactions import Store, open_store
from sintonia.policy_gate import policy_requirements
from sintonia.review import Check, read
from sintonia.review.policy import PolicyReview
from sintonia.review.treated import EffectStory, Treated


def policy_review(
    place: registry.Tracking, registered: registry.Registered, settings: ReviewSettings
) -> PolicyReview:
    """Return what the page on a registered policy shows."""
    config = run_files.read_document(place, registered.run_id, "config.json")
    model = registry.load_registered_policy(place, registered)
    try:
        store = open_store(Path(settings.workspace))
    except NotBuiltError:
        store = None
    own = None if store is None or store.source != model.source else store
    customers = run_files.read_document(place, registered.run_id, run_files.CUSTOMERS)
    return PolicyReview(
        study=run_files.read_document(place, registered.run_id, "study.json"),
        policy=effects_settings(config),
        catalogue=run_files.read_document(place, registered.run_id, run_files.CATALOGUE),
        round=None if own is None else _last_round(own),
        story=read(EffectStory, run_files.read_document(place, registered.run_id, run_files.REVIEW)),
        customers=tuple(read(Treated, one) for one in customers),
        source=model.source,
        fingerprint=model.fingerprint,
        model_name=registered.name,
        model_version=registered.version,
        run_id=registered.run_id,
        gate=_gate(place, registered, settings),
    )


def _gate(
    place: registry.Tracking, registered: registry.Registered, settings: ReviewSettings
) -> tuple[Check, ...]:
    """Return what a promotion will ask of the policy's figures."""
    champion = registry.find_alias(place, settings.task.name, registry.CHAMPION)
    other = None if champion is None or champion.version == registered.version else champion
    found = policy_requirements(place, settings, registered, other)
    return tuple(Check(one.name, one.passed, one.told) for one in found)


def _last_round(store: Store) -> dict[str, Any] | None:
    """Return what the round decided last reported; None when none was."""
    reports = sorted(store.rounds.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    return round_report(json.loads(reports[-1].read_text(encoding="utf-8"))) if reports else None
