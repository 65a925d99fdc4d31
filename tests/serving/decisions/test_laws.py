"""The law of decisions: whatever policy and histories are, nothing is done that a rule, a cap or a consent forbids."""

import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.decisions.small import NOON, ago, effects_file, event, said, send, small_store
from sintonia.core.config import ActionConfig as Action
from sintonia.core.config import (
    CapacityConfig,
    ContactLimitConfig,
    DecideSettings,
    EngagementConfig,
    EngineConfig,
    FeaturesConfig,
    PauseConfig,
    RuleConfig,
)
from sintonia.serving.decisions.decide import decide_round

ACTIONS = {
    "mail": Action("email", 0.02),
    "news": Action("email", 0.02, needs_consent=False),
    "text": Action("sms", 0.07),
    "call": Action("phone", 3.5, selling=False),
}
CHANNELS = ("email", "sms", "phone")
PERIODS = {
    "week": 2.5,
    "month": 0.5,
}  # days from the beginning of the period to NOON, a Wednesday, the first of July


def drawn_history(who: str, rng: np.random.Generator) -> tuple[list[dict], list[dict]]:
    """What was sent to a customer, answered or not, what was complained of, and what was agreed to."""
    interactions = [event(who, 90, "visit", channel="web")]
    for at in range(rng.integers(0, 6)):
        days, thread = float(rng.uniform(0.1, 45)), f"{who}{at}"
        interactions.append(send(who, days, str(rng.choice(CHANNELS)), thread_id=thread))
        if rng.random() < 0.3:
            interactions.append(event(who, days - 0.05, "open", thread_id=thread))
    if rng.random() < 0.4:
        interactions.append(event(who, 6, "complaint", thread_id="case"))
        interactions += [event(who, 5, "resolve", thread_id="case")] * int(rng.random() < 0.5)
    answers = [said(who, "birth_year", str(rng.choice([1980, 2012])))]
    answers += [
        said(who, f"consent_{channel}", "yes" if rng.random() < 0.8 else "no")
        for channel in CHANNELS
        if rng.random() < 0.9
    ]
    return interactions, answers


def may(action: str, rows: list[dict], answers: list[dict], policy: EngagementConfig) -> bool:
    """Whether an action may be done, by reading the history row by row."""
    what, told = ACTIONS[action], {row["name"]: row["value"] for row in answers}
    sent = [row for row in rows if row["kind"] == "send"]
    closed = any(row["kind"] == "resolve" for row in rows)
    if what.needs_consent and told.get(f"consent_{what.channel}") != "yes":
        return False
    if action in policy.rules["adults"].actions and int(told["birth_year"]) > 2008:
        return False
    if what.selling and any(row["kind"] == "complaint" for row in rows) and not closed:
        return False
    for limit in policy.contact_limits.values():
        days = limit.rolling_days or PERIODS[limit.calendar]
        found = [
            row for row in sent if limit.channel in (None, row["channel"]) and row["occurred_at"] > ago(days)
        ]
        if limit.channel in (None, what.channel) and len(found) >= limit.at_most:
            return False
    return all(
        pause.channel not in (None, what.channel) or not rests(rows, sent, pause)
        for pause in policy.pauses.values()
    )


def rests(rows: list[dict], sent: list[dict], pause: PauseConfig) -> bool:
    """Whether the newest messages that had their time went unanswered, and the pause after them is not over."""
    given_time = timedelta(days=pause.unanswered_days)
    judged = [
        row
        for row in sorted(sent, key=lambda row: row["occurred_at"], reverse=True)
        if pause.channel in (None, row["channel"]) and row["occurred_at"] + given_time <= NOON
    ][: pause.after_refusals]
    opened = {row["thread_id"] for row in rows if row["kind"] == "open"}
    if len(judged) < pause.after_refusals or any(row["thread_id"] in opened for row in judged):
        return False
    return judged[0]["occurred_at"] + given_time + timedelta(days=pause.days) > NOON


SOME_CHANNEL = st.sampled_from([None, *CHANNELS])
LIMIT = st.builds(
    ContactLimitConfig,
    at_most=st.integers(1, 3),
    rolling_days=st.integers(1, 40),
    channel=SOME_CHANNEL,
) | st.builds(ContactLimitConfig, at_most=st.integers(1, 2), calendar=st.sampled_from(list(PERIODS)))
PAUSE = st.builds(
    PauseConfig,
    after_refusals=st.integers(1, 3),
    days=st.integers(1, 40),
    unanswered_days=st.integers(1, 10),
    channel=SOME_CHANNEL,
)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    limits=st.lists(LIMIT, max_size=2),
    pauses=st.lists(PAUSE, max_size=2),
    minors=st.lists(st.sampled_from(list(ACTIONS)), min_size=1, unique=True),
    texts=st.integers(0, 8),
    news=st.integers(0, 8),
    shares=st.sampled_from([0.0, 0.1]),
)
def test_no_round_breaks_consent_a_rule_a_cap_a_pause_a_complaint_or_a_capacity_and_refusals_add_up(
    seed, limits, pauses, minors, texts, news, shares
):
    policy = EngagementConfig(
        name="law",
        rules={"adults": RuleConfig("eligibility", "birth_year <= 2008", minors)},
        contact_limits={f"limit_{at}": limit for at, limit in enumerate(limits)},
        pauses={f"pause_{at}": pause for at, pause in enumerate(pauses)},
        capacities={
            "texts": CapacityConfig(texts, channel="sms"),
            "news": CapacityConfig(12, at_least=news, action="news"),
        },
        holdout_share=shares,
        explore_share=shares,
    )
    rng, names = np.random.default_rng(seed), [f"C{at:02d}" for at in range(24)]
    told = {who: drawn_history(who, rng) for who in names}
    effects = {who: {action: float(rng.normal(1, 3)) for action in ACTIONS} for who in names}
    effects["C00"] = {"mail": 1.0, "text": 1.0}  # what is not known of it is refused
    with tempfile.TemporaryDirectory() as folder:
        interactions, attributes = ([row for one in told.values() for row in one[at]] for at in (0, 1))
        store = small_store(Path(folder), interactions, attributes)
        path = effects_file(Path(folder) / "effects.parquet", effects)
        found = decide_round(
            store,
            DecideSettings(
                effects_table=str(path),
                actions=ACTIONS,
                engagement=policy,
                decided_at=NOON.isoformat(),
                round="law",
                features=FeaturesConfig(families=["rfm"], windows_days=[365]),
                engine=EngineConfig(threads=1, memory_gib=0.5),
            ),
        )
    allowed = np.array(
        [[True, *(may(one, *told[who], policy) and one in effects[who] for one in ACTIONS)] for who in names]
    )
    assert found.refusals.allowed.tolist() == allowed.tolist()
    counts = found.refusals.counts()
    assert sum(counts.values()) + allowed[:, 1:].sum() == len(names) * len(ACTIONS)
    action = found.chosen.action
    assert allowed[np.arange(len(names)), action].all()
    assert (action == 3).sum() <= texts
    assert (action == 2).sum() <= 12
    least = min(news, int((allowed[:, 2] & (found.chosen.arm == 0)).sum()))
    assert (action == 2).sum() >= least
