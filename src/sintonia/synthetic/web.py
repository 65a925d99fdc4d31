"""Web analytics: Parquet events under cookies, with log-ins that tie a cookie to an account."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.synthetic.arrays import (
    Bools,
    Floats,
    Ints,
    Texts,
    Times,
    hex_ids,
    objects,
    rank_within,
    repeat_index,
)
from sintonia.synthetic.catalogue import CATEGORY_OF_ITEM, ITEM_IDS
from sintonia.synthetic.clock import minutes, rome_offset_minutes
from sintonia.synthetic.crm import SALT_CASE
from sintonia.synthetic.orders import local_hours
from sintonia.synthetic.world import SiloRows, World

_SALT_EVENT, _SALT_SESSION, _SALT_COOKIE = 10, 11, 12
_BROWSE, _ORDER, _REGISTER, _COMPLAIN, _RETURN, _REVIEW = range(6)
_MUST_LOG_IN = np.array([False, True, True, True, True, True])
_LOG_IN = 0.3
_COOKIE_DAYS = 300
_STRANGERS = 0.2
_NO_COOKIE, _RESENT, _NAMELESS, _NO_VALUE, _ABSURD, _LATE = 0.02, 0.01, 0.004, 0.004, 0.0004, 0.02
_UNKNOWN_NAMES = objects(["scroll_depth", "undefined", "heartbeat"])


def web_events(world: World) -> SiloRows:
    """Return the events of one block in order of time; an event is known once received.

    Mess: events sent twice, sessions without a cookie, names nobody knows, orders without a value, clocks in 2099,
    batches that arrive days late.
    """
    rng = world.rng("web")
    sessions = _sessions(world, rng)
    events = pd.concat(
        [
            _log_ins(sessions),
            _views(world, rng, sessions),
            _buys(world, sessions),
            _singles(world, rng, sessions),
        ],
        ignore_index=True,
    )
    events = _stamp(world, events, sessions)
    events = _mess(rng, events)
    events = events[(events["received_at"] < world.calendar.end) & (events["occurred"] < world.calendar.end)]
    events = events.sort_values(["occurred", "session", "step", "received_at"], ignore_index=True)
    seen = events["cookie_id"].dropna().unique()
    cookies = sessions.drop_duplicates("cookie_id").set_index("cookie_id").loc[seen]
    owners = (cookies.index.to_numpy(dtype=object), cookies["person"].to_numpy())
    return SiloRows({"web/events.parquet": _table(events)}, {"cookie": owners})


def _sessions(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits in order of person and time, with device, cookie and whether somebody logged in."""
    parts = [_browsing(world, rng), _purposes(world, rng), _strangers(world, rng)]
    sessions = pd.concat(parts, ignore_index=True).sort_values(["person", "at", "purpose"], ignore_index=True)
    person, at = sessions["person"].to_numpy(), sessions["at"].to_numpy()
    sessions["account"] = _accounts(world, person, at)
    sessions["cookie"] = _cookies(world, rng, person, at)
    has_account = sessions["account"].notna().to_numpy()
    known = has_account & (_MUST_LOG_IN[sessions["purpose"]] | (rng.random(len(sessions)) < _LOG_IN))
    sessions["log_in"] = _at_least_once(rng, sessions["cookie"].to_numpy(), has_account, known)
    number = world.numbers(len(sessions))
    sessions["session_id"] = hex_ids(number, _SALT_SESSION, "s")
    cookie_id = hex_ids(sessions["cookie"].to_numpy(), _SALT_COOKIE)
    sessions["blocked"] = ~sessions["log_in"] & (rng.random(len(sessions)) < _NO_COOKIE)
    sessions["cookie_id"] = cookie_id
    return sessions


def _visit(person: Ints, at: Times, purpose: int, ref: Ints | int = -1) -> pd.DataFrame:
    return pd.DataFrame({"person": person, "at": at, "purpose": purpose, "ref": ref})


