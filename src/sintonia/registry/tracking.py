"""Where runs and models are kept: an MLflow server or a file in the workspace, and a registered model's name there."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sintonia.core.config import TrackingConfig
from sintonia.core.formats import workspace_format
from sintonia.core.paths import WorkspacePaths

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow reads these once, as it is imported (which happens in the functions below): this program tells nobody
# what it does, and a progress bar over one file is noise.
for _name, _value in (
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("DO_NOT_TRACK", "true"),
    ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
):
    os.environ.setdefault(_name, _value)


@dataclass(frozen=True)
class Tracking:
    """An MLflow server or a SQLite file, and the names this brand goes by there."""

    uri: str
    artifacts: str | None
    prefix: str

    def name(self, task: str) -> str:
        """The experiment's and the registered model's name of a task."""
        return f"{self.prefix}-{task}"

    @property
    def client(self) -> "MlflowClient":
        """A client of the store; opened by need, for MLflow costs seconds to load."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)


@dataclass(frozen=True)
class Registered:
    """A model in the registry: its name, version, alias and the run that made it."""

    name: str
    version: str
    alias: str
    run_id: str


def open_tracking(config: TrackingConfig, workspace: Path) -> Tracking:
    """Return where runs go: the configured server, else a SQLite file and a folder in the workspace.

    Raises
    ------
    UnsupportedFormatError
        When a newer version of sintonia wrote the workspace.
    """
    workspace_format(workspace)
    if config.uri is not None:
        return Tracking(config.uri, None, config.prefix)
    workspace.mkdir(parents=True, exist_ok=True)
    paths = WorkspacePaths(workspace.resolve())
    return Tracking(f"sqlite:///{paths.tracking_database}", paths.tracking_files.as_uri(), config.prefix)


def silence_mlflow() -> None:
    """Silence what MLflow and the database migrations say on each use; errors still come through."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
