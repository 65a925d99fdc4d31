"""Runs of a task side by side: their metrics, and paired differences on the very same test rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from sintonia.core.config import CompareSettings
from sintonia.core.errors import InputError, NotBuiltError, unknown
from sintonia.core.intervals import Estimate
from sintonia.evaluation.evaluate import Evaluation
from sintonia.registry.models import CHAMPION, versions
from sintonia.registry.predictions import PREDICTIONS_FILE, judge_together
from sintonia.registry.runs import read_table
from sintonia.registry.tracking import Registered, Tracking
from sintonia.training.tasks import find_task

UNLISTED = ("seed", "task.force")
"""Parameters whose difference is not worth a word in a table."""


@dataclass(frozen=True)
class Compared:
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
    runs: tuple[Compared, ...]

    @property
    def reference(self) -> Compared:
        """The run the others are compared to."""
        return self.runs[0]


@dataclass(frozen=True)
class _Reference:
    registered: Registered
    predictions: pa.Table
    parameters: Mapping[str, str]
    metric: str


def compare_runs(place: Tracking, settings: CompareSettings) -> RunComparison:
    """Return the task's runs compared to the champion's, or to the version asked for, or to the newest.

    Raises
    ------
    NotBuiltError
        When there is no run, or the reference keeps no predictions.
    ConfigError
        For a version or a metric that is not there.
    """
    task = settings.task.name
    known = {one.version: one for one in versions(place, task)}
    if not known:
        raise NotBuiltError(
            f"No run of task '{task}' in {place.uri}; run `sintonia train task={task}` first."
        )
    for version in (*settings.versions, *([settings.to] if settings.to else [])):
        if version not in known:
            raise unknown(f"version of {place.name(task)}", version, known)
    chosen = settings.versions or [*known][-settings.last :]
    champion = next((one.version for one in known.values() if one.alias == CHAMPION), chosen[-1])
    first = known[settings.to or champion]
    predictions = read_table(place, first.run_id, PREDICTIONS_FILE)
    amount = find_task(settings.task).label == "amount"
    alone = judge_together({"reference": predictions}, amount=amount, seed=settings.seed)
    metric = settings.metric or alone.headline
    if metric not in (names := alone.estimates["reference"]):
        raise unknown("metric", metric, names)
    to = _Reference(first, predictions, place.client.get_run(first.run_id).data.params, metric)
    others = [known[version] for version in reversed(chosen) if version != first.version]
    compared = [_compared(place, one, to, settings) for one in others]
    return RunComparison(task, metric, (_compared(place, first, to, settings, alone), *compared))


def _compared(
    place: Tracking,
    one: Registered,
    to: _Reference,
    settings: CompareSettings,
    judged: Evaluation | None = None,
) -> Compared:
    """Return a run beside the reference, without figures where it judged none of its rows."""
    judged = judged or _together(place, one, to, settings)
    run = place.client.get_run(one.run_id)
    names = sorted({*run.data.params, *to.parameters} - {*UNLISTED})
    both = {name: (run.data.params.get(name, "-"), to.parameters.get(name, "-")) for name in names}
    gap = None if judged is None else judged.differences.get("reference", {}).get(to.metric)
    return Compared(
        registered=one,
        at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        grade=run.data.tags.get("sintonia.grade", ""),
        own=None if judged is None else judged.estimates[judged.model][to.metric],
        gap=gap,
        verdict="" if judged is None or gap is None else judged.verdict("reference", to.metric),
        rows=0 if judged is None else judged.rows,
        changed={name: values for name, values in both.items() if values[0] != values[1]},
    )


def _together(
    place: Tracking, one: Registered, to: _Reference, settings: CompareSettings
) -> Evaluation | None:
    try:
        tables = {"other": read_table(place, one.run_id, PREDICTIONS_FILE), "reference": to.predictions}
        amount = find_task(settings.task).label == "amount"
        return judge_together(tables, amount=amount, seed=settings.seed)
    except (InputError, NotBuiltError):
        return None
