"""Store tickets: CSV with semicolons, decimal commas, local time and a loyalty card that is often missing."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.synthetic.arrays import is_present, object_array, permute_bits
from sintonia.synthetic.calendar import rome_time
from sintonia.synthetic.catalogue import CATEGORIES, ITEM_IDS
from sintonia.synthetic.files import decimal_comma, italian_dates, text_array
from sintonia.synthetic.journeys import PRIZE_RATE
from sintonia.synthetic.world import SiloRows, World

_SALT_TICKET = 20
_ANONYMOUS_RATE = 0.15
_SHOPS = object_array(
    ["Milano Duomo", "Roma Tiburtina", "Torino Lingotto", "Napoli Toledo", "Bologna", "Serravalle"]
)
_PRIZE_DEPARTMENT = len(CATEGORIES)
_DEPARTMENTS = object_array(
    [
        "CAMICIE",
        "PANTALONI",
        "ABITI",
        "MAGLIERIA",
        "CAPISPALLA",
        "CALZATURE",
        "BORSE",
        "ACCESSORI",
        "INTIMO",
        "SPORT",
        "BAMBINO",
        "CASA",
        "PREMI",
    ]
)
_SALE, _RETURN, _ANONYMOUS = range(3)


def store_tickets(world: World) -> SiloRows:
    """Return the tickets of one block, one row per line, in order of time, ticket and line.

    Sales; returns (quantity and amount negative, on a separate ticket); prizes taken for points; and
    sales to anonymous customers, who have no card. A nightly load delivers a day's tickets at 05:12 the next morning.
    """
    rng = world.rng("store")
    sales = _sales(world)
    rows = pd.concat(
        [sales, _returns(world, sales), _prizes(world, rng, sales), _anonymous_sales(world, rng, sales)],
        ignore_index=True,
    )
    local = rome_time(rows["at"].to_numpy())
    rows["local"] = local
    rows["loaded"] = local.astype("M8[D]").astype("M8[us]") + np.timedelta64(29 * 60 + 12, "m")
    rows = rows[rows["loaded"] < rome_time(np.array([world.calendar.end]))[0]]
    rows = rows.sort_values(["at", "ticket", "line"], ignore_index=True)
    cards = world.registrations.card_no.ravel()
    card_index = np.flatnonzero(is_present(cards))
    return SiloRows(
        {"store/tickets.csv": _table(world, rows)}, {"card": (cards[card_index], card_index // 2)}
    )


def _sales(world: World) -> pd.DataFrame:
    """Return the lines of store orders, with the customer's newest card, if shown."""
    orders, lines, registrations = world.orders, world.lines, world.registrations
    cards = registrations.card_no[orders.person]
    newest = is_present(cards[:, 1]) & (registrations.at[orders.person, 1] < orders.at)
    card = np.where(newest, cards[:, 1], cards[:, 0])
    card[~orders.card] = None
    rows = pd.DataFrame(
        {
            "order": lines.order,
            "ticket": lines.order * 4 + _SALE,
            "at": orders.at[lines.order],
            "shop": orders.person[lines.order] % len(_SHOPS),
            "card": card[lines.order],
            "item": ITEM_IDS[lines.item],
            "department": lines.item // (len(ITEM_IDS) // len(CATEGORIES)),
            "quantity": lines.quantity,
            "paid": lines.paid,
            "discount": lines.discount,
        }
    )[~orders.web[lines.order]]
    rows["line"] = rows.groupby("order").cumcount() + 1
    return rows


def _returns(world: World, sales: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of returned orders; their discount is 0."""
    returned_at = world.orders.returned_at[sales["order"]]
    rows = sales.assign(
        ticket=sales["order"] * 4 + _RETURN,
        at=returned_at,
        quantity=-sales["quantity"],
        paid=-sales["paid"],
        discount=0,
    )
    return rows[~np.isnat(returned_at)]


def _prizes(world: World, rng: np.random.Generator, sales: pd.DataFrame) -> pd.DataFrame:
    """Return prizes on tickets with a card: lines with amount 0."""
    first_lines = sales[(sales["line"] == 1) & sales["card"].notna()]
    probability = world.people.collector[world.orders.person[first_lines["order"]]] * PRIZE_RATE
    prizes = first_lines[rng.random(len(first_lines)) < probability]
    return prizes.assign(line=90, item="PREMIO", department=_PRIZE_DEPARTMENT, quantity=1, paid=0, discount=0)


def _anonymous_sales(world: World, rng: np.random.Generator, sales: pd.DataFrame) -> pd.DataFrame:
    """Return sales to anonymous customers: copies of sales on random days, without a card."""
    days = int((world.calendar.end - world.calendar.start) / np.timedelta64(1, "D"))
    copied = rng.random(len(world.orders)) < _ANONYMOUS_RATE
    day = rng.integers(0, max(1, days), len(world.orders))
    rows = sales[copied[sales["order"]]]
    at = rows["at"].to_numpy()
    moved_at = world.calendar.start + day[rows["order"]].astype("m8[D]") + (at - at.astype("M8[D]"))
    return rows.assign(ticket=rows["order"] * 4 + _ANONYMOUS, at=moved_at, card=None)


def _table(world: World, rows: pd.DataFrame) -> pa.Table:
    """Return the lines as the till exports them."""
    numbers = permute_bits(rows["ticket"].to_numpy() + (world.block << 26), _SALT_TICKET, bits=39)
    day, hour = italian_dates(rows["local"].to_numpy())
    loaded_day, loaded_hour = italian_dates(rows["loaded"].to_numpy())
    columns = {
        "Scontrino": object_array([f"{number:012d}" for number in numbers.tolist()]),
        "Riga": rows["line"].to_numpy(),
        "Data": day,
        "Ora": hour,
        "Negozio": _SHOPS[rows["shop"]],
        "Tessera": text_array(rows["card"]),
        "Articolo": text_array(rows["item"]),
        "Reparto": _DEPARTMENTS[rows["department"]],
        "Quantita": rows["quantity"].to_numpy(),
        "Importo": decimal_comma(rows["paid"].to_numpy()),
        "Sconto": decimal_comma(rows["discount"].to_numpy()),
        "Caricato": loaded_day + " " + loaded_hour,
    }
    return pa.table(columns)
