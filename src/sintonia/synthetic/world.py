"""A block of people with all that happened to them, as the silo modules see it."""

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Ints, Texts
from sintonia.synthetic.clock import Calendar, calendar
from sintonia.synthetic.journeys import Journeys, live
from sintonia.synthetic.orders import Lines, Orders, draw_lines, draw_orders
from sintonia.synthetic.people import SyntheticPeople, draw_people
from sintonia.synthetic.registrations import Particulars, Registrations, draw_particulars, draw_registrations
from sintonia.synthetic.service import Service, draw_service

if TYPE_CHECKING:
    import pyarrow as pa

    from sintonia.core.config import SimulateSettings

PEOPLE_PER_BLOCK = 10_000
"""People drawn at a time: the bound on memory."""


@dataclass(frozen=True)
class World:
    """One block of the brand. Silo modules read it and draw their own mess from `rng(name)`."""

    seed: np.random.SeedSequence
    block: int
    calendar: Calendar
    people: SyntheticPeople
    particulars: Particulars
    registrations: Registrations
    journeys: Journeys
    orders: Orders
    lines: Lines
    service: Service

    def rng(self, name: str) -> np.random.Generator:
        """Return the generator of one silo: a new silo leaves the bytes of the others alone."""
        own = np.random.SeedSequence(
            self.seed.entropy, spawn_key=(*self.seed.spawn_key, zlib.crc32(name.encode()))
        )
        return np.random.default_rng(own)

    def numbers(self, count: int) -> Ints:
        """Return running numbers for rows of this block, distinct from those of every other block."""
        return np.arange(count) + (self.block << 28)


@dataclass(frozen=True)
class SiloRows:
    """What a silo adds for one block: tables by file stem, and whose identifiers they carry.

    `tables` maps a path such as `web/events.parquet` to its rows; the writer puts the block's number into the
    name. `owners` maps an identifier type to its values and the person (place in the block) each belongs to,
    or a negative number for a stranger nobody registered.
    """

    tables: "dict[str, pa.Table]"
    owners: dict[str, tuple[Texts, Ints]]


def draw_world(settings: "SimulateSettings", block: int, seed: np.random.SeedSequence) -> World:
    """Return the people numbered from block x PEOPLE_PER_BLOCK on, and their lives."""
    time = calendar(settings)
    rngs = [np.random.default_rng(child) for child in seed.spawn(5)]
    numbers = np.arange(block * PEOPLE_PER_BLOCK, min(settings.customers, (block + 1) * PEOPLE_PER_BLOCK))
    people = draw_people(rngs[0], numbers, time)
    particulars = draw_particulars(rngs[1], people)
    registrations = draw_registrations(rngs[1], people, particulars, time)
    journeys = live(rngs[2], people, registrations, time)
    orders = draw_orders(rngs[3], people, journeys, time)
    return World(
        seed=seed,
        block=block,
        calendar=time,
        people=people,
        particulars=particulars,
        registrations=registrations,
        journeys=journeys,
        orders=orders,
        lines=draw_lines(rngs[3], people, orders),
        service=draw_service(rngs[4], people, journeys, orders, time),
    )
