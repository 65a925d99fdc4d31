"""The campaign log: JSON Lines of sends and answers, and of the randomised decisions behind them."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.synthetic import actions
from sintonia.synthetic.arrays import Ints, Texts, blank, hex_ids, objects
from sintonia.synthetic.clock import EFFECT_WEEKS, minutes
from sintonia.synthetic.journeys import ROUTINE, Round
from sintonia.synthetic.text import iso_z
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


def _current(world: World, person: Ints, week: Ints) -> tuple[Texts, Texts]:
    """Return the e-mail address and crm_id the brand uses for each person in each week."""
    held = world.registrations
    newer = ((held.week[person, 1] < week) & (held.online[person, 1] | ~held.online[person, 0])).astype(
        np.int64
    )
    return held.email[person, newer], held.crm_id[person, newer]


def _decision_ids(world: World, person: Ints, week: Ints) -> Texts:
    """Return one id per person and round."""
    return hex_ids(world.people.number[person] * 1024 + week, _SALT_DECISION, "D")


def _sent_at(world: World, person: Ints, week: Ints) -> pd.Series:
    """Return when a message left: some hours after dawn, the same moment wherever it is asked."""
    spread = (world.people.number[person] * 7919 + week * 104_729) % 360
    return world.calendar.week_start(week) + minutes(_SEND_HOURS * 60 + spread)


def _events(world: World, rng: np.random.Generator) -> pa.Table:
    """Return sends, opens, clicks, unsubscribes, redemptions and bounces (a name the contracts do not know)."""
    sends = world.journeys.sends
    n = len(sends.person)
    sent = pd.DataFrame(
        {
            "person": sends.person,
            "week": sends.week,
            "action": sends.action,
            "at": _sent_at(world, sends.person, sends.week),
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
    orders, calendar = world.orders, world.calendar
    used = np.flatnonzero(orders.coupon & (orders.web | orders.card))
    person, at = orders.person[used], orders.at[used]
    begin = [one.week for one in world.journeys.rounds]
    taken = np.array([one.action for one in world.journeys.rounds]).reshape(len(begin), len(world.people))
    which = np.searchsorted(calendar.week_start(np.array(begin, dtype=np.int64)), at, side="right") - 1
    return pd.DataFrame(
        {
            "person": person,
            "week": np.array(begin, dtype=np.int64)[which],
            "action": taken[which, person],
            "at": at,
            "type": "redeemed",
        }
    )


def _event_table(world: World, rows: pd.DataFrame) -> pa.Table:
    person, week, action = (rows[name].to_numpy() for name in ("person", "week", "action"))
    routine = action == ROUTINE
    channel = np.where(routine, "email", _CHANNELS[action])
    email, crm = _current(world, person, week)
    by_mail = channel == "email"
    campaign = objects(
        [
            f"monthly-{number:03d}" if old else f"round-{number:03d}"
            for number, old in zip(week.tolist(), routine.tolist(), strict=True)
        ]
    )
    return pa.table(
        {
            "event_id": hex_ids(world.numbers(len(rows)), _SALT_EVENT, "m"),
            "ts": iso_z(rows["at"].to_numpy()),
            "ingested_at": iso_z(rows["ingested"].to_numpy()),
            "type": rows["type"].to_numpy(dtype=object),
            "channel": pa.array(channel.astype(object)),
            "email": pa.array(blank(email, by_mail), pa.string()),
            "crm_id": pa.array(blank(crm, ~by_mail), pa.string()),
            "campaign": campaign,
            "action_id": pa.array(blank(_IDS[action], ~routine), pa.string()),
            "decision_id": pa.array(blank(_decision_ids(world, person, week), ~routine), pa.string()),
        }
    )


def _decisions(world: World) -> pa.Table:
    """Return the decisions of all rounds, one row per person and round."""
    parts = [_round_table(world, one) for one in world.journeys.rounds]
    return pa.concat_tables(parts)


def _round_table(world: World, one: Round) -> pa.Table:
    who = np.flatnonzero(one.decided)
    week, action = np.full(len(who), one.week), one.action[who]
    decided = world.calendar.week_start(week)
    odds, allowed = one.propensities[who], one.allowed[who]
    sent = np.where(action == actions.NONE, np.datetime64("NaT", "us"), _sent_at(world, who, week))
    offsets = pa.array(np.r_[0, allowed.sum(axis=1).cumsum()], pa.int32())
    names = np.broadcast_to(_IDS, allowed.shape)[allowed]
    return pa.table(
        {
            "decision_id": _decision_ids(world, who, week),
            "round_id": objects([f"round-{one.week:03d}"] * len(who)),
            "crm_id": pa.array(_current(world, who, week)[1], pa.string()),
            "decided_at": iso_z(decided),
            "as_of": iso_z(decided.astype("M8[D]").astype("M8[us]")),
            "policy_version": objects(["random-1"] * len(who)),
            "eligible_actions": pa.ListArray.from_arrays(offsets, pa.array(names)),
            "logging_propensities": pa.ListArray.from_arrays(offsets, pa.array(odds[allowed])),
            "action_id": _IDS[action],
            "channel": pa.array(
                [actions.ACTIONS[number].channel or None for number in action.tolist()], pa.string()
            ),
            "arm": objects(["explore"] * len(who)),
            "cost": actions.COSTS[action] / 100,
            "sent_at": pa.array(iso_z(sent), pa.string()),
            "reward_until": iso_z(decided + np.timedelta64(7 * EFFECT_WEEKS, "D")),
        }
    )
