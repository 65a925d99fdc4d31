"""What visits leave behind, on the site as in the app: events by visit and step, under each silo's own names."""

import numpy as np
import pandas as pd

from sintonia.core.arrays import Ints, Texts
from sintonia.synthetic.arrays import blank, rank_within
from sintonia.synthetic.catalogue import CATEGORY_OF_ITEM, ITEM_IDS
from sintonia.synthetic.visits import BROWSE
from sintonia.synthetic.world import World


def events(visit: Ints, step: Ints | int, event: Texts | str, **more: Texts | str | float) -> pd.DataFrame:
    """Return one row per event: its visit, its step within it, its name, and what else it tells."""
    return pd.DataFrame({"visit": visit, "step": step, "event": event, **more})


def browsing(
    world: World, rng: np.random.Generator, visits: pd.DataFrame, names: tuple[str, str, str]
) -> pd.DataFrame:
    """Return what is seen, put into baskets left standing, and searched for (named so) on visits without a purpose.

    The curious look at more, and search.
    """
    idle = np.flatnonzero(visits["purpose"] == BROWSE)
    person = visits["person"].to_numpy()[idle]
    curious = np.where(person >= 0, world.people.novelty[np.maximum(person, 0)], 0.2)
    steps = 1 + rng.poisson(0.05 + 1.2 * curious)
    visit = np.repeat(idle, steps)
    looks_for = 0.04 + 0.5 * np.repeat(curious, steps)
    view, cart, search = names
    event = np.where(rng.random(len(visit)) < 0.08, cart, view).astype(object)
    event[rng.random(len(visit)) < looks_for] = search
    item = rng.integers(0, len(ITEM_IDS), len(visit))
    product = blank(ITEM_IDS[item], event != search)
    return events(visit, 2 + rank_within(visit), event, product_id=product, category=CATEGORY_OF_ITEM[item])


def order_lines(world: World, visits: pd.DataFrame, purpose: int) -> tuple[Ints, Ints, dict[str, Texts]]:
    """Return, for each line of the orders those visits are about: visit, line number and what was bought.

    `paid` and `discount` are cents.
    """
    who = np.flatnonzero(visits["purpose"] == purpose)
    place = np.full(len(world.orders), -1)
    place[visits["ref"].to_numpy()[who]] = who
    visit = place[world.lines.order]
    line = rank_within(world.lines.order)
    mine, item = visit >= 0, world.lines.item
    bought = {
        "product_id": ITEM_IDS[item],
        "category": CATEGORY_OF_ITEM[item],
        "quantity": world.lines.quantity,
        "paid": world.lines.paid,
        "discount": world.lines.discount,
    }
    return visit[mine], line[mine], {name: values[mine] for name, values in bought.items()}
