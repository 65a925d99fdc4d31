"""All of the road on the synthetic brand."""

from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from sintonia import registry
from sintonia.config import (
    BuildSettings,
    DemoSettings,
    ReviewSettings,
    ScoreSettings,
    Settings,
    SimulateSettings,
    TrainSettings,
)
from sintonia.explained_sample import SAMPLE_KEYS_FOLDER
from sintonia.interactions import open_store
from sintonia.lists import write_sample
from sintonia.pipelines.building import build, simulate
from sintonia.pipelines.reviewing import review
from sintonia.pipelines.serving import score
from sintonia.pipelines.training import train
from sintonia.pseudonyms import KEY_FILE
from sintonia.summaries.demonstration import demo_figures
from sintonia.summaries.figures import Figures

S = TypeVar("S", bound=Settings)


def demo(settings: DemoSettings) -> Figures:
    """Return what the whole road gave on a fresh synthetic brand: silos, store, models, a scored list, review pages."""
    workspace = Path(settings.workspace)
    steps = {
        "simulate": simulate(settings_of(SimulateSettings, settings)),
        "build": build(settings_of(BuildSettings, settings)),
    }
    for name, task in settings.tasks.items():
        steps[f"train task={name}"] = train(settings_of(TrainSettings, settings, task=task))
    path = workspace / "list.csv"
    write_sample(open_store(workspace), "crm", path)
    steps[f"score list={path}"] = score(
        settings_of(ScoreSettings, settings, list=str(path), tasks=list(settings.tasks))
    )
    for name, task in settings.tasks.items():
        steps[f"review task={name}"] = review(settings_of(ReviewSettings, settings, task=task))
    made = [path, workspace / "mlflow.db", workspace / "mlflow", workspace / KEY_FILE]
    made += [kept for kept in [workspace / "features", workspace / SAMPLE_KEYS_FOLDER] if kept.is_dir()]
    return demo_figures(steps, made, registry.tracking(settings.tracking, workspace).uri)


def settings_of(kind: type[S], settings: Settings, **changes: object) -> S:
    """Return the settings of another verb: what both have, and the changes."""
    names = {field.name for field in fields(kind)}
    shared = {field.name: getattr(settings, field.name) for field in fields(settings) if field.name in names}
    return kind(**{**shared, **changes})
