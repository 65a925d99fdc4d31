"""Every step on the synthetic brand, and what it reports."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from sintonia.api.pipelines.building import build, simulate
from sintonia.api.pipelines.figures import FOR_PEOPLE, Figures, file_lines, texts
from sintonia.api.pipelines.reviewing import review
from sintonia.api.pipelines.serving import score
from sintonia.api.pipelines.training import train
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
from sintonia.registry.tracking import open_tracking
from sintonia.serving.lists import write_sample


def demo_figures(steps: dict[str, Figures], other_files: Sequence[Path], tracking_uri: str) -> Figures:
    """Return every step's figures, all files, and what to open next."""
    say = []
    for name, figures in steps.items():
        lines = figures["say"]
        say += [f"--- sintonia {name}", *(lines[: lines.index("Files:")] if "Files:" in lines else lines)]
    files = list(
        dict.fromkeys(
            [*(file for figures in steps.values() for file in figures["files"]), *texts(other_files)]
        )
    )
    say += ["", *file_lines([Path(file) for file in files])]
    say += ["", "Open next:"]
    for file in (file for file in files if file.endswith(".html")):
        description = "the list on one page" if file.endswith("-scored.html") else "the review"
        say.append(f"  {file:<44} {description}, in a browser")
    say += [
        f"  {file:<44} the scored list, in a spreadsheet" for file in files if file.endswith("-scored.csv")
    ]
    say += [f"  mlflow ui --backend-store-uri {tracking_uri}   the runs and models"]
    figures_by_step = {
        name: {key: value for key, value in figures.items() if key not in FOR_PEOPLE}
        for name, figures in steps.items()
    }
    return {"steps": figures_by_step, "files": files, "say": say}


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
    written = [path, paths.manifest, paths.tracking_database, paths.tracking_files, paths.pseudonym_key]
    written += [folder for folder in [paths.features, paths.samples] if folder.is_dir()]
    return demo_figures(steps, written, open_tracking(settings.tracking, paths.root).uri)


def settings_of(kind: type[S], settings: Settings, **changes: object) -> S:
    """Return the settings of another verb: what both have, and the changes."""
    names = {field.name for field in fields(kind)}
    shared = {field.name: getattr(settings, field.name) for field in fields(settings) if field.name in names}
    return kind(**{**shared, **changes})
