"""The campaign log in JSON Lines: messages with their opens and clicks, and the randomised decisions behind them."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Ints, Texts, Times
from sintonia.synthetic import actions
from sintonia.synthetic.arrays import hex_ids, keep_where, object_array
from sintonia.synthetic.calendar import EFFECT_WEEKS, minutes
from sintonia.synthetic.files import iso_utc, text_array
from sintonia.synthetic.journeys import ROUTINE_MAILING
from sintonia.synthetic.world import SiloRows, World

_SALT_EVENT, _SALT_DECISION = 40, 41
_IDS = object_array(actions.IDS)
_CHANNELS = object_array([action.channel for action in actions.ACTIONS])
_SEND_HOURS = 2.5
_BOUNCED = 0.004


def campaign_log(world: World) -> SiloRows:
    """Return the events and the decisions of one block, both in order of time."""
    rng = world.rng("campaigns")
    return SiloRows(
        {"campaigns/events.jsonl": _events(world, rng), "campaigns/decisions.jsonl": _decisions(world)}, {}
    )


def decision_ids(world: World, person: Ints, week: Ints) -> Texts:
    """Return one id per person and round."""
    return hex_ids(world.people.number[person] * 1024 + week, _SALT_DECISION, "D")


def sent_at(world: World, person: Ints, week: Ints) -> Times:
    """Return when a message was sent, a deterministic time of the week's first day."""
    spread = (world.people.number[person] * 7919 + week * 104_729) % 360
    return world.calendar.week_start(week) + minutes(_SEND_HOURS * 60 + spread)


def _events(world: World, rng: np.random.Generator) -> pa.Table:
    """Return sends, opens, clicks, unsubscribes, redemptions and bounces (not a kind of interaction)."""
    sends = world.journeys.sends
    n = len(sends.person)
    sent = pd.DataFrame(
        {
            "person": sends.person,
            "week": sends.week,
            "action": sends.action,
            "at": sent_at(world, sends.person, sends.week),
            "type": "sent",
        }
    )
    opened = sent["at"] + minutes(rng.exponential(400, n))
    parts = [
        sent,
        sent.assign(type="opened", at=opened)[sends.opened],
        sent.assign(type="clicked", at=opened + minutes(rng.exponential(2, n)))[sends.clicked],
        sent.assign(type="unsubscribed", at=sent["at"] + minutes(rng.uniform(1, 900, n)))[sends.unsubscribed],
        sent.assign(type="bounced", at=sent["at"] + minutes(np.ones(n)))[rng.random(n) < _BOUNCED],
        _redemptions(world),
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows["ingested"] = rows["at"] + minutes(rng.exponential(15, len(rows)))
    rows = rows[rows["ingested"] < world.calendar.end]
    rows = rows.sort_values(["at", "person", "type"], ignore_index=True)
    return _event_table(world, rows)


def _redemptions(world: World) -> pd.DataFrame:
    """Return one redemption per order with a coupon that has an account or a card."""
    orders, rounds = world.orders, world.journeys.rounds
    used = np.flatnonzero(orders.coupon & (orders.web | orders.card))
    person, at = orders.person[used], orders.at[used]
    weeks = np.array([decision_round.week for decision_round in rounds], dtype=np.int64)
    round_index = np.searchsorted(world.calendar.week_start(weeks), at, side="right") - 1
    actions_taken = np.array([decision_round.action for decision_round in rounds]).reshape(
        len(rounds), len(world.people)
    )
    row = {
        "person": person,
        "week": weeks[round_index],
        "action": actions_taken[round_index, person],
        "at": at,
        "type": "redeemed",
    }
    return pd.DataFrame(row)


def _event_table(world: World, rows: pd.DataFrame) -> pa.Table:
    """Return events as the tool logs them: e-mails under the address, other messages under the crm_id."""
    person, week, action = (rows[name].to_numpy() for name in ("person", "week", "action"))
    registrations, routine = world.registrations, action == ROUTINE_MAILING
    channel = np.where(routine, "email", _CHANNELS[action])
    current, by_email = registrations.current(person, week), channel == "email"
    names = np.array([f"mailing-{number:03d}" for number in range(world.calendar.weeks)], dtype=object)
    rounds = np.array([f"round-{number:03d}" for number in range(world.calendar.weeks)], dtype=object)
    return pa.table(
        {
            "event_id": hex_ids(world.numbers(len(rows)), _SALT_EVENT, "m"),
            "ts": iso_utc(rows["at"].to_numpy()),
            "ingested_at": iso_utc(rows["ingested"].to_numpy()),
            "type": rows["type"].to_numpy(dtype=object),
            "channel": channel.astype(object),
            "email": text_array(keep_where(registrations.email[person, current], by_email)),
            "crm_id": text_array(keep_where(registrations.crm_id[person, current], ~by_email)),
            "campaign": np.where(routine, names[week], rounds[week]),
            "action_id": text_array(keep_where(_IDS[action], ~routine)),
            "decision_id": text_array(keep_where(decision_ids(world, person, week), ~routine)),
        }
    )


def _decisions(world: World) -> pa.Table:
    """Return the decisions of all rounds, one row per person and round; `none` is never sent."""
    rounds, calendar, registrations = world.journeys.rounds, world.calendar, world.registrations
    person = np.concatenate([np.flatnonzero(decision_round.decided) for decision_round in rounds])
    week = np.concatenate(
        [np.full(decision_round.decided.sum(), decision_round.week) for decision_round in rounds]
    )
    action, allowed, probabilities = (
        np.concatenate([getattr(decision_round, name)[decision_round.decided] for decision_round in rounds])
        for name in ("action", "allowed", "propensities")
    )
    opens = calendar.week_start(np.arange(calendar.weeks))
    until = opens + np.timedelta64(7 * EFFECT_WEEKS, "D")
    contacted = action != actions.NONE
    ends = pa.array(np.r_[0, allowed.sum(axis=1).cumsum()], pa.int32())
    names = np.broadcast_to(_IDS, allowed.shape)[allowed]
    return pa.table(
        {
            "decision_id": decision_ids(world, person, week),
            "round_id": object_array([f"round-{number:03d}" for number in range(calendar.weeks)])[week],
            "crm_id": text_array(registrations.crm_id[person, registrations.current(person, week)]),
            "decided_at": iso_utc(opens)[week],
            "as_of": iso_utc(opens.astype("M8[D]").astype("M8[us]"))[week],
            "policy_version": np.full(len(person), "random-1", dtype=object),
            "eligible_actions": pa.ListArray.from_arrays(ends, pa.array(names)),
            "logging_propensities": pa.ListArray.from_arrays(ends, pa.array(probabilities[allowed])),
            "action_id": _IDS[action],
            "channel": text_array(keep_where(_CHANNELS[action], contacted)),
            "arm": np.full(len(person), "explore", dtype=object),
            "cost": actions.COSTS[action] / 100,
            "sent_at": text_array(keep_where(iso_utc(sent_at(world, person, week)), contacted)),
            "reward_until": iso_utc(until)[week],
        }
    )
