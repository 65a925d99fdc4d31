"""Who the customers are: latent traits nobody at the brand can see, only guess from behaviour."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.synthetic.catalogue import CATEGORIES, MEAN_PRICE
from sintonia.synthetic.clock import Calendar

WEB, STORE, BOTH = 0, 1, 2
"""Where somebody shops."""

NEVER = 1 << 30
"""A week that never comes."""

EXTRA_QUANTITY = 0.15
"""Share of lines that hold two items."""


@dataclass(frozen=True)
class SyntheticPeople:
    """One entry per person and trait; shares and inclinations lie in [0, 1].

    `number` counts over all blocks. `first_week` and `second_week` are those of the person's registrations
    (below zero: before the history starts; NEVER: there is none), `order_rate` is orders a week at average
    interest. `app_share` of the online visits are made in the app, from `app_wait` weeks after the account on; a
    guest never logs in there, and orders elsewhere. `talks` is how readily somebody gets in touch, `calls` how far
    by telephone rather than by chat, `posts` how many posts a week at full attention.
    """

    number: Ints
    place: Ints
    birth_year: Ints
    female: Bools
    order_rate: Floats
    browse_rate: Floats
    web_share: Floats
    card_use: Floats
    basket: Floats
    price_sensitivity: Floats
    novelty: Floats
    collector: Floats
    reads_email: Floats
    weary: Floats
    night: Floats
    favourites: Ints  # (n, 3) category numbers
    first_week: Ints
    second_week: Ints
    second_online: Bools
    consent: Bools  # (n, 4): email, sms, push, phone
    app_share: Floats
    app_wait: Ints
    app_guest: Bools
    talks: Floats
    calls: Floats
    posts: Floats

    def __len__(self) -> int:
        """How many people."""
        return len(self.number)

    @property
    def first_online(self) -> Bools:
        """Whose first registration opened an account; the others' opened a loyalty card."""
        online: Bools = (self.place == WEB) | ((self.place == BOTH) & ~self.second_online)
        return online

    @property
    def account_from(self) -> Ints:
        """The week of the first online account."""
        return np.where(
            self.first_online, self.first_week, np.where(self.second_online, self.second_week, NEVER)
        )

    @property
    def card_from(self) -> Ints:
        """The week of the first loyalty card."""
        second_card = np.where(self.second_online, NEVER, self.second_week)
        return np.where(self.first_online, second_card, self.first_week)

    def in_app(self, person: Ints, week: Ints) -> Floats:
        """Return the share of online visits that are made in the app: none before it is installed."""
        installed = self.account_from[person] + self.app_wait[person] < week
        share: Floats = self.app_share[person] * installed
        return share

    @property
    def category_odds(self) -> Floats:
        """How a person's lines spread over categories: favourites first, the curious further: (n, 12)."""
        odds = np.repeat((0.05 + 0.9 * self.novelty)[:, None] / len(CATEGORIES), len(CATEGORIES), axis=1)
        loyal = (0.95 - 0.9 * self.novelty)[:, None] * np.array([0.6, 0.25, 0.15])
        np.add.at(odds, (np.arange(len(self))[:, None], self.favourites), loyal)
        return odds

    @property
    def order_value(self) -> Floats:
        """Expected list value of an order, in cents."""
        value: Floats = (1 + self.basket) * (1 + EXTRA_QUANTITY) * (self.category_odds @ MEAN_PRICE)
        return value


def draw_people(rng: np.random.Generator, numbers: Ints, calendar: Calendar) -> SyntheticPeople:
    """Return people with the given numbers."""
    n = len(numbers)
    place = rng.choice(3, size=n, p=[0.24, 0.18, 0.58])
    age = np.clip(rng.normal(np.where(place == STORE, 54, 42), 14, n), 18, 88).astype(np.int64)
    young = np.clip((60 - age) / 40, 0, 1)
    first_week, second_week = _registration_weeks(rng, place, calendar)
    order_rate = np.minimum(0.22 * np.exp(rng.normal(-0.85, 1.3, n)), 0.8)
    return SyntheticPeople(
        number=numbers,
        place=place,
        birth_year=calendar.end.astype("M8[Y]").astype(np.int64) + 1970 - age,
        female=rng.random(n) < 0.58,
        order_rate=order_rate,
        browse_rate=np.where(
            place == STORE, 0.0, (0.01 + 1.1 * order_rate) * np.exp(rng.normal(-0.1, 0.4, n))
        ),
        web_share=np.where(place == BOTH, rng.beta(1.5, 1.5, n), np.where(place == WEB, 1.0, 0.0)),
        card_use=rng.beta(8, 1.2, n),
        basket=0.2 + rng.gamma(2.0, 0.2, n),
        price_sensitivity=_leaning(rng, n),
        novelty=_leaning(rng, n),
        collector=_leaning(rng, n),
        reads_email=rng.beta(4, 3.5, n),
        weary=np.where(rng.random(n) < 0.25, rng.beta(5, 1.5, n), 0.0),
        night=rng.beta(0.6 + young, 1.6 - 0.6 * young),
        favourites=rng.permuted(np.tile(np.arange(len(CATEGORIES)), (n, 1)), axis=1)[:, :3],
        first_week=first_week,
        second_week=second_week,
        second_online=np.where(place == BOTH, rng.random(n) < 0.65, place == WEB),
        consent=rng.random((n, 4)) < np.array([0.78, 0.55, 0.5, 0.6]),
        **_talkative(rng, place, young, order_rate),
    )


def _talkative(rng: np.random.Generator, place: Ints, young: Floats, order_rate: Floats) -> dict[str, Any]:
    """Return the traits of the app, of service and of social media: drawn last, they leave the others alone."""
    n = len(place)
    keen = order_rate / (order_rate + 0.1)
    app = (place != STORE) & (rng.random(n) < 0.15 + 0.3 * young + 0.25 * keen)
    return {
        "app_share": np.where(app, rng.beta(2, 2, n), 0.0),
        "app_wait": rng.exponential(30, n).astype(np.int64),
        "app_guest": rng.random(n) < 0.06,
        "talks": rng.beta(2, 3, n),
        "calls": rng.beta(1.5 + 3 * (1 - young), 1.5 + 3 * young),
        "posts": np.where(rng.random(n) < 0.05 + 0.1 * young, rng.gamma(2, 0.02, n), 0.0),
    }


def _leaning(rng: np.random.Generator, n: int) -> Floats:
    """Return a trait that two people in five have strongly and the others hardly, in [0, 1]."""
    return np.where(rng.random(n) < 0.4, rng.beta(8, 2, n), rng.beta(1.2, 7, n))


def _registration_weeks(rng: np.random.Generator, place: Ints, calendar: Calendar) -> tuple[Ints, Ints]:
    """Return the weeks of first and second registrations; half the customers are older than the history."""
    n = len(place)
    before = rng.random(n) < 0.55
    first = np.where(before, -rng.integers(1, 260, n), rng.integers(0, max(1, int(0.8 * calendar.weeks)), n))
    again = (place == BOTH) | (rng.random(n) < 0.45)
    latest = max(1, calendar.weeks - 4)
    later = first + 1 + (rng.random(n) * np.maximum(1, latest - first - 1)).astype(np.int64)
    return first, np.where(again & (later < latest), later, NEVER)
