"""The app: Parquet events under device ids, by clocks that go wrong, sent when there is a connection again."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Floats, Ints, Spans
from sintonia.synthetic import actions
from sintonia.synthetic.arrays import hex_ids, objects
from sintonia.synthetic.campaigns import decision_ids
from sintonia.synthetic.clock import minutes, rome_offset_minutes
from sintonia.synthetic.events import browsing, events, order_lines
from sintonia.synthetic.orders import PRIZES
from sintonia.synthetic.sessions import PUSHED, draw_sessions
from sintonia.synthetic.visits import ORDER
from sintonia.synthetic.world import SiloRows, World

_SALT_EVENT = 50
_NAMES = ("product_screen", "basket_add", "search")
_OFFLINE, _RESENT, _NAMELESS = 0.03, 0.012, 0.004
_DRIFTS, _WRONG_YEAR = 0.2, 0.004
_UNKNOWN_NAMES = objects(["app_background", "crash_report"])
_TIMES = ("device_time", "sent_at", "received_at")
_TYPES = {
    "event_id": pa.string(),
    "device_id": pa.string(),
    "account_id": pa.string(),
    "session": pa.string(),
    "event": pa.string(),
    "device_time": pa.timestamp("ms"),
    "sent_at": pa.timestamp("ms"),
    "received_at": pa.timestamp("ms"),
    "utc_offset": pa.int16(),
    "os": pa.string(),
    "product_id": pa.string(),
    "category": pa.string(),
    "quantity": pa.int32(),
    "value_cents": pa.int64(),
    "discount_cents": pa.int64(),
    "push_id": pa.string(),
    "push_action": pa.string(),
}


def app_events(world: World) -> SiloRows:
    """Return the events of one block in order of arrival.

    `device_time` and `sent_at` follow the device's clock, `received_at` the brand's: an event happened at
    device_time + (received_at - sent_at). Mess: clocks minutes fast or years wrong, batches sent days after, events
    sent twice, names nobody knows, devices a family shares, and guests who never log in.
    """
    rng = world.rng("app")
    sessions = draw_sessions(world, rng)
    parts = [
        events(np.arange(len(sessions)), 0, "app_open"),
        browsing(world, rng, sessions, _NAMES),
        _buying(world, rng, sessions),
        _pushed(world, sessions),
    ]
    rows = _mess(rng, _stamped(world, rng, pd.concat(parts, ignore_index=True), sessions))
    rows = rows[rows["received_at"] < world.calendar.end]
    rows = rows.sort_values(["received_at", "event_id"], ignore_index=True)
    columns = {name: pa.Array.from_pandas(_column(rows, name), type=kind) for name, kind in _TYPES.items()}
    return SiloRows({"app/events.parquet": pa.table(columns)}, {"device": _owners(sessions, rows)})


def _owners(sessions: pd.DataFrame, rows: pd.DataFrame) -> tuple[np.ndarray, Ints]:
    """Return the devices seen and whose they are: of a tablet, who first logged in on it, or else used it."""
    seen = sessions.iloc[np.unique(rows["visit"])]
    seen = seen.assign(unnamed=seen["account"].isna()).sort_values(["unnamed", "at"], kind="stable")
    seen = seen.drop_duplicates("device")
    return seen["device_id"].to_numpy(dtype=object), seen["person"].to_numpy()


def _buying(world: World, rng: np.random.Generator, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return a basket filled per order, a purchase per line, and points collectors pay with."""
    visit, line, bought = order_lines(world, sessions, ORDER)
    head = line == 0
    orders = sessions["ref"].to_numpy()[visit[head]]
    prized = visit[head][
        rng.random(len(orders)) < PRIZES * world.people.collector[world.orders.person[orders]]
    ]
    what = {name: bought[name] for name in ("product_id", "category", "quantity")}
    money = {"value_cents": bought["paid"], "discount_cents": bought["discount"]}
    return pd.concat(
        [
            events(
                visit[head],
                4,
                "basket_add",
                **{name: what[name][head] for name in ("product_id", "category")},
            ),
            events(visit, 7 + line, "purchase", **what, **money),
            events(prized, 6, "points_used"),
        ],
        ignore_index=True,
    )


def _pushed(world: World, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return the taps on push messages, each with the decision behind it."""
    who = np.flatnonzero(sessions["purpose"] == PUSHED)
    sends, ref = world.journeys.sends, sessions["ref"].to_numpy()[who]
    ids = decision_ids(world, sends.person[ref], sends.week[ref])
    return events(who, 0, "push_open", push_id=ids, push_action=actions.IDS[actions.POINTS_PUSH])


def _stamped(
    world: World, rng: np.random.Generator, rows: pd.DataFrame, sessions: pd.DataFrame
) -> pd.DataFrame:
    """Return the events with ids, devices and the three times, in order of session and step."""
    rows = rows.sort_values(["visit", "step"], kind="stable", ignore_index=True)
    visit, n = rows["visit"].to_numpy(), len(rows)
    at = sessions["at"].to_numpy()[visit] + minutes(0.5 * rows["step"].to_numpy())
    device = sessions["device"].to_numpy()
    offline = rng.random(len(sessions)) < _OFFLINE  # a whole session waits for a connection
    wait = np.where(offline, rng.uniform(60, 4 * 1440, len(sessions)), 1.0)[visit] + rng.exponential(0.5, n)
    received = at + minutes(wait)
    fast = _fast(rng, device)[visit]
    session = {
        name: sessions[name].to_numpy(dtype=object)[visit] for name in ("device_id", "session_id", "account")
    }
    return rows.assign(
        event_id=hex_ids(world.numbers(n), _SALT_EVENT, "p"),
        device_id=session["device_id"],
        account_id=session["account"],
        session=session["session_id"],
        device_time=at + fast,
        sent_at=received + fast,
        received_at=received,
        utc_offset=rome_offset_minutes(at),
        os=np.where(device[visit] % 3 == 0, "ios", "android"),
    )


def _fast(rng: np.random.Generator, device: Ints) -> Spans:
    """Return how far each session's device clock is ahead: one in five by minutes, few by years."""
    kinds, place = np.unique(device, return_inverse=True)
    drawn, by = rng.random(len(kinds)), rng.normal(0, 8, len(kinds))
    ahead: Floats = np.where(drawn < _DRIFTS, by, 0.0)
    ahead = np.where(drawn > 1 - _WRONG_YEAR, -20 * 365 * 1440.0, ahead)
    return minutes(ahead)[place]


def _mess(rng: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the events with those sent a second time and with names nobody knows."""
    again = rows[rng.random(len(rows)) < _RESENT]
    later = minutes(rng.exponential(900, len(again)) + 1)
    again = again.assign(sent_at=again["sent_at"] + later, received_at=again["received_at"] + later)
    opened = rows[rows["event"].eq("app_open")]
    odd = opened[rng.random(len(opened)) < _NAMELESS]
    odd = odd.assign(event=rng.choice(_UNKNOWN_NAMES, len(odd)), event_id=odd["event_id"] + "x")
    return pd.concat([rows, again, odd], ignore_index=True)


def _column(rows: pd.DataFrame, name: str) -> "pd.Series":
    return rows[name].astype("datetime64[ms]") if name in _TIMES else rows[name]
