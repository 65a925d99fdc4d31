"""Runs of a task side by side: their metrics, and paired differences on the very same test rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from sintonia.core.config import CompareSettings
from sintonia.core.errors import InputError, NotBuiltError, unknown
from sintonia.core.intervals import Estimate
from sintonia.evaluation.evaluate import Evaluation
from sintonia.registry.models import CHAMPION, list_versions
from sintonia.registry.names import original_name
from sintonia.registry.predictions import PREDICTIONS_FILE, evaluate_together
from sintonia.registry.runs import read_table
from sintonia.registry.tracking import Registered, Tracking
from sintonia.training.tasks import find_task

UNLISTED = ("seed", "task.force")
"""Parameters whose difference is not worth a word in a table."""


@dataclass(frozen=True)
class ComparedRun:
    """One run beside the reference.

    Attributes
    ----------
    registered
        Its model's version, alias and run.
    at
        When it was trained.
    grade
        A, B or C against its own best baseline.
    own, gap
        Its metric on the rows that both judged, and that minus the reference's; None when there are none, or it is
        the reference.
    verdict
        'better than', 'worse than' or 'not distinguishable from', by the interval of the gap.
    rows
        How many rows both judged.
    changed
        Parameter to its value here and in the reference, where they differ.
    """

    registered: Registered
    at: datetime
    grade: str
    own: Estimate | None
    gap: Estimate | None
    verdict: str
    rows: int
    changed: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class RunComparison:
    """Runs, newest first, compared to one of them by one metric; the reference comes first."""

    task: str
    metric: str
    runs: tuple[ComparedRun, ...]

    @property
    def reference(self) -> ComparedRun:
        """The run the others are compared to."""
        return self.runs[0]


@dataclass(frozen=True)
class _Reference:
    registered: Registered
    predictions: pa.Table
    parameters: Mapping[str, str]
    metric: str


def compare_runs(tracking: Tracking, settings: CompareSettings) -> RunComparison:
    """Return the task's runs compared to the champion's, or to the version asked for, or to the newest.

    Raises
    ------
    NotBuiltError
        When there is no run, or the reference keeps no predictions.
    ConfigError
        For a version or a metric that is not there.
    """
    task = settings.task.name
    known = {registered.version: registered for registered in list_versions(tracking, task)}
    if not known:
        raise NotBuiltError(
            f"No run of task '{task}' in {tracking.uri}; run `sintonia train task={task}` first."
        )
    for version in (*settings.versions, *([settings.to] if settings.to else [])):
        if version not in known:
            raise unknown(f"version of {tracking.name(task)}", version, known)
    chosen = settings.versions or [*known][-settings.last :]
    champion = next(
        (registered.version for registered in known.values() if registered.alias == CHAMPION), chosen[-1]
    )
    reference_run = known[settings.to or champion]
    predictions = read_table(tracking, reference_run.run_id, PREDICTIONS_FILE)
    amount = find_task(settings.task).label == "amount"
    own_evaluation = evaluate_together({"reference": predictions}, amount=amount, seed=settings.seed)
    metric = settings.metric or own_evaluation.headline
    if metric not in (metric_names := own_evaluation.estimates["reference"]):
        raise unknown("metric", metric, metric_names)
    reference = _Reference(
        reference_run, predictions, tracking.client.get_run(reference_run.run_id).data.params, metric
    )
    compared_to = [known[version] for version in reversed(chosen) if version != reference_run.version]
    compared = [_compare_run(tracking, registered, reference, settings) for registered in compared_to]
    return RunComparison(
        task, metric, (_compare_run(tracking, reference_run, reference, settings, own_evaluation), *compared)
    )


def _compare_run(
    tracking: Tracking,
    registered: Registered,
    reference: _Reference,
    settings: CompareSettings,
    evaluation: Evaluation | None = None,
) -> ComparedRun:
    """Return a run beside the reference, without figures where it judged none of its rows."""
    evaluation = evaluation or _evaluate_shared_rows(tracking, registered, reference, settings)
    run = tracking.client.get_run(registered.run_id)
    names = sorted({*run.data.params, *reference.parameters} - {*UNLISTED})
    parameters = {
        name: (run.data.params.get(name, "-"), reference.parameters.get(name, "-")) for name in names
    }
    gap = None if evaluation is None else evaluation.differences.get("reference", {}).get(reference.metric)
    return ComparedRun(
        registered=registered,
        at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        grade=run.data.tags.get("sintonia.grade", ""),
        own=None if evaluation is None else evaluation.estimates[evaluation.model][reference.metric],
        gap=gap,
        verdict=""
        if evaluation is None or gap is None
        else evaluation.verdict("reference", reference.metric),
        rows=0 if evaluation is None else evaluation.rows,
        changed={
            original_name(name): values for name, values in parameters.items() if values[0] != values[1]
        },
    )


def _evaluate_shared_rows(
    tracking: Tracking, registered: Registered, reference: _Reference, settings: CompareSettings
) -> Evaluation | None:
    try:
        tables = {
            "other": read_table(tracking, registered.run_id, PREDICTIONS_FILE),
            "reference": reference.predictions,
        }
        amount = find_task(settings.task).label == "amount"
        return evaluate_together(tables, amount=amount, seed=settings.seed)
    except (InputError, NotBuiltError):
        return None
