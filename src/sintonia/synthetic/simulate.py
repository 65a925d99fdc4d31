"""The public door: a synthetic brand's silos and, apart from them, the truth."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.config import SimulateSettings
from sintonia.core.paths import WorkspacePaths
from sintonia.core.progress import track
from sintonia.synthetic import truth
from sintonia.synthetic.app import app_events
from sintonia.synthetic.campaigns import campaign_log
from sintonia.synthetic.chat import chat_sessions
from sintonia.synthetic.contact_centre import contact_centre_cases
from sintonia.synthetic.crm import crm_registrations
from sintonia.synthetic.social import social_posts
from sintonia.synthetic.store import store_tickets
from sintonia.synthetic.web import web_events
from sintonia.synthetic.world import PEOPLE_PER_BLOCK, SiloRows, World, draw_world
from sintonia.synthetic.writing import write_silo

SILOS: dict[str, Callable[[World], SiloRows]] = {
    "web": web_events,
    "store": store_tickets,
    "crm": crm_registrations,
    "campaigns": campaign_log,
    "app": app_events,
    "contact_centre": contact_centre_cases,
    "chat": chat_sessions,
    "social": social_posts,
}
"""A silo is one module and one entry here."""


@dataclass(frozen=True)
class SimulationSummary:
    """What was written: registered customers, rows per silo table, its files, and the folder of the truth."""

    customers: int
    rows: dict[str, int]
    files: tuple[Path, ...]
    truth: Path


def simulate(settings: SimulateSettings, folder: Path) -> SimulationSummary:
    """Return what was written under `folder`: silos under `silos/`, the truth under `truth/`.

    People are drawn in blocks of `PEOPLE_PER_BLOCK`, each from a seed of its own, and each adds one part file to every
    silo table, so that memory is bounded by a block. The same settings give the same bytes. What an earlier
    run left in the two folders is replaced.
    """
    silos, known = WorkspacePaths(folder).silos, WorkspacePaths(folder).truth
    for old in (silos, known):
        shutil.rmtree(old, ignore_errors=True)
    known.mkdir(parents=True)
    blocks = -(-settings.customers // PEOPLE_PER_BLOCK)
    seeds = np.random.SeedSequence(settings.seed).spawn(blocks)
    rows: dict[str, int] = {}
    files: list[Path] = []
    with _Truth(known) as pages:
        for block in track(range(blocks), "Simulating", blocks):
            for name, (path, count) in _add_block(settings, block, seeds[block], silos, pages).items():
                files.append(path)
                rows[name] = rows.get(name, 0) + count
    return SimulationSummary(settings.customers, rows, tuple(files), known)


def _add_block(
    settings: SimulateSettings, block: int, seed: np.random.SeedSequence, silos: Path, pages: "_Truth"
) -> dict[str, tuple[Path, int]]:
    """Return the file and the rows one block adds to every silo table; nothing of a block outlives the call."""
    world = draw_world(settings, block, seed)
    added: dict[str, tuple[Path, int]] = {}
    owners = []
    for silo in SILOS.values():
        part = silo(world)
        owners.append(part.owners)
        for name, table in part.tables.items():
            added[name] = (write_silo(table, silos, name, block), table.num_rows)
    pages.add("records", truth.records(world, owners))
    pages.add("people", truth.people_table(world))
    pages.add("outcomes", truth.outcomes(world))
    return added


class _Truth:
    """The files of the truth, open while blocks are added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> "_Truth":
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._open.values():
            writer.close()

    def add(self, name: str, table: pa.Table) -> None:
        """Append a block's rows to a file."""
        if name not in self._open:
            self._open[name] = pq.ParquetWriter(
                self._folder / f"{name}.parquet", table.schema, compression="zstd"
            )
        self._open[name].write_table(table)
