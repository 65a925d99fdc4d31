"""Every kind of model there is, by the name that its folder's `model.json` carries.

MLflow: one run a training, the model with its signature in the registry, and the way back to both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sintonia.core.errors import NotBuiltError, UnsupportedModelError, hint, unknown
from sintonia.registry.names import tracked_name
from sintonia.registry.runs import MODEL_FOLDER, RunRecord, log_data, log_files, log_model, log_nested
from sintonia.registry.tracking import Registered, Tracking, silence_mlflow
from sintonia.training.models import LightGBMModel, Model, OwnModel
from sintonia.training.models.protocol import read_document
from sintonia.training.tasks import TASKS
from sintonia.uplift.model import PolicyModel

if TYPE_CHECKING:
    from mlflow import MlflowClient


MODEL_CLASSES: dict[str, type[Model]] = {one.KIND: one for one in (LightGBMModel, OwnModel, PolicyModel)}


def model_class(folder: Path) -> type[Model]:
    """Return the class of a folder's model, which its `model.json` names.

    Raises
    ------
    InputError
        When the folder holds no model.
    UnsupportedModelError
        When another version of sintonia wrote it.
    """
    return MODEL_CLASSES[read_document(folder, list(MODEL_CLASSES))["kind"]]


def load_model(folder: Path) -> Model:
    """Return the model of a folder, of whatever kind it is.

    Raises
    ------
    InputError
        When the folder holds no model.
    UnsupportedModelError
        When another version of sintonia wrote it.
    """
    return model_class(folder).load(folder)


CANDIDATE, CHAMPION = "candidate", "champion"
TRAINING_TAG = "sintonia.training"
"""The tag that sets a training apart from the folds and trials nested in one."""


M = TypeVar("M", bound=Model)


def register(tracking: Tracking, run: RunRecord) -> Registered:
    """Return the registered model of a training, now logged as a run and carrying the alias `candidate`."""
    import mlflow

    silence_mlflow()
    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_registry_uri(tracking.uri)
    name = tracking.name(run.task)
    experiment_id = _experiment(tracking, name)
    with mlflow.start_run(experiment_id=experiment_id, tags={**run.tags, TRAINING_TAG: "true"}) as active:
        run_id = active.info.run_id
        mlflow.log_params({tracked_name(name): value for name, value in run.parameters.items()})
        mlflow.log_metrics({tracked_name(name): value for name, value in run.metrics.items()})
        log_files(tracking.client, run_id, run)
        log_data(tracking.client, run_id, run.data)
        model_id, uri = log_model(run.model)
        log_nested(tracking.client, experiment_id, run_id, run.nested)
    version = _new_version(tracking.client, name, {"source": uri, "run_id": run_id, "model_id": model_id})
    return Registered(name, version, CANDIDATE, run_id)


def find_models(tracking: Tracking, tasks: Sequence[str], kind: type[M]) -> list[tuple[M, Registered]]:
    """Return each task's registered model, the champion where there is one, else the candidate.

    Of no tasks, those of all tasks of the kind that have a model.

    Raises
    ------
    NotBuiltError
        When one of the named tasks has none, or none has any.
    UnsupportedModelError
        When a named task's model is of another kind.
    """
    registered = {
        task: _champion_or_candidate(tracking, task) for task in tasks or [*TASKS, *own_tasks(tracking)]
    }
    missing = [task for task, found_model in registered.items() if found_model is None]
    if missing and (tasks or len(missing) == len(registered)):
        raise _not_trained(tracking, missing[0])
    available = [found_model for found_model in registered.values() if found_model is not None]
    if not tasks:
        available = [
            found_model
            for found_model in available
            if issubclass(model_class(model_files(tracking, found_model)), kind)
        ]
    return [
        (require_class(load_registered(tracking, found_model), kind), found_model)
        for found_model in available
    ]


def find_model(tracking: Tracking, task: str, kind: type[M]) -> tuple[M, Registered]:
    """Return a task's registered model, the champion where there is one, else the candidate.

    Raises
    ------
    NotBuiltError
        When there is none.
    UnsupportedModelError
        When it is of another kind.
    """
    (model_and_version,) = find_models(tracking, [task], kind)
    return model_and_version


def load_registered(tracking: Tracking, registered: Registered) -> Model:
    """Return a registered model, of whatever kind it is."""
    return load_model(model_files(tracking, registered))


def require_class(model: Model, kind: type[M]) -> M:
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


def model_files(tracking: Tracking, registered: Registered) -> Path:
    """Return the folder of what was saved of a registered model."""
    import mlflow

    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_registry_uri(tracking.uri)
    uri = f"models:/{registered.name}/{registered.version}"
    return Path(mlflow.artifacts.download_artifacts(uri)) / "data" / MODEL_FOLDER


def find_registered(tracking: Tracking, task: str) -> Registered:
    """Return a task's champion, else its candidate.

    Raises
    ------
    NotBuiltError
        When the task has no model.
    """
    registered = _champion_or_candidate(tracking, task)
    if registered is None:
        raise _not_trained(tracking, task)
    return registered


def _champion_or_candidate(tracking: Tracking, task: str) -> Registered | None:
    by_alias = (find_by_alias(tracking, task, alias) for alias in (CHAMPION, CANDIDATE))
    return next((registered for registered in by_alias if registered is not None), None)


def find_by_alias(tracking: Tracking, task: str, alias: str) -> Registered | None:
    """Return the task's model that bears an alias; None when there is none."""
    from mlflow.exceptions import MlflowException

    silence_mlflow()
    name = tracking.name(task)
    try:
        version = tracking.client.get_model_version_by_alias(name, alias)
    except MlflowException:
        return None
    return Registered(name, str(version.version), alias, str(version.run_id))


