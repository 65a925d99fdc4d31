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
from sintonia.uplift.decision_log import DecisionLog
from sintonia.uplift.logged import NONE, Actions, LoggedDecisions
from sintonia.uplift.logging_policy import LoggingPolicy, estimate_logging_policy, logged_policy

TIME_STEP = np.timedelta64(1, "us")
MAX_DATES = 100
"""With more moments of decision than this, features are those of the day's start: a kernel's work goes by dates."""

ONE_TIME_KINDS = ("register",)
"""Kinds that happen to a customer once, maybe years before anything else was written down."""


def feature_moments(decisions: DecisionLog) -> Times:
    """Return as of when each decision's features are taken: strictly before it, for a send is not yet history.

    As of the logged as-of date, if that was before; else the last moment before the decision.
    """
    before = decisions.decided_at - TIME_STEP
    as_of = np.where(np.isnat(decisions.as_of), before, np.minimum(decisions.as_of, before))
    if len(np.unique(as_of)) <= MAX_DATES:
        return as_of
    return as_of.astype("datetime64[D]").astype("datetime64[us]")


def days_of_history(store: Store, decisions: DecisionLog) -> int:
    """Return how many days of history lie before the newest of these decisions, a begun day counted; 0 without any."""
    starts = [first for kind, first in store.kinds_from.items() if kind not in ONE_TIME_KINDS]
    if not starts:
        return 0
    span = decisions.decided_at.max() - np.datetime64(min(starts), "us")
    return max(0, int(np.ceil(span / np.timedelta64(1, "D"))))


def usable_features(config: FeaturesConfig, effects: EffectsConfig, history_days: int) -> FeaturesConfig:
    """Return the configured features less families the policy does not look at, and less windows longer than history.

    In so short a history a longer window equals a shorter one, so which of them matters cannot be learned; and
    with a longer history they differ. The shortest window is always used.

    Examples
    --------
    >>> configured = FeaturesConfig(families=["rfm", "clock"], windows_days=[7, 30, 90])
    >>> usable = usable_features(configured, EffectsConfig(families=["rfm"]), history_days=40)
    >>> usable.families, usable.windows_days
    (['rfm'], [7, 30])
    """
    longest_window = max(history_days, min(config.windows_days, default=0))
    return replace(
        config,
        families=[name for name in config.families if name in effects.families],
        windows_days=[days for days in config.windows_days if days <= longest_window],
    )


def decision_features(
    store: Store, decisions: DecisionLog, catalogue: Sequence[Feature], engine: EngineConfig
) -> Floats32:
    """Return the features of each decision; missing where nothing of the customer was visible.  # (n, n_features)"""
    as_of = feature_moments(decisions)
    plan = features.plan(catalogue)
    as_ofs = [moment.item() for moment in np.unique(as_of)]
    keys = pa.table(
        {
            "customer_id": pa.array(decisions.customer_id, pa.string()),
            "as_of": pa.array(as_of),
            "row": np.arange(len(decisions)),
        }
    )
    values = np.full((len(decisions), len(plan.names)), np.nan, np.float32)

    def compute_bucket(path: Path) -> None:
        interactions = store.read_bucket(path, None, dict.fromkeys([*plan.reads, "customer_id"]))
        other_tables = {name: store.read_beside(name, path) for name in plan.others}
        history = History(interactions, **other_tables) if other_tables else interactions
        computed = features.compute_features(history, as_ofs, plan)
        computed = computed.set_column(0, "customer_id", computed["customer_id"].cast(pa.string()))
        joined = keys.join(computed, ["customer_id", "as_of"], join_type="inner")
        rows = joined["row"].to_numpy()
        for index, name in enumerate(plan.names):
            values[rows, index] = joined[name].to_numpy()

    with ThreadPoolExecutor(engine.threads) as pool:
        list(track(pool.map(compute_bucket, store.buckets), "Computing features", total=len(store.buckets)))
    return values


