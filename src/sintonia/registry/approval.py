"""Approvals and rejections of models, tied to the bytes of the model and of the review page.

The decisions lie in the registry, one tag each, and are only ever added to. A decision counts for the version it names
as long as its model and its page are to the byte what they were: whatever changes them asks to be looked at again.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sintonia.core.config.convert import from_plain
from sintonia.registry.models import model_files
from sintonia.registry.runs import page_path
from sintonia.registry.tracking import Registered, Tracking

TAG = "sintonia.approval."
APPROVE, REJECT = "approve", "reject"


@dataclass(frozen=True)
class ReviewDecision:
    """One decision: when (ISO, UTC), which, by whom and why, on which version, and the SHA-256 of what was judged."""

    at: str
    action: str
    reviewer: str
    remark: str
    version: str
    model_digest: str
    page_digest: str


def sign_decision(
    tracking: Tracking, registered: Registered, action: str, reviewer: str, remark: str
) -> ReviewDecision:
    """Return the decision on a version's model and page, now in the registry.

    Raises
    ------
    NotBuiltError
        When the version has no page to review.
    """
    decision = ReviewDecision(
        at=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
        action=action,
        reviewer=reviewer,
        remark=remark,
        version=registered.version,
        model_digest=model_digest(tracking, registered),
        page_digest=page_digest(tracking, registered),
    )
    # A name of its own each: two that sign at once must not write over one another.
    name = f"{TAG}{decision.at}.{secrets.token_hex(4)}"
    tracking.client.set_registered_model_tag(registered.name, name, json.dumps(asdict(decision)))
    return decision


def review_decisions(tracking: Tracking, name: str) -> list[ReviewDecision]:
    """Return every decision on a registered model's versions, oldest first."""
    tags: Mapping[str, str] = tracking.client.get_registered_model(name).tags
    lines = [json.loads(tags[key]) for key in sorted(tags) if key.startswith(TAG)]
    remedy = f"repair the tags {TAG}* of the registered model {name}"
    return [from_plain(ReviewDecision, line, "the decisions on a model", remedy=remedy) for line in lines]


def latest_decision(decisions_made: Sequence[ReviewDecision], version: str) -> ReviewDecision | None:
    """Return the decision that counts for a version: its last one; None without a decision."""
    return next((decision for decision in reversed(decisions_made) if decision.version == version), None)


def objection(tracking: Tracking, registered: Registered, decision: ReviewDecision) -> str | None:
    """Return what keeps a decision from letting its version pass; None for an approval that still holds."""
    by = f"by {decision.reviewer} on {decision.at[:10]}"
    if decision.action == REJECT:
        return f"rejected {by}: {decision.remark}" if decision.remark else f"rejected {by}"
    for part, then, now in (
        ("model", decision.model_digest, model_digest(tracking, registered)),
        ("page", decision.page_digest, page_digest(tracking, registered)),
    ):
        if then != now:
            changed = f"its {part} has changed since (SHA-256 {then[:12]}, now {now[:12]})"
            return f"approved {by}, but {changed}: review it again"
    return None


def page_digest(tracking: Tracking, registered: Registered) -> str:
    """Return the SHA-256 of the review page that a model's run keeps.

    Raises
    ------
    NotBuiltError
        When it keeps none.
    """
    return hashlib.sha256(page_path(tracking, registered).read_bytes()).hexdigest()


def model_digest(tracking: Tracking, registered: Registered) -> str:
    """Return the SHA-256 of a registered model's files, names and bytes."""
    folder = model_files(tracking, registered)
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\n{path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
