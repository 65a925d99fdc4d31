"""What a training records in MLflow: a run with its data, files and figures, and the folds and trials nested in it.

What MLflow keeps of a training beside its model: documents, tables, the page that a reviewer reads.
"""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.errors import NotBuiltError
from sintonia.features.from_frames import history_columns
from sintonia.registry.names import tracked_name
from sintonia.registry.predictions import PREDICTIONS_FILE
from sintonia.registry.tracking import Registered, Tracking
from sintonia.training.models import Model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature


MODEL_FOLDER = "sintonia"
"""The folder of a logged model's files."""

LOADER = "sintonia.registry.pyfunc"
"""The module by which MLflow loads a logged model: its name stands in the model's `MLmodel`."""


@dataclass(frozen=True)
class ChildRun:
    """A run inside a run: a trial of a search or a fold of a validation, with how long it took."""

    name: str
    metrics: Mapping[str, float]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    nested: tuple["ChildRun", ...] = ()


@dataclass(frozen=True)
class LoggedData:
    """A data set a run used: `context` says for what, `digest` is a fingerprint of at most 36 letters."""

    name: str
    context: str
    digest: str
    source: str
    profile: Mapping[str, Any]


@dataclass(frozen=True)
class RunRecord:
    """One training: parameters, metrics, small files (texts as they are, tables as
    Parquet, else JSON), data, predictions, the model."""

    task: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    documents: Mapping[str, Any]
    model: Model
    predictions: pa.Table | None = None
    data: Sequence[LoggedData] = ()
    nested: Sequence[ChildRun] = ()


def log_files(client: "MlflowClient", run_id: str, run: RunRecord) -> None:
    """Put the run's documents and predictions beside it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, document in run.documents.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(document, pa.Table):
                pq.write_table(document, path, compression="zstd")
                continue
            text = document if isinstance(document, str) else json.dumps(document, indent=1, allow_nan=False)
            path.write_text(text, encoding="utf-8")
        if run.predictions is not None:
            pq.write_table(run.predictions, Path(folder) / PREDICTIONS_FILE, compression="zstd")
        client.log_artifacts(run_id, folder)


def log_data(client: "MlflowClient", run_id: str, data: Sequence[LoggedData]) -> None:
    """Log which data the run used, as MLflow lists them."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = [
        DatasetInput(
            Dataset(
                name=logged.name,
                digest=logged.digest,
                source_type="code",
                source=json.dumps({"tags": {"sintonia.source": logged.source}}),
                profile=json.dumps(dict(logged.profile)),
            ),
            tags=[InputTag("mlflow.data.context", logged.context)],
        )
        for logged in data
    ]
    client.log_inputs(run_id, datasets=inputs)


def log_nested(
    client: "MlflowClient", experiment_id: str, parent_id: str, nested: Sequence[ChildRun]
) -> None:
    """Log runs inside a run, and theirs inside them; each ended now and began as long before as it took."""
    from mlflow.entities import Metric, Param, RunTag

    for child in nested:
        now = int(time.time() * 1000)
        began = now - round(child.seconds * 1000)
        tags = {**child.tags, "mlflow.parentRunId": parent_id}
        run_id = client.create_run(experiment_id, began, tags, child.name).info.run_id
        client.log_batch(
            run_id,
            metrics=[Metric(tracked_name(name), value, now, 0) for name, value in child.metrics.items()],
            params=[Param(tracked_name(name), str(value)) for name, value in child.parameters.items()],
            tags=[RunTag("sintonia.nested", "true")],
        )
        log_nested(client, experiment_id, run_id, child.nested)
        client.set_terminated(run_id, end_time=now)


def log_model(model: Model) -> tuple[str, str]:
    """Return the id and address of the model, stored as the files of its kind with a loader, nothing pickled."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / MODEL_FOLDER
        model.save(data)
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module=LOADER,
            data_path=str(data),
            signature=signature(model),
            pip_requirements=["sintonia"],
        )
    return str(logged.model_id), str(logged.model_uri)


def signature(model: Model) -> "ModelSignature":
    """Return what goes in and comes out: ready features, or the columns of histories; so none of them is required.

    Columns of histories are of any type: JSON knows no times, and MLflow would take numbers for nanoseconds, refuse
    zones, and refuse ids that are numbers; `history_from_frame` reads all of them and refuses the rest in one line.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, ParamSchema, ParamSpec, Schema

    # Doubles at the door: a missing value has no integer, and float32 columns are refused by other clients.
    features = [ColSpec("double", name, required=False) for name in model.names]
    columns = [ColSpec(AnyType(), name, required=False) for name in history_columns()]
    return ModelSignature(
        inputs=Schema([*features, *columns]),
        outputs=Schema([ColSpec("double", name) for name in model.outputs]),
        params=ParamSchema([ParamSpec("as_of", "string", "")]),
    )


REVIEW, CUSTOMERS = "review.json", "customers.json"
EVALUATION = "evaluation.json"
"""All that a promotion must know of a training: a page may change, and old runs are still promoted."""
CATALOGUE = "catalogue.json"
PAGE = "review.html"
"""The page of a run, whatever it is called where it was written: approvals are tied to its bytes."""
CARD = "model_card.md"


def read_document(tracking: Tracking, run_id: str, file: str) -> Any:  # noqa: ANN401  any JSON value
    """Return a JSON file of a run.

    Raises
    ------
    NotBuiltError
        When the run has none: an earlier version of sintonia made it.
    """
    return json.loads(_download(tracking, run_id, file).read_text(encoding="utf-8"))


def read_table(tracking: Tracking, run_id: str, file: str) -> pa.Table:
    """Return a Parquet file of a run.

    Raises
    ------
    NotBuiltError
        When the run has none: an earlier version of sintonia made it.
    """
    return pq.read_table(_download(tracking, run_id, file))


def _download(tracking: Tracking, run_id: str, file: str) -> Path:
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(tracking.uri)
    try:
        return Path(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/{file}"))
    except (MlflowException, OSError):
        raise NotBuiltError(f"Run {run_id[:8]} keeps no {file}; train its model again.") from None


def log_page(tracking: Tracking, registered: Registered, page: str) -> None:
    """Put a model's review page beside the other files of its run."""
    tracking.client.log_text(registered.run_id, page, PAGE)


def page_path(tracking: Tracking, registered: Registered) -> Path:
    """Return a copy of the review page that a model's run keeps.

    Raises
    ------
    NotBuiltError
        When it keeps none.
    """
    try:
        return _download(tracking, registered.run_id, PAGE)
    except NotBuiltError:
        raise NotBuiltError(
            f"{registered.name} version {registered.version} has no review page; "
            "run `sintonia review` and read it first."
        ) from None
