"""Web analytics: Parquet events under cookies, with log-ins that tie a cookie to an account."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Bools, Texts
from sintonia.synthetic.arrays import hex_ids, objects
from sintonia.synthetic.clock import minutes, rome_offset_minutes
from sintonia.synthetic.crm import case_ids
from sintonia.synthetic.events import browsing, events, order_lines
from sintonia.synthetic.orders import PRIZES
from sintonia.synthetic.text import text_array
from sintonia.synthetic.visits import CHATS, COMPLAIN, ORDER, RETURN, REVIEW, draw_visits
from sintonia.synthetic.world import SiloRows, World

_SALT_EVENT = 10
_RESENT, _NAMELESS, _NO_VALUE, _ABSURD, _LATE = 0.01, 0.004, 0.004, 0.0004, 0.02
_UNKNOWN_NAMES = objects(["scroll_depth", "undefined", "heartbeat"])
_NAMES = ("page_view", "add_to_cart", "search")
_UTC = pa.timestamp("us", tz="UTC")
_TYPES = {
    "event_id": pa.string(),
    "event_time": _UTC,
    "received_at": _UTC,
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


def web_events(world: World) -> SiloRows:
    """Return the events of one block in order of time; an event is known once received.

    Mess: events sent twice, visits without a cookie, names nobody knows, orders without a value, clocks in
    2099, batches that arrive days late.
    """
    rng = world.rng("web")
    visits = draw_visits(world, rng)
    parts = [
        _log_ins(visits),
        browsing(world, rng, visits, _NAMES),
        _buying(world, rng, visits),
        _returning(world, visits),
    ]
    parts += [_complaints(world, visits), _reviews(world, rng, visits), _help_pages(visits)]
    rows = _mess(rng, _stamped(world, rng, pd.concat(parts, ignore_index=True), visits))
    rows = rows[(rows["received_at"] < world.calendar.end) & (rows["at"] < world.calendar.end)]
    rows = rows.sort_values(["at", "event_id", "received_at"], ignore_index=True)
    seen = visits.iloc[np.unique(rows["visit"])]
    seen = seen[~seen["blocked"]].drop_duplicates("cookie")
    owners = (seen["cookie_id"].to_numpy(dtype=object), seen["person"].to_numpy())
    columns = {
        name: _column(rows[name], kind, rows["lost"] & (name == "order_value"))
        for name, kind in _TYPES.items()
    }
    return SiloRows({"web/events.parquet": pa.table(columns)}, {"cookie": owners})


def _log_ins(visits: pd.DataFrame) -> pd.DataFrame:
    who = np.flatnonzero(visits["log_in"])
    return events(who, 1, "login", account_id=visits["account"].to_numpy()[who])


def _euros(bought: dict[str, Texts]) -> dict[str, Texts]:
    """Return what was bought with its money in euros, as the tool has it."""
    rest = {name: bought[name] for name in ("product_id", "category", "quantity")}
    return {**rest, "order_value": bought["paid"] / 100, "discount": bought["discount"] / 100}


def _buying(world: World, rng: np.random.Generator, visits: pd.DataFrame) -> pd.DataFrame:
    """Return a basket filled per order, an order event per line, and points collectors pay with."""
    visit, line, bought = order_lines(world, visits, ORDER)
    head = line == 0
    orders = visits["ref"].to_numpy()[visit[head]]
    wants = PRIZES * world.people.collector[world.orders.person[orders]]
    prized = visit[head][rng.random(len(orders)) < wants]
    what = {name: bought[name][head] for name in ("product_id", "category")}
    return pd.concat(
        [
            events(visit[head], 5, "add_to_cart", **what),
            events(visit, 8 + line, "order", **_euros(bought)),
            events(prized, 7, "redeem_points"),
        ],
        ignore_index=True,
    )


def _returning(world: World, visits: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of orders sent back: quantity and value negative, the discount not written again."""
    visit, line, cents = order_lines(world, visits, RETURN)
    bought = _euros(cents)
    back = {"quantity": -bought["quantity"], "order_value": -bought["order_value"]}
    return events(visit, 2 + line, "return", **{**bought, **back, "discount": 0 * bought["discount"]})


def _help_pages(visits: pd.DataFrame) -> pd.DataFrame:
    """Return the page from which people open the chat."""
    return events(np.flatnonzero(visits["purpose"] == CHATS), 1, "page_view")


