"""Settings as runs, models and rounds recorded them before keys were renamed, in the names of today."""

from collections.abc import Mapping
from typing import Any


def without_suffix(recorded: Any) -> Any:  # noqa: ANN401
    """Return a recorded document whose keys have lost the suffix `_eur`, at any depth.

    Examples
    --------
    >>> without_suffix({"budget_eur": 5, "limits": {"calls": {"shadow_price_eur": 0.5}}})
    {'budget': 5, 'limits': {'calls': {'shadow_price': 0.5}}}
    """
    if isinstance(recorded, dict):
        return {str(key).removesuffix("_eur"): without_suffix(value) for key, value in recorded.items()}
    return [without_suffix(value) for value in recorded] if isinstance(recorded, list) else recorded


def effects_settings(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the group `effects` of a run's configuration; older runs called it `policy`, and had actions in it.

    Examples
    --------
    >>> effects_settings({"policy": {"reward": {"cap_eur": 200}, "actions": {}}})
    {'reward': {'cap': 200}}
    """
    settings = without_suffix(recorded["effects"] if "effects" in recorded else recorded["policy"])
    return {key: value for key, value in settings.items() if key != "actions"}


def round_report(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a round reported; older ones had the actions' configuration within the engagement's.

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
