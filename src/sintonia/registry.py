"""MLflow: one run a training, the model with its signature in the registry, and the way back to both."""

import json
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sintonia.config import TrackingConfig
from sintonia.errors import NotBuiltError
from sintonia.model import Model, load_model
from sintonia.tasks import TASKS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

# MLflow reads these once, as it is imported (which happens in the functions below): this program tells nobody
# what it does, and a progress bar over one file is noise.
for _name, _value in (
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("DO_NOT_TRACK", "true"),
    ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
):
    os.environ.setdefault(_name, _value)

CANDIDATE, CHAMPION = "candidate", "champion"
REVIEW = "review.json"
CATALOGUE = "catalogue.json"
FILES = "sintonia"


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
class Run:
    """What a training tells MLflow: parameters, metrics, small files (texts as they are, else JSON), the model."""

    task: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    documents: Mapping[str, Any]
    model: Model


@dataclass(frozen=True)
class Registered:
    """A model in the registry: its name, version, alias and the run that made it."""

    name: str
    version: str
    alias: str
    run_id: str


def tracking(config: TrackingConfig, workspace: Path) -> Tracking:
    """Return where runs go: the configured server, else a SQLite file and a folder in the workspace."""
    if config.uri is not None:
        return Tracking(config.uri, None, config.prefix)
    workspace.mkdir(parents=True, exist_ok=True)
    whole = workspace.resolve()
    return Tracking(f"sqlite:///{whole / 'mlflow.db'}", (whole / "mlflow").as_uri(), config.prefix)


def register(place: Tracking, run: Run) -> Registered:
    """Return the registered model of a training, now logged as a run and carrying the alias `candidate`."""
    import mlflow

    _hush()
    mlflow.set_tracking_uri(place.uri)
    mlflow.set_registry_uri(place.uri)
    name = place.name(run.task)
    experiment_id = _experiment(place, name)
    with mlflow.start_run(experiment_id=experiment_id, tags=dict(run.tags)) as active:
        mlflow.log_params(dict(run.parameters))
        mlflow.log_metrics(dict(run.metrics))
        for file, document in run.documents.items():
            text = document if isinstance(document, str) else json.dumps(document, indent=1, allow_nan=False)
            mlflow.log_text(text, file)
        model_id, uri = _log_model(run.model)
        run_id = active.info.run_id
    version = _new_version(place.client, name, {"source": uri, "run_id": run_id, "model_id": model_id})
    return Registered(name, version, CANDIDATE, run_id)


def find_models(place: Tracking, tasks: Sequence[str]) -> list[tuple[Model, Registered]]:
    """Return each task's registered model, the champion where there is one, else the candidate.

    No tasks named means every task that has a model.

    Raises
    ------
    NotBuiltError
        When one of the named tasks has none, or none has any.
    """
    found = {task: _find(place, task) for task in tasks or TASKS}
    missing = [task for task, registered in found.items() if registered is None]
    if missing and (tasks or len(missing) == len(found)):
        raise NotBuiltError(
            f"No model for task '{missing[0]}' in {place.uri}; run `sintonia train task={missing[0]}` first."
        )
    return [(_load(place, registered), registered) for registered in found.values() if registered is not None]


def _load(place: Tracking, registered: Registered) -> Model:
    import mlflow

    mlflow.set_tracking_uri(place.uri)
    mlflow.set_registry_uri(place.uri)
    uri = f"models:/{registered.name}/{registered.version}"
    return load_model(Path(mlflow.artifacts.download_artifacts(uri)) / "data" / FILES)


def read_document(place: Tracking, run_id: str, file: str) -> Any:  # noqa: ANN401  any JSON value
    """Return a JSON file of a run."""
    import mlflow

    mlflow.set_tracking_uri(place.uri)
    return json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/{file}"))


def log_page(place: Tracking, run_id: str, page: Path) -> None:
    """Put a page beside the other files of a run."""
    place.client.log_artifact(run_id, str(page))


def _find(place: Tracking, task: str) -> Registered | None:
    from mlflow.exceptions import MlflowException

    _hush()
    name = place.name(task)
    for alias in (CHAMPION, CANDIDATE):
        try:
            version = place.client.get_model_version_by_alias(name, alias)
        except MlflowException:
            continue
        return Registered(name, str(version.version), alias, str(version.run_id))
    return None


def _experiment(place: Tracking, name: str) -> str:
    found = place.client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(place.client.create_experiment(name, artifact_location=place.artifacts))


def _new_version(client: "MlflowClient", name: str, made: dict[str, str]) -> str:
    """Return the number of the new version, which now carries the alias `candidate`."""
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name)
    version = str(client.create_model_version(name, **made).version)
    client.set_registered_model_alias(name, CANDIDATE, version)
    return version


def _log_model(model: Model) -> tuple[str, str]:
    """Return the id and address of the model, stored as LightGBM text and JSON with a loader, nothing pickled."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / FILES
        model.save(data)
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module="sintonia.pyfunc",
            data_path=str(data),
            signature=_signature(model),
            pip_requirements=["sintonia"],
        )
    return str(logged.model_id), str(logged.model_uri)


def _signature(model: Model) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    # Doubles at the door: a missing value has no integer, and float32 columns are refused by other clients.
    inputs = Schema([ColSpec("double", name) for name in model.names])
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double", "propensity")]))


def _hush() -> None:
    """Silence what MLflow and the database migrations say on each use; errors still come through."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