def _complaints(world: World, visits: pd.DataFrame) -> pd.DataFrame:
    """Return complaint forms under the case the CRM will close."""
    forms = np.flatnonzero(visits["purpose"] == COMPLAIN)
    return events(forms, 9, "complaint_form", case_id=case_ids(world)[visits["ref"].to_numpy()[forms]])


def _reviews(world: World, rng: np.random.Generator, visits: pd.DataFrame) -> pd.DataFrame:
    """Return reviews: one or two stars of those with an open complaint, three to five of the others."""
    reviews = np.flatnonzero(visits["purpose"] == REVIEW)
    angry = _has_open_case(world, visits.iloc[reviews])
    stars = np.where(angry, rng.integers(1, 3, len(reviews)), rng.integers(3, 6, len(reviews)))
    return events(reviews, 9, "review", rating=stars.astype(np.float64))


def _has_open_case(world: World, visits: pd.DataFrame) -> Bools:
    """Return whose latest complaint before the visit was still open in its week."""
    cases, person = world.journeys.complaints, visits["person"].to_numpy()
    week = (visits["at"].to_numpy() - world.calendar.start).astype("m8[W]").astype(np.int64)
    key = np.int64(1 << 20)
    order = np.argsort(cases.person * key + cases.week)
    made = (cases.person * key + cases.week)[order]
    last = np.searchsorted(made, person * key + week) - 1
    found = (last >= 0) & (made[last] // key == person) if len(made) else np.zeros(len(visits), dtype=bool)
    still: Bools = found.copy()
    still[found] = cases.closed[order[last[found]]] > week[found]
    return still


def _stamped(
    world: World, rng: np.random.Generator, rows: pd.DataFrame, visits: pd.DataFrame
) -> pd.DataFrame:
    """Return the events with ids, times, cookies and the customer's own clock, in order of visit and step."""
    rows = rows.sort_values(["visit", "step"], kind="stable", ignore_index=True)
    visit = rows["visit"].to_numpy()
    at = visits["at"].to_numpy()[visit] + minutes(0.7 * rows["step"].to_numpy())
    soon, late = rng.exponential(4, len(rows)), rng.uniform(1, 5, len(rows)) * 1440
    wait = minutes(np.where(rng.random(len(rows)) < _LATE, late, soon))
    cookie = visits["cookie_id"].to_numpy(dtype=object, copy=True)
    cookie[visits["blocked"].to_numpy()] = None
    return rows.assign(
        event_id=hex_ids(world.numbers(len(rows)), _SALT_EVENT, "e"),
        event_time=at,
        at=at,
        received_at=at + wait,
        session_id=visits["session_id"].to_numpy(dtype=object)[visit],
        cookie_id=cookie[visit],
        utc_offset=rome_offset_minutes(at),
    )


def _mess(rng: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the events with what goes wrong on the way: nothing is lost but the value of a few orders."""
    lost = rows["event"].eq("order") & (rng.random(len(rows)) < _NO_VALUE)
    rows = rows.assign(order_value=rows["order_value"].mask(lost, np.nan), lost=lost)
    views = rows[rows["event"].eq("page_view")]
    again = rows[rng.random(len(rows)) < _RESENT]
    again = again.assign(received_at=again["received_at"] + minutes(rng.exponential(600, len(again))))
    odd = views[rng.random(len(views)) < _NAMELESS]
    odd = odd.assign(event=rng.choice(_UNKNOWN_NAMES, len(odd)), event_id=odd["event_id"] + "x")
    absurd = views[rng.random(len(views)) < _ABSURD]
    far = np.datetime64("2099-12-31T23:59:59", "us")
    absurd = absurd.assign(event_time=far, event_id=absurd["event_id"] + "z")
    return pd.concat([rows, again, odd, absurd], ignore_index=True)


def _column(values: pd.Series, kind: pa.DataType, lost: pd.Series) -> pa.Array:
    """Return one column; a value an event has not is null, one the tool lost is NaN."""
    if kind == pa.string():
        return text_array(values)
    if kind == pa.float64():
        return pa.array(values.to_numpy(), kind, mask=(values.isna() & ~lost).to_numpy())
    return pa.Array.from_pandas(values, type=kind)
