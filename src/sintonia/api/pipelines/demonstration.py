"""All of the road on the synthetic brand."""

from dataclasses import fields
from typing import TypeVar

from sintonia.api.pipelines.building import build, simulate
from sintonia.api.pipelines.reviewing import review
from sintonia.api.pipelines.serving import score
from sintonia.api.pipelines.training import train
from sintonia.api.reports.demonstration import demo_figures
from sintonia.api.reports.figures import Figures
from sintonia.core.config import (
    BuildSettings,
    DemoSettings,
    ReviewSettings,
    ScoreSettings,
    Settings,
    SimulateSettings,
    TrainSettings,
)
from sintonia.data.store import open_store
from sintonia.registry import models
from sintonia.serving.lists import write_sample

S = TypeVar("S", bound=Settings)


def demo(settings: DemoSettings) -> Figures:
    """Return what the whole road gave on a fresh synthetic brand: silos, store, models, a scored list, review pages."""
    paths = settings.paths
    steps = {
        "simulate": simulate(settings_of(SimulateSettings, settings)),
        "build": build(settings_of(BuildSettings, settings)),
    }
    for name, task in settings.tasks.items():
        steps[f"train task={name}"] = train(settings_of(TrainSettings, settings, task=task))
    path = paths.sample_list
    write_sample(open_store(paths.root), "crm", path)
    steps[f"score list={path}"] = score(
        settings_of(ScoreSettings, settings, list=str(path), tasks=list(settings.tasks))
    )
    for name, task in settings.tasks.items():
        steps[f"review task={name}"] = review(settings_of(ReviewSettings, settings, task=task))
    written = [path, paths.tracking_database, paths.tracking_files, paths.pseudonym_key]
    written += [folder for folder in [paths.features, paths.samples] if folder.is_dir()]
    return demo_figures(steps, written, models.tracking(settings.tracking, paths.root).uri)


def settings_of(kind: type[S], settings: Settings, **changes: object) -> S:
    """Return the settings of another verb: what both have, and the changes."""
    names = {field.name for field in fields(kind)}
    shared = {field.name: getattr(settings, field.name) for field in fields(settings) if field.name in names}
    return kind(**{**shared, **changes})
