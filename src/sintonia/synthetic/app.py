"""The app: sessions, and their events in Parquet under device ids, with wrong clocks and late uploads."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Bools, Floats, Ints, Spans
from sintonia.synthetic import actions
from sintonia.synthetic.arrays import hex_ids, object_array, permute_bits
from sintonia.synthetic.calendar import minutes, rome_offset_minutes
from sintonia.synthetic.campaigns import decision_ids, sent_at
from sintonia.synthetic.journeys import PRIZE_RATE
from sintonia.synthetic.web import (
    BROWSE,
    ORDER,
    browsing_events,
    event_rows,
    has_second_account,
    idle_visits,
    newest_accounts,
    order_lines,
)
from sintonia.synthetic.world import SiloRows, World

FROM_PUSH = 10
"""The purpose of a session that a push message opened; all other purposes are those of visits."""

SALT_DEVICE = 51
_SALT_SESSION = 52
_LOG_IN_RATE = 0.5
_DEVICE_DAYS = 600
_PUSH_OPEN_RATE = 0.04
_SHARED, _ON_TABLET = 0.3, 0.35
_ANONYMOUS_RATE = 0.05
_FIRST_ANONYMOUS = 1 << 21
"""Anonymous users of the app are numbered from here, apart from those of all other silos."""


def draw_sessions(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return sessions in order of person and time.

    Columns: person (index in the block, negative for anonymous users), at, purpose, ref (the index of its order,
    or of its message), device, device_id, owner (whose the device is), account (None: not logged in), session_id.
    """
    parts = [
        _sessions_without_purpose(world, rng),
        _order_sessions(world),
        _pushed_sessions(world, rng),
        _anonymous_sessions(world, rng),
    ]
    sessions = pd.concat(parts, ignore_index=True).sort_values(["person", "at", "purpose"], ignore_index=True)
    person, at = sessions["person"].to_numpy(), sessions["at"].to_numpy()
    sessions["owner"] = _app_owners(world, rng, person)
    sessions["device"] = _devices(world, sessions)
    sessions["device_id"] = hex_ids(sessions["device"].to_numpy(), SALT_DEVICE)
    logged = _logged_in(world, rng, sessions)
    sessions["account"] = np.where(logged, newest_accounts(world, person, at), object_array([None]))
    sessions["session_id"] = hex_ids(world.numbers(len(sessions)), _SALT_SESSION, "a")
    return sessions


def _session(person: Ints, at: "pd.Series | np.ndarray", purpose: int, ref: Ints | int = -1) -> pd.DataFrame:
    return pd.DataFrame({"person": person, "at": at, "purpose": purpose, "ref": ref})


def _sessions_without_purpose(world: World, rng: np.random.Generator) -> pd.DataFrame:
    return _session(*idle_visits(world, rng, in_app=True), BROWSE)


def _order_sessions(world: World) -> pd.DataFrame:
    in_app = np.flatnonzero(world.orders.app)
    return _session(world.orders.person[in_app], world.orders.at[in_app], ORDER, in_app)


