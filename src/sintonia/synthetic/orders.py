"""Orders and their lines, online and in the store, from the weekly counts of the journeys."""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints, Times
from sintonia.synthetic.actions import COUPON_RATE, coupon_use
from sintonia.synthetic.arrays import pick_rows, repeat_index
from sintonia.synthetic.catalogue import ITEMS_PER_CATEGORY, LIST_PRICES
from sintonia.synthetic.clock import Calendar
from sintonia.synthetic.journeys import Journeys
from sintonia.synthetic.people import EXTRA_QUANTITY, SyntheticPeople

PROMOTIONS = np.array([0.10, 0.20, 0.30])
RETURN_RATE = 0.04
PRIZES = 0.5
"""Share of orders on which an all-out collector takes a prize for points."""

_RETURN_DAYS = (2, 12)


def promotion_odds(people: SyntheticPeople) -> Floats:
    """Return the probability that an order is bought in a sale: the price-sensitive wait for one."""
    odds: Floats = 0.05 + 0.6 * people.price_sensitivity
    return odds


@dataclass(frozen=True)
class Orders:
    """One entry per order; `web`: online, in the `app` some of them; `card`: a store ticket that carries a card."""

    person: Ints
    at: Times
    web: Bools
    app: Bools
    card: Bools
    coupon: Bools
    returned_at: Times  # NaT: kept

    def __len__(self) -> int:
        """How many orders."""
        return len(self.person)


@dataclass(frozen=True)
class Lines:
    """One entry per line of an order: `order` is its place in Orders; `paid` and `discount` are cents."""

    order: Ints
    item: Ints
    quantity: Ints
    paid: Ints
    discount: Ints


def draw_orders(
    rng: np.random.Generator, people: SyntheticPeople, journeys: Journeys, calendar: Calendar
) -> Orders:
    """Return the orders in order of person and week; nothing is dated at or after the history's end."""
    cells = repeat_index(journeys.orders.ravel())
    person, week = np.divmod(cells, journeys.orders.shape[1])
    web = rng.random(len(cells)) < journeys.drift.web_share[person, week]
    at = calendar.moment(rng, week, local_hours(rng, people.night[person], web))
    coupon = journeys.coupon[person, week] & (rng.random(len(cells)) < coupon_use(people)[person])
    back = at + rng.integers(*_RETURN_DAYS, len(cells)).astype("m8[D]")
    returned = (rng.random(len(cells)) < RETURN_RATE) & (back < calendar.end)
    card = ~web & (rng.random(len(cells)) < people.card_use[person])
    # A generator of its own: what is ordered does not depend on where.
    shown = rng.spawn(1)[0].random(len(cells))
    app = web & ~people.app_guest[person] & (shown < people.in_app(person, week))
    keep = at < calendar.end
    never = np.datetime64("NaT", "us")
    return Orders(
        person=person[keep],
        at=at[keep],
        web=web[keep],
        app=app[keep],
        card=card[keep],
        coupon=coupon[keep],
        returned_at=np.where(returned, back, never)[keep],
    )


def local_hours(rng: np.random.Generator, night: Floats, web: Bools) -> Floats:
    """Return hours of the local clock: stores keep opening hours, web evenings grow late with the trait."""
    n = len(night)
    late = np.where(rng.random(n) < night, rng.normal(23.3, 1.2, n), rng.normal(14.5, 3.5, n))
    in_store = np.clip(
        np.where(rng.random(n) < 0.5, rng.normal(11.5, 1.2, n), rng.normal(17.5, 1.3, n)), 9, 20
    )
    hours: Floats = np.mod(np.where(web, late, in_store), 24)
    return hours


def draw_lines(rng: np.random.Generator, people: SyntheticPeople, orders: Orders) -> Lines:
    """Return the lines of the orders, priced; a sale and a coupon add up."""
    order = repeat_index(1 + rng.poisson(people.basket[orders.person]))
    person = orders.person[order]
    category = pick_rows(rng, people.category_odds[person])
    item = category * ITEMS_PER_CATEGORY + rng.integers(0, ITEMS_PER_CATEGORY, len(order))
    quantity = 1 + (rng.random(len(order)) < EXTRA_QUANTITY)
    on_sale = rng.random(len(orders)) < promotion_odds(people)[orders.person]
    rate = on_sale * rng.choice(PROMOTIONS, len(orders)) + orders.coupon * COUPON_RATE
    full = LIST_PRICES[item] * quantity
    discount = np.round(full * rate[order]).astype(np.int64)
    return Lines(order=order, item=item, quantity=quantity, paid=full - discount, discount=discount)
