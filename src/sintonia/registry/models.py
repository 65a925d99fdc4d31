"""MLflow: one run a training, the model with its signature in the registry, and the way back to both."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sintonia.core.config import TrackingConfig
from sintonia.core.errors import NotBuiltError, UnsupportedModelError, hint, unknown
from sintonia.core.formats import workspace_format
from sintonia.core.paths import WorkspacePaths
from sintonia.registry.run_logging import FILES, Run, log_data, log_files, log_model, log_nested
from sintonia.registry.saved_models import kind_of, load_model
from sintonia.training.models import Model
from sintonia.training.tasks import TASKS

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

CANDIDATE, CHAMPION = "candidate", "champion"
TRAINING = "sintonia.training"
"""The tag that sets a training apart from the folds and trials nested in one."""


M = TypeVar("M", bound=Model)


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


def tracking(config: TrackingConfig, workspace: Path) -> Tracking:
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


def register(place: Tracking, run: Run) -> Registered:
    """Return the registered model of a training, now logged as a run and carrying the alias `candidate`."""
    import mlflow

    _hush()
    mlflow.set_tracking_uri(place.uri)
    mlflow.set_registry_uri(place.uri)
    name = place.name(run.task)
    experiment_id = _experiment(place, name)
    with mlflow.start_run(experiment_id=experiment_id, tags={**run.tags, TRAINING: "true"}) as active:
        run_id = active.info.run_id
        mlflow.log_params(dict(run.parameters))
        mlflow.log_metrics(dict(run.metrics))
        log_files(place.client, run_id, run)
        log_data(place.client, run_id, run.data)
        model_id, uri = log_model(run.model)
        log_nested(place.client, experiment_id, run_id, run.nested)
    version = _new_version(place.client, name, {"source": uri, "run_id": run_id, "model_id": model_id})
    return Registered(name, version, CANDIDATE, run_id)


def find_models(place: Tracking, tasks: Sequence[str], kind: type[M]) -> list[tuple[M, Registered]]:
    """Return each task's registered model, the champion where there is one, else the candidate.

    Of no tasks, those of all tasks of the kind that have a model.

    Raises
    ------
    NotBuiltError
        When one of the named tasks has none, or none has any.
    UnsupportedModelError
        When a named task's model is of another kind.
    """
    registered = {task: _find(place, task) for task in tasks or [*TASKS, *own_tasks(place)]}
    missing = [task for task, one in registered.items() if one is None]
    if missing and (tasks or len(missing) == len(registered)):
        raise _not_trained(place, missing[0])
    there = [one for one in registered.values() if one is not None]
    if not tasks:
        there = [one for one in there if issubclass(kind_of(model_files(place, one)), kind)]
    return [(expect(load(place, one), kind), one) for one in there]


def find_model(place: Tracking, task: str, kind: type[M]) -> tuple[M, Registered]:
    """Return a task's registered model, the champion where there is one, else the candidate.

    Raises
    ------
    NotBuiltError
        When there is none.
    UnsupportedModelError
        When it is of another kind.
    """
    (only,) = find_models(place, [task], kind)
    return only


def load(place: Tracking, registered: Registered) -> Model:
    """Return a registered model, of whatever kind it is."""
    return load_model(model_files(place, registered))


def expect(model: Model, kind: type[M]) -> M:
    """Return the model as one of the kind.

    Raises
    ------
    UnsupportedModelError
        When it is none.
    """
    if not isinstance(model, kind):
        raise UnsupportedModelError(
            f"The model of task '{model.task.name}' is a {type(model).__name__}; this needs a {kind.__name__}."
        )
    return model


def model_files(place: Tracking, registered: Registered) -> Path:
    """Return the folder of what was saved of a registered model."""
    import mlflow

    mlflow.set_tracking_uri(place.uri)
    mlflow.set_registry_uri(place.uri)
    uri = f"models:/{registered.name}/{registered.version}"
    return Path(mlflow.artifacts.download_artifacts(uri)) / "data" / FILES


def find_registered(place: Tracking, task: str) -> Registered:
    """Return a task's champion, else its candidate.

    Raises
    ------
    NotBuiltError
        When the task has no model.
    """
    registered = _find(place, task)
    if registered is None:
        raise _not_trained(place, task)
    return registered


def _find(place: Tracking, task: str) -> Registered | None:
    by_alias = (find_alias(place, task, alias) for alias in (CHAMPION, CANDIDATE))
    return next((registered for registered in by_alias if registered is not None), None)


def find_alias(place: Tracking, task: str, alias: str) -> Registered | None:
    """Return the task's model that bears an alias; None when there is none."""
    from mlflow.exceptions import MlflowException

    _hush()
    name = place.name(task)
    try:
        version = place.client.get_model_version_by_alias(name, alias)
    except MlflowException:
        return None
    return Registered(name, str(version.version), alias, str(version.run_id))


def find_candidate(place: Tracking, task: str, version: str | None) -> Registered:
    """Return the task's candidate, or this version of its model.

    Raises
    ------
    NotBuiltError
        When the task has no model.
    ConfigError
        When there is no such version.
    """
    known = {one.version: one for one in versions(place, task)}
    candidate = find_alias(place, task, CANDIDATE)
    if candidate is None or not known:
        raise _not_trained(place, task)
    if version is not None and version not in known:
        raise unknown(f"version of {place.name(task)}", version, known)
    return candidate if version is None else known[version]


def own_tasks(place: Tracking) -> list[str]:
    """Return the tasks with a registered model that do not ship with the package, by name."""
    _hush()
    names = [model.name for model in place.client.search_registered_models()]
    tasks = sorted(name.removeprefix(place.name("")) for name in names if name.startswith(place.name("")))
    return [task for task in tasks if task not in TASKS]


def _not_trained(place: Tracking, task: str) -> NotBuiltError:
    known = [*TASKS, *own_tasks(place)]
    advice = f"run `sintonia train task={task}` first." if task in known else hint(task, known)
    return NotBuiltError(f"No model for task '{task}' in {place.uri}; {advice}")


def versions(place: Tracking, task: str) -> list[Registered]:
    """Return every version of a task's model, oldest first, each with its alias (the champion's before others)."""
    from mlflow.exceptions import MlflowException

    _hush()
    name = place.name(task)
    try:
        aliases = place.client.get_registered_model(name).aliases
    except MlflowException:
        return []
    alias_of: dict[str, str] = {}
    for alias, version in sorted(aliases.items(), key=lambda pair: pair[0] == CHAMPION):
        alias_of[str(version)] = alias
    stored = place.client.search_model_versions(f"name='{name}'")
    each = sorted((int(one.version), str(one.run_id)) for one in stored)
    return [Registered(name, str(number), alias_of.get(str(number), ""), run_id) for number, run_id in each]


def _experiment(place: Tracking, name: str) -> str:
    experiment = place.client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    return str(place.client.create_experiment(name, artifact_location=place.artifacts))


def _new_version(client: "MlflowClient", name: str, source: dict[str, str]) -> str:
    """Return the number of the new version, which now carries the alias `candidate`."""
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name)
    version = str(client.create_model_version(name, **source).version)
    client.set_registered_model_alias(name, CANDIDATE, version)
    return version


def _hush() -> None:
    """Silence what MLflow and the database migrations say on each use; errors still come through."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
