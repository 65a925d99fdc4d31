"""Web analytics: visits to the site, and their events in Parquet under cookies, which log-ins link to accounts.

The app shares the events of browsing and of order lines, under names of its own.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Bools, Ints, Texts, Times
from sintonia.synthetic.arrays import (
    hex_ids,
    keep_where,
    object_array,
    permute_bits,
    rank_within,
    repeat_index,
)
from sintonia.synthetic.calendar import minutes, rome_offset_minutes
from sintonia.synthetic.catalogue import CATEGORY_OF_ITEM, ITEM_IDS
from sintonia.synthetic.crm import case_ids
from sintonia.synthetic.files import text_array
from sintonia.synthetic.journeys import CHAT, FORM, PRIZE_RATE, draw_local_hours
from sintonia.synthetic.world import SiloRows, World

BROWSE, ORDER, REGISTER, COMPLAIN, RETURN, REVIEW, OPEN_CHAT = range(7)
_MUST_LOG_IN = np.array([False, True, True, True, True, True, False])
_LOG_IN_RATE = 0.3
_LOGS_IN_ONCE = 0.99
_REVIEW_RATE = 0.06
_COOKIE_DAYS = 300
_ANONYMOUS_RATE = 0.2
_NO_COOKIE_RATE = 0.02
_SALT_SESSION, SALT_COOKIE = 11, 12
_FORM_MINUTES = 5


def draw_visits(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits in order of person and time.

    Columns: person (index in the block, negative for anonymous visitors), at, purpose, ref (the order or complaint it
    is about), account (None: has none yet), cookie, cookie_id, log_in, blocked (no cookie is recorded),
    session_id.
    """
    parts = [
        _visits_without_purpose(world, rng),
        _visits_with_purpose(world, rng),
        _anonymous_visits(world, rng),
    ]
    visits = pd.concat(parts, ignore_index=True).sort_values(["person", "at", "purpose"], ignore_index=True)
    person, at = visits["person"].to_numpy(), visits["at"].to_numpy()
    visits["account"] = newest_accounts(world, person, at)
    devices = _devices(world, rng, visits)
    visits["cookie"] = cookie_numbers(world, person, at, devices)
    visits["cookie_id"] = hex_ids(visits["cookie"].to_numpy(), SALT_COOKIE)
    visits["log_in"] = _visit_log_ins(rng, visits)
    visits["blocked"] = ~visits["log_in"] & (rng.random(len(visits)) < _NO_COOKIE_RATE)
    visits["session_id"] = hex_ids(world.numbers(len(visits)), _SALT_SESSION, "s")
    return visits


def _visit(person: Ints, at: Times, purpose: int, ref: Ints | int = -1) -> pd.DataFrame:
    return pd.DataFrame({"person": person, "at": at, "purpose": purpose, "ref": ref})


