"""The till's tickets: CSV with semicolons, decimal commas, Rome's clock and a card that is often missing."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.synthetic.arrays import given, objects, shuffled
from sintonia.synthetic.catalogue import CATEGORIES, ITEM_IDS
from sintonia.synthetic.clock import rome
from sintonia.synthetic.orders import PRIZES
from sintonia.synthetic.text import comma, italian, text_array
from sintonia.synthetic.world import SiloRows, World

_SALT_TICKET = 20
_STRANGERS = 0.15
_SHOPS = objects(
    ["Milano Duomo", "Roma Tiburtina", "Torino Lingotto", "Napoli Toledo", "Bologna", "Serravalle"]
)
_PREMI = len(CATEGORIES)
_DEPARTMENTS = objects(
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
_SALE, _RETURN, _STRANGER = range(3)


def store_tickets(world: World) -> SiloRows:
    """Return the tickets of one block, one row per line, in order of time, ticket and line.

    Sales; returns (quantity and amount negative, on a ticket of their own); prizes taken for points; and
    sales to strangers, who have no card. The night's load brings a day's tickets at 05:12 the next morning.
    """
    rng = world.rng("store")
    sales = _sales(world)
    rows = pd.concat(
        [sales, _returns(world, sales), _prizes(world, rng, sales), _strangers(world, rng, sales)],
        ignore_index=True,
    )
    local = rome(rows["at"].to_numpy())
    rows["local"] = local
    rows["loaded"] = local.astype("M8[D]").astype("M8[us]") + np.timedelta64(29 * 60 + 12, "m")
    rows = rows[rows["loaded"] < rome(np.array([world.calendar.end]))[0]]
    rows = rows.sort_values(["at", "ticket", "line"], ignore_index=True)
    cards = world.registrations.card_no.ravel()
    held = np.flatnonzero(given(cards))
    return SiloRows({"store/tickets.csv": _table(world, rows)}, {"card": (cards[held], held // 2)})


def _sales(world: World) -> pd.DataFrame:
    """Return the lines of store orders, with the newest card of those who show one."""
    orders, lines, registrations = world.orders, world.lines, world.registrations
    cards = registrations.card_no[orders.person]
    newest = given(cards[:, 1]) & (registrations.at[orders.person, 1] < orders.at)
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
    """Return whole orders brought back; the discount is not written again."""
    back = world.orders.returned_at[sales["order"]]
    rows = sales.assign(
        ticket=sales["order"] * 4 + _RETURN,
        at=back,
        quantity=-sales["quantity"],
        paid=-sales["paid"],
        discount=0,
    )
    return rows[~np.isnat(back)]


def _prizes(world: World, rng: np.random.Generator, sales: pd.DataFrame) -> pd.DataFrame:
    """Return prizes on collectors' tickets that carry their card: a line that costs nothing."""
    heads = sales[(sales["line"] == 1) & sales["card"].notna()]
    wants = world.people.collector[world.orders.person[heads["order"]]] * PRIZES
    taken = heads[rng.random(len(heads)) < wants]
    return taken.assign(line=90, item="PREMIO", department=_PREMI, quantity=1, paid=0, discount=0)


def _strangers(world: World, rng: np.random.Generator, sales: pd.DataFrame) -> pd.DataFrame:
    """Return sales to people who are nobody's: like the others', on other days, without a card."""
    days = int((world.calendar.end - world.calendar.start) / np.timedelta64(1, "D"))
    chosen = rng.random(len(world.orders)) < _STRANGERS
    day = rng.integers(0, max(1, days), len(world.orders))
    rows = sales[chosen[sales["order"]]]
    at = rows["at"].to_numpy()
    moved = world.calendar.start + day[rows["order"]].astype("m8[D]") + (at - at.astype("M8[D]"))
    return rows.assign(ticket=rows["order"] * 4 + _STRANGER, at=moved, card=None)


def _table(world: World, rows: pd.DataFrame) -> pa.Table:
    """Return the lines as the till writes them."""
    numbers = shuffled(rows["ticket"].to_numpy() + (world.block << 26), _SALT_TICKET, bits=39)
    day, hour = italian(rows["local"].to_numpy())
    loaded_day, loaded_hour = italian(rows["loaded"].to_numpy())
    columns = {
        "Scontrino": objects([f"{number:012d}" for number in numbers.tolist()]),
        "Riga": rows["line"].to_numpy(),
        "Data": day,
        "Ora": hour,
        "Negozio": _SHOPS[rows["shop"]],
        "Tessera": text_array(rows["card"]),
        "Articolo": text_array(rows["item"]),
        "Reparto": _DEPARTMENTS[rows["department"]],
        "Quantita": rows["quantity"].to_numpy(),
        "Importo": comma(rows["paid"].to_numpy()),
        "Sconto": comma(rows["discount"].to_numpy()),
        "Caricato": loaded_day + " " + loaded_hour,
    }
    return pa.table(columns)
