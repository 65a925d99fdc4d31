"""The campaign log: JSON Lines of sends and answers, and of the randomised decisions behind them."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Ints, Texts, Times
from sintonia.synthetic import actions
from sintonia.synthetic.arrays import blank, hex_ids, objects
from sintonia.synthetic.clock import EFFECT_WEEKS, minutes
from sintonia.synthetic.journeys import ROUTINE
from sintonia.synthetic.text import iso_z, text_array
from sintonia.synthetic.world import SiloRows, World

_SALT_EVENT, _SALT_DECISION = 40, 41
_IDS = objects(actions.IDS)
_CHANNELS = objects([action.channel for action in actions.ACTIONS])
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
    """Return when a message left: some hours after dawn, the same moment wherever it is asked."""
    spread = (world.people.number[person] * 7919 + week * 104_729) % 360
    return world.calendar.week_start(week) + minutes(_SEND_HOURS * 60 + spread)


def _events(world: World, rng: np.random.Generator) -> pa.Table:
    """Return sends, opens, clicks, unsubscribes, redemptions and bounces (no kind of ours)."""
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
    """Return the coupons used: one redemption per order the brand can tie to somebody."""
    orders, rounds = world.orders, world.journeys.rounds
    used = np.flatnonzero(orders.coupon & (orders.web | orders.card))
    person, at = orders.person[used], orders.at[used]
    weeks = np.array([one.week for one in rounds], dtype=np.int64)
    which = np.searchsorted(world.calendar.week_start(weeks), at, side="right") - 1
    taken = np.array([one.action for one in rounds]).reshape(len(rounds), len(world.people))
    row = {
        "person": person,
        "week": weeks[which],
        "action": taken[which, person],
        "at": at,
        "type": "redeemed",
    }
    return pd.DataFrame(row)


def _event_table(world: World, rows: pd.DataFrame) -> pa.Table:
    """Return events as the tool logs them: a mail's address, or else the crm_id."""
    person, week, action = (rows[name].to_numpy() for name in ("person", "week", "action"))
    held, routine = world.registrations, action == ROUTINE
    channel = np.where(routine, "email", _CHANNELS[action])
    current, by_mail = held.current(person, week), channel == "email"
    names = np.array([f"mailing-{number:03d}" for number in range(world.calendar.weeks)], dtype=object)
    rounds = np.array([f"round-{number:03d}" for number in range(world.calendar.weeks)], dtype=object)
    return pa.table(
        {
            "event_id": hex_ids(world.numbers(len(rows)), _SALT_EVENT, "m"),
            "ts": iso_z(rows["at"].to_numpy()),
            "ingested_at": iso_z(rows["ingested"].to_numpy()),
            "type": rows["type"].to_numpy(dtype=object),
            "channel": channel.astype(object),
            "email": text_array(blank(held.email[person, current], by_mail)),
            "crm_id": text_array(blank(held.crm_id[person, current], ~by_mail)),
            "campaign": np.where(routine, names[week], rounds[week]),
            "action_id": text_array(blank(_IDS[action], ~routine)),
            "decision_id": text_array(blank(decision_ids(world, person, week), ~routine)),
        }
    )


def _decisions(world: World) -> pa.Table:
    """Return the decisions of all rounds, one row per person and round; `none` is never sent."""
    rounds, calendar, held = world.journeys.rounds, world.calendar, world.registrations
    person = np.concatenate([np.flatnonzero(one.decided) for one in rounds])
    week = np.concatenate([np.full(one.decided.sum(), one.week) for one in rounds])
    action, allowed, odds = (
        np.concatenate([getattr(one, name)[one.decided] for one in rounds])
        for name in ("action", "allowed", "propensities")
    )
    opens = calendar.week_start(np.arange(calendar.weeks))
    until = opens + np.timedelta64(7 * EFFECT_WEEKS, "D")
    done = action != actions.NONE
    ends = pa.array(np.r_[0, allowed.sum(axis=1).cumsum()], pa.int32())
    names = np.broadcast_to(_IDS, allowed.shape)[allowed]
    return pa.table(
        {
            "decision_id": decision_ids(world, person, week),
            "round_id": objects([f"round-{number:03d}" for number in range(calendar.weeks)])[week],
            "crm_id": text_array(held.crm_id[person, held.current(person, week)]),
            "decided_at": iso_z(opens)[week],
            "as_of": iso_z(opens.astype("M8[D]").astype("M8[us]"))[week],
            "policy_version": np.full(len(person), "random-1", dtype=object),
            "eligible_actions": pa.ListArray.from_arrays(ends, pa.array(names)),
            "logging_propensities": pa.ListArray.from_arrays(ends, pa.array(odds[allowed])),
            "action_id": _IDS[action],
            "channel": text_array(blank(_CHANNELS[action], done)),
            "arm": np.full(len(person), "explore", dtype=object),
            "cost": actions.COSTS[action] / 100,
            "sent_at": text_array(blank(iso_z(sent_at(world, person, week)), done)),
            "reward_until": iso_z(until)[week],
        }
    )
