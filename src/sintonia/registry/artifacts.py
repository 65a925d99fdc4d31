"""What MLflow keeps of a training beside its model: documents, tables, the page that a reviewer reads."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.core.errors import NotBuiltError
from sintonia.registry.models import Registered, Tracking

REVIEW, CUSTOMERS = "review.json", "customers.json"
EVALUATION = "evaluation.json"
"""All that a promotion must know of a training: a page may change, and old runs are still promoted."""
CATALOGUE = "catalogue.json"
PAGE = "review.html"
"""The page of a run, whatever it is called where it was written: approvals are tied to its bytes."""
CARD = "model_card.md"


def read_document(place: Tracking, run_id: str, file: str) -> Any:  # noqa: ANN401  any JSON value
    """Return a JSON file of a run.

    Raises
    ------
    NotBuiltError
        When the run has none: an earlier version of sintonia made it.
    """
    return json.loads(_download(place, run_id, file).read_text(encoding="utf-8"))


def read_table(place: Tracking, run_id: str, file: str) -> pa.Table:
    """Return a Parquet file of a run.

    Raises
    ------
    NotBuiltError
        When the run has none: an earlier version of sintonia made it.
    """
    return pq.read_table(_download(place, run_id, file))


def _download(place: Tracking, run_id: str, file: str) -> Path:
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(place.uri)
    try:
        return Path(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/{file}"))
    except (MlflowException, OSError):
        raise NotBuiltError(f"Run {run_id[:8]} keeps no {file}; train its model again.") from None


def log_page(place: Tracking, registered: Registered, page: str) -> None:
    """Put a model's review page beside the other files of its run."""
    place.client.log_text(registered.run_id, page, PAGE)


def page_of(place: Tracking, registered: Registered) -> Path:
    """Return a copy of the review page that a model's run keeps.

    Raises
    ------
    NotBuiltError
        When it keeps none.
    """
    try:
        return _download(place, registered.run_id, PAGE)
    except NotBuiltError:
        raise NotBuiltError(
            f"{registered.name} version {registered.version} has no review page; "
            "run `sintonia review` and read it first."
        ) from None