def _pushed_sessions(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return the sessions that a push message opened, more often those of collectors, where the app is installed."""
    sends, people = world.journeys.sends, world.people
    push = np.flatnonzero(sends.action == actions.POINTS_PUSH)
    person, week = sends.person[push], sends.week[push]
    installed = (people.in_app(person, week) > 0) & ~people.app_guest[person]
    opened = installed & (rng.random(len(push)) < _PUSH_OPEN_RATE + 0.5 * people.collector[person])
    at = sent_at(world, person, week) + minutes(rng.exponential(150, len(push)) + 1)
    return _session(person[opened], at[opened], FROM_PUSH, push[opened])


def _anonymous_sessions(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return the sessions of people who never identify themselves."""
    count = max(1, int(_ANONYMOUS_RATE * len(world.people)))
    person = -_FIRST_ANONYMOUS - np.repeat(np.arange(count), rng.integers(1, 4, count))
    week = rng.integers(0, world.calendar.weeks, len(person))
    return _session(person, world.calendar.moment(rng, week, rng.uniform(8, 24, len(person))), BROWSE)


def _app_owners(world: World, rng: np.random.Generator, person: Ints) -> Ints:
    """Return the owner of the device of each session: the person, or the household for a tablet.

    A tablet belongs to the first of two people in a household who both have the app.
    """
    people, details = world.people, world.personal_details
    with_app = (people.app_share > 0) & ~people.app_guest
    previous = np.arange(len(people)) - 1
    same_household = (
        (details.street == details.street[previous])
        & (details.last_name == details.last_name[previous])
        & (previous >= 0)
    )
    shares = same_household & with_app & with_app[previous] & (rng.random(len(people)) < _SHARED)
    tablet_of = np.where(shares, previous, -1)
    tablet_of[previous[shares]] = previous[shares]
    tablet = tablet_of[np.maximum(person, 0)]
    on_tablet = (person >= 0) & (tablet >= 0) & (rng.random(len(person)) < _ON_TABLET)
    return np.where(on_tablet, tablet + len(people), person)


def _devices(world: World, sessions: pd.DataFrame) -> Ints:
    """Return device numbers: one per person and spell, or a tablet; a second account comes with a new device."""
    n, owner = len(world.people), sessions["owner"].to_numpy()
    at, tablet = sessions["at"].to_numpy(), owner >= n
    number = world.people.number[np.maximum(owner, 0) % n]
    days = (at - world.calendar.start).astype("m8[D]").astype(np.int64)
    spell = (days + permute_bits(number, SALT_DEVICE, bits=40) % _DEVICE_DAYS) // _DEVICE_DAYS
    own_device = (number * 8 + np.clip(spell, 0, 7)) * 2 + has_second_account(world, owner % n, at)
    device = np.where(tablet, (1 << 44) + number, own_device)
    return np.where(owner < 0, (1 << 45) + (world.block << 24) - owner, device)


def _logged_in(world: World, rng: np.random.Generator, sessions: pd.DataFrame) -> Bools:
    """Return which sessions are under an account: an order requires it, and a login lasts."""
    person = sessions["person"].to_numpy()
    guest = (person < 0) | world.people.app_guest[np.maximum(person, 0)]
    logs_in = ~guest & (
        sessions["purpose"].ne(BROWSE).to_numpy() | (rng.random(len(sessions)) < _LOG_IN_RATE)
    )
    logged: Bools = sessions.assign(now=logs_in).groupby(["person", "device"])["now"].cummax().to_numpy()
    return logged


_SALT_EVENT = 50
_BROWSING_NAMES = ("product_screen", "basket_add", "search")
_OFFLINE, _DUPLICATED, _UNKNOWN_NAME = 0.03, 0.012, 0.004
_CLOCK_DRIFTS, _WRONG_YEAR = 0.2, 0.004
_UNKNOWN_NAMES = object_array(["app_background", "crash_report"])
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
    device_time + (received_at - sent_at). Errors: clocks minutes fast or years wrong, late batches, duplicated
    events, unknown event names, devices shared in a household, and guests who never log in.
    """
    rng = world.rng("app")
    sessions = draw_sessions(world, rng)
    parts = [
        event_rows(np.arange(len(sessions)), 0, "app_open"),
        browsing_events(world, rng, sessions, _BROWSING_NAMES),
        _purchase_events(world, rng, sessions),
        _push_open_events(world, sessions),
    ]
    rows = _with_errors(rng, _with_ids_and_times(world, rng, pd.concat(parts, ignore_index=True), sessions))
    rows = rows[rows["received_at"] < world.calendar.end]
    rows = rows.sort_values(["received_at", "event_id"], ignore_index=True)
    columns = {name: pa.Array.from_pandas(_column(rows, name), type=kind) for name, kind in _TYPES.items()}
    return SiloRows({"app/events.parquet": pa.table(columns)}, {"device": _owners(sessions, rows)})


def _owners(sessions: pd.DataFrame, rows: pd.DataFrame) -> tuple[np.ndarray, Ints]:
    """Return devices and their owners; a tablet belongs to the first person who logged in on it, or else used it."""
    visible = sessions.iloc[np.unique(rows["visit"])]
    visible = visible.assign(unnamed=visible["account"].isna()).sort_values(["unnamed", "at"], kind="stable")
    visible = visible.drop_duplicates("device")
    return visible["device_id"].to_numpy(dtype=object), visible["person"].to_numpy()


def _purchase_events(world: World, rng: np.random.Generator, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return one basket event per order, one purchase per line, and redemptions of points."""
    visit, line, bought = order_lines(world, sessions, ORDER)
    first_line = line == 0
    orders = sessions["ref"].to_numpy()[visit[first_line]]
    prize_visits = visit[first_line][
        rng.random(len(orders)) < PRIZE_RATE * world.people.collector[world.orders.person[orders]]
    ]
    product = {name: bought[name] for name in ("product_id", "category", "quantity")}
    money = {"value_cents": bought["paid"], "discount_cents": bought["discount"]}
    return pd.concat(
        [
            event_rows(
                visit[first_line],
                4,
                "basket_add",
                **{name: product[name][first_line] for name in ("product_id", "category")},
            ),
            event_rows(visit, 7 + line, "purchase", **product, **money),
            event_rows(prize_visits, 6, "points_used"),
        ],
        ignore_index=True,
    )


def _push_open_events(world: World, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return the opened push messages, each with its decision."""
    session = np.flatnonzero(sessions["purpose"] == FROM_PUSH)
    sends, ref = world.journeys.sends, sessions["ref"].to_numpy()[session]
    ids = decision_ids(world, sends.person[ref], sends.week[ref])
    return event_rows(session, 0, "push_open", push_id=ids, push_action=actions.IDS[actions.POINTS_PUSH])


def _with_ids_and_times(
    world: World, rng: np.random.Generator, rows: pd.DataFrame, sessions: pd.DataFrame
) -> pd.DataFrame:
    """Return the events with ids, devices and the three times, in order of session and step."""
    rows = rows.sort_values(["visit", "step"], kind="stable", ignore_index=True)
    visit, n = rows["visit"].to_numpy(), len(rows)
    at = sessions["at"].to_numpy()[visit] + minutes(0.5 * rows["step"].to_numpy())
    device = sessions["device"].to_numpy()
    offline = rng.random(len(sessions)) < _OFFLINE  # the session is sent when there is a connection again
    delay = np.where(offline, rng.uniform(60, 4 * 1440, len(sessions)), 1.0)[visit] + rng.exponential(0.5, n)
    received = at + minutes(delay)
    clock_error = _clock_errors(rng, device)[visit]
    session = {
        name: sessions[name].to_numpy(dtype=object)[visit] for name in ("device_id", "session_id", "account")
    }
    return rows.assign(
        event_id=hex_ids(world.numbers(n), _SALT_EVENT, "p"),
        device_id=session["device_id"],
        account_id=session["account"],
        session=session["session_id"],
        device_time=at + clock_error,
        sent_at=received + clock_error,
        received_at=received,
        utc_offset=rome_offset_minutes(at),
        os=np.where(device[visit] % 3 == 0, "ios", "android"),
    )


def _clock_errors(rng: np.random.Generator, device: Ints) -> Spans:
    """Return by how much the clock of each session's device is ahead: 20 % by minutes, 0.4 % by years."""
    devices, device_index = np.unique(device, return_inverse=True)
    draw, drift = rng.random(len(devices)), rng.normal(0, 8, len(devices))
    minutes_ahead: Floats = np.where(draw < _CLOCK_DRIFTS, drift, 0.0)
    minutes_ahead = np.where(draw > 1 - _WRONG_YEAR, -20 * 365 * 1440.0, minutes_ahead)
    return minutes(minutes_ahead)[device_index]


def _with_errors(rng: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the events with duplicates and unknown names."""
    duplicates = rows[rng.random(len(rows)) < _DUPLICATED]
    delay = minutes(rng.exponential(900, len(duplicates)) + 1)
    duplicates = duplicates.assign(
        sent_at=duplicates["sent_at"] + delay, received_at=duplicates["received_at"] + delay
    )
    app_opens = rows[rows["event"].eq("app_open")]
    unknown = app_opens[rng.random(len(app_opens)) < _UNKNOWN_NAME]
    unknown = unknown.assign(
        event=rng.choice(_UNKNOWN_NAMES, len(unknown)), event_id=unknown["event_id"] + "x"
    )
    return pd.concat([rows, duplicates, unknown], ignore_index=True)


def _column(rows: pd.DataFrame, name: str) -> "pd.Series":
    return rows[name].astype("datetime64[ms]") if name in _TIMES else rows[name]