def _browsing(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits without a purpose; the curious come more often."""
    rate = (
        world.journeys.drift.browsing[:, : world.calendar.weeks] * (0.6 + 1.4 * world.people.novelty)[:, None]
    )
    counts = rng.poisson(rate)
    person, week = np.divmod(repeat_index(counts.ravel()), counts.shape[1])
    hours = local_hours(rng, world.people.night[person], np.ones(len(person), dtype=bool))
    return _visit(person, world.calendar.moment(rng, week, hours), _BROWSE)


def _purposes(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits that order, register, complain, send back or review: all of them logged in."""
    orders, held, cases = world.orders, world.registrations, world.journeys.complaints
    web = np.flatnonzero(orders.web)
    back = web[~np.isnat(orders.returned_at[web])]
    reviewed = web[rng.random(len(web)) < 0.06]
    person, turn = np.nonzero(held.exists & held.online & (held.week >= 0))
    by_form = np.flatnonzero(world.people.account_from[cases.person] < cases.week)
    form_at = world.calendar.moment(rng, cases.week[by_form], rng.uniform(8, 23, len(by_form)))
    later = minutes(rng.uniform(3, 20, len(reviewed)) * 1440)
    parts = [
        _visit(orders.person[web], orders.at[web], _ORDER, web),
        _visit(person, held.at[person, turn] - np.timedelta64(3, "m"), _REGISTER),
        _visit(cases.person[by_form], form_at, _COMPLAIN, by_form),
        _visit(orders.person[back], orders.returned_at[back], _RETURN, back),
        _visit(orders.person[reviewed], orders.at[reviewed] + later, _REVIEW, reviewed),
    ]
    return pd.concat(parts, ignore_index=True)


def _strangers(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits of people who never tell who they are, numbered from -1 down, one cookie each."""
    count = int(_STRANGERS * len(world.people))
    person = -1 - repeat_index(rng.integers(1, 4, count))
    begin = rng.integers(0, world.calendar.weeks, count)[-1 - person]
    week = np.minimum(begin + rng.integers(0, 3, len(person)), world.calendar.weeks - 1)
    return _visit(person, world.calendar.moment(rng, week, rng.uniform(8, 24, len(person))), _BROWSE)


def _accounts(world: World, person: Ints, at: Times) -> Texts:
    """Return the account somebody would log in with at a time: the newest there is, or None."""
    held, own = world.registrations, np.maximum(person, 0)
    accounts, made = held.account_id[own], held.at[own] - np.timedelta64(5, "m")
    ready = (accounts != None) & (made < at[:, None]) & (person >= 0)[:, None]  # noqa: E711 (elementwise)
    return np.where(ready[:, 1], accounts[:, 1], np.where(ready[:, 0], accounts[:, 0], None))


def _cookies(world: World, rng: np.random.Generator, person: Ints, at: Times) -> Ints:
    """Return cookie numbers: one per person, device and spell; a spell ends by age, or with a second account."""
    held, own = world.registrations, np.maximum(person, 0)
    devices = rng.integers(1, 4, len(world.people))
    device = np.where(rng.random(len(person)) < 0.65, 0, rng.integers(0, 3, len(person)) % devices[own])
    age = (at - world.calendar.start).astype("m8[D]").astype(np.int64) + rng.integers(
        0, _COOKIE_DAYS, len(world.people)
    )[own]
    spell = np.clip(age // _COOKIE_DAYS, 0, 7)
    two_accounts = (held.account_id[own] != None).all(axis=1)  # noqa: E711
    second = two_accounts & (at > held.at[own, 1] - np.timedelta64(5, "m"))
    cookie = ((world.people.number[own] * 8 + spell) * 2 + second) * 3 + device
    return np.where(person >= 0, cookie, (1 << 44) + (world.block << 20) - person)


def _at_least_once(rng: np.random.Generator, cookie: Ints, possible: Bools, known: Bools) -> Bools:
    """Return the log-ins with one more for nearly every cookie of an account's owner that would have none."""
    frame = pd.DataFrame({"cookie": cookie, "possible": possible, "known": known})
    never = ~frame.groupby("cookie")["known"].transform("any") & frame["possible"]
    first = never & ~frame[never].duplicated("cookie").reindex(frame.index, fill_value=True)
    added: Bools = known | (first.to_numpy() & (rng.random(len(cookie)) < 0.99))
    return added


def _events(
    session: Ints, step: Ints | int, name: Texts | str, **more: Texts | Ints | Floats
) -> pd.DataFrame:
    return pd.DataFrame({"session": session, "step": step, "event": name, **more})


def _log_ins(sessions: pd.DataFrame) -> pd.DataFrame:
    who = np.flatnonzero(sessions["log_in"])
    return _events(who, 1, "login", account_id=sessions["account"].to_numpy()[who])


def _views(world: World, rng: np.random.Generator, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return pages seen, searches made and baskets left standing, on visits without a purpose."""
    idle = np.flatnonzero(sessions["purpose"] == _BROWSE)
    curious = np.where(sessions["person"] >= 0, world.people.novelty[np.maximum(sessions["person"], 0)], 0.2)
    session = np.repeat(idle, 1 + rng.poisson(0.6 + curious[idle]))
    name = rng.choice(objects(["page_view", "search", "add_to_cart"]), len(session), p=[0.78, 0.14, 0.08])
    item = rng.integers(0, len(ITEM_IDS), len(session))
    product = np.where(name == "search", None, ITEM_IDS[item])
    return _events(
        session, 2 + rank_within(session), name, product_id=product, category=CATEGORY_OF_ITEM[item]
    )


def _buys(world: World, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return each order line's view, basket and order; and the lines of orders sent back, negative."""
    lines, parts = world.lines, []
    for purpose, steps, sign in (
        (_ORDER, ("page_view", "add_to_cart", "order"), 1),
        (_RETURN, ("return",), -1),
    ):
        who = np.flatnonzero(sessions["purpose"] == purpose)
        place = np.full(len(world.orders), -1)
        place[sessions["ref"].to_numpy()[who]] = who
        mine = np.flatnonzero(place[lines.order] >= 0)
        session = place[lines.order[mine]]
        what = {"product_id": ITEM_IDS[lines.item[mine]], "category": CATEGORY_OF_ITEM[lines.item[mine]]}
        rank = rank_within(lines.order[mine])
        for number, name in enumerate(steps):
            money = {}
            if name in ("order", "return"):
                money = {
                    "quantity": sign * lines.quantity[mine],
                    "order_value": sign * lines.paid[mine] / 100,
                    "discount": lines.discount[mine] / 100 * (sign > 0),
                }
            parts.append(_events(session, 2 + 30 * number + rank, name, **what, **money))
    return pd.concat(parts, ignore_index=True)


def _singles(world: World, rng: np.random.Generator, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return complaint forms under their case, and reviews: stars fall while a complaint of theirs is open."""
    number = hex_ids(world.numbers(len(world.journeys.complaints.person)), SALT_CASE, "K")
    forms = np.flatnonzero(sessions["purpose"] == _COMPLAIN)
    reviews = np.flatnonzero(sessions["purpose"] == _REVIEW)
    case = number[sessions["ref"].to_numpy()[forms]]
    stars = np.where(
        _open_case(world, sessions.iloc[reviews]),
        rng.integers(1, 3, len(reviews)),
        rng.integers(3, 6, len(reviews)),
    )
    return pd.concat(
        [
            _events(forms, 9, "complaint_form", case_id=case),
            _events(reviews, 9, "review", rating=stars.astype(float)),
        ],
        ignore_index=True,
    )


def _open_case(world: World, visits: pd.DataFrame) -> Bools:
    cases, calendar = world.journeys.complaints, world.calendar
    last = pd.DataFrame({"person": cases.person, "week": cases.week, "closed": cases.closed}).drop_duplicates(
        "person", keep="last"
    )
    joined = (
        visits[["person", "at"]].merge(last, on="person", how="left").fillna({"week": 1 << 20, "closed": -1})
    )
    week = (joined["at"].to_numpy() - calendar.start).astype("m8[W]").astype(np.int64)
    return (week > joined["week"].to_numpy()) & (week < joined["closed"].to_numpy())


def _stamp(world: World, events: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return the events with ids, times, cookies and the customer's own clock."""
    rng = world.rng("web clock")
    events = events.sort_values(["session", "step"], ignore_index=True)
    visit = sessions.iloc[events["session"]]
    at = visit["at"].to_numpy() + minutes(0.7 * events["step"].to_numpy())
    wait = np.where(
        rng.random(len(events)) < _LATE,
        rng.uniform(1, 5, len(events)) * 1440,
        rng.exponential(4, len(events)),
    )
    cookie = np.where(visit["blocked"], None, visit["cookie_id"].to_numpy(dtype=object))
    return events.assign(
        event_id=hex_ids(world.numbers(len(events)), _SALT_EVENT, "e"),
        event_time=at,
        occurred=at,
        received_at=at + minutes(wait),
        session_id=visit["session_id"].to_numpy(dtype=object),
        cookie_id=cookie,
        utc_offset=rome_offset_minutes(at),
    )


def _mess(rng: np.random.Generator, events: pd.DataFrame) -> pd.DataFrame:
    """Return the events with what goes wrong on the way: nothing is lost but the value of a few orders."""
    ordered = events["event"].eq("order")
    lost = ordered & (rng.random(len(events)) < _NO_VALUE)
    events = events.assign(order_value=events["order_value"].mask(lost, np.nan))
    views = events[events["event"].eq("page_view")]
    again = events[rng.random(len(events)) < _RESENT]
    again = again.assign(received_at=again["received_at"] + minutes(rng.exponential(600, len(again))))
    odd = views[rng.random(len(views)) < _NAMELESS]
    odd = odd.assign(event=rng.choice(_UNKNOWN_NAMES, len(odd)), event_id=odd["event_id"] + "x")
    absurd = views[rng.random(len(views)) < max(_ABSURD, 2 / max(1, len(views)))]
    absurd = absurd.assign(
        event_time=np.datetime64("2099-12-31T23:59:59", "us"), event_id=absurd["event_id"] + "z"
    )
    return pd.concat([events, again, odd, absurd], ignore_index=True)


def _table(events: pd.DataFrame) -> pa.Table:
    """Return the events as the analytics tool stores them."""
    times = pa.timestamp("us", tz="UTC")
    types = {
        "event_id": pa.string(),
        "event_time": times,
        "received_at": times,
        "session_id": pa.string(),
        "cookie_id": pa.string(),
        "account_id": pa.string(),
        "event": pa.string(),
        "product_id": pa.string(),
        "category": pa.string(),
        "quantity": pa.int64(),
        "order_value": pa.float64(),
        "discount": pa.float64(),
        "rating": pa.float64(),
        "case_id": pa.string(),
        "utc_offset": pa.int16(),
    }
    return pa.table({name: _column(events[name], kind) for name, kind in types.items()})


def _column(values: pd.Series, kind: pa.DataType) -> pa.Array:
    if kind == pa.float64():  # NaN is a value the tool lost, null a column the event has not
        is_null = values.isna()
        return pa.array(values.to_numpy(), kind, mask=is_null.to_numpy())
    if kind == pa.string():
        return pa.array(values.to_numpy(dtype=object, na_value=None), kind)
    return pa.array(values, kind)
