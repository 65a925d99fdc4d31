"""A brand with three trained models, for lists that are scored from end to end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from brand import FEATURES, FITTED, MODEL, SILO, SPLIT, TASK, build_brand
from builder import build_store
from sintonia.core.config import EngineConfig, ReasonsConfig, ScoreSettings, TrainSettings
from sintonia.core.engine import connect
from sintonia.core.timeline import split_snapshots
from sintonia.data.store import Store
from sintonia.registry.tracking import Registered
from sintonia.serving.lists import ScoredList, TaskModel, read_list, score_list
from sintonia.serving.lists.chunks import ProposeActions
from sintonia.training.dataset import assemble, catalogue_of
from sintonia.training.models import fit_model

TASKS = (TASK, replace(TASK, name="value"), replace(TASK, name="category", categories=["milk", "bread"]))
WHAT = "CASE WHEN kind <> 'purchase' THEN NULL WHEN CAST(card AS INT) % 3 > 0 THEN 'milk' ELSE 'bread' END"


@dataclass(frozen=True)
class Brand:
    """A store, its models, and the cards its customers have."""

    store: Store
    models: Sequence[TaskModel]
    cards: Sequence[str]

    @property
    def workspace(self) -> Path:
        """Where lists are scored."""
        return self.store.folder.parents[1]

    def score(self, path: Path, act: ProposeActions | None = None, **settings: object) -> ScoredList:
        """Return what became of a list."""
        chosen = ScoreSettings(
            workspace=str(self.workspace),
            list=str(path),
            bands={"high": 91, "medium": 61, "low": 1},
            **{"reasons": ReasonsConfig(1), "engine": EngineConfig(threads=1), **settings},
        )
        with connect(chosen.engine, self.workspace) as connection:
            listed = read_list(path, chosen.limit)
            return score_list(connection, self.store, listed, self.models, chosen, act)


@pytest.fixture(scope="session")
def brand(tmp_path_factory) -> Brand:
    """The brand, of whose customers one in three buys bread and the others milk."""
    folder = tmp_path_factory.mktemp("brand")
    build_brand(folder)
    silo = replace(SILO, interactions={**SILO.interactions, "category": WHAT})
    store = build_store(folder, {"events": silo})
    split = split_snapshots(SPLIT, TASK, store.data_from(["purchase"]), store.data_until(["purchase"]))
    models = []
    for task in TASKS:
        made = catalogue_of(task, FEATURES, FITTED)
        rows = assemble(store, split.all, made, task)
        settings = TrainSettings(features=FEATURES, task=task, model=MODEL, split=SPLIT)
        model = fit_model(rows.at(split.train), rows.at(split.valid), settings, FITTED, store)
        models.append(
            TaskModel(model, Registered(f"brand-{task.name}", "1", "candidate", "run"), split.test[-1])
        )
    return Brand(store, models, sorted(store.read_crosswalk("card")["source_key"].to_pylist()))


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path) -> Write:
    """A function that writes a list's text into a file."""

    def one(text: str, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return one
