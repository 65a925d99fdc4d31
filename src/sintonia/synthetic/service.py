"""Customer service: on which way complaints and questions come, when, how people sound, and when it ends."""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Ints, Times
from sintonia.synthetic.arrays import repeat_index
from sintonia.synthetic.clock import Calendar, minutes
from sintonia.synthetic.journeys import Complaints, Journeys
from sintonia.synthetic.orders import Orders, local_hours
from sintonia.synthetic.people import NEVER, SyntheticPeople

FORM, DESK, CALL, CHAT = range(4)
"""Ways: a form on the site, the desk in the store, the contact centre, the chat."""

COMPLAINT, REMINDER, DELIVERY, RETURNS, PRODUCT, POINTS = range(6)
"""Reasons: a complaint opens a case, a reminder is about one that is open, the others are questions."""

_REMINDS = 0.12
_ASKS, _ASKS_ON_STORE_ORDERS = 0.06, 0.3
_UNRESOLVED = 0.08
_NEVER = np.datetime64("NaT", "us")


@dataclass(frozen=True)
class Contacts:
    """One entry per call or chat: `case` is the complaint it is about (-1: none), `mood` lies in [-1, 1].

    `ended` is when the matter was settled, NaT if it was not.
    """

    person: Ints
    at: Times
    way: Ints
    reason: Ints
    case: Ints
    mood: Floats
    ended: Times


@dataclass(frozen=True)
class Service:
    """How and when each complaint of the journeys was made and closed (NaT: it is open), and all calls and chats."""

    ways: Ints
    made: Times
    closed: Times
    contacts: Contacts


def draw_service(
    rng: np.random.Generator, people: SyntheticPeople, journeys: Journeys, orders: Orders, calendar: Calendar
) -> Service:
    """Return how people turn to the brand: complaints by form, desk, call or chat, reminders and questions."""
    cases = journeys.complaints
    ways = _complaint_ways(rng, people, cases)
    made = calendar.moment(rng, cases.week, _hours(rng, people, cases.person, ways))
    closed = _closed(rng, cases, calendar)
    parts = [
        _complaints(rng, cases, ways, made, closed),
        _reminders(rng, people, cases, calendar),
        _questions(rng, people, orders),
    ]
    columns = ("person", "at", "way", "reason", "case", "mood", "ended")
    stacked = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    order = np.argsort(stacked["at"], kind="stable")
    order = order[stacked["at"][order] < calendar.end]
    return Service(ways, made, closed, Contacts(**{name: stacked[name][order] for name in columns}))


def _complaint_ways(rng: np.random.Generator, people: SyntheticPeople, cases: Complaints) -> Ints:
    """Return the way of each complaint: the talkative call or chat, others fill in a form or go to the desk."""
    person = cases.person
    account = people.account_from[person] < cases.week
    in_touch = rng.random(len(person)) < 0.2 + 0.6 * people.talks[person]
    return np.where(in_touch, _call_or_chat(rng, people, person, cases.week), np.where(account, FORM, DESK))


def _call_or_chat(rng: np.random.Generator, people: SyntheticPeople, person: Ints, week: Ints) -> Ints:
    """Return who calls and who chats; the chat is a window of the site, which those without an account avoid."""
    call = (rng.random(len(person)) < people.calls[person]) | (people.account_from[person] >= week)
    return np.where(call, CALL, CHAT)


def _hours(rng: np.random.Generator, people: SyntheticPeople, person: Ints, ways: Ints) -> Floats:
    """Return hours of the local clock: desk and telephone are open by day, form and chat always."""
    hours: Floats = np.where(
        (ways == DESK) | (ways == CALL),
        rng.uniform(9, 19, len(person)),
        local_hours(rng, people.night[person], np.ones(len(person), dtype=bool)),
    )
    return hours


def _closed(rng: np.random.Generator, cases: Complaints, calendar: Calendar) -> Times:
    """Return when each case was closed: by a care call some hours into its week, else in office hours; NaT if not."""
    ended = cases.closed < NEVER
    week = np.where(ended, cases.closed, 0)
    after_call = calendar.week_start(week) + minutes(rng.uniform(5, 10, len(week)) * 60)
    by_itself = calendar.moment(rng, week, rng.uniform(9, 18, len(week)))
    done = np.where(cases.by_call, after_call, by_itself)
    return np.where(ended & (done < calendar.end), done, _NEVER)


def _mood(rng: np.random.Generator, mean: float, n: int) -> Floats:
    return np.clip(rng.normal(mean, 0.3, n), -1, 1)


def _complaints(
    rng: np.random.Generator, cases: Complaints, ways: Ints, made: Times, closed: Times
) -> Contacts:
    """Return the calls and chats that open a case."""
    case = np.flatnonzero((ways == CALL) | (ways == CHAT))
    n = len(case)
    return Contacts(
        person=cases.person[case],
        at=made[case],
        way=ways[case],
        reason=np.full(n, COMPLAINT),
        case=case,
        mood=_mood(rng, -0.6, n),
        ended=closed[case],
    )


def _reminders(
    rng: np.random.Generator, people: SyntheticPeople, cases: Complaints, calendar: Calendar
) -> Contacts:
    """Return the calls and chats of people whose case stays open, in the weeks between its first and last."""
    between = np.minimum(cases.closed, calendar.weeks) - cases.week - 1
    rate = _REMINDS * (0.3 + people.talks[cases.person]) * np.minimum(between, 8)
    case = repeat_index(rng.poisson(rate))
    person = cases.person[case]
    week = cases.week[case] + 1 + rng.integers(0, np.maximum(between[case], 1))
    way = _call_or_chat(rng, people, person, week)
    at = calendar.moment(rng, week, _hours(rng, people, person, way))
    n = len(case)
    return Contacts(
        person=person,
        at=at,
        way=way,
        reason=np.full(n, REMINDER),
        case=case,
        mood=_mood(rng, -0.7, n),
        ended=_settled(rng, at),
    )


def _questions(rng: np.random.Generator, people: SyntheticPeople, orders: Orders) -> Contacts:
    """Return questions on orders, within days of them, more often on those placed online."""
    chance = _ASKS * (0.4 + 1.5 * people.talks[orders.person])
    chance = np.where(orders.web, chance, chance * _ASKS_ON_STORE_ORDERS)
    who = np.flatnonzero(rng.random(len(orders)) < chance)
    person, n = orders.person[who], len(who)
    day = orders.at[who] + rng.integers(1, 8, n).astype("m8[D]")
    # Whoever orders online has an account, and may chat; the others call.
    way = np.where(orders.web[who] & (rng.random(n) >= people.calls[person]), CHAT, CALL)
    at = day.astype("M8[D]").astype("M8[us]") + minutes(rng.uniform(8, 18, n) * 60)
    reason = np.where(
        np.isnat(orders.returned_at[who]),
        rng.choice([DELIVERY, PRODUCT, POINTS], n, p=[0.6, 0.25, 0.15]),
        RETURNS,
    )
    return Contacts(
        person=person,
        at=at,
        way=way,
        reason=reason,
        case=np.full(n, -1),
        mood=_mood(rng, 0.15, n),
        ended=_settled(rng, at),
    )


def _settled(rng: np.random.Generator, at: Times) -> Times:
    """Return when a question was settled: while they talk, or within days, or never."""
    n = len(at)
    wait = np.where(rng.random(n) < 0.7, rng.uniform(3, 25, n), rng.exponential(1.5 * 1440, n) + 30)
    return np.where(rng.random(n) < _UNRESOLVED, _NEVER, at + minutes(wait))
