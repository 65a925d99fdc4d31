"""Visits to the web site: who came, when, what for, on which cookie, and whether they logged in."""

import numpy as np
import pandas as pd

from sintonia.synthetic.arrays import Bools, Ints, Texts, Times, hex_ids, objects, repeat_index
from sintonia.synthetic.clock import minutes
from sintonia.synthetic.orders import local_hours
from sintonia.synthetic.world import World

BROWSE, ORDER, REGISTER, COMPLAIN, RETURN, REVIEW = range(6)
_MUST_LOG_IN = np.array([False, True, True, True, True, True])
_LOG_IN = 0.3
_ALMOST_ALL = 0.99
_REVIEWED = 0.06
_COOKIE_DAYS = 300
_STRANGERS = 0.2
_NO_COOKIE = 0.02
_SALT_SESSION, _SALT_COOKIE = 11, 12
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
    visits["account"] = _accounts(world, person, at)
    visits["cookie"] = _cookies(world, rng, person, at)
    visits["cookie_id"] = hex_ids(visits["cookie"].to_numpy(), _SALT_COOKIE)
    visits["log_in"] = _log_ins(rng, visits)
    visits["blocked"] = ~visits["log_in"] & (rng.random(len(visits)) < _NO_COOKIE)
    visits["session_id"] = hex_ids(world.numbers(len(visits)), _SALT_SESSION, "s")
    return visits


def _visit(person: Ints, at: Times, purpose: int, ref: Ints | int = -1) -> pd.DataFrame:
    return pd.DataFrame({"person": person, "at": at, "purpose": purpose, "ref": ref})


def _browsing(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits without a purpose; the curious come more often."""
    weeks, curious = world.calendar.weeks, 0.6 + 1.4 * world.people.novelty
    counts = rng.poisson(world.journeys.drift.browsing[:, :weeks] * curious[:, None])
    person, week = np.divmod(repeat_index(counts.ravel()), weeks)
    hours = local_hours(rng, world.people.night[person], np.ones(len(person), dtype=bool))
    return _visit(person, world.calendar.moment(rng, week, hours), BROWSE)


def _purposes(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return visits that order, register, complain, send back or review: all of them logged in."""
    orders, held, cases = world.orders, world.registrations, world.journeys.complaints
    web = np.flatnonzero(orders.web)
    back = web[~np.isnat(orders.returned_at[web])]
    reviewed = web[rng.random(len(web)) < _REVIEWED]
    later = minutes(rng.uniform(3, 20, len(reviewed)) * 1440)
    person, turn = np.nonzero(held.exists & held.online & (held.week >= 0))
    by_form = np.flatnonzero(world.people.account_from[cases.person] < cases.week)
    form_at = world.calendar.moment(rng, cases.week[by_form], rng.uniform(8, 23, len(by_form)))
    parts = [
        _visit(orders.person[web], orders.at[web], ORDER, web),
        _visit(person, held.at[person, turn] - minutes(3), REGISTER),
        _visit(cases.person[by_form], form_at, COMPLAIN, by_form),
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


def _accounts(world: World, person: Ints, at: Times) -> Texts:
    """Return the account somebody would log in with at a time: the newest there is, or None."""
    held, own = world.registrations, np.maximum(person, 0)
    accounts = held.account_id[own]
    made = held.exists[own] & held.online[own] & (person >= 0)[:, None]
    made &= held.at[own] - minutes(_FORM_MINUTES) < at[:, None]
    newest = objects([None] * len(person))
    for turn in (0, 1):
        newest[made[:, turn]] = accounts[made[:, turn], turn]
    return newest


def _cookies(world: World, rng: np.random.Generator, person: Ints, at: Times) -> Ints:
    """Return cookie numbers: one per person, device and spell; a spell ends by age or with a second account.

    Whoever opens a second account has lost the first with the device: no cookie ever sees both.
    """
    held, own, n = world.registrations, np.maximum(person, 0), len(world.people)
    devices = rng.integers(1, 4, n)[own]
    device = np.where(rng.random(len(person)) < 0.65, 0, rng.integers(0, 3, len(person)) % devices)
    offset = rng.integers(0, _COOKIE_DAYS, n)[own]
    days = (at - world.calendar.start).astype("m8[D]").astype(np.int64) + offset
    spell = np.clip(days // _COOKIE_DAYS, 0, 7)
    accounts = held.exists[own] & held.online[own]
    second = accounts[:, 0] & accounts[:, 1] & (at > held.at[own, 1] - minutes(_FORM_MINUTES))
    cookie = ((world.people.number[own] * 8 + spell) * 2 + second) * 3 + device
    return np.where(person >= 0, cookie, (1 << 44) + (world.block << 20) - person)


def _log_ins(rng: np.random.Generator, visits: pd.DataFrame) -> Bools:
    """Return who logs in; nearly every cookie that could does so at least once."""
    can = visits["account"].notna()
    known = can & (_MUST_LOG_IN[visits["purpose"]] | (rng.random(len(visits)) < _LOG_IN))
    never = can & ~known.groupby(visits["cookie"]).transform("any")
    first = never & ~visits["cookie"].where(never).duplicated()
    logged: Bools = (known | (first & (rng.random(len(visits)) < _ALMOST_ALL))).to_numpy()
    return logged