def _visits_without_purpose(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits to the site without a purpose."""
    return _visit(*idle_visits(world, rng, in_app=False), BROWSE)


def idle_visits(world: World, rng: np.random.Generator, in_app: bool) -> tuple[Ints, Times]:
    """Return person and time of visits without a purpose, in the app or on the site, more often for novelty seekers."""
    people, weeks = world.people, world.calendar.weeks
    share = people.in_app(np.arange(len(people))[:, None], np.arange(weeks)[None, :])
    rate = world.journeys.interest.browsing[:, :weeks] * (0.6 + 1.4 * people.novelty)[:, None]
    counts = rng.poisson(rate * (share if in_app else 1 - share))
    person, week = np.divmod(repeat_index(counts.ravel()), weeks)
    hours = draw_local_hours(rng, people.night[person], np.ones(len(person), dtype=bool))
    return person, world.calendar.moment(rng, week, hours)


def chat_visits_of_contacts(world: World) -> tuple[Ints, Ints, Times]:
    """Return the visits that open the chat: the index of the contact, the person and the time."""
    contacts = world.service.contacts
    chat = np.flatnonzero(contacts.channel == CHAT)
    return chat, contacts.person[chat], contacts.at[chat] - minutes(2)


def _visits_with_purpose(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits that order, register, complain, return or review, all logged in, or that chat.

    Orders of the app are returned and reviewed on the site.
    """
    orders, registrations, service = world.orders, world.registrations, world.service
    online, on_site = np.flatnonzero(orders.web), np.flatnonzero(orders.web & ~orders.app)
    returned = online[~np.isnat(orders.returned_at[online])]
    reviewed = online[rng.random(len(online)) < _REVIEW_RATE]
    review_delay = minutes(rng.uniform(3, 20, len(reviewed)) * 1440)
    person, registration = np.nonzero(registrations.exists & registrations.online & (registrations.week >= 0))
    form = np.flatnonzero(service.channels == FORM)
    chat, chat_person, chat_opened_at = chat_visits_of_contacts(world)
    parts = [
        _visit(orders.person[on_site], orders.at[on_site], ORDER, on_site),
        _visit(person, registrations.at[person, registration] - minutes(3), REGISTER),
        _visit(world.journeys.complaints.person[form], service.opened_at[form], COMPLAIN, form),
        _visit(chat_person, chat_opened_at, OPEN_CHAT, chat),
        _visit(orders.person[returned], orders.returned_at[returned], RETURN, returned),
        _visit(orders.person[reviewed], orders.at[reviewed] + review_delay, REVIEW, reviewed),
    ]
    return pd.concat(parts, ignore_index=True)


def _anonymous_visits(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits of people who never identify themselves, numbered from -1 down, one cookie each."""
    count, weeks = int(_ANONYMOUS_RATE * len(world.people)), world.calendar.weeks
    person = -1 - repeat_index(rng.integers(1, 4, count))
    first = rng.integers(0, weeks, count)[-1 - person]
    week = np.minimum(first + rng.integers(0, 3, len(person)), weeks - 1)
    return _visit(person, world.calendar.moment(rng, week, rng.uniform(8, 24, len(person))), BROWSE)


def newest_accounts(world: World, person: Ints, at: Times) -> Texts:
    """Return the newest account each person has at a time, or None."""
    registrations, person_index = world.registrations, np.maximum(person, 0)
    accounts = registrations.account_id[person_index]
    exists = registrations.exists[person_index] & registrations.online[person_index] & (person >= 0)[:, None]
    exists &= registrations.at[person_index] - minutes(_FORM_MINUTES) < at[:, None]
    newest = object_array([None] * len(person))
    for registration in (0, 1):
        newest[exists[:, registration]] = accounts[exists[:, registration], registration]
    return newest


def _devices(world: World, rng: np.random.Generator, visits: pd.DataFrame) -> Ints:
    """Return the device of each visit, 0 to 2: people have up to three, and chat on the first."""
    person_index, n = np.maximum(visits["person"].to_numpy(), 0), len(visits)
    devices = rng.integers(1, 4, len(world.people))[person_index]
    on_main_device = (visits["purpose"].to_numpy() == OPEN_CHAT) | (rng.random(n) < 0.65)
    return np.where(on_main_device, 0, rng.integers(0, 3, n) % devices)


def cookie_numbers(world: World, person: Ints, at: Times, device: Ints | int = 0) -> Ints:
    """Return cookie numbers: one per person, device and spell; a spell ends by age or with a second account.

    A second account comes with a new device, so that no cookie belongs to both accounts.
    """
    number = world.people.number[np.maximum(person, 0)]
    offset = permute_bits(number, SALT_COOKIE, bits=40) % _COOKIE_DAYS
    days = (at - world.calendar.start).astype("m8[D]").astype(np.int64) + offset
    spell = np.clip(days // _COOKIE_DAYS, 0, 7)
    cookie = ((number * 8 + spell) * 2 + has_second_account(world, person, at)) * 3 + device
    return np.where(person >= 0, cookie, (1 << 44) + (world.block << 20) - person)


def has_second_account(world: World, person: Ints, at: Times) -> Bools:
    """Return who has opened a second account by the time."""
    registrations, person_index = world.registrations, np.maximum(person, 0)
    both = (registrations.exists[person_index] & registrations.online[person_index]).all(axis=1)
    second: Bools = both & (at > registrations.at[person_index, 1] - minutes(_FORM_MINUTES))
    return second


def _visit_log_ins(rng: np.random.Generator, visits: pd.DataFrame) -> Bools:
    """Return which visits log in; 99 % of the cookies of account holders do so at least once."""
    has_account = visits["account"].notna()
    logs_in = has_account & (_MUST_LOG_IN[visits["purpose"]] | (rng.random(len(visits)) < _LOG_IN_RATE))
    never_logs_in = has_account & ~logs_in.groupby(visits["cookie"]).transform("any")
    first_visit = never_logs_in & ~visits["cookie"].where(never_logs_in).duplicated()
    log_in: Bools = (logs_in | (first_visit & (rng.random(len(visits)) < _LOGS_IN_ONCE))).to_numpy()
    return log_in


def event_rows(
    visit: Ints, step: Ints | int, event: Texts | str, **columns: Texts | str | float
) -> pd.DataFrame:
    """Return one row per event: its visit, its step within it, its name, and further columns."""
    return pd.DataFrame({"visit": visit, "step": step, "event": event, **columns})


def browsing_events(
    world: World, rng: np.random.Generator, visits: pd.DataFrame, names: tuple[str, str, str]
) -> pd.DataFrame:
    """Return views, abandoned baskets and searches, under these `names`, of visits without a purpose.

    Novelty seekers view and search more.
    """
    without_purpose = np.flatnonzero(visits["purpose"] == BROWSE)
    person = visits["person"].to_numpy()[without_purpose]
    novelty = np.where(person >= 0, world.people.novelty[np.maximum(person, 0)], 0.2)
    steps = 1 + rng.poisson(0.05 + 1.2 * novelty)
    visit = np.repeat(without_purpose, steps)
    search_rate = 0.04 + 0.5 * np.repeat(novelty, steps)
    view, cart, search = names
    event = np.where(rng.random(len(visit)) < 0.08, cart, view).astype(object)
    event[rng.random(len(visit)) < search_rate] = search
    item = rng.integers(0, len(ITEM_IDS), len(visit))
    product = keep_where(ITEM_IDS[item], event != search)
    return event_rows(
        visit, 2 + rank_within(visit), event, product_id=product, category=CATEGORY_OF_ITEM[item]
    )


def order_lines(world: World, visits: pd.DataFrame, purpose: int) -> tuple[Ints, Ints, dict[str, Texts]]:
    """Return visit, line number and content of each line of the orders of visits with this purpose.

    `paid` and `discount` are in cents.
    """
    visit_of_purpose = np.flatnonzero(visits["purpose"] == purpose)
    visit_of_order = np.full(len(world.orders), -1)
    visit_of_order[visits["ref"].to_numpy()[visit_of_purpose]] = visit_of_purpose
    visit = visit_of_order[world.lines.order]
    line = rank_within(world.lines.order)
    belongs, item = visit >= 0, world.lines.item
    bought = {
        "product_id": ITEM_IDS[item],
        "category": CATEGORY_OF_ITEM[item],
        "quantity": world.lines.quantity,
        "paid": world.lines.paid,
        "discount": world.lines.discount,
    }
    return visit[belongs], line[belongs], {name: values[belongs] for name, values in bought.items()}


_SALT_EVENT = 10
_DUPLICATED, _UNKNOWN_NAME, _NO_VALUE, _WRONG_YEAR, _LATE = 0.01, 0.004, 0.004, 0.0004, 0.02
_UNKNOWN_NAMES = object_array(["scroll_depth", "undefined", "heartbeat"])
_BROWSING_NAMES = ("page_view", "add_to_cart", "search")
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

    Errors: duplicated events, visits without a cookie, unknown event names, orders without a value, events dated
    2099, batches that arrive days late.
    """
    rng = world.rng("web")
    visits = draw_visits(world, rng)
    parts = [
        _login_events(visits),
        browsing_events(world, rng, visits, _BROWSING_NAMES),
        _order_events(world, rng, visits),
        _return_events(world, visits),
    ]
    parts += [_complaint_events(world, visits), _review_events(world, rng, visits), _help_page_views(visits)]
    rows = _with_errors(rng, _with_ids_and_times(world, rng, pd.concat(parts, ignore_index=True), visits))
    rows = rows[(rows["received_at"] < world.calendar.end) & (rows["at"] < world.calendar.end)]
    rows = rows.sort_values(["at", "event_id", "received_at"], ignore_index=True)
    visible = visits.iloc[np.unique(rows["visit"])]
    visible = visible[~visible["blocked"]].drop_duplicates("cookie")
    owners = (visible["cookie_id"].to_numpy(dtype=object), visible["person"].to_numpy())
    columns = {
        name: _column(rows[name], kind, rows["lost"] & (name == "order_value"))
        for name, kind in _TYPES.items()
    }
    return SiloRows({"web/events.parquet": pa.table(columns)}, {"cookie": owners})


def _login_events(visits: pd.DataFrame) -> pd.DataFrame:
    who = np.flatnonzero(visits["log_in"])
    return event_rows(who, 1, "login", account_id=visits["account"].to_numpy()[who])


def _in_euros(bought: dict[str, Texts]) -> dict[str, Texts]:
    """Return order lines with amounts in euros, as the tool logs them."""
    columns = {name: bought[name] for name in ("product_id", "category", "quantity")}
    return {**columns, "order_value": bought["paid"] / 100, "discount": bought["discount"] / 100}


def _order_events(world: World, rng: np.random.Generator, visits: pd.DataFrame) -> pd.DataFrame:
    """Return one basket event per order, one order event per line, and redemptions of points."""
    visit, line, bought = order_lines(world, visits, ORDER)
    first_line = line == 0
    orders = visits["ref"].to_numpy()[visit[first_line]]
    prize_probability = PRIZE_RATE * world.people.collector[world.orders.person[orders]]
    prize_visits = visit[first_line][rng.random(len(orders)) < prize_probability]
    product = {name: bought[name][first_line] for name in ("product_id", "category")}
    return pd.concat(
        [
            event_rows(visit[first_line], 5, "add_to_cart", **product),
            event_rows(visit, 8 + line, "order", **_in_euros(bought)),
            event_rows(prize_visits, 7, "redeem_points"),
        ],
        ignore_index=True,
    )


def _return_events(world: World, visits: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of returned orders: quantity and value negative, the discount 0."""
    visit, line, cents = order_lines(world, visits, RETURN)
    bought = _in_euros(cents)
    negated = {"quantity": -bought["quantity"], "order_value": -bought["order_value"]}
    return event_rows(visit, 2 + line, "return", **{**bought, **negated, "discount": 0 * bought["discount"]})


def _help_page_views(visits: pd.DataFrame) -> pd.DataFrame:
    """Return the page views from which people open the chat."""
    return event_rows(np.flatnonzero(visits["purpose"] == OPEN_CHAT), 1, "page_view")


def _complaint_events(world: World, visits: pd.DataFrame) -> pd.DataFrame:
    """Return complaint forms, under the id of the case that the CRM closes."""
    forms = np.flatnonzero(visits["purpose"] == COMPLAIN)
    return event_rows(forms, 9, "complaint_form", case_id=case_ids(world)[visits["ref"].to_numpy()[forms]])


def _review_events(world: World, rng: np.random.Generator, visits: pd.DataFrame) -> pd.DataFrame:
    """Return reviews: one or two stars with an open complaint, otherwise three to five."""
    reviews = np.flatnonzero(visits["purpose"] == REVIEW)
    has_open_case = _has_open_case(world, visits.iloc[reviews])
    stars = np.where(has_open_case, rng.integers(1, 3, len(reviews)), rng.integers(3, 6, len(reviews)))
    return event_rows(reviews, 9, "review", rating=stars.astype(np.float64))


def _has_open_case(world: World, visits: pd.DataFrame) -> Bools:
    """Return whether the person's latest complaint before the visit was still open in its week."""
    cases, person = world.journeys.complaints, visits["person"].to_numpy()
    week = (visits["at"].to_numpy() - world.calendar.start).astype("m8[W]").astype(np.int64)
    key = np.int64(1 << 20)
    order = np.argsort(cases.person * key + cases.week)
    case_keys = (cases.person * key + cases.week)[order]
    last = np.searchsorted(case_keys, person * key + week) - 1
    has_case = (
        (last >= 0) & (case_keys[last] // key == person)
        if len(case_keys)
        else np.zeros(len(visits), dtype=bool)
    )
    is_open: Bools = has_case.copy()
    is_open[has_case] = cases.closed[order[last[has_case]]] > week[has_case]
    return is_open


def _with_ids_and_times(
    world: World, rng: np.random.Generator, rows: pd.DataFrame, visits: pd.DataFrame
) -> pd.DataFrame:
    """Return the events with ids, times, cookies and UTC offsets, in order of visit and step."""
    rows = rows.sort_values(["visit", "step"], kind="stable", ignore_index=True)
    visit = rows["visit"].to_numpy()
    at = visits["at"].to_numpy()[visit] + minutes(0.7 * rows["step"].to_numpy())
    usual_delay, late_delay = rng.exponential(4, len(rows)), rng.uniform(1, 5, len(rows)) * 1440
    delay = minutes(np.where(rng.random(len(rows)) < _LATE, late_delay, usual_delay))
    cookie = visits["cookie_id"].to_numpy(dtype=object, copy=True)
    cookie[visits["blocked"].to_numpy()] = None
    return rows.assign(
        event_id=hex_ids(world.numbers(len(rows)), _SALT_EVENT, "e"),
        event_time=at,
        at=at,
        received_at=at + delay,
        session_id=visits["session_id"].to_numpy(dtype=object)[visit],
        cookie_id=cookie[visit],
        utc_offset=rome_offset_minutes(at),
    )


def _with_errors(rng: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the events with duplicates, unknown names, wrong years and lost order values."""
    lost = rows["event"].eq("order") & (rng.random(len(rows)) < _NO_VALUE)
    rows = rows.assign(order_value=rows["order_value"].mask(lost, np.nan), lost=lost)
    views = rows[rows["event"].eq("page_view")]
    duplicates = rows[rng.random(len(rows)) < _DUPLICATED]
    duplicates = duplicates.assign(
        received_at=duplicates["received_at"] + minutes(rng.exponential(600, len(duplicates)))
    )
    unknown = views[rng.random(len(views)) < _UNKNOWN_NAME]
    unknown = unknown.assign(
        event=rng.choice(_UNKNOWN_NAMES, len(unknown)), event_id=unknown["event_id"] + "x"
    )
    wrong_year = views[rng.random(len(views)) < _WRONG_YEAR]
    far_future = np.datetime64("2099-12-31T23:59:59", "us")
    wrong_year = wrong_year.assign(event_time=far_future, event_id=wrong_year["event_id"] + "z")
    return pd.concat([rows, duplicates, unknown, wrong_year], ignore_index=True)


def _column(values: pd.Series, kind: pa.DataType, lost: pd.Series) -> pa.Array:
    """Return one column; a value that does not apply is null, a lost value is NaN."""
    if kind == pa.string():
        return text_array(values)
    if kind == pa.float64():
        return pa.array(values.to_numpy(), kind, mask=(values.isna() & ~lost).to_numpy())
    return pa.Array.from_pandas(values, type=kind)
