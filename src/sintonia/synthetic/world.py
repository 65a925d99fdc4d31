"""A block of people and everything that happened to them, which the silo modules read."""

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Ints, Texts
from sintonia.synthetic.calendar import Calendar, simulated_calendar
from sintonia.synthetic.journeys import (
    Journeys,
    OrderLines,
    Orders,
    Service,
    draw_journeys,
    draw_lines,
    draw_orders,
    draw_service,
)
from sintonia.synthetic.people import (
    PersonalDetails,
    Registrations,
    SyntheticPeople,
    draw_people,
    draw_personal_details,
    draw_registrations,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from sintonia.core.config import SimulateSettings

PEOPLE_PER_BLOCK = 10_000
"""People simulated at a time, which bounds memory."""


@dataclass(frozen=True)
class World:
    """One block of the brand. Silo modules read it and draw their errors from `rng(name)`."""

    seed: np.random.SeedSequence
    block: int
    calendar: Calendar
    people: SyntheticPeople
    personal_details: PersonalDetails
    registrations: Registrations
    journeys: Journeys
    orders: Orders
    lines: OrderLines
    service: Service

    def rng(self, name: str) -> np.random.Generator:
        """Return the generator of one silo: a new silo does not change the bytes of existing silos."""
        silo_seed = np.random.SeedSequence(
            self.seed.entropy, spawn_key=(*self.seed.spawn_key, zlib.crc32(name.encode()))
        )
        return np.random.default_rng(silo_seed)

    def numbers(self, count: int) -> Ints:
        """Return running numbers for rows of this block, distinct from those of every other block."""
        return np.arange(count) + (self.block << 28)


@dataclass(frozen=True)
class SiloRows:
    """The rows of a silo for one block: tables by path, and the owners of their identifiers.

    `tables` maps a path such as `web/events.parquet` to its rows; the writer puts the block's number into the
    name. `owners` maps an identifier type to its values and the index in the block of the person each belongs to,
    or a negative number for an anonymous visitor.
    """

    tables: "dict[str, pa.Table]"
    owners: dict[str, tuple[Texts, Ints]]


def draw_world(settings: "SimulateSettings", block: int, seed: np.random.SeedSequence) -> World:
    """Return the people numbered from block x PEOPLE_PER_BLOCK on, and their journeys."""
    calendar = simulated_calendar(settings)
    rngs = [np.random.default_rng(child) for child in seed.spawn(5)]
    numbers = np.arange(block * PEOPLE_PER_BLOCK, min(settings.customers, (block + 1) * PEOPLE_PER_BLOCK))
    people = draw_people(rngs[0], numbers, calendar)
    details = draw_personal_details(rngs[1], people)
    registrations = draw_registrations(rngs[1], people, details, calendar)
    journeys = draw_journeys(rngs[2], people, registrations, calendar)
    orders = draw_orders(rngs[3], people, journeys, calendar)
    return World(
        seed=seed,
        block=block,
        calendar=calendar,
        people=people,
        personal_details=details,
        registrations=registrations,
        journeys=journeys,
        orders=orders,
        lines=draw_lines(rngs[3], people, orders),
        service=draw_service(rngs[4], people, journeys, orders, calendar),
    )
