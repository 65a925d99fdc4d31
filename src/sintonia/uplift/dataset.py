"""Decision points with the features known strictly before them: a log that effects can be learned from."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from sintonia import features
from sintonia.core.arrays import Bools, Floats32, Ints, Texts, Times
from sintonia.core.config import ActionConfig, EffectsConfig, EngineConfig, FeaturesConfig, iso_time
from sintonia.core.errors import NotEnoughDataError, unknown
from sintonia.core.progress import track
from sintonia.data.store import Store
from sintonia.features import Feature, History
from sintonia.uplift.decision_log import Points
from sintonia.uplift.logged import NONE, Actions, Logged
from sintonia.uplift.logging_policy import LoggingPolicy, estimate_logging

MOMENT = np.timedelta64(1, "us")
DATES = 100
"""With more moments of decision than this, features are those of the day's start: a kernel's work goes by dates."""

ONCE = ("register",)
"""Kinds that happen to a customer once, maybe years before anything else was written down."""


def feature_moments(points: Points) -> Times:
    """Return as of when each decision's features are taken: strictly before it, for a send is not yet history.

    As of when the log says they were taken, if that was before; else the last moment before the decision.
    """
    before = points.decided_at - MOMENT
    told = np.where(np.isnat(points.as_of), before, np.minimum(points.as_of, before))
    if len(np.unique(told)) <= DATES:
        return told
    return told.astype("datetime64[D]").astype("datetime64[us]")


def days_of_history(store: Store, points: Points) -> int:
    """Return how many days of history lie before the newest of these decisions, a begun day counted; 0 without any."""
    starts = [first for kind, first in store.kinds_from.items() if kind not in ONCE]
    if not starts:
        return 0
    span = points.decided_at.max() - np.datetime64(min(starts), "us")
    return max(0, int(np.ceil(span / np.timedelta64(1, "D"))))


def features_for(config: FeaturesConfig, effects: EffectsConfig, history_days: int) -> FeaturesConfig:
    """Return the configured features less families the policy does not look at, and less windows longer than history.

    In a log so young a longer window tells what a shorter one tells, so which of them matters cannot be learned; and
    when history has grown it tells something else. The shortest stays in any case.

    Examples
    --------
    >>> asked = FeaturesConfig(families=["rfm", "clock"], windows_days=[7, 30, 90])
    >>> found = features_for(asked, EffectsConfig(families=["rfm"]), history_days=40)
    >>> found.families, found.windows_days
    (['rfm'], [7, 30])
    """
    longest = max(history_days, min(config.windows_days, default=0))
    return replace(
        config,
        families=[name for name in config.families if name in effects.families],
        windows_days=[days for days in config.windows_days if days <= longest],
    )


def features_of(store: Store, points: Points, catalogue: Sequence[Feature], engine: EngineConfig) -> Floats32:
    """Return the features of each decision; missing where nothing of the customer was visible.  # (n, n_features)"""
    when = feature_moments(points)
    made = features.plan(catalogue)
    as_ofs = [moment.item() for moment in np.unique(when)]
    keys = pa.table(
        {
            "customer_id": pa.array(points.customer_id, pa.string()),
            "as_of": pa.array(when),
            "row": np.arange(len(points)),
        }
    )
    found = np.full((len(points), len(made.names)), np.nan, np.float32)

    def one(path: Path) -> None:
        interactions = store.read_bucket(path, None, dict.fromkeys([*made.reads, "customer_id"]))
        beside = {name: store.read_beside(name, path) for name in made.others}
        history = History(interactions, **beside) if beside else interactions
        computed = features.compute_features(history, as_ofs, made)
        computed = computed.set_column(0, "customer_id", computed["customer_id"].cast(pa.string()))
        joined = keys.join(computed, ["customer_id", "as_of"], join_type="inner")
        rows = joined["row"].to_numpy()
        for place, name in enumerate(made.names):
            found[rows, place] = joined[name].to_numpy()

    with ThreadPoolExecutor(engine.threads) as pool:
        list(track(pool.map(one, store.buckets), "Computing features", total=len(store.buckets)))
    return found