def find_candidate(tracking: Tracking, task: str, version: str | None) -> Registered:
    """Return the task's candidate, or this version of its model.

    Raises
    ------
    NotBuiltError
        When the task has no model.
    ConfigError
        When there is no such version.
    """
    known = {registered.version: registered for registered in list_versions(tracking, task)}
    candidate = find_by_alias(tracking, task, CANDIDATE)
    if candidate is None or not known:
        raise _not_trained(tracking, task)
    if version is not None and version not in known:
        raise unknown(f"version of {tracking.name(task)}", version, known)
    return candidate if version is None else known[version]


def own_tasks(tracking: Tracking) -> list[str]:
    """Return the tasks with a registered model that do not ship with the package, by name."""
    silence_mlflow()
    names = [model.name for model in tracking.client.search_registered_models()]
    tasks = sorted(
        name.removeprefix(tracking.name("")) for name in names if name.startswith(tracking.name(""))
    )
    return [task for task in tasks if task not in TASKS]


def _not_trained(tracking: Tracking, task: str) -> NotBuiltError:
    known = [*TASKS, *own_tasks(tracking)]
    advice = f"run `sintonia train task={task}` first." if task in known else hint(task, known)
    return NotBuiltError(f"No model for task '{task}' in {tracking.uri}; {advice}")


def list_versions(tracking: Tracking, task: str) -> list[Registered]:
    """Return every version of a task's model, oldest first, each with its alias (the champion's before others)."""
    from mlflow.exceptions import MlflowException

    silence_mlflow()
    name = tracking.name(task)
    try:
        aliases = tracking.client.get_registered_model(name).aliases
    except MlflowException:
        return []
    alias_of: dict[str, str] = {}
    for alias, version in sorted(aliases.items(), key=lambda pair: pair[0] == CHAMPION):
        alias_of[str(version)] = alias
    stored = tracking.client.search_model_versions(f"name='{name}'")
    numbered = sorted((int(model_version.version), str(model_version.run_id)) for model_version in stored)
    return [
        Registered(name, str(number), alias_of.get(str(number), ""), run_id) for number, run_id in numbered
    ]


def _experiment(tracking: Tracking, name: str) -> str:
    experiment = tracking.client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    return str(tracking.client.create_experiment(name, artifact_location=tracking.artifacts))


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