def logged_actions(decisions: DecisionLog, configured: Mapping[str, ActionConfig]) -> Actions:
    """Return the actions of the log with their costs and attributes, the channel each is usually sent on among them.

    Raises
    ------
    ConfigError
        When the configuration names an action that the log does not have.
    """
    for name in configured:
        if name not in decisions.names:
            raise unknown("action under actions:", name, decisions.names)
    channels = {name: _usual_channel(decisions, index) for index, name in enumerate(decisions.names)}
    number_names = sorted({key for settings in configured.values() for key in settings.attributes})
    used_channels = sorted({channel for channel in channels.values() if channel})
    attributes = np.zeros((len(decisions.names), len(number_names) + len(used_channels)))
    costs = np.zeros(len(decisions.names))
    for index, name in enumerate(decisions.names[1:], start=1):
        settings = configured.get(name)
        logged = decisions.cost[decisions.action == index]
        known = logged[~np.isnan(logged)]
        costs[index] = known.mean() if len(known) else 0.0
        if settings is not None:
            costs[index] = costs[index] if settings.cost is None else settings.cost
            attributes[index, : len(number_names)] = [
                settings.attributes.get(key, 0.0) for key in number_names
            ]
        attributes[index, len(number_names) :] = [channel == channels[name] for channel in used_channels]
    assert decisions.names[0] == NONE
    return Actions(
        decisions.names, costs, attributes, (*number_names, *(f"by_{channel}" for channel in used_channels))
    )


def _usual_channel(decisions: DecisionLog, action: int) -> str | None:
    channels = [channel for channel in decisions.channel[decisions.action == action] if channel is not None]
    names, counts = np.unique(np.array(channels, str), return_counts=True)
    return str(names[counts.argmax()]) if len(names) else None


def customer_codes(ids: Texts) -> Ints:
    """Return a whole number for each id, the same in every log: whose fold a customer is in does not change."""
    from pandas.util import hash_array

    codes: Ints = hash_array(ids, categorize=False).view(np.int64)
    return codes


def split_decisions(decisions: DecisionLog, judge_from: str | None) -> tuple[Bools, Bools]:
    """Return training and evaluation decisions: the latter are later than the end of the former's rewards.

    Judged are those from `judge_from` on, else the newest fifth of the moments of decision. With one moment, or none
    whose rewards closed in time, all decisions do both; who teaches and who reports are different customers anyway.

    Raises
    ------
    NotEnoughDataError
        When a given date leaves nothing to learn from or to judge.
    """
    moments = np.unique(decisions.decided_at)
    start = (
        moments[-max(1, len(moments) // 5)]
        if judge_from is None
        else np.datetime64(iso_time("", judge_from), "us")
    )
    past, judged = decisions.until <= start, decisions.decided_at >= start
    if past.any() and judged.any():
        return past, judged
    if judge_from is not None:
        raise NotEnoughDataError(
            f"effects.judge_from={judge_from} leaves {past.sum():,} decisions for training, whose rewards were "
            f"complete by then, and {judged.sum():,} for evaluation; decisions go from {moments[0]} to {moments[-1]}."
        )
    everything = np.ones(len(decisions), np.bool_)
    return everything, everything


def to_logged_decisions(
    decisions: DecisionLog,
    values: Floats32,
    config: EffectsConfig,
    actions: Mapping[str, ActionConfig],
    seed: int = 7,
) -> tuple[LoggedDecisions, LoggingPolicy]:
    """Return the decisions as a log, with the propensities that were logged, or else estimated ones.

    Where some decisions of the log have propensities and others do not, all are estimated.

    Raises
    ------
    InputError
        When logged propensities of a decision do not sum to 1.
    NotEnoughDataError
        When no decision was left to chance, or estimated propensities leave nobody to compare with.
    """
    customer = customer_codes(decisions.customer_id)
    if decisions.logged.all():
        logging_policy = logged_policy(decisions.logging_propensities, decisions.action, decisions.names)
    else:
        _, rounds = np.unique(decisions.round_id.astype(str), return_inverse=True)
        logging_policy = estimate_logging_policy(
            values,
            decisions.action,
            rounds=rounds,
            customer=customer,
            names=decisions.names,
            overlap=config.overlap,
            seed=seed,
        )
    log = LoggedDecisions(
        values=values,
        action=decisions.action,
        reward=decisions.reward,
        logging_propensities=logging_policy.propensities
        / logging_policy.propensities.sum(axis=1, keepdims=True),
        customer=customer,
        actions=logged_actions(decisions, actions),
        orders=decisions.orders,
    )
    return log, logging_policy
