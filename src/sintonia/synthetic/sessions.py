"""Sessions in the app: who came, when, what for, on which device, and under which account."""

import numpy as np
import pandas as pd

from sintonia.core.arrays import Bools, Ints
from sintonia.synthetic import actions
from sintonia.synthetic.arrays import hex_ids, objects, shuffled
from sintonia.synthetic.campaigns import sent_at
from sintonia.synthetic.clock import minutes
from sintonia.synthetic.visits import BROWSE, ORDER, accounts, idle_visits, second_account
from sintonia.synthetic.world import World

PUSHED = 10
"""The purpose of a session that a push message opened; the others are those of visits."""

SALT_DEVICE = 51
_SALT_SESSION = 52
_LOGS_IN = 0.5
_DEVICE_DAYS = 600
_OPENS = 0.04
_SHARED, _ON_TABLET = 0.3, 0.35
_STRANGERS = 0.05
_FIRST_STRANGER = 1 << 21
"""Strangers of the app are numbered from here, apart from those of the other silos."""


def draw_sessions(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return sessions in order of person and time.

    Columns: person (place in the block, negative for strangers), at, purpose, ref (the order, or the place among the
    sends, it is about), device, device_id, owner (whose the device is), account (None: not logged in), session_id.
    """
    parts = [_idle(world, rng), _orders(world), _pushed_sessions(world, rng), _strangers(world, rng)]
    sessions = pd.concat(parts, ignore_index=True).sort_values(["person", "at", "purpose"], ignore_index=True)
    person, at = sessions["person"].to_numpy(), sessions["at"].to_numpy()
    sessions["owner"] = _app_owners(world, rng, person)
    sessions["device"] = _devices(world, sessions)
    sessions["device_id"] = hex_ids(sessions["device"].to_numpy(), SALT_DEVICE)
    logged = _logged_in(world, rng, sessions)
    sessions["account"] = np.where(logged, accounts(world, person, at), objects([None]))
    sessions["session_id"] = hex_ids(world.numbers(len(sessions)), _SALT_SESSION, "a")
    return sessions


def _session(person: Ints, at: "pd.Series | np.ndarray", purpose: int, ref: Ints | int = -1) -> pd.DataFrame:
    return pd.DataFrame({"person": person, "at": at, "purpose": purpose, "ref": ref})


def _idle(world: World, rng: np.random.Generator) -> pd.DataFrame:
    return _session(*idle_visits(world, rng, in_app=True), BROWSE)


def _orders(world: World) -> pd.DataFrame:
    placed = np.flatnonzero(world.orders.app)
    return _session(world.orders.person[placed], world.orders.at[placed], ORDER, placed)


def _pushed_sessions(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return the sessions that a push opened: collectors tap on their points, where the app is installed."""
    sends, people = world.journeys.sends, world.people
    push = np.flatnonzero(sends.action == actions.POINTS_PUSH)
    person, week = sends.person[push], sends.week[push]
    installed = (people.in_app(person, week) > 0) & ~people.app_guest[person]
    taps = installed & (rng.random(len(push)) < _OPENS + 0.5 * people.collector[person])
    at = sent_at(world, person, week) + minutes(rng.exponential(150, len(push)) + 1)
    return _session(person[taps], at[taps], PUSHED, push[taps])


def _strangers(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return the sessions of people who try the app and never say who they are."""
    count = max(1, int(_STRANGERS * len(world.people)))
    person = -_FIRST_STRANGER - np.repeat(np.arange(count), rng.integers(1, 4, count))
    week = rng.integers(0, world.calendar.weeks, len(person))
    return _session(person, world.calendar.moment(rng, week, rng.uniform(8, 24, len(person))), BROWSE)


def _app_owners(world: World, rng: np.random.Generator, person: Ints) -> Ints:
    """Return whose device each session is on: one's own, or now and then the family's tablet.

    A tablet belongs to the first of two who live together and both have the app.
    """
    people, home = world.people, world.particulars
    with_app = (people.app_share > 0) & ~people.app_guest
    before = np.arange(len(people)) - 1
    same = (home.street == home.street[before]) & (home.last_name == home.last_name[before]) & (before >= 0)
    shares = same & with_app & with_app[before] & (rng.random(len(people)) < _SHARED)
    tablet_of = np.where(shares, before, -1)
    tablet_of[before[shares]] = before[shares]
    tablet = tablet_of[np.maximum(person, 0)]
    on_tablet = (person >= 0) & (tablet >= 0) & (rng.random(len(person)) < _ON_TABLET)
    return np.where(on_tablet, tablet + len(people), person)


def _devices(world: World, sessions: pd.DataFrame) -> Ints:
    """Return device numbers: one per person and spell, or a tablet; who opens a second account has a new one."""
    n, owner = len(world.people), sessions["owner"].to_numpy()
    at, tablet = sessions["at"].to_numpy(), owner >= n
    number = world.people.number[np.maximum(owner, 0) % n]
    days = (at - world.calendar.start).astype("m8[D]").astype(np.int64)
    spell = (days + shuffled(number, SALT_DEVICE, bits=40) % _DEVICE_DAYS) // _DEVICE_DAYS
    own = (number * 8 + np.clip(spell, 0, 7)) * 2 + second_account(world, owner % n, at)
    device = np.where(tablet, (1 << 44) + number, own)
    return np.where(owner < 0, (1 << 45) + (world.block << 24) - owner, device)


def _logged_in(world: World, rng: np.random.Generator, sessions: pd.DataFrame) -> Bools:
    """Return which sessions are under an account: an order asks for it, and whoever logged in stays so."""
    person = sessions["person"].to_numpy()
    guest = (person < 0) | world.people.app_guest[np.maximum(person, 0)]
    now = ~guest & (sessions["purpose"].ne(BROWSE).to_numpy() | (rng.random(len(sessions)) < _LOGS_IN))
    logged: Bools = sessions.assign(now=now).groupby(["person", "device"])["now"].cummax().to_numpy()
    return logged