def actions_of(points: Points, configured: Mapping[str, ActionConfig]) -> Actions:
    """Return the actions of the log with their costs and attributes, the channel each is usually sent on among them.

    Raises
    ------
    ConfigError
        When the configuration names an action that the log does not have.
    """
    for name in configured:
        if name not in points.names:
            raise unknown("action under actions:", name, points.names)
    channels = {name: _usual_channel(points, place) for place, name in enumerate(points.names)}
    numbers = sorted({key for told in configured.values() for key in told.attributes})
    used = sorted({channel for channel in channels.values() if channel})
    attributes = np.zeros((len(points.names), len(numbers) + len(used)))
    costs = np.zeros(len(points.names))
    for place, name in enumerate(points.names[1:], start=1):
        told = configured.get(name)
        logged = points.cost[points.action == place]
        known = logged[~np.isnan(logged)]
        costs[place] = known.mean() if len(known) else 0.0
        if told is not None:
            costs[place] = costs[place] if told.cost is None else told.cost
            attributes[place, : len(numbers)] = [told.attributes.get(key, 0.0) for key in numbers]
        attributes[place, len(numbers) :] = [channel == channels[name] for channel in used]
    assert points.names[0] == NONE
    return Actions(points.names, costs, attributes, (*numbers, *(f"by_{channel}" for channel in used)))


def _usual_channel(points: Points, place: int) -> str | None:
    found = [channel for channel in points.channel[points.action == place] if channel is not None]
    names, counts = np.unique(np.array(found, str), return_counts=True)
    return str(names[counts.argmax()]) if len(names) else None


def numbered(ids: Texts) -> Ints:
    """Return a whole number for each id, the same in every log: whose fold a customer is in does not change."""
    from pandas.util import hash_array

    found: Ints = hash_array(ids, categorize=False).view(np.int64)
    return found


def split_points(points: Points, judge_from: str | None) -> tuple[Bools, Bools]:
    """Return which decisions teach and which are judged: later ones, when the rewards of the former had closed.

    Judged are those from `judge_from` on, else the newest fifth of the moments of decision. With one moment, or none
    whose rewards closed in time, all decisions do both; who teaches and who reports are different customers anyway.

    Raises
    ------
    NotEnoughDataError
        When a given date leaves nothing to learn from or to judge.
    """
    when = np.unique(points.decided_at)
    start = (
        when[-max(1, len(when) // 5)] if judge_from is None else np.datetime64(iso_time("", judge_from), "us")
    )
    past, judged = points.until <= start, points.decided_at >= start
    if past.any() and judged.any():
        return past, judged
    if judge_from is not None:
        raise NotEnoughDataError(
            f"effects.judge_from={judge_from} leaves {past.sum():,} decisions to learn from, whose rewards had "
            f"closed by then, and {judged.sum():,} to judge; decisions go from {when[0]} to {when[-1]}."
        )
    everything = np.ones(len(points), np.bool_)
    return everything, everything


def logged_of(
    points: Points,
    values: Floats32,
    config: EffectsConfig,
    actions: Mapping[str, ActionConfig],
    seed: int = 7,
) -> tuple[Logged, LoggingPolicy]:
    """Return the decisions as a log, with the propensities that were logged, or else estimated ones.

    Where some decisions of the log have propensities and others do not, all are estimated.
    """
    customer = numbered(points.customer_id)
    if points.logged.all():
        policy = LoggingPolicy(points.logging_propensities)
    else:
        _, rounds = np.unique(points.round_id.astype(str), return_inverse=True)
        policy = estimate_logging(
            values, points.action, (rounds, customer), points.names, config.overlap, seed
        )
    log = Logged(
        values=values,
        action=points.action,
        reward=points.reward,
        logging_propensities=policy.propensities / policy.propensities.sum(axis=1, keepdims=True),
        customer=customer,
        actions=actions_of(points, actions),
        orders=points.orders,
    )
    return log, policy
