"""Simulate a synthetic brand: the files of its silos and, in a separate folder, the truth."""

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
from sintonia.synthetic.files import write_silo
from sintonia.synthetic.social import social_posts
from sintonia.synthetic.store import store_tickets
from sintonia.synthetic.web import web_events
from sintonia.synthetic.world import PEOPLE_PER_BLOCK, SiloRows, World, draw_world

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
"""The silos by name; a silo is one module and one entry here."""


@dataclass(frozen=True)
class SimulationSummary:
    """Registered customers, rows per silo table, the files written, and the folder of the truth."""

    customers: int
    rows: dict[str, int]
    files: tuple[Path, ...]
    truth: Path


def simulate(settings: SimulateSettings, folder: Path) -> SimulationSummary:
    """Return a summary of the files written under `folder`: silos in `silos/`, the truth in `truth/`.

    People are drawn in blocks of `PEOPLE_PER_BLOCK`, each from its own seed, and each adds one part file to every
    silo table, so that memory is bounded by a block. The same settings give the same bytes. The two folders are
    replaced.
    """
    silos, truth_folder = WorkspacePaths(folder).silos, WorkspacePaths(folder).truth
    for folder_to_replace in (silos, truth_folder):
        shutil.rmtree(folder_to_replace, ignore_errors=True)
    truth_folder.mkdir(parents=True)
    blocks = -(-settings.customers // PEOPLE_PER_BLOCK)
    seeds = np.random.SeedSequence(settings.seed).spawn(blocks)
    rows: dict[str, int] = {}
    files: list[Path] = []
    with _TruthWriter(truth_folder) as truth_writer:
        for block in track(range(blocks), "Simulating", blocks):
            for name, (path, count) in _add_block(settings, block, seeds[block], silos, truth_writer).items():
                files.append(path)
                rows[name] = rows.get(name, 0) + count
    return SimulationSummary(settings.customers, rows, tuple(files), truth_folder)


def _add_block(
    settings: SimulateSettings,
    block: int,
    seed: np.random.SeedSequence,
    silos: Path,
    truth_writer: "_TruthWriter",
) -> dict[str, tuple[Path, int]]:
    """Return the file and number of rows that one block adds to every silo table."""
    world = draw_world(settings, block, seed)
    added: dict[str, tuple[Path, int]] = {}
    owners = []
    for silo in SILOS.values():
        silo_rows = silo(world)
        owners.append(silo_rows.owners)
        for name, table in silo_rows.tables.items():
            added[name] = (write_silo(table, silos, name, block), table.num_rows)
    truth_writer.add("records", truth.record_table(world, owners))
    truth_writer.add("people", truth.people_table(world))
    truth_writer.add("outcomes", truth.outcome_table(world))
    return added


class _TruthWriter:
    """Writers of the truth's files, open while blocks are added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> "_TruthWriter":
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
