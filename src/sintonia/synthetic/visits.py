"""Visits to the web site: who came, when, what for, on which cookie, and whether they logged in."""

import numpy as np
import pandas as pd

from sintonia.core.arrays import Bools, Ints, Texts, Times
from sintonia.synthetic.arrays import hex_ids, objects, repeat_index, shuffled
from sintonia.synthetic.clock import minutes
from sintonia.synthetic.orders import local_hours
from sintonia.synthetic.service import CHAT, FORM
from sintonia.synthetic.world import World

BROWSE, ORDER, REGISTER, COMPLAIN, RETURN, REVIEW, CHATS = range(7)
_MUST_LOG_IN = np.array([False, True, True, True, True, True, False])
_LOG_IN = 0.3
_ALMOST_ALL = 0.99
_REVIEWED = 0.06
_COOKIE_DAYS = 300
_STRANGERS = 0.2
_NO_COOKIE = 0.02
_SALT_SESSION, SALT_COOKIE = 11, 12
_FORM_MINUTES = 5


def draw_visits(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits in order of person and time.

    Columns: person (place in the block, negative for strangers), at, purpose, ref (the order or complaint it
    is about), account (None: has none yet), cookie, cookie_id, log_in, blocked (the cookie is not seen),
    session_id.
    """
    parts = [_browsing(world, rng), _purposes(world, rng), _strangers(world, rng)]
    visits = pd.concat(parts, ignore_index=True).sort_values(["person", "at", "purpose"], ignore_index=True)
    person, at = visits["person"].to_numpy(), visits["at"].to_numpy()
    visits["account"] = accounts(world, person, at)
    devices = _devices(world, rng, visits)
    visits["cookie"] = cookies(world, person, at, devices)
    visits["cookie_id"] = hex_ids(visits["cookie"].to_numpy(), SALT_COOKIE)
    visits["log_in"] = _visit_log_ins(rng, visits)
    visits["blocked"] = ~visits["log_in"] & (rng.random(len(visits)) < _NO_COOKIE)
    visits["session_id"] = hex_ids(world.numbers(len(visits)), _SALT_SESSION, "s")
    return visits


def _visit(person: Ints, at: Times, purpose: int, ref: Ints | int = -1) -> pd.DataFrame:
    return pd.DataFrame({"person": person, "at": at, "purpose": purpose, "ref": ref})


def _browsing(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits without a purpose to the site."""
    return _visit(*idle_visits(world, rng, in_app=False), BROWSE)


def idle_visits(world: World, rng: np.random.Generator, in_app: bool) -> tuple[Ints, Times]:
    """Return who comes without a purpose and when, in the app or to the site; the curious come more often."""
    people, weeks = world.people, world.calendar.weeks
    share = people.in_app(np.arange(len(people))[:, None], np.arange(weeks)[None, :])
    come = world.journeys.drift.browsing[:, :weeks] * (0.6 + 1.4 * people.novelty)[:, None]
    counts = rng.poisson(come * (share if in_app else 1 - share))
    person, week = np.divmod(repeat_index(counts.ravel()), weeks)
    hours = local_hours(rng, people.night[person], np.ones(len(person), dtype=bool))
    return person, world.calendar.moment(rng, week, hours)


def chat_visits(world: World) -> tuple[Ints, Ints, Times]:
    """Return the visits from which the site's chat is opened: the contact each is about, who comes and when."""
    contacts = world.service.contacts
    chat = np.flatnonzero(contacts.way == CHAT)
    return chat, contacts.person[chat], contacts.at[chat] - minutes(2)


def _purposes(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits that order, register, complain, send back or review, all of them logged in, or that chat.

    What the app sold is sent back and reviewed on the site.
    """
    orders, held, service = world.orders, world.registrations, world.service
    web, site = np.flatnonzero(orders.web), np.flatnonzero(orders.web & ~orders.app)
    back = web[~np.isnat(orders.returned_at[web])]
    reviewed = web[rng.random(len(web)) < _REVIEWED]
    later = minutes(rng.uniform(3, 20, len(reviewed)) * 1440)
    person, turn = np.nonzero(held.exists & held.online & (held.week >= 0))
    form = np.flatnonzero(service.ways == FORM)
    chat, talker, opened = chat_visits(world)
    parts = [
        _visit(orders.person[site], orders.at[site], ORDER, site),
        _visit(person, held.at[person, turn] - minutes(3), REGISTER),
        _visit(world.journeys.complaints.person[form], service.made[form], COMPLAIN, form),
        _visit(talker, opened, CHATS, chat),
        _visit(orders.person[back], orders.returned_at[back], RETURN, back),
        _visit(orders.person[reviewed], orders.at[reviewed] + later, REVIEW, reviewed),
    ]
    return pd.concat(parts, ignore_index=True)


def _strangers(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits of people who never tell who they are, numbered from -1 down, one cookie each."""
    count, weeks = int(_STRANGERS * len(world.people)), world.calendar.weeks
    person = -1 - repeat_index(rng.integers(1, 4, count))
    first = rng.integers(0, weeks, count)[-1 - person]
    week = np.minimum(first + rng.integers(0, 3, len(person)), weeks - 1)
    return _visit(person, world.calendar.moment(rng, week, rng.uniform(8, 24, len(person))), BROWSE)


def accounts(world: World, person: Ints, at: Times) -> Texts:
    """Return the account somebody would log in with at a time: the newest there is, or None."""
    held, own = world.registrations, np.maximum(person, 0)
    accounts = held.account_id[own]
    made = held.exists[own] & held.online[own] & (person >= 0)[:, None]
    made &= held.at[own] - minutes(_FORM_MINUTES) < at[:, None]
    newest = objects([None] * len(person))
    for turn in (0, 1):
        newest[made[:, turn]] = accounts[made[:, turn], turn]
    return newest


def _devices(world: World, rng: np.random.Generator, visits: pd.DataFrame) -> Ints:
    """Return the device of each visit, 0 to 2: people have up to three, and chat on the first."""
    own, n = np.maximum(visits["person"].to_numpy(), 0), len(visits)
    has = rng.integers(1, 4, len(world.people))[own]
    main = (visits["purpose"].to_numpy() == CHATS) | (rng.random(n) < 0.65)
    return np.where(main, 0, rng.integers(0, 3, n) % has)


def cookies(world: World, person: Ints, at: Times, device: Ints | int = 0) -> Ints:
    """Return cookie numbers: one per person, device and spell; a spell ends by age or with a second account.

    Whoever opens a second account has lost the first with the device: no cookie ever sees both.
    """
    number = world.people.number[np.maximum(person, 0)]
    offset = shuffled(number, SALT_COOKIE, bits=40) % _COOKIE_DAYS
    days = (at - world.calendar.start).astype("m8[D]").astype(np.int64) + offset
    spell = np.clip(days // _COOKIE_DAYS, 0, 7)
    cookie = ((number * 8 + spell) * 2 + second_account(world, person, at)) * 3 + device
    return np.where(person >= 0, cookie, (1 << 44) + (world.block << 20) - person)


def second_account(world: World, person: Ints, at: Times) -> Bools:
    """Return who has opened a second account by then."""
    held, own = world.registrations, np.maximum(person, 0)
    both = (held.exists[own] & held.online[own]).all(axis=1)
    second: Bools = both & (at > held.at[own, 1] - minutes(_FORM_MINUTES))
    return second


def _visit_log_ins(rng: np.random.Generator, visits: pd.DataFrame) -> Bools:
    """Return who logs in; nearly every cookie that could does so at least once."""
    can = visits["account"].notna()
    known = can & (_MUST_LOG_IN[visits["purpose"]] | (rng.random(len(visits)) < _LOG_IN))
    never = can & ~known.groupby(visits["cookie"]).transform("any")
    first = never & ~visits["cookie"].where(never).duplicated()
    logged: Bools = (known | (first & (rng.random(len(visits)) < _ALMOST_ALL))).to_numpy()
    return logged
