"""Settings recorded by earlier versions in runs, models and rounds, under the names of today."""

from collections.abc import Mapping
from typing import Any


def without_suffix(recorded: Any) -> Any:  # noqa: ANN401
    """Return a recorded document with the suffix `_eur` removed from its keys, at any depth.

    Examples
    --------
    >>> without_suffix({"budget_eur": 5, "limits": {"calls": {"shadow_price_eur": 0.5}}})
    {'budget': 5, 'limits': {'calls': {'shadow_price': 0.5}}}
    """
    if isinstance(recorded, dict):
        return {str(key).removesuffix("_eur"): without_suffix(value) for key, value in recorded.items()}
    return [without_suffix(value) for value in recorded] if isinstance(recorded, list) else recorded


def effects_settings(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the group `effects` of a run's configuration; older runs have it as `policy`, including actions.

    Examples
    --------
    >>> effects_settings({"policy": {"reward": {"cap_eur": 200}, "actions": {}}})
    {'reward': {'cap': 200}}
    """
    settings = without_suffix(recorded["effects"] if "effects" in recorded else recorded["policy"])
    return {key: value for key, value in settings.items() if key != "actions"}


def round_report(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report of a round; older ones have the actions' configuration in `engagement`.

    Examples
    --------
    >>> round_report({"worth_eur": 2.5, "engagement": {"actions": {"mail": {"cost_eur": 0.5}}}})
    {'worth': 2.5, 'engagement': {}, 'configured_actions': {'mail': {'cost': 0.5}}}
    """
    report: dict[str, Any] = without_suffix(dict(recorded))
    if "configured_actions" not in report:
        engagement = dict(report["engagement"])
        report["configured_actions"] = engagement.pop("actions", {})
        report["engagement"] = engagement
    return report
