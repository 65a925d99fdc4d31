"""Who was champion when, and the way back.

The history lies in the registry itself, one tag an entry, and is only ever added to: whoever reads the alias there
also reads how it came about.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sintonia.core.config.convert import from_plain
from sintonia.core.errors import GateError, NotBuiltError
from sintonia.registry.models import CHAMPION
from sintonia.registry.promotion_checks import Requirement
from sintonia.registry.tracking import Registered, Tracking

TAG = "sintonia.promotion."


@dataclass(frozen=True)
class ChampionChange:
    """One line of the history: when which version became champion after which, how, and what it failed."""

    at: str
    action: str
    version: str
    before: str | None
    forced: bool = False
    failed: tuple[str, ...] = ()


def promote(
    tracking: Tracking,
    candidate: Registered,
    champion: Registered | None,
    requirements: Sequence[Requirement],
    *,
    force: bool,
) -> ChampionChange:
    """Return the new line of the history: the candidate is champion now.

    Raises
    ------
    GateError
        When it fails a requirement and is not forced; nothing has changed then.
    """
    failed = [requirement for requirement in requirements if not requirement.passed]
    if failed and not force:
        raise GateError(
            f"{candidate.name} version {candidate.version} stays a candidate: "
            f"{'; '.join(f'{requirement.name}: {requirement.explanation}' for requirement in failed)}. "
            f"Train a better one, or override with force=true, which is recorded."
        )
    before = champion.version if champion else None
    change = ChampionChange(
        _now(),
        "promote",
        candidate.version,
        before,
        bool(failed),
        tuple(requirement.name for requirement in failed),
    )
    return _set_champion(tracking, candidate.name, change)


def roll_back(tracking: Tracking, name: str, champion: Registered | None) -> ChampionChange:
    """Return the new line of the history: who was champion before the present one is it again.

    Raises
    ------
    NotBuiltError
        When there is no previous champion.
    """
    former = _former_champions(champion_history(tracking, name))
    if champion is None or not former:
        raise NotBuiltError(f"{name} has no previous champion to roll back to.")
    return _set_champion(tracking, name, ChampionChange(_now(), "rollback", former[-1], champion.version))


def champion_history(tracking: Tracking, name: str) -> list[ChampionChange]:
    """Return every change of champion, oldest first; none for a model that was never promoted."""
    from mlflow.exceptions import MlflowException

    try:
        tags: Mapping[str, str] = tracking.client.get_registered_model(name).tags
    except MlflowException:
        return []
    records = [json.loads(tags[key]) for key in sorted(tags) if key.startswith(TAG)]
    remedy = f"repair the tags {TAG}* of the registered model {name}"
    return [
        from_plain(ChampionChange, record, "the history of champions", remedy=remedy) for record in records
    ]


def _former_champions(changes: Sequence[ChampionChange]) -> list[str]:
    """Return the champions before the present one, latest last: a rollback takes the present one away.

    Examples
    --------
    >>> first, second = ChampionChange("", "promote", "1", None), ChampionChange("", "promote", "2", "1")
    >>> back = ChampionChange("", "rollback", "1", "2")
    >>> _former_champions([first, second]), _former_champions([first, second, back])
    (['1'], [])
    """
    reigns: list[str] = []
    for change in changes:
        if change.action == "rollback":
            reigns = reigns[:-1]
        else:
            # An alias moved by hand, in MLflow itself, was a reign too.
            reigns += [change.before] if change.before and reigns[-1:] != [change.before] else []
            reigns.append(change.version)
    return reigns[:-1]


def _set_champion(tracking: Tracking, name: str, change: ChampionChange) -> ChampionChange:
    # The line comes first: a change that is not recorded must not be.
    number = len(champion_history(tracking, name)) + 1
    tracking.client.set_registered_model_tag(name, f"{TAG}{number:06d}", json.dumps(asdict(change)))
    tracking.client.set_registered_model_alias(name, CHAMPION, change.version)
    return change


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
