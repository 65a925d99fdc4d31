"""The page of a scored list: statuses of its rows, expected outcomes, and changes since the last list."""

from collections.abc import Mapping, Sequence
from typing import Any

from sintonia.core.html import count, number, template
from sintonia.core.intervals import Z95
from sintonia.serving.expectation import expected_total
from sintonia.serving.lists.chunks import TaskModel
from sintonia.serving.lists.history import ScoreChange
from sintonia.serving.lists.output_columns import Totals
from sintonia.serving.lists.rows import STATUSES
from sintonia.training.tasks import describe

MAX_REASONS = 12


def render_list_page(
    name: str,
    key: str,
    warnings: Sequence[str],
    models: Sequence[TaskModel],
    totals: Totals,
    changes: Sequence[ScoreChange],
    currency: str,
) -> str:
    """Return the page as self-contained HTML, without scripts, network access or data of individual customers.

    `name` is that of the list, `key` describes the column that identifies its rows. The interval of an expected total
    is that of `expected_total`; for a model without out-of-time evaluation it is that of independent outcomes, whose
    variance is p (1 - p) each.
    """
    statuses = {status: totals.statuses[status] for status in STATUSES if totals.statuses[status]}
    reasons = [
        {"name": status, "why": reason, "count": rows}
        for (status, reason), rows in totals.reasons.most_common(MAX_REASONS)
    ]
    return template("list.html.j2").render(
        name=name,
        key=key,
        rows=totals.rows,
        told=totals.statuses["scored"] + totals.statuses["duplicate"],
        statuses=_bars(statuses),
        reasons=reasons,
        nobody=totals.nobody,
        warnings=warnings,
        actions=_bars({" by ".join(filter(None, one)): n for one, n in totals.actions.most_common()}),
        tasks=[_task_section(one, totals, currency) for one in models],
        changes=[
            _change_row(one, amounts={m.task for m in models if m.model.predicts_amounts}) for one in changes
        ],
    )


def _bars(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return counts with the lengths of their bars in per cent of the largest."""
    largest = max(counts.values(), default=1)
    return [
        {"name": name, "count": rows, "length": round(100 * rows / largest, 1)}
        for name, rows in counts.items()
    ]


def _task_section(task_model: TaskModel, totals: Totals, currency: str) -> dict[str, Any]:
    """Return what the page shows of a task."""
    bands: Mapping[str, int] = totals.bands.get(task_model.task, {})
    expected, interval = expectation(task_model, totals, currency)
    return {
        "name": task_model.task,
        "outcome": describe(task_model.model.task)[1],
        "as_of": f"{task_model.as_of:%Y-%m-%d}",
        "model": f"{task_model.registered.name} v{task_model.registered.version}",
        "customers": int(totals.sums[f"{task_model.task} customers"]),
        "expected": expected,
        "interval": interval,
        "bands": _bars(dict(sorted(bands.items(), key=lambda pair: -pair[1]))) if any(bands) else [],
    }


def expectation(task_model: TaskModel, totals: Totals, currency: str) -> tuple[str, str]:
    """Return a task's expected total over the customers scored, and its interval; empty for tasks by category."""
    total = float(totals.sums[task_model.task])
    if task_model.model.task.categories:
        return "", ""
    observed = None if task_model.model.profile is None else task_model.model.profile.outcome_ratio
    if observed is not None and total:
        estimate = expected_total(total, observed)
        if task_model.model.predicts_amounts:
            value, low, high = (number(end / 100, 2) for end in (estimate.value, estimate.low, estimate.high))
            return f"{value} {currency}", f"{low} to {high}"
        return count(
            round(estimate.value)
        ), f"{count(max(round(estimate.low), 0))} to {count(round(estimate.high))}"
    if task_model.model.predicts_amounts:
        return f"{number(total / 100, 2)} {currency}", ""
    half_width = Z95 * float(totals.sums[f"{task_model.task} variance"]) ** 0.5
    customers = int(totals.sums[f"{task_model.task} customers"])
    return count(
        round(total)
    ), f"{count(max(round(total - half_width), 0))} to {count(min(round(total + half_width), customers))}"


def _change_row(change: ScoreChange, amounts: set[str]) -> dict[str, Any]:
    """Return what the page shows of the changes of a task."""
    unit, digits = (100, 2) if change.task in amounts else (1, 4)
    means = {
        name: "" if value is None else number(value / unit, digits)
        for name, value in (("before", change.mean_before), ("now", change.mean_now))
    }
    return {**vars(change), **means, "since": f"{change.since:%Y-%m-%d %H:%M} UTC"}
